#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/sflow.h"
#include "tests/support/field_text.h"
#include "tests/support/flow_build.h"

static struct flow_build b;

static const char *decode(void)
{
	return field_text_of(codec_by_id(CODEC_SFLOW), b.bytes, b.length);
}

#define HEAD "{\"version\":5,\"agent\":192.0.2.9,\"sub_agent\":3,\"sequence\":77,\"uptime_ms\":600000,\"samples\":["

static void put_head(uint32_t samples)
{
	flow_build_sflow(&b, 0);
	b.length = 24;
	flow_build32(&b, samples);
}

/* A datagram of one expanded flow or counters sample with one record of `words` 32-bit words. */
static const char *record_text(bool counters, uint32_t format, const uint32_t *words, uint32_t count)
{
	static char text[4096];
	const char *all, *records;

	put_head(1);
	flow_build32(&b, counters ? 4 : 3);
	flow_build32(&b, (counters ? 16 : 44) + 8 + 4 * count);
	for (uint32_t i = 0; i < (counters ? 3 : 10); i++)
		flow_build32(&b, i);
	flow_build32(&b, 1);
	flow_build32(&b, format);
	flow_build32(&b, 4 * count);
	for (uint32_t i = 0; i < count; i++)
		flow_build32(&b, words[i]);
	all = decode();
	records = strstr(all, "\"records\":[");
	if (!records)
		return all;
	snprintf(text, sizeof text, "%.*s%.*s", all[0] == '{' ? 0 : (int)strcspn(all, "{"), all,
		 (int)(strlen(records + 11) - 4), records + 11);
	return text;
}

