// A configuration against the machine it is for: this one, and one made up with nodes, cores and file systems as a test wants them.
#include <errno.h>
#include <linux/magic.h>

#include "config/machine.h"
#include "tests/unit/config_fixture.h"

static void this_machine_is_asked_only_when_wanted(void **state)
{
	struct fixture *f = *state;
	size_t length;
	char *said;
	FILE *errors;

	assert_int_equal(fixture_load_text(f,
					   "region: {directory: /proc/x}\ndpdk: {main_core: 1022}\n"
					   "ports: [{name: a, device: d, cores: [1023], addresses: [10.0.0.1/8]}]\n"),
			 0);
	assert_string_equal(f->said, "");
	errors = open_memstream(&said, &length);
	assert_int_equal(config_check_host(f->config, errors), -EINVAL);
	config_complain(f->config, errors, "error", f->config->ports[0].file, f->config->ports[0].line,
			f->config->ports[0].column, "port '%s' is in use", "a");
	fclose(errors);
	assert_non_null(strstr(said, "main.yaml:1:21: error: /proc/x is neither on tmpfs nor on hugetlbfs"));
	assert_non_null(strstr(said, "main.yaml:2:19: error: core 1022 does not exist on this machine"));
	assert_non_null(strstr(said, "main.yaml:3:38: error: core 1023 does not exist on this machine"));
	assert_non_null(strstr(said, "main.yaml:3:9: error: port 'a' is in use\n  ports: [{name"));
	free(said);
	assert_int_equal(fixture_load_text(f, "region: {directory: /dev/shm/x}\n"), 0);
	errors = open_memstream(&said, &length);
	assert_int_equal(config_check_host(f->config, errors), 0);
	fclose(errors);
	assert_string_equal(said, "");
	free(said);
}

static struct statfs region_filesystem;
static uint64_t huge_pages_count;

/* Four cores, 0 and 1 on node 0, 2 and 3 on node 1; core 3 is another's. */
static bool core_exists(uint32_t core)
{
	return core < 4;
}

static bool core_usable(uint32_t core)
{
	return core < 3;
}

static int core_node(uint32_t core)
{
	return core < 4 ? (int)core / 2 : -1;
}

/* "near" is on node 0, "far" on 1, "lost" on a node that the machine does not have. */
static int device_node(const char *device)
{
	return strcmp(device, "near") == 0 ? 0 : strcmp(device, "far") == 0 ? 1 : strcmp(device, "lost") == 0 ? 7 : -1;
}

static bool node_has_cores(int node)
{
	return node < 2;
}

static int filesystem(const char *path, struct statfs *out)
{
	(void)path;
	*out = region_filesystem;
	return 0;
}

static uint64_t huge_pages(uint64_t page_bytes)
{
	return page_bytes == 2 << 20 ? huge_pages_count : 0;
}

/* Loads `text`, which is right in itself, and returns what there is to say of it on that machine; `error` is the verdict. */
static char *checked(struct fixture *f, const char *text, int error)
{
	static const struct machine machine = {core_exists, core_usable, core_node, device_node, node_has_cores, filesystem, huge_pages};
	size_t length;
	char *said;
	FILE *errors = open_memstream(&said, &length);

	assert_int_equal(fixture_load_text(f, text), 0);
	assert_string_equal(f->said, "");
	assert_int_equal(machine_check(f->config, &machine, errors), error);
	fclose(errors);
	return said;
}

static void expect(struct fixture *f, const char *text, int error, const char *wanted)
{
	char *said = checked(f, text, error);

	if (!*wanted)
		assert_string_equal(said, "");
	if (!strstr(said, wanted))
		fail_msg("\"%s\" is not in: %s", wanted, said);
	free(said);
}

static int on_tmpfs(void **state)
{
	region_filesystem = (struct statfs){.f_type = TMPFS_MAGIC, .f_bsize = 4096, .f_blocks = 1 << 20};
	return fixture_setup(state);
}

#define REGION "region: {directory: /region, shards: 4, lane_bytes: 4MiB}\n" \
	"ports: [{name: a, device: near, cores: [1], addresses: [10.0.0.1/8]}]\n" \
	"streams: [{name: s, shards: 2}]\n"

static void the_pages_of_header_and_control_file_are_counted_for_the_region(void **state)
{
	static const char warning[] = "main.yaml:1:53: warning: the region with the streams' lanes takes";
	struct fixture *f = *state;
	uint64_t small = region_room_bytes(&(struct region_geometry){1, 4, 4 << 20}, 2, 4096) / 4096;

	region_filesystem.f_blocks = small;
	expect(f, REGION, 0, "");
	region_filesystem.f_blocks--;
	expect(f, REGION, 0, "takes 9 MiB, the file system of /region has 8");
	/* Two lanes of two huge pages each, one for header and ledgers, one for the control file. */
	region_filesystem = (struct statfs){.f_type = HUGETLBFS_MAGIC, .f_bsize = 2 << 20, .f_blocks = 6};
	huge_pages_count = 6;
	expect(f, REGION, 0, "");
	region_filesystem.f_blocks = 5;
	expect(f, REGION, 0, warning);
	/* Mounted without a limit, it has what the machine has. */
	region_filesystem.f_blocks = 0;
	expect(f, REGION, 0, "");
	huge_pages_count = 5;
	expect(f, REGION, 0, "takes 12 MiB, the file system of /region has 10");
}

