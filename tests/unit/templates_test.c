#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/templates.h"

static struct codec_templates *t;

static int make(void **state)
{
	(void)state;
	return templates_create(256u << 10, 12345, &t);
}

static int drop(void **state)
{
	(void)state;
	templates_free(t);
	return 0;
}

static struct template_domain domain_of(uint32_t exporter)
{
	struct template_domain d = {.address_bytes = 4, .version = 10, .id = 1};

	memcpy(d.address, &exporter, 4);
	return d;
}

/* A template of `count` elements, the first of them `first`. */
static bool learn(uint32_t exporter, uint16_t id, uint64_t at, uint16_t first, uint16_t count)
{
	struct template_field fields[TEMPLATE_FIELDS_MAX + 1];
	struct template_definition d = {.fields = fields, .count = count};
	struct template_domain domain = domain_of(exporter);

	for (uint16_t i = 0; i < count; i++)
		fields[i] = (struct template_field){.id = (uint16_t)(first + i), .length = 4};
	return templates_learn(t, &domain, id, at, &d);
}

static bool withdraw(uint32_t exporter, uint16_t id, uint64_t at)
{
	return learn(exporter, id, at, 0, 0);
}

/* The first element of what is in force, 0 for nothing. */
static uint32_t in_force(uint32_t exporter, uint16_t id, uint64_t at)
{
	struct template_domain domain = domain_of(exporter);
	struct templates_of *of = templates_find(t, &domain);
	const struct template *template = of ? templates_lookup(t, of, id, at) : NULL;

	return template ? template->parts->fields[0].id : 0;
}

static void a_definition_is_in_force_from_its_arrival_and_before_if_it_is_the_first(void **state)
{
	(void)state;
	assert_int_equal(in_force(1, 256, 50), 0);
	assert_true(learn(1, 256, 100, 8, 3));
	assert_true(learn(1, 256, 200, 12, 3));
	assert_int_equal(in_force(1, 256, 50), 8);
	assert_int_equal(in_force(1, 256, 100), 8);
	assert_int_equal(in_force(1, 256, 199), 8);
	assert_int_equal(in_force(1, 256, 200), 12);
	assert_int_equal(in_force(1, 256, UINT64_MAX), 12);
	assert_int_equal(in_force(1, 257, 100), 0);
	assert_int_equal(in_force(2, 256, 100), 0);
}

static void the_same_definition_again_is_no_news(void **state)
{
	(void)state;
	assert_true(learn(1, 256, 100, 8, 30));
	assert_false(learn(1, 256, 150, 8, 30));
	assert_false(learn(1, 256, 100, 8, 30));
	assert_int_equal(templates_figures(t)->definitions, 1);
	assert_int_equal(templates_figures(t)->refreshed, 2);
	assert_true(learn(1, 256, 160, 8, 29));
	assert_true(learn(1, 256, 170, 8, 30)); /* back to the first: a time of its own */
	assert_int_equal(templates_figures(t)->definitions, 3);
}

static void a_definition_seen_earlier_than_known_is_in_force_earlier(void **state)
{
	(void)state;
	assert_true(learn(1, 256, 100, 8, 3));
	assert_true(learn(1, 256, 200, 12, 3));
	assert_true(learn(1, 256, 150, 12, 3));
	assert_int_equal(templates_figures(t)->definitions, 2);
	assert_int_equal(in_force(1, 256, 149), 8);
	assert_int_equal(in_force(1, 256, 150), 12);
	assert_true(learn(1, 256, 10, 1, 3));
	assert_int_equal(in_force(1, 256, 50), 1);
	assert_int_equal(in_force(1, 256, 120), 8);
}

static void of_two_definitions_of_one_time_the_later_holds_and_both_are_known(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(learn(1, 256, 100, 8, 3), i == 0);
		assert_int_equal(learn(1, 256, 100, 12, 3), i == 0);
	}
	assert_int_equal(templates_figures(t)->definitions, 2);
	assert_int_equal(in_force(1, 256, 100), 12);
}

static void a_withdrawal_ends_a_definition_and_flows_wait_for_the_next(void **state)
{
	(void)state;
	assert_false(withdraw(1, 256, 50));
	assert_true(learn(1, 256, 100, 8, 3));
	assert_false(withdraw(1, 300, 100));
	assert_true(withdraw(1, 256, 200));
	assert_false(withdraw(1, 256, 250));
	assert_int_equal(in_force(1, 256, 199), 8);
	assert_int_equal(in_force(1, 256, 200), 0);
	assert_true(learn(1, 256, 300, 12, 3));
	assert_int_equal(in_force(1, 256, 250), 12);
	assert_int_equal(in_force(1, 256, 150), 8);
	assert_int_equal(in_force(1, 256, 300), 12);
}

