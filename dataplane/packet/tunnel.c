#include "dataplane/packet/tunnel.h"

#include <stddef.h>
#include <string.h>

#include "dataplane/packet/tunnel_header.h"

/* What begins at walk.at. */
enum next { NEXT_TYPE, NEXT_ETHERNET, NEXT_IP, NEXT_PROTOCOL, NEXT_DATAGRAM };

struct walk {
	const uint8_t *frame;
	const struct host *host;
	struct datagram *out; /* of the innermost IP header so far */
	struct datagram now;  /* of the one that is looked at */
	uint32_t at, end;     /* the bytes of what is next */
	uint32_t looked_at;   /* bytes of headers and of sums so far */
	uint16_t number;      /* NEXT_TYPE: EtherType, NEXT_PROTOCOL: IP's, NEXT_DATAGRAM: UDP port */
	enum next next;
	enum counter_frame fate;
};

typedef enum counter_frame read_header(const uint8_t *header, uint32_t room, struct tunnel_header *out);

/* Linux took 8472 before VXLAN's number was assigned, and by default ever since. 6635: RFC 7510. */
static const struct udp_tunnel {
	uint16_t port;
	uint8_t kind;
	read_header *read;
	size_t configured; /* where a host has another port for it; 0: it is always this one */
} udp_tunnels[] = {
	{4789, TUNNEL_VXLAN, tunnel_vxlan, offsetof(struct host, vxlan_port)},
	{6081, TUNNEL_GENEVE, tunnel_geneve, offsetof(struct host, geneve_port)},
	{2152, TUNNEL_GTP, tunnel_gtp, offsetof(struct host, gtp_port)},
	{8472, TUNNEL_VXLAN, tunnel_vxlan, 0},
	{4790, TUNNEL_VXLAN, tunnel_vxlan_gpe, 0},
	{6635, TUNNEL_MPLS, tunnel_mpls, 0},
};

static const struct host anyone = {.tap = true}; /* who an inner header may be for */

static uint32_t port_of(const struct udp_tunnel *tunnel, const struct host *host)
{
	uint16_t port = 0;

	if (tunnel->configured)
		memcpy(&port, (const char *)host + tunnel->configured, sizeof port);
	return port ? port : tunnel->port;
}

static const struct udp_tunnel *udp_tunnel(const struct host *host, uint32_t udp_port)
{
	for (uint32_t i = 0; i < sizeof udp_tunnels / sizeof udp_tunnels[0]; i++)
		if (port_of(&udp_tunnels[i], host) == udp_port && host->tunnels >> udp_tunnels[i].kind & 1)
			return &udp_tunnels[i];
	return NULL;
}

bool tunnel_takes_port(const struct host *host, uint32_t udp_port)
{
	return udp_tunnel(host, udp_port) != NULL;
}

static bool stop(struct walk *w, enum counter_frame fate)
{
	w->fate = fate;
	return false;
}

/* What is next is nothing to look into. */
static bool stop_here(struct walk *w)
{
	return w->now.layers > 0 ? stop(w, FRAME_TUNNEL_INNER) : false;
}

/* Counts bytes to be looked at; false when they are too many. Those of headers are only counted: the next tunnel or sum
 * asks. */
static bool look_at(struct walk *w, uint32_t bytes)
{
	w->looked_at += bytes;
	return w->looked_at <= TUNNEL_BYTES_MAX;
}

static bool go_on(struct walk *w, enum next next, uint16_t number)
{
	w->next = next;
	w->number = number;
	return true;
}

static void note(struct walk *w, const struct tunnel_header *h)
{
	w->now.tunnel = w->out->tunnel = h->kind;
	w->now.vni = w->out->vni = h->id;
	w->now.layers = w->out->layers = (uint8_t)(w->now.layers + 1);
}

/* Steps into what `h` carries. */
static bool enter(struct walk *w, const struct tunnel_header *h)
{
	if (w->now.layers == TUNNEL_LAYERS_MAX || !look_at(w, h->bytes))
		return stop(w, FRAME_TUNNEL_LAYERS);
	if (h->summed && !w->host->tap) {
		if (!look_at(w, w->end - w->at))
			return stop(w, FRAME_TUNNEL_LAYERS);
		if (!checksum_is_right(checksum_sum(w->frame + w->at, w->end - w->at)))
			return stop(w, FRAME_GRE);
	}
	note(w, h);
	w->at += h->bytes;
	w->end = w->at + h->inner;
	switch (h->holds) {
	case TUNNEL_HOLDS_ETHERNET:
		return go_on(w, NEXT_ETHERNET, 0);
	case TUNNEL_HOLDS_IP:
		return go_on(w, NEXT_IP, 0);
	default:
		return go_on(w, NEXT_TYPE, h->type);
	}
}

