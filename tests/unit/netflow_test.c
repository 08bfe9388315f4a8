#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/netflow.h"
#include "dataplane/codec/netflow_elements.h"
#include "tests/support/field_text.h"
#include "tests/support/flow_build.h"

static struct flow_build b;
static struct codec_templates *templates;
static const struct codec *netflow;

static int make(void **state)
{
	(void)state;
	netflow = codec_by_id(CODEC_NETFLOW);
	return templates_create(1 << 20, 9, &templates);
}

static int drop(void **state)
{
	(void)state;
	templates_free(templates);
	return 0;
}

static struct codec_record record_at(uint64_t arrival_ns)
{
	static const uint8_t source[4] = {192, 0, 2, 77};

	return (struct codec_record){.bytes = b.bytes,
				     .length = b.length,
				     .source = source,
				     .source_bytes = 4,
				     .arrival_ns = arrival_ns,
				     .templates = templates};
}

static const char *decode_at(uint64_t arrival_ns)
{
	struct codec_record record = record_at(arrival_ns);

	return field_text_of_record(netflow, &record);
}

static const char *decode(void)
{
	return decode_at(1000);
}

#define IPFIX "{\"version\":10,\"sequence\":7,\"export_time\":2023-11-14T22:13:20.000000000Z,\"domain_id\":42,"
#define HEAD9(count) "{\"version\":9,\"sequence\":7,\"export_time\":2023-11-14T22:13:20.000000000Z,\"uptime_ms\":600000,\"count\":" #count ",\"source_id\":42,"

static void a_v5_flow_has_all_its_fields(void **state)
{
	(void)state;
	flow_build_v5(&b, 1);
	assert_string_equal(
		decode(),
		"{\"version\":5,\"sequence\":7,\"export_time\":2023-11-14T22:13:20.000000500Z,\"uptime_ms\":600000,\"count\":1,"
		"\"engine_type\":1,\"engine_id\":2,\"sampling_mode\":1,\"sampling_interval\":100,\"flows\":["
		"{\"sourceIPv4Address\":192.0.2.1,\"destinationIPv4Address\":198.51.100.1,\"ipNextHopIPv4Address\":203.0.113.1,"
		"\"ingressInterface\":3,\"egressInterface\":4,\"packetDeltaCount\":10,\"octetDeltaCount\":15000,"
		"\"flowStartSysUpTime\":590000,\"flowEndSysUpTime\":599500,\"sourceTransportPort\":40000,"
		"\"destinationTransportPort\":443,\"tcpControlBits\":27,\"protocolIdentifier\":6,\"ipClassOfService\":8,"
		"\"bgpSourceAsNumber\":64500,\"bgpDestinationAsNumber\":64501,\"sourceIPv4PrefixLength\":24,"
		"\"destinationIPv4PrefixLength\":16,\"flowStartMilliseconds\":2023-11-14T22:13:10.000000500Z,"
		"\"flowEndMilliseconds\":2023-11-14T22:13:19.500000500Z}]}");
}

static void v5_counts_that_lie_are_found(void **state)
{
	(void)state;
	flow_build_v5(&b, 3);
	b.bytes[3] = 4;
	assert_memory_equal(decode(), "truncated {", 11);
	b.bytes[3] = 2;
	assert_memory_equal(decode(), "length {", 8);
	b.bytes[2] = 0xff;
	assert_memory_equal(decode(), "truncated {", 11);
	assert_non_null(strstr(decode(), "\"packetDeltaCount\":12")); /* the third */
}

static void an_uptime_that_wrapped_around_is_no_flow_of_the_future(void **state)
{
	(void)state;
	flow_build_v5(&b, 1);
	memcpy(b.bytes + 4, "\0\0\x03\xe8", 4);             /* 1,000 ms */
	memcpy(b.bytes + 24 + 24, "\xff\xff\xfc\x18", 4);     /* -1,000 ms: before the wrap */
	memcpy(b.bytes + 24 + 28, "\0\0\x01\xf4", 4);
	assert_non_null(strstr(decode(), "\"flowStartMilliseconds\":2023-11-14T22:13:18.000000500Z,"
					 "\"flowEndMilliseconds\":2023-11-14T22:13:19.500000500Z"));
}

