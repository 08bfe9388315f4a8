#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/ledger/balance.h"

#define SECOND 1000000000ull
#define NOW (1000 * SECOND)

/* Two ports, three workers, a stream of two shards, a slot of a deleted stream, a delivery: all of it balanced. */
struct scene {
	struct balance_figures f;
	struct balance_worker workers[3];
	struct balance_shard shards[3];
	struct balance_delivery deliveries[2];
	struct balance_history history;
};

static void fill_worker(struct balance_worker *w, uint64_t polled)
{
	for (unsigned c = 1; c < COUNTER_FRAME_END; c++)
		w->counters[c] = c;
	w->counters[WORKER_POLLED] = polled;
	w->counters[FRAME_ACCEPTED] = polled - (COUNTER_FRAME_END - 1) * COUNTER_FRAME_END / 2;
	for (unsigned c = COUNTER_FRAGMENT_BASE; c < COUNTER_FRAGMENT_END; c++)
		w->counters[c] = FRAME_FRAGMENT_HELD / (COUNTER_FRAGMENT_END - COUNTER_FRAGMENT_BASE);
	w->counters[WORKER_PARSED] = 10015;
	w->counters[RECORD_INVALID] = 1;
	w->counters[RECORD_RULE_DROPPED] = 2;
	w->counters[RECORD_SAMPLED_OUT] = 3;
	w->counters[RECORD_INCOMPLETE] = 4;
	w->counters[RECORD_TOO_LARGE] = 5;
	w->counters[RECORD_LANE_FULL] = 10;
	w->counters[RECORD_NO_STREAM] = 7;
	w->counters[RECORD_APPENDED] = 9983;
	w->lane_records = 9983;
	w->lane_dropped = 10;
}

static void fill_shard(struct balance_shard *s, uint32_t number)
{
	strcpy(s->stream, "orders");
	s->number = s->slot = number;
	s->lanes = s->told = true;
	s->deleted = 500;
	s->appended = 10000;
	s->drained = 9990;
	s->waiting_bytes = 640;
	s->stored_first = 9480 + 70;
	s->put_first = 70;
	s->stored_last = 9500 + 73;
	s->put = 73;
	s->dropped = 15;
	s->untold = 2;
	s->told_first = 3;
	s->gap_records = 10;
	s->stored = 20000;
	s->retained = 12000;
	s->expired = 7990;
	s->expired_early = 90;
	s->lost = 10;
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);
	struct balance_figures *f = &scene->f;

	f->taken_ns = f->heartbeat_ns = NOW;
	f->started_ns = 5;
	f->generation = 77;
	f->running = true;
	f->ports_count = 2;
	f->workers_count = 3;
	f->shards_count = 3;
	f->deliveries_count = 2;
	f->workers = scene->workers;
	f->shards = scene->shards;
	f->deliveries = scene->deliveries;
	f->ports[0] = (struct balance_port){.name = "east", .accountable = true, .wire_counter = true, .exact = true,
					    .wire = 20115, .polled = 20000,
					    .rx = 20000, .missed = 100, .errors = 10, .no_mbuf = 2, .down = 3,
					    .first_worker = 0, .queues = 2};
	f->ports[1] = (struct balance_port){.name = "west", .accountable = true, .rx = 5000, .missed = 7, .first_worker = 2,
					    .queues = 1};
	fill_worker(&scene->workers[0], 12000);
	fill_worker(&scene->workers[1], 8000);
	fill_worker(&scene->workers[2], 5000);
	fill_shard(&scene->shards[0], 0);
	fill_shard(&scene->shards[1], 1);
	scene->shards[2] = (struct balance_shard){.slot = 2, .lanes = true, .appended = 9949, .drained = 9949, .deleted = 9949};
	for (int i = 0; i < 2; i++) {
		struct balance_delivery *d = &scene->deliveries[i];

		strcpy(d->name, "lake");
		strcpy(d->stream, "orders");
		d->shard = (uint32_t)i;
		d->taken = 1000;
		d->delivered = 900;
		d->pending = 50;
		d->failed = 30;
		d->expired = 20;
	}
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

/* Remembers the figures as they are, as if taken `ago_ns` before NOW. */
static void remember(struct scene *scene, uint64_t ago_ns)
{
	scene->f.taken_ns = NOW - ago_ns;
	balance_remember(&scene->history, &scene->f);
	scene->f.taken_ns = NOW;
}

