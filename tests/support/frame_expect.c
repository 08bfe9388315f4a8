#include "tests/support/frame_expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

uint8_t frame_expected[FRAME_BUILD_MAX];
struct host frame_expected_host;

static bool seen[COUNTER_FRAME_END];

int frame_expect_set_up(void **state)
{
	(void)state;
	frame_host(&frame_expected_host);
	return 0;
}

void frame_expect(uint32_t length, uint32_t verified, enum counter_frame expected, struct datagram *d)
{
	uint8_t *exact = frame_exact(frame_expected, length);
	enum counter_frame fate = decode_frame(exact, length, &frame_expected_host, verified, d);

	if (fate != expected)
		print_error("%s instead of %s\n", counter_label(fate), counter_label(expected));
	assert_int_equal(fate, expected);
	seen[fate] = true;
	d->addresses = d->addresses ? frame_expected + (d->addresses - exact) : NULL;
	d->ports = d->ports ? frame_expected + (d->ports - exact) : NULL;
	free(exact);
}

void frame_expect_seen(enum counter_frame fate)
{
	if (!seen[fate])
		fail_msg("%s was never the result", counter_label(fate));
}
