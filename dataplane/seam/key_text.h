// The text of a record's partition key, for every way a record keeps it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "dataplane/seam/record.h"

#define ADDRESS4_TEXT_MAX 15u /* "255.255.255.255" */
#define ADDRESS6_TEXT_MAX 45u /* "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255" */
#define KEY_TEXT_MAX RECORD_KEY_MAX

// Dotted decimal of an IPv4 address in network order. Returns the bytes written to `text`, no terminator, at most
// ADDRESS4_TEXT_MAX; `text` has room for 16, of which those behind the text are scratch.
uint32_t address4_text(const uint8_t address[4], char *text);

// RFC 5952 of an IPv6 address in network order: lower case, the first longest run of two or more zero groups as "::",
// an IPv4-mapped or -compatible tail in dotted decimal, byte for byte what inet_ntop() writes. Returns the bytes
// written, no terminator, at most ADDRESS6_TEXT_MAX; `text` has room for 48, as above.
uint32_t address6_text(const uint8_t address[16], char *text);

// The partition key of a record that record_check() accepted, into `text` (room for KEY_TEXT_MAX bytes, no
// terminator). Returns its length in bytes, 1 to KEY_TEXT_MAX:
//   stored    the key bytes as they are (whoever made the key answers for their encoding)
//   source    the origin's source address, as above
//   flow      "source:port>destination:port/udp"; IPv6 addresses stand in brackets (RFC 5952, 6)
//   hash      16 hexadecimal digits of `hash`
// A record whose kind of key contradicts the rest of it (nothing stored, no origin, a kind nobody defined) is keyed by hash.
// A gap has no key: 0.
uint32_t key_text(const struct record *record, char *text);
