// Either plane comes back, or the dataplane with another region: penstockd goes on where it was.
#include "control/metadata/database.h"
#include "tests/support/log_rig.h"
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

static void set_read_only(struct daemon_rig *rig, const char *pragma)
{
	struct metadata *m = rig->daemon.metadata;

	pthread_mutex_lock(&m->lock);
	assert_int_equal(sqlite3_exec(m->db, pragma, NULL, NULL, NULL), SQLITE_OK);
	pthread_mutex_unlock(&m->lock);
}

static void a_region_that_metadata_refuses_is_complained_of_once(void **state)
{
	struct daemon_rig *rig = *state;
	uint64_t until = clock_monotonic_ms() + 20000;

	create(rig, "orders", 1);
	log_rig_begin();
	set_read_only(rig, "PRAGMA query_only=ON");
	daemon_rig_start_dataplane(rig);
	while (!log_rig_count("cannot be taken up"))
		assert_true(clock_monotonic_ms() < until);
	usleep(1500000);
	assert_int_equal(log_rig_count("cannot be taken up"), 1);
	assert_int_equal(log_rig_count("metadata: cannot"), 1);
	set_read_only(rig, "PRAGMA query_only=OFF");
	daemon_rig_wait_map(rig, 1);
	assert_int_equal(log_rig_count("attached to"), 1);
	log_rig_end();
	append(rig, 0, 0, "a", 0, 100);
	expect_records(rig, "orders", 0, "a", 100);
	expect_balance(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(penstockd_goes_on_where_it_was_killed),
		TEST(a_dataplane_that_comes_back_goes_on_in_its_region),
		TEST(a_region_that_is_given_up_is_drained_before_the_next_is_taken),
		TEST(a_region_that_metadata_refuses_is_complained_of_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