static void malformed_definitions_are_refused(void **state)
{
	struct template_field field = {.id = 1, .length = 0};
	struct template_domain domain = domain_of(1);

	(void)state;
	assert_false(learn(1, 256, 1, 8, TEMPLATE_FIELDS_MAX + 1));
	assert_false(templates_learn(t, &domain, 256, 1, &(struct template_definition){.fields = &field, .count = 1}));
	field.length = 4;
	assert_false(templates_learn(t, &domain, 256, 1, &(struct template_definition){&field, 1, 2, true}));
	assert_int_equal(in_force(1, 256, 1), 0);
	assert_true(learn(1, 256, 1, 8, TEMPLATE_FIELDS_MAX));
	assert_int_equal(templates_create(TEMPLATES_BYTES_MIN - 1, 0, &t), -EINVAL);
}

static void a_template_keeps_its_newest_definitions(void **state)
{
	(void)state;
	for (uint16_t i = 1; i <= 100; i++)
		assert_true(learn(1, 256, 10u * i, i, 3));
	assert_int_equal(templates_figures(t)->definitions, TEMPLATES_HISTORY);
	assert_int_equal(templates_figures(t)->evicted_definitions, 100 - TEMPLATES_HISTORY);
	assert_int_equal(in_force(1, 256, 1), 100 - TEMPLATES_HISTORY + 1);
	assert_int_equal(in_force(1, 256, 1000), 100);
	assert_false(learn(1, 256, 5, 7, 3)); /* older than all that is kept */
	assert_int_equal(templates_figures(t)->definitions, TEMPLATES_HISTORY);
	assert_int_equal(templates_figures(t)->refused, 1);
}

static void a_full_store_forgets_who_was_used_least_recently(void **state)
{
	(void)state;
	for (uint32_t exporter = 0; exporter < 10000; exporter++) {
		assert_true(learn(exporter, 256, 100, 8, 18));
		assert_int_equal(in_force(7, 256, 100), exporter >= 7 ? 8 : 0);
	}
	assert_in_range(templates_figures(t)->domains, 300, 500);
	assert_int_equal(templates_figures(t)->domains + templates_figures(t)->evicted_domains, 10000);
	assert_int_equal(in_force(9999, 256, 100), 8);
	assert_int_equal(in_force(8, 256, 100), 0);
	assert_int_equal(templates_figures(t)->templates, templates_figures(t)->domains);
}

static void one_exporter_cannot_drive_out_the_others(void **state)
{
	(void)state;
	for (uint32_t exporter = 1; exporter <= 100; exporter++)
		assert_true(learn(exporter, 256, 100, 8, 18));
	for (uint32_t id = 256; id < 65536; id++)
		assert_true(learn(0, (uint16_t)id, 100, 8, 40));
	for (uint32_t exporter = 1; exporter <= 100; exporter++)
		assert_int_equal(in_force(exporter, 256, 100), 8);
	assert_int_equal(in_force(0, 65535, 100), 8);
	assert_int_equal(in_force(0, 256, 100), 0);
	assert_int_equal(templates_figures(t)->evicted_domains, 0);
	assert_true(templates_figures(t)->evicted_templates > 60000);
}

/* A template of `count` elements in a domain of that number. */
static bool learn_in(uint32_t exporter, uint32_t number, uint16_t id, uint16_t count)
{
	struct template_field fields[60];
	struct template_definition d = {.fields = fields, .count = count};
	struct template_domain domain = domain_of(exporter);

	for (uint16_t i = 0; i < count; i++)
		fields[i] = (struct template_field){.id = (uint16_t)(8 + i), .length = 4};
	domain.id = number;
	return templates_learn(t, &domain, id, 100, &d);
}

static void one_exporter_of_many_domains_cannot_drive_out_the_others(void **state)
{
	(void)state;
	for (uint32_t exporter = 1; exporter <= 100; exporter++)
		assert_true(learn(exporter, 256, 100, 8, 18));
	for (uint32_t number = 0; number < 50000; number++)
		assert_true(learn_in(0, number, (uint16_t)(256 + number % 3), 40));
	for (uint32_t exporter = 1; exporter <= 100; exporter++)
		assert_int_equal(in_force(exporter, 256, 100), 8);
	assert_in_range(templates_figures(t)->domains, 101, 200);
}

