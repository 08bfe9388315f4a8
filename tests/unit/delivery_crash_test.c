// A delivery killed in front of, behind, and in the middle of every call that changes the disk or the journal, then
// started again: the files must be, name for name and byte for byte, those of a run that was never killed.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/delivery/calls.h"
#include "tests/support/delivery_rig.h"
#include "tests/support/rounds.h"

#define RECORDS 30u
#define BYTES 40u

/* ---- the child ---- */

static _Atomic int points; /* passed so far */
static int kill_at;
static struct delivery_calls real;

static void pass_point(void)
{
	if (atomic_fetch_add(&points, 1) + 1 == kill_at)
		kill(getpid(), SIGKILL);
}

static int killing_openat2(int directory, const char *path, struct open_how *how)
{
	int fd;

	pass_point();
	fd = real.openat2(directory, path, how);
	pass_point();
	return fd;
}

static int killing_mkdirat(int directory, const char *path, mode_t mode)
{
	int result;

	pass_point();
	result = real.mkdirat(directory, path, mode);
	pass_point();
	return result;
}

static ssize_t killing_write(int fd, const void *bytes, size_t length)
{
	ssize_t n = 0;

	pass_point();
	if (length > 1)
		n = real.write(fd, bytes, length / 2);
	pass_point();
	if (n >= 0)
		n += real.write(fd, (const char *)bytes + n, length - (size_t)n);
	pass_point();
	return n;
}

/* What is killed is the process, not the machine: nothing needs to reach the disk. */
static int killing_fsync(int fd)
{
	(void)fd;
	pass_point();
	return 0;
}

static int killing_renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	int result;

	pass_point();
	result = real.renameat(from_directory, from, to_directory, to);
	pass_point();
	return result;
}

static int killing_unlinkat(int directory, const char *path, int flags)
{
	pass_point();
	return real.unlinkat(directory, path, flags);
}

static int run_child(const char *directory, int compression, int at)
{
	struct rig rig;
	int result;

	rig_init(&rig, directory);
	rig.config.compression = (enum config_compression)compression;
	rig.config.buffer_bytes = 800;
	kill_at = at;
	real = delivery_calls;
	delivery_calls.openat2 = killing_openat2;
	delivery_calls.mkdirat = killing_mkdirat;
	delivery_calls.write = killing_write;
	delivery_calls.fsync = killing_fsync;
	delivery_calls.renameat = killing_renameat;
	delivery_calls.unlinkat = killing_unlinkat;
	fake_journal_point = pass_point;
	for (uint32_t i = 0; i < RIG_SHARDS; i++)
		rig_fill(&rig, i, 0, RECORDS, BYTES);
	result = delivery_rig_start(&rig);
	if (result == 0)
		result = delivery_rig_stop(&rig, true, 20000);
	return result == 0 ? 0 : 1;
}

/* ---- the parent ---- */

/* The parent has no thread, so that a forked copy of it is as good as a program started anew, and started in a tenth of the time. */
static int start_child(const char *directory, int compression, int at)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(run_child(directory, compression, at));
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static bool was_killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

struct result {
	char list[4096];
	char *bytes;
	size_t length;
};

static struct result look(const struct rig *rig)
{
	struct result r;
	int temporary;

	rig_list(rig, "out", r.list, sizeof r.list, &temporary);
	assert_int_equal(temporary, 0);
	r.bytes = rig_contents(rig, "out", "", &r.length);
	return r;
}

static void every_record_is_there_once(const struct result *r)
{
	char line[BYTES + 2];
	const char *at = r->bytes;

	for (uint32_t shard = 0; shard < RIG_SHARDS; shard++) {
		for (uint32_t n = 0; n < RECORDS; n++, at += BYTES + 1) {
			rig_payload(line, shard, n, BYTES);
			strcat(line, "\n");
			assert_memory_equal(at, line, BYTES + 1);
		}
	}
	assert_int_equal(at - r->bytes, r->length);
}

static void journal_agrees(const struct rig *rig)
{
	char path[128];
	struct metadata *m;
	struct metadata_object object;

	snprintf(path, sizeof path, "%s/journal", rig->directory);
	m = fake_journal_open(path);
	for (uint32_t i = 0; i < RIG_SHARDS; i++) {
		struct metadata_delivery row;

		assert_int_equal(fake_journal.get_delivery(m, 77, i, "files", &row), 0);
		assert_int_equal(row.next_sequence, RECORDS + 1);
		assert_int_equal(row.delivered_records, RECORDS);
		assert_int_equal(row.delivered_bytes, RECORDS * BYTES);
		assert_int_equal(row.failed_records + row.expired_records, 0);
		assert_int_equal(fake_journal.get_object(m, 77, i, "files", &object), -ENOENT);
	}
	fake_journal_close(m);
}

static void kill_everywhere(int compression, int second)
{
	struct result expected;
	struct rig rig;
	int kills = 0;

	rig_init(&rig, NULL);
	assert_int_equal(start_child(rig.directory, compression, 0), 0);
	expected = look(&rig);
	if (compression == COMPRESS_NONE)
		every_record_is_there_once(&expected);
	rig_end(&rig);
	for (int at = 1;; at += STEP(4)) {
		struct result r;
		int status;

		rig_init(&rig, NULL);
		status = start_child(rig.directory, compression, at);
		if (!was_killed(status)) {
			assert_int_equal(status, 0);
			rig_end(&rig);
			break;
		}
		kills++;
		/* A second kill, on the way back. */
		if (second > 0)
			start_child(rig.directory, compression, 1 + at % second);
		assert_int_equal(start_child(rig.directory, compression, 0), 0);
		r = look(&rig);
		assert_string_equal(r.list, expected.list);
		assert_int_equal(r.length, expected.length);
		assert_memory_equal(r.bytes, expected.bytes, r.length);
		journal_agrees(&rig);
		free(r.bytes);
		rig_end(&rig);
	}
	free(expected.bytes);
	print_message("# killed at %d points\n", kills);
	assert_true(kills >= 60 / STEP(4));
}

static void a_kill_at_any_point_leaves_every_record_once(void **state)
{
	(void)state;
	kill_everywhere(COMPRESS_NONE, 0);
}

static void two_kills_in_a_row_too_and_the_same_compressed_bytes(void **state)
{
	(void)state;
	kill_everywhere(COMPRESS_GZIP, 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_at_any_point_leaves_every_record_once),
		cmocka_unit_test(two_kills_in_a_row_too_and_the_same_compressed_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
