#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/fuzz/codec.h"
#include "tests/support/field_text.h"

static const struct codec *influx(void)
{
	return codec_by_id(CODEC_INFLUX);
}

static const char *decoded(const char *text)
{
	return field_text_of(influx(), text, strlen(text));
}

static void a_line_is_measurement_tags_fields_and_time(void **state)
{
	(void)state;
	assert_string_equal(
		decoded("myMeasurement,tag1=value1,tag2=value2 fieldKey=\"fieldValue\" 1556813561098000000"),
		"{\"measurement\":\"myMeasurement\",\"tags\":{\"tag1\":\"value1\",\"tag2\":\"value2\"},"
		"\"fields\":{\"fieldKey\":\"fieldValue\"},\"timestamp\":2019-05-02T16:12:41.098000000Z}");
	assert_string_equal(decoded("m a=1"), "{\"measurement\":\"m\",\"fields\":{\"a\":1}}");
	assert_string_equal(
		decoded("  m  a=1,b=2   17  "),
		"{\"measurement\":\"m\",\"fields\":{\"a\":1,\"b\":2},\"timestamp\":1970-01-01T00:00:00.000000017Z}");
}

static void values_are_typed(void **state)
{
	(void)state;
	assert_string_equal(decoded("m a=1,b=1.0,c=-1.234456e+78,d=12i,e=-12i,f=12u,g=.5,h=007i"),
			    "{\"measurement\":\"m\",\"fields\":{\"a\":1,\"b\":1.0,\"c\":-1.234456e+78,\"d\":12,\"e\":-"
			    "12,\"f\":12,\"g\":0.5,\"h\":7}}");
	assert_string_equal(decoded("m a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE"),
			    "{\"measurement\":\"m\",\"fields\":{\"a\":true,\"b\":true,\"c\":true,\"d\":true,\"e\":true,"
			    "\"f\":false,\"g\":false,\"h\":false,\"i\":false,\"j\":false}}");
	assert_string_equal(decoded("m a=9223372036854775807i,b=-9223372036854775808i,c=18446744073709551615u"),
			    "{\"measurement\":\"m\",\"fields\":{\"a\":9223372036854775807,\"b\":-9223372036854775808,"
			    "\"c\":18446744073709551615}}");
	assert_string_equal(decoded("m a=9223372036854775808i"), "number {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m a=-9223372036854775809i"), "number {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m a=18446744073709551616u"), "number {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m a=-1u"), "number {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m a=1.5i"), "number {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m a=i"), "number {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m a=-i"), "number {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m a=NaN"), "number {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m a=tRUE"), "syntax {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m a=falsey"), "syntax {\"measurement\":\"m\",\"fields\":{}}");
}