static bool read_and_enter(struct walk *w, read_header *read)
{
	struct tunnel_header h = {0};
	enum counter_frame fate = read(w->frame + w->at, w->end - w->at, &h);

	/* Which of GRE's kinds it is, only its header says. */
	if (!(w->host->tunnels >> h.kind & 1))
		return stop_here(w);
	if (fate == FRAME_TUNNEL_INNER && w->now.layers < TUNNEL_LAYERS_MAX)
		note(w, &h);
	return fate == FRAME_ACCEPTED ? enter(w, &h) : stop(w, fate);
}

static bool step_ethernet(struct walk *w)
{
	if (w->end - w->at < WIRE_ETHERNET_BYTES)
		return stop(w, FRAME_TUNNEL_TRUNCATED);
	w->at += WIRE_ETHERNET_BYTES;
	return go_on(w, NEXT_TYPE, wire_get16(w->frame + w->at - 2));
}

static bool step_type(struct walk *w)
{
	for (uint32_t tags = 0; decode_is_tag(w->number); tags++) {
		if (tags == w->host->vlan_depth)
			return stop(w, FRAME_VLAN_DEPTH);
		if (w->end - w->at < WIRE_VLAN_BYTES)
			return stop(w, FRAME_VLAN_TRUNCATED);
		w->number = wire_get16(w->frame + w->at + 2);
		w->at += WIRE_VLAN_BYTES;
	}
	switch (w->number) {
	case WIRE_TYPE_IPV4:
	case WIRE_TYPE_IPV6:
		return go_on(w, NEXT_IP, w->number);
	case WIRE_TYPE_MPLS:
	case WIRE_TYPE_MPLS_UPSTREAM:
		return read_and_enter(w, tunnel_mpls);
	case WIRE_TYPE_PPPOE:
		return read_and_enter(w, tunnel_pppoe);
	default:
		return stop_here(w);
	}
}

/* Moves to what the IP header at now.l3, found good, carries: now.l4 up to the end of its packet. False when it was for
 * a group, where no tunnel ends. */
static bool into_ip(struct walk *w)
{
	const uint8_t *ip = w->frame + w->now.l3;

	w->at = w->now.l4;
	if (w->now.family == RECORD_ORIGIN_IPV4) {
		w->end = w->now.l3 + wire_get16(ip + 2);
		w->number = ip[9];
	} else {
		uint32_t at = w->now.l3 + WIRE_IPV6_BYTES;
		uint8_t next = ip[6];

		w->end = at + wire_get16(ip + 4);
		decode_extensions(w->frame, w->end, &at, &next);
		w->number = next;
		/* Groups are joined for neighbour solicitations only. */
		if (!w->now.inside && host_ipv6(w->host, w->now.addresses + 16) != HOST_UNICAST)
			return false;
	}
	look_at(w, w->at - w->now.l3);
	return true;
}

/* A tunnel's UDP header without a checksum over IPv6, of which decode_udp() found the length good (RFC 6935). */
static bool tunnel_without_sum(const struct walk *w, const struct datagram *d)
{
	const uint8_t *udp = w->frame + d->l4;

	return d->family == RECORD_ORIGIN_IPV6 && wire_get16(udp + 6) == 0 &&
	       tunnel_takes_port(w->host, wire_get16(udp + 2));
}

/* Moves into the datagram at now.l4, which a tunnel's port has. */
static bool into_datagram(struct walk *w)
{
	const uint8_t *udp = w->frame + w->now.l4;

	w->at = w->now.l4 + WIRE_UDP_BYTES;
	w->end = w->now.l4 + wire_get16(udp + 4);
	w->now.inside = true;
	look_at(w, w->at - w->now.l3);
	return go_on(w, NEXT_DATAGRAM, wire_get16(udp + 2));
}

static enum counter_frame verify_datagram(struct walk *w)
{
	const struct datagram *d = &w->now;
	uint32_t bytes = d->length + WIRE_UDP_BYTES;
	const uint8_t *udp = w->frame + d->l4;
	uint64_t sum;

	if (w->host->tap || wire_get16(udp + 6) == 0)
		return FRAME_ACCEPTED;
	if (!look_at(w, bytes))
		return FRAME_TUNNEL_LAYERS;
	sum = checksum_sum_pseudo(d->addresses, d->family == RECORD_ORIGIN_IPV4 ? 8 : 32, bytes, WIRE_UDP);
	return checksum_is_right(sum + checksum_sum(udp, bytes)) ? FRAME_ACCEPTED : FRAME_UDP_CHECKSUM;
}

/* decode_ipv4() or decode_ipv6() of what begins here; sums of UDP where they say something new. */
static enum counter_frame decode_ip(struct walk *w, bool *tunnel)
{
	const struct host *host = w->now.inside ? &anyone : w->host;
	uint32_t verified = DECODE_L4_CHECKSUM_GOOD | (w->host->tap ? DECODE_IP_CHECKSUM_GOOD : 0);
	struct datagram *d = &w->now;
	enum counter_frame fate;

