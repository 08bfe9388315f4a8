// Showing something again and again: in place on a terminal, one after the other elsewhere.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Makes SIGINT and SIGTERM end the watch instead of the program. Once, before anything else.
void watch_start(void);

// True once a signal asked for the end.
bool watch_ended(void);

// Puts `text` on the screen over what was there before, cut to the terminal's height (the last line says so).
// Elsewhere just writes it, with an empty line behind. 0, or 1 when stdout could not take it.
int watch_show(const char *text, size_t length);

// Sleeps until `interval_ns` after the last call (at once when that is over), or until a signal.
void watch_wait(uint64_t interval_ns);

// The terminal's size; 80 x 24 when stdout is none. True when it is one.
bool watch_size(unsigned *columns, unsigned *rows);

// Leaves the cursor below what was shown.
void watch_finish(void);
