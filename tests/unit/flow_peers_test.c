// What tshark decodes from the same datagrams: those of the captures under ../shared/captures (PENSTOCK_CAPTURES says where
// else), and those that softflowd and pmacct make of them, when these are there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/codec/codec.h"
#include "dataplane/codec/templates.h"
#include "dataplane/seam/key_text.h"

#define LIST_MAX 16384u
#define PAIRS_MAX 24u

struct pair {
	const char *ours, *theirs; /* element, tshark field */
};

static const struct pair flow_pairs[] = {
	{"version", "cflow.version"},
	{"sequence", "cflow.sequence"},
	{"sourceIPv4Address", "cflow.srcaddr"},
	{"destinationIPv4Address", "cflow.dstaddr"},
	{"sourceIPv6Address", "cflow.srcaddrv6"},
	{"destinationIPv6Address", "cflow.dstaddrv6"},
	{"ipNextHopIPv4Address", "cflow.nexthop"},
	{"packetDeltaCount", "cflow.packets"},
	{"octetDeltaCount", "cflow.octets"},
	{"sourceTransportPort", "cflow.srcport"},
	{"destinationTransportPort", "cflow.dstport"},
	{"protocolIdentifier", "cflow.protocol"},
	{"tcpControlBits", "cflow.tcpflags"},
	{"ipClassOfService", "cflow.tos"},
	{"ingressInterface", "cflow.inputint"},
	{"egressInterface", "cflow.outputint"},
	{"bgpSourceAsNumber", "cflow.srcas"},
	{"sourceIPv4PrefixLength", "cflow.srcmask"},
	{"flowDirection", "cflow.direction"},
	{"flowEndReason", "cflow.flow_end_reason"},
	{NULL, NULL},
};

static const struct pair sflow_pairs[] = {
	{"version", "sflow_245.version"},
	{"sub_agent", "sflow_245.sub_agent_id"},
	{"ifIndex", "sflow_245.ifindex"},
	{"ifSpeed", "sflow_245.ifspeed"},
	{"ifInOctets", "sflow_245.ifinoct"},
	{"ifInUcastPkts", "sflow_245.ifinpkt"},
	{"ifInMulticastPkts", "sflow_245.ifinmcast"},
	{"ifOutOctets", "sflow_245.ifoutoct"},
	{"ifOutErrors", "sflow_245.ifouterr"},
	{"ifPromiscuousMode", "sflow_245.ifpromisc"},
	{"dot3StatsFCSErrors", "sflow_245.dot3StatsFCSErrors"},
	{"dot3StatsSymbolErrors", "sflow_245.dot3StatsSymbolErrors"},
	{"sampling_rate", "sflow.flow_sample.sampling_rate"},
	{"frame_length", "sflow_245.header.frame_length"},
	{"stripped", "sflow_245.header.payload_stripped"},
	{"src_vlan", "sflow_245.vlan.in"},
	{"dst_vlan", "sflow_245.vlan.out"},
	{"src_mask_len", "sflow_245.nexthop.src_mask"},
	{"src_as", "sflow_245.srcAS"},
	{"localpref", "sflow_245.localpref"},
	{NULL, NULL},
};

/* Every value of the fields of interest, comma behind each. */
struct lists {
	struct field_sink sink;
	const struct pair *pairs;
	char text[PAIRS_MAX][LIST_MAX];
	size_t length[PAIRS_MAX];
};

static bool collect(struct field_sink *sink, const struct field *field)
{
	struct lists *l = (struct lists *)sink;
	char value[64];

	for (uint32_t i = 0; field->name && l->pairs[i].ours; i++) {
		if (strlen(l->pairs[i].ours) != field->name_length || memcmp(l->pairs[i].ours, field->name, field->name_length) != 0)
			continue;
		if (field->type == FIELD_ADDRESS)
			value[field->length == 4 ? address4_text(field->bytes, value) : address6_text(field->bytes, value)] = 0;
		else
			snprintf(value, sizeof value, "%" PRIu64, field->value.u);
		l->length[i] += (size_t)snprintf(l->text[i] + l->length[i], LIST_MAX - l->length[i], "%s,", value);
		assert_true(l->length[i] < LIST_MAX);
	}
	return true;
}

