// Every packet of the captures beside the checkout, when they are there, through every codec: whole, as if it were a
// datagram, and what UDP and TCP carry in it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/kpl.h"
#include "dataplane/codec/netflow.h"
#include "dataplane/codec/templates.h"
#include "dataplane/packet/tunnel.h"
#include "tests/fuzz/codec.h"
#include "tests/support/captures.h"

#define KPL_ROOM 4096u

struct of_codec {
	uint64_t datagrams, records, decoded;
};

static struct of_codec codecs[256];
static struct host tap;
static struct codec_templates *templates;
static uint64_t packets, payloads, flows, aggregates;

/* The bytes behind the innermost UDP or TCP header; false: there are none. */
static bool find_payload(const uint8_t *frame, uint32_t length, const uint8_t **payload, uint32_t *bytes)
{
	struct datagram d;
	enum counter_frame fate = decode_frame(frame, length, &tap, DECODE_ALL_GOOD, &d);
	const uint8_t *end = frame + length, *tcp;

	tunnel_enter(frame, length, &tap, fate, &d);
	if (d.ports) {
		*payload = d.ports + WIRE_UDP_BYTES;
		*bytes = wire_get16(d.ports + 4) - WIRE_UDP_BYTES;
		fuzz_require(*payload + *bytes <= end);
		return *bytes > 0;
	}
	if (!d.addresses)
		return false;
	tcp = d.family == RECORD_ORIGIN_IPV4 ? d.addresses - 12 + (d.addresses[-12] & 15) * 4 : d.addresses + 32;
	if ((d.family == RECORD_ORIGIN_IPV4 ? d.addresses[-3] : d.addresses[-2]) != 6 || end - tcp < 20 ||
	    end - tcp <= (tcp[12] >> 4) * 4)
		return false;
	*payload = tcp + (tcp[12] >> 4) * 4;
	*bytes = (uint32_t)(end - *payload);
	return true;
}

static void judge_codec(const struct codec *codec, const uint8_t *bytes, uint32_t length)
{
	struct of_codec *of = &codecs[codec->id];
	uint32_t left_out;

	of->datagrams++;
	of->records += codec_check_datagram(codec, bytes, length, 7, &left_out);
	if (codec->decode)
		of->decoded += codec_check_decode(codec, bytes, length, 2) == CODEC_OK;
}

/* What has a memory: templates learned from one are what later ones are decoded by. */
static void judge_flows(const uint8_t *bytes, uint32_t length)
{
	struct codec_record record = fields_record(bytes, length);
	struct fields all;

	record.arrival_ns = packets;
	record.templates = templates;
	fuzz_require((unsigned)netflow_learn(&record) < CODEC_FAULT_END);
	flows += fields_read(codec_by_id(CODEC_NETFLOW), &record, &all) == CODEC_OK;
}

static void judge_aggregate(const uint8_t *bytes, uint32_t length)
{
	static struct kpl_record records[KPL_ROOM];
	enum codec_fault fault;
	uint32_t at = 0, count = kpl_records(bytes, length, records, KPL_ROOM, &at, &fault);

	fuzz_require(at == length && (count > 0) == (fault == CODEC_OK));
	for (uint32_t i = 0; i < count; i++)
		fuzz_require(records[i].data.offset <= length && records[i].data.length <= length - records[i].data.offset);
	aggregates += fault == CODEC_OK;
}

static void judge(const uint8_t *bytes, uint32_t length)
{
	uint8_t *exact = fuzz_allocate(length);

	memcpy(exact, bytes, length);
	for (unsigned id = 0; id < 256; id++)
		if (codec_by_id((uint8_t)id))
			judge_codec(codec_by_id((uint8_t)id), exact, length);
	judge_flows(exact, length);
	judge_aggregate(exact, length);
	free(exact);
}

static void take(int link, const uint8_t *bytes, uint32_t length)
{
	const uint8_t *payload;
	uint32_t payload_bytes;

	if (length == 0 || length > 65535)
		return;
	packets++;
	judge(bytes, length);
	if (link != DLT_EN10MB || !find_payload(bytes, length, &payload, &payload_bytes))
		return;
	payloads++;
	judge(payload, payload_bytes);
}

static void every_captured_packet_is_records_or_a_fault_of_every_codec(void **state)
{
	(void)state;
	assert_int_equal(host_init_tap(&tap, HOST_VLAN_DEPTH_MAX), 0);
	tap.tunnels = UINT32_MAX;
	assert_int_equal(templates_create(TEMPLATES_BYTES_MIN, 3, &templates), 0);
	if (!captures_each(take)) {
		templates_free(templates);
		skip();
	}
	templates_free(templates);
	print_message("# %lu packets, %lu payloads; %lu by templates, %lu aggregates or plain\n", packets, payloads, flows,
		      aggregates);
	assert_true(packets > 0 && payloads > 0);
	for (unsigned id = 0; id < 256; id++) {
		const struct codec *codec = codec_by_id((uint8_t)id);

		if (!codec)
			continue;
		print_message("# %s: %lu records, %lu packets decoded whole\n", codec->name, codecs[id].records,
			      codecs[id].decoded);
		assert_int_equal(codecs[id].datagrams, packets + payloads);
		assert_true(codecs[id].decoded <= codecs[id].datagrams);
		assert_true(codec->cut || codecs[id].records == codecs[id].datagrams);
	}
	/* Captures of these are among them. */
	assert_true(codecs[CODEC_SYSLOG].decoded > 0 && codecs[CODEC_SFLOW].decoded > 0 && flows > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_captured_packet_is_records_or_a_fault_of_every_codec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
