// Frames that lie, end early or were hit by noise: one result each, and never a byte read outside (under a sanitizer).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/packet/answer.h"
#include "dataplane/packet/decode.h"
#include "tests/support/frame_build.h"

#define MUTATIONS 200000u
#define ANSWER_ROOM 2048u

static struct host host;

static int set_up(void **state)
{
	(void)state;
	frame_host(&host);
	return 0;
}

static const uint8_t extensions[] = {60, 0, 5,  2, 0, 0, 1, 0, 44, 0, 1, 4, 0, 0, 0,  0, 51, 0, 0, 0, 0, 0,
				     0,  9, 43, 1, 0, 0, 0, 0, 0,  1, 1, 2, 3, 4, 17, 0, 4,  0, 0, 0, 0, 0};
static const uint8_t echo[24] = {8, 0, 0, 0, 1, 2, 3, 4}, echo6[24] = {128, 0, 0, 0, 1, 2, 3, 4};
static uint8_t solicitation[32] = {135};

static const struct frame_build kinds[] = {
	{.payload = 22},
	{.payload = 200, .tags = 2},
	{.payload = 33, .options = 40, .padding = 5},
	{.payload = 0, .padding = 18},
	{.family = 6, .payload = 30},
	{.family = 6, .payload = 150, .tags = 1},
	{.family = 6, .payload = 25, .extensions = extensions, .extension_bytes = 44, .next = 0, .padding = 3},
	{.protocol = 1, .message = echo, .message_bytes = sizeof echo},
	{.family = 6, .protocol = 58, .message = echo6, .message_bytes = sizeof echo6},
	{.family = 6,
	 .protocol = 58,
	 .message = solicitation,
	 .message_bytes = sizeof solicitation,
	 .hop_limit = 255,
	 .destination = frame_solicited,
	 .tags = 1},
};
#define KINDS (sizeof kinds / sizeof kinds[0])
#define ARP_KIND KINDS

static uint32_t build_kind(uint32_t kind, uint8_t *out)
{
	memcpy(solicitation + 8, frame_own6, 16);
	memcpy(solicitation + 24, (uint8_t[]){1, 1, 0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee}, 8);
	return kind == ARP_KIND ? frame_build_arp(out, frame_own_mac, 1, frame_peer4, frame_own4)
				: frame_build(&kinds[kind], out);
}

// Decodes and answers an exact copy, and holds the result to what the headers promise of it.
static enum counter_frame judge(const uint8_t *bytes, uint32_t length, uint32_t verified)
{
	uint8_t *frame = frame_exact(bytes, length), *reply = malloc(ANSWER_ROOM);
	enum counter_frame fate, answered;
	struct datagram d;
	uint32_t replied;

	memset(&d, 0xee, sizeof d);
	fate = decode_frame(frame, length, &host, verified, &d);
	assert_in_range(fate, FRAME_ACCEPTED, FRAME_UDP_CHECKSUM);
	assert_int_not_equal(fate, FRAME_EMPTY);
	if (fate == FRAME_ACCEPTED) {
		const uint8_t *udp = frame + d.l4;
		uint32_t bytes_each = d.family == RECORD_ORIGIN_IPV4 ? 4 : 16;

		assert_true(d.payload <= length && d.length <= length - d.payload);
		assert_ptr_equal(d.ports, udp);
		assert_int_equal(d.payload, d.l4 + 8);
		assert_int_equal(d.length + 8, udp[4] << 8 | udp[5]);
		assert_true(d.addresses >= frame && d.addresses + 2 * bytes_each <= frame + length);
		if (!verified && (udp[6] || udp[7]))
			assert_int_equal(frame_pseudo_checksum(d.addresses, bytes_each, 17, udp, d.length + 8), 0);
	} else {
		assert_null(d.ports);
	}
	if (fate == FRAME_ANSWERED)
		assert_true(d.l4 <= length && d.length <= length - d.l4);
	replied = answer_frame(&host, frame, length, reply, ANSWER_ROOM, &answered);
	if (verified == 0 && fate != FRAME_ANSWERED)
		assert_int_equal(answered, fate);
	assert_true((replied > 0) == (answered == FRAME_ANSWERED));
	assert_true(replied == 0 || (replied >= WIRE_FRAME_MIN && replied <= ANSWER_ROOM));
	free(reply);
	free(frame);
	return fate;
}

static uint32_t whole_length(uint32_t kind, uint32_t length)
{
	return kind == ARP_KIND ? length : length - kinds[kind].padding;
}

static void a_frame_cut_anywhere_is_never_accepted(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];

	(void)state;
	for (uint32_t kind = 0; kind < KINDS; kind++) {
		uint32_t length = build_kind(kind, frame);
		enum counter_frame whole = judge(frame, length, 0);

		assert_true(whole == FRAME_ACCEPTED || whole == FRAME_ANSWERED);
		for (uint32_t cut = 0; cut < length; cut++) {
			enum counter_frame fate = judge(frame, cut, 0);

			if (cut >= whole_length(kind, length))
				assert_int_equal(fate, whole);
			else if (cut < 14)
				assert_int_equal(fate, FRAME_RUNT);
			else
				assert_true(fate == FRAME_VLAN_TRUNCATED || fate == FRAME_IPV4_TRUNCATED ||
					    fate == FRAME_IPV6_TRUNCATED);
		}
	}
}