/* tshark's list of one field in our way to write it. */
static void normalise(char *theirs, char *out)
{
	char *value, *rest, *end;

	*out = 0;
	for (value = strtok_r(theirs, ",", &rest); value; value = strtok_r(NULL, ",", &rest)) {
		unsigned long long number = strtoull(value, &end, 0);

		out += *end ? sprintf(out, "%s,", value) : sprintf(out, "%llu,", number);
	}
}

static struct lists ours;

/* The datagram of a captured frame; false when it is none for `port`. */
static bool datagram_of(const uint8_t *frame, uint32_t length, int link, uint16_t port, struct codec_record *record)
{
	uint32_t at = link == DLT_EN10MB ? 14 : 0, header;

	if (length < at + 48)
		return false;
	header = frame[at] >> 4 == 4 ? (frame[at] & 15u) * 4u : 40;
	record->source = frame + at + (frame[at] >> 4 == 4 ? 12 : 8);
	record->source_bytes = frame[at] >> 4 == 4 ? 4 : 16;
	at += header;
	if (frame[at + 2] << 8 != (port & 0xff00) || frame[at + 3] != (port & 0xff))
		return false;
	record->bytes = frame + at + 8;
	record->length = length - at - 8;
	return true;
}

static enum codec_fault decode_ours(const struct codec *codec, struct codec_record *record)
{
	memset(ours.length, 0, sizeof ours.length);
	for (uint32_t i = 0; i < PAIRS_MAX; i++)
		ours.text[i][0] = 0;
	ours.sink.put = collect;
	return codec->decode(record, &ours.sink);
}

static FILE *run_tshark(const char *path, uint16_t port, const char *protocol, const struct pair *pairs)
{
	char command[4096];
	int n = snprintf(command, sizeof command,
			 "tshark -r '%s' -d udp.port==%u,%s -T fields -E separator=';' -e _ws.malformed -e frame.number", path,
			 port, protocol);

	for (; pairs->theirs; pairs++)
		n += snprintf(command + n, sizeof command - (size_t)n, " -e %s", pairs->theirs);
	snprintf(command + n, sizeof command - (size_t)n, " 2>/dev/null");
	return popen(command, "r");
}

/* Compares frame by frame; returns how many datagrams tshark found to be of the protocol. */
static uint32_t compare(const char *path, uint16_t port, uint8_t codec, const struct pair *pairs)
{
	static char line[PAIRS_MAX * LIST_MAX], theirs[LIST_MAX];
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *file = pcap_open_offline(path, error);
	FILE *tshark = run_tshark(path, port, codec == CODEC_SFLOW ? "sflow" : "cflow", pairs);
	struct codec_templates *templates;
	struct pcap_pkthdr *header;
	const uint8_t *frame;
	uint32_t count = 0;

	assert_true(file && tshark && templates_create(1 << 20, 1, &templates) == 0);
	ours.pairs = pairs;
	for (uint64_t number = 1; pcap_next_ex(file, &header, &frame) == 1; number++) {
		struct codec_record record = {.arrival_ns = number, .templates = templates};
		char *rest = line, *malformed;

		assert_non_null(fgets(line, sizeof line, tshark));
		line[strcspn(line, "\n")] = 0;
		malformed = strsep(&rest, ";");
		assert_int_equal(strtoull(strsep(&rest, ";"), NULL, 10), number);
		/* Their version is there and is one that is ours. */
		if (*rest == ';' || !datagram_of(frame, header->caplen, pcap_datalink(file), port, &record) ||
		    (codec == CODEC_NETFLOW && record.bytes[0] != 0) || (codec == CODEC_SFLOW && record.bytes[3] != 5) ||
		    (codec == CODEC_NETFLOW && record.bytes[1] != 5 && record.bytes[1] != 9 && record.bytes[1] != 10))
			continue;
		assert_int_equal(decode_ours(codec_by_id(codec), &record), CODEC_OK);
		for (uint32_t i = 0; pairs[i].ours; i++) {
			normalise(strsep(&rest, ";"), theirs);
			if (*malformed) /* tshark 4.0 loses its way behind counters of hosts, which it does not know */
				break;
			if (strcmp(ours.text[i], theirs) != 0)
				print_message("# %s frame %" PRIu64 " %s\n", path, number, pairs[i].ours);
			assert_string_equal(ours.text[i], theirs);
		}
		count++;
	}
	pclose(tshark);
	pcap_close(file);
	templates_free(templates);
	return count;
}

