// What tests of penstockd through its socket have in common: a rig each, short requests, what must be read back.
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/clock.h"
#include "tests/support/daemon_rig.h"

static inline int set_up(void **state)
{
	struct daemon_rig *rig = malloc(sizeof *rig);

	daemon_rig_open(rig);
	*state = rig;
	return 0;
}

static inline int tear_down(void **state)
{
	daemon_rig_close(*state);
	free(*state);
	return 0;
}

static inline void expect_ok(json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "ok")))
		print_error("%s\n", json_string_value(json_object_get(answer, "message")));
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
}

static inline void expect_error(json_t *answer, const char *name)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	assert_false(json_is_true(json_object_get(answer, "ok")));
	assert_non_null(error);
	assert_string_equal(error, name);
	assert_true(strlen(json_string_value(json_object_get(answer, "message"))) > 0);
	json_decref(answer);
}

static inline void create(struct daemon_rig *rig, const char *name, int shards)
{
	expect_ok(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i}", "op", "stream.create", "name", name, "shards", shards));
}

static inline uint64_t number(const json_t *answer, const char *key)
{
	const json_t *value = json_object_get(answer, key);

	assert_non_null(value);
	return json_is_string(value) ? strtoull(json_string_value(value), NULL, 10) : (uint64_t)json_integer_value(value);
}

/* Reads a shard from its start until `wanted` data records were seen; each must be "<prefix><n>", n from 0 on. */
static inline void expect_records(struct daemon_rig *rig, const char *stream, uint32_t shard, const char *prefix, uint32_t wanted)
{
	int fd = protocol_connect(rig->config->socket);
	uint64_t sequence = 0, until = clock_monotonic_ms() + 20000;
	uint32_t seen = 0;

	while (seen < wanted) {
		struct message m;
		json_t *a = daemon_rig_ask(rig, fd, &m, "{s:s, s:s, s:i, s:I, s:i}", "op", "read", "stream", stream, "shard", (int)shard,
				    "sequence", (json_int_t)sequence, "wait_ms", 200);

		assert_true(clock_monotonic_ms() < until);
		assert_true(json_is_true(json_object_get(a, "ok")));
		if (!json_is_true(json_object_get(a, "tail"))) {
			assert_int_equal(number(a, "records_before"), seen);
			for (uint32_t at = 0; at < m.data_bytes;) {
				const struct record *r = (const struct record *)(m.data + at);
				uint32_t bytes = record_check(r, m.data_bytes - at);
				char text[64];

				assert_true(bytes > 0);
				at += bytes;
				if (r->kind != RECORD_DATA)
					continue;
				snprintf(text, sizeof text, "%s%u", prefix, seen++);
				assert_int_equal(r->length, strlen(text));
				assert_memory_equal(record_payload(r), text, r->length);
			}
			assert_true(number(a, "next_sequence") > sequence);
		}
		sequence = number(a, "next_sequence");
		message_free(&m);
	}
	assert_int_equal(seen, wanted);
	close(fd);
}

static inline void append(struct daemon_rig *rig, uint32_t slot, uint32_t worker, const char *prefix, uint32_t from, uint32_t count)
{
	for (uint32_t i = from; i < from + count; i++) {
		char text[64];

		snprintf(text, sizeof text, "%s%u", prefix, i);
		while (!daemon_rig_append(rig, slot, worker, text))
			fail_msg("a lane is full");
	}
}

static inline void expect_balance(struct daemon_rig *rig)
{
	json_t *ledger = daemon_rig_settled_ledger(rig);
	size_t i;
	json_t *section;

	json_array_foreach(json_object_get(ledger, "sections"), i, section)
		if (json_integer_value(json_object_get(section, "unaccounted")))
			print_error("unaccounted: %s\n", json_string_value(json_object_get(section, "title")));
	assert_true(json_is_true(json_object_get(ledger, "balanced")));
	json_decref(ledger);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
