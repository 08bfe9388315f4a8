// Lists in IPFIX flows: RFC 6313.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/netflow.h"
#include "dataplane/codec/netflow_flow.h"
#include "tests/fuzz/fields.h"
#include "tests/support/field_text.h"
#include "tests/support/flow_build.h"

#define LIST 291u
#define SUB_LIST 292u
#define SUB_LISTS 293u

static struct flow_build b;
static struct codec_templates *templates;

static int make(void **state)
{
	(void)state;
	return templates_create(1 << 20, 9, &templates);
}

static int drop(void **state)
{
	(void)state;
	templates_free(templates);
	return 0;
}

/* A flow of one variable element, `bytes` long in its set, which is 300's. */
static void build(uint32_t version, uint32_t element, const void *bytes, uint32_t length)
{
	const uint32_t one[1][2] = {{element, version == 10 ? TEMPLATE_VARIABLE : length}};
	static const uint32_t pair[2][2] = {{8, 4}, {7, 2}}, name[2][2] = {{4, 1}, {82, TEMPLATE_VARIABLE}},
			      list[1][2] = {{LIST, TEMPLATE_VARIABLE}};

	flow_build_header(&b, version, 0);
	flow_build_template(&b, 300, one, 1, 0);
	flow_build_template(&b, 301, pair, 2, 0);
	if (version == 10) {
		flow_build_template(&b, 302, name, 2, 0);
		flow_build_template(&b, 303, list, 1, 0);
	}
	flow_build_set(&b, 300);
	if (version == 10 && length < 255) {
		flow_build8(&b, length);
	} else if (version == 10) {
		flow_build8(&b, 255);
		flow_build16(&b, length);
	}
	flow_build_bytes(&b, bytes, length);
	flow_build_set_end(&b);
}

/* What stands in "flows". */
static const char *flows(uint32_t version, uint32_t element, const void *bytes, uint32_t length)
{
	static uint64_t now_ns; /* each call says anew what template 300 is */
	struct codec_record record = {.bytes = b.bytes, .arrival_ns = ++now_ns, .templates = templates};
	const char *text;

	build(version, element, bytes, length);
	record.length = b.length;
	text = strstr(field_text_of_record(codec_by_id(CODEC_NETFLOW), &record), "\"flows\":");
	assert_non_null(text);
	return text + 8;
}

#define FLOWS(element, literal) flows(10, element, literal, sizeof(literal) - 1)

static void a_basic_list_is_its_elements_values(void **state)
{
	(void)state;
	/* RFC 6313 8.1: the interfaces that a multicast packet leaves by. */
	assert_string_equal(FLOWS(LIST, "\3\0\x0e\0\4\0\0\0\1\0\0\0\4\0\0\0\x08"),
			    "[{\"basicList\":{\"semantic\":\"allOf\",\"egressInterface\":[1,4,8]}}]}");
	assert_string_equal(
		FLOWS(LIST, "\4\0\x08\0\4\xc0\0\2\1\xc0\0\2\2"),
		"[{\"basicList\":{\"semantic\":\"ordered\",\"sourceIPv4Address\":[192.0.2.1,192.0.2.2]}}]}");
	assert_string_equal(
		FLOWS(LIST, "\xff\0\x52\xff\xff\4eth0\0\3lo0"),
		"[{\"basicList\":{\"semantic\":\"undefined\",\"interfaceName\":[\"eth0\",\"\",\"lo0\"]}}]}");
	assert_string_equal(FLOWS(LIST, "\7\x80\x05\0\1\0\0\x8b\x30\x11\x12"),
			    "[{\"basicList\":{\"semantic\":7,\"ie_35632_5\":[17,18]}}]}");
	assert_string_equal(FLOWS(LIST, "\0\0\x0e\0\4"),
			    "[{\"basicList\":{\"semantic\":\"noneOf\",\"egressInterface\":[]}}]}");
	assert_string_equal(FLOWS(484, "\3\1\xe3\0\4\0\0\0\1"),
			    "[{\"bgpSourceCommunityList\":{\"semantic\":\"allOf\",\"bgpCommunity\":[1]}}]}");
}

static void lists_of_records_are_decoded_by_their_templates(void **state)
{
	(void)state;
	assert_string_equal(FLOWS(SUB_LIST, "\3\1\x2d\xc0\0\2\1\0\x50\xc0\0\2\2\1\xbb"),
			    "[{\"subTemplateList\":{\"semantic\":\"allOf\",\"template_id\":301,\"records\":["
			    "{\"sourceIPv4Address\":192.0.2.1,\"sourceTransportPort\":80},"
			    "{\"sourceIPv4Address\":192.0.2.2,\"sourceTransportPort\":443}]}}]}");
	assert_string_equal(
		FLOWS(SUB_LISTS, "\1\1\x2d\0\x0a\xc0\0\2\1\0\x50\1\x2e\0\x0a\6\4eth0\1\x2e\0\4"),
		"[{\"subTemplateMultiList\":{\"semantic\":\"exactlyOneOf\",\"lists\":["
		"{\"template_id\":301,\"records\":[{\"sourceIPv4Address\":192.0.2.1,\"sourceTransportPort\":80}]},"
		"{\"template_id\":302,\"records\":[{\"protocolIdentifier\":6,\"interfaceName\":\"eth0\"}]},"
		"{\"template_id\":302,\"records\":[]}]}}]}");
	/* A list in a record of a list. */
	assert_string_equal(FLOWS(SUB_LIST, "\3\1\x2f\7\3\0\4\0\1\6\x11"),
			    "[{\"subTemplateList\":{\"semantic\":\"allOf\",\"template_id\":303,\"records\":["
			    "{\"basicList\":{\"semantic\":\"allOf\",\"protocolIdentifier\":[6,17]}}]}}]}");
}