static const char *captures(void)
{
	const char *directory = getenv("PENSTOCK_CAPTURES");

	directory = directory ? directory : "../shared/captures/tcpdump";
	if (access(directory, R_OK) != 0) {
		print_message("# nothing to do: no captures at %s\n", directory);
		return NULL;
	}
	return directory;
}

static bool have(const char *program)
{
	char command[128];

	snprintf(command, sizeof command, "PATH=$PATH:/usr/sbin command -v %s >/dev/null", program);
	if (system(command) == 0)
		return true;
	print_message("# nothing to do: no %s\n", program);
	return false;
}

static void captured_sflow_and_netflow_are_what_tshark_says(void **state)
{
	static const struct {
		const char *name;
		uint8_t codec;
		uint32_t datagrams;
	} files[] = {
		{"sflow_expanded.pcap", CODEC_SFLOW, 1},
		{"sflow-print-v6.pcap", CODEC_SFLOW, 25},
		{"sflow_multiple_counter_30_pdus.pcap", CODEC_SFLOW, 25},
		{"sflow_multiple_counter_30_pdus.pcap", CODEC_NETFLOW, 5},
	};
	const char *directory = captures();
	char path[512];

	(void)state;
	if (!directory || !have("tshark"))
		return;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		const struct pair *pairs = files[i].codec == CODEC_SFLOW ? sflow_pairs : flow_pairs;

		snprintf(path, sizeof path, "%s/%s", directory, files[i].name);
		assert_int_equal(compare(path, 6343, files[i].codec, pairs), files[i].datagrams);
	}
}