#define FLOW(format, text, ...) \
	assert_string_equal(record_text(false, format, (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4), text)
#define COUNTERS(format, text, ...) \
	assert_string_equal(record_text(true, format, (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4), text)

static void flow_and_counter_samples_are_decoded(void **state)
{
	(void)state;
	flow_build_sflow(&b, 1);
	assert_string_equal(
		decode(),
		HEAD "{\"type\":\"flow\",\"sequence\":0,\"source_class\":0,\"source_index\":5,\"sampling_rate\":1000,"
		"\"sample_pool\":1000000,\"drops\":0,\"input_format\":0,\"input\":5,\"output_format\":1,\"output\":7,"
		"\"records\":[{\"type\":\"sampled_header\",\"header_protocol\":1,\"frame_length\":1518,\"stripped\":4,"
		"\"header\":0x02005e10000102005e100002810020640800450805dc1234400040060000c0000201c63364019c4001bb0000000100000002"
		"5018010000000000,\"destinationMacAddress\":02:00:5e:10:00:01,\"sourceMacAddress\":02:00:5e:10:00:02,"
		"\"dot1qVlanId\":100,\"dot1qPriority\":1,\"ethernetType\":2048,\"ipClassOfService\":8,\"totalLengthIPv4\":1500,"
		"\"fragmentIdentification\":4660,\"fragmentOffset\":0,\"ipTTL\":64,\"protocolIdentifier\":6,"
		"\"sourceIPv4Address\":192.0.2.1,\"destinationIPv4Address\":198.51.100.1,\"sourceTransportPort\":40000,"
		"\"destinationTransportPort\":443,\"tcpControlBits\":24},"
		"{\"type\":\"extended_switch\",\"src_vlan\":100,\"src_priority\":1,\"dst_vlan\":200,\"dst_priority\":2}]},"
		"{\"type\":\"counters\",\"sequence\":9,\"source_class\":2,\"source_index\":7,\"records\":["
		"{\"type\":\"if_counters\",\"ifIndex\":7,\"ifType\":6,\"ifSpeed\":10000000000,\"ifDirection\":0,\"ifStatus\":1,"
		"\"ifInOctets\":8589934595,\"ifInUcastPkts\":4,\"ifInMulticastPkts\":5,\"ifInBroadcastPkts\":6,\"ifInDiscards\":7,"
		"\"ifInErrors\":8,\"ifInUnknownProtos\":9,\"ifOutOctets\":42949672971,\"ifOutUcastPkts\":12,"
		"\"ifOutMulticastPkts\":13,\"ifOutBroadcastPkts\":14,\"ifOutDiscards\":15,\"ifOutErrors\":16,"
		"\"ifPromiscuousMode\":17},{\"type\":\"ethernet_counters\",\"dot3StatsAlignmentErrors\":100,"
		"\"dot3StatsFCSErrors\":101,\"dot3StatsSingleCollisionFrames\":102,\"dot3StatsMultipleCollisionFrames\":103,"
		"\"dot3StatsSQETestErrors\":104,\"dot3StatsDeferredTransmissions\":105,\"dot3StatsLateCollisions\":106,"
		"\"dot3StatsExcessiveCollisions\":107,\"dot3StatsInternalMacTransmitErrors\":108,"
		"\"dot3StatsCarrierSenseErrors\":109,\"dot3StatsFrameTooLongs\":110,\"dot3StatsInternalMacReceiveErrors\":111,"
		"\"dot3StatsSymbolErrors\":112}]}]}");
}

static void expanded_samples_have_the_same_fields(void **state)
{
	(void)state;
	record_text(false, 1029, (uint32_t[]){5}, 1);
	assert_string_equal(decode(), HEAD "{\"type\":\"flow\",\"sequence\":0,\"source_class\":1,\"source_index\":2,"
			    "\"sampling_rate\":3,\"sample_pool\":4,\"drops\":5,\"input_format\":6,\"input\":7,\"output_format\":8,"
			    "\"output\":9,\"records\":[{\"type\":\"extended_vni_egress\",\"vni\":5}]}]}");
	record_text(true, 1004, (uint32_t[]){1, 2, 3}, 3);
	assert_string_equal(decode(), HEAD "{\"type\":\"counters\",\"sequence\":0,\"source_class\":1,\"source_index\":2,"
			    "\"records\":[{\"type\":\"of_port\",\"datapath_id\":4294967298,\"port_no\":3}]}]}");
}

static void discarded_packets_carry_their_reason(void **state)
{
	(void)state;
	put_head(1);
	flow_build32(&b, 5);
	flow_build32(&b, 32);
	for (uint32_t i = 0; i < 8; i++)
		flow_build32(&b, i == 7 ? 0 : i);
	assert_string_equal(decode(), HEAD "{\"type\":\"discard\",\"sequence\":0,\"source_class\":1,\"source_index\":2,\"drops\":3,"
			    "\"input\":4,\"output\":5,\"reason\":6,\"records\":[]}]}");
}

static void flow_records_are_decoded_by_their_structure(void **state)
{
	(void)state;
	FLOW(2, "{\"type\":\"sampled_ethernet\",\"length\":64,\"src_mac\":02:00:5e:10:00:01,\"dst_mac\":02:00:5e:10:00:02,"
		"\"type\":2048}", 64, 0x02005e10, 0x00010000, 0x02005e10, 0x00020000, 2048);
	FLOW(3, "{\"type\":\"sampled_ipv4\",\"length\":84,\"protocol\":17,\"src_ip\":192.0.2.1,\"dst_ip\":192.0.2.2,"
		"\"src_port\":53,\"dst_port\":5353,\"tcp_flags\":0,\"tos\":8}", 84, 17, 0xc0000201, 0xc0000202, 53, 5353, 0, 8);
	FLOW(4, "{\"type\":\"sampled_ipv6\",\"length\":84,\"protocol\":17,\"src_ip\":2001:db8::1,\"dst_ip\":2001:db8::2,"
		"\"src_port\":53,\"dst_port\":5353,\"tcp_flags\":0,\"priority\":8}",
	     84, 17, 0x20010db8, 0, 0, 1, 0x20010db8, 0, 0, 2, 53, 5353, 0, 8);
	FLOW(1002, "{\"type\":\"extended_router\",\"nexthop\":192.0.2.1,\"src_mask_len\":24,\"dst_mask_len\":16}", 1, 0xc0000201, 24, 16);
	FLOW(1002, "{\"type\":\"extended_router\",\"nexthop\":2001:db8::1,\"src_mask_len\":24,\"dst_mask_len\":16}",
	     2, 0x20010db8, 0, 0, 1, 24, 16);
	FLOW(1002, "{\"type\":\"extended_router\",\"nexthop\":null,\"src_mask_len\":24,\"dst_mask_len\":16}", 0, 24, 16);
	FLOW(1003, "{\"type\":\"extended_gateway\",\"nexthop\":192.0.2.1,\"as\":1,\"src_as\":2,\"src_peer_as\":3,\"dst_as_path\":["
		   "{\"type\":\"sequence\",\"path\":[10,11]},{\"type\":\"set\",\"path\":[12]},{\"type\":3,\"path\":[]}],"
		   "\"communities\":[7,8],\"localpref\":100}",
	     1, 0xc0000201, 1, 2, 3, 3, 2, 2, 10, 11, 1, 1, 12, 3, 0, 2, 7, 8, 100);
	FLOW(1004, "{\"type\":\"extended_user\",\"src_charset\":106,\"src_user\":\"alice\",\"dst_charset\":106,\"dst_user\":\"\"}",
	     106, 5, 0x616c6963, 0x65000000, 106, 0);
	FLOW(1012, "{\"type\":\"extended_vlantunnel\",\"stack\":[2164260864,1]}", 2, 0x81000000, 1);
}

static void counter_records_are_decoded_by_their_structure(void **state)
{
	(void)state;
	COUNTERS(5, "{\"type\":\"vlan_counters\",\"vlan_id\":7,\"octets\":4294967296,\"ucastPkts\":2,\"multicastPkts\":3,"
		    "\"broadcastPkts\":4,\"discards\":5}", 7, 1, 0, 2, 3, 4, 5);
	COUNTERS(1001, "{\"type\":\"processor\",\"5s_cpu\":1,\"1m_cpu\":2,\"5m_cpu\":3,\"total_memory\":4294967296,"
		       "\"free_memory\":1}", 1, 2, 3, 1, 0, 0, 1);
	COUNTERS(2001, "{\"type\":\"host_adapters\",\"adapters\":[{\"ifIndex\":1,\"macs\":[02:00:5e:10:00:01]},"
		       "{\"ifIndex\":2,\"macs\":[]}]}", 2, 1, 1, 0x02005e10, 0x00010000, 2, 0);
	/* Its first revision ends in front of cpu_steal. */
	COUNTERS(2003, "{\"type\":\"host_cpu\",\"load_one\":0.5,\"load_five\":0.25,\"load_fifteen\":1,\"proc_run\":4,"
		       "\"proc_total\":5,\"cpu_num\":6,\"cpu_speed\":7,\"uptime\":8,\"cpu_user\":9,\"cpu_nice\":10,"
		       "\"cpu_system\":11,\"cpu_idle\":12,\"cpu_wio\":13,\"cpu_intr\":14,\"cpu_sintr\":15,\"interrupts\":16,"
		       "\"contexts\":17}", 0x3f000000, 0x3e800000, 0x3f800000, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
}

static void what_is_not_known_is_kept_as_bytes(void **state)
{
	(void)state;
	FLOW(9999 & 0xfff, "{\"enterprise\":0,\"format\":1807,\"bytes\":0x0000000100000002}", 1, 2);
	COUNTERS(8800u << 12 | 1, "{\"enterprise\":8800,\"format\":1,\"bytes\":0x00000001}", 1);
	FLOW(1029, "{\"type\":\"extended_vni_egress\",\"vni\":5,\"rest\":0x00000006}", 5, 6);
	put_head(2);
	flow_build32(&b, 4413u << 12 | 1);
	flow_build32(&b, 4);
	flow_build32(&b, 0xdeadbeef);
	flow_build32(&b, 9);
	flow_build32(&b, 0);
	assert_string_equal(decode(), HEAD "{\"enterprise\":4413,\"format\":1,\"bytes\":0xdeadbeef},"
			    "{\"enterprise\":0,\"format\":9,\"bytes\":0x}]}");
}

static void lengths_that_lie_end_their_record_and_no_other(void **state)
{
	(void)state;
	/* Strings, arrays and opaques that claim more than there is. */
	FLOW(1004, "length {\"type\":\"extended_user\",\"src_charset\":106}", 106, 500, 0x616c6963, 0x65000000, 106, 0);
	FLOW(1004, "length {\"type\":\"extended_user\",\"src_charset\":106}", 106, 0xffffffff, 0x616c6963);
	FLOW(1012, "length {\"type\":\"extended_vlantunnel\",\"stack\":[1]}", 0xffffffff, 1);
	FLOW(1003, "length {\"type\":\"extended_gateway\",\"nexthop\":192.0.2.1,\"as\":1,\"src_as\":2,\"src_peer_as\":3,"
		   "\"dst_as_path\":[{\"type\":\"sequence\",\"path\":[10]}]}", 1, 0xc0000201, 1, 2, 3, 3, 2, 0x80000000, 10);
	FLOW(1, "length {\"type\":\"sampled_header\",\"header_protocol\":1,\"frame_length\":64,\"stripped\":0}", 1, 64, 0, 100, 1);
	FLOW(1002, "length {\"type\":\"extended_router\"}", 3, 0xc0000201, 24, 16);
	COUNTERS(2001, "length {\"type\":\"host_adapters\",\"adapters\":[{\"ifIndex\":1,\"macs\":[02:00:5e:10:00:01]}]}",
		 1, 1, 0xffffffff, 0x02005e10, 0x00010000);
	/* A sample whose record ends behind it: the sample behind that is decoded all the same. */
	flow_build_sflow(&b, 2);
	b.bytes[28 + 8 + 32 + 4 + 3] = 200;
	assert_memory_equal(decode(), "length {", 8);
	assert_non_null(strstr(decode(), "\"records\":[]},{\"type\":\"flow\",\"sequence\":1,"));
	assert_non_null(strstr(decode(), "\"dot3StatsSymbolErrors\":112}]}]}"));
	/* Counts. */
	flow_build_sflow(&b, 1);
	b.bytes[27] = 3;
	assert_memory_equal(decode(), "truncated {", 11);
	b.bytes[27] = 1;
	assert_memory_equal(decode(), "length {", 8);
	b.bytes[24] = 0xff;
	assert_memory_equal(decode(), "truncated {", 11);
}

static void other_versions_and_addresses_are_refused(void **state)
{
	(void)state;
	flow_build_sflow(&b, 1);
	b.bytes[3] = 4;
	assert_string_equal(decode(), "version {}");
	b.bytes[3] = 5;
	b.bytes[7] = 3;
	assert_string_equal(decode(), "syntax {}");
	b.length = 0;
	assert_string_equal(decode(), "empty {}");
}

static void a_datagram_cut_anywhere_is_decoded_up_to_there(void **state)
{
	uint32_t whole;

	(void)state;
	flow_build_sflow(&b, 2);
	for (whole = b.length, b.length = 0; b.length < whole; b.length++) {
		const char *text = decode();

		assert_true(text[0] != '{');
		assert_memory_not_equal(text, "LEFT OPEN", 9);
		assert_null(strstr(text, "WRONG"));
	}
	assert_memory_equal(decode(), "{", 1);
}

static void any_byte_may_be_anything(void **state)
{
	(void)state;
	flow_build_sflow(&b, 2);
	for (uint32_t at = 0; at < b.length; at++)
		for (uint32_t value = 0; value < 256; value += 17) {
			uint8_t was = b.bytes[at];
			const char *text;

			b.bytes[at] = (uint8_t)value;
			text = decode();
			assert_memory_not_equal(text, "LEFT OPEN", 9);
			assert_null(strstr(text, "WRONG"));
			b.bytes[at] = was;
		}
}

static void ipv6_packets_are_followed_through_their_extension_headers(void **state)
{
	static const uint8_t packet[72] = {0x60, 0x12, 0x34, 0x56, 0, 32, 0, 64, 0x20, 1, 0x0d, 0xb8, [23] = 1, 0x20, 1, 0x0d, 0xb8,
					   [39] = 2, /* hop by hop, */ 44, 0, 1, 4, 0, 0, 0, 0, /* fragment, */ 17, 0, 0, 0, 0, 0, 0, 1,
					   /* UDP */ 0x13, 0x88, 0, 53, 0, 16, 0, 0};
	uint32_t words[4 + 18] = {12, 100, 0, 72};

	(void)state;
	for (uint32_t i = 0; i < 18; i++)
		words[4 + i] = flow_get32(packet + 4 * (size_t)i);
	assert_non_null(strstr(record_text(false, 1, words, 22),
			       "\"ipClassOfService\":1,\"flowLabelIPv6\":144470,\"payloadLengthIPv6\":32,\"ipTTL\":64,"
			       "\"sourceIPv6Address\":2001:db8::1,\"destinationIPv6Address\":2001:db8::2,\"protocolIdentifier\":17,"
			       "\"sourceTransportPort\":5000,\"destinationTransportPort\":53}"));
	words[4 + 12] = 0x11000008; /* not the first fragment */
	assert_non_null(strstr(record_text(false, 1, words, 22), "\"protocolIdentifier\":17}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flow_and_counter_samples_are_decoded),
		cmocka_unit_test(expanded_samples_have_the_same_fields),
		cmocka_unit_test(discarded_packets_carry_their_reason),
		cmocka_unit_test(flow_records_are_decoded_by_their_structure),
		cmocka_unit_test(counter_records_are_decoded_by_their_structure),
		cmocka_unit_test(what_is_not_known_is_kept_as_bytes),
		cmocka_unit_test(lengths_that_lie_end_their_record_and_no_other),
		cmocka_unit_test(other_versions_and_addresses_are_refused),
		cmocka_unit_test(a_datagram_cut_anywhere_is_decoded_up_to_there),
		cmocka_unit_test(any_byte_may_be_anything),
		cmocka_unit_test(ipv6_packets_are_followed_through_their_extension_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
