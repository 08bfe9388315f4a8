// The hot path on neighbours that are alike, which it takes 16 at once: they become what they are one by one.
#include "tests/dpdk/burst_frames.h"
#include "tests/support/rounds.h"

/* One thing wrong or rare in a frame that is else as usual as its neighbours. */
static uint32_t draw_oddity(uint8_t *frame, uint32_t length)
{
	switch (draw(9)) {
	case 0: /* a bit anywhere */
		frame[draw(length)] ^= (uint8_t)(1u << draw(8));
		return length;
	case 1: /* a bit in the headers */
		frame[draw(42)] ^= (uint8_t)(1u << draw(8));
		return length;
	case 2: /* cut short */
		return draw(length);
	case 3: /* IP longer than UDP, both lengths as they should be for that */
		wire_put16(frame + 16, (uint16_t)(wire_get16(frame + 16) - 1));
		return length;
	case 4: /* no checksum */
		memset(frame + 40, 0, 2);
		return length;
	case 5: /* padding, of what a neighbour left there */
		memset(frame + length, 0x5a, 30);
		return length + draw(30);
	case 6: /* for another input, with one input less of its own */
		wire_put16(frame + 36, (uint16_t)(514 + draw(14)));
		wire_put16(frame + 40, 0);
		return length;
	case 7:
		return frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4);
	default:
		return draw_frame(frame, 1400);
	}
}

static void sixteen_frames_at_once_are_what_they_are_one_by_one(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	static char text[66000];
	struct chain chains[BURST_MAX];

	(void)state;
	for (int round = 0; round < 300; round++) {
		uint16_t count = (uint16_t)(16 + draw(BURST_MAX - 15)), udp_port = (uint16_t)(514 + draw(16));
		uint32_t most = round % 3 == 0 ? 63 : round % 10 ? 300 : 9000; /* many small ones are written another way */
		uint32_t odd = draw(3) ? draw(2 * count) : UINT32_MAX;

		usual_room = round % 5 ? most < 96 ? USUAL_READS : most + 100 : 0;
		for (uint16_t i = 0; i < count; i++) {
			uint8_t source[4] = {192, 0, 2, (uint8_t)draw(256)};
			uint32_t bytes = 1 + draw(draw(4) ? 60 : most), length;
			struct frame_build what = {.destination_port = udp_port, .payload = bytes, .source = source};

			draw_text(text, bytes);
			if (draw(20) == 0) /* the largest sum */
				memset(text, 0xff, bytes);
			text_frame(frame, &what, text, &length);
			if (i == odd)
				length = draw_oddity(frame, length);
			chains[i] = make_chain(frame, length, NULL, 0);
			if (draw(50) == 0 && round % 2) {
				chains[i].mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
				chains[i].verified = DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD;
			}
		}
		run_burst(chains, count);
	}
	assert_true(reference.counters[FRAME_ACCEPTED] > 8000);
	assert_true(reference.counters[FRAME_NO_INPUT] > 0);
	assert_true(reference.counters[FRAME_UDP_CHECKSUM] > 0 && reference.counters[FRAME_IPV4_CHECKSUM] > 0);
}

/* Around the lengths up to which keys are found, and records written, in a way of their own. */
static void keys_end_anywhere_in_short_datagrams(void **state)
{
	static const uint16_t ports[] = {515, 520, 533, 528}; /* the first field to many shards, to one and to three, the third */
	static uint8_t frame[FRAME_BUILD_MAX];
	struct chain chains[16];
	char text[100];

	(void)state;
	for (uint32_t port_at = 0; port_at < 4; port_at++)
		for (uint32_t bytes = 1; bytes < sizeof text; bytes++) {
			usual_room = USUAL_READS;
			for (uint32_t i = 0; i < 16; i++) {
				/* Tagged ones come one by one. */
				struct frame_build what = {.destination_port = ports[port_at], .payload = bytes, .tags = bytes % 3 == 0};
				uint32_t length;

				for (uint32_t at = 0; at < bytes; at++)
					text[at] = (char)('a' + draw(26));
				if (i < bytes)
					text[bytes - 1 - i] = ' ';
				if (i % 3 && i / 2 < bytes)
					text[i / 2] = ' ';
				assert_int_equal(text_frame(frame, &what, text, &length), FRAME_ACCEPTED);
				chains[i] = make_chain(frame, length, NULL, 0);
			}
			run_burst(chains, 16);
		}
	assert_int_equal(reference.counters[FRAME_ACCEPTED], 4 * 99 * 16);
}

/* A line of about `usual` bytes and its end, mostly with a key or two in front, of up to `longest` bytes each; one of `odd` lines is
 * odd in one of three ways. Up to SHORT_KEYS nearly all have a first one. */