static int listen_udp(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval wait = {.tv_usec = 300000};
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

/* Writes a datagram as the IPv4 packet it came in. */
static void dump(pcap_dumper_t *dumper, uint16_t port, const uint8_t *bytes, uint32_t length)
{
	static uint8_t packet[65536 + 28];
	struct pcap_pkthdr header = {.caplen = length + 28, .len = length + 28};
	const uint8_t head[28] = {0x45, 0, (uint8_t)((length + 28) >> 8), (uint8_t)(length + 28), 0, 0, 0, 0, 64, 17, 0, 0,
				  127, 0, 0, 1, 127, 0, 0, 1, 0x30, 0x39, (uint8_t)(port >> 8), (uint8_t)port,
				  (uint8_t)((length + 8) >> 8), (uint8_t)(length + 8)};

	memcpy(packet, head, 28);
	memcpy(packet + 28, bytes, length);
	pcap_dump((uint8_t *)dumper, &header, packet);
}

/* Runs an exporter: what it sends to `port`, which `listening` listens at, goes to `path`. */
static void run_exporter(const char *command, int listening, uint16_t port, const char *path)
{
	static uint8_t bytes[65536];
	pcap_t *kind = pcap_open_dead(DLT_RAW, 65535);
	pcap_dumper_t *dumper = pcap_dump_open(kind, path);
	pid_t child = fork();
	int status = 0;

	assert_true(dumper && child >= 0);
	if (child == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	for (bool over = false;;) {
		ssize_t got = recv(listening, bytes, sizeof bytes, 0);

		if (got > 0)
			dump(dumper, port, bytes, (uint32_t)got);
		else if (over)
			break;
		over = over || waitpid(child, &status, WNOHANG) == child;
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	pcap_dump_close(dumper);
	pcap_close(kind);
}

struct run {
	const char *capture, *options;
	uint8_t codec;
};

/* softflowd with options, or pmacctd with lines of its configuration. */
static void compare_exports(const char *program, const struct run *runs, size_t count)
{
	const char *directory = captures();
	char command[2048], path[] = "/tmp/flow_peers.XXXXXX", file[64];

	if (!directory || !have("tshark") || !have(program))
		return;
	close(mkstemp(path));
	snprintf(file, sizeof file, "%s.more", path); /* a process id, or a configuration */
	for (size_t i = 0; i < count; i++) {
		const struct pair *pairs = runs[i].codec == CODEC_SFLOW ? sflow_pairs : flow_pairs;
		uint16_t port;
		int fd = listen_udp(&port);

		if (strcmp(program, "softflowd") == 0)
			snprintf(command, sizeof command,
				 "PATH=$PATH:/usr/sbin; exec timeout 30 softflowd -r '%s/%s' -d -c none -p '%s' -n 127.0.0.1:%u %s "
				 ">/dev/null 2>&1",
				 directory, runs[i].capture, file, port, runs[i].options);
		else
			/* pmacctd ends with 1 when its plugin has come to its end in good order, and is gone, before itself is. */
			snprintf(command, sizeof command,
				 "PATH=$PATH:/usr/sbin; printf 'daemonize: false\npcap_savefile: %s/%s\n%s:%u\n' >'%s'; "
				 "timeout 30 pmacctd -f '%s' >'%s.log' 2>&1; status=$?; [ $status = 0 ] || { [ $status = 1 ] && "
				 "grep -q 'probe ): Shutting down on user request' '%s.log'; }",
				 directory, runs[i].capture, runs[i].options, port, file, file, path, path);
		run_exporter(command, fd, port, path);
		close(fd);
		assert_true(compare(path, port, runs[i].codec, pairs) > 0);
	}
	unlink(path);
	unlink(file);
	snprintf(file, sizeof file, "%s.log", path);
	unlink(file);
}

static void exports_of_softflowd_are_what_tshark_says(void **state)
{
	/* In v9 softflowd does not count templates, and tshark reads no more sets than were counted: with a single IPv6 flow
	 * that is none. */
	static const struct run runs[] = {
		{"afs.pcap", "-v 5", CODEC_NETFLOW},
		{"afs.pcap", "-v 9", CODEC_NETFLOW},
		{"afs.pcap", "-v 9 -T ether", CODEC_NETFLOW},
		{"afs.pcap", "-v 10", CODEC_NETFLOW},
		{"bigtcp-ipv6.pcap", "-v 10 -A milli", CODEC_NETFLOW},
	};

	(void)state;
	compare_exports("softflowd", runs, sizeof runs / sizeof *runs);
}

#define NFPROBE(version)                                                                                    \
	"aggregate: src_host,dst_host,src_port,dst_port,proto,tos,tcpflags,src_mac,dst_mac,vlan\\n"         \
	"plugins: nfprobe\\nnfprobe_version: " version "\\nnfprobe_receiver: 127.0.0.1"

static void exports_of_pmacct_are_what_tshark_says(void **state)
{
	static const struct run runs[] = {
		{"afs.pcap", NFPROBE("9"), CODEC_NETFLOW},
		{"afs.pcap", NFPROBE("10"), CODEC_NETFLOW},
		{"afs.pcap", "plugins: sfprobe\\nsampling_rate: 5\\nsfprobe_agentip: 192.0.2.5\\nsfprobe_receiver: 127.0.0.1", CODEC_SFLOW},
	};

	(void)state;
	compare_exports("pmacctd", runs, sizeof runs / sizeof *runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captured_sflow_and_netflow_are_what_tshark_says),
		cmocka_unit_test(exports_of_softflowd_are_what_tshark_says),
		cmocka_unit_test(exports_of_pmacct_are_what_tshark_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
