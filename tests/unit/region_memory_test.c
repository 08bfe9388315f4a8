// What a region lies on and how much of it: sizes, tmpfs, huge pages, and no other file system.
#include <sys/mount.h>

#include "tests/support/region_rig.h"

/* What both files take is what was foretold. */
static void expect_room(const struct region_writer *w, uint64_t page_bytes)
{
	struct stat control;

	assert_int_equal(stat(path_of("control"), &control), 0);
	assert_int_equal(region_room_bytes(&w->geometry, w->geometry.shards, page_bytes),
			 w->region->size_bytes + (uint64_t)control.st_size);
}

static void the_room_that_a_region_takes_is_known_before(void **state)
{
	struct region_writer w = create();
	struct region_reader r;
	struct control *control;
	uint64_t lanes = 2 * LANE_BYTES;
	int fd;

	(void)state;
	assert_int_equal(region_open(directory, &r), 0);
	assert_int_equal(control_create(directory, &r, &control, &fd), 0);
	expect_room(&w, 4096);
	assert_int_equal(region_room_bytes(&geometry, 3, 4096) - region_room_bytes(&geometry, 2, 4096), lanes);
	assert_int_equal(region_room_bytes(&geometry, 4, 4096), 0);        /* it has three */
	assert_int_equal(region_room_bytes(&geometry, 3, 2ull << 20), 0); /* lanes smaller than a page */
	control_close(control);
	close(fd);
	region_close_reader(&r);
	region_close_writer(&w);
}

/* How many huge pages there are, and then at least `more` of them free: what was there before, or -1 when it cannot be
 * had. */
static long reserve_huge_pages(long more)
{
	long before = -1, now = -1;
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "r+");

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &before) == 1) {
		rewind(file);
		fprintf(file, "%ld", before + more);
		fflush(file);
		rewind(file);
		if (fscanf(file, "%ld", &now) != 1 || now < before + more) {
			rewind(file);
			fprintf(file, "%ld", before);
			before = -1;
		}
	}
	fclose(file);
	return before;
}

static void a_region_lies_on_huge_pages_too(void **state)
{
	static const struct region_geometry huge = {.workers = 1, .shards = 1, .lane_bytes = 2 << 20};
	long before = reserve_huge_pages(4);
	struct region_writer w;
	struct region_reader r;
	struct control *control;
	const struct control *seen;
	static struct shard_map map, copy;
	uint64_t version;
	int fd;

	(void)state;
	if (before < 0 || mount("none", directory, "hugetlbfs", 0, "pagesize=2M") != 0) {
		if (before >= 0)
			reserve_huge_pages(-4);
		print_message("no huge pages of 2 MiB here, or no right to mount\n");
		skip();
	}
	assert_int_equal(region_create(directory, &huge, &w), 0);
	assert_int_equal(region_populate(&w, 0, 0, -1), 0);
	memset(w.lanes[0], 7, huge.lane_bytes);
	assert_int_equal(region_open(directory, &r), 0);
	assert_int_equal(r.lanes[0][2 * huge.lane_bytes - 1], 7);
	for (int again = 0; again < 2; again++) { /* the second time it finds the first one's file */
		assert_int_equal(control_create(directory, &r, &control, &fd), 0);
		assert_int_equal(control_open(directory, w.region, &seen), 0);
		fill_map(&map);
		control_publish_map(control, &map);
		assert_int_equal(control_read_map(seen, 8, &copy, &version), 0);
		assert_int_equal(version, again + 1);
		assert_memory_equal(&copy, &map, sizeof map);
		expect_room(&w, 2ull << 20);
		control_close(seen);
		control_close(control);
		close(fd);
	}
	region_close_reader(&r);
	region_close_writer(&w);
	unlink(path_of("data"));
	unlink(path_of("control"));
	assert_int_equal(umount(directory), 0); /* nothing is mapped any more */
	assert_int_equal(reserve_huge_pages(-4), before + 4);
}

static void geometry_out_of_range_is_refused(void **state)
{
	static const struct region_geometry bad[] = {
		{0, 1, LANE_BYTES},     {WORKERS_MAX + 1, 1, LANE_BYTES},
		{1, 0, LANE_BYTES},     {1, SHARDS_MAX + 1, LANE_BYTES},
		{1, 1, LANE_BYTES / 2}, {1, 1, LANE_BYTES + 4096},
		{1, 1, 2ull << 30},     {1, 1, 0},
	};
	struct region_writer w;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(region_create(directory, &bad[i], &w), -EINVAL);
		assert_int_equal(access(path_of("data"), F_OK), -1);
		assert_int_equal(access(path_of("data.new"), F_OK), -1);
	}
}

static void only_memory_file_systems_will_do(void **state)
{
	char disk[] = "/var/tmp/penstock-region-XXXXXX", path[64];
	struct region_writer w = create();
	struct region_reader r;
	uint8_t header[sizeof(struct region)];
	struct stat file;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(disk));
	assert_int_equal(region_create(disk, &geometry, &w), -EMEDIUMTYPE);
	/* A region copied there is no region either. */
	fd = open(path_of("data"), O_RDONLY);
	assert_int_equal(fstat(fd, &file), 0);
	assert_int_equal(pread(fd, header, sizeof header, 0), sizeof header);
	close(fd);
	snprintf(path, sizeof path, "%s/data", disk);
	fd = open(path, O_RDWR | O_CREAT, 0640);
	assert_int_equal(pwrite(fd, header, sizeof header, 0), sizeof header);
	assert_int_equal(ftruncate(fd, file.st_size), 0);
	close(fd);
	assert_int_equal(region_open(disk, &r), -EBADMSG);
	unlink(path);
	rmdir(disk);
	region_close_writer(&w);
	assert_int_equal(region_create("/nowhere/at/all", &geometry, &w), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGION_TEST(geometry_out_of_range_is_refused),
		REGION_TEST(only_memory_file_systems_will_do),
		REGION_TEST(the_room_that_a_region_takes_is_known_before),
		REGION_TEST(a_region_lies_on_huge_pages_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