/* Together they fill the store, and each of them less than it may: who holds most gives way, not who was silent. */
static void some_greedy_exporters_cannot_drive_out_the_others(void **state)
{
	(void)state;
	for (uint32_t exporter = 1; exporter <= 100; exporter++)
		assert_true(learn(exporter, 256, 100, 8, 18));
	for (uint32_t i = 0; i < 50000; i++)
		assert_true(learn_in(1000 + i % 8, i, 256, (uint16_t)(1 + i % 50)));
	for (uint32_t exporter = 1; exporter <= 100; exporter++)
		assert_int_equal(in_force(exporter, 256, 100), 8);
	assert_true(templates_figures(t)->evicted_templates > 40000);
}

static void any_exporters_and_domains_leave_the_store_whole(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (uint32_t i = 0; i < 300000; i++) {
		uint32_t random = (uint32_t)((seed = seed * 6364136223846793005ull + 1442695040888963407ull) >> 33);

		learn_in(random % 7 ? random % 5 : random % 997, random / 7 % (i % 1000 < 500 ? 3 : 901),
			 (uint16_t)(256 + random / 7919 % 11), (uint16_t)(1 + random % 53));
	}
	assert_true(templates_figures(t)->refused == 0 && templates_figures(t)->evicted_domains > 1000);
	assert_true(templates_figures(t)->evicted_templates > 1000);
}

/* All sightings of one id in order: what is in force is read off the list. */
static void lookups_agree_with_a_list_of_all_sightings(void **state)
{
	struct {
		uint64_t at;
		uint16_t first; /* 0: withdrawn */
	} seen[200];
	uint64_t seed = 3;

	(void)state;
	for (uint16_t id = 256; id < 1256; id++) {
		uint32_t count = 0, changes = 0;

		for (uint64_t at = 10; changes < TEMPLATES_HISTORY - 1 && count < 200; at += seed >> 60) {
			uint16_t first = (uint16_t)((seed = seed * 6364136223846793005ull + 1442695040888963407ull) >> 40 & 3);

			if (count && at == seen[count - 1].at)
				first = seen[count - 1].first;
			changes += count == 0 ? first != 0 : first != seen[count - 1].first;
			learn(1, id, at, first, first ? 3 : 0);
			if (count || first) { /* nothing is withdrawn that is not known */
				seen[count].at = at;
				seen[count++].first = first;
			}
		}
		for (uint64_t at = 0; at < 200; at += 3) {
			uint32_t i = 0;

			while (i < count && seen[i].at <= at)
				i++;
			i -= i > 0; /* the last one at or before, or the first */
			while (i < count && seen[i].first == 0)
				i++;
			assert_int_equal(in_force(1, id, at), i < count ? seen[i].first : 0);
		}
		withdraw(1, id, 100000);
	}
}

/* Every operation at random, more than fits. */
static void any_sequence_of_operations_leaves_the_store_whole(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t random = (uint32_t)((seed = seed * 6364136223846793005ull + 1442695040888963407ull) >> 33);
		uint32_t exporter = random % 61;
		uint16_t id = (uint16_t)(256 + random / 61 % 23);

		switch (random >> 27 & 7) {
		case 0:
		case 1:
			withdraw(exporter, id, random % 1000);
			break;
		case 2:
			in_force(exporter, id, random % 1000);
			break;
		default:
			learn(exporter, id, random % 1000, (uint16_t)(1 + random % 5), (uint16_t)(1 + random % 60));
		}
		assert_true(templates_figures(t)->definitions <= templates_figures(t)->templates * TEMPLATES_HISTORY);
		assert_true(templates_figures(t)->domains <= 61);
	}
	assert_true(templates_figures(t)->evicted_domains + templates_figures(t)->evicted_templates > 0);
}

/* What was given out, so that it can be taken back in any order. */
static struct {
	uint8_t bytes[64][TEMPLATE_SAVED_MAX];
	uint32_t lengths[64], count, room;
} saved;

static bool keep(void *arg, const uint8_t *bytes, uint32_t length)
{
	(void)arg;
	if (saved.count == saved.room)
		return false;
	memcpy(saved.bytes[saved.count], bytes, length);
	saved.lengths[saved.count++] = length;
	return true;
}

