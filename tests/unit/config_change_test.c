// What a changed file says against the one that runs, knob by knob.
#include "tests/unit/config_fixture.h"

#include <errno.h>

#include "config/change.h"
#include "config/knobs.h"

#define BASE                                                                                                           \
	"region: {directory: region, shards: 8}\n"                                                                     \
	"ports:\n"                                                                                                     \
	"  - {name: wire, device: net_pcap0, cores: [1], addresses: [\"198.18.0.2/24\"]}\n"
#define INPUT_A "  - {name: a, port: wire, udp_port: 1, codec: lines, stream: s}\n"
#define INPUT_B "  - {name: b, port: wire, udp_port: 2, codec: lines, stream: s}\n"
#define STREAM_S "streams:\n  - {name: s, shards: 2}\n"

struct pair {
	struct fixture *f;
	struct config *now, *next;
	struct config_changes changes;
};

static struct config *load(struct fixture *f, const char *text)
{
	struct config *config;

	if (fixture_load_text(f, text) != 0)
		fail_msg("%s", f->said);
	config = f->config;
	f->config = NULL;
	return config;
}

static struct pair compare(void **state, const char *now, const char *next)
{
	struct pair p = {.f = *state};

	p.now = load(p.f, now);
	p.next = load(p.f, next);
	assert_int_equal(config_compare(p.now, p.now, p.next, &p.changes), 0);
	return p;
}

static void end(struct pair *p)
{
	config_free_changes(&p->changes);
	config_free(p->now);
	config_free(p->next);
}

static const struct config_change *find(const struct pair *p, const char *path)
{
	for (uint32_t i = 0; i < p->changes.count; i++)
		if (strcmp(p->changes.list[i].path, path) == 0)
			return &p->changes.list[i];
	fail_msg("%s is no change", path);
	return NULL;
}

static void expect_text(const struct pair *p, const char *path, const char *text)
{
	char line[1024], *at;

	config_describe_change(find(p, path), line, sizeof line);
	at = strstr(line, "main.yaml");
	assert_string_equal(at ? at : line, text);
}

static void the_same_files_change_nothing(void **state)
{
	struct pair p = compare(state, BASE "inputs:\n" INPUT_A INPUT_B STREAM_S,
				BASE STREAM_S "inputs:\n" INPUT_B INPUT_A "store: {commit_ms: 10ms}\n");

	assert_int_equal(p.changes.count, 0); /* order and defaults written out are no change */
	end(&p);
}

static void what_needs_a_start_is_named_by_place_and_value(void **state)
{
	struct pair p = compare(state, BASE,
				"region: {directory: region, shards: 16}\n"
				"dpdk: {arguments: [\"-a\", \"x\"]}\n"
				"ports:\n"
				"  - name: wire\n"
				"    device: net_pcap0\n"
				"    queues: 2\n"
				"    cores: [1, 3]\n"
				"    addresses: [\"198.18.0.2/24\", \"fd00::2/64\"]\n");

	assert_int_equal(p.changes.count, 5);
	for (uint32_t i = 0; i < p.changes.count; i++)
		assert_false(p.changes.list[i].live);
	expect_text(&p, "ports[0].queues",
		    "main.yaml:6:13: ports[0].queues: changed from 1 to 2: takes effect at the next start");
	expect_text(&p, "ports[0].cores",
		    "main.yaml:7:12: ports[0].cores: changed from [1] to [1, 3]: takes effect at the next start");
	expect_text(&p, "ports[0].addresses",
		    "main.yaml:8:16: ports[0].addresses: changed from [198.18.0.2/24] to [198.18.0.2/24, fd00::2/64]: takes "
		    "effect at the next start");
	expect_text(&p, "region.shards",
		    "main.yaml:1:37: region.shards: changed from 8 to 16: takes effect at the next start");
	expect_text(&p, "dpdk.arguments",
		    "main.yaml:2:19: dpdk.arguments: changed from [] to [\"-a\", \"x\"]: takes effect at the next start");
	end(&p);
}

