#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/seam/hash_ranges.h"
#include "dataplane/seam/region.h"
#include "tests/support/rounds.h"

#define LANE_BYTES (256ull << 10)

static const struct region_geometry geometry = {.workers = 2, .shards = 3, .lane_bytes = LANE_BYTES};
static char directory[64];

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static int new_directory(void **state)
{
	(void)state;
	strcpy(directory, "/dev/shm/penstock-region-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path_of("data"));
	unlink(path_of("data.new"));
	unlink(path_of("control"));
	return rmdir(directory);
}

static struct region_writer create(void)
{
	struct region_writer region;

	assert_int_equal(region_create(directory, &geometry, &region), 0);
	return region;
}

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

/* A map of two streams, three shards and one. */
static void fill_map(struct shard_map *map)
{
	memset(map, 0, sizeof *map);
	map->streams_count = 2;
	map->shards_count = 4;
	for (uint32_t s = 0, shard = 0; s < 2; s++) {
		snprintf(map->streams[s].name, sizeof map->streams[s].name, "stream-%u", s);
		map->streams[s].first_shard = shard;
		map->streams[s].shards = s ? 1 : 3;
		for (uint32_t i = 0; i < map->streams[s].shards; i++, shard++) {
			hash_range_even(i, map->streams[s].shards, map->shards[shard].first_hash,
					map->shards[shard].last_hash);
			map->shards[shard].slot = 7 - shard;
			map->shards[shard].stream = s;
		}
	}
}

static void a_published_map_is_read_back(void **state)
{
	struct region_writer w = create();
	struct region_reader r;
	struct control *control, *second;
	const struct control *seen;
	static struct shard_map map, copy;
	uint64_t version;
	int fd, other;

	(void)state;
	assert_int_equal(region_open(directory, &r), 0);
	assert_int_equal(control_open(directory, w.region, &seen), -ENOENT);
	assert_int_equal(control_create(directory, &r, &control, &fd), 0);
	assert_int_equal(control_create(directory, &r, &second, &other), -EBUSY);
	assert_int_equal(control_open(directory, w.region, &seen), 0);
	assert_int_equal(mprotect((void *)seen, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(control_read_map(seen, 8, &copy, &version), -EAGAIN);
	for (uint64_t n = 1; n <= 5; n++) {
		fill_map(&map);
		map.streams[0].name[0] = (char)('a' + n);
		control_publish_map(control, &map);
		assert_int_equal(control_read_map(seen, 8, &copy, &version), 0);
		assert_int_equal(version, n);
		assert_memory_equal(&copy, &map, sizeof map);
	}
	atomic_store(&control->head[2][1], 12345);
	control_close(control);
	close(fd);

	/* penstockd's restart finds what it said; under another generation it starts afresh. */
	assert_int_equal(control_create(directory, &r, &control, &fd), 0);
	assert_int_equal(atomic_load(&control->head[2][1]), 12345);
	assert_int_equal(control_read_map(seen, 8, &copy, &version), 0);
	control_close(control);
	close(fd);
	r.generation++;
	assert_int_equal(control_create(directory, &r, &control, &fd), 0);
	assert_int_equal(atomic_load(&control->head[2][1]), 0);
	assert_int_equal(control_read_map(seen, 8, &copy, &version), -EAGAIN);
	control_close(seen);
	assert_int_equal(control_open(directory, w.region, &seen), -EPROTO);
	control_close(control);
	close(fd);
	assert_int_equal(truncate(path_of("control"), 64), 0);
	assert_int_equal(control_open(directory, w.region, &seen), -EPROTO);
	region_close_reader(&r);
	region_close_writer(&w);
}

/* What both files take is what was foretold. */
static void expect_room(const struct region_writer *w, uint64_t page_bytes)
{
	struct stat control;

	assert_int_equal(stat(path_of("control"), &control), 0);
	assert_int_equal(region_room_bytes(&w->geometry, w->geometry.shards, page_bytes), w->region->size_bytes + (uint64_t)control.st_size);
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

static int read_hostile(struct control *control, const struct shard_map *map)
{
	static struct shard_map copy;
	uint64_t version;

	control_publish_map(control, map);
	return control_read_map(control, 8, &copy, &version);
}

static void hostile_maps_are_refused(void **state)
{
	struct control *control = calloc(1, sizeof *control);
	static struct shard_map map;

	(void)state;
#define REFUSED(lie)                                                                                                   \
	do {                                                                                                           \
		fill_map(&map);                                                                                        \
		lie;                                                                                                   \
		assert_int_equal(read_hostile(control, &map), -EBADMSG);                                               \
	} while (0)
	REFUSED(map.streams_count = SHARDS_MAX + 1);
	REFUSED(map.shards_count = SHARDS_MAX + 1);
	REFUSED(map.streams_count = UINT32_MAX);
	REFUSED(map.streams_count = 3);
	REFUSED(map.shards_count = 3);
	REFUSED(map.streams[0].shards = 0);
	REFUSED(map.streams[0].shards = UINT32_MAX);
	REFUSED(map.streams[0].first_shard = UINT32_MAX);
	REFUSED(map.streams[0].first_shard = 1);
	REFUSED(memset(map.streams[1].name, 'x', sizeof map.streams[1].name));
	REFUSED(map.shards[1].slot = 8);
	REFUSED(map.shards[1].slot = map.shards[3].slot);
	REFUSED(map.shards[1].stream = 1);
	REFUSED(map.shards[1].first_hash[1]++);
	REFUSED(map.shards[0].last_hash[0]++);
	REFUSED(map.shards[2].last_hash[1]--);
	REFUSED(map.shards[0].first_hash[1] = 1);
	/* Three shards of everything each: last + 1 wraps to 0, and every one begins there. */
	REFUSED(for (int i = 0; i < 3; i++) hash_range_even(0, 1, map.shards[i].first_hash, map.shards[i].last_hash));
#undef REFUSED
	fill_map(&map);
	assert_int_equal(read_hostile(control, &map), 0);
	for (uint32_t round = 0; round < ROUNDS(20000); round++) {
		static struct shard_map copy;
		uint64_t version;
		size_t flips = 1 + (size_t)rand() % 3;

		fill_map(&map);
		for (size_t i = 0; i < flips; i++) {
			size_t field = (size_t)rand() % 3;
			uint8_t *at = field == 0   ? (uint8_t *)&map
				      : field == 1 ? (uint8_t *)&map.streams[0]
						   : (uint8_t *)&map.shards[0];

			at[(size_t)rand() % (field == 0 ? 8 : 160)] ^= (uint8_t)(1 << rand() % 8);
		}
		control_publish_map(control, &map);
		if (control_read_map(control, 8, &copy, &version) == 0)
			for (uint32_t s = 0; s < copy.streams_count; s++)
				assert_true(copy.streams[s].first_shard + copy.streams[s].shards <= copy.shards_count);
	}
	free(control);
}

struct publisher {
	struct control *control;
	_Atomic bool stop;
};

static void *publish_maps(void *arg)
{
	struct publisher *p = arg;
	static struct shard_map map;

	fill_map(&map);
	for (uint32_t n = 0; !atomic_load(&p->stop); n++) {
		memset(map.streams[0].name, 'a' + (int)(n % 26), STREAM_NAME_MAX);
		memset(map.streams[1].name, 'a' + (int)(n % 26), STREAM_NAME_MAX);
		control_publish_map(p->control, &map);
	}
	return NULL;
}

static void a_map_that_changes_under_the_reader_is_never_taken_by_halves(void **state)
{
	struct publisher p = {.control = calloc(1, sizeof(struct control))};
	static struct shard_map copy;
	pthread_t thread;
	uint64_t version;

	(void)state;
	pthread_create(&thread, NULL, publish_maps, &p);
	for (int i = 0; i < ROUNDS(3000); i++) {
		int error = control_read_map(p.control, 8, &copy, &version);

		assert_true(error == 0 || error == -EAGAIN);
		if (error == 0)
			assert_memory_equal(copy.streams[0].name, copy.streams[1].name, STREAM_NAME_MAX);
	}
	atomic_store(&p.stop, true);
	pthread_join(thread, NULL);
	free(p.control);
}

#define REGION_TEST(name) cmocka_unit_test_setup_teardown(name, new_directory, remove_directory)

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
		REGION_TEST(geometry_out_of_range_is_refused),
		REGION_TEST(only_memory_file_systems_will_do),
		REGION_TEST(headers_that_lie_are_refused),
		REGION_TEST(a_published_map_is_read_back),
		REGION_TEST(the_room_that_a_region_takes_is_known_before),
		REGION_TEST(a_region_lies_on_huge_pages_too),
		cmocka_unit_test(hostile_maps_are_refused),
		cmocka_unit_test(a_map_that_changes_under_the_reader_is_never_taken_by_halves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
