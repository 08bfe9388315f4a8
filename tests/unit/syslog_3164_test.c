#include <time.h>

#include "dataplane/codec/instant.h"
#include "tests/unit/syslog_fixture.h"

#define USER_NOTICE "\"facility\":1,\"facility_name\":\"user\",\"severity\":5,\"severity_name\":\"notice\""

static void what_rfc_3164_observed(void **state)
{
	static const struct example examples[] = {
		/* The examples of its section 5.4. */
		{"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
		 "{" AUTH_CRIT
		 ",\"timestamp\":2025-10-11T22:14:15.000000000Z,\"host\":\"mymachine\",\"app_name\":\"su\","
		 "\"message\":\"'su root' failed for lonvick on /dev/pts/8\"}"},
		{"Use the BFG!", "{" USER_NOTICE ",\"message\":\"Use the BFG!\"}"},
		{"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
		 "{" USER_NOTICE
		 ",\"timestamp\":2026-02-05T17:32:18.000000000Z,\"host\":\"10.0.0.99\",\"message\":\"Use the BFG!\"}"},
		{"<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time",
		 "{" LOCAL4_NOTICE ",\"timestamp\":2025-08-24T05:34:00.000000000Z,\"host\":\"CST\","
		 "\"message\":\"1987 mymachine myproc[10]: %% It's time\"}"},
		/* 4.3.3: an unidentifiable PRI is none. */
		{"<00>...", "{" USER_NOTICE ",\"message\":\"<00>...\"}"},
		{"<192>x", "{" USER_NOTICE ",\"message\":\"<192>x\"}"},
		{"<1234>x", "{" USER_NOTICE ",\"message\":\"<1234>x\"}"},
		{"<>x", "{" USER_NOTICE ",\"message\":\"<>x\"}"},
		/* What programs send. */
		{"<38>Jan  2 03:04:05 gw sshd[21847]: Accepted publickey\n",
		 "{\"facility\":4,\"facility_name\":\"auth\",\"severity\":6,\"severity_name\":\"info\",\"timestamp\":"
		 "2026-01-02T03:04:05.000000000Z,"
		 "\"host\":\"gw\",\"app_name\":\"sshd\",\"procid\":\"21847\",\"message\":\"Accepted publickey\"}"},
		{"<13>Jan  2 03:04:05 root: no host",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-02T03:04:05.000000000Z,\"app_name\":\"root\","
		 "\"message\":\"no host\"}"},
		{"<13>Jan  2 03:04:05 cron[7]: no host",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-02T03:04:05.000000000Z,\"app_name\":\"cron\","
		 "\"procid\":\"7\",\"message\":\"no host\"}"},
		{"<13>app[7] text", "{" USER_NOTICE ",\"app_name\":\"app\",\"procid\":\"7\",\"message\":\"text\"}"},
		{"<13>app[7 text", "{" USER_NOTICE ",\"message\":\"app[7 text\"}"},
		{"<13>app: ", "{" USER_NOTICE ",\"app_name\":\"app\"}"},
		{"<13>a time of 10:30", "{" USER_NOTICE ",\"message\":\"a time of 10:30\"}"},
		{"<13>2026-01-02T04:04:05.5+01:00 gw app: iso",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-02T03:04:05.500000000Z,\"host\":\"gw\",\"app_name\":\"app\","
				 "\"message\":\"iso\"}"},
		/* syslog-ng's loggen. */
		{"<38>2026-01-02T03:04:05 localhost prg00000[1234]: seq: 0000000000",
		 "{\"facility\":4,\"facility_name\":\"auth\",\"severity\":6,\"severity_name\":\"info\",\"timestamp\":"
		 "2026-01-02T03:04:05.000000000Z,"
		 "\"host\":\"localhost\",\"app_name\":\"prg00000\",\"procid\":\"1234\",\"message\":\"seq: 0000000000\"}"},
		{"<13>2026-01-02T03:04:05.25: app: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-02T03:04:05.250000000Z,\"app_name\":\"app\",\"message\":\"x\"}"},
		{"<13>2026-01-02T03:04:05", "{" USER_NOTICE ",\"timestamp\":2026-01-02T03:04:05.000000000Z}"},
		{"<13>2026-01-02T03:04:05+ x", "{" USER_NOTICE ",\"message\":\"2026-01-02T03:04:05+ x\"}"},
		{"<13>2026-01-02T24:04:05 x", "{" USER_NOTICE ",\"message\":\"2026-01-02T24:04:05 x\"}"},
		{"<189>Oct 11 2003 22:14:15: %ASA-6-302013: Built",
		 "{\"facility\":23,\"facility_name\":\"local7\",\"severity\":5,\"severity_name\":\"notice\","
		 "\"timestamp\":2003-10-11T22:14:15.000000000Z,"
		 "\"app_name\":\"%ASA-6-302013\",\"message\":\"Built\"}"},
		{"<13>Oct 11 22:14:15.123 gw app: x",
		 "{" USER_NOTICE ",\"timestamp\":2025-10-11T22:14:15.123000000Z,\"host\":\"gw\",\"app_name\":\"app\","
				 "\"message\":\"x\"}"},
		{"<13>Oct 32 22:14:15 gw app: x", "{" USER_NOTICE ",\"message\":\"Oct 32 22:14:15 gw app: x\"}"},
		{"<13>1 fish", "{" USER_NOTICE ",\"message\":\"1 fish\"}"},
		{"<13>2 - - - - - -", "{" USER_NOTICE ",\"message\":\"2 - - - - - -\"}"},
		{"<13>k\xe4se", "{" USER_NOTICE ",\"message\":\"k\\xe4se\"}"},
		{"<13>", "{" USER_NOTICE "}"},
		{"", "empty {}"},
		{"\r\n", "empty {}"},
	};

	(void)state;
	EXPECT(examples);
	assert_string_equal(field_text_of(syslog_codec(), "<13>x\0\0", 7), "{" USER_NOTICE ",\"message\":\"x\"}");
}

