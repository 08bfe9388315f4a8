// Writes what the fuzz targets start from, made by the tests' own builders: seeds CORPUS-DIRECTORY CONFIG-FILE...
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/store/batch.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/frame_build.h"
#include "tests/support/store_rig.h"
#include "tests/support/tunnel_build.h"

static const char *corpus;

/* `prefix` is what the target reads its choices from. */
static void keep(const char *target, const void *prefix, size_t prefix_bytes, const void *bytes, size_t length)
{
	static unsigned number;
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", corpus, target);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/%s/seed-%03u", corpus, target, number++);
	file = fopen(path, "w");
	fuzz_require(file && fwrite(prefix, 1, prefix_bytes, file) == prefix_bytes);
	fuzz_require(fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
}

static void keep_frames(void)
{
	static const uint8_t echo4[16] = {8, 0, 0, 0, 0, 7, 0, 1}, echo6[16] = {128, 0, 0, 0, 0, 7, 0, 1};
	static const uint8_t options[16] = {17, 1, 1, 12}; /* one extension header, then UDP */
	uint8_t solicitation[32] = {135, [24] = 1, 1, 0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};
	static uint8_t frame[FRAME_BUILD_MAX];
	const struct frame_build builds[] = {
		{.payload = 20},
		{.payload = 0, .padding = 18},
		{.payload = 20, .tags = 1},
		{.payload = 20, .tags = 2, .family = 6},
		{.payload = 97, .family = 6},
		{.payload = 20, .options = 8},
		{.payload = 20, .no_checksum = true},
		{.payload = 20, .family = 6, .extensions = options, .extension_bytes = 16, .next = 60},
		{.protocol = 1, .message = echo4, .message_bytes = sizeof echo4},
		{.family = 6, .protocol = 58, .message = echo6, .message_bytes = sizeof echo6},
		{.family = 6, .protocol = 58, .message = solicitation, .message_bytes = sizeof solicitation,
		 .destination = frame_solicited, .hop_limit = 255},
	};

	memcpy(solicitation + 8, frame_own6, 16);
	for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
		uint32_t length = frame_build(&builds[i], frame);

		keep("decode", (uint8_t[]){0, (uint8_t)(i % 8), 20}, 3, frame, length);
		keep("decode", (uint8_t[]){5, 2, 200}, 3, frame, length);
	}
	keep("decode", (uint8_t[]){0, 1, 20}, 3, frame, frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4));
}

static void keep_tunnels(void)
{
	static struct stack stack;
	uint8_t fragments[512];
	uint32_t length = 0;

	for (uint32_t k = 0; k < stack_kinds_count; k++) {
		uint8_t raw[3];

		stack_build(&stack, k, 514, 30);
		keep("tunnel", (uint8_t[]){0, 0, 0, 20}, 4, stack_head(&stack), stack_length(&stack));
		keep("tunnel", (uint8_t[]){1, 0xff, 0, 60}, 4, stack_head(&stack), stack_length(&stack));
		memcpy(raw, (uint8_t[]){0x80, (uint8_t)(stack_length(&stack) >> 8), (uint8_t)stack_length(&stack)}, 3);
		keep("reassembly", raw, 3, stack_head(&stack), stack_length(&stack));
	}
	for (uint32_t i = 0; i < 20; i++) { /* two datagrams between one another, the last fragment in the middle */
		uint32_t number = i / 2, offset = number == 5 ? 9 : number > 5 ? number - 1 : number;
		uint8_t piece[3] = {(uint8_t)(i % 2 | (offset == 9 ? 0 : 0x10)), (uint8_t)offset, 8};

		memcpy(fragments + length, piece, 3);
		length += 3;
	}
	keep("reassembly", "", 0, fragments, length);
	for (uint32_t i = 0; i < length; i += 3)
		fragments[i] |= 4; /* the same of IPv6 */
	keep("reassembly", "", 0, fragments, length);
}