static void build_rfc3954_data(bool with_template)
{
	static const uint32_t fields[5][2] = {{8, 4}, {12, 4}, {15, 4}, {2, 4}, {1, 4}};
	static const uint32_t flows[3][5] = {{0xc6a8010c, 0x0a050cfe, 0xc0a80101, 5009, 5344385},
					     {0xc6a8011b, 0x0a050c17, 0xc0a80101, 748, 388934},
					     {0xc6a80138, 0x0a050c41, 0xc0a80101, 5, 6534}};

	flow_build_header(&b, 9, 3 + with_template);
	if (with_template)
		flow_build_template(&b, 256, fields, 5, 0);
	flow_build_set(&b, 256);
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 5; j++)
			flow_build32(&b, flows[i][j]);
	flow_build_set_end(&b);
}

#define RFC3954_FLOWS                                                                                                          \
	"\"flows\":[{\"sourceIPv4Address\":198.168.1.12,\"destinationIPv4Address\":10.5.12.254,"                              \
	"\"ipNextHopIPv4Address\":192.168.1.1,\"packetDeltaCount\":5009,\"octetDeltaCount\":5344385},"                         \
	"{\"sourceIPv4Address\":198.168.1.27,\"destinationIPv4Address\":10.5.12.23,\"ipNextHopIPv4Address\":192.168.1.1,"       \
	"\"packetDeltaCount\":748,\"octetDeltaCount\":388934},"                                                                \
	"{\"sourceIPv4Address\":198.168.1.56,\"destinationIPv4Address\":10.5.12.65,\"ipNextHopIPv4Address\":192.168.1.1,"       \
	"\"packetDeltaCount\":5,\"octetDeltaCount\":6534}]"

static void the_examples_of_rfc_3954_are_decoded(void **state)
{
	static const uint32_t options[3][2] = {{3, 2}, {41, 2}, {42, 2}};

	(void)state;
	build_rfc3954_data(true);
	assert_string_equal(decode(), HEAD9(4) "\"templates\":[{\"template_id\":256,\"fields\":5}]," RFC3954_FLOWS "}");
	flow_build_header(&b, 9, 3);
	flow_build_template(&b, 258, options, 3, 1);
	flow_build_set(&b, 258);
	for (int i = 1; i <= 2; i++) {
		flow_build16(&b, (uint32_t)i);
		flow_build16(&b, 345u * (uint32_t)i);
		flow_build16(&b, 10201u * (uint32_t)i);
	}
	flow_build_set_end(&b);
	assert_string_equal(decode(), HEAD9(3) "\"templates\":[{\"template_id\":258,\"fields\":3,\"scopes\":1}],\"flows\":[],"
			    "\"options\":[{\"scope\":{\"lineCard\":1},\"exportedMessageTotalCount\":345,"
			    "\"exportedFlowRecordTotalCount\":10201},{\"scope\":{\"lineCard\":2},"
			    "\"exportedMessageTotalCount\":690,\"exportedFlowRecordTotalCount\":20402}]}");
}

static void flows_in_front_of_their_template_are_decoded_once_it_came(void **state)
{
	struct codec_templates *after_restart;
	struct codec_record record;

	(void)state;
	build_rfc3954_data(false);
	assert_memory_equal(decode_at(100), "no_template {", 13);
	assert_non_null(strstr(decode_at(100), "\"flows\":[],\"undecoded\":[{\"template_id\":256,\"bytes\":0xc6a8010c0a050cfec0a80101"));
	build_rfc3954_data(true);
	decode_at(200);
	build_rfc3954_data(false);
	assert_string_equal(decode_at(100), HEAD9(3) RFC3954_FLOWS "}");
	/* Another process learns it from the stream again. */
	assert_int_equal(templates_create(1 << 20, 1, &after_restart), 0);
	build_rfc3954_data(true);
	record = record_at(200);
	record.templates = after_restart;
	assert_int_equal(netflow_learn(&record), CODEC_OK);
	build_rfc3954_data(false);
	record = record_at(100);
	record.templates = after_restart;
	assert_string_equal(field_text_of_record(netflow, &record), HEAD9(3) RFC3954_FLOWS "}");
	templates_free(after_restart);
}