#define LOCAL7_NOTICE "\"facility\":23,\"facility_name\":\"local7\",\"severity\":5,\"severity_name\":\"notice\""
#define LINK "\"app_name\":\"%LINK-3-UPDOWN\",\"message\":\"x\"}"

/* Cisco IOS: "logging message-counter syslog", "service sequence-numbers", "service timestamps log datetime msec
 * show-timezone year". */
static void numbers_and_marks_in_front_of_a_time_are_skipped(void **state)
{
	static const struct example examples[] = {
		{"<189>29: *Mar  1 00:00:29.103: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T00:00:29.103000000Z," LINK},
		{"<189>29: .Mar  1 00:00:29.103: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T00:00:29.103000000Z," LINK},
		{"<189>29: 000031: Mar  1 00:00:29: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T00:00:29.000000000Z," LINK},
		{"<189>*Mar  1 2024 00:00:29.103 UTC: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2024-03-01T00:00:29.103000000Z," LINK},
		{"<189>4294967295: 2026-03-01T00:00:29: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T00:00:29.000000000Z," LINK},
		/* NX-OS leaves the number out, and writes the year first. */
		{"<189>: 2024 Mar  1 12:00:00 EST: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2024-03-01T17:00:00.000000000Z," LINK},
		{"<189>: 2024 Mar 10 12:00:00.5: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2024-03-10T12:00:00.500000000Z," LINK},
		/* No time behind them: part of the message. */
		{"<13>: now", "{" USER_NOTICE ",\"message\":\": now\"}"},
		{"<13>2024 Mar sales: x", "{" USER_NOTICE ",\"message\":\"2024 Mar sales: x\"}"},
		{"<13>2024 Mar  1 2023 12:00:00 h", "{" USER_NOTICE ",\"message\":\"2024 Mar  1 2023 12:00:00 h\"}"},
		{"<13>29: *now", "{" USER_NOTICE ",\"message\":\"29: *now\"}"},
		{"<13>*Mar 1 is near", "{" USER_NOTICE ",\"message\":\"*Mar 1 is near\"}"},
		{"<13>29:Mar  1 00:00:29 h", "{" USER_NOTICE ",\"message\":\"29:Mar  1 00:00:29 h\"}"},
		{"<13>29", "{" USER_NOTICE ",\"message\":\"29\"}"},
		{"<13>29: ", "{" USER_NOTICE ",\"message\":\"29: \"}"},
		{"<13>29: *", "{" USER_NOTICE ",\"message\":\"29: *\"}"},
	};

	(void)state;
	EXPECT(examples);
}

