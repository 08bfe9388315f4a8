// NetFlow v5, v9 and IPFIX: flows and their templates.
#include "tests/unit/netflow_fixture.h"

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
		TEST(zeros_that_fill_a_set_of_v9_are_no_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