static void templates_belong_to_an_exporter_a_version_and_a_domain(void **state)
{
	static const uint8_t other[4] = {192, 0, 2, 78};
	struct codec_record record;

	(void)state;
	build_rfc3954_data(true);
	decode();
	build_rfc3954_data(false);
	record = record_at(1000);
	assert_memory_equal(field_text_of_record(netflow, &record), "{", 1);
	record.source = other;
	assert_memory_equal(field_text_of_record(netflow, &record), "no_template", 11);
	record = record_at(1000);
	record.source_bytes = 0;
	assert_memory_equal(field_text_of_record(netflow, &record), "no_template", 11);
	record = record_at(1000);
	record.templates = NULL;
	assert_memory_equal(field_text_of_record(netflow, &record), "no_template", 11);
	b.bytes[19] = 43;
	assert_memory_equal(decode(), "no_template", 11);
}

static void a_template_id_used_anew_decodes_each_flow_by_its_own_time(void **state)
{
	static const uint32_t first[2][2] = {{8, 4}, {12, 4}}, second[2][2] = {{12, 4}, {8, 4}};
	const char *texts[2];

	(void)state;
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, first, 2, 0);
	decode_at(100);
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, second, 2, 0);
	decode_at(200);
	flow_build_header(&b, 10, 0);
	flow_build_set(&b, 300);
	flow_build64(&b, 0x0102030405060708);
	flow_build_set_end(&b);
	texts[0] = IPFIX "\"flows\":[{\"sourceIPv4Address\":1.2.3.4,\"destinationIPv4Address\":5.6.7.8}]}";
	texts[1] = IPFIX "\"flows\":[{\"destinationIPv4Address\":1.2.3.4,\"sourceIPv4Address\":5.6.7.8}]}";
	assert_string_equal(decode_at(50), texts[0]);
	assert_string_equal(decode_at(150), texts[0]);
	assert_string_equal(decode_at(250), texts[1]);
}

/* RFC 7011 8.4: "Template Withdrawal Messages MUST NOT be sent... and MUST be ignored by Collecting Processes" over UDP. */
static void withdrawals_of_one_template_and_of_all_are_shown_and_ignored(void **state)
{
	static const uint32_t fields[1][2] = {{4, 1}};
	static const char both[] = IPFIX "\"flows\":[{\"protocolIdentifier\":17},{\"protocolIdentifier\":6}]}";

	(void)state;
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, fields, 1, 0);
	flow_build_template(&b, 301, fields, 1, 0);
	decode_at(100);
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, fields, 0, 0);
	assert_string_equal(decode_at(200), IPFIX "\"templates\":[{\"template_id\":300,\"fields\":0}],\"flows\":[]}");
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 2, fields, 0, 0);
	assert_string_equal(decode_at(300), IPFIX "\"templates\":[{\"template_id\":2,\"fields\":0}],\"flows\":[]}");
	flow_build_header(&b, 10, 0);
	flow_build_set(&b, 300);
	flow_build8(&b, 17);
	flow_build_set_end(&b);
	flow_build_set(&b, 301);
	flow_build8(&b, 6);
	flow_build_set_end(&b);
	for (uint64_t at = 150; at <= 350; at += 100)
		assert_string_equal(decode_at(at), both);
}

/* One flow of one field, as text behind the name. */
static const char *value_of(uint32_t version, uint32_t element, uint32_t length, const void *bytes, uint32_t count)
{
	const uint32_t fields[1][2] = {{element, length}};
	static char text[1024];
	const char *flows;

	flow_build_header(&b, version, 1);
	flow_build_template(&b, 300, fields, 1, 0);
	flow_build_set(&b, 300);
	flow_build_bytes(&b, bytes, count);
	flow_build_set_end(&b);
	flows = decode_at(1000);
	templates_free(templates); /* the next one is not news of this template */
	make(NULL);
	if (flows[0] != '{')
		return flows;
	flows = strstr(flows, "\"flows\":[{") + 10;
	snprintf(text, sizeof text, "%.*s", (int)(strlen(flows) - 3), flows);
	return text;
}