static void a_number_is_no_program(void **state)
{
	static const struct example examples[] = {
		{"<189>29: R1: *Mar  1 18:46:11.345: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"message\":\"29: R1: *Mar  1 18:46:11.345: %LINK-3-UPDOWN: x\"}"},
		{"<189>29: 00:00:46: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"message\":\"29: 00:00:46: %LINK-3-UPDOWN: x\"}"},
		{"<189>12345: RP/0/RP0/CPU0:Mar  1 12:00:00.123 : config[1234]: x",
		 "{" LOCAL7_NOTICE ",\"message\":\"12345: RP/0/RP0/CPU0:Mar  1 12:00:00.123 : config[1234]: x\"}"},
		{"<189>Mar  1 18:46:11 10.0.0.1 29: *Mar  1 18:46:11.345: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T18:46:11.000000000Z,\"host\":\"10.0.0.1\","
		 "\"message\":\"29: *Mar  1 18:46:11.345: %LINK-3-UPDOWN: x\"}"},
		{"<13>29", "{" USER_NOTICE ",\"message\":\"29\"}"},
		{"<13>29:", "{" USER_NOTICE ",\"message\":\"29:\"}"},
		/* With a pid it is; and so is what only begins with a number. */
		{"<13>29[7]: x", "{" USER_NOTICE ",\"app_name\":\"29\",\"procid\":\"7\",\"message\":\"x\"}"},
		{"<13>29er: x", "{" USER_NOTICE ",\"app_name\":\"29er\",\"message\":\"x\"}"},
		/* A mnemonic behind it is. */
		{"<189>29: %LINK-3-UPDOWN: x", "{" LOCAL7_NOTICE "," LINK},
		{"<189>29: 000031: %LINK-3-UPDOWN: x", "{" LOCAL7_NOTICE "," LINK},
		{"<189>Mar  1 18:46:11 10.0.0.1 29: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T18:46:11.000000000Z,\"host\":\"10.0.0.1\"," LINK},
		{"<13>29: %", "{" USER_NOTICE ",\"message\":\"29: %\"}"},
		{"<13>29: % of all: x", "{" USER_NOTICE ",\"message\":\"29: % of all: x\"}"},
		{"<13>29: *%a: x", "{" USER_NOTICE ",\"message\":\"29: *%a: x\"}"},
	};

	(void)state;
	EXPECT(examples);
}

static void a_colon_may_have_a_blank_in_front(void **state)
{
	static const struct example examples[] = {
		/* Cisco ASA: "logging device-id hostname". */
		{"<189>Mar 01 2024 12:00:00 fw01 : %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2024-03-01T12:00:00.000000000Z,\"host\":\"fw01\"," LINK},
		{"<189>Mar 01 2024 12:00:00 FW01 : %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2024-03-01T12:00:00.000000000Z,\"host\":\"FW01\"," LINK},
		{"<13>Mar 01 2024 12:00:00 fw01 : x",
		 "{" USER_NOTICE ",\"timestamp\":2024-03-01T12:00:00.000000000Z,\"host\":\"fw01\",\"message\":\": x\"}"},
		{"<189>Mar  1 12:00:00.000 CET : %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T11:00:00.000000000Z," LINK},
		{"<189>Mar  1 12:00:00 : %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T12:00:00.000000000Z," LINK},
		{"<189>Mar  1 12:00:00 2024 : %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2024-03-01T12:00:00.000000000Z," LINK},
		{"<189>2026-03-01T12:00:00Z : %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T12:00:00.000000000Z," LINK},
		{"<13>Mar  1 12:00:00 :", "{" USER_NOTICE ",\"timestamp\":2026-03-01T12:00:00.000000000Z}"},
		{"<13>Mar  1 12:00:00 :x",
		 "{" USER_NOTICE ",\"timestamp\":2026-03-01T12:00:00.000000000Z,\"message\":\":x\"}"},
	};

	(void)state;
	EXPECT(examples);
}

