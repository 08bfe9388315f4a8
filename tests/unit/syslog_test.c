#include "tests/unit/syslog_fixture.h"

static void the_examples_of_rfc_5424(void **state)
{
	static const struct example examples[] = {
		{"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed for "
		 "lonvick on /dev/pts/8",
		 "{" AUTH_CRIT
		 ",\"version\":1,\"timestamp\":2003-10-11T22:14:15.003000000Z,\"host\":\"mymachine.example.com\","
		 "\"app_name\":\"su\",\"msgid\":\"ID47\",\"message\":\"'su root' failed for lonvick on /dev/pts/8\"}"},
		{"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
		 "{" LOCAL4_NOTICE ",\"version\":1,\"timestamp\":2003-08-24T12:14:15.000003000Z,\"host\":\"192.0.2.1\","
		 "\"app_name\":\"myproc\",\"procid\":\"8710\",\"message\":\"%% It's time to make the do-nuts.\"}"},
		{"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" "
		 "eventSource=\"Application\" eventID=\"1011\"] \xef\xbb\xbf"
		 "An application event log entry...",
		 "{" LOCAL4_NOTICE
		 ",\"version\":1,\"timestamp\":2003-10-11T22:14:15.003000000Z,\"host\":\"mymachine.example.com\","
		 "\"app_name\":\"evntslog\",\"msgid\":\"ID47\",\"structured_data\":{\"exampleSDID@32473\":{\"iut\":"
		 "\"3\","
		 "\"eventSource\":\"Application\",\"eventID\":\"1011\"}},\"message\":\"An application event log "
		 "entry...\"}"},
		{"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" "
		 "eventSource=\"Application\" eventID=\"1011\"][examplePriority@32473 class=\"high\"]",
		 "{" LOCAL4_NOTICE
		 ",\"version\":1,\"timestamp\":2003-10-11T22:14:15.003000000Z,\"host\":\"mymachine.example.com\","
		 "\"app_name\":\"evntslog\",\"msgid\":\"ID47\",\"structured_data\":{\"exampleSDID@32473\":{\"iut\":"
		 "\"3\","
		 "\"eventSource\":\"Application\",\"eventID\":\"1011\"},\"examplePriority@32473\":{\"class\":\"high\"}}"
		 "}"},
		{"<0>1 - - - - - -", "{\"facility\":0,\"facility_name\":\"kern\",\"severity\":0,\"severity_name\":"
				     "\"emerg\",\"version\":1}"},
		{"<191>1 - - - - - - \n", "{\"facility\":23,\"facility_name\":\"local7\",\"severity\":7,\"severity_"
					  "name\":\"debug\",\"version\":1}"},
	};

	(void)state;
	EXPECT(examples);
}

static void structured_data_is_unescaped(void **state)
{
	static const struct example examples[] = {
		{"<34>1 - - - - - [a b=\"x\\\"y\\\\z\\]\" c=\"\\n\\\\\" d=\"\"][e] m",
		 "{" AUTH_CRIT
		 ",\"version\":1,\"structured_data\":{\"a\":{\"b\":\"x\\\"y\\\\z]\",\"c\":\"\\\\n\\\\\",\"d\":\"\"},"
		 "\"e\":{}},\"message\":\"m\"}"},
		{"<34>1 - - - - - [a b=\"k\xc3\xa4se\"] -",
		 "{" AUTH_CRIT
		 ",\"version\":1,\"structured_data\":{\"a\":{\"b\":\"k\\xc3\\xa4se\"}},\"message\":\"-\"}"},
		{"<34>1 - - - - - [a b=\"\xff\"]",
		 "encoding {" AUTH_CRIT ",\"version\":1,\"structured_data\":{\"a\":{}}}"},
		{"<34>1 - - - - - [a b=\"\\\"\xff\"]",
		 "encoding {" AUTH_CRIT ",\"version\":1,\"structured_data\":{\"a\":{}}}"},
		{"<34>1 - - - - - [a b=\"1\"",
		 "truncated {" AUTH_CRIT ",\"version\":1,\"structured_data\":{\"a\":{\"b\":\"1\"}}}"},
		{"<34>1 - - - - - [a b=\"1\"]x",
		 "syntax {" AUTH_CRIT ",\"version\":1,\"structured_data\":{\"a\":{\"b\":\"1\"}}}"},
		{"<34>1 - - - - - [=\"1\"]", "syntax {" AUTH_CRIT ",\"version\":1,\"structured_data\":{}}"},
		{"<34>1 - - - - - [a b]", "truncated {" AUTH_CRIT ",\"version\":1,\"structured_data\":{\"a\":{}}}"},
		{"<34>1 - - - - - [a b] m", "syntax {" AUTH_CRIT ",\"version\":1,\"structured_data\":{\"a\":{}}}"},
		{"<34>1 - - - - - x", "syntax {" AUTH_CRIT ",\"version\":1}"},
	};

	(void)state;
	EXPECT(examples);
}

