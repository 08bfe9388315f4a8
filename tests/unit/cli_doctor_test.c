#include <setjmp.h>
#include <stdarg.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "control/cli/doctor.h"

static char root[64];
static struct config config;

static int fresh_root(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/penstock-doctor-XXXXXX");
	memset(&config, 0, sizeof(config));
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void host_file(const char *path, const char *text)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	fclose(file);
}

static const struct finding *find(const struct doctor *d, const char *check)
{
	for (unsigned i = 0; i < d->count; i++) {
		if (!strcmp(d->findings[i].check, check))
			return &d->findings[i];
	}
	fail_msg("nothing was found about %s", check);
	return NULL;
}

static void two_workers(void)
{
	config.ports_count = 1;
	strcpy(config.ports[0].name, "wire");
	strcpy(config.ports[0].device, "0000:03:00.0");
	config.ports[0].queues = 2;
	config.ports[0].cores[0] = 2;
	config.ports[0].cores[1] = 3;
}

static void lists_of_cores_are_read_and_written_alike(void **state)
{
	static const char *const lists[] = {"0", "0-3", "0-1,4,8-11", "1023", ""};
	char text[128];
	cpu_set_t cpus;

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		assert_true(doctor_parse_cpus(lists[i], &cpus));
		doctor_print_cpus(&cpus, text, sizeof(text));
		assert_string_equal(text, lists[i]);
	}
	assert_false(doctor_parse_cpus("(null)", &cpus));
	assert_false(doctor_parse_cpus("3-1", &cpus));
	assert_false(doctor_parse_cpus("1024", &cpus));
	assert_false(doctor_parse_cpus("1-", &cpus));
	assert_false(doctor_parse_cpus("1;2", &cpus));
}