/* The number unaccounted; *title is the one section at fault ("" when all is well). */
static uint64_t judge(struct scene *scene, char title[256], uint64_t *faults)
{
	struct balance_table table;
	uint64_t unaccounted;

	title[0] = 0;
	*faults = 0;
	assert_int_equal(balance_evaluate(&scene->f, balance_settled(&scene->history, &scene->f), &table), 0);
	for (uint32_t i = 0; i < table.sections_count; i++) {
		const struct balance_section *s = &table.sections[i];
		uint64_t left = 0, right = 0;

		for (uint32_t r = 0; r < s->left_count + s->right_count; r++) {
			assert_non_null(s->rows[r].text);
			assert_true(s->rows[r].value < 1ull << 63);
			*(r < s->left_count ? &left : &right) += s->rows[r].value;
		}
		assert_int_equal(left, s->left);
		assert_int_equal(right, s->right);
		if (s->unaccounted == 0) {
			assert_int_equal(left, right);
			assert_int_equal(s->difference, 0);
			continue;
		}
		assert_int_not_equal(s->difference, 0);
		snprintf(title, 256, "%s", s->title);
		++*faults;
	}
	unaccounted = table.unaccounted;
	balance_free_table(&table);
	return unaccounted;
}

static void expect_balance(struct scene *scene)
{
	char title[256];
	uint64_t faults, unaccounted = judge(scene, title, &faults);

	if (unaccounted)
		print_error("unaccounted in %s\n", title);
	assert_int_equal(unaccounted, 0);
}

static void expect_fault(struct scene *scene, const char *where, uint64_t amount)
{
	char title[256];
	uint64_t faults, unaccounted = judge(scene, title, &faults);

	assert_string_equal(title, where);
	assert_int_equal(faults, 1);
	assert_int_equal(unaccounted, amount);
}

static void balanced_figures_balance(void **state)
{
	struct scene *scene = *state;

	expect_balance(scene);
	remember(scene, 3 * SECOND);
	expect_balance(scene);
}