static void names_that_are_there_again_are_numbered(void **state)
{
	static const struct example examples[] = {
		{"<34>1 - - - - - [origin ip=\"1\" ip=\"2\" x=\"\" ip=\"\\\"3\"][b ip=\"4\"]",
		 "{" AUTH_CRIT ",\"version\":1,\"structured_data\":{\"origin\":{\"ip\":\"1\",\"ip_2\":\"2\",\"x\":\"\","
		 "\"ip_3\":\"\\\"3\"},"
		 "\"b\":{\"ip\":\"4\"}}}"},
		{"<34>1 - - - - - [a b=\"1\"][a b=\"2\"][c][a]",
		 "{" AUTH_CRIT ",\"version\":1,\"structured_data\":{\"a\":{\"b\":\"1\"},\"a_2\":{\"b\":\"2\"},\"c\":{},"
		 "\"a_3\":{}}}"},
		/* Long ones that differ in their middle only; short ones that begin alike. */
		{"<34>1 - - - - - [e abcdefghijklmnop1ABCDEFGHIJKLMNOP=\"1\" abcdefghijklmnop2ABCDEFGHIJKLMNOP=\"2\" "
		 "abcdefghijklmnop2ABCDEFGHIJKLMNOP=\"3\" abcdefghijklmnop1ABCDEFGHIJKLMNOP=\"4\"]",
		 "{" AUTH_CRIT ",\"version\":1,\"structured_data\":{\"e\":{\"abcdefghijklmnop1ABCDEFGHIJKLMNOP\":\"1\","
		 "\"abcdefghijklmnop2ABCDEFGHIJKLMNOP\":\"2\",\"abcdefghijklmnop2ABCDEFGHIJKLMNOP_2\":\"3\","
		 "\"abcdefghijklmnop1ABCDEFGHIJKLMNOP_2\":\"4\"}}}"},
		{"<34>1 - - - - - [e a=\"1\" aa=\"2\" aaa=\"3\" aa=\"4\"]",
		 "{" AUTH_CRIT ",\"version\":1,\"structured_data\":{\"e\":{\"a\":\"1\",\"aa\":\"2\",\"aaa\":\"3\","
		 "\"aa_2\":\"4\"}}}"},
	};

	(void)state;
	EXPECT(examples);
}

/* The last of a name that is there twice, the first of all or behind the others, as it is put. */
static const char *last_name(uint32_t others, bool first, const char *name)
{
	static char record[4096];
	uint32_t at = (uint32_t)sprintf(record, "<34>1 - - - - - [e");

	if (first)
		at += (uint32_t)sprintf(record + at, " %s=\"\"", name);
	for (uint32_t i = 0; i < others; i++)
		at += (uint32_t)sprintf(record + at, " n%u=\"\"", (unsigned)i);
	if (!first)
		at += (uint32_t)sprintf(record + at, " %s=\"\"", name);
	sprintf(record + at, " %s=\"\"]", name);
	return strrchr(field_text_of(syslog_codec(), record, (uint32_t)strlen(record)), ',');
}