	d->l3 = (uint16_t)w->at;
	d->addresses = d->ports = NULL;
	d->family = RECORD_ORIGIN_NONE;
	fate = w->number == WIRE_TYPE_IPV6 ? decode_ipv6(w->frame, w->end, host, verified, d)
					   : decode_ipv4(w->frame, w->end, host, verified, d);
	*tunnel = (fate == FRAME_ACCEPTED && tunnel_takes_port(w->host, wire_get16(d->ports + 2))) ||
		  (fate == FRAME_UDP_CHECKSUM && tunnel_without_sum(w, d));
	if (fate == FRAME_ACCEPTED && (!*tunnel || !d->inside))
		fate = verify_datagram(w);
	if (fate != FRAME_ACCEPTED) {
		d->ports = NULL;
		*tunnel = *tunnel && tunnel_without_sum(w, d);
	}
	return fate;
}

static bool step_ip(struct walk *w)
{
	bool tunnel;

	if (w->number == 0 && w->end > w->at) { /* nothing has said which version */
		uint32_t version = w->frame[w->at] >> 4;

		if (version != 4 && version != 6)
			return stop_here(w);
		w->number = version == 4 ? WIRE_TYPE_IPV4 : WIRE_TYPE_IPV6;
	}
	w->fate = decode_ip(w, &tunnel);
	if (w->now.addresses)
		*w->out = w->now;
	if (tunnel)
		return into_datagram(w);
	if (w->fate == FRAME_ANSWERED)
		return stop(w, w->now.layers > 0 ? FRAME_TUNNEL_INNER : FRAME_ICMP_OTHER);
	if (w->fate != FRAME_PROTOCOL)
		return false;
	if (!into_ip(w))
		return stop_here(w);
	w->now.inside = true;
	return go_on(w, NEXT_PROTOCOL, w->number);
}

static bool step_protocol(struct walk *w)
{
	struct tunnel_header bare = {.kind = TUNNEL_IPIP, .inner = w->end - w->at, .holds = TUNNEL_HOLDS_TYPE};

	switch (w->number) {
	case WIRE_IPV4_IN_IP:
		bare.type = WIRE_TYPE_IPV4;
		break;
	case WIRE_IPV6_IN_IP:
		bare.type = WIRE_TYPE_IPV6;
		break;
	case WIRE_GRE:
		return read_and_enter(w, w->host->tunnels >> TUNNEL_NVGRE & 1 ? tunnel_nvgre : tunnel_gre);
	case WIRE_MPLS_IN_IP:
		return read_and_enter(w, tunnel_mpls);
	default:
		return stop_here(w);
	}
	return w->host->tunnels >> TUNNEL_IPIP & 1 ? enter(w, &bare) : stop_here(w);
}

static bool step(struct walk *w)
{
	switch (w->next) {
	case NEXT_TYPE:
		return step_type(w);
	case NEXT_ETHERNET:
		return step_ethernet(w);
	case NEXT_IP:
		return step_ip(w);
	case NEXT_PROTOCOL:
		return step_protocol(w);
	default:
		return read_and_enter(w, udp_tunnel(w->host, w->number)->read);
	}
}

/* What decode_frame() left to look into. False for what is no tunnel. */
static bool begin(struct walk *w, uint32_t length)
{
	switch (w->fate) {
	case FRAME_ETHERTYPE:
		w->at = w->now.l3;
		w->end = length;
		return go_on(w, NEXT_TYPE, wire_get16(w->frame + w->at - 2));
	case FRAME_PROTOCOL:
		if (!into_ip(w))
			return false;
		w->now.inside = true;
		return go_on(w, NEXT_PROTOCOL, w->number);
	case FRAME_ACCEPTED:
		if (!tunnel_takes_port(w->host, wire_get16(w->now.ports + 2)))
			return false;
		break;
	case FRAME_UDP_CHECKSUM:
		if (!tunnel_without_sum(w, &w->now))
			return false;
		break;
	default:
		return false;
	}
	return into_datagram(w);
}

enum counter_frame tunnel_enter(const uint8_t *frame, uint32_t length, const struct host *host, enum counter_frame fate,
				struct datagram *d)
{
	struct walk w = {.frame = frame, .host = host, .out = d, .now = *d, .fate = fate};

	for (bool more = begin(&w, length); more;)
		more = step(&w);
	return w.fate;
}

enum counter_frame tunnel_packet(const uint8_t *packet, uint32_t length, const struct host *host, struct datagram *d)
{
	/* What is neither version's is no header of either. */
	struct walk w = {.frame = packet,
			 .host = host,
			 .out = d,
			 .now = *d,
			 .end = length,
			 .next = NEXT_IP,
			 .fate = FRAME_IPV4_HEADER};

	d->addresses = d->ports = NULL;
	d->family = RECORD_ORIGIN_NONE;
	while (step(&w))
		;
	return w.fate;
}
