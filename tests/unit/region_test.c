// The data region: one writer, many readers, what survives a close, and headers that lie.
#include <sys/wait.h>

#include "tests/support/region_rig.h"

/* Overwrites `size` bytes of the data file, as another version or a broken dataplane might have. */
static void overwrite(size_t offset, const void *bytes, size_t size)
{
	int fd = open(path_of("data"), O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
	close(fd);
}

static struct ledger *ledger_of(const struct region_writer *w, uint32_t worker)
{
	return (struct ledger *)((uint8_t *)w->region + w->region->ledgers_offset + worker * w->region->ledger_stride);
}

static void what_one_writes_the_other_reads(void **state)
{
	struct region_writer w = create();
	struct region_reader r;

	(void)state;
	assert_int_equal(region_open(directory, &r), 0);
	assert_int_equal(r.geometry.workers, 2);
	assert_int_equal(r.geometry.shards, 3);
	assert_true(r.generation != 0 && r.generation == w.region->generation);
	for (uint32_t i = 0; i < 6; i++) {
		memset(w.lanes[i], (int)(i + 1), LANE_BYTES);
		w.lanes[i][0] = 99;
	}
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(r.lanes[i][0], 99);
		assert_int_equal(r.lanes[i][LANE_BYTES - 1], i + 1);
		assert_int_equal(r.lanes[i][LANE_BYTES], 99); /* the mirror */
		assert_int_equal(r.lanes[i][2 * LANE_BYTES - 1], i + 1);
	}
	assert_int_equal(region_populate(&w, 2, 1, -1), 0);
	assert_int_equal(region_populate(&w, 2, 1, 0), 0);
	region_close_reader(&r);
	region_close_writer(&w);
}