static void the_first_sixteen_different_names_are_numbered(void **state)
{
	(void)state;
	for (uint32_t others = 0; others < 40; others++) {
		assert_string_equal(last_name(others, true, "ip"), ",\"ip_2\":\"\"}}}");
		assert_string_equal(last_name(others, false, "ip"), others < 16 ? ",\"ip_2\":\"\"}}}" : ",\"ip\":\"\"}}}");
	}
}

static void names_of_up_to_255_bytes_are_numbered(void **state)
{
	char name[300], numbered[320], plain[320];

	(void)state;
	for (uint32_t length = 250; length < 260; length++) {
		memset(name, 'n', length);
		name[length] = '\0';
		sprintf(numbered, ",\"%s_2\":\"\"}}}", name);
		sprintf(plain, ",\"%s\":\"\"}}}", name);
		assert_string_equal(last_name(3, true, name), length <= 255 ? numbered : plain);
	}
}

static void sixty_four_names_of_an_element_are_told_apart(void **state)
{
	char record[4096], expected[32];
	uint32_t at = (uint32_t)sprintf(record, "<34>1 - - - - - [e x=\"\"");

	(void)state;
	for (uint32_t name = 2; name < 100; name++) { /* the first is another */
		at += (uint32_t)sprintf(record + at, " ip=\"\"");
		sprintf(record + at, "]");
		sprintf(expected, name > 2 && name <= 64 ? ",\"ip_%u\":\"\"}}}" : ",\"ip\":\"\"}}}",
			(unsigned)name - 1);
		assert_string_equal(strrchr(field_text_of(syslog_codec(), record, at + 1), ','), expected);
	}
}

/* Of sixteen names that are hard to tell apart, some of them the same. */
static void numbers_are_those_of_plain_counting(void **state)
{
	char names[16][41], record[8192], expected[8192];

	(void)state;
	for (uint32_t round = 0; round < 2000; round++) {
		uint32_t chosen[64], at = (uint32_t)sprintf(record, "<34>1 - - - - - [e"), to = 0;

		for (uint32_t i = 0; i < 16; i++) {
			uint32_t length = round % 2 ? 1 + (uint32_t)rand() % 40 : 1 + round % 40;

			memset(names[i], 'a', length);
			names[i][(uint32_t)rand() % length] = 'b';
			names[i][length] = '\0';
		}
		for (uint32_t i = 0; i < 64; i++) {
			uint32_t times = 1;

			chosen[i] = (uint32_t)rand() % 16;
			for (uint32_t before = 0; before < i; before++)
				times += strcmp(names[chosen[before]], names[chosen[i]]) == 0;
			at += (uint32_t)sprintf(record + at, " %s=\"\"", names[chosen[i]]);
			to += (uint32_t)sprintf(expected + to, "%s\"%s", i ? "," : "{", names[chosen[i]]);
			if (times > 1)
				to += (uint32_t)sprintf(expected + to, "_%u", (unsigned)times);
			to += (uint32_t)sprintf(expected + to, "\":\"\"");
		}
		sprintf(record + at, "]");
		sprintf(expected + to, "}}}");
		assert_string_equal(strstr(field_text_of(syslog_codec(), record, at + 1), "{\"e\":") + 5, expected);
	}
}

