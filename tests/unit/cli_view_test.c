#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/cli/ledger_view.h"
#include "control/cli/read_from.h"
#include "control/cli/table.h"
#include "control/cli/top_view.h"
#include "control/store/store.h"

static const char ledger[] =
	"{\"balanced\": false, \"unaccounted\": 3, \"sections\": ["
	" {\"title\": \"port wire\", \"left\": [{\"label\": \"wire\", \"value\": 1000000, \"text\": \"frames\"}],"
	"  \"right\": [{\"label\": \"rx\", \"value\": 999900, \"text\": \"frames the driver handed to workers\"},"
	"   {\"label\": \"missed\", \"value\": 97, \"text\": \"no free descriptor\"}, {\"label\": \"no_mbuf\", \"value\": 0, \"text\": \"\"}],"
	"  \"difference\": 3},"
	" {\"title\": \"lane full\", \"left\": [{\"label\": \"lane_full\", \"value\": 0, \"text\": \"\"}],"
	"  \"right\": [{\"label\": \"in lanes\", \"value\": 0, \"text\": \"\"}], \"difference\": 0}]}";

static char *print_ledger(const struct ledger_view *view)
{
	json_t *answer = json_loads(ledger, 0, NULL);
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(answer);
	ledger_print(out, answer, view);
	fclose(out);
	json_decref(answer);
	return text;
}

static void the_ledger_shows_both_sides_their_sums_and_what_is_missing(void **state)
{
	char *text = print_ledger(&(struct ledger_view){.columns = 80});

	(void)state;
	assert_string_equal(text, "ledger  NOT BALANCED, 3 unaccounted\n"
				  "\n"
				  "- port wire --------------------------------------\n"
				  "  wire          1,000,000 |  rx            999,900\n"
				  "                          |  missed             97\n"
				  "                1,000,000 #                999,997  3 unaccounted\n"
				  "\n"
				  "1 sections of nothing but 0 (--all shows them):\n"
				  "  lane full\n");
	free(text);
	text = print_ledger(&(struct ledger_view){.columns = 160, .every_row = true, .colours = true});
	assert_non_null(strstr(text, "no_mbuf"));
	assert_non_null(strstr(text, "in lanes"));
	assert_non_null(strstr(text, "frames the driver handed to workers"));
	assert_non_null(strstr(text, "\033[1;31mNOT BALANCED"));
	free(text);
}

static json_t *status(uint64_t rx, uint64_t missed, uint64_t stored, uint64_t checksum)
{
	return json_pack("{s:b, s:I, s:[], s:{s:s, s:b}, s:{s:I, s:b}, s:[{s:s, s:b, s:b, s:I, s:I, s:I}], s:[{s:i, s:{s:I, s:I}}],"
			 " s:[{s:s, s:s, s:I}], s:[{s:s, s:I, s:b}], s:[]}",
			 "healthy", 1, "unaccounted", (json_int_t)0, "problems", "dataplane", "state", "running", "alive", 1, "store",
			 "written_bytes", (json_int_t)(stored * 100), "direct_io", 1, "ports", "name", "wire", "link", 1, "accountable",
			 1, "rx", (json_int_t)rx, "rx_bytes", (json_int_t)(rx * 64), "missed", (json_int_t)missed, "workers", "worker", 0,
			 "frames", "accepted", (json_int_t)rx, "udp_checksum", (json_int_t)checksum, "inputs", "name", "in", "stream",
			 "syslog", "bytes", (json_int_t)(stored * 50), "streams", "name", "syslog", "stored_records", (json_int_t)stored,
			 "writable", 1, "deliveries");
}

