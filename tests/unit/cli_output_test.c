#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/cli/read_output.h"

static uint64_t told_sequence, told_count;

static void told(void *context, const struct output_mark *mark)
{
	(void)context;
	assert_true(mark->sequence > told_sequence);
	told_sequence = mark->sequence;
	told_count++;
}

static void put(struct output *o, uint64_t sequence, size_t bytes)
{
	static uint8_t record[3 << 20];
	struct output_mark mark = {.sequence = sequence};

	if (!output_write(o, record, bytes))
		output_mark(o, &mark);
}

static int fresh(void **state)
{
	(void)state;
	told_sequence = told_count = 0;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static void nothing_is_marked_before_it_was_written(void **state)
{
	int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	struct output *o;

	(void)state;
	assert_int_equal(output_open(file, told, NULL, &o), 0);
	for (uint64_t n = 1; n <= 100; n++)
		put(o, n, 10);
	assert_int_equal(told_count, 0);
	assert_int_equal(output_flush(o), 0);
	assert_int_equal(told_count, 100);
	assert_int_equal(told_sequence, 100);
	assert_int_equal(lseek(file, 0, SEEK_END), 1000);
	output_close(o);
	close(file);
}

static void records_larger_than_the_buffer_keep_their_order(void **state)
{
	int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	struct output *o;

	(void)state;
	assert_int_equal(output_open(file, told, NULL, &o), 0);
	put(o, 1, 5);
	put(o, 2, 3 << 20);
	put(o, 3, 5);
	assert_int_equal(output_flush(o), 0);
	assert_int_equal(told_sequence, 3);
	assert_int_equal(lseek(file, 0, SEEK_END), (3 << 20) + 10);
	output_close(o);
	close(file);
}

static void a_reader_that_leaves_has_marked_what_it_took_and_no_more(void **state)
{
	char taken[1000];
	struct output *o;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(output_open(ends[1], told, NULL, &o), 0);
	for (uint64_t n = 1; n <= 10; n++)
		put(o, n, 100);
	assert_int_equal(output_flush(o), 0);
	assert_int_equal(read(ends[0], taken, sizeof(taken)), 1000);
	close(ends[0]);
	for (uint64_t n = 11; n <= 20; n++)
		put(o, n, 100);
	assert_int_equal(output_flush(o), -EPIPE);
	assert_int_equal(told_sequence, 10);
	assert_int_equal(output_flush(o), -EPIPE);
	output_close(o);
	close(ends[1]);
}

static void a_signal_does_not_wait_for_a_reader_that_sleeps_and_whole_records_are_marked(void **state)
{
	int ends[2], capacity;
	struct output *o;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(output_open(ends[1], told, NULL, &o), 0);
	capacity = fcntl(ends[1], F_GETPIPE_SZ);
	/* More than the pipe holds, yet less than the output gathers when the pipe could be made as large. */
	output_hurry(o);
	for (uint64_t n = 1; n <= 40; n++)
		put(o, n, 50000);
	assert_int_equal(output_flush(o), -EINTR);
	assert_true(told_sequence <= (uint64_t)capacity / 50000);
	assert_true(told_sequence + 1 >= (uint64_t)capacity / 50000);
	output_close(o);
	close(ends[0]);
	close(ends[1]);
}

static void a_full_disk_is_an_error_with_its_name(void **state)
{
	int full = open("/dev/full", O_WRONLY);
	struct output *o;

	(void)state;
	assert_int_equal(output_open(full, told, NULL, &o), 0);
	put(o, 1, 10);
	assert_int_equal(output_flush(o), -ENOSPC);
	assert_int_equal(told_count, 0);
	output_close(o);
	close(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_is_marked_before_it_was_written, fresh),
		cmocka_unit_test_setup(records_larger_than_the_buffer_keep_their_order, fresh),
		cmocka_unit_test_setup(a_reader_that_leaves_has_marked_what_it_took_and_no_more, fresh),
		cmocka_unit_test_setup(a_signal_does_not_wait_for_a_reader_that_sleeps_and_whole_records_are_marked, fresh),
		cmocka_unit_test_setup(a_full_disk_is_an_error_with_its_name, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