static void a_year_behind_a_time_is_no_host(void **state)
{
	static const struct example examples[] = {
		{"<13>Jan  1 00:00:00 2024 host app: x",
		 "{" USER_NOTICE ",\"timestamp\":2024-01-01T00:00:00.000000000Z,\"host\":\"host\",\"app_name\":\"app\","
		 "\"message\":\"x\"}"},
		{"<13>Feb 29 00:00:00.5 2024: app: x",
		 "{" USER_NOTICE ",\"timestamp\":2024-02-29T00:00:00.500000000Z,\"app_name\":\"app\",\"message\":\"x\"}"},
		{"<13>Jan  1 00:00:00 1999:", "{" USER_NOTICE ",\"timestamp\":1999-01-01T00:00:00.000000000Z}"},
		/* What nothing behind it makes one. */
		{"<34>Oct 11 22:14:15 2012 sshd[123]: failed",
		 "{" AUTH_CRIT ",\"timestamp\":2025-10-11T22:14:15.000000000Z,\"host\":\"2012\",\"app_name\":\"sshd\","
		 "\"procid\":\"123\",\"message\":\"failed\"}"},
		{"<13>Jan  1 00:00:00 2024 app: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"2024\",\"app_name\":\"app\","
		 "\"message\":\"x\"}"},
		{"<13>Jan  1 00:00:00 2024 items are done: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"2024\","
		 "\"message\":\"items are done: x\"}"},
		{"<13>Jan  1 00:00:00 1999",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"message\":\"1999\"}"},
		/* Out of range, of other digits than four, or behind a year. */
		{"<13>Jan  1 00:00:00 1969 app: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"1969\",\"app_name\":\"app\","
		 "\"message\":\"x\"}"},
		{"<13>Jan  1 00:00:00 2100 app: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"2100\",\"app_name\":\"app\","
		 "\"message\":\"x\"}"},
		{"<13>Jan  1 00:00:00 20245 app: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"20245\",\"app_name\":\"app\","
		 "\"message\":\"x\"}"},
		{"<13>Jan  1 00:00:00 2024.example app: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"2024.example\",\"app_name\":\"app\","
		 "\"message\":\"x\"}"},
		{"<13>Jan  1 2023 00:00:00 2024 app: x",
		 "{" USER_NOTICE ",\"timestamp\":2023-01-01T00:00:00.000000000Z,\"host\":\"2024\",\"app_name\":\"app\","
		 "\"message\":\"x\"}"},
		{"<13>Feb 29 00:00:00 2023 host app: x",
		 "{" USER_NOTICE ",\"message\":\"Feb 29 00:00:00 2023 host app: x\"}"},
	};

	(void)state;
	EXPECT(examples);
}

static void a_zone_is_told_from_a_host_that_is_called_so(void **state)
{
	static const struct example examples[] = {
		{"<189>29: Mar  1 00:00:29.103 CET: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-02-28T23:00:29.103000000Z," LINK},
		{"<189>29: Mar  1 00:00:29.103 2024 PST: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2024-03-01T08:00:29.103000000Z," LINK},
		{"<13>Jul  1 02:00:00 CEST:", "{" USER_NOTICE ",\"timestamp\":2026-07-01T00:00:00.000000000Z}"},
		{"<13>Jan  1 00:00:00 UTC host app: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"host\",\"app_name\":\"app\","
		 "\"message\":\"x\"}"},
		{"<13>Jan  1 00:00:00 2024 GMT host app[7]: x",
		 "{" USER_NOTICE ",\"timestamp\":2024-01-01T00:00:00.000000000Z,\"host\":\"host\",\"app_name\":\"app\","
		 "\"procid\":\"7\",\"message\":\"x\"}"},
		/* Hosts. */
		{"<13>Jan  1 00:00:00 UTC app: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"UTC\",\"app_name\":\"app\","
		 "\"message\":\"x\"}"},
		{"<13>Jan  1 00:00:00 UTC app[7] x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"UTC\",\"app_name\":\"app\","
		 "\"procid\":\"7\",\"message\":\"x\"}"},
		{"<13>Jan  1 00:00:00 UTC Use the BFG!",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"UTC\","
		 "\"message\":\"Use the BFG!\"}"},
		{"<13>Jan  1 00:00:00 EST host app: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"host\":\"EST\","
		 "\"message\":\"host app: x\"}"},
		/* Any word in front of a mnemonic is, of an offset that is not known. */
		{"<189>29: *Mar  1 18:46:11.345 CST: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T18:46:11.345000000Z," LINK},
		{"<189>Mar  1 18:46:11 JST: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T18:46:11.000000000Z," LINK},
		{"<189>Mar  1 2024 18:46:11 UTC+1: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2024-03-01T18:46:11.000000000Z," LINK},
		{"<189>Mar  1 18:46:11 2024 BST: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2024-03-01T18:46:11.000000000Z," LINK},
		{"<189>*Mar  1 18:46:11.345 EST: %LINK-3-UPDOWN: x",
		 "{" LOCAL7_NOTICE ",\"timestamp\":2026-03-01T23:46:11.345000000Z," LINK},
		{"<13>Jan  1 00:00:00 CROND[7]: %x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"app_name\":\"CROND\",\"procid\":\"7\","
		 "\"message\":\"%x\"}"},
		{"<13>Jan  1 00:00:00 app: %x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"app_name\":\"app\",\"message\":\"%x\"}"},
		/* Words that are no zone, or one of several. */
		{"<13>Jan  1 00:00:00 ABC: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"app_name\":\"ABC\",\"message\":\"x\"}"},
		{"<13>Jan  1 00:00:00 CST: x",
		 "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"app_name\":\"CST\",\"message\":\"x\"}"},
		{"<13>Jan  1 00:00:00 UTC:x", "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"message\":\"UTC:x\"}"},
		{"<13>Jan  1 00:00:00 UTC", "{" USER_NOTICE ",\"timestamp\":2026-01-01T00:00:00.000000000Z,\"message\":\"UTC\"}"},
	};

	(void)state;
	EXPECT(examples);
}

