// Prints what a tap makes of every Ethernet frame of capture files, and writes them all into one file, so that tshark
// can be asked about the same: describe OUT.pcap FILE..., or --built for one frame of every kind of tunnel that the
// tests build. See tests/e2e/offsets.test.
//
// A line for each frame: number, fate, outer VLAN id or -, tags, layers, tunnel, vni, family (0, 4, 6), offset of the
// innermost IP header, addresses, offset of its UDP header or -, UDP ports.
#include <arpa/inet.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>

#include "dataplane/packet/tunnel.h"
#include "tests/support/tunnel_build.h"

static const char *const tunnels[TUNNEL_KINDS] = {"none", "mpls",  "pppoe",  "vxlan", "geneve",
						  "gre",  "nvgre", "erspan", "gtp",   "ipip"};

static unsigned number; /* frames so far */
static struct host host;
static pcap_dumper_t *out;

static void describe(const uint8_t *frame, uint32_t length)
{
	char source[INET6_ADDRSTRLEN] = "-", destination[INET6_ADDRSTRLEN] = "-";
	struct datagram d;
	enum counter_frame fate = decode_frame(frame, length, &host, DECODE_ALL_GOOD, &d);
	int family = 0;

	fate = tunnel_enter(frame, length, &host, fate, &d);
	if (d.addresses) {
		bool v6 = d.family == RECORD_ORIGIN_IPV6;

		family = v6 ? 6 : 4;
		inet_ntop(v6 ? AF_INET6 : AF_INET, d.addresses, source, sizeof source);
		inet_ntop(v6 ? AF_INET6 : AF_INET, d.addresses + (v6 ? 16 : 4), destination, sizeof destination);
	}
	printf("%u %s ", number, counter_label(fate));
	if (d.vlan_tags)
		printf("%u", d.vlan & 0xfffu);
	else
		printf("-");
	printf(" %u %u %s %" PRIu32 " %d ", d.vlan_tags, d.layers, tunnels[d.tunnel], d.vni, family);
	/* Behind the addresses of both versions lies what their headers carry; they begin in front of them. */
	printf("%d %s %s ", family ? (int)(d.addresses - frame) - (family == 6 ? 8 : 12) : -1, source, destination);
	if (d.ports)
		printf("%u %u %u\n", (unsigned)(d.ports - frame), wire_get16(d.ports), wire_get16(d.ports + 2));
	else
		printf("- - -\n");
}

static void take(const struct pcap_pkthdr *header, const uint8_t *frame, const char *from)
{
	number++;
	describe(frame, header->caplen);
	printf("# %s\n", from);
	pcap_dump((u_char *)out, header, frame);
}

static void take_built(void)
{
	static struct stack stack;

	for (uint32_t k = 0; k < stack_kinds_count; k++) {
		struct pcap_pkthdr header = {.ts.tv_sec = k};

		stack_build(&stack, k, 9999, 30);
		header.caplen = header.len = stack_length(&stack);
		take(&header, stack_head(&stack), stack_kinds[k].name);
	}
}

static void take_file(const char *path)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *file = pcap_open_offline(path, error);
	struct pcap_pkthdr *header;
	const uint8_t *bytes;

	if (!file)
		return; /* formats that libpcap does not read are among them on purpose */
	while (pcap_datalink(file) == DLT_EN10MB && pcap_next_ex(file, &header, &bytes) == 1)
		if (header->caplen > 0 && header->caplen <= 65535 && header->caplen == header->len) /* not cut off */
			take(header, bytes, path);
	pcap_close(file);
}

int main(int argc, char **argv)
{
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, 262144);

	out = argc > 2 && dead ? pcap_dump_open(dead, argv[1]) : NULL;
	if (!out || host_init_tap(&host, HOST_VLAN_DEPTH_MAX) != 0) {
		fprintf(stderr, "usage: describe OUT.pcap FILE...|--built\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--built") == 0)
			take_built();
		else
			take_file(argv[i]);
	}
	pcap_dump_close(out);
	pcap_close(dead);
	return number ? 0 : 1;
}