#define SHORT_KEYS 10u
static uint32_t draw_line(char *at, uint32_t usual, uint32_t more, uint32_t longest, uint32_t odd)
{
	uint32_t length = usual + draw(more + 1), key = 1 + draw(longest), oddity = draw(odd);

	for (uint32_t i = 0; i < length; i++)
		at[i] = (char)('a' + draw(26));
	for (uint32_t i = 0; i < 3; i++, key += 1 + draw(longest))
		if (key < length)
			at[key] = i == 1 ? ',' : (i == 0 && longest <= SHORT_KEYS) || draw(3) ? ' ' : ',';
	if (oddity == 0) /* no key, or none at all of it */
		at[0] = draw(2) ? ' ' : ',';
	else if (oddity == 1)
		length = 0;
	else if (oddity == 2)
		at[length++] = '\r';
	at[length++] = '\n';
	return length;
}

/* Lines longer than a vector are cut in a way of their own, unless one of them, or their number, asks for another. */
static void lines_of_any_length_are_cut(void **state)
{
	static const uint16_t ports[] = {516, 516, 522, 530, 530, 530, 530, 534, 531, 532};
	static uint8_t frame[FRAME_BUILD_MAX];
	static char text[4000];
	struct chain chains[BURST_MAX];
	uint64_t records = 0;

	(void)state;
	for (int round = 0; round < ROUNDS(400); round++) {
		uint16_t count = (uint16_t)(1 + draw(BURST_MAX)), udp_port = ports[draw(10)];
		uint32_t usual = draw(4) ? 64 + draw(80) : 1 + draw(300), more = draw(2) ? 0 : draw(100);
		uint32_t longest = draw(2) ? SHORT_KEYS : 80, odd = draw(2) ? 60 : 1000;
		/* Other traffic from there on, which the frames before it did not let expect. */
		uint16_t turn = draw(3) ? count : (uint16_t)(draw(2) ? draw(4) * 16 : draw(count)), turned_port = ports[draw(10)];
		bool verified = draw(4) == 0; /* by the NIC: then nobody sums them */

		usual_room = draw(2) ? sizeof text : 0;
		for (uint16_t i = 0; i < count; i++) {
			uint32_t most = draw(20) ? 1472 : 3000, bytes = 0, length;
			struct frame_build what = {.destination_port = i < turn ? udp_port : turned_port};

			while (bytes + usual + more + 2 <= most && draw(30))
				bytes += draw_line(text + bytes, usual, more, longest, odd);
			while (bytes > 1400 && most == 1472 && bytes < 1490 + draw(10)) /* around the longest that are marked */
				text[bytes++] = 'z';
			bytes -= bytes > 0 && draw(4) == 0; /* no newline at its end */
			if (bytes > 22 && draw(60) == 0)
				bytes = 1 + draw(22); /* all of the frame in one vector */
			what.payload = bytes;
			text_frame(frame, &what, text, &length);
			chains[i] = make_chain(frame, length, NULL, 0);
			if (verified) {
				chains[i].mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
				chains[i].verified = DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD;
			}
		}
		run_burst(chains, count);
		records = reference.counters[WORKER_PARSED];
	}
	assert_true(records > ROUNDS(40000));
}

/* Around the lengths up to which keys and lines are written by so many moves: a burst of each pair, and one of all together. */
static void keys_and_lines_of_any_length_are_written(void **state)
{
	static const uint32_t key_lengths[] = {1, 2, 15, 16, 17, 19, 20, 21, 32, 33, 62, 63, 64, 65};
	static const uint32_t rests[] = {1, 2, 30, 63, 64, 65, 66, 107, 108, 109, 110, 127, 128, 129, 200};
	static uint8_t frame[FRAME_BUILD_MAX];
	static char text[3 * 300];
	struct chain chains[BURST_MAX];
	uint64_t bursts = 0;

	(void)state;
	for (uint32_t k = 0; k < sizeof key_lengths / sizeof key_lengths[0]; k++)
		for (uint32_t r = 0; r < sizeof rests / sizeof rests[0]; r++, bursts++) {
			usual_room = draw(2) ? 1000 : 0;
			for (uint32_t i = 0; i < BURST_MAX; i++) {
				struct frame_build what = {.destination_port = bursts % 4 ? 530 : 532};
				uint32_t bytes = 0, length;

				/* Three to a frame: more than two batches, of which one is written while the next is hashed. */
				for (uint32_t line = 0; line < 3; line++) {
					uint32_t key = bursts % 5 ? key_lengths[k] : key_lengths[draw(14)];

					length = key + (bursts % 5 ? rests[r] : rests[draw(15)]);
					for (uint32_t at = 0; at < length; at++)
						text[bytes + at] = (char)('a' + draw(26));
					text[bytes + key] = ' ';
					bytes += length;
					text[bytes++] = '\n';
				}
				what.payload = bytes;
				text_frame(frame, &what, text, &length);
				chains[i] = make_chain(frame, length, NULL, 0);
			}
			run_burst(chains, BURST_MAX);
		}
	assert_int_equal(reference.counters[FRAME_ACCEPTED], bursts * BURST_MAX);
	assert_int_equal(reference.counters[WORKER_PARSED], bursts * BURST_MAX * 3);
}