#define VALUE(element, length, bytes, text) assert_string_equal(value_of(10, element, length, bytes, sizeof(bytes) - 1), text)

static void values_are_read_by_their_type_whatever_length_they_are_sent_in(void **state)
{
	(void)state;
	VALUE(1, 8, "\0\0\0\1\0\0\0\2", "\"octetDeltaCount\":4294967298");
	VALUE(1, 3, "\1\0\0", "\"octetDeltaCount\":65536");
	VALUE(1, 1, "\x7", "\"octetDeltaCount\":7");
	VALUE(1, 9, "\0\0\0\0\0\0\0\0\1", "\"octetDeltaCount\":0x000000000000000001");
	VALUE(434, 4, "\xff\xff\xff\xfe", "\"mibObjectValueInteger\":-2");
	VALUE(434, 1, "\x80", "\"mibObjectValueInteger\":-128");
	VALUE(311, 8, "\x3f\xe0\0\0\0\0\0\0", "\"samplingProbability\":0.5");
	VALUE(311, 4, "\x3f\0\0\0", "\"samplingProbability\":0.5");
	VALUE(311, 2, "\x3f\0", "\"samplingProbability\":0x3f00");
	VALUE(276, 1, "\1", "\"dataRecordsReliability\":true");
	VALUE(276, 1, "\2", "\"dataRecordsReliability\":false");
	VALUE(276, 1, "\3", "\"dataRecordsReliability\":0x03");
	VALUE(8, 4, "\xc0\0\2\1", "\"sourceIPv4Address\":192.0.2.1");
	VALUE(8, 3, "\xc0\0\2", "\"sourceIPv4Address\":0xc00002");
	VALUE(27, 16, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", "\"sourceIPv6Address\":2001:db8::1");
	VALUE(56, 6, "\2\0\x5e\x10\0\1", "\"sourceMacAddress\":02:00:5e:10:00:01");
	VALUE(82, 8, "eth0\0\0\0\0", "\"interfaceName\":\"eth0\"");
	VALUE(82, 2, "\0\0", "\"interfaceName\":\"\"");
	VALUE(95, 4, "\3\0\0\x50", "\"applicationId\":0x03000050");
	VALUE(70, 3, "\x01\x86\xa3", "\"mplsTopLabelStackSection\":{\"label\":6250,\"exp\":1,\"bottom\":1}");
	VALUE(291, 4, "\xff\0\4\1", "\"basicList\":0xff000401");
}

static void times_are_read_by_their_type(void **state)
{
	(void)state;
	VALUE(150, 4, "\x65\x53\xf1\0", "\"flowStartSeconds\":2023-11-14T22:13:20.000000000Z");
	VALUE(152, 8, "\0\0\1\x8b\xcf\xe5\x68\1", "\"flowStartMilliseconds\":2023-11-14T22:13:20.001000000Z");
	VALUE(152, 8, "\xff\0\0\0\0\0\0\0", "\"flowStartMilliseconds\":18374686479671623680");
	/* 3,908,988,800 s since 1900 and a half; the last bits count in nanoseconds only */
	VALUE(154, 8, "\xe8\xfe\x6f\x80\x80\0\7\xff", "\"flowStartMicroseconds\":2023-11-14T22:13:20.500000000Z");
	VALUE(156, 8, "\xe8\xfe\x6f\x80\x80\0\7\xff", "\"flowStartNanoseconds\":2023-11-14T22:13:20.500000476Z");
	VALUE(156, 8, "\0\0\0\1\0\0\0\0", "\"flowStartNanoseconds\":2036-02-07T06:28:17.000000000Z");
	VALUE(156, 8, "\x83\0\0\0\0\0\0\0", "\"flowStartNanoseconds\":9439544818968559616"); /* 1969 */
	VALUE(158, 4, "\0\x0f\x42\x40",
	      "\"flowStartDeltaMicroseconds\":1000000,\"flowStartMicroseconds\":2023-11-14T22:13:19.000000000Z");
	VALUE(22, 4, "\0\0\0\1", "\"flowStartSysUpTime\":1"); /* IPFIX: since a time that nobody told */
	assert_string_equal(value_of(9, 21, 4, "\0\x09\x27\xbf", 4),
			    "\"flowEndSysUpTime\":599999,\"flowEndMilliseconds\":2023-11-14T22:13:19.999000000Z");
}

