// Flow templates: learned from streams, kept across restarts, handed to whoever decodes, let go with their flows.
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
#include "control/delivery/delivery.h"
#include "control/delivery/format.h"
#include "control/learner.h"
#include "dataplane/codec/templates.h"
#include "tests/support/delivery_fakes.h"
#include "tests/support/store_rig.h"

#define SHARDS 2u
#define DAY_NS 86400000000000ull

static struct scene {
	char directory[64];
	struct metadata *metadata;
	struct store *store;
	struct streams *streams;
	struct learner *learner;
	struct stream *stream; /* "flows", held */
	struct config *config;
} scene;

static void start(void)
{
	struct store_options options = {scene.directory, 1 << 20, 128 << 10, 0, 2, false};

	assert_int_equal(metadata_open(scene.directory, &scene.metadata), 0);
	assert_int_equal(store_open(&options, &scene.store), 0);
	assert_int_equal(learner_open(scene.config, scene.metadata, &scene.learner), 0);
	assert_int_equal(streams_open(scene.metadata, scene.store, 16, NULL, &scene.streams), 0);
	if (!streams_hold(scene.streams, "flows"))
		assert_int_equal(streams_create(scene.streams, "flows", SHARDS, 86400, 0), 0);
	scene.stream = streams_hold(scene.streams, "flows");
	assert_non_null(scene.stream);
	assert_int_equal(learner_begin(scene.learner, scene.streams), 0);
}

static void stop(void)
{
	learner_close(scene.learner);
	streams_release(scene.streams, scene.stream);
	streams_end_retries(scene.streams);
	store_close(scene.store);
	streams_close(scene.streams);
	metadata_close(scene.metadata);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(scene.directory, "/tmp/penstock-learner-XXXXXX");
	assert_non_null(mkdtemp(scene.directory));
	scene.config = calloc(1, sizeof *scene.config);
	scene.config->inputs_count = 2;
	strcpy(scene.config->inputs[0].stream, "lines");
	scene.config->inputs[0].codec = CODEC_LINES;
	strcpy(scene.config->inputs[1].stream, "flows");
	scene.config->inputs[1].codec = CODEC_NETFLOW;
	start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop();
	free(scene.config);
	rig_delete_tree(scene.directory);
	return 0;
}

/* ---- datagrams: NetFlow v9, RFC 3954 5 ---- */

static uint8_t datagram[256];

static uint32_t header(uint32_t source_id)
{
	const uint8_t bytes[20] = {0, 9, 0, 1, 0, 0, 0, 1, 0x69, 0x56, 0x5d, 0x40, 0, 0, 0, 1,
				   (uint8_t)(source_id >> 24), (uint8_t)(source_id >> 16), (uint8_t)(source_id >> 8), (uint8_t)source_id};

	memcpy(datagram, bytes, sizeof bytes);
	return sizeof bytes;
}

/* Template 256: a source address and, `octets`: IN_BYTES, else IN_PKTS. */
static uint32_t announcement(uint32_t source_id, bool octets)
{
	const uint8_t set[] = {0, 0, 0, 16, 1, 0, 0, 2, 0, 8, 0, 4, 0, octets ? 1 : 2, 0, 4};
	uint32_t at = header(source_id);

	memcpy(datagram + at, set, sizeof set);
	return at + (uint32_t)sizeof set;
}