/* Every figure of every equation, one too many and one too few, and the section that must say so. */
static void every_figure_broken_by_one_is_found_and_named(void **state)
{
	struct scene *scene = *state;
	struct balance_port *p = &scene->f.ports[0];
	struct balance_worker *w = scene->workers;
	struct balance_shard *s = scene->shards;
	struct balance_delivery *d = scene->deliveries;
	const struct {
		uint64_t *figure;
		const char *where;
	} cases[] = {
		{&p->wire, "port east"},
		{&p->missed, "port east"},
		{&p->errors, "port east"},
		{&p->no_mbuf, "port east"},
		{&p->down, "port east"},
		{&p->polled, "port east, queues"},
		{&scene->f.ports[1].rx, "port west, queues"},
		{&w[1].counters[FRAME_ACCEPTED], "frames"},
		{&w[1].counters[FRAME_ANSWER_FAILED], "frames"},
		{&w[2].counters[FRAME_VLAN_DEPTH], "frames"},
		{&w[0].counters[FRAGMENTS_JOINED], "fragments"},
		{&w[1].counters[FRAGMENTS_WAITING], "fragments"},
		{&w[0].counters[WORKER_PARSED], "records"},
		{&w[0].counters[RECORD_NO_STREAM], "records"},
		{&w[2].lane_records, "appended"},
		{&w[2].lane_dropped, "lane full"},
		{&s[2].appended, "lanes of deleted streams"},
		{&s[2].deleted, "lanes of deleted streams"},
		{&s[0].stored, "stream orders, store"},
		{&s[1].retained, "stream orders, store"},
		{&s[1].expired, "stream orders, store"},
		{&s[1].lost, "stream orders, store"},
		{&d[0].taken, "delivery lake of stream orders"},
		{&d[0].delivered, "delivery lake of stream orders"},
		{&d[1].pending, "delivery lake of stream orders"},
		{&d[1].failed, "delivery lake of stream orders"},
		{&d[1].expired, "delivery lake of stream orders"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (int by = -1; by <= 1; by += 2) {
			uint64_t whole = *cases[i].figure;

			memset(&scene->history, 0, sizeof scene->history);
			*cases[i].figure = whole + (uint64_t)by;
			remember(scene, 3 * SECOND); /* quiet for three seconds */
			expect_fault(scene, cases[i].where, 1);
			*cases[i].figure = whole;
		}
	}
}

static void errors_that_cancel_out_between_workers_are_both_found(void **state)
{
	struct scene *scene = *state;

	scene->workers[0].counters[FRAME_ETHERTYPE] += 3;
	scene->workers[1].counters[FRAME_ETHERTYPE] -= 3;
	expect_fault(scene, "frames", 6);
}

static void errors_that_cancel_out_between_shards_are_both_found(void **state)
{
	struct scene *scene = *state;

	scene->shards[0].lost++;
	scene->shards[1].retained--;
	expect_fault(scene, "stream orders, store", 2);
}

static void frames_in_flight_are_no_loss(void **state)
{
	struct scene *scene = *state;
	struct balance_port *p = &scene->f.ports[0];

	remember(scene, 3 * SECOND);
	scene->workers[0].counters[WORKER_POLLED] += 700; /* polled since the port's quiet instant */
	scene->workers[0].counters[FRAME_ACCEPTED] += 700;
	expect_balance(scene);
	p->exact = false; /* wire stays as it was at the last quiet instant */
	p->rx += 500;
	expect_balance(scene);
}

static void a_lost_frame_is_found_at_the_first_quiet_instant(void **state)
{
	struct scene *scene = *state;
	struct balance_port *p = &scene->f.ports[0];

	p->wire += 41;
	p->rx += 40;
	p->exact = false;
	scene->workers[0].counters[WORKER_POLLED] += 40;
	scene->workers[0].counters[FRAME_ACCEPTED] += 40;
	expect_balance(scene);
	p->exact = true;
	p->polled = p->rx;
	expect_fault(scene, "port east", 1);
	p->wire--;
	expect_balance(scene);
	p->polled--;
	expect_fault(scene, "port east, queues", 1);
}

static void a_leak_under_load_is_found_once_it_exceeds_the_traffic_of_the_settling_time(void **state)
{
	struct scene *scene = *state;
	struct balance_port *p = &scene->f.ports[1];
	struct balance_worker *w = &scene->workers[2];

	p->rx += 1000; /* all of these leaked */
	remember(scene, 2 * SECOND);
	p->rx += 900;
	w->counters[WORKER_POLLED] += 900;
	w->counters[FRAME_ACCEPTED] += 900;
	expect_fault(scene, "port west, queues", 100);
	p->rx += 100;
	w->counters[WORKER_POLLED] += 100;
	w->counters[FRAME_ACCEPTED] += 100;
	expect_balance(scene);
}

static void a_silent_heartbeat_proves_nothing(void **state)
{
	struct scene *scene = *state;

	scene->f.ports[1].rx += 5;
	remember(scene, 3 * SECOND);
	scene->f.heartbeat_ns = NOW - 2 * SECOND; /* the port's figures may be as old */
	expect_balance(scene);
	scene->f.heartbeat_ns = NOW;
	expect_fault(scene, "port west, queues", 5);
}

static void a_dataplane_that_ended_is_not_judged_on_what_was_in_flight(void **state)
{
	struct scene *scene = *state;

	scene->f.ports[1].rx += 5;
	remember(scene, 3 * SECOND);
	scene->f.running = false;
	expect_balance(scene);
	scene->f.ports[1].exact = true; /* but on its last exact figures it is */
	scene->f.ports[1].polled = 5000;
	expect_fault(scene, "port west, queues", 5);
}

static void another_run_or_region_is_no_past(void **state)
{
	struct scene *scene = *state;

	remember(scene, 3 * SECOND);
	assert_non_null(balance_settled(&scene->history, &scene->f));
	scene->f.started_ns++;
	assert_null(balance_settled(&scene->history, &scene->f));
	scene->f.started_ns--;
	scene->f.generation++;
	assert_null(balance_settled(&scene->history, &scene->f));
}

static void the_past_compared_with_is_the_latest_settled_one(void **state)
{
	struct scene *scene = *state;

	for (uint64_t ago = 40; ago > 0; ago--)
		remember(scene, ago * SECOND / 2);
	assert_int_equal(balance_settled(&scene->history, &scene->f)->taken_ns, NOW - 2 * SECOND);
}

static void more_records_missing_than_the_lanes_can_hold_are_unaccounted(void **state)
{
	struct scene *scene = *state;
	struct balance_shard *s = scene->shards;

	s[0].waiting_bytes = 320; /* 10 records of the least size: just what is missing */
	expect_balance(scene);
	s[0].waiting_bytes = 288;
	expect_fault(scene, "stream orders, lanes", 1);
	s[0].waiting_bytes = 0;
	s[0].told = false;
	expect_fault(scene, "stream orders, lanes", 10);
}

static void more_drained_than_was_ever_appended_is_unaccounted(void **state)
{
	struct scene *scene = *state;

	scene->shards[1].drained = 10001;
	scene->shards[1].stored_last = 9501 + 73;
	expect_fault(scene, "stream orders, lanes", 1);
}

static void the_store_must_have_what_the_drain_took(void **state)
{
	struct scene *scene = *state;
	struct balance_shard *s = scene->shards;

	s[0].put = s[1].put = s[0].put_first = s[1].put_first = 0;
	s[0].stored_first = s[0].stored_last = 9490;
	s[1].stored_first = s[1].stored_last = 9490;
	expect_balance(scene);
	s[0].stored_first = s[0].stored_last = 9489;
	expect_fault(scene, "stream orders, lanes", 1);
	s[0].stored_first = s[0].stored_last = 9491;
	expect_fault(scene, "stream orders, lanes", 1);
}

static void what_was_put_is_stored_beside_what_came_by_lanes(void **state)
{
	struct scene *scene = *state;
	struct balance_shard *s = scene->shards;

	s[0].stored_first = s[0].stored_last = 9490 + 70;
	s[0].put_first = s[0].put = 70;
	expect_balance(scene);
	s[0].put = 71; /* counted, and not stored */
	expect_fault(scene, "stream orders, lanes", 1);
	s[0].put = s[0].put_first = 69; /* stored, and not counted */
	expect_fault(scene, "stream orders, lanes", 1);
}

static void gap_records_must_tell_every_drop(void **state)
{
	struct scene *scene = *state;
	struct balance_shard *s = scene->shards;

	s[0].gap_records = 9; /* one is still in the lane */
	expect_balance(scene);
	s[0].waiting_bytes = 0;
	s[0].drained = s[0].appended;
	s[0].stored_first = s[0].stored_last = 9500;
	s[0].put = s[0].put_first = 0;
	expect_fault(scene, "stream orders, gaps", 1);
	s[0].gap_records = 11;
	expect_fault(scene, "stream orders, gaps", 1);
	s[0].told = false;
	s[0].gap_records = 500;
	expect_balance(scene);
}

static void without_a_region_the_store_is_still_judged(void **state)
{
	struct scene *scene = *state;

	scene->f.ports_count = scene->f.workers_count = 0;
	scene->f.generation = 0;
	scene->f.running = false;
	scene->f.shards_count = 2;
	for (int i = 0; i < 2; i++)
		scene->shards[i].lanes = scene->shards[i].told = false;
	expect_balance(scene);
	scene->shards[0].retained--;
	expect_fault(scene, "stream orders, store", 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(balanced_figures_balance),
		TEST(every_figure_broken_by_one_is_found_and_named),
		TEST(errors_that_cancel_out_between_workers_are_both_found),
		TEST(errors_that_cancel_out_between_shards_are_both_found),
		TEST(frames_in_flight_are_no_loss),
		TEST(a_lost_frame_is_found_at_the_first_quiet_instant),
		TEST(a_leak_under_load_is_found_once_it_exceeds_the_traffic_of_the_settling_time),
		TEST(a_silent_heartbeat_proves_nothing),
		TEST(a_dataplane_that_ended_is_not_judged_on_what_was_in_flight),
		TEST(another_run_or_region_is_no_past),
		TEST(the_past_compared_with_is_the_latest_settled_one),
		TEST(more_records_missing_than_the_lanes_can_hold_are_unaccounted),
		TEST(more_drained_than_was_ever_appended_is_unaccounted),
		TEST(the_store_must_have_what_the_drain_took),
		TEST(what_was_put_is_stored_beside_what_came_by_lanes),
		TEST(gap_records_must_tell_every_drop),
		TEST(without_a_region_the_store_is_still_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