static void a_missing_year_is_the_one_nearest_to_arrival(void **state)
{
	static const struct {
		struct instant_date arrival;
		const char *record;
		int year;
	} cases[] = {
		{{2026, 1, 1}, "<13>Dec 31 23:59:59 h", 2025},  {{2025, 12, 31}, "<13>Jan  1 00:00:01 h", 2026},
		{{2026, 1, 1}, "<13>Jan  1 00:00:01 h", 2026},  {{2026, 7, 1}, "<13>Jan  1 00:00:01 h", 2026},
		{{2026, 6, 30}, "<13>Dec 30 00:00:01 h", 2026}, {{2024, 3, 1}, "<13>Feb 29 00:00:01 h", 2024},
		{{1970, 1, 1}, "<13>Oct  1 00:00:01 h", 1970},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct codec_record record = {.bytes = (const uint8_t *)cases[i].record,
					      .length = (uint32_t)strlen(cases[i].record),
					      .arrival_ns = (uint64_t)instant_days(cases[i].arrival) * 86400 *
							    INSTANT_SECOND};
		char expected[32];

		snprintf(expected, sizeof expected, "\"timestamp\":%d-", cases[i].year);
		assert_non_null(strstr(field_text_of_record(syslog_codec(), &record), expected));
	}
}

static void dates_are_those_of_the_calendar(void **state)
{
	char text[INSTANT_TEXT_BYTES], expected[40];

	(void)state;
	for (uint64_t day = 0; day < 213500; day++) {
		time_t seconds = (time_t)(day * 86400 + day % 86400);
		struct instant_date date = instant_date(day);
		uint64_t ns = (uint64_t)seconds * INSTANT_SECOND + day;
		struct tm tm;

		gmtime_r(&seconds, &tm);
		assert_int_equal(date.year, tm.tm_year + 1900);
		assert_int_equal(date.month, tm.tm_mon + 1);
		assert_int_equal(date.day, tm.tm_mday);
		assert_true(instant_date_exists(date));
		assert_int_equal(instant_days(date), day);
		instant_text(ns, text);
		strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &tm);
		assert_memory_equal(text, expected, 19);
		snprintf(expected, sizeof expected, ".%09uZ", (unsigned)(ns % INSTANT_SECOND));
		assert_memory_equal(text + 19, expected, 11);
	}
	assert_false(instant_date_exists((struct instant_date){2026, 2, 29}));
	assert_false(instant_date_exists((struct instant_date){2100, 2, 29}));
	assert_true(instant_date_exists((struct instant_date){2000, 2, 29}));
	assert_false(instant_date_exists((struct instant_date){2026, 0, 1}));
	assert_false(instant_date_exists((struct instant_date){2026, 13, 1}));
	assert_false(instant_date_exists((struct instant_date){2026, 4, 31}));
	assert_false(instant_date_exists((struct instant_date){2026, 4, 0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_rfc_3164_observed),
		cmocka_unit_test(numbers_and_marks_in_front_of_a_time_are_skipped),
		cmocka_unit_test(a_number_is_no_program),
		cmocka_unit_test(a_colon_may_have_a_blank_in_front),
		cmocka_unit_test(a_year_behind_a_time_is_no_host),
		cmocka_unit_test(a_zone_is_told_from_a_host_that_is_called_so),
		cmocka_unit_test(a_missing_year_is_the_one_nearest_to_arrival),
		cmocka_unit_test(dates_are_those_of_the_calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
