// What metadata keeps of streams, cursors and objects.
#include "tests/unit/metadata_fixture.h"

static void a_stream_survives_a_reopen_with_its_shards(void **state)
{
	struct scene *scene = *state;
	struct metadata_stream found, *streams;
	struct metadata_shard *shards;
	uint32_t count;
	uint64_t id;

	assert_int_equal(create(scene, "orders.v1-x_y", 3, 8, &id), 0);
	reopen(scene);
	assert_int_equal(metadata_find_stream(scene->m, "orders.v1-x_y", &found), 0);
	assert_int_equal(found.id, id);
	assert_int_equal(found.shards, 3);
	assert_int_equal(found.retention_seconds, 86400);
	assert_int_equal(found.created_ns, 1234567890123456789);
	assert_false(found.deleting);
	assert_int_equal(metadata_list_streams(scene->m, &streams, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(streams[0].name, "orders.v1-x_y");
	free(streams);
	assert_int_equal(metadata_list_shards(scene->m, id, &shards, &count), 0);
	assert_int_equal(count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(shards[i].number, i);
		assert_int_equal(shards[i].slot, i);
	}
	free(shards);
	assert_int_equal(metadata_find_stream(scene->m, "nobody", &found), -ENOENT);
}

/* Figures of a real three-shard and a seven-shard stream: 2^128 / n rounded down, times i. */
static void hash_keys_are_split_as_kinesis_does(void **state)
{
	struct scene *scene = *state;
	struct metadata_shard *s;
	uint32_t count;
	uint64_t id;

	assert_int_equal(create(scene, "three", 3, 256, &id), 0);
	assert_int_equal(metadata_list_shards(scene->m, id, &s, &count), 0);
	assert_true(s[0].first_hash[0] == 0 && s[0].first_hash[1] == 0);
	assert_true(s[0].last_hash[0] == 0x5555555555555555 && s[0].last_hash[1] == 0x5555555555555554);
	assert_true(s[1].first_hash[0] == 0x5555555555555555 && s[1].first_hash[1] == 0x5555555555555555);
	assert_true(s[2].first_hash[0] == 0xaaaaaaaaaaaaaaaa && s[2].first_hash[1] == 0xaaaaaaaaaaaaaaaa);
	assert_true(s[2].last_hash[0] == UINT64_MAX && s[2].last_hash[1] == UINT64_MAX);
	free(s);
	assert_int_equal(create(scene, "one", 1, 256, &id), 0);
	assert_int_equal(metadata_list_shards(scene->m, id, &s, &count), 0);
	assert_true(s[0].first_hash[0] == 0 && s[0].last_hash[0] == UINT64_MAX && s[0].last_hash[1] == UINT64_MAX);
	free(s);
	assert_int_equal(create(scene, "four", 4, 256, &id), 0);
	assert_int_equal(metadata_list_shards(scene->m, id, &s, &count), 0);
	assert_true(s[1].first_hash[0] == 1ull << 62 && s[1].first_hash[1] == 0);
	assert_true(s[1].last_hash[0] == (1ull << 63) - 1 && s[1].last_hash[1] == UINT64_MAX);
	free(s);
}

static void bad_streams_are_refused_and_leave_nothing(void **state)
{
	struct scene *scene = *state;
	char name[129];
	struct metadata_stream *streams;
	uint32_t count;
	uint64_t id;

	memset(name, 'x', sizeof name);
	name[128] = 0;
	assert_int_equal(create(scene, "", 1, 8, &id), -EINVAL);
	assert_int_equal(create(scene, "..", 1, 8, &id), -EINVAL);
	assert_int_equal(create(scene, "a/b", 1, 8, &id), -EINVAL);
	assert_int_equal(create(scene, "caf\xc3\xa9", 1, 8, &id), -EINVAL);
	assert_int_equal(create(scene, "none", 0, 8, &id), -EINVAL);
	assert_int_equal(create(scene, "many", 9, 8, &id), -ENOSPC);
	assert_int_equal(metadata_list_streams(scene->m, &streams, &count), 0);
	assert_int_equal(count, 0);
	free(streams);
	assert_int_equal(create(scene, name, 1, 8, &id), 0);
	assert_int_equal(create(scene, name, 1, 8, &id), -EEXIST);
}

static void a_slot_comes_back_only_when_its_stream_is_dropped(void **state)
{
	struct scene *scene = *state;
	struct metadata_stream found;
	struct metadata_shard *shards;
	uint64_t first, second, third;
	uint32_t count;

	assert_int_equal(create(scene, "a", 2, 3, &first), 0);
	assert_int_equal(create(scene, "b", 1, 3, &second), 0);
	assert_int_equal(metadata_mark_deleting(scene->m, first), 0);
	assert_int_equal(create(scene, "c", 1, 3, &third), -ENOSPC);
	assert_int_equal(metadata_find_stream(scene->m, "a", &found), 0);
	assert_true(found.deleting);
	assert_int_equal(metadata_drop_stream(scene->m, first), 0);
	assert_int_equal(metadata_drop_stream(scene->m, first), -ENOENT);
	assert_int_equal(metadata_mark_deleting(scene->m, first), -ENOENT);
	assert_int_equal(create(scene, "c", 1, 3, &third), 0);
	assert_int_equal(metadata_list_shards(scene->m, third, &shards, &count), 0);
	assert_int_equal(shards[0].slot, 0);
	free(shards);
}

static void an_id_is_never_given_twice(void **state)
{
	struct scene *scene = *state;
	uint64_t id, last = 0;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(create(scene, "again", 1, 1, &id), 0);
		assert_true(id > last);
		last = id;
		assert_int_equal(metadata_drop_stream(scene->m, id), 0);
		reopen(scene);
	}
}

static void retention_can_change(void **state)
{
	struct scene *scene = *state;
	struct metadata_stream found;
	uint64_t id;

	assert_int_equal(create(scene, "a", 1, 1, &id), 0);
	assert_int_equal(metadata_set_retention(scene->m, id, 7, 1 << 20), 0);
	assert_int_equal(metadata_find_stream(scene->m, "a", &found), 0);
	assert_int_equal(found.retention_seconds, 7);
	assert_int_equal(found.retention_bytes, 1 << 20);
	assert_int_equal(metadata_set_retention(scene->m, id, 0, 0), -EINVAL);
	assert_int_equal(metadata_set_retention(scene->m, id + 1, 7, 0), -ENOENT);
}

static void cursors_move_and_die_with_their_stream(void **state)
{
	struct scene *scene = *state;
	struct metadata_cursor cursor = {.shard = 1, .name = "nightly", .next_sequence = 42, .records = 40}, found, *all;
	uint32_t count;
	uint64_t id;

	assert_int_equal(create(scene, "a", 2, 4, &id), 0);
	cursor.stream_id = id;
	assert_int_equal(metadata_get_cursor(scene->m, id, 1, "nightly", &found), -ENOENT);
	assert_int_equal(metadata_put_cursor(scene->m, &cursor), 0);
	cursor.next_sequence = 77;
	cursor.records = 70;
	assert_int_equal(metadata_put_cursor(scene->m, &cursor), 0);
	cursor.shard = 0;
	assert_int_equal(metadata_put_cursor(scene->m, &cursor), 0);
	reopen(scene);
	assert_int_equal(metadata_get_cursor(scene->m, id, 1, "nightly", &found), 0);
	assert_int_equal(found.next_sequence, 77);
	assert_int_equal(found.records, 70);
	assert_int_equal(metadata_list_cursors(scene->m, id, &all, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(all[0].shard, 0);
	free(all);
	cursor.name[0] = 0;
	assert_int_equal(metadata_put_cursor(scene->m, &cursor), -EINVAL);
	strcpy(cursor.name, "late");
	cursor.stream_id = id + 9;
	assert_int_equal(metadata_put_cursor(scene->m, &cursor), -ENOENT);
	assert_int_equal(metadata_drop_stream(scene->m, id), 0);
	assert_int_equal(metadata_list_cursors(scene->m, id, &all, &count), 0);
	assert_int_equal(count, 0);
	free(all);
}

static void an_object_is_planned_once_and_finished_with_its_progress(void **state)
{
	struct scene *scene = *state;
	struct metadata_delivery progress = {.delivery = "lake", .start_records = 5}, found, *all;
	struct metadata_object object = {.delivery = "lake", .first_sequence = 10, .last_sequence = 19, .records = 9,
					 .bytes = 900, .name = "2026/a-b.gz"}, planned;
	uint32_t count;
	uint64_t id;

	assert_int_equal(create(scene, "a", 1, 4, &id), 0);
	object.stream_id = progress.stream_id = id;
	assert_int_equal(metadata_put_delivery(scene->m, &progress), 0);
	assert_int_equal(metadata_finish_object(scene->m, &object, &progress), -ENOENT);
	assert_int_equal(metadata_set_upload(scene->m, &object), -ENOENT);
	assert_int_equal(metadata_plan_object(scene->m, &object), 0);
	assert_int_equal(metadata_plan_object(scene->m, &object), -EEXIST);
	strcpy(object.upload_id, "upload-1");
	assert_int_equal(metadata_set_upload(scene->m, &object), 0);
	reopen(scene);
	assert_int_equal(metadata_get_object(scene->m, id, 0, "lake", &planned), 0);
	assert_int_equal(planned.first_sequence, 10);
	assert_int_equal(planned.last_sequence, 19);
	assert_int_equal(planned.records, 9);
	assert_int_equal(planned.bytes, 900);
	assert_string_equal(planned.name, "2026/a-b.gz");
	assert_string_equal(planned.upload_id, "upload-1");
	progress.next_sequence = 20;
	progress.delivered_records = 9;
	progress.delivered_bytes = 900;
	progress.delivered_objects = 1;
	progress.failed_records = 3;
	progress.expired_records = 2;
	planned.last_sequence = 18;
	assert_int_equal(metadata_finish_object(scene->m, &planned, &progress), -ENOENT);
	assert_int_equal(metadata_get_delivery(scene->m, id, 0, "lake", &found), 0);
	assert_int_equal(found.next_sequence, 0);
	assert_int_equal(metadata_finish_object(scene->m, &object, &progress), 0);
	assert_int_equal(metadata_get_object(scene->m, id, 0, "lake", &planned), -ENOENT);
	assert_int_equal(metadata_list_deliveries(scene->m, &all, &count), 0);
	assert_int_equal(count, 1);
	assert_memory_equal(&all[0], &progress, sizeof progress);
	free(all);
	object.stream_id = id + 1;
	assert_int_equal(metadata_plan_object(scene->m, &object), -ENOENT);
}

static void discarded_records_and_bases_belong_to_one_region(void **state)
{
	struct scene *scene = *state;
	uint64_t big = 0xfedcba9876543210, records, id;

	assert_int_equal(create(scene, "a", 1, 4, &id), 0);
	assert_int_equal(metadata_get_discarded(scene->m, 3, big, &records), 0);
	assert_int_equal(records, 0);
	assert_int_equal(metadata_add_discarded(scene->m, 3, big, 10), 0);
	assert_int_equal(metadata_add_discarded(scene->m, 3, big, 5), 0);
	assert_int_equal(metadata_add_discarded(scene->m, 3, 7, 100), 0);
	reopen(scene);
	assert_int_equal(metadata_get_discarded(scene->m, 3, big, &records), 0);
	assert_int_equal(records, 15);
	records = 1000;
	assert_int_equal(metadata_get_base(scene->m, id, 0, big, &records), 0);
	assert_int_equal(records, 1000);
	records = 2000;
	assert_int_equal(metadata_get_base(scene->m, id, 0, big, &records), 0);
	assert_int_equal(records, 1000);
	assert_int_equal(metadata_get_base(scene->m, id + 1, 0, big, &records), -ENOENT);
	assert_int_equal(metadata_forget_regions(scene->m, 7), 0);
	assert_int_equal(metadata_get_discarded(scene->m, 3, big, &records), 0);
	assert_int_equal(records, 0);
	assert_int_equal(metadata_get_discarded(scene->m, 3, 7, &records), 0);
	assert_int_equal(records, 100);
	records = 3000;
	assert_int_equal(metadata_get_base(scene->m, id, 0, big, &records), 0);
	assert_int_equal(records, 3000);
}

static void a_redriven_object_is_remembered_with_its_count(void **state)
{
	struct scene *scene = *state;
	struct metadata_object object = {.delivery = "lake", .first_sequence = 11, .last_sequence = 19, .name = "o"};
	struct metadata_delivery row = {.delivery = "lake", .failed_records = 9}, found;
	uint64_t id;

	assert_int_equal(create(scene, "a", 4, 8, &id), 0);
	object.stream_id = row.stream_id = id;
	assert_int_equal(metadata_put_delivery(scene->m, &row), 0);
	assert_int_equal(metadata_is_redriven(scene->m, &object), 0);
	row.failed_records = 0;
	row.delivered_records = 9;
	assert_int_equal(metadata_redrive_object(scene->m, &object, &row), 0);
	row.delivered_records = 18;
	assert_int_equal(metadata_redrive_object(scene->m, &object, &row), -EEXIST); /* and counts nothing */
	assert_int_equal(metadata_is_redriven(scene->m, &object), 1);
	assert_int_equal(metadata_get_delivery(scene->m, id, 0, "lake", &found), 0);
	assert_int_equal(found.delivered_records, 9);
	assert_int_equal(metadata_forget_redriven(scene->m, &object), 0);
	assert_int_equal(metadata_is_redriven(scene->m, &object), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stream_survives_a_reopen_with_its_shards),
		TEST(hash_keys_are_split_as_kinesis_does),
		TEST(bad_streams_are_refused_and_leave_nothing),
		TEST(a_slot_comes_back_only_when_its_stream_is_dropped),
		TEST(an_id_is_never_given_twice),
		TEST(retention_can_change),
		TEST(cursors_move_and_die_with_their_stream),
		TEST(an_object_is_planned_once_and_finished_with_its_progress),
		TEST(discarded_records_and_bases_belong_to_one_region),
		TEST(a_redriven_object_is_remembered_with_its_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