static void keep_lines(void)
{
	static const char *const texts[] = {"requests 1 front-1\nrequests 2 front-2\n", "a\r\n\r\n\nb\r\r\n", "no newline", "\n", "",
					    "k\xc3\xa4se \xf0\x9f\xa7\x80 one\n|two||three|\n"};
	char longest[700];

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		keep("lines", (uint8_t[]){' ', (uint8_t)i, (uint8_t)(7 * i)}, 3, texts[i], strlen(texts[i]));
	memset(longest, 'x', sizeof longest);
	longest[300] = '|';
	longest[650] = '\n';
	keep("lines", (uint8_t[]){'|', 0, 3}, 3, longest, sizeof longest);
}

static void keep_messages(void)
{
	static const char *const requests[] = {
		"{\"op\":\"status\"}", "{\"op\":\"ledger\"}", "{\"op\":\"stream.create\",\"name\":\"s\",\"shards\":4}",
		"{\"op\":\"read\",\"stream\":\"s\",\"shard\":1,\"sequence\":\"17\",\"wait_ms\":100}",
		"{\"op\":\"cursor.put\",\"stream\":\"s\",\"shard\":0,\"name\":\"c\",\"sequence\":\"18\",\"records\":18}",
		"{\"op\":\"position\",\"stream\":\"s\",\"shard\":0,\"from\":\"time\",\"time_ns\":1767268800123456789}",
		"[[[{\"a\":null,\"b\":[true,false,1.5e3]}]]]"};
	char message[1024];
	uint32_t frame[2];

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		uint32_t length = (uint32_t)strlen(requests[i]), data = i == 3 ? 5 : 0;

		frame[0] = htole32(length);
		frame[1] = htole32(data);
		memcpy(message, frame, 8);
		memcpy(message + 8, requests[i], length);
		memcpy(message + 8 + length, "bytes", data);
		keep("protocol", "", 0, message, 8 + length + data);
	}
}

/* A store that took records from two workers, and the segments it left: whole ones, and their records alone. */
static void keep_segments(void)
{
	static uint8_t bytes[2 << 20];
	char path[512];
	struct rig rig;

	rig_make(&rig, "/dev/shm", 2, 1);
	for (int round = 0; round < 3; round++) {
		rig_start(&rig);
		rig_feed(&rig, 0, 20, 24 + 50 * (uint32_t)round, 5);
		fuzz_require(rig_settle(&rig, 10000));
		rig_stop(&rig, true);
	}
	for (int n = 0; rig_segment(&rig, 0, n, path); n++) {
		const char *name = strrchr(path, '/') + 1;
		uint8_t choice[2] = {1, (uint8_t)strtoull(name, NULL, 10)};
		FILE *file = fopen(path, "r");
		size_t length = file ? fread(bytes, 1, sizeof bytes, file) : 0;
		const struct batch *batch = (const struct batch *)(bytes + sizeof(struct segment_header));

		fuzz_require(file && fclose(file) == 0);
		while (length > sizeof(struct segment_header) && bytes[length - 1] == 0)
			length--; /* room reserved in front of the file's end */
		keep("segment", choice, 2, bytes, length);
		if (length > sizeof(struct segment_header) + sizeof *batch) {
			const uint8_t *records = (const uint8_t *)(batch + 1) + batch->spans * sizeof(struct span);

			keep("record", "", 0, records, (size_t)((const uint8_t *)batch + batch->length - records));
		}
	}
	rig_destroy(&rig);
}

static void keep_gap(void)
{
	struct {
		struct record record;
		struct gap gap;
	} both = {{.length = sizeof(struct gap), .kind = RECORD_GAP, .arrival_ns = 1, .vlan = RECORD_VLAN_NONE},
		  {.count = 3, .first_ns = 1, .last_ns = 2, .reason = GAP_LANE_FULL}};

	keep("record", "", 0, &both, sizeof both);
}

static void keep_file(const char *path)
{
	static char bytes[1 << 20];
	FILE *file = fopen(path, "r");

	fuzz_require(file);
	keep("config", "", 0, bytes, fread(bytes, 1, sizeof bytes, file));
	fclose(file);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	corpus = argv[1];
	mkdir(corpus, 0755);
	keep_frames();
	keep_tunnels();
	keep_lines();
	keep_messages();
	keep_segments();
	keep_gap();
	for (int i = 2; i < argc; i++)
		keep_file(argv[i]);
	return 0;
}