static void what_is_exported_once_and_imported_in_any_order_is_the_same_store(void **state)
{
	(void)state;
	saved.count = 0;
	saved.room = 2;
	learn(1, 256, 100, 8, 3);
	learn(1, 256, 200, 12, 200);
	withdraw(1, 256, 300);
	learn(2, 300, 400, 27, 1);
	assert_int_equal(templates_export(t, keep, NULL), 2); /* a database that is full: the rest stays new */
	saved.room = 64;
	assert_int_equal(templates_export(t, keep, NULL), 2);
	assert_int_equal(templates_export(t, keep, NULL), 0);
	learn(1, 256, 110, 8, 3);
	assert_int_equal(templates_export(t, keep, NULL), 0);
	learn(1, 256, 90, 8, 3); /* in force earlier */
	assert_int_equal(templates_export(t, keep, NULL), 1);
	for (int order = 0; order < 2; order++) {
		templates_free(t);
		make(NULL);
		for (uint32_t i = 0; i < saved.count; i++) {
			uint32_t n = order ? saved.count - 1 - i : i;

			assert_int_equal(templates_import(t, saved.bytes[n], saved.lengths[n]), 0);
		}
		assert_int_equal(templates_export(t, keep, NULL), 0);
		assert_int_equal(templates_figures(t)->definitions, 4);
		assert_int_equal(in_force(1, 256, 90), 8);
		assert_int_equal(in_force(1, 256, 199), 8);
		assert_int_equal(in_force(1, 256, 299), 12);
		assert_int_equal(in_force(1, 256, 300), 0);
		assert_int_equal(in_force(2, 300, 1), 27);
	}
}

static void bytes_that_were_never_exported_are_not_imported(void **state)
{
	uint8_t *exact;

	(void)state;
	saved.count = 0;
	saved.room = 64;
	learn(1, 256, 100, 8, 3);
	assert_int_equal(templates_export(t, keep, NULL), 1);
	for (uint32_t length = 0; length <= saved.lengths[0] + 1; length++) {
		exact = malloc(length ? length : 1);
		memcpy(exact, saved.bytes[0], length);
		assert_int_equal(templates_import(t, exact, length), length == saved.lengths[0] ? 0 : -EINVAL);
		free(exact);
	}
	for (uint32_t at = 0; at < 4; at++) {
		saved.bytes[0][at] ^= 0x40;
		assert_int_equal(templates_import(t, saved.bytes[0], saved.lengths[0]), -EINVAL);
		saved.bytes[0][at] ^= 0x40;
	}
	saved.bytes[0][26] = 1; /* more scopes than fields */
	assert_int_equal(templates_import(t, saved.bytes[0], saved.lengths[0]), -EINVAL);
}

/* Kept for ever: these bytes were written by the first version. */
static void the_first_format_is_read_for_ever(void **state)
{
	static const uint8_t bytes[] = {1, 10, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0,
					0, 0, 0, 0, 0, 0, 0, 100, 0, 2, 0, 8, 0, 4, 0, 0, 0, 0, 0, 80, 255, 255, 0, 0, 0x8b, 0x30};
	struct template_domain domain = domain_of(1);
	const struct template *template;

	(void)state;
	assert_int_equal(templates_import(t, bytes, sizeof bytes), 0);
	template = templates_lookup(t, templates_find(t, &domain), 256, 100);
	assert_non_null(template);
	assert_int_equal(template->count, 2);
	assert_int_equal(template->bytes_min, 5);
	assert_true(template->variable);
	assert_int_equal(template->parts->fields[1].enterprise, 35632);
	assert_int_equal(template->parts->fields[1].id, 80);
	assert_memory_equal(template->names->bytes, "\x0bie_35632_80", 13);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_definition_is_in_force_from_its_arrival_and_before_if_it_is_the_first),
		TEST(the_same_definition_again_is_no_news),
		TEST(a_definition_seen_earlier_than_known_is_in_force_earlier),
		TEST(of_two_definitions_of_one_time_the_later_holds_and_both_are_known),
		TEST(a_withdrawal_ends_a_definition_and_flows_wait_for_the_next),
		TEST(malformed_definitions_are_refused),
		TEST(a_template_keeps_its_newest_definitions),
		TEST(a_full_store_forgets_who_was_used_least_recently),
		TEST(one_exporter_cannot_drive_out_the_others),
		TEST(one_exporter_of_many_domains_cannot_drive_out_the_others),
		TEST(some_greedy_exporters_cannot_drive_out_the_others),
		TEST(any_exporters_and_domains_leave_the_store_whole),
		TEST(lookups_agree_with_a_list_of_all_sightings),
		TEST(any_sequence_of_operations_leaves_the_store_whole),
		TEST(what_is_exported_once_and_imported_in_any_order_is_the_same_store),
		TEST(bytes_that_were_never_exported_are_not_imported),
		TEST(the_first_format_is_read_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