static void rates_are_what_grew_between_two_looks_and_a_restart_counts_from_0(void **state)
{
	struct state then, now;
	struct port_rates port;
	struct rates r;

	(void)state;
	assert_int_equal(state_parse(status(1000, 5, 500, 7), &then), 0);
	assert_int_equal(state_parse(status(3000, 25, 1500, 7), &now), 0);
	then.now_ns = 1000000000;
	now.now_ns = 3000000000;
	rates_of(&then, &now, &r);
	assert_true(r.frames == 1000 && r.bits == 1000 * 64 * 8 && r.dropped == 10 && r.records == 500);
	assert_true(r.bytes == 25000 && r.written == 50000 && r.fates == 0);
	assert_string_equal(r.growing, "");
	rates_of_port(&then, &now, 0, &port);
	assert_string_equal(port.growing, "missed");
	assert_int_equal(port.dropped_total, 25);
	state_free(&now);
	assert_int_equal(state_parse(status(200, 0, 100, 9), &now), 0);
	now.now_ns = 2000000000;
	rates_of(&then, &now, &r);
	assert_true(r.frames == 200 && r.dropped == 0 && r.records == 100 && r.fates == 2);
	assert_string_equal(r.growing, "udp_checksum");
	state_free(&then);
	state_free(&now);
}

static void pages_fit_80_columns_and_carry_what_they_show(void **state)
{
	struct top_history history = {.count = 3, .frames = {1, 2, 3}};
	struct state then, now;
	char *text = NULL, *line;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	assert_int_equal(state_parse(status(1000, 5, 500, 7), &then), 0);
	assert_int_equal(state_parse(status(2001000, 25, 1500, 8), &now), 0);
	then.now_ns = now.now_ns - 1000000000;
	top_print_head(out, &(struct top_view){.then = &then, .now = &now, .columns = 80});
	for (int page = 0; page < PAGES_END; page++)
		top_print_page(out, &(struct top_view){.then = &then, .now = &now, .history = &history, .columns = 80},
			       (enum top_page)page);
	fclose(out);
	assert_non_null(strstr(text, "2.00 M"));
	assert_non_null(strstr(text, "udp_checksum"));
	assert_non_null(strstr(text, "missed"));
	assert_non_null(strstr(text, "no deliveries"));
	for (char *rest = text; (line = strsep(&rest, "\n"));) {
		if (table_width(line) > 80)
			fail_msg("%u columns: %s", table_width(line), line);
	}
	free(text);
	state_free(&then);
	state_free(&now);
}

static void an_answer_that_is_no_status_is_refused(void **state)
{
	struct state s;

	(void)state;
	assert_int_equal(state_parse(json_pack("{s:b}", "ok", 1), &s), -71);
	state_free(&s);
	assert_int_equal(state_parse(json_array(), &s), -71);
	state_free(&s);
}

static void places_to_start_are_told_apart(void **state)
{
	char text[SEQUENCE_TEXT_MAX];
	struct read_from from;

	(void)state;
	assert_int_equal(read_from_parse("trim-horizon", 5, &from), 0);
	assert_int_equal(from.kind, FROM_TRIM_HORIZON);
	assert_int_equal(read_from_parse("latest", 5, &from), 0);
	assert_int_equal(from.kind, FROM_LATEST);
	assert_int_equal(read_from_parse("1767323045", 5, &from), 0);
	assert_int_equal(from.kind, FROM_TIME);
	assert_int_equal(read_from_parse("-1s", 3000000000u, &from), 0);
	assert_int_equal(from.kind, FROM_TIME);
	assert_int_equal(from.time_ns, 2000000000u);
	sequence_format(text, 3, 77);
	assert_int_equal(read_from_parse(text, 5, &from), 0);
	assert_int_equal(from.kind, FROM_SEQUENCE);
	assert_int_equal(from.shard, 3);
	assert_int_equal(from.sequence, 77);
	sequence_format(text, 12, 0);
	assert_int_equal(read_from_parse(text, 5, &from), 0);
	assert_int_equal(from.kind, FROM_SEQUENCE);
	assert_int_equal(from.shard, 12);
	assert_true(read_from_parse("soon", 5, &from) < 0);
	assert_true(read_from_parse("", 5, &from) < 0);
	assert_true(read_from_parse("99999999999999999999999999999999999999999", 5, &from) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ledger_shows_both_sides_their_sums_and_what_is_missing),
		cmocka_unit_test(rates_are_what_grew_between_two_looks_and_a_restart_counts_from_0),
		cmocka_unit_test(pages_fit_80_columns_and_carry_what_they_show),
		cmocka_unit_test(an_answer_that_is_no_status_is_refused),
		cmocka_unit_test(places_to_start_are_told_apart),
	};

	setlocale(LC_ALL, "C");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
