// Bytes as JSON text: what JSON lines are put together from.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/delivery/sink.h"

// Whether it is UTF-8. Less than 4 GiB, like everything here.
bool format_text_valid(const uint8_t *s, size_t length);

// The inside of a JSON string: `s`, which is UTF-8, with what RFC 8259, 7 demands escaped.
void format_text_escape(struct gather *w, const uint8_t *s, size_t length);

// The same of bytes that need not be UTF-8: U+FFFD stands for every byte that belongs to no character,
// and for NUL, which many a parser takes in values but in no name.
void format_text_repair(struct gather *w, const uint8_t *s, size_t length);

// Base64 with padding (RFC 4648, 4).
void format_text_base64(struct gather *w, const uint8_t *s, size_t length);

// "name":"…", or "name_base64":"…" where it is not UTF-8 or `text` is false. `name` is plain ASCII.
void format_text_member(struct gather *w, const char *name, const uint8_t *s, size_t length, bool text);
