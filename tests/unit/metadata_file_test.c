// The file of metadata: who may open it, older and newer ones, and what a kill, damage and a full disk leave.
#include "tests/unit/metadata_fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void a_second_process_is_kept_out(void **state)
{
	struct scene *scene = *state;
	struct metadata *other;
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(metadata_open(scene->directory, &other) == -EBUSY ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_kill_at_any_moment_leaves_whole_transactions(void **state)
{
	struct scene *scene = *state;
	struct metadata_delivery progress = {.delivery = "lake"}, found;
	struct metadata_object object = {.delivery = "lake"};
	uint64_t id, seen = 0;

	assert_int_equal(create(scene, "a", 1, 4, &id), 0);
	object.stream_id = progress.stream_id = id;
	metadata_close(scene->m);
	scene->m = NULL;
	/* A machine that does something else may let none of the first write anything. */
	for (int round = 0; round < 15 || (seen == 0 && round < 100); round++) {
		struct metadata *m;
		int status, error;
		pid_t child = fork();

		if (child == 0) {
			if (metadata_open(scene->directory, &m))
				_exit(1);
			for (uint64_t n = seen;; n++) {
				object.first_sequence = object.last_sequence = n;
				if ((error = metadata_plan_object(m, &object)) != 0 && error != -EEXIST)
					_exit(2);
				progress.next_sequence = progress.delivered_records = n + 1;
				if (metadata_finish_object(m, &object, &progress))
					_exit(3);
			}
		}
		usleep(20000 + (useconds_t)round * 7001);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(metadata_open(scene->directory, &m), 0);
		error = metadata_get_delivery(m, id, 0, "lake", &found);
		if (error == 0) {
			assert_true(found.next_sequence >= seen);
			assert_int_equal(found.next_sequence, found.delivered_records);
			seen = found.next_sequence;
		} else {
			assert_int_equal(error, -ENOENT);
		}
		if (metadata_get_object(m, id, 0, "lake", &object) == 0)
			assert_int_equal(object.first_sequence, seen);
		metadata_close(m);
	}
	assert_true(seen > 0);
	assert_int_equal(metadata_open(scene->directory, &scene->m), 0);
}

static void sql(const char *path, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_database_of_the_first_schema_goes_on_under_this_one(void **state)
{
	struct scene *scene = *state;
	struct metadata_object object = {.delivery = "lake", .first_sequence = 1, .last_sequence = 9, .name = "o"}, found;
	struct metadata_delivery row = {.delivery = "lake", .next_sequence = 1};
	uint64_t id, last;

	assert_int_equal(create(scene, "a", 4, 8, &id), 0);
	object.stream_id = row.stream_id = id;
	assert_int_equal(metadata_put_delivery(scene->m, &row), 0);
	assert_int_equal(metadata_plan_object(scene->m, &object), 0);
	metadata_close(scene->m);
	scene->m = NULL;
	sql(scene->path, "DROP TABLE replay_part;DROP TABLE replay_step;DROP TABLE replay;DROP TABLE redriven;DROP TABLE template;DROP TABLE learned;"
			 "ALTER TABLE object DROP COLUMN templates;PRAGMA user_version=1");
	assert_int_equal(metadata_open(scene->directory, &scene->m), 0);
	assert_int_equal(metadata_get_object(scene->m, id, 0, "lake", &found), 0);
	assert_int_equal(found.last_sequence, 9);
	assert_int_equal(found.templates, 0);
	assert_int_equal(metadata_last_template(scene->m, &last), 0);
	assert_int_equal(last, 0);
	assert_int_equal(metadata_add_templates(scene->m, id, 2, 77, NULL, 0), 0);
	assert_int_equal(metadata_get_learned(scene->m, id, 2, &last), 0);
	assert_int_equal(last, 77);
}

static void a_newer_schema_and_a_foreign_file_are_refused(void **state)
{
	struct scene *scene = *state;
	struct metadata *m;

	metadata_close(scene->m);
	scene->m = NULL;
	sql(scene->path, "PRAGMA user_version=99");
	assert_int_equal(metadata_open(scene->directory, &m), -EPROTO);
	sql(scene->path, "PRAGMA user_version=1;PRAGMA application_id=5");
	assert_int_equal(metadata_open(scene->directory, &m), -EPROTO);
}

static void a_damaged_file_is_refused_and_left_as_it_is(void **state)
{
	struct scene *scene = *state;
	struct metadata *m;
	FILE *file;
	uint64_t id;

	assert_int_equal(create(scene, "a", 4, 8, &id), 0);
	metadata_close(scene->m);
	scene->m = NULL;
	file = fopen(scene->path, "r+");
	fseek(file, 4096, SEEK_SET);
	for (int i = 0; i < 8192; i++)
		fputc(0x5a, file);
	fclose(file);
	assert_int_equal(metadata_open(scene->directory, &m), -EIO);
	file = fopen(scene->path, "w");
	fputs("this is no database, and long enough to be looked at as one: ....................................", file);
	fclose(file);
	assert_int_equal(metadata_open(scene->directory, &m), -EIO);
}

static void a_full_disk_is_said_and_costs_nothing_that_was_there(void **state)
{
	struct scene *scene = *state;
	struct metadata_cursor cursor = {.name = "c"}, found;
	char folder[128], filler[160], block[65536] = {0};
	struct metadata *m;
	uint64_t id, written = 0;
	int error = 0;
	FILE *file;
	struct metadata_stream stream = {.name = "a", .shards = 1, .retention_seconds = 1};

	if (geteuid() != 0)
		skip();
	snprintf(folder, sizeof folder, "%s/small", scene->directory);
	snprintf(filler, sizeof filler, "%s/filler", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	if (mount("none", folder, "tmpfs", 0, "size=2m") != 0)
		skip();
	assert_int_equal(metadata_open(folder, &m), 0);
	assert_int_equal(metadata_create_stream(m, &stream, 4, &id), 0);
	cursor.stream_id = id;
	file = fopen(filler, "w");
	while (fwrite(block, 1, sizeof block, file) == sizeof block && fflush(file) == 0)
		;
	fclose(file);
	log_rig_begin();
	for (cursor.next_sequence = 1; cursor.next_sequence < 5000; cursor.next_sequence++) {
		error = metadata_put_cursor(m, &cursor);
		if (error)
			break;
		written = cursor.next_sequence;
	}
	assert_int_equal(error, -ENOSPC);
	for (int i = 0; i < 5; i++)
		assert_int_equal(metadata_put_cursor(m, &cursor), -ENOSPC);
	assert_int_equal(log_rig_count("metadata: cannot"), 1);
	assert_int_equal(log_rig_count("kept again"), 0);
	if (written) {
		assert_int_equal(metadata_get_cursor(m, id, 0, "c", &found), 0);
		assert_int_equal(found.next_sequence, written);
	}
	unlink(filler);
	assert_int_equal(metadata_put_cursor(m, &cursor), 0);
	assert_int_equal(log_rig_count("kept again"), 1);
	log_rig_end();
	metadata_close(m);
	assert_int_equal(metadata_open(folder, &m), 0);
	assert_int_equal(metadata_get_cursor(m, id, 0, "c", &found), 0);
	assert_int_equal(found.next_sequence, cursor.next_sequence);
	metadata_close(m);
	assert_int_equal(umount(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_second_process_is_kept_out),
		TEST(a_kill_at_any_moment_leaves_whole_transactions),
		TEST(a_database_of_the_first_schema_goes_on_under_this_one),
		TEST(a_newer_schema_and_a_foreign_file_are_refused),
		TEST(a_damaged_file_is_refused_and_left_as_it_is),
		TEST(a_full_disk_is_said_and_costs_nothing_that_was_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