static uint32_t flow(uint32_t source_id, uint32_t value)
{
	const uint8_t set[] = {1, 0, 0, 12, 192, 0, 2, 7, (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
	uint32_t at = header(source_id);

	memcpy(datagram + at, set, sizeof set);
	return at + (uint32_t)sizeof set;
}

static void store(uint32_t shard, uint64_t arrival_ns, uint32_t length)
{
	static _Alignas(8) uint8_t bytes[1024];
	const struct origin4 origin = {{198, 51, 100, 1}, {192, 0, 2, 9}, {1, 2}, {8, 7}};
	struct fake_record r = {.kind = RECORD_DATA, .codec = CODEC_NETFLOW, .vlan = RECORD_VLAN_NONE, .arrival_ns = arrival_ns,
				.origin = RECORD_ORIGIN_IPV4, .origin_bytes = &origin, .key_kind = RECORD_KEY_SOURCE,
				.payload = datagram, .payload_length = length};

	assert_int_equal(store_put(scene.stream->shards[shard], bytes, fake_record_put(bytes, &r), 0, 10000), 0);
}

static uint64_t await_learned(void)
{
	uint64_t last = 0;

	for (uint32_t s = 0; s < SHARDS; s++) {
		struct shard_status status;

		shard_get_status(scene.stream->shards[s], &status);
		for (int i = 0; !learner_passed(scene.learner, scene.stream->info.id, s, status.durable_sequence, &last); i++) {
			assert_true(i < 1000);
			usleep(10000);
		}
	}
	return last;
}

static char text[1 << 16];
static size_t text_used;

static int keep(void *handle, const void *from, size_t length)
{
	(void)handle;
	assert_true(text_used + length < sizeof text);
	memcpy(text + text_used, from, length);
	text_used += length;
	text[text_used] = '\0';
	return 0;
}

/* JSON lines of a shard, decoded by what is kept up to `last`. */
static const char *lines_of(uint32_t shard, uint64_t last)
{
	const struct format_options options = {.format = FORMAT_JSONL};
	struct sink sink = {keep, NULL};
	struct codec_templates *templates;
	struct shard_reader *reader;
	uint64_t sequence = 0;
	struct store_batch b;
	struct format *f;

	text_used = 0;
	text[0] = '\0';
	assert_int_equal(learner_load(scene.learner, scene.stream->info.id, last, &templates), 0);
	assert_int_equal(format_open(&options, &f), 0);
	format_use_templates(f, templates);
	assert_int_equal(format_begin(f, &sink), 0);
	assert_int_equal(shard_reader_open(scene.stream->shards[shard], &reader), 0);
	while (shard_read(reader, sequence, &b) == 1) {
		const uint8_t *at = b.bytes;

		sequence = b.first_sequence + b.sequences;
		while (at < b.bytes + b.length) {
			uint32_t length = record_check(at, (size_t)(b.bytes + b.length - at));

			assert_int_equal(format_add(f, shard, sequence, (const struct record *)at), 0);
			at += length;
		}
	}
	shard_reader_close(reader);
	assert_int_equal(format_end(f), 0);
	format_close(f);
	templates_free(templates);
	return text;
}

static int times(const char *what)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

/* ---- tests ---- */

static void flows_in_front_of_their_template_decode_once_it_has_come_also_after_a_restart(void **state)
{
	uint64_t now = clock_realtime_ns(), last;

	(void)state;
	store(0, now, flow(5, 4711));
	last = await_learned();
	lines_of(0, last);
	assert_int_equal(times("\"fault\":\"no_template\""), 1);
	stop();
	start();
	store(1, now + 1000, announcement(5, true)); /* by another shard: its key is not its source */
	last = await_learned();
	lines_of(0, last);
	assert_int_equal(times("\"fault\""), 0);
	assert_int_equal(times("4711"), 1);
	assert_int_equal(times("192.0.2.7"), 1);
	for (int i = 0; i < 2; i++) {
		stop();
		start();
		lines_of(0, INT64_MAX);
		assert_int_equal(times("4711"), 1);
	}
}

static void each_flow_has_the_definition_of_its_time(void **state)
{
	uint64_t now = clock_realtime_ns();

	(void)state;
	store(0, now, announcement(5, true));
	store(0, now + 1000, flow(5, 1));
	store(1, now + 2000, announcement(5, false));
	store(0, now + 3000, flow(5, 2));
	lines_of(0, await_learned());
	assert_int_equal(times("\"octetDeltaCount\":1"), 1);
	assert_int_equal(times("\"packetDeltaCount\":2"), 1);
	assert_int_equal(times("\"fault\""), 0);
}

static void what_an_object_was_planned_with_is_what_it_decodes_to_for_ever(void **state)
{
	uint64_t now = clock_realtime_ns(), before;
	char *first;

	(void)state;
	store(0, now, flow(5, 1));
	before = await_learned();
	first = strdup(lines_of(0, before));
	assert_int_equal(times("no_template"), 1);
	store(1, now + 1, announcement(5, true));
	assert_true(await_learned() > before);
	assert_string_equal(lines_of(0, before), first);
	assert_int_equal(times("no_template"), 1);
	free(first);
}

static void the_same_again_is_no_news(void **state)
{
	uint64_t now = clock_realtime_ns(), last;

	(void)state;
	store(0, now, announcement(5, true));
	last = await_learned();
	assert_true(last > 0);
	for (uint64_t i = 1; i < 20; i++)
		store(i % 2, now + i, announcement(5, true));
	assert_int_equal(await_learned(), last);
	stop();
	start();
	store(0, now + 100, announcement(5, true));
	assert_int_equal(await_learned(), last);
	store(0, now + 101, announcement(6, true)); /* another domain */
	assert_int_equal(await_learned(), last + 1);
}

static void only_streams_that_inputs_bring_flows_to_are_read(void **state)
{
	uint64_t now = clock_realtime_ns(), last, none;

	(void)state;
	scene.config->inputs[1].codec = CODEC_LINES;
	assert_int_equal(learner_configure(scene.learner, scene.config), 0);
	usleep(200000);
	store(0, now, announcement(5, true));
	assert_true(learner_passed(scene.learner, scene.stream->info.id, 0, 1000, &none));
	assert_int_equal(none, 0);
	scene.config->inputs[1].codec = CODEC_NETFLOW;
	assert_int_equal(learner_configure(scene.learner, scene.config), 0);
	assert_false(learner_passed(scene.learner, scene.stream->info.id, 0, 1000, &none));
	last = await_learned();
	assert_int_equal(last, 1);
}

static bool count(void *arg, uint64_t id, const uint8_t *saved, uint32_t length)
{
	(void)id, (void)saved, (void)length;
	++*(uint32_t *)arg;
	return true;
}

static uint32_t kept(void)
{
	uint32_t n = 0;

	assert_int_equal(metadata_visit_templates(scene.metadata, scene.stream->info.id, 0, INT64_MAX, count, &n), 0);
	return n;
}

static void what_decodes_nothing_that_is_retained_is_let_go(void **state)
{
	uint64_t now = clock_realtime_ns(), id = scene.stream->info.id;
	uint8_t domain[TEMPLATE_DOMAIN_BYTES] = {9, 4, 198, 51, 100, 1, [18] = 0, 0, 0, 6};
	uint32_t gone;

	(void)state;
	store(0, now - 9 * DAY_NS, announcement(5, true));
	store(0, now - 8 * DAY_NS, announcement(5, false)); /* follows it */
	store(0, now - 9 * DAY_NS, announcement(6, true));  /* goes on */
	store(0, now - 9 * DAY_NS, announcement(7, true));  /* not heard of again */
	await_learned();
	assert_int_equal(kept(), 4);
	/* From here on the learner is stopped: it would let go of them itself after a minute. */
	learner_close(scene.learner);
	assert_int_equal(metadata_see_domain(scene.metadata, id, domain, now), 0);
	domain[21] = 5;
	assert_int_equal(metadata_see_domain(scene.metadata, id, domain, now), 0);
	assert_int_equal(metadata_expire_templates(scene.metadata, id, now - 10 * DAY_NS, &gone), 0);
	assert_int_equal(gone, 0);
	assert_int_equal(metadata_expire_templates(scene.metadata, id, now - DAY_NS, &gone), 0);
	assert_int_equal(gone, 2);
	assert_int_equal(kept(), 2);
	assert_int_equal(learner_open(scene.config, scene.metadata, &scene.learner), 0);
	assert_int_equal(learner_begin(scene.learner, scene.streams), 0);
}

static void templates_go_with_their_stream(void **state)
{
	uint64_t id = scene.stream->info.id, next;

	(void)state;
	store(0, clock_realtime_ns(), announcement(5, true));
	await_learned();
	assert_int_equal(kept(), 1);
	learner_close(scene.learner);
	assert_int_equal(metadata_get_learned(scene.metadata, id, 0, &next), 0);
	assert_int_equal(metadata_drop_stream(scene.metadata, id), 0);
	assert_int_equal(kept(), 0);
	assert_int_equal(metadata_get_learned(scene.metadata, id, 0, &next), -ENOENT);
	assert_int_equal(metadata_add_templates(scene.metadata, id, 0, 5, NULL, 0), -ENOENT);
	assert_int_equal(learner_open(scene.config, scene.metadata, &scene.learner), 0);
}

/* ---- a delivery whose object is tried again ---- */

static _Atomic bool refuse_passing; /* the delivery's thread asks */

static bool passed(void *context, uint64_t stream_id, uint32_t shard, uint64_t sequence, uint64_t *last)
{
	return learner_passed(context, stream_id, shard, sequence, last) && !refuse_passing;
}

static void a_delivered_object_waits_for_its_templates(void **state)
{
	struct config_delivery config = {.name = "files", .stream = "flows", .prefix = "", .buffer_bytes = 1 << 20,
					 .buffer_seconds = 1, .format = FORMAT_JSONL, .retry_seconds = 60};
	const struct delivery_flows flows = {passed, learner_load, scene.learner};
	const struct delivery_shard shard = {scene.stream->info.id, 0, scene.stream->shards[0]};
	const struct delivery_options options = {.source = &delivery_source_store, .journal = &delivery_journal_metadata,
						 .metadata = scene.metadata, .shards = &shard, .shards_count = 1, .flows = &flows,
						 .spool = scene.directory};
	struct delivery_status s;
	struct delivery *d;
	char command[300];
	FILE *lines;

	(void)state;
	snprintf(config.directory, sizeof config.directory, "%s/out", scene.directory);
	snprintf(config.dead_letter, sizeof config.dead_letter, "%s/dead", scene.directory);
	store(0, clock_realtime_ns(), flow(5, 77));
	refuse_passing = true;
	assert_int_equal(delivery_start(&config, &options, &d), 0);
	usleep(2500000);
	delivery_get_status(d, &s, 1);
	assert_int_equal(s.delivered_records, 0); /* old enough, but held back */
	store(1, clock_realtime_ns(), announcement(5, true));
	await_learned();
	refuse_passing = false;
	for (int i = 0; i < 200 && s.delivered_records == 0; i++) {
		usleep(50000);
		delivery_get_status(d, &s, 1);
	}
	assert_int_equal(s.delivered_records, 1);
	assert_int_equal(delivery_stop(d, false, 1000), 0);
	snprintf(command, sizeof command, "cat %.200s/*", config.directory);
	lines = popen(command, "r");
	text_used = fread(text, 1, sizeof text - 1, lines);
	text[text_used] = '\0';
	pclose(lines);
	assert_int_equal(times("\"octetDeltaCount\":77"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flows_in_front_of_their_template_decode_once_it_has_come_also_after_a_restart),
		TEST(each_flow_has_the_definition_of_its_time),
		TEST(what_an_object_was_planned_with_is_what_it_decodes_to_for_ever),
		TEST(the_same_again_is_no_news),
		TEST(only_streams_that_inputs_bring_flows_to_are_read),
		TEST(what_decodes_nothing_that_is_retained_is_let_go),
		TEST(templates_go_with_their_stream),
		TEST(a_delivered_object_waits_for_its_templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
