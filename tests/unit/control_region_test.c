// penstockd's word to the dataplane: the shard map, whole or not at all, and nothing of it believed unchecked.
#include <pthread.h>
#include <sys/mount.h>

#include "tests/support/region_rig.h"
#include "tests/support/rounds.h"

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

static void a_file_system_without_room_says_so(void **state)
{
	struct region_writer w = create();
	struct region_reader r;
	struct control *control;
	struct stat file;
	char path[160], small[128];
	int fd;

	(void)state;
	assert_int_equal(region_open(directory, &r), 0);
	snprintf(small, sizeof small, "%s", path_of("small"));
	snprintf(path, sizeof path, "%s/control", small);
	assert_int_equal(mkdir(small, 0700), 0);
	if (mount("none", small, "tmpfs", 0, "size=64k") == 0) {
		assert_int_equal(control_create(small, &r, &control, &fd), -ENOSPC);
		assert_int_equal(stat(path, &file), 0);
		assert_int_equal(file.st_size, 0); /* or the dataplane would map what is not there */
		assert_int_equal(mount("none", small, "tmpfs", MS_REMOUNT, "size=16m"), 0);
		assert_int_equal(control_create(small, &r, &control, &fd), 0);
		assert_int_equal(fstat(fd, &file), 0);
		assert_true(file.st_blocks * 512 >= file.st_size);
		control_close(control);
		close(fd);
		assert_int_equal(umount(small), 0);
	}
	assert_int_equal(rmdir(small), 0);
	region_close_reader(&r);
	region_close_writer(&w);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGION_TEST(a_published_map_is_read_back),
		REGION_TEST(a_file_system_without_room_says_so),
		cmocka_unit_test(hostile_maps_are_refused),
		cmocka_unit_test(a_map_that_changes_under_the_reader_is_never_taken_by_halves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
