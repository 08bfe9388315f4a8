// What decode_frame() says of a frame, asserted and remembered, for tests that go through all of its results.
#pragma once

#include "dataplane/packet/decode.h"
#include "tests/support/frame_build.h"

extern uint8_t frame_expected[FRAME_BUILD_MAX]; /* the frame under test */
extern struct host frame_expected_host;         /* the host it is decoded for */

// A group set-up: frame_host().
int frame_expect_set_up(void **state);

// Decodes `length` bytes of frame_expected, out of a block of exactly this size, and asserts the result. Pointers in *d
// point into frame_expected.
void frame_expect(uint32_t length, uint32_t verified, enum counter_frame expected, struct datagram *d);

// Asserts that `fate` came out of frame_expect() once.
void frame_expect_seen(enum counter_frame fate);