static void disturbed_cores_are_named_with_the_command_that_helps(void **state)
{
	struct doctor d = {.config = &config, .root = root};

	(void)state;
	two_workers();
	host_file("/sys/devices/system/cpu/online", "0-3");
	host_file("/sys/devices/system/cpu/isolated", "2");
	host_file("/sys/devices/system/cpu/nohz_full", "2");
	host_file("/sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "2-3");
	host_file("/sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "2-3");
	host_file("/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "performance");
	host_file("/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave");
	host_file("/sys/devices/system/cpu/cpu0/cpuidle/state0/latency", "200");
	host_file("/sys/devices/system/cpu/cpu0/cpuidle/state0/name", "C6");
	host_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet");
	host_file("/proc/77/comm", "irqbalance");
	doctor_check_cores(&d);
	assert_int_equal(find(&d, "isolation")->verdict, VERDICT_WARN);
	assert_non_null(strstr(find(&d, "isolation")->found, "of which 3 lack"));
	assert_non_null(strstr(find(&d, "isolation")->fix, "nohz_full=2-3"));
	assert_non_null(strstr(find(&d, "smt")->found, "share cores with each other"));
	assert_string_equal(find(&d, "governor")->fix, "cpupower -c 3 frequency-set -g performance");
	assert_non_null(strstr(find(&d, "idle_states")->found, "C6 takes 200 us"));
	assert_int_equal(find(&d, "clocksource")->verdict, VERDICT_WARN);
	assert_non_null(strstr(find(&d, "irqbalance")->fix, "IRQBALANCE_BANNED_CPULIST=2-3"));
	doctor_free(&d);
}

static void a_quiet_host_is_all_ok(void **state)
{
	struct doctor d = {.config = &config, .root = root};

	(void)state;
	two_workers();
	host_file("/sys/devices/system/cpu/online", "0-3");
	host_file("/sys/devices/system/cpu/isolated", "2-3");
	host_file("/sys/devices/system/cpu/nohz_full", "2-3");
	host_file("/sys/devices/system/cpu/cpu0/cpuidle/state0/latency", "200");
	host_file("/sys/devices/system/cpu/cpu0/cpuidle/state0/disable", "1");
	host_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc");
	doctor_check_cores(&d);
	for (unsigned i = 0; i < d.count; i++) {
		if (d.findings[i].verdict != VERDICT_OK)
			fail_msg("%s: %s", d.findings[i].check, d.findings[i].found);
	}
	assert_int_equal(d.count, 6);
	doctor_free(&d);
}

static void a_card_on_the_other_node_or_with_the_kernels_driver_is_found(void **state)
{
	struct doctor d = {.config = &config, .root = root};

	(void)state;
	two_workers();
	host_file("/sys/bus/pci/devices/0000:03:00.0/numa_node", "1");
	host_file("/sys/devices/system/node/node1/cpulist", "3,5,7");
	host_file("/proc/net/softnet_stat", "00001111 0000000a 00000000\n00001111 00000002 00000000");
	doctor_check_ports(&d);
	assert_int_equal(find(&d, "nic_driver")->verdict, VERDICT_FAIL);
	assert_non_null(strstr(find(&d, "nic_driver")->fix, "dpdk-devbind.py -b vfio-pci 0000:03:00.0"));
	assert_non_null(strstr(find(&d, "nic_node")->found, "its cores 2 are not"));
	assert_int_equal(find(&d, "iommu")->verdict, VERDICT_WARN);
	assert_non_null(strstr(find(&d, "softnet")->found, "12 dropped"));
	doctor_free(&d);
}

static void drops_of_the_interface_behind_a_port_are_counted(void **state)
{
	struct doctor d = {.config = &config, .root = root};

	(void)state;
	two_workers();
	strcpy(config.ports[0].device, "net_af_xdp0,iface=lo,start_queue=0");
	host_file("/sys/class/net/lo/statistics/rx_dropped", "17");
	config.ports_count = 2;
	strcpy(config.ports[1].name, "gone");
	strcpy(config.ports[1].device, "net_pcap0,rx_iface=nowhere9");
	doctor_check_ports(&d);
	assert_non_null(strstr(find(&d, "kernel_drops")->found, "rx_dropped 17"));
	assert_non_null(strstr(find(&d, "interface")->found, "there is no interface nowhere9"));
	doctor_free(&d);
}

static void missing_hugepages_come_with_their_number(void **state)
{
	struct doctor d = {.config = &config, .root = root, .filesystem = statfs};

	(void)state;
	config.huge_pages = true;
	config.memory_mib = 1024;
	strcpy(config.region_directory, "/tmp");
	host_file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "100");
	host_file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "100");
	host_file("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never");
	doctor_check_memory(&d);
	assert_int_equal(find(&d, "hugepages")->verdict, VERDICT_WARN);
	assert_string_equal(find(&d, "hugepages")->fix,
			    "echo 512 > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages");
	assert_int_equal(find(&d, "transparent_hugepages")->verdict, VERDICT_WARN);
	doctor_free(&d);
}

static struct statfs region_filesystem;

static int tell_filesystem(const char *path, struct statfs *out)
{
	(void)path;
	*out = region_filesystem;
	return 0;
}

/* What doctor_check_memory() says of a region of one worker and two shards with lanes of 4 MiB. */
static const struct finding *find_region(struct doctor *d, long type, uint64_t page, uint64_t pages)
{
	config.ports_count = config.ports[0].queues = 1;
	config.region_shards = 2;
	config.lane_bytes = 4 << 20;
	snprintf(config.region_directory, sizeof(config.region_directory), "%s/region", root);
	region_filesystem = (struct statfs){.f_type = type, .f_bsize = (long)page, .f_blocks = pages, .f_bavail = pages};
	*d = (struct doctor){.config = &config, .root = root, .filesystem = tell_filesystem};
	doctor_check_memory(d);
	return find(d, "region");
}

static void the_pages_of_header_and_control_file_are_counted_for_the_region(void **state)
{
	struct region_geometry geometry = {1, 2, 4 << 20};
	uint64_t small = region_room_bytes(&geometry, 2, 4096) / 4096;
	const struct finding *f;
	struct doctor d;

	(void)state;
	assert_true(small > 2 * 1024);
	assert_int_equal(find_region(&d, TMPFS_MAGIC, 4096, small)->verdict, VERDICT_OK);
	doctor_free(&d);
	f = find_region(&d, TMPFS_MAGIC, 4096, small - 1);
	assert_int_equal(f->verdict, VERDICT_FAIL);
	assert_non_null(strstr(f->fix, "mount -o remount,size="));
	doctor_free(&d);
	/* Two lanes of two huge pages each, one for header and ledgers, one for the control file. */
	host_file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "100");
	host_file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "6");
	assert_int_equal(find_region(&d, HUGETLBFS_MAGIC, 2 << 20, 6)->verdict, VERDICT_OK);
	doctor_free(&d);
	assert_int_equal(find_region(&d, HUGETLBFS_MAGIC, 2 << 20, 5)->verdict, VERDICT_FAIL);
	doctor_free(&d);
	/* Mounted without a limit, it has what the machine has. */
	assert_int_equal(find_region(&d, HUGETLBFS_MAGIC, 2 << 20, 0)->verdict, VERDICT_OK);
	doctor_free(&d);
	host_file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "5");
	f = find_region(&d, HUGETLBFS_MAGIC, 2 << 20, 0);
	assert_int_equal(f->verdict, VERDICT_FAIL);
	assert_string_equal(f->fix, "echo 101 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages "
				    "(or fewer shards or smaller lanes)");
	doctor_free(&d);
}

static void a_region_on_huge_pages_needs_them_beside_those_for_packets(void **state)
{
	const struct finding *f;
	struct doctor d;

	(void)state;
	config.huge_pages = true;
	config.memory_mib = 64;
	host_file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "37");
	host_file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "37");
	find_region(&d, HUGETLBFS_MAGIC, 2 << 20, 0);
	f = find(&d, "hugepages");
	assert_int_equal(f->verdict, VERDICT_WARN);
	assert_string_equal(f->fix, "echo 38 > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages");
	doctor_free(&d);
	host_file("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "38");
	find_region(&d, HUGETLBFS_MAGIC, 2 << 20, 0);
	assert_int_equal(find(&d, "hugepages")->verdict, VERDICT_OK);
	doctor_free(&d);
}

#define AT(test) cmocka_unit_test_setup_teardown(test, fresh_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_cores_are_read_and_written_alike),
		AT(disturbed_cores_are_named_with_the_command_that_helps),
		AT(a_quiet_host_is_all_ok),
		AT(a_card_on_the_other_node_or_with_the_kernels_driver_is_found),
		AT(drops_of_the_interface_behind_a_port_are_counted),
		AT(missing_hugepages_come_with_their_number),
		AT(the_pages_of_header_and_control_file_are_counted_for_the_region),
		AT(a_region_on_huge_pages_needs_them_beside_those_for_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
