// Writes what the fuzz targets start from, made by the tests' own builders: seeds CORPUS-DIRECTORY CONFIG-FILE...
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/store/batch.h"
#include "dataplane/codec/dead_letter.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/flow_build.h"
#include "tests/support/frame_build.h"
#include "tests/support/samples.h"
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

static void keep_rules(void)
{
	static const char *const texts[] = {"foo\1bar\1error user=root 123\1", "<14>web-1 foo\n bar\1\1k\xc3\xa4se\1\xff\1",
					    "a+b[\1\"foo\"\1foo\r\1bar$\1", "xxxxxxxx\1yy\1az\1foo"};
	static const char *const patterns[] = {"foo.*bar", "^error|bar$", "\\bfoo\\b", "[^a]b", "a\\nb", "(?i)err(?-i)or.+x", "fo{1,3}bar+x"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		for (uint8_t set = 0; set < 12; set++)
			keep("rule", (uint8_t[]){set, (uint8_t)(set + i)}, 2, texts[i], strlen(texts[i]));
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		uint8_t choice[2] = {(uint8_t)strlen(patterns[i]), 0};
		char both[128];

		snprintf(both, sizeof both, "%s%s", patterns[i], texts[i % 4]);
		keep("pattern", choice, 2, both, strlen(both));
	}
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

/* Datagrams of the text formats; the byte in front says how many records there is room for. */
static void keep_texts(void)
{
	static const struct {
		const char *target, *text;
	} texts[] = {
		{"syslog", "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed for lonvick"},
		{"syslog", "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - [a@1 b=\"3\" c=\"\\\"\\]\"][d] text"},
		{"syslog", "<38>Jan  2 03:04:05 gateway sshd[21847]: Accepted publickey\n  more of it\n<13>Oct 11 2003 22:14:15.5: %ASA-6: Built\n"},
		{"syslog", "7 <13>a: b60 <13>2026-01-02T04:04:05.5+01:00 gw app: text that ends too early"},
		{"statsd", "gorets:1|c|@0.1\nglork:320|ms\ngaugor:-10|g\nuniques:765|s\n"},
		{"statsd", "a:1:.5:+007|d|@0.5|#env:prod,canary|c:83c0a99c|T1656581400|e:it|card:low|new"},
		{"statsd", "_e{3,7}:a|b|x\\ny|z:|d:1656581400|h:web|k:key|p:low|s:src|t:warning|#a:b\n_sc|a|2|d:1|h:web|#a|m:it m\\: x"},
		{"influx", "cpu,host=web-17,cpu=cpu0 user=12.5,idle=84i,n=3u,up=t 1767323045123456789\n# comment\nmem free=.5\n"},
		{"influx", "my\\ m,tag\\ Key=tag\\=Value f\\ 1=\"x \\\"y\\\" \\\\ z\nnext line\",g=F\nm a=\"open\nn b=1"},
		{"graphite", "servers.web-17.cpu.user 12.5 1767323045\ndisk.used;dc=dc1;rack=a1 +05.25 -1\na nan N\n"},
		{"json", "{\"time\":\"2026-01-02T03:04:05Z\",\"a\":{\"b\":[1,-2.5e3,true,null]},\"m\\u0065\":\"\\ud83d\\ude00 \\n\"}\n{}\n[[0]]\n"},
		{"json", "[\"\xc3\xa4 \xf0\x9f\x98\x80\",{\"a\":\"b\",\"a\":{\"\":0}},[],1E+5,-0]"},
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		keep(texts[i].target, (uint8_t[]){(uint8_t)i}, 1, texts[i].text, strlen(texts[i].text));
}

/* Lists of RFC 6313: of values, of records, of such lists, and one in another. */
static void keep_flow_lists(void)
{
	static const uint32_t fields[3][2] = {{291, TEMPLATE_VARIABLE}, {292, TEMPLATE_VARIABLE}, {293, TEMPLATE_VARIABLE}},
			      pair[2][2] = {{8, 4}, {291, TEMPLATE_VARIABLE}};
	static struct flow_build b;
	uint8_t choice[6] = {1, 2, 3, 4};

	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, fields, 3, 0);
	flow_build_template(&b, 301, pair, 2, 0);
	flow_build_set(&b, 300);
	flow_build_bytes(&b, "\x11\3\0\x0e\0\4\0\0\0\1\0\0\0\4\0\0\0\x08", 18);
	flow_build_bytes(&b, "\x0f\3\1\x2d\xc0\0\2\1\7\3\0\4\0\1\6\x11", 16);
	flow_build_bytes(&b, "\x17\1\1\x2d\0\x0e\xc0\0\2\1\5\3\0\x52\xff\xff\1\x2d\0\4\1\x2d\0\4", 24);
	flow_build_set_end(&b);
	choice[4] = (uint8_t)(b.length >> 8);
	choice[5] = (uint8_t)b.length;
	keep("netflow", choice, 6, b.bytes, b.length);
}

/* Flow datagrams: each alone, and the flows in front of their template. */
static void keep_flows(void)
{
	static const uint32_t options[3][2] = {{149, 4}, {34, 4}, {35, 1}}, variable[3][2] = {{4, 1}, {371, 65535}, {35632u << 16 | 8, 4}};
	static struct flow_build b, both;
	uint8_t choice[6] = {1, 2, 3, 4};

	for (uint32_t version = 5; version <= 10; version += version == 5 ? 4 : 1) {
		both.length = 0;
		for (uint32_t with_template = 0; with_template < 2; with_template++) {
			if (version == 5)
				flow_build_v5(&b, 2);
			else
				flow_build_usual(&b, version, with_template, 2);
			if (version == 10 && with_template) {
				flow_build_template(&b, 301, options, 3, 1);
				flow_build_template(&b, 302, variable, 3, 0);
				flow_build_set(&b, 302);
				flow_build_bytes(&b, "\6\5alice\0\0\0\1", 11);
				flow_build_set_end(&b);
				flow_build_template(&b, 2, NULL, 0, 0);
			}
			choice[4] = (uint8_t)(b.length >> 8);
			choice[5] = (uint8_t)b.length;
			keep("netflow", choice, 6, b.bytes, b.length);
			flow_build_bytes(&both, choice, 6);
			flow_build_bytes(&both, b.bytes, b.length);
		}
		keep("netflow", "", 0, both.bytes, both.length);
	}
	keep_flow_lists();
	flow_build_sflow(&b, 2);
	keep("sflow", (uint8_t[]){0}, 1, b.bytes, b.length);
}

static void keep_file(const char *path)
{
	static char bytes[1 << 20];
	FILE *file = fopen(path, "r");

	fuzz_require(file);
	keep("config", "", 0, bytes, fread(bytes, 1, sizeof bytes, file));
	fclose(file);
}

static void keep_sample(const char *target, const char *prefix, size_t prefix_bytes, struct sample sample)
{
	keep(target, prefix, prefix_bytes, sample.bytes, sample.length);
}

static void keep_gelf(void)
{
	static const char message[] =
		"{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"k\\u00e4se\",\"timestamp\":1385053862.3072,"
		"\"level\":1,\"_a\":{\"b\":[1e3,null,true]},\"_c\":\"d\"}";
	static const uint8_t steps[][8] = {{10, 8, 1, 0, 3, 0, 200, 0x41}, {10, 8, 1, 2, 3, 255, 0, 0x40}, {10, 8, 1, 1, 3, 255, 0, 0x41},
					   {10, 1, 2, 0, 2, 4, 0, 0x61},   {255, 1, 2, 1, 2, 4, 0, 0x61}, {1, 1, 3, 0, 1, 4, 0, 1},
					   {10, 8, 4, 0, 9, 255, 0, 0},	   {10, 8, 4, 1, 9, 255, 0, 0},	  {10, 8, 4, 2, 7, 255, 0, 0}};

	for (char mode = 0; mode < 4; mode++)
		keep("gelf", (char[]){mode, 3}, 2, message, sizeof message - 1);
	keep("gelf", "\0", 2, steps, sizeof steps);
	keep_sample("gelf", "\0\2", 2, sample_gelf_gzip);
	keep_sample("gelf", "\0\0", 2, sample_gelf_gzip_named);
	keep_sample("gelf", "\0\7", 2, sample_gelf_zlib);
}

static void keep_messages_of_machines(void)
{
	static const struct dead_letter_header header = {
		.stage = DEAD_LETTER_AT_RULE, .codec = CODEC_KPL, .reason = DEAD_LETTER_RULE, .input = 7, .detail = 3};
	uint8_t letter[512];

	keep_sample("collectd", "\7", 1, sample_collectd_values);
	keep_sample("collectd", "\0", 1, sample_collectd_notification);
	keep_sample("collectd", "\2", 1, sample_collectd_signed);
	keep_sample("collectd", "\3", 1, sample_collectd_encrypted);
	keep_sample("collectd", "\0", 1, sample_collectd_load);
	keep_sample("kpl", "\3", 1, sample_kpl_aggregate);
	/* Its protocol buffer alone: the target makes the MD5 right. */
	keep("kpl", "\1", 1, sample_kpl_aggregate.bytes + 4, sample_kpl_aggregate.length - 20);
	keep("dead_letter", "\4", 1, letter,
	     dead_letter_write(&header, sample_kpl_aggregate.bytes, sample_kpl_aggregate.length, letter, sizeof letter));
	keep("dead_letter", "\0", 1, letter, dead_letter_write(&header, (const uint8_t *)"text", 4, letter, sizeof letter));
}

#define REFINE_INPUTS 18u

/* For refine_fuzz.c: `how` as there. */
static void put_refine(struct flow_build *b, uint8_t input, uint8_t how, const void *bytes, uint32_t length)
{
	flow_build_bytes(b, (uint8_t[]){input, how, (uint8_t)(length >> 8), (uint8_t)length}, 4);
	flow_build_bytes(b, bytes, length);
}

/* Each text to each input in bursts of several; then what is no text. */
static void keep_refined(void)
{
	static const char *const texts[] = {
		"{\"host\":\"web-1\",\"tags\":{\"env\":\"prod\"}}\n{\"a\" 1}\n{\"n\":1}",
		"<34>1 2003-10-11T22:14:15.003Z web su - ID47 - alert7 user=root\n<13>secret=abc debug",
		"gorets:1|c|@0.1\nbad\n:2|g",
		"cpu,host=web-17 user=12.5 1767323045123456789\nmem free",
		"servers.web-17.cpu 12.5 1767323045\ndisk.used 1",
		"line alert7 secret=abcd audit user=u1\npoison\ntick 1\ntick 2\ndebug\n secret=secret=xy",
		"{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"secret=abc\"}"};
	static const uint8_t chunks[2][29] = {"\x1e\x0f" "identity" "\0\2" "secret=abc poison", "\x1e\x0f" "identity" "\1\2" "rest of it"};
	static struct flow_build b, flows;

	for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
		b.length = 0;
		for (uint8_t input = 0; input < REFINE_INPUTS; input++)
			put_refine(&b, input, (uint8_t)(input % 5 == 4 ? 1 : input % 3 ? 0x32 : 0x70), texts[t], (uint32_t)strlen(texts[t]));
		keep("refine", "", 0, b.bytes, b.length);
	}
	flow_build_usual(&flows, 9, true, 2);
	for (uint8_t input = 0; input < REFINE_INPUTS; input++) {
		b.length = 0;
		put_refine(&b, input, 0, chunks[0], sizeof chunks[0]);
		put_refine(&b, input, 1, chunks[1], sizeof chunks[1]);
		put_refine(&b, input, 8, chunks[input % 2], sizeof chunks[0]);
		put_refine(&b, input, 5, sample_kpl_aggregate.bytes, sample_kpl_aggregate.length);
		put_refine(&b, input, 0, sample_gelf_gzip.bytes, sample_gelf_gzip.length);
		put_refine(&b, input, 2, sample_collectd_values.bytes, sample_collectd_values.length);
		put_refine(&b, input, 0, flows.bytes, flows.length);
		keep("refine", "", 0, b.bytes, b.length);
	}
	flow_build_sflow(&flows, 2);
	b.length = 0;
	put_refine(&b, 9, 0, flows.bytes, flows.length);
	keep("refine", "", 0, b.bytes, b.length);
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
	keep_texts();
	keep_rules();
	keep_messages();
	keep_segments();
	keep_gap();
	keep_flows();
	keep_gelf();
	keep_messages_of_machines();
	keep_refined();
	for (int i = 2; i < argc; i++)
		keep_file(argv[i]);
	return 0;
}
