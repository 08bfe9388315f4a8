// Every Ethernet frame of the captures under ../shared/captures (PENSTOCK_CAPTURES says where else), when present.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "config/config.h"
#include "dataplane/packet/answer.h"
#include "dataplane/packet/decode.h"
#include "tests/support/frame_build.h"

#define GOOD (DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD)
#define ANSWER_ROOM 4096u

static uint32_t results[COUNTER_FRAME_END], frames, datagrams;
static uint64_t seed = 5;

// A host that the frame may be for: its destinations, if it has some, or noise.
static void random_host(struct host *host, const uint8_t *frame, uint32_t length)
{
	struct config_address addresses[2] = {{.family = 4, .prefix_length = frame_random(&seed) % 33},
					      {.family = 6, .prefix_length = frame_random(&seed) % 129}};
	uint8_t mac[6] = {2, 3, 4, 5, 6, 7};
	struct datagram d;

	assert_int_equal(host_init_tap(host, HOST_VLAN_DEPTH_MAX), 0);
	decode_frame(frame, length, host, GOOD, &d);
	for (uint32_t i = 0; i < 16; i++)
		addresses[0].bytes[i] = addresses[1].bytes[i] = (uint8_t)(frame_random(&seed) % 127 + 1);
	if (d.addresses && frame_random(&seed) % 8) {
		if (d.family == RECORD_ORIGIN_IPV4)
			memcpy(addresses[0].bytes, d.addresses + 4, 4);
		else
			memcpy(addresses[1].bytes, d.addresses + 16, 16);
	}
	if (length >= 6 && frame_random(&seed) % 8)
		memcpy(mac, frame, 6);
	/* A group is nobody's own address: then the host has none but its link-local one. */
	if (host_init(host, mac, addresses, 2, frame_random(&seed) % (HOST_VLAN_DEPTH_MAX + 1)) != 0)
		assert_int_equal(host_init(host, mac, NULL, 0, frame_random(&seed) % (HOST_VLAN_DEPTH_MAX + 1)), 0);
}

static void judge(const uint8_t *bytes, uint32_t length)
{
	uint8_t *frame = frame_exact(bytes, length), *out = malloc(ANSWER_ROOM);
	struct host host;

	for (uint32_t round = 0; round < 6; round++) {
		uint32_t verified = round % 2 ? GOOD : 0;
		enum counter_frame fate, answered;
		struct datagram d;

		random_host(&host, frame, length);
		fate = decode_frame(frame, length, &host, verified, &d);
		assert_in_range(fate, FRAME_ACCEPTED, FRAME_UDP_CHECKSUM);
		results[fate]++;
		if (fate == FRAME_ACCEPTED) {
			assert_true(d.payload <= length && d.length <= length - d.payload);
			datagrams++;
		}
		assert_true((answer_frame(&host, frame, length, out, ANSWER_ROOM, &answered) > 0) ==
			    (answered == FRAME_ANSWERED));
		assert_in_range(answered, FRAME_ACCEPTED, FRAME_ANSWER_FAILED);
	}
	frames++;
	free(out);
	free(frame);
}

static void judge_file(const char *path)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *file = pcap_open_offline(path, error);
	struct pcap_pkthdr *header;
	const uint8_t *bytes;

	if (!file)
		return; /* formats that libpcap does not read are among them on purpose */
	if (pcap_datalink(file) == DLT_EN10MB)
		while (pcap_next_ex(file, &header, &bytes) == 1)
			judge(bytes, header->caplen);
	pcap_close(file);
}

static void every_captured_frame_has_one_result(void **state)
{
	const char *directory = getenv("PENSTOCK_CAPTURES");
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	(void)state;
	directory = directory ? directory : "../shared/captures/tcpdump";
	dir = opendir(directory);
	if (!dir) {
		print_message("# nothing to do: no captures at %s\n", directory);
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) < (int)sizeof path)
			judge_file(path);
	}
	closedir(dir);
	print_message("# %u frames, %u times accepted\n", frames, datagrams);
	for (uint32_t fate = 0; fate < COUNTER_FRAME_END; fate++)
		if (results[fate])
			print_message("# %s %u\n", counter_label(fate), results[fate]);
	assert_true(frames > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_captured_frame_has_one_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