static void what_is_wrong_with_an_rfc_5424_header_is_named(void **state)
{
	static const struct example examples[] = {
		{"<34>1 2003-10-11T22:14:15.003Z", "truncated {" AUTH_CRIT ",\"version\":1}"},
		{"<34>1 2003-10-11T22:14", "truncated {" AUTH_CRIT ",\"version\":1}"},
		{"<34>1 2003-13-11T22:14:15Z h a p m -", "time {" AUTH_CRIT ",\"version\":1}"},
		{"<34>1 2003-02-29T22:14:15Z h a p m -", "time {" AUTH_CRIT ",\"version\":1}"},
		{"<34>1 2003-10-11T22:14:60Z h a p m -", "time {" AUTH_CRIT ",\"version\":1}"},
		{"<34>1 1969-10-11T22:14:15Z h a p m -", "time {" AUTH_CRIT ",\"version\":1}"},
		{"<34>1 2003-10-11T22:14:15+24:00 h a p m -", "time {" AUTH_CRIT ",\"version\":1}"},
		{"<34>1 2003-10-11 22:14:15 h a p m -", "time {" AUTH_CRIT ",\"version\":1}"},
		{"<34>1 -  app - - -", "syntax {" AUTH_CRIT ",\"version\":1}"},
		{"<34>1 - host app", "truncated {" AUTH_CRIT ",\"version\":1,\"host\":\"host\"}"},
		{"<34>1 - h a p m - \xef\xbb\xbf\xc3(",
		 "encoding {" AUTH_CRIT
		 ",\"version\":1,\"host\":\"h\",\"app_name\":\"a\",\"procid\":\"p\",\"msgid\":\"m\"}"},
	};

	(void)state;
	EXPECT(examples);
}

/* Records of a datagram, each in brackets. */
static const char *cut(const char *datagram)
{
	static char text[4096];
	struct slice slices[64];
	uint32_t length = (uint32_t)strlen(datagram), consumed, at = 0, left_out;
	uint32_t count = syslog_cut((const uint8_t *)datagram, length, slices, 64, &consumed);

	assert_int_equal(consumed, length);
	text[0] = '\0';
	for (uint32_t i = 0; i < count; i++)
		at += (uint32_t)snprintf(text + at, sizeof text - at, "[%.*s]", (int)slices[i].length,
					 datagram + slices[i].offset);
	codec_check_datagram(syslog_codec(), (const uint8_t *)datagram, length, 2, &left_out);
	return text;
}

static void datagrams_are_cut_by_octet_counts_and_newlines(void **state)
{
	(void)state;
	assert_string_equal(cut(""), "");
	assert_string_equal(cut("<1>a"), "[<1>a]");
	assert_string_equal(cut("<1>a\n"), "[<1>a]");
	assert_string_equal(cut("<1>a\r\n<2>b\n\n<3>c"), "[<1>a][<2>b][<3>c]");
	assert_string_equal(cut("<1>a\n  at line 2\n  at line 3\n<2>b"), "[<1>a\n  at line 2\n  at line 3][<2>b]");
	assert_string_equal(cut("<1>a\n<b>\n<999>\n<2>c"), "[<1>a\n<b>\n<999>][<2>c]");
	assert_string_equal(cut("no priority\n<1>a"), "[no priority][<1>a]");
	assert_string_equal(cut("\n\n<1>a"), "[<1>a]");
	assert_string_equal(cut("4 <1>a5 <22>b"), "[<1>a][<22>b]");
	assert_string_equal(cut("5 <1>a\n5 <22>b\n"), "[<1>a][<22>b]");
	assert_string_equal(cut("6 <1>a\nb7 <2>c\n<3"), "[<1>a\nb][<2>c\n<3]");
	/* Counts that lie. */
	assert_string_equal(cut("400 <1>a"), "[<1>a]");
	assert_string_equal(cut("3 <1>abc"), "[<1>][abc]");
	assert_string_equal(cut("1 <1>a\n<2>b"), "[<][1>a][<2>b]");
	assert_string_equal(cut("0 <1>a"), "[0 <1>a]");
	assert_string_equal(cut("04 <1>a"), "[04 <1>a]");
	assert_string_equal(cut("123456 <1>a"), "[123456 <1>a]");
	assert_string_equal(cut("4<1>a"), "[4<1>a]");
	assert_string_equal(cut("4 x<1>a"), "[4 x<1>a]");
}