static void ipfix_uptimes_count_from_the_start_that_the_flow_tells(void **state)
{
	static const uint32_t fields[4][2] = {{22, 4}, {160, 8}, {21, 4}, {151, 4}};

	(void)state;
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, fields, 4, 0);
	flow_build_set(&b, 300);
	flow_build32(&b, 500);
	flow_build64(&b, 1700000000000);
	flow_build32(&b, 1500);
	flow_build32(&b, 1700000002);
	flow_build_set_end(&b);
	/* What the flow says itself is not computed again. */
	assert_non_null(strstr(decode(), "\"flows\":[{\"flowStartSysUpTime\":500,\"systemInitTimeMilliseconds\":2023-11-14T22:13:20.000000000Z,"
			       "\"flowEndSysUpTime\":1500,\"flowEndSeconds\":2023-11-14T22:13:22.000000000Z,"
			       "\"flowStartMilliseconds\":2023-11-14T22:13:20.500000000Z}]"));
}

static void ipfix_uptimes_count_from_the_start_that_options_tell(void **state)
{
	static const uint32_t flow[1][2] = {{22, 4}}, options[2][2] = {{149, 4}, {160, 8}};

	(void)state;
	for (uint64_t restart = 0; restart < 2; restart++) {
		flow_build_header(&b, 10, 0);
		flow_build_template(&b, 300, flow, 1, 0);
		flow_build_template(&b, 301, options, 2, 1);
		flow_build_set(&b, 301);
		flow_build32(&b, 42);
		flow_build64(&b, 1700000000000 + restart * 1000000);
		flow_build_set_end(&b);
		if (restart) /* of all templates: when it started is none */
			flow_build_template(&b, 2, flow, 0, 0);
		decode_at(200 + 100 * restart);
	}
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, flow, 1, 0);
	decode_at(310);
	flow_build_header(&b, 10, 0);
	flow_build_set(&b, 300);
	flow_build32(&b, 500);
	flow_build_set_end(&b);
	assert_non_null(strstr(decode_at(100), "\"flowStartMilliseconds\":2023-11-14T22:13:20.500000000Z}]"));
	assert_non_null(strstr(decode_at(250), "\"flowStartMilliseconds\":2023-11-14T22:13:20.500000000Z}]"));
	assert_non_null(strstr(decode_at(350), "\"flowStartMilliseconds\":2023-11-14T22:30:00.500000000Z}]"));
}

static void variable_fields_carry_their_length(void **state)
{
	static const uint32_t fields[3][2] = {{4, 1}, {371, 65535}, {7, 2}};
	uint8_t long_name[300];

	(void)state;
	memset(long_name, 'x', sizeof long_name);
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, fields, 3, 0);
	flow_build_set(&b, 300);
	flow_build_bytes(&b, "\6\5alice\0\x50", 9);
	flow_build_bytes(&b, "\x11\0\0\x51", 4);
	flow_build_bytes(&b, "\x11\xff\0\3bob\0\x52", 9); /* the long form for a short one */
	flow_build_bytes(&b, "\x11\xff\1\x2c", 4);
	flow_build_bytes(&b, long_name, 300);
	flow_build16(&b, 83);
	flow_build16(&b, 0); /* padding */
	flow_build_set_end(&b);
	assert_non_null(strstr(decode(), "\"flows\":[{\"protocolIdentifier\":6,\"userName\":\"alice\",\"sourceTransportPort\":80},"
			       "{\"protocolIdentifier\":17,\"userName\":\"\",\"sourceTransportPort\":81},"
			       "{\"protocolIdentifier\":17,\"userName\":\"bob\",\"sourceTransportPort\":82},"
			       "{\"protocolIdentifier\":17,\"userName\":\"xxx"));
	assert_non_null(strstr(decode(), "x\",\"sourceTransportPort\":83}]}"));
}