static void inputs_streams_deliveries_and_the_log_level_change_while_it_runs(void **state)
{
	struct pair p = compare(
		state, BASE "inputs:\n" INPUT_A INPUT_B STREAM_S,
		BASE "inputs:\n"
		     "  - {name: new, port: wire, udp_port: 3, codec: lines, stream: s}\n"
		     "  - {name: b, port: wire, udp_port: 2, codec: datagram, stream: s, key: {from: field, number: 2, "
		     "separator: \" \"}}\n"
		     "streams:\n  - {name: s, shards: 2, retention: 2h, retention_bytes: 1GiB}\n  - {name: t}\n"
		     "deliveries:\n  - {name: d, stream: s, destination: {directory: out}}\n"
		     "control: {log_level: debug}\n");

	assert_int_equal(p.changes.count, 11);
	for (uint32_t i = 0; i < p.changes.count; i++)
		assert_true(p.changes.list[i].live);
	expect_text(&p, "inputs[0]", "main.yaml:5:5: inputs[0]: 'new' added");
	assert_int_equal(find(&p, "inputs[1].codec")->kind, CHANGE_CHANGED);
	assert_string_equal(find(&p, "inputs[1].key.from")->from, "random");
	assert_string_equal(find(&p, "inputs[1].key.from")->to, "field");
	assert_string_equal(find(&p, "inputs[1].key.number")->to, "2");
	assert_string_equal(find(&p, "inputs[1].key.separator")->to, "\" \"");
	assert_string_equal(find(&p, "streams[0].retention")->to, "2h");
	assert_string_equal(find(&p, "streams[0].retention_bytes")->from, "none");
	assert_string_equal(find(&p, "control.log_level")->to, "debug");
	assert_int_equal(find(&p, "streams[1]")->kind, CHANGE_ADDED);
	assert_int_equal(find(&p, "deliveries[0]")->kind, CHANGE_ADDED);
	assert_string_equal(find(&p, "deliveries[0]")->name, "d");
	end(&p);
}

static void what_was_taken_out_is_named_and_a_stream_stays(void **state)
{
	struct pair p = compare(state, BASE "inputs:\n" INPUT_A INPUT_B STREAM_S,
				BASE "inputs:\n"
				     "  - {name: b, port: wire, udp_port: 2, codec: lines, stream: s}\n");
	uint32_t removed = 0;

	assert_int_equal(p.changes.count, 2);
	for (uint32_t i = 0; i < p.changes.count; i++)
		removed += p.changes.list[i].kind == CHANGE_REMOVED;
	assert_int_equal(removed, 2);
	assert_true(find(&p, "inputs[0]")->live);
	expect_text(&p, "inputs[0]", "inputs[0]: 'a' removed");
	assert_false(find(&p, "streams[0]")->live);
	expect_text(&p, "streams[0]", "streams[0]: 's' removed: it stays with its records until `penstock stream delete`");
	end(&p);
}

static void a_stream_keeps_its_shards(void **state)
{
	struct pair p = compare(state, BASE STREAM_S, BASE "streams:\n  - {name: s, shards: 4}\n");

	assert_int_equal(p.changes.count, 1);
	assert_false(p.changes.list[0].live);
	expect_text(&p, "streams[0].shards",
		    "main.yaml:5:23: streams[0].shards: changed from 2 to 4: a stream keeps the shards it was made with");
	end(&p);
}

static void what_was_left_at_one_reload_is_named_at_the_next(void **state)
{
	struct pair p = compare(state, BASE, BASE "store: {commit_ms: 20ms}\ncontrol: {log_level: error}\n");
	struct config *again = load(p.f, BASE "store: {commit_ms: 20ms}\ncontrol: {log_level: debug}\n");
	struct config_changes changes;

	assert_int_equal(p.changes.count, 2);
	/* Started with `now`, works by `next` as far as it can: the store's by what it started with, the level by the last. */
	assert_int_equal(config_compare(p.now, p.next, again, &changes), 0);
	assert_int_equal(changes.count, 2);
	assert_string_equal(changes.list[0].path, "store.commit_ms");
	assert_string_equal(changes.list[0].from, "10ms");
	assert_false(changes.list[0].live);
	assert_string_equal(changes.list[1].from, "error");
	assert_true(changes.list[1].live);
	config_free_changes(&changes);
	config_free(again);
	end(&p);
}

static void hashes_differ_when_any_value_does_and_only_then(void **state)
{
	static const char *const texts[] = {
		BASE, BASE "store: {commit_ms: 11ms}\n", BASE "inputs:\n" INPUT_A STREAM_S, BASE "inputs:\n" INPUT_B STREAM_S,
		BASE "inputs:\n" INPUT_A INPUT_B STREAM_S,
		BASE "inputs:\n  - {name: a, port: wire, udp_port: 1, codec: lines, stream: s, destination: 198.18.0.2}\n" STREAM_S,
	};
	struct pair same = compare(state, BASE, BASE "store: {commit_ms: 10ms}\n");
	uint64_t hashes[sizeof texts / sizeof texts[0]];

	assert_true(config_hash(same.now) == config_hash(same.next));
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct config *config = load(same.f, texts[i]);

		hashes[i] = config_hash(config);
		assert_true(hashes[i] != 0);
		for (size_t j = 0; j < i; j++)
			assert_true(hashes[i] != hashes[j]);
		config_free(config);
	}
	end(&same);
}

static void deliveries_are_the_same_when_every_knob_is(void **state)
{
#define DELIVERY(more) BASE STREAM_S "deliveries:\n  - {name: d, stream: s, destination: {directory: out}" more "}\n"
	struct pair p = compare(state, DELIVERY(""), DELIVERY(", buffer: {age: 6m}"));
	struct config *same = load(p.f, DELIVERY(", buffer: {age: 5m}"));

	assert_false(config_same_delivery(p.now->deliveries, p.next->deliveries));
	assert_true(config_same_delivery(p.now->deliveries, same->deliveries));
	config_free(same);
	end(&p);
}

