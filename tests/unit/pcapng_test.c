#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <pcap/pcap.h>
#include <cmocka.h>

#include "control/delivery/directory.h"
#include "control/delivery/format.h"
#include "tests/support/delivery_fakes.h"

#define NOON 1767268800123456789ull

static char directory[] = "/tmp/penstock-pcapng-XXXXXX";
static char path[64];
static _Alignas(8) uint8_t bytes[RECORD_BYTES_MAX];

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/out.pcapng", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static int write_file(void *handle, const void *from, size_t length)
{
	return fwrite(from, 1, length, handle) == length ? 0 : -EIO;
}

static const char *name_of(void *context, uint32_t input)
{
	(void)context;
	return input == 7 ? "tap" : NULL;
}

static void write_records(const struct fake_record *records, size_t count)
{
	struct format_options options = {.format = FORMAT_PCAPNG, .input_name = name_of};
	FILE *file = fopen(path, "w");
	struct sink sink = {write_file, file};
	struct format *f;

	assert_non_null(file);
	assert_int_equal(format_open(&options, &f), 0);
	assert_int_equal(format_begin(f, &sink), 0);
	for (size_t i = 0; i < count; i++) {
		fake_record_put(bytes, &records[i]);
		assert_int_equal(format_add(f, 0, 1000 + i, (const struct record *)bytes), 0);
	}
	assert_int_equal(format_end(f), 0);
	format_close(f);
	fclose(file);
}

static struct fake_record frame(uint32_t input, uint64_t arrival_ns, const void *payload, uint32_t length)
{
	struct fake_record r = fake_text(arrival_ns, "");

	r.codec = CODEC_FRAME;
	r.input = input;
	r.payload = payload;
	r.payload_length = length;
	return r;
}

static struct fake_record gap_of(struct gap *gap)
{
	return (struct fake_record){.kind = RECORD_GAP,
				    .vlan = RECORD_VLAN_NONE,
				    .arrival_ns = NOON,
				    .payload = gap,
				    .payload_length = sizeof *gap};
}

static void the_blocks_are_as_the_draft_has_them_byte_for_byte(void **state)
{
	static const uint8_t expected[] = {
		/* section header */
		0x0a, 0x0d, 0x0d, 0x0a, 44, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 4, 0, 8, 0, 'p', 'e', 'n', 's', 't', 'o', 'c', 'k', 0, 0, 0, 0, 44, 0, 0, 0,
		/* interface "tap", nanoseconds */
		1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 't', 'a', 'p', 0, 9, 0, 1, 0, 9, 0, 0, 0,
		0, 0, 0, 0, 40, 0, 0, 0,
		/* packet of 5 bytes, 3 of padding, its sequence 1000 */
		6, 0, 0, 0, 56, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5, 5, 0, 0, 0, 5, 0, 0, 0, 'h', 'e', 'l', 'l',
		'o', 0, 0, 0, 5, 0, 8, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 56, 0, 0, 0};
	struct fake_record r = frame(7, 0x0102030405060708u, "hello", 5);
	uint8_t read[sizeof expected + 1];
	FILE *file;

	(void)state;
	write_records(&r, 1);
	file = fopen(path, "r");
	assert_int_equal(fread(read, 1, sizeof read, file), sizeof expected);
	assert_memory_equal(read, expected, sizeof expected);
	fclose(file);
}

static void every_frame_comes_back_through_libpcap_in_order(void **state)
{
	static uint8_t payload[RECORD_PAYLOAD_MAX];
	char error[PCAP_ERRBUF_SIZE];
	struct gap gap = {.count = 12, .reason = GAP_LANE_FULL, .worker = UINT16_MAX};
	struct fake_record records[203];
	uint32_t seen = 0;
	pcap_t *pcap;

	(void)state;
	for (uint32_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 31);
	records[0] = gap_of(&gap); /* a file may begin with a gap */
	for (uint32_t i = 1; i < 203; i++)
		records[i] = i % 50 == 0 ? gap_of(&gap) : frame(i % 3 + 6, NOON + i, payload + i, 14 + i * 7);
	records[202] = frame(7, NOON + 202, payload, 65535);
	write_records(records, 203);
	pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);
	assert_non_null(pcap);
	assert_int_equal(pcap_datalink(pcap), DLT_EN10MB);
	for (uint32_t i = 1; i < 203; i++) {
		struct pcap_pkthdr *header;
		const u_char *data;

		if (i % 50 == 0)
			continue;
		assert_int_equal(pcap_next_ex(pcap, &header, &data), 1);
		assert_int_equal(header->caplen, records[i].payload_length);
		assert_int_equal(header->len, records[i].payload_length);
		assert_memory_equal(data, records[i].payload, header->caplen);
		assert_int_equal((uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec, NOON + i);
		seen++;
	}
	assert_int_equal(pcap_next_ex(pcap, &(struct pcap_pkthdr *){NULL}, &(const u_char *){NULL}), PCAP_ERROR_BREAK);
	assert_int_equal(seen, 202 - 4);
	pcap_close(pcap);
}

static void run_tool(const char *command, const char *expected)
{
	char line[256], seen[8192] = "";
	FILE *pipe = popen(command, "r");

	assert_non_null(pipe);
	while (fgets(line, sizeof line, pipe) != NULL)
		strncat(seen, line, sizeof seen - strlen(seen) - 1);
	assert_int_equal(pclose(pipe), 0);
	if (strstr(seen, expected) == NULL)
		fail_msg("%s:\n%s\nholds no \"%s\"", command, seen, expected);
}

static void wireshark_s_tools_read_it_and_see_the_gap(void **state)
{
	struct gap gap = {.count = 12, .bytes = 99, .reason = GAP_LANE_FULL, .worker = UINT16_MAX};
	const struct gap unknown = {.count = GAP_COUNT_UNKNOWN, .reason = GAP_REGION_LOST, .worker = UINT16_MAX};
	uint8_t arp[60] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
	struct gap other = unknown;
	struct fake_record records[] = {frame(7, NOON, arp, 60), gap_of(&gap), gap_of(&other),
					frame(8, NOON + 1, arp, 60)};
	char command[200];

	(void)state;
	if (access("/usr/bin/capinfos", X_OK) != 0 || access("/usr/bin/tshark", X_OK) != 0)
		skip();
	write_records(records, 4);
	snprintf(command, sizeof command, "/usr/bin/capinfos -M %s 2>&1", path);
	run_tool(command, "Number of packets:   2");
	run_tool(command, "Number of interfaces in file: 3");
	run_tool(command, "Interface #1 info:\n                     Name = gaps");
	snprintf(command, sizeof command,
		 "/usr/bin/tshark -r %s -T fields -e frame.time_epoch -e frame.interface_name -e arp.opcode 2>&1",
		 path);
	run_tool(command, "1767268800.123456789\ttap\t1\n1767268800.123456790\t00000008\t1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_blocks_are_as_the_draft_has_them_byte_for_byte),
		cmocka_unit_test(every_frame_comes_back_through_libpcap_in_order),
		cmocka_unit_test(wireshark_s_tools_read_it_and_see_the_gap),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
