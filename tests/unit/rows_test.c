// Rows of the ledger's inputs over changing configurations: never two inputs in one without clearing it in between.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/record/rows.h"

static struct config config;
static struct region_input described[INPUTS_MAX];
static struct rows rows;

static void configure(const char *const *names)
{
	memset(&config, 0, sizeof config);
	for (; *names; names++) {
		struct config_input *input = &config.inputs[config.inputs_count++];

		snprintf(input->name, sizeof input->name, "%s", *names);
		snprintf(input->stream, sizeof input->stream, "to-%s", *names);
	}
}

/* A reload, with the region's description brought up to date behind it. */
static void reload(const char *const *names)
{
	configure(names);
	rows_assign(&rows, described, rows.count, &config);
	rows_describe(described, &rows, &config, 0);
}

#define RELOAD(...) reload((const char *const[]){__VA_ARGS__, NULL})

static int fresh(void **state)
{
	(void)state;
	memset(described, 0, sizeof described);
	memset(&rows, 0, sizeof rows);
	return 0;
}

static void the_first_configuration_has_rows_in_its_order(void **state)
{
	(void)state;
	RELOAD("a", "b", "c");
	assert_int_equal(rows.count, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rows.of[i], i);
	assert_true(rows.fresh == 0);
	assert_string_equal(described[1].name, "b");
	assert_string_equal(described[1].stream, "to-b");
}

static void an_input_that_stays_keeps_its_row_wherever_it_stands(void **state)
{
	(void)state;
	RELOAD("a", "b", "c");
	RELOAD("new", "c", "a");
	assert_int_equal(rows.of[0], 3);
	assert_int_equal(rows.of[1], 2);
	assert_int_equal(rows.of[2], 0);
	assert_true(rows.fresh == 0);
	assert_int_equal(rows.count, 4);
	assert_int_equal(described[1].removed, 1);
	assert_string_equal(described[1].name, "b");
	assert_int_equal(described[0].removed + described[2].removed + described[3].removed, 0);
}

static void one_that_comes_back_goes_on_in_its_row(void **state)
{
	(void)state;
	RELOAD("a", "b");
	RELOAD("a");
	RELOAD("b");
	assert_int_equal(rows.of[0], 1);
	assert_int_equal(described[1].removed, 0);
	assert_int_equal(described[0].removed, 1);
	assert_true(rows.fresh == 0);
}

static void one_without_a_port_takes_no_row(void **state)
{
	(void)state;
	configure((const char *const[]){"a", "waits", "b", NULL});
	config.inputs[1].port_index = UINT32_MAX;
	rows_assign(&rows, described, 0, &config);
	assert_int_equal(rows.of[0], 0);
	assert_int_equal(rows.of[1], ROW_NONE);
	assert_int_equal(rows.of[2], 1);
	assert_int_equal(rows.count, 2);
}

static void used_rows_are_taken_last_and_are_to_be_cleared(void **state)
{
	char names[INPUTS_MAX + 1][16];
	const char *list[INPUTS_MAX + 1] = {NULL};

	(void)state;
	for (uint32_t i = 0; i < INPUTS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "n%u", i);
		list[i] = names[i];
	}
	reload(list);
	assert_int_equal(rows.count, INPUTS_MAX);
	assert_true(rows.fresh == 0);
	list[7] = list[40] = "other";
	list[40] = "another";
	configure(list);
	rows_assign(&rows, described, rows.count, &config);
	assert_true(rows.fresh == (1ull << 7 | 1ull << 40));
	assert_int_equal(rows.of[7], 7);
	assert_int_equal(rows.of[40], 40);
	/* While workers clear them they are nobody's. */
	rows_describe(described, &rows, &config, rows.fresh);
	assert_string_equal(described[7].name, "");
	assert_string_equal(described[40].name, "");
	assert_string_equal(described[8].name, "n8");
	rows_describe(described, &rows, &config, 0);
	assert_string_equal(described[7].name, "other");
	assert_string_equal(described[40].name, "another");
	/* 64 wholly new ones: every row is cleared, none is given twice. */
	for (uint32_t i = 0; i < INPUTS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "m%u", i);
		list[i] = names[i];
	}
	reload(list);
	assert_true(rows.fresh == UINT64_MAX);
	uint64_t seen = 0;
	for (uint32_t i = 0; i < INPUTS_MAX; i++)
		seen |= 1ull << rows.of[i];
	assert_true(seen == UINT64_MAX);
}

static void random_configurations_never_share_a_row(void **state)
{
	unsigned series = 1;

	(void)state;
	for (int turn = 0; turn < 2000; turn++) {
		char names[INPUTS_MAX][16];
		const char *list[INPUTS_MAX + 1] = {NULL};
		struct region_input before[INPUTS_MAX];
		uint32_t count = 0, limit = (uint32_t)rand_r(&series) % INPUTS_MAX + 1;
		uint64_t seen = 0;

		for (uint32_t n = 0; n < 200 && count < limit; n++)
			if (rand_r(&series) % 3 == 0) {
				snprintf(names[count], sizeof names[0], "i%u", n);
				list[count] = names[count];
				count++;
			}
		memcpy(before, described, sizeof before);
		reload(list);
		for (uint32_t i = 0; i < count; i++) {
			uint32_t row = rows.of[i];

			assert_true(row < rows.count && !(seen >> row & 1));
			seen |= 1ull << row;
			assert_string_equal(described[row].name, list[i]);
			if (before[row].name[0] && strcmp(before[row].name, list[i]) != 0)
				assert_true(rows.fresh >> row & 1);
			else
				assert_false(rows.fresh >> row & 1);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_configuration_has_rows_in_its_order),
		TEST(an_input_that_stays_keeps_its_row_wherever_it_stands),
		TEST(one_that_comes_back_goes_on_in_its_row),
		TEST(one_without_a_port_takes_no_row),
		TEST(used_rows_are_taken_last_and_are_to_be_cleared),
		TEST(random_configurations_never_share_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