/* Places the inputs of `text` on the ports of `now`. What is said, malloc'ed. */
static char *place(struct fixture *f, const struct config *start, const struct config *now, const char *text, int expected,
		   struct config **out)
{
	struct config *next = load(f, text);
	char *said;
	FILE *errors = open_memstream(&said, &(size_t){0});

	assert_int_equal(config_place_inputs(start, now, next, errors), expected);
	fclose(errors);
	*out = next;
	return said;
}

static void inputs_find_the_ports_that_are_open(void **state)
{
	struct fixture *f = *state;
	struct config *now = load(f, BASE "inputs:\n" INPUT_A STREAM_S), *next, *later;
	/* The ports stand in another order, and one is new. */
	static const char two[] =
		"ports:\n"
		"  - {name: other, device: net_pcap1, cores: [2]}\n"
		"  - {name: wire, device: net_pcap0, cores: [1], addresses: [\"198.18.0.2/24\", \"198.18.0.3/24\"]}\n"
		"inputs:\n" INPUT_A
		"  - {name: there, port: other, udp_port: 1, codec: lines, stream: s}\n"
		"  - {name: new, port: wire, udp_port: 9, destination: 198.18.0.3, codec: lines, stream: s}\n"
		"  - {name: old, port: wire, udp_port: 9, destination: 198.18.0.2, codec: lines, stream: s}\n" STREAM_S;
	char *said = place(f, now, now, two, 0, &next);

	assert_int_equal(next->inputs[0].port_index, 0);
	assert_true(next->inputs[1].port_index == UINT32_MAX);
	assert_true(next->inputs[2].port_index == UINT32_MAX);
	assert_int_equal(next->inputs[3].port_index, 0);
	assert_non_null(strstr(said, "warning: input 'there' waits: its port is opened only at the next start"));
	assert_non_null(strstr(said, "warning: input 'new' waits: its port answers for that destination only at"));
	free(said);
	/* And goes on waiting at the next reload. */
	said = place(f, now, next, two, 0, &later);
	assert_true(later->inputs[1].port_index == UINT32_MAX);
	free(said);
	config_free(later);
	config_free(next);
	config_free(now);
}

static void an_input_that_works_does_not_stop_unasked(void **state)
{
	struct fixture *f = *state;
	struct config *now = load(f, BASE "inputs:\n" INPUT_A STREAM_S), *next;
	static const char moved[] = "ports:\n"
				    "  - {name: other, device: net_pcap0, cores: [1]}\n"
				    "inputs:\n"
				    "  - {name: a, port: other, udp_port: 1, codec: lines, stream: s}\n" STREAM_S;
	char *said = place(f, now, now, moved, -EINVAL, &next);

	assert_non_null(strstr(said, "main.yaml:4:5: error: input 'a' cannot change like this while it runs"));
	free(said);
	config_free(next);
	config_free(now);
}

static void every_knob_says_when_a_change_takes_effect(void **state)
{
	static const struct {
		const char *path;
		enum knob_live live;
	} expected[] = {
		{"dpdk.burst", KNOB_AS_ABOVE},      {"region.shards", KNOB_AS_ABOVE},    {"store.directory", KNOB_AS_ABOVE},
		{"control.socket", KNOB_AS_ABOVE},  {"control.log_level", KNOB_LIVE},    {"ports", KNOB_AS_ABOVE},
		{"ports[].addresses", KNOB_AS_ABOVE}, {"inputs", KNOB_LIVE},             {"inputs[].stream", KNOB_LIVE},
		{"inputs[].key.from", KNOB_LIVE},   {"streams[].retention", KNOB_LIVE},  {"streams[].shards", KNOB_NEVER},
		{"deliveries[].destination.s3.part_bytes", KNOB_LIVE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		assert_int_equal(knob_live(knob_find(expected[i].path)), expected[i].live);
	for (uint32_t i = 0; i < knobs_count; i++)
		assert_true(knobs[i].live != KNOB_NEVER || knobs[i].stays);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_same_files_change_nothing),
		TEST(what_needs_a_start_is_named_by_place_and_value),
		TEST(inputs_streams_deliveries_and_the_log_level_change_while_it_runs),
		TEST(what_was_taken_out_is_named_and_a_stream_stays),
		TEST(a_stream_keeps_its_shards),
		TEST(what_was_left_at_one_reload_is_named_at_the_next),
		TEST(hashes_differ_when_any_value_does_and_only_then),
		TEST(deliveries_are_the_same_when_every_knob_is),
		TEST(inputs_find_the_ports_that_are_open),
		TEST(an_input_that_works_does_not_stop_unasked),
		TEST(every_knob_says_when_a_change_takes_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
