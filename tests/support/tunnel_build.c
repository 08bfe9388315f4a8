#include "tests/support/tunnel_build.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"

const uint8_t stack_inner4[8] = {10, 1, 2, 3, 10, 4, 5, 6};
const uint8_t stack_inner6[32] = {0xfd, [7] = 1, [15] = 7, [16] = 0xfd, [23] = 2, [31] = 9};

void stack_begin(struct stack *s, uint32_t payload)
{
	s->start = s->end = STACK_BYTES;
	if (payload > STACK_BYTES - 4096)
		abort();
	s->start -= payload;
	for (uint32_t i = 0; i < payload; i++)
		s->bytes[s->start + i] = (uint8_t)(i * 31 + 7);
}

uint8_t *stack_head(struct stack *s)
{
	return s->bytes + s->start;
}

uint32_t stack_length(const struct stack *s)
{
	return s->end - s->start;
}

void stack_push(struct stack *s, const void *bytes, uint32_t count)
{
	if (count > s->start)
		abort();
	s->start -= count;
	memcpy(s->bytes + s->start, bytes, count);
}

void stack_push16(struct stack *s, uint32_t value)
{
	stack_push(s, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

void stack_push32(struct stack *s, uint32_t value)
{
	stack_push16(s, value & 0xffff);
	stack_push16(s, value >> 16);
}

static void put(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void addresses_of(uint8_t family, const uint8_t *source, const uint8_t *destination, uint8_t *out)
{
	uint32_t bytes = family == 6 ? 16 : 4;

	memcpy(out, source ? source : family == 6 ? frame_peer6 : frame_peer4, bytes);
	memcpy(out + bytes, destination ? destination : family == 6 ? frame_own6 : frame_own4, bytes);
}

void stack_ip(struct stack *s, uint8_t family, const uint8_t *source, const uint8_t *destination, uint8_t protocol)
{
	uint32_t length = stack_length(s);
	uint8_t ip[40] = {0};

	if (family == 6) {
		ip[0] = 0x60;
		put(ip + 4, length);
		ip[6] = protocol;
		ip[7] = 60;
		addresses_of(6, source, destination, ip + 8);
		stack_push(s, ip, 40);
		return;
	}
	ip[0] = 0x45;
	put(ip + 2, 20 + length);
	put(ip + 4, 0x77);
	ip[8] = 60;
	ip[9] = protocol;
	addresses_of(4, source, destination, ip + 12);
	frame_fix_ipv4(ip);
	stack_push(s, ip, 20);
}

void stack_udp(struct stack *s, uint8_t family, const uint8_t *source, const uint8_t *destination, uint16_t port,
	       bool no_checksum)
{
	uint8_t addresses[32];
	uint16_t sum;

	stack_push16(s, 0);
	stack_push16(s, stack_length(s) + 6);
	stack_push16(s, port);
	stack_push16(s, 40000);
	addresses_of(family, source, destination, addresses);
	sum = frame_pseudo_checksum(addresses, family == 6 ? 16 : 4, 17, stack_head(s), stack_length(s));
	put(stack_head(s) + 6, no_checksum ? 0 : sum ? sum : 0xffff);
	stack_ip(s, family, source, destination, 17);
}

void stack_ethernet(struct stack *s, uint16_t type)
{
	stack_push16(s, type);
	stack_push(s, frame_peer_mac, 6);
	stack_push(s, frame_own_mac, 6);
}

void stack_tag(struct stack *s, uint16_t tci, uint16_t type)
{
	stack_push16(s, type);
	stack_push16(s, tci);
}

void stack_mpls(struct stack *s, uint32_t label, bool bottom)
{
	stack_push32(s, label << 12 | (bottom ? 0x100 : 0) | 64);
}

void stack_pppoe(struct stack *s, uint16_t session, uint16_t protocol)
{
	stack_push16(s, protocol);
	stack_push16(s, stack_length(s));
	stack_push16(s, session);
	stack_push16(s, 0x1100);
}

void stack_vxlan(struct stack *s, uint32_t vni)
{
	stack_push32(s, vni << 8);
	stack_push32(s, 0x08000000);
}

void stack_vxlan_gpe(struct stack *s, uint32_t vni, uint8_t next)
{
	stack_push32(s, vni << 8);
	stack_push32(s, 0x0c000000u | next);
}

void stack_geneve(struct stack *s, uint32_t vni, uint16_t type, uint32_t option_words)
{
	for (uint32_t i = option_words; i > 0; i--)
		stack_push32(s, i == 1 ? 0x01020100u | (option_words - 1) : 0xdeadbeef);
	stack_push32(s, vni << 8);
	stack_push32(s, option_words << 24 | type);
}

void stack_gre(struct stack *s, uint16_t flags, uint16_t type, uint32_t key)
{
	if (flags & 0x1000)
		stack_push32(s, 99);
	if (flags & 0x2000)
		stack_push32(s, key);
	if (flags & 0x8000)
		stack_push32(s, 0);
	stack_push16(s, type);
	stack_push16(s, flags);
	if (flags & 0x8000)
		put(stack_head(s) + 4, ~frame_sum(0, stack_head(s), stack_length(s)) & 0xffff);
}

void stack_erspan(struct stack *s, uint32_t version, uint16_t session)
{
	if (version == 2) {
		stack_push32(s, 7);
		stack_push32(s, 0x1000u << 16 | (session & 0x3ffu));
		stack_gre(s, 0x1000, 0x88be, 0);
		return;
	}
	stack_push32(s, 0x12345678); /* the platform's subheader */
	stack_push32(s, 0x10000000);
	stack_push32(s, 0x00008001); /* an Ethernet frame; with the subheader */
	stack_push32(s, 0x9abcdef0);
	stack_push32(s, 0x2000u << 16 | (session & 0x3ffu));
	stack_gre(s, 0x1000, 0x22eb, 0);
}

void stack_gtp(struct stack *s, uint32_t teid, bool sequence, uint32_t extensions)
{
	uint32_t length;

	for (uint32_t i = 0; i < extensions; i++)
		stack_push(s, (uint8_t[]){1, 0xaa, 0xbb, i == 0 ? 0 : 0x85}, 4);
	if (sequence || extensions)
		stack_push32(s, 0x00010000u | (extensions ? 0x85 : 0));
	length = stack_length(s);
	stack_push32(s, teid);
	stack_push16(s, length);
	stack_push16(s, (0x30u | (sequence ? 2 : 0) | (extensions ? 4 : 0)) << 8 | 255);
}

/* ---- one of each kind ---- */

static void own4(struct stack *s, uint8_t protocol)
{
	stack_ip(s, 4, NULL, NULL, protocol);
	stack_ethernet(s, 0x0800);
}

static void own6(struct stack *s, uint8_t protocol)
{
	stack_ip(s, 6, NULL, NULL, protocol);
	stack_ethernet(s, 0x86dd);
}

static void udp4(struct stack *s, uint16_t port)
{
	stack_udp(s, 4, NULL, NULL, port, false);
	stack_ethernet(s, 0x0800);
}

static void wrap_vxlan(struct stack *s)
{
	stack_ethernet(s, 0x0800);
	stack_vxlan(s, 0x123456);
	udp4(s, 4789);
}

static void wrap_vxlan_linux(struct stack *s)
{
	stack_ethernet(s, 0x86dd);
	stack_vxlan(s, 42);
	stack_udp(s, 6, NULL, NULL, 8472, true); /* RFC 6935 */
	stack_ethernet(s, 0x86dd);
}

static void wrap_vxlan_tagged(struct stack *s)
{
	stack_tag(s, 9, 0x0800);
	stack_ethernet(s, 0x8100);
	stack_vxlan(s, 7);
	stack_udp(s, 4, NULL, NULL, 4789, true);
	stack_tag(s, 100, 0x0800);
	stack_ethernet(s, 0x8100);
}

static void wrap_gpe_ethernet(struct stack *s)
{
	stack_ethernet(s, 0x0800);
	stack_vxlan_gpe(s, 5, 3);
	udp4(s, 4790);
}

static void wrap_gpe_ip(struct stack *s)
{
	stack_vxlan_gpe(s, 6, 2);
	udp4(s, 4790);
}

static void wrap_geneve(struct stack *s)
{
	stack_ethernet(s, 0x0800);
	stack_geneve(s, 0xabcdef, 0x6558, 3);
	udp4(s, 6081);
}

static void wrap_geneve_ip(struct stack *s)
{
	stack_geneve(s, 1, 0x86dd, 0);
	stack_udp(s, 6, NULL, NULL, 6081, false);
	stack_ethernet(s, 0x86dd);
}

static void wrap_gre(struct stack *s)
{
	stack_gre(s, 0, 0x0800, 0);
	own4(s, 47);
}

static void wrap_gre_all(struct stack *s)
{
	stack_gre(s, 0xb000, 0x86dd, 0xfeedface);
	own6(s, 47);
}

static void wrap_gre_ethernet(struct stack *s)
{
	stack_ethernet(s, 0x0800);
	stack_gre(s, 0x9000, 0x6558, 0);
	own4(s, 47);
}

static void wrap_nvgre(struct stack *s)
{
	stack_ethernet(s, 0x0800);
	stack_gre(s, 0x2000, 0x6558, 0x00123400u | 0x55);
	own4(s, 47);
}

static void wrap_erspan1(struct stack *s)
{
	stack_ethernet(s, 0x0800);
	stack_gre(s, 0, 0x88be, 0);
	own4(s, 47);
}

static void wrap_erspan2(struct stack *s)
{
	stack_ethernet(s, 0x0800);
	stack_erspan(s, 2, 0x2aa);
	own4(s, 47);
}

static void wrap_erspan3(struct stack *s)
{
	stack_ethernet(s, 0x86dd);
	stack_erspan(s, 3, 0x155);
	own6(s, 47);
}

static void wrap_gtp(struct stack *s)
{
	stack_gtp(s, 0xcafebabe, false, 0);
	udp4(s, 2152);
}

static void wrap_gtp_extended(struct stack *s)
{
	stack_gtp(s, 0x1000, true, 3);
	udp4(s, 2152);
}

static void wrap_ipip(struct stack *s)
{
	own4(s, 4);
}

static void wrap_6in4(struct stack *s)
{
	own4(s, 41);
}

static void wrap_4in6(struct stack *s)
{
	own6(s, 4);
}

static void wrap_6in6(struct stack *s)
{
	own6(s, 41);
}

static void wrap_mpls_in_ip(struct stack *s)
{
	stack_mpls(s, 1000, true);
	own4(s, 137);
}

static void wrap_pppoe_in_vxlan(struct stack *s)
{
	stack_pppoe(s, 17, 0x21);
	stack_ethernet(s, 0x8864);
	stack_vxlan(s, 3);
	udp4(s, 4789);
}

static void wrap_three(struct stack *s)
{
	stack_ethernet(s, 0x0800);
	stack_vxlan(s, 11);
	stack_udp(s, 4, stack_inner4, stack_inner4 + 4, 4789, false);
	stack_gre(s, 0x2000, 0x0800, 12);
	stack_ip(s, 6, stack_inner6, stack_inner6 + 16, 47);
	stack_mpls(s, 1013, true);
	stack_mpls(s, 1014, false);
	own4(s, 137);
}

static void wrap_pseudowire(struct stack *s)
{
	stack_ethernet(s, 0x0800);
	stack_push32(s, 5); /* a control word */
	stack_mpls(s, 21, true);
	own4(s, 137);
}

static void wrap_pseudowire_bare(struct stack *s)
{
	stack_ethernet(s, 0x0800);
	stack_mpls(s, 22, true);
	own4(s, 137);
}

const struct stack_kind stack_kinds[] = {
	{"vxlan", TUNNEL_VXLAN, 0x123456, 4, wrap_vxlan},
	{"vxlan over ipv6 without a sum", TUNNEL_VXLAN, 42, 6, wrap_vxlan_linux},
	{"vxlan with tags", TUNNEL_VXLAN, 7, 4, wrap_vxlan_tagged},
	{"vxlan-gpe, ethernet", TUNNEL_VXLAN, 5, 4, wrap_gpe_ethernet},
	{"vxlan-gpe, ipv6", TUNNEL_VXLAN, 6, 6, wrap_gpe_ip},
	{"geneve with options", TUNNEL_GENEVE, 0xabcdef, 4, wrap_geneve},
	{"geneve, ipv6 in ipv6", TUNNEL_GENEVE, 1, 6, wrap_geneve_ip},
	{"gre", TUNNEL_GRE, 0, 4, wrap_gre},
	{"gre with checksum, key and sequence", TUNNEL_GRE, 0xfeedface, 6, wrap_gre_all},
	{"gre, ethernet", TUNNEL_GRE, 0, 4, wrap_gre_ethernet},
	{"nvgre", TUNNEL_NVGRE, 0x1234, 4, wrap_nvgre},
	{"erspan I", TUNNEL_ERSPAN, 0, 4, wrap_erspan1},
	{"erspan II", TUNNEL_ERSPAN, 0x2aa, 4, wrap_erspan2},
	{"erspan III", TUNNEL_ERSPAN, 0x155, 6, wrap_erspan3},
	{"gtp", TUNNEL_GTP, 0xcafebabe, 4, wrap_gtp},
	{"gtp with extension headers", TUNNEL_GTP, 0x1000, 6, wrap_gtp_extended},
	{"4in4", TUNNEL_IPIP, 0, 4, wrap_ipip},
	{"6in4", TUNNEL_IPIP, 0, 6, wrap_6in4},
	{"4in6", TUNNEL_IPIP, 0, 4, wrap_4in6},
	{"6in6", TUNNEL_IPIP, 0, 6, wrap_6in6},
	{"mpls in ip", TUNNEL_MPLS, 1000, 4, wrap_mpls_in_ip},
	{"pppoe in vxlan", TUNNEL_PPPOE, 17, 4, wrap_pppoe_in_vxlan},
	{"vxlan in gre in ipv6 in mpls in ip", TUNNEL_VXLAN, 11, 4, wrap_three},
	{"pseudowire with a control word", TUNNEL_MPLS, 21, 4, wrap_pseudowire},
	{"pseudowire without", TUNNEL_MPLS, 22, 4, wrap_pseudowire_bare},
};
const uint32_t stack_kinds_count = sizeof stack_kinds / sizeof stack_kinds[0];

void stack_build(struct stack *s, uint32_t k, uint16_t port, uint32_t payload)
{
	const uint8_t *inner = stack_kinds[k].inner_family == 6 ? stack_inner6 : stack_inner4;
	uint32_t one = stack_kinds[k].inner_family == 6 ? 16 : 4;

	stack_begin(s, payload);
	stack_udp(s, stack_kinds[k].inner_family, inner, inner + one, port, false);
	stack_kinds[k].wrap(s);
}

void stack_fragment(struct stack *s, const struct stack_fragment *what)
{
	uint8_t protocol = what->protocol ? what->protocol : 17;

	stack_begin(s, 0);
	stack_push(s, what->bytes, what->length);
	if (what->family == 6) {
		stack_push32(s, what->id);
		stack_push16(s, (what->offset & 0xfff8) | what->more);
		stack_push16(s, protocol * 256u);
		for (uint32_t i = 0; i < what->extensions; i++)
			stack_push(s, (uint8_t[]){i == 0 ? 44 : 60, 0, 1, 4, 0, 0, 0, 0}, 8);
		stack_ip(s, 6, what->source, what->destination, what->extensions ? 60 : 44);
		return;
	}
	stack_ip(s, 4, what->source, what->destination, protocol);
	put(stack_head(s) + 4, what->id);
	put(stack_head(s) + 6, what->offset / 8 | (what->more ? 0x2000 : 0));
	frame_fix_ipv4(stack_head(s));
}