static void every_16_bit_field_may_lie(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];

	(void)state;
	for (uint32_t kind = 0; kind <= KINDS; kind++) {
		uint32_t length = build_kind(kind, frame), headers = length < 150 ? length : 150;

		for (uint32_t at = 0; at + 2 <= headers; at++) {
			uint16_t was = wire_get16(frame + at);
			const uint16_t lies[] = {
				0, 1, 7, 8, 0x7fff, 0x8000, 0xffff, (uint16_t)(was + 1), (uint16_t)(was - 1)};

			for (uint32_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
				for (uint32_t trusted = 0; trusted < 2; trusted++) {
					wire_put16(frame + at, lies[i]);
					judge(frame, length, trusted ? 5 : 0);
				}
			wire_put16(frame + at, was);
		}
	}
}

// With the NIC's word for every checksum, only the lengths stand between a lie and the bytes behind the frame.
static void every_length_field_may_lie_with_good_checksums(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	static const struct {
		uint32_t kind, at;
	} fields[] = {{0, 16}, {0, 38}, {2, 16}, {2, 78}, {4, 18}, {4, 58}, {6, 18}, {6, 55}, {6, 102}};

	(void)state;
	for (uint32_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
		uint32_t length = build_kind(fields[f].kind, frame), accepted = 0;

		for (uint32_t value = 0; value < 65536; value += value < 600 ? 1 : 251) {
			wire_put16(frame + fields[f].at, (uint16_t)value);
			accepted += judge(frame, length, DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD) ==
				    FRAME_ACCEPTED;
		}
		/* Only values that stay inside the frame; one field has a byte beside it that is free to be anything.
		 */
		assert_in_range(accepted, 1, fields[f].at == 55 ? 2 * 256 : length);
	}
}

static void frames_of_every_length_have_one_result(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	struct frame_build what = {.payload = 65535 - 42};

	(void)state;
	assert_int_equal(frame_build(&what, frame), 65535);
	assert_int_equal(judge(frame, 65535, 0), FRAME_ACCEPTED);
	for (uint32_t length = 0; length < 65535; length += length < 100 || length > 65500 ? 1 : 97)
		assert_int_equal(judge(frame, length, 0), length < 14 ? FRAME_RUNT : FRAME_IPV4_TRUNCATED);
	what.family = 6;
	what.payload -= 20;
	assert_int_equal(frame_build(&what, frame), 65535);
	assert_int_equal(judge(frame, 65535, 0), FRAME_ACCEPTED);
	for (uint32_t length = 0; length < 65535; length += length < 100 || length > 65500 ? 1 : 97)
		assert_int_equal(judge(frame, length, 0), length < 14 ? FRAME_RUNT : FRAME_IPV6_TRUNCATED);
	assert_int_equal(judge(frame, 65536, 0), FRAME_TOO_LONG);
	for (uint32_t length = 14; length < 65536; length += 199) /* zeros */
		assert_int_equal(judge(memset(frame, 0, length), length, 0), FRAME_OTHER_MAC);
	memset(frame, 0xff, sizeof frame);
	for (uint32_t length = 14; length < 65536; length += 199)
		assert_int_equal(judge(frame, length, 0), FRAME_ETHERTYPE);
}

static uint32_t mutate(uint8_t *frame, uint32_t length, uint64_t *seed)
{
	uint32_t changes = 1 + frame_random(seed) % 4;

	while (changes-- > 0 && length > 0) {
		uint32_t at = frame_random(seed) % (frame_random(seed) % 3 ? (length < 80 ? length : 80) : length);
		uint32_t span = 1 + frame_random(seed) % 8;

		switch (frame_random(seed) % 6) {
		case 0:
			frame[at] ^= (uint8_t)(1 << frame_random(seed) % 8);
			break;
		case 1:
			frame[at] = (uint8_t)frame_random(seed);
			break;
		case 2:
			frame[at] = frame_random(seed) % 2 ? 0xff : 0;
			break;
		case 3:
			length = at;
			break;
		case 4: /* something cut out */
			span = span > length - at ? length - at : span;
			memmove(frame + at, frame + at + span, length - at - span);
			length -= span;
			break;
		default: /* something put in */
			memmove(frame + at + span, frame + at, length - at);
			length += span;
		}
	}
	return length;
}

static void noise_has_one_result_each(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	uint32_t results[COUNTER_FRAME_END] = {0};
	uint64_t seed = 20240501;

	(void)state;
	for (uint32_t i = 0; i < MUTATIONS; i++) {
		uint32_t kind = frame_random(&seed) % (KINDS + 1);
		uint32_t length = mutate(frame, build_kind(kind, frame), &seed);

		/* Half of it behind right checksums, so that the noise gets further than to them. */
		if (length >= 34 && frame[12] == 8 && frame[13] == 0 && (frame[14] & 15u) * 4 + 14 <= length &&
		    frame_random(&seed) % 2)
			frame_fix_ipv4(frame + 14);
		results[judge(frame, length, frame_random(&seed) % 2 ? 5 : 0)]++;
	}
	assert_true(results[FRAME_ACCEPTED] > MUTATIONS / 100);
	assert_true(results[FRAME_UDP_CHECKSUM] > 0 && results[FRAME_IPV6_EXTENSION] > 0 &&
		    results[FRAME_PROTOCOL] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_cut_anywhere_is_never_accepted),
		cmocka_unit_test(every_16_bit_field_may_lie),
		cmocka_unit_test(every_length_field_may_lie_with_good_checksums),
		cmocka_unit_test(frames_of_every_length_have_one_result),
		cmocka_unit_test(noise_has_one_result_each),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