/* A set of `count` bytes by a template of fields of that many bytes each: ingressInterface. Returns how many flows. */
static uint32_t flows_of(uint32_t version, uint32_t field_bytes, const void *bytes, uint32_t count)
{
	const uint32_t fields[1][2] = {{10, field_bytes}};
	const char *flows;
	uint32_t found = 0;

	flow_build_header(&b, version, 1);
	flow_build_template(&b, 300, fields, 1, 0);
	flow_build_set(&b, 300);
	flow_build_bytes(&b, bytes, count);
	flow_build_set_end(&b);
	flows = decode();
	assert_memory_equal(flows, "{", 1);
	templates_free(templates); /* the next one is not news of this template */
	make(NULL);
	for (flows = strstr(flows, "\"flows\":["); (flows = strstr(flows, "ingressInterface")); flows++)
		found++;
	return found;
}

static void zeros_that_fill_a_set_of_v9_are_no_flows(void **state)
{
	(void)state;
	assert_int_equal(flows_of(9, 1, "\6\x11\0\0", 4), 2);
	assert_int_equal(flows_of(9, 1, "\6\0\0\0", 4), 1);
	assert_int_equal(flows_of(9, 1, "\6\0\0\1", 4), 4);
	assert_int_equal(flows_of(9, 1, "\0\0\0\0", 4), 1);
	assert_int_equal(flows_of(9, 1, "\6\0\0\0\0\0\0\0", 8), 5); /* four zeros are more than filling */
	assert_int_equal(flows_of(9, 2, "\0\6\0\x11\0\7\0\0", 8), 3);
	assert_int_equal(flows_of(9, 3, "\0\0\6\0\0\x11\0\0", 8), 2);
	assert_int_equal(flows_of(9, 3, "\0\0\6\0\0\x11\0\0\7\0\0\0", 12), 3);
	assert_int_equal(flows_of(9, 4, "\0\0\0\0\0\0\0\0", 8), 2); /* a flow of 4 bytes is none */
	/* A set that does not end there is not filled. */
	assert_int_equal(flows_of(9, 1, "\6\x11\0", 3), 3);
	assert_int_equal(flows_of(9, 1, "\0", 1), 1);
	assert_int_equal(flows_of(9, 2, "\0\6\0\0\0\0", 6), 3);
	/* Padding of IPFIX is shorter than a flow. */
	assert_int_equal(flows_of(10, 1, "\6\x11\0\0", 4), 4);
	assert_int_equal(flows_of(10, 2, "\0\6\0\0", 4), 2);
	assert_int_equal(flows_of(10, 3, "\0\0\6\0", 4), 1);
}

static void enterprise_and_repeated_elements_have_names_of_their_own(void **state)
{
	static const uint32_t fields[9][2] = {{29305u << 16 | 1, 4}, {35632u << 16 | 80, 2}, {35632u << 16 | 81, 65535},
					      {600, 1}, {7, 2}, {7, 2}, {29305u << 16 | 22, 4}, {35632u << 16 | 80, 2}, {210, 1}};

	(void)state;
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, fields, 9, 0);
	flow_build_set(&b, 300);
	flow_build_bytes(&b, "\0\0\0\1\0\2\1\xab\5\0\6\0\7\0\0\0\x8\0\x9\0", 20);
	flow_build_set_end(&b);
	assert_string_equal(decode(), IPFIX "\"templates\":[{\"template_id\":300,\"fields\":9}],"
			    "\"flows\":[{\"reverseOctetDeltaCount\":1,\"ie_35632_80\":2,\"ie_35632_81\":0xab,\"ie_0_600\":5,"
			    "\"sourceTransportPort\":6,\"sourceTransportPort_2\":7,\"reverseFlowStartSysUpTime\":8,"
			    "\"ie_35632_80_2\":9}]}");
}