static void no_byte_but_framing_is_left_out(void **state)
{
	static const char alphabet[] = "<1>\n\r 25ab";
	uint8_t datagram[64];
	uint32_t left_out;

	(void)state;
	for (uint32_t round = 0; round < 200000; round++) {
		uint32_t length = (uint32_t)rand() % sizeof datagram, framing = 0, from = 0;
		struct slice slices[64];
		uint32_t consumed, count;

		for (uint32_t i = 0; i < length; i++)
			datagram[i] = (uint8_t)alphabet[(uint32_t)rand() % (sizeof alphabet - 1)];
		count = syslog_cut(datagram, length, slices, 64, &consumed);
		codec_check_datagram(syslog_codec(), datagram, length, 3, &left_out);
		/* Between records stand line ends, and the digits and space of a count that a '<' follows. */
		for (uint32_t i = 0; i <= count; i++) {
			uint32_t to = i < count ? slices[i].offset : length, at = from;

			while (at < to && (datagram[at] == '\n' || datagram[at] == '\r'))
				at++;
			if (at < to) {
				while (at < to && datagram[at] >= '0' && datagram[at] <= '9')
					at++;
				assert_true(at + 1 == to && datagram[at] == ' ' && i < count && datagram[to] == '<');
			}
			framing += to - from;
			from = i < count ? slices[i].offset + slices[i].length : from;
		}
		assert_int_equal(framing, left_out);
	}
}

static void nothing_is_read_outside_a_record(void **state)
{
	static const char *const records[] = {
		"<165>1 2003-10-11T22:14:15.003Z mymachine evntslog - ID47 [ex@1 iut=\"3\" a=\"\\\"\\]k\xc3\xa4\"][b] "
		"\xef\xbb\xbf"
		"text\n<1>b\n",
		"<38>Jan  2 03:04:05 gateway sshd[21847]: Accepted publickey\n12 <1>012345678\n",
		"<189>Oct 11 2003 22:14:15.123: %ASA-6-302013: Built\n<1>\n<2>",
		"<13>2026-01-02T04:04:05.5+01:00 gw app: iso",
		"<189>29: 000031: *Mar  1 00:00:29.103 2024 CEST: %LINK-3-UPDOWN: x",
		"<13>Jan  1 00:00:00 2024 UTC host app[7]: x",
		"<189>29: *Mar  1 18:46:11.345 UTC+1: %SYS-5-CONFIG_I: x",
		"<189>29: 000031: %SYS-5-CONFIG_I: x",
		"<189>29: 00:00:46: %LINK-3-UPDOWN: x",
		"<189>12345: RP/0/RP0/CPU0:Mar  1 12:00:00.123 : config[1234]: x",
		"<189>Mar  1 18:46:11 10.0.0.1 29: *Mar  1 18:46:11.345: x",
		"<34>Oct 11 22:14:15 2012 sshd[123]: failed",
		"<30>Mar  1 12:00:00 2024 JST : %X-1-Y: z",
		"<166>Mar 01 2024 12:00:00 fw01 : %ASA-6-302013: Built",
		"<189>Mar  1 12:00:00.000 CET : %X-1-Y: z",
		"<189>: 2024 Mar  1 12:00:00 EST: %ETHPORT-5-IF_UP: x",
		"<34>1 - - - - - [a ip=\"1\" ip=\"\\\"\" a_name_of_more_than_16=\"\" a_name_of_more_than_16=\"\"][a]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof records / sizeof *records; i++)
		codec_check_between_guards(syslog_codec(), records[i], (uint32_t)strlen(records[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_rfc_5424),
		cmocka_unit_test(structured_data_is_unescaped),
		cmocka_unit_test(names_that_are_there_again_are_numbered),
		cmocka_unit_test(the_first_sixteen_different_names_are_numbered),
		cmocka_unit_test(names_of_up_to_255_bytes_are_numbered),
		cmocka_unit_test(sixty_four_names_of_an_element_are_told_apart),
		cmocka_unit_test(numbers_are_those_of_plain_counting),
		cmocka_unit_test(what_is_wrong_with_an_rfc_5424_header_is_named),
		cmocka_unit_test(datagrams_are_cut_by_octet_counts_and_newlines),
		cmocka_unit_test(no_byte_but_framing_is_left_out),
		cmocka_unit_test(nothing_is_read_outside_a_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
