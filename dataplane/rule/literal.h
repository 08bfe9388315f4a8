// A run of bytes that every match of a pattern holds.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// True when the pattern keeps an automaton awake over long stretches of text ("a.*b"): looking for a literal of it
// costs a tenth of looking for the whole.
bool literal_pays(const char *pattern);

// Writes the run, the last PATTERN_LITERAL_MAX bytes of it when it is longer, and returns its length: at least
// PATTERN_LITERAL_MIN, or 0 when there is none or the pattern holds something this does not know.
uint8_t literal_find(const char *pattern, uint8_t *literal);