/* A line of a key and letters, without its end. */
static uint32_t draw_keyed(char *at, uint32_t key, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		at[i] = (char)('a' + draw(26));
	if (key < length)
		at[key] = ' ';
	return length;
}

/* Up to ten lines; one of them, `left` lines on, is odd in one of these ways. */
static uint32_t draw_returns(char *text, uint32_t *left, uint32_t oddity)
{
	uint32_t bytes = 0, lines = 7 + draw(4);

	for (uint32_t line = 0; line < lines; line++) {
		char *at = text + bytes;
		uint32_t key = 1 + draw(13), length = draw_keyed(at, key, 80 + draw(50));

		if ((*left)-- == 0)
			switch (oddity) {
			case 0: /* as Windows has it */
				at[length++] = '\r';
				break;
			case 1:
				at[length - 1] = '\r';
				break;
			case 2:
				at[length++] = '\r';
				at[length++] = '\r';
				break;
			case 3:
				at[0] = at[1 + draw(length - 2)] = '\r';
				break;
			case 4: /* nothing else */
				at[0] = '\r';
				length = 1;
				break;
			case 5: /* all of it is its key */
				draw_keyed(at, length, length);
				at[length++] = '\r';
				break;
			case 6: /* shorter than others of its batch */
				at[length = 1 + draw(20)] = '\r';
				length += draw(2);
				break;
			default: /* around what is looked at for a key at first */
				draw_keyed(at, 10 + draw(10), length);
			}
		bytes += length;
		at[length] = '\n';
		bytes++;
	}
	return bytes - (draw(4) == 0);
}

/* Marks tell newlines only: what is in front of them is seen to when keys are looked for. */
static void returns_in_front_of_newlines_are_no_part_of_lines(void **state)
{
	static const uint16_t ports[] = {530, 530, 530, 534, 532, 516, 531, 535, 536};
	static uint8_t frame[FRAME_BUILD_MAX];
	static char text[2000];
	struct chain chains[BURST_MAX];

	(void)state;
	for (int round = 0; round < ROUNDS(600); round++) {
		uint16_t count = (uint16_t)(draw(3) ? BURST_MAX : 1 + draw(BURST_MAX)), udp_port = ports[draw(9)];
		/* One of them, often the last of 80, which are made together; or many. */
		uint32_t left = draw(2) ? draw(9u * count) : 79, every = draw(2) ? UINT32_MAX : draw(30), oddity = draw(8);

		usual_room = draw(2) ? sizeof text : 0;
		for (uint16_t i = 0; i < count; i++) {
			struct frame_build what = {.destination_port = udp_port};
			uint32_t length;

			if (left > 9u * BURST_MAX && every < UINT32_MAX)
				left = every;
			what.payload = draw_returns(text, &left, oddity);
			text_frame(frame, &what, text, &length);
			chains[i] = make_chain(frame, length, NULL, 0);
		}
		run_burst(chains, count);
	}
	assert_int_equal(reference.counters[FRAME_ACCEPTED], reference.counters[WORKER_POLLED]);
	assert_true(reference.counters[WORKER_PARSED] > ROUNDS(100000));
}

static void a_tap_keeps_frames_whole_that_are_as_usual_as_their_neighbours(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	struct chain chains[BURST_MAX];

	(void)state;
	for (uint16_t udp_port = 514; udp_port <= 529; udp_port++)
		for (int good = 0; good < 2; good++) {
			uint64_t bytes = reference.counters[WORKER_PARSED_BYTES];
			uint32_t length = good_frame(frame, udp_port, 4, LINES);

			for (uint16_t i = 0; i < BURST_MAX; i++) {
				chains[i] = make_chain(frame, length, NULL, 0);
				if (good)
					chains[i].mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
			}
			run_burst(chains, BURST_MAX);
			assert_int_equal(reference.counters[WORKER_PARSED_BYTES] - bytes, BURST_MAX * length);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sixteen_frames_at_once_are_what_they_are_one_by_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_end_anywhere_in_short_datagrams, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lines_of_any_length_are_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_and_lines_of_any_length_are_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(returns_in_front_of_newlines_are_no_part_of_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tap_keeps_frames_whole_that_are_as_usual_as_their_neighbours, set_up_tap, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
