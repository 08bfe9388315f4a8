// Either plane comes back, or the dataplane with another region: penstockd goes on where it was.
#include "tests/support/server_rig.h"

static void penstockd_goes_on_where_it_was_killed(void **state)
{
	struct daemon_rig *rig = *state;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	for (uint32_t round = 0; round < 10; round++) {
		append(rig, 0, 0, "a", round * 100, 100);
		usleep(round * 1000);
		daemon_rig_stop_daemon(rig, round % 2);
		append(rig, 0, 0, "a", 1000 + round, 0);
		daemon_rig_start_daemon(rig);
	}
	expect_records(rig, "orders", 0, "a", 1000);
	expect_balance(rig);
}

static void a_dataplane_that_comes_back_goes_on_in_its_region(void **state)
{
	struct daemon_rig *rig = *state;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 1, "a", 0, 100);
	daemon_rig_stop_dataplane(rig);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 1, "a", 100, 100);
	expect_records(rig, "orders", 0, "a", 200);
	expect_balance(rig);
}

static void a_region_that_is_given_up_is_drained_before_the_next_is_taken(void **state)
{
	struct daemon_rig *rig = *state;
	json_t *a;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 0, 100);
	daemon_rig_stop_dataplane(rig);
	assert_int_equal(region_retire(rig->region_directory), 0);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 100, 50);
	expect_records(rig, "orders", 0, "a", 150);
	expect_balance(rig);
	a = daemon_rig_settled_ledger(rig);
	assert_int_equal(daemon_rig_row(a, "stream orders, lanes", "stored"), 50);
	assert_int_equal(daemon_rig_row(a, "stream orders, store", "stored"), 150);
	json_decref(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(penstockd_goes_on_where_it_was_killed),
		TEST(a_dataplane_that_comes_back_goes_on_in_its_region),
		TEST(a_region_that_is_given_up_is_drained_before_the_next_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