static void what_contradicts_itself_is_bytes(void **state)
{
	static const struct {
		uint32_t element;
		const char *bytes;
		uint32_t length;
	} wrong[] = {
#define WRONG(element, literal) {element, literal, sizeof(literal) - 1}
		WRONG(LIST, "\3\0\x0e\0"),             /* ends in its header */
		WRONG(LIST, "\3\x80\x05\0\1\0\0\x8b"), /* or in the enterprise */
		WRONG(LIST, "\3\0\x0e\0\4\0\0\0\1\0"), /* half a value */
		WRONG(LIST, "\3\0\x0e\0\0\0\0\0\1"),   /* values of no length without end */
		WRONG(LIST, "\3\0\x52\xff\xff\4eth"),  /* a variable one that is longer than the list */
		WRONG(LIST, "\3\0\x52\xff\xff\xff\0"),
		WRONG(SUB_LIST, "\3\1"),
		WRONG(SUB_LIST, "\3\1\x2d\xc0\0\2\1\0"),     /* half a record */
		WRONG(SUB_LIST, "\3\1\x99\xc0\0\2\1\0\x50"), /* nobody has said what 409 is */
		WRONG(SUB_LISTS, "\3\1\x2d\0"),
		WRONG(SUB_LISTS, "\3\1\x2d\0\3\0\0\0"), /* shorter than its own header */
		WRONG(SUB_LISTS, "\3\1\x2d\0\x0b\xc0\0\2\1\0\x50"),
		WRONG(SUB_LISTS, "\3\1\x2d\0\4\1\x99\0\4"),
#undef WRONG
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		const char *text = flows(10, wrong[i].element, wrong[i].bytes, wrong[i].length);

		assert_non_null(strstr(text, "List\":0x03"));
		assert_null(strstr(text, "semantic"));
	}
	/* v9 has no such thing. */
	assert_string_equal(flows(9, LIST, "\3\0\x0e\0\4\0\0\0\1", 9), "[{\"basicList\":0x03000e000400000001}]}");
}

static enum codec_fault read_all(struct fields *out)
{
	struct codec_record record = fields_record(b.bytes, b.length);

	record.templates = templates;
	return fields_read(codec_by_id(CODEC_NETFLOW), &record, out);
}

/* Lists of lists of lists...: to a depth, and the rest as bytes. */
static void lists_in_lists_have_a_bound(void **state)
{
	uint8_t bytes[400];
	uint32_t at = sizeof bytes, count = 0;
	const char *text;

	(void)state;
	for (uint32_t inside = 0; at > 20 && inside < 200; inside = sizeof bytes - at) {
		if (inside)
			bytes[--at] = (uint8_t)inside; /* the length of the value that the next one is */
		at -= 5;
		memcpy(bytes + at, (uint8_t[]){3, 1, 0x23, 0xff, 0xff}, 5);
	}
	text = flows(10, LIST, bytes + at, (uint32_t)sizeof bytes - at);
	for (const char *in = text; (in = strstr(in, "semantic")); in++)
		count++;
	assert_int_equal(count, FLOW_LISTS_MAX);
	assert_non_null(strstr(text, "\"basicList\":[0x0301"));
}

static void records_in_lists_count_as_flows(void **state)
{
	static uint8_t bytes[60000];
	static const uint32_t tiny[1][2] = {{4, 1}}, list[1][2] = {{SUB_LIST, TEMPLATE_VARIABLE}};
	struct fields all;

	(void)state;
	memset(bytes, 6, sizeof bytes);
	memcpy(bytes, "\3\1\x2c", 3);
	for (uint32_t length = 3; length < sizeof bytes; length += 900) {
		flow_build_header(&b, 10, 0);
		flow_build_template(&b, 300, tiny, 1, 0);
		flow_build_template(&b, 304, list, 1, 0);
		flow_build_set(&b, 304);
		flow_build8(&b, 255);
		flow_build16(&b, length);
		flow_build_bytes(&b, bytes, length);
		flow_build_set_end(&b);
		assert_int_equal(read_all(&all), CODEC_OK);
		assert_true(all.count < 40 + 3 * (b.length / NETFLOW_FLOW_BYTES));
	}
}

/* Nothing outside is read, all that is opened is closed, whatever a byte of it says and wherever it ends. */
static void any_byte_of_a_list_may_be_anything(void **state)
{
	static const struct {
		uint32_t element;
		const char *bytes;
		uint32_t length;
	} lists[] = {{LIST, "\3\x80\x05\xff\xff\0\0\x8b\x30\2ab\3abc", 16},
		     {SUB_LIST, "\3\1\x2f\7\3\0\4\0\1\6\x11", 11},
		     {SUB_LISTS, "\1\1\x2d\0\x0a\xc0\0\2\1\0\x50\1\x2f\0\x0b\6\3\0\4\0\1\6", 22}};
	struct fields all;

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (uint32_t at = 0; at < lists[i].length; at++)
			for (uint32_t value = 0; value < 256; value++) {
				uint8_t bytes[32];

				memcpy(bytes, lists[i].bytes, lists[i].length);
				bytes[at] = (uint8_t)value;
				build(10, lists[i].element, bytes, value % 8 ? lists[i].length : at + 1);
				read_all(&all);
				assert_int_equal(all.depth, 0);
			}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_basic_list_is_its_elements_values), TEST(lists_of_records_are_decoded_by_their_templates),
		TEST(what_contradicts_itself_is_bytes),    TEST(lists_in_lists_have_a_bound),
		TEST(records_in_lists_count_as_flows),     TEST(any_byte_of_a_list_may_be_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