static void backslashes_escape_what_the_place_says(void **state)
{
	(void)state;
	assert_string_equal(decoded("my\\ Mea\\,sure\\=ment\\x a=1"),
			    "{\"measurement\":\"my Mea,sure\\\\=ment\\\\x\",\"fields\":{\"a\":1}}");
	assert_string_equal(decoded("m,tag\\ Key\\,1=tag\\=Value\\ 2,\\=\\==\\\\ a\\ b=1"),
			    "{\"measurement\":\"m\",\"tags\":{\"tag Key,1\":\"tag=Value "
			    "2\",\"==\":\"\\\\\\\\\"},\"fields\":{\"a b\":1}}");
	assert_string_equal(decoded("m a=\"x \\\"y\\\" \\\\ \\n, =\",b=1"),
			    "{\"measurement\":\"m\",\"fields\":{\"a\":\"x \\\"y\\\" \\\\ \\\\n, =\",\"b\":1}}");
	assert_string_equal(decoded("m a\\,=\"\\\"\",b=\"\""),
			    "{\"measurement\":\"m\",\"fields\":{\"a,\":\"\\\"\",\"b\":\"\"}}");
	assert_string_equal(decoded("m a=\"two\nlines\" 1"),
			    "{\"measurement\":\"m\",\"fields\":{\"a\":\"two\\x0alines\"},\"timestamp\":1970-01-01T00:"
			    "00:00.000000001Z}");
	assert_string_equal(decoded("m a\\,=.5"), "{\"measurement\":\"m\",\"fields\":{\"a,\":0.5}}");
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	assert_string_equal(decoded(""), "empty {}");
	assert_string_equal(decoded("  "), "empty {}");
	assert_string_equal(decoded("# comment"), "empty {}");
	assert_string_equal(decoded(",a=b c=1"), "syntax {}");
	assert_string_equal(decoded("m"), "truncated {\"measurement\":\"m\"}");
	assert_string_equal(decoded("m "), "truncated {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m,a=b"), "truncated {\"measurement\":\"m\",\"tags\":{\"a\":\"b\"}}");
	assert_string_equal(decoded("m,a=b,"), "truncated {\"measurement\":\"m\",\"tags\":{\"a\":\"b\"}}");
	assert_string_equal(decoded("m,a c=1"), "syntax {\"measurement\":\"m\",\"tags\":{}}");
	assert_string_equal(decoded("m,=b c=1"), "syntax {\"measurement\":\"m\",\"tags\":{}}");
	assert_string_equal(decoded("m,a= c=1"), "syntax {\"measurement\":\"m\",\"tags\":{}}");
	assert_string_equal(decoded("m,a=b=c d=1"), "syntax {\"measurement\":\"m\",\"tags\":{\"a\":\"b\"}}");
	assert_string_equal(decoded("m c="), "truncated {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m c=,d=1"), "syntax {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m c=\"a"), "truncated {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m c=\"a\\\""), "truncated {\"measurement\":\"m\",\"fields\":{}}");
	assert_string_equal(decoded("m c=\"a\"b"), "syntax {\"measurement\":\"m\",\"fields\":{\"c\":\"a\"}}");
	assert_string_equal(decoded("m c=1 x"), "time {\"measurement\":\"m\",\"fields\":{\"c\":1}}");
	assert_string_equal(decoded("m c=1 -1"), "time {\"measurement\":\"m\",\"fields\":{\"c\":1}}");
	assert_string_equal(decoded("m c=1 18446744073709551616"), "time {\"measurement\":\"m\",\"fields\":{\"c\":1}}");
	assert_string_equal(decoded("m c=1 1 1"), "syntax {\"measurement\":\"m\",\"fields\":{\"c\":1}}");
}

/* Records of a datagram, each in brackets. */
static const char *cut(const char *datagram)
{
	static char text[4096];
	struct slice slices[64];
	uint32_t length = (uint32_t)strlen(datagram), consumed, at = 0, left_out;
	uint32_t count = influx_cut((const uint8_t *)datagram, length, slices, 64, &consumed);

	assert_int_equal(consumed, length);
	text[0] = '\0';
	for (uint32_t i = 0; i < count; i++)
		at += (uint32_t)snprintf(text + at, sizeof text - at, "[%.*s]", (int)slices[i].length,
					 datagram + slices[i].offset);
	codec_check_datagram(influx(), (const uint8_t *)datagram, length, 2, &left_out);
	return text;
}

static void lines_end_outside_strings(void **state)
{
	(void)state;
	assert_string_equal(cut(""), "");
	assert_string_equal(cut("m a=1\nn b=2\r\n\no c=3"), "[m a=1][n b=2][o c=3]");
	assert_string_equal(cut("m a=\"1\n2\"\nn b=2"), "[m a=\"1\n2\"][n b=2]");
	assert_string_equal(cut("n b=2\nm a=\"1\n2\",c=\"\n\" 7\r\nn b=2\n"),
			    "[n b=2][m a=\"1\n2\",c=\"\n\" 7][n b=2]");
	assert_string_equal(cut("m a=\"\\\"\n\\\\\"\nn b=2"), "[m a=\"\\\"\n\\\\\"][n b=2]");
	/* Quotes that open nothing: in tags, behind something else than an equals sign, behind an escaped one. */
	assert_string_equal(cut("m,a=\" c=1\nn b=2"), "[m,a=\" c=1][n b=2]");
	assert_string_equal(cut("m\\ x,a=\"\nn b=2"), "[m\\ x,a=\"][n b=2]");
	assert_string_equal(cut("m a\"=1\nn b=2\""), "[m a\"=1][n b=2\"]");
	assert_string_equal(cut("m a\\=\"=1\nn b=2"), "[m a\\=\"=1][n b=2]");
	/* A string that nothing closes costs its own line only. */
	assert_string_equal(cut("m a=\"1\nn b=2\no c=3"), "[m a=\"1][n b=2][o c=3]");
	assert_string_equal(cut("m a=\"1\nn b=\\\"2\no c=3"), "[m a=\"1][n b=\\\"2][o c=3]");
}

