// A delivery over the real store and the real metadata, while records arrive.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/delivery/delivery.h"
#include "tests/support/store_rig.h"

#define WORKERS 2u
#define SHARDS 2u
#define RECORD_BYTES 96u
#define ROUNDS 12u
#define COUNT 500u /* records of each worker for each shard in a round */

static struct rig rig;
static struct metadata *metadata;
static struct config_delivery config;
static uint64_t stream_id;
static char said[4096];

static void say(void *context, bool bad, const char *line)
{
	size_t used = strlen(said);

	(void)context;
	snprintf(said + used, sizeof said - used, "%s%s\n", bad ? "! " : "", line);
}

static int set_up(void **state)
{
	struct metadata_stream stream = {
		.name = "events", .shards = SHARDS, .retention_seconds = 86400, .created_ns = 1};

	(void)state;
	said[0] = '\0';
	rig_make(&rig, "/tmp", WORKERS, SHARDS);
	rig_start(&rig);
	assert_int_equal(metadata_open(rig.directory, &metadata), 0);
	assert_int_equal(metadata_create_stream(metadata, &stream, RIG_SLOTS_MAX, &stream_id), 0);
	config = (struct config_delivery){
		.name = "files",
		.stream = "events",
		.prefix = "!{shard}/",
		.buffer_bytes = 100000,
		.buffer_seconds = 3600,
		.format = FORMAT_RAW,
		.retry_seconds = 60,
	};
	snprintf(config.directory, sizeof config.directory, "%s/out", rig.directory);
	snprintf(config.dead_letter, sizeof config.dead_letter, "%s/dead", rig.directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	metadata_close(metadata);
	rig_destroy(&rig);
	return 0;
}

static struct delivery *start(void)
{
	struct delivery_shard shards[SHARDS];
	const struct delivery_options options = {
		.source = &delivery_source_store,
		.journal = &delivery_journal_metadata,
		.metadata = metadata,
		.shards = shards,
		.shards_count = SHARDS,
		.spool = "/tmp",
		.say = say,
	};
	struct delivery *d;

	for (uint32_t i = 0; i < SHARDS; i++)
		shards[i] = (struct delivery_shard){stream_id, i, rig.shards[i]};
	assert_int_equal(delivery_start(&config, &options, &d), 0);
	return d;
}

// Checks one object's records against what each worker numbered them; returns how many there were.
static uint64_t check_object(const char *path, uint64_t next[WORKERS])
{
	uint8_t bytes[RECORD_BYTES];
	uint64_t records = 0;
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	while (fread(bytes, 1, sizeof bytes, file) == sizeof bytes) {
		struct feed_payload payload;

		memcpy(&payload, bytes, sizeof payload);
		assert_in_range(payload.worker, 0, WORKERS - 1);
		assert_int_equal(payload.number, next[payload.worker]++);
		records++;
	}
	assert_true(feof(file));
	fclose(file);
	return records;
}

static uint64_t check_shard(uint32_t shard, uint32_t *objects)
{
	uint64_t next[WORKERS] = {0}, records = 0;
	struct dirent **names;
	char path[2048];
	int count;

	snprintf(path, sizeof path, "%s/%012u", config.directory, shard);
	count = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/%012u/%s", config.directory, shard, names[i]->d_name);
		if (names[i]->d_name[0] != '.') {
			records += check_object(path, next);
			(*objects)++;
		}
		free(names[i]);
	}
	free(names);
	return records;
}

static void what_arrives_while_deliveries_come_and_go_is_in_the_files_once(void **state)
{
	struct delivery_status rows[SHARDS];
	struct delivery *d = start();

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (uint32_t shard = 0; shard < SHARDS; shard++)
			rig_feed(&rig, shard, COUNT, RECORD_BYTES, 25);
		if (round % 3 == 2) {
			assert_int_equal(delivery_stop(d, false, 0), 0);
			d = start();
		}
	}
	assert_true(rig_settle(&rig, 10000));
	assert_int_equal(delivery_stop(d, true, 20000), 0);
	d = start();
	assert_int_equal(delivery_get_status(d, rows, SHARDS), SHARDS);
	for (uint32_t shard = 0; shard < SHARDS; shard++) {
		uint32_t objects = 0;

		assert_int_equal(rows[shard].taken_records, ROUNDS * COUNT * WORKERS);
		assert_int_equal(rows[shard].delivered_records, ROUNDS * COUNT * WORKERS);
		assert_int_equal(rows[shard].pending_records + rows[shard].failed_records + rows[shard].expired_records,
				 0);
		assert_int_equal(check_shard(shard, &objects), ROUNDS * COUNT * WORKERS);
		assert_int_equal(rows[shard].delivered_objects, objects);
		assert_true(objects >= 10);
	}
	assert_int_equal(delivery_stop(d, false, 0), 0);
	assert_string_equal(said, "");
}

static void a_damaged_batch_in_a_segment_is_counted(void **state)
{
	struct delivery_status rows[SHARDS];
	struct delivery *d;
	char path[512];
	uint8_t byte;
	int fd;

	(void)state;
	for (int i = 0; i < 4; i++) {
		rig_feed(&rig, 0, COUNT, RECORD_BYTES, 25);
		assert_true(rig_settle(&rig, 10000));
	}
	rig_stop(&rig, true);
	assert_true(rig_segment(&rig, 0, 0, path));
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, 8192), 1);
	byte ^= 0x55;
	assert_int_equal(pwrite(fd, &byte, 1, 8192), 1);
	close(fd);
	rig_start(&rig);
	rig_feed(&rig, 0, COUNT, RECORD_BYTES, 25); /* so that the store counts on behind the damage */
	assert_true(rig_settle(&rig, 10000));
	d = start();
	assert_int_equal(delivery_stop(d, true, 20000), 0);
	d = start();
	assert_int_equal(delivery_get_status(d, rows, SHARDS), SHARDS);
	assert_true(rows[0].expired_records > 0);
	assert_int_equal(rows[0].taken_records, 5 * COUNT * WORKERS);
	assert_int_equal(rows[0].taken_records, rows[0].delivered_records + rows[0].expired_records);
	assert_int_equal(rows[0].pending_records, 0);
	assert_int_equal(delivery_stop(d, false, 0), 0);
	assert_non_null(strstr(said, "expired or were lost"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_arrives_while_deliveries_come_and_go_is_in_the_files_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_batch_in_a_segment_is_counted, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