static void a_lane_is_whole_huge_pages(void **state)
{
	region_filesystem = (struct statfs){.f_type = HUGETLBFS_MAGIC, .f_bsize = 1 << 30};
	expect(*state, REGION, -EINVAL, "main.yaml:1:53: error: /region has pages of 1073741824 bytes: a lane must be a multiple of them");
}

#define PORT(device, cores) "ports: [{name: a, device: " device ", cores: [" cores "], addresses: [10.0.0.1/8]}]\n"
#define TWO_QUEUES(device, cores) "ports: [{name: a, device: " device ", queues: 2, cores: [" cores "], addresses: [10.0.0.1/8]}]\n"
#define WARN "dpdk: {numa: warn}\n"

static void a_core_that_is_not_there_or_not_ours_is_refused(void **state)
{
	expect(*state, PORT("any", "2"), 0, "");
	expect(*state, PORT("any", "3"), -EINVAL, "main.yaml:1:40: error: core 3 is offline, or not among the cores this process may use");
	expect(*state, PORT("any", "4"), -EINVAL, "main.yaml:1:40: error: core 4 does not exist on this machine");
	expect(*state, WARN PORT("any", "4"), -EINVAL, "main.yaml:2:40: error: core 4 does not exist on this machine");
	expect(*state, "dpdk: {main_core: 5}\n" PORT("any", "1"), -EINVAL, "main.yaml:1:19: error: core 5 does not exist on this machine");
}

static void a_core_on_another_node_than_its_device_is_refused_or_warned_about(void **state)
{
	expect(*state, PORT("near", "1"), 0, "");
	expect(*state, PORT("far", "2"), 0, "");
	expect(*state, PORT("far", "1"), -EINVAL,
	       "main.yaml:1:40: error: core 1 is on NUMA node 0, the device is on 1: choose one there, or set dpdk.numa: warn\n");
	expect(*state, WARN PORT("far", "1"), 0, "main.yaml:2:40: warning: core 1 is on NUMA node 0, the device is on 1\n");
	expect(*state, TWO_QUEUES("near", "1, 2"), -EINVAL, "main.yaml:1:55: error: core 2 is on NUMA node 1, the device is on 0");
}

static void the_cores_of_a_device_without_a_node_belong_together(void **state)
{
	expect(*state, TWO_QUEUES("any", "2, 1"), -EINVAL,
	       "main.yaml:1:54: error: core 1 is on NUMA node 0, the port's first core is on 1: choose one there");
	expect(*state, WARN TWO_QUEUES("any", "2, 1"), 0,
	       "main.yaml:2:54: warning: core 1 is on NUMA node 0, the port's first core is on 1\n");
}

static void a_device_on_a_node_without_cores_is_refused_or_warned_about(void **state)
{
	expect(*state, PORT("lost", "1"), -EINVAL,
	       "main.yaml:1:27: error: the device is on NUMA node 7, which has no core here: set dpdk.numa: warn to take it all the same");
	expect(*state, WARN PORT("lost", "1"), 0, "main.yaml:2:27: warning: the device is on NUMA node 7, which has no core here\n");
}

static void everything_that_does_not_suit_the_machine_is_told_at_once(void **state)
{
	char *said = checked(*state, TWO_QUEUES("far", "1, 9") "region: {directory: /region}\n", -EINVAL);

	assert_non_null(strstr(said, "core 1 is on NUMA node 0"));
	assert_non_null(strstr(said, "core 9 does not exist"));
	free(said);
	region_filesystem.f_type = EXT4_SUPER_MAGIC;
	said = checked(*state, PORT("far", "1") "region: {directory: /region}\n", -EINVAL);
	assert_non_null(strstr(said, "core 1 is on NUMA node 0"));
	assert_non_null(strstr(said, "main.yaml:2:21: error: /region is neither on tmpfs nor on hugetlbfs"));
	free(said);
}

static void what_is_not_there_is_judged_by_what_it_would_lie_in(void **state)
{
	static const char *const pairs[][2] = {{"/", "/"}, {"/nowhere/at/all", "/"}, {"/tmp", "/tmp"},
					       {"/tmp/nobody/made/this", "/tmp"}, {"nobody-made-this/either", "."}};
	char existing[64];

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		config_existing_parent(pairs[i][0], existing, sizeof existing);
		assert_string_equal(existing, pairs[i][1]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define ON_TMPFS(name) cmocka_unit_test_setup_teardown(name, on_tmpfs, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(this_machine_is_asked_only_when_wanted),
		ON_TMPFS(the_pages_of_header_and_control_file_are_counted_for_the_region),
		ON_TMPFS(a_lane_is_whole_huge_pages),
		ON_TMPFS(a_core_that_is_not_there_or_not_ours_is_refused),
		ON_TMPFS(a_core_on_another_node_than_its_device_is_refused_or_warned_about),
		ON_TMPFS(the_cores_of_a_device_without_a_node_belong_together),
		ON_TMPFS(a_device_on_a_node_without_cores_is_refused_or_warned_about),
		ON_TMPFS(everything_that_does_not_suit_the_machine_is_told_at_once),
		cmocka_unit_test(what_is_not_there_is_judged_by_what_it_would_lie_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
