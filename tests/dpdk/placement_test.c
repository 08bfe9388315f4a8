// Where workers may run, for a machine of two nodes whatever this one has: the nodes are handed in.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <rte_log.h>

#include "dataplane/log.h"
#include "dataplane/placement.h"

static const struct config_port port = {.name = "wire", .line = 12};

/* The verdict; *said is what was logged, for the caller to free. */
static int check(int core_node, int node, bool strict, char **said)
{
	size_t length;
	FILE *stream = open_memstream(said, &length);
	int verdict;

	rte_openlog_stream(stream);
	verdict = placement_check(&port, 3, core_node, node, strict);
	rte_openlog_stream(NULL);
	fclose(stream);
	return verdict;
}

static void expect(int core_node, int node, bool strict, int verdict, const char *wanted)
{
	char *said;

	assert_int_equal(check(core_node, node, strict, &said), verdict);
	if (!*wanted)
		assert_string_equal(said, "");
	assert_non_null(strstr(said, wanted));
	free(said);
}

static void a_core_that_is_not_there_is_refused(void **state)
{
	(void)state;
	expect(PLACEMENT_NOWHERE, 0, true, -EINVAL, "port 'wire' (line 12): core 3 does not exist on this machine");
	expect(PLACEMENT_NOWHERE, -1, false, -EINVAL, "core 3 does not exist");
}

static void a_core_on_another_node_is_refused_or_warned_about(void **state)
{
	(void)state;
	expect(1, 1, true, 0, "");
	expect(0, 1, true, -EINVAL, "core 3 is on NUMA node 0, the device on node 1: every packet would cross the interconnect");
	expect(0, 1, false, 0, "port 'wire': core 3 is on NUMA node 0, the device on node 1\n");
	expect(0, 7, true, -EINVAL, "the device on node 7"); /* a node that the machine does not have */
}

static void without_nodes_every_core_will_do(void **state)
{
	(void)state;
	expect(PLACEMENT_ANYWHERE, 1, true, 0, "");
	expect(1, -1, true, 0, "");
}

static void this_machines_cores_are_known_and_others_are_not(void **state)
{
	int first = placement_node(0);

	(void)state;
	if (first == PLACEMENT_ANYWHERE) /* a kernel without NUMA */
		assert_int_equal(placement_node(4095), PLACEMENT_ANYWHERE);
	else
		assert_int_equal(placement_node(4095), PLACEMENT_NOWHERE);
	assert_true(first != PLACEMENT_NOWHERE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_core_that_is_not_there_is_refused),
		cmocka_unit_test(a_core_on_another_node_is_refused_or_warned_about),
		cmocka_unit_test(without_nodes_every_core_will_do),
		cmocka_unit_test(this_machines_cores_are_known_and_others_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