static void the_reader_cannot_write(void **state)
{
	struct region_writer w = create();
	struct region_reader r;

	(void)state;
	assert_int_equal(region_open(directory, &r), 0);
	assert_int_equal(mprotect((void *)r.region, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(mprotect((void *)r.lanes[0], 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(pwrite(r.fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(r.fd, 0), -1);
	region_close_reader(&r);
	region_close_writer(&w);
}

static void positions_survive_close_and_reopen(void **state)
{
	uint32_t lines = worker_lines(geometry.shards);
	uint64_t *now = aligned_alloc(64, lines * sizeof(struct ledger_line));
	struct region_writer w = create();
	uint64_t generation = w.region->generation;
	struct ledger_writer ledger = {0};

	(void)state;
	ledger_writer_init(&ledger, ledger_of(&w, 1), now, lines);
	ledger_set(&ledger, lane_word(2, LANE_POSITION), 4096);
	ledger_add(&ledger, FRAME_ACCEPTED, 7);
	ledger_commit(&ledger);
	memset(w.lanes[2 * 2 + 1], 0x77, 4096);
	region_close_writer(&w);

	w = create();
	assert_true(w.region->generation == generation);
	ledger_writer_init(&ledger, ledger_of(&w, 1), now, lines);
	assert_int_equal(now[lane_word(2, LANE_POSITION)], 4096);
	assert_int_equal(now[FRAME_ACCEPTED], 7);
	assert_int_equal(w.lanes[2 * 2 + 1][4095], 0x77);
	region_close_writer(&w);
	free(now);
}

static void there_is_one_writer(void **state)
{
	struct region_writer w = create(), second;

	(void)state;
	assert_int_equal(region_create(directory, &geometry, &second), -EBUSY);
	assert_int_equal(region_retire(directory), -EBUSY);
	region_close_writer(&w);
	w = create();
	region_close_writer(&w);
}

static void of_many_that_start_at_once_one_makes_the_region(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		int made = 0, go[2];
		char byte;
		pid_t children[6];

		assert_int_equal(pipe(go), 0);
		for (int i = 0; i < 6; i++) {
			children[i] = fork();
			if (children[i] == 0) {
				struct region_writer w;
				int error;

				close(go[1]);
				if (read(go[0], &byte, 1) < 0) /* returns when the last writer closes */
					_exit(2);
				error = region_create(directory, &geometry, &w);
				if (error == 0)
					usleep(30000);
				_exit(error == 0 ? 0 : error == -EBUSY ? 1 : 2);
			}
		}
		close(go[0]);
		close(go[1]);
		for (int i = 0; i < 6; i++) {
			int status;

			waitpid(children[i], &status, 0);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
			made += WEXITSTATUS(status) == 0;
		}
		assert_true(made >= 1);
		assert_int_equal(access(path_of("data.new"), F_OK), -1);
		assert_int_equal(region_retire(directory), 0);
	}
}

static void what_a_killed_maker_left_is_no_obstacle(void **state)
{
	struct region_writer w;
	int fd = open(path_of("data.new"), O_RDWR | O_CREAT, 0640);

	(void)state;
	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	assert_int_equal(pwrite(fd, "rubbish", 7, 4096), 7);
	close(fd);
	w = create();
	assert_int_equal(ledger_of(&w, 0)->epoch, 0);
	assert_int_equal(access(path_of("data.new"), F_OK), -1);
	region_close_writer(&w);
}

static void another_version_or_geometry_is_refused_until_retired(void **state)
{
	struct region_geometry other = geometry;
	struct region_writer w = create();
	struct region_reader r;
	uint32_t version = REGION_VERSION + 1;

	(void)state;
	region_close_writer(&w);
	other.lane_bytes *= 2;
	assert_int_equal(region_create(directory, &other, &w), -EPROTO);
	other = geometry;
	other.workers++;
	assert_int_equal(region_create(directory, &other, &w), -EPROTO);
	assert_int_equal(region_open(directory, &r), 0);
	assert_int_equal(region_retire(directory), 0);
	assert_int_equal(r.region->state, REGION_RETIRED); /* who still has it is told */
	region_close_reader(&r);
	assert_int_equal(region_open(directory, &r), -ENOENT);
	assert_int_equal(region_retire(directory), -ENOENT);
	assert_int_equal(region_create(directory, &other, &w), 0);
	region_close_writer(&w);

	overwrite(offsetof(struct region, version), &version, sizeof version);
	assert_int_equal(region_create(directory, &other, &w), -EPROTO);
	assert_int_equal(region_open(directory, &r), -EPROTO);
	assert_int_equal(region_retire(directory), 0);
}

static void headers_that_lie_are_refused(void **state)
{
	struct region_writer w = create();
	struct region good;
	struct region_reader r;
	static const size_t fields[] = {
		offsetof(struct region, header_bytes),  offsetof(struct region, size_bytes),
		offsetof(struct region, workers),       offsetof(struct region, shards),
		offsetof(struct region, lane_bytes),    offsetof(struct region, ledgers_offset),
		offsetof(struct region, ledger_stride), offsetof(struct region, port_ledger_offset),
		offsetof(struct region, lanes_offset),
	};
	static const uint64_t lies[] = {0, 1, 4095, 1ull << 20, 1ull << 40, UINT64_MAX};
	uint64_t zero = 0;

	(void)state;
	memcpy(&good, w.region, sizeof good);
	region_close_writer(&w);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		for (size_t j = 0; j < sizeof lies / sizeof lies[0]; j++) {
			size_t size = fields[i] == offsetof(struct region, header_bytes) ||
						      fields[i] == offsetof(struct region, workers) ||
						      fields[i] == offsetof(struct region, shards)
					      ? 4
					      : 8;

			if (memcmp((uint8_t *)&good + fields[i], &lies[j], size) == 0)
				continue;
			overwrite(fields[i], &lies[j], size);
			assert_int_equal(region_open(directory, &r), -EBADMSG);
			overwrite(0, &good, sizeof good);
		}
	}
	overwrite(offsetof(struct region, generation), &zero, sizeof zero);
	assert_int_equal(region_open(directory, &r), -EBADMSG);
	overwrite(0, &good, sizeof good);
	assert_int_equal(region_open(directory, &r), 0);
	region_close_reader(&r);
	overwrite(0, &zero, sizeof zero);
	assert_int_equal(region_open(directory, &r), -EAGAIN);
	overwrite(0, "\1", 1);
	assert_int_equal(region_open(directory, &r), -EBADMSG);
	overwrite(0, &good, sizeof good);
	assert_int_equal(truncate(path_of("data"), (off_t)good.size_bytes - 4096), 0);
	assert_int_equal(region_open(directory, &r), -EBADMSG);
	assert_int_equal(truncate(path_of("data"), 100), 0);
	assert_int_equal(region_open(directory, &r), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGION_TEST(what_one_writes_the_other_reads),
		REGION_TEST(the_reader_cannot_write),
		REGION_TEST(positions_survive_close_and_reopen),
		REGION_TEST(there_is_one_writer),
		REGION_TEST(of_many_that_start_at_once_one_makes_the_region),
		REGION_TEST(what_a_killed_maker_left_is_no_obstacle),
		REGION_TEST(another_version_or_geometry_is_refused_until_retired),
		REGION_TEST(headers_that_lie_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