static void comments_are_no_records(void **state)
{
	(void)state;
	assert_string_equal(cut("# one\nm a=1\n  # two\n#\n"), "[m a=1]");
	assert_string_equal(cut("# it's \"x=\"\nm a=\"1\n# in a string\"\n# \"three\nn b=1"),
			    "[m a=\"1\n# in a string\"][n b=1]");
	assert_string_equal(cut("m a=1 # none\n"), "[m a=1 # none]");
}

/* The rule byte by byte. */
static uint32_t plain_cut(const uint8_t *bytes, uint32_t length, struct slice *out)
{
	uint32_t count = 0;

	for (uint32_t start = 0; start < length;) {
		uint32_t at = start, end, first, equal = UINT32_MAX;
		bool fields = false, closed = true;
		const uint8_t *newline = memchr(bytes + start, '\n', length - start);
		uint32_t unclosed = newline ? (uint32_t)(newline - bytes) : length;

		while (at < length && bytes[at] == ' ')
			at++;
		first = at;
		for (; at < length && bytes[at] != '\n'; at++) {
			if (first < length && bytes[first] == '#')
				continue;
			if (bytes[at] == '\\' && at + 1 < length && bytes[at + 1] != '\n') {
				at++;
				continue;
			}
			fields |= bytes[at] == ' ';
			equal = bytes[at] == '=' ? at : equal;
			if (bytes[at] != '"' || !fields || equal != at - 1)
				continue;
			newline = memchr(bytes + at, '\n', length - at);
			unclosed = newline ? (uint32_t)(newline - bytes) : length;
			for (closed = false, at++; at < length && !closed; at++) {
				if (bytes[at] == '\\')
					at++;
				else
					closed = bytes[at] == '"';
			}
			if (!closed)
				break;
			at--;
		}
		end = closed ? at : unclosed;
		end = end > length ? length : end;
		out[count] = (struct slice){start, end - start};
		out[count].length -= end > start && bytes[end - 1] == '\r';
		count += out[count].length && !(first < end && bytes[first] == '#');
		start = end + 1;
	}
	return count;
}

static void random_datagrams_are_cut_as_a_plain_loop_does(void **state)
{
	static const char *const alphabets[] = {"m,a= \"\n\r#", "ab=\"\n ", "a=\" \n", "m a=\"\"\n,1b",
						"a=\"\" \\\\\n"};
	uint8_t datagram[300];
	struct slice expected[301], got[301];

	(void)state;
	for (uint32_t round = 0; round < 100000; round++) {
		const char *alphabet = alphabets[round % 5];
		uint32_t length = (uint32_t)rand() % (round % 10 ? 40 : sizeof datagram), consumed, count, left_out;

		for (uint32_t i = 0; i < length; i++)
			datagram[i] = (uint8_t)alphabet[(uint32_t)rand() % strlen(alphabet)];
		count = plain_cut(datagram, length, expected);
		assert_int_equal(influx_cut(datagram, length, got, 301, &consumed), count);
		assert_memory_equal(got, expected, count * sizeof *got);
		if (round % 8 == 0)
			codec_check_datagram(influx(), datagram, length, 1 + round % 5, &left_out);
	}
}

static void nothing_is_read_outside_a_record(void **state)
{
	static const char *const records[] = {
		"my\\ m,tag\\ Key=tag\\=Value,b=c f\\ 1=\"x \\\"y\\\" \\\\ z\n\",g=-12i,h=.5,i=T,j=12u "
		"1556813561098000000\n# c\nm a=\"",
		"cpu,host=a usage=12.5,idle=84.25 1767323045123456789\ncpu,host=b usage=+.5\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof records / sizeof *records; i++)
		codec_check_between_guards(influx(), records[i], (uint32_t)strlen(records[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_measurement_tags_fields_and_time),
		cmocka_unit_test(values_are_typed),
		cmocka_unit_test(backslashes_escape_what_the_place_says),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(lines_end_outside_strings),
		cmocka_unit_test(comments_are_no_records),
		cmocka_unit_test(random_datagrams_are_cut_as_a_plain_loop_does),
		cmocka_unit_test(nothing_is_read_outside_a_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
