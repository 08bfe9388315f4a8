// NetFlow v9 and IPFIX: elements, their types and times.
#include "tests/unit/netflow_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_are_read_by_their_type_whatever_length_they_are_sent_in),
		TEST(times_are_read_by_their_type),
		TEST(ipfix_uptimes_count_from_the_start_that_the_flow_tells),
		TEST(ipfix_uptimes_count_from_the_start_that_options_tell),
		TEST(variable_fields_carry_their_length),
		TEST(enterprise_and_repeated_elements_have_names_of_their_own),
		TEST(ipfix_options_have_their_scope_apart),
		TEST(sets_are_put_together_by_kind_whatever_their_order),
		TEST(the_table_of_elements_is_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
