#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/cli/read_source.h"

#define RECORD_BYTES 40u /* header and eight bytes of payload */

static uint8_t bytes[4096] __attribute__((aligned(8)));

static uint32_t put(uint32_t at, uint8_t kind, const void *payload, uint32_t length)
{
	struct record r = {.kind = kind, .length = length, .vlan = RECORD_VLAN_NONE, .codec = kind == RECORD_DATA ? CODEC_LINES : 0};

	memset(bytes + at, 0, record_bytes(0, 0, length));
	memcpy(bytes + at, &r, sizeof(r));
	memcpy(bytes + at + sizeof(r), payload, length);
	return at + record_bytes(0, 0, length);
}

// Gives `s` the answer to a read as penstockd would.
static int answer(struct source *s, const char *first, int sequences, int before, const char *next, uint32_t length)
{
	json_t *json = json_pack("{s:b, s:s, s:i, s:i, s:i, s:i, s:s}", "ok", 1, "first_sequence", first, "sequences", sequences,
				 "records", 0, "records_before", before, "stored_ns", 5, "next_sequence", next);
	static struct client client;
	int ends[2], taken;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(message_send(ends[1], json, bytes, length), 0);
	client.fd = ends[0];
	s->client = &client;
	taken = source_take(s);
	json_decref(json);
	close(ends[0]);
	close(ends[1]);
	return taken;
}

static void a_batch_is_entered_in_its_middle_and_left_at_the_end(void **state)
{
	struct source s = {.next = 12, .records = 7, .end = UINT64_MAX};
	uint64_t sequence;
	uint32_t at = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		at = put(at, RECORD_DATA, "payload!", 8);
	assert_int_equal(answer(&s, "10", 4, 5, "14", at), 1);
	assert_int_equal(s.missed, 0);
	assert_non_null(source_next(&s, &sequence));
	assert_int_equal(sequence, 12);
	s.end = 13;
	assert_null(source_next(&s, &sequence));
	assert_int_equal(s.next, 13);
	assert_int_equal(s.records, 8);
}

static void a_batch_behind_what_was_wanted_tells_how_many_records_are_gone(void **state)
{
	struct source s = {.next = 12, .records = 7, .end = UINT64_MAX};
	uint64_t sequence;

	(void)state;
	assert_int_equal(answer(&s, "100", 1, 90, "101", put(0, RECORD_DATA, "payload!", 8)), 1);
	assert_int_equal(s.missed, 83);
	assert_non_null(source_next(&s, &sequence));
	assert_int_equal(sequence, 100);
	assert_int_equal(s.records, 91);
	source_reset(&s);
}

static void one_gap_may_stand_for_all_sequences_of_a_damaged_batch(void **state)
{
	struct gap gap = {.count = 40, .reason = GAP_BATCH_DAMAGED, .worker = UINT16_MAX};
	struct source s = {.next = 30, .records = 28, .end = UINT64_MAX};
	const struct record *r;
	uint64_t sequence;

	(void)state;
	assert_int_equal(answer(&s, "20", 42, 18, "62", put(0, RECORD_GAP, &gap, sizeof(gap))), 1);
	r = source_next(&s, &sequence);
	assert_non_null(r);
	assert_int_equal(r->kind, RECORD_GAP);
	assert_int_equal(s.next, 62);
	assert_null(source_next(&s, &sequence));
	assert_false(s.damaged);
	/* What follows knows better how many records were in front of it, and nothing is told to be missing twice. */
	assert_int_equal(answer(&s, "62", 1, 58, "63", put(0, RECORD_DATA, "payload!", 8)), 1);
	assert_int_equal(s.missed, 0);
	source_reset(&s);
}

static void what_is_no_record_ends_the_batch_and_is_marked(void **state)
{
	struct source s = {.next = 10, .end = UINT64_MAX};
	uint64_t sequence;
	uint32_t at = put(0, RECORD_DATA, "payload!", 8);

	(void)state;
	put(at, 77, "payload!", 8);
	assert_int_equal(answer(&s, "10", 2, 0, "12", at + RECORD_BYTES), 1);
	assert_non_null(source_next(&s, &sequence));
	assert_null(source_next(&s, &sequence));
	assert_true(s.damaged);
	assert_int_equal(s.next, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_is_entered_in_its_middle_and_left_at_the_end),
		cmocka_unit_test(a_batch_behind_what_was_wanted_tells_how_many_records_are_gone),
		cmocka_unit_test(one_gap_may_stand_for_all_sequences_of_a_damaged_batch),
		cmocka_unit_test(what_is_no_record_ends_the_batch_and_is_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