static void ipfix_options_have_their_scope_apart(void **state)
{
	static const uint32_t fields[3][2] = {{149, 4}, {41, 2}, {42, 2}};

	(void)state;
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 258, fields, 3, 1);
	flow_build_set(&b, 258);
	flow_build64(&b, 0x0000000101592779);
	flow_build_set_end(&b);
	assert_string_equal(decode(), IPFIX "\"templates\":[{\"template_id\":258,\"fields\":3,\"scopes\":1}],\"flows\":[],"
			    "\"options\":[{\"scope\":{\"observationDomainId\":1},\"exportedMessageTotalCount\":345,"
			    "\"exportedFlowRecordTotalCount\":10105}]}");
}

static void sets_are_put_together_by_kind_whatever_their_order(void **state)
{
	static const uint32_t flow[1][2] = {{4, 1}}, options[2][2] = {{149, 1}, {34, 1}};

	(void)state;
	flow_build_header(&b, 10, 0);
	flow_build_set(&b, 256);
	flow_build8(&b, 1);
	flow_build_set_end(&b);
	flow_build_set(&b, 257);
	flow_build16(&b, 0x0203);
	flow_build_set_end(&b);
	flow_build_set(&b, 99);
	flow_build8(&b, 0xee);
	flow_build_set_end(&b);
	flow_build_set(&b, 256);
	flow_build8(&b, 4);
	flow_build_set_end(&b);
	flow_build_template(&b, 257, options, 2, 1);
	flow_build_template(&b, 256, flow, 1, 0);
	assert_string_equal(decode(), IPFIX "\"templates\":[{\"template_id\":257,\"fields\":2,\"scopes\":1},"
			    "{\"template_id\":256,\"fields\":1}],\"flows\":[{\"protocolIdentifier\":1},{\"protocolIdentifier\":4}],"
			    "\"options\":[{\"scope\":{\"observationDomainId\":2},\"samplingInterval\":3}],"
			    "\"undecoded\":[{\"set_id\":99,\"bytes\":0xee}]}");
}

static void the_table_of_elements_is_in_order(void **state)
{
	uint32_t known = 0;

	(void)state;
	for (uint32_t id = 0; id < ELEMENTS_END; id++) {
		if (!element_names[id].name)
			continue;
		known++;
		assert_int_equal(element_names[id].length, strlen(element_names[id].name));
		assert_true(element_names[id].length + 11u < ELEMENT_NAME_MAX);
	}
	assert_int_equal(known, 498);
	assert_string_equal(element_names[529].name, "udpUnsafeExIDList");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_v5_flow_has_all_its_fields),
		TEST(v5_counts_that_lie_are_found),
		TEST(an_uptime_that_wrapped_around_is_no_flow_of_the_future),
		TEST(the_examples_of_rfc_3954_are_decoded),
		TEST(flows_in_front_of_their_template_are_decoded_once_it_came),
		TEST(templates_belong_to_an_exporter_a_version_and_a_domain),
		TEST(a_template_id_used_anew_decodes_each_flow_by_its_own_time),
		TEST(withdrawals_of_one_template_and_of_all_are_shown_and_ignored),
		TEST(values_are_read_by_their_type_whatever_length_they_are_sent_in),
		TEST(times_are_read_by_their_type),
		TEST(ipfix_uptimes_count_from_the_start_that_the_flow_tells),
		TEST(ipfix_uptimes_count_from_the_start_that_options_tell),
		TEST(variable_fields_carry_their_length),
		TEST(zeros_that_fill_a_set_of_v9_are_no_flows),
		TEST(enterprise_and_repeated_elements_have_names_of_their_own),
		TEST(ipfix_options_have_their_scope_apart),
		TEST(sets_are_put_together_by_kind_whatever_their_order),
		TEST(the_table_of_elements_is_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
