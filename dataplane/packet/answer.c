#include "dataplane/packet/answer.h"

#include "dataplane/packet/decode.h"

enum arp_offsets { /* RFC 826, for Ethernet and IPv4 */
		   ARP_OPERATION = 6,
		   ARP_SENDER_MAC = 8,
		   ARP_SENDER = 14,
		   ARP_TARGET_MAC = 18,
		   ARP_TARGET = 24,
};
enum { ARP_REQUEST = 1, ARP_REPLY = 2 };
enum {
	ECHO_REPLY = 0,
	ECHO_REQUEST = 8,
	ECHO6_REQUEST = 128,
	ECHO6_REPLY = 129,
	SOLICITATION = 135,
	ADVERTISEMENT = 136
};
enum { OPTION_SOURCE_LINK = 1, OPTION_TARGET_LINK = 2 };
enum { ADVERTISE_OVERRIDE = 0x20, ADVERTISE_SOLICITED = 0x40 };

#define ADVERTISEMENT_BYTES 32u /* with the target link-layer option */
#define SOLICITATION_BYTES 24u  /* without options */
#define TTL 64
#define ANNOUNCE_ROOM (WIRE_ETHERNET_BYTES + WIRE_VLAN_BYTES + WIRE_IPV6_BYTES + ADVERTISEMENT_BYTES)

static const uint8_t arp_fixed[6] = {0, 1, 0x08, 0x00, 6, 4};
static const uint8_t broadcast_mac[WIRE_MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t all_nodes_mac[WIRE_MAC_BYTES] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
static const uint8_t unspecified[16];

/* A frame that asks, and the room for its reply. */
struct question {
	const struct host *host;
	const uint8_t *frame;
	struct datagram d;
	uint8_t *out;
	uint32_t room;
};

// A single other station, to which a reply may go. A tap has nobody to speak to.
static bool mac_is_other_station(const struct host *host, const uint8_t *mac)
{
	return !host->tap && !(mac[0] & 1) && memcmp(mac, host->mac_bytes, WIRE_MAC_BYTES) != 0 &&
	       memcmp(mac, unspecified, WIRE_MAC_BYTES) != 0;
}

static uint32_t pad(uint8_t *out, uint32_t length)
{
	if (length >= WIRE_FRAME_MIN)
		return length;
	memset(out + length, 0, WIRE_FRAME_MIN - length);
	return WIRE_FRAME_MIN;
}

static void put_macs(uint8_t *out, const struct host *host, const uint8_t *to)
{
	memcpy(out, to, WIRE_MAC_BYTES);
	memcpy(out + WIRE_MAC_BYTES, host->mac_bytes, WIRE_MAC_BYTES);
}

// Begins a reply of `bytes` behind the question's own tags and EtherType. Returns where they go, NULL without room.
static uint8_t *begin(const struct question *q, const uint8_t *to, uint32_t bytes)
{
	uint32_t total = q->d.l3 + bytes;

	if (q->room < WIRE_FRAME_MIN || total > q->room)
		return NULL;
	memcpy(q->out, q->frame, q->d.l3);
	put_macs(q->out, q->host, to);
	return q->out + q->d.l3;
}

static uint32_t finish(const struct question *q, uint32_t bytes, enum counter_frame *fate)
{
	*fate = FRAME_ANSWERED;
	return pad(q->out, q->d.l3 + bytes);
}

static void put_arp(uint8_t *arp, const struct host *host, uint8_t operation, const uint8_t *own, const uint8_t *mac,
		    const uint8_t *address)
{
	memcpy(arp, arp_fixed, sizeof arp_fixed);
	wire_put16(arp + ARP_OPERATION, operation);
	memcpy(arp + ARP_SENDER_MAC, host->mac_bytes, WIRE_MAC_BYTES);
	memcpy(arp + ARP_SENDER, own, 4);
	memcpy(arp + ARP_TARGET_MAC, mac, WIRE_MAC_BYTES);
	memcpy(arp + ARP_TARGET, address, 4);
}

static uint32_t answer_arp(const struct question *q, enum counter_frame *fate)
{
	const uint8_t *arp = q->frame + q->d.l3;
	uint8_t *reply;

	*fate = FRAME_ARP_MALFORMED;
	if (q->d.length < WIRE_ARP_BYTES || memcmp(arp, arp_fixed, sizeof arp_fixed) != 0)
		return 0;
	if ((arp[ARP_SENDER_MAC] & 1) || memcmp(arp + ARP_SENDER_MAC, unspecified, WIRE_MAC_BYTES) == 0)
		return 0;
	*fate = FRAME_ARP_OTHER;
	if (wire_get16(arp + ARP_OPERATION) != ARP_REQUEST || !mac_is_other_station(q->host, arp + ARP_SENDER_MAC) ||
	    host_ipv4(q->host, wire_raw32(arp + ARP_TARGET)) != HOST_UNICAST)
		return 0;
	*fate = FRAME_ANSWER_FAILED;
	reply = begin(q, arp + ARP_SENDER_MAC, WIRE_ARP_BYTES);
	if (!reply)
		return 0;
	put_arp(reply, q->host, ARP_REPLY, arp + ARP_TARGET, arp + ARP_SENDER_MAC, arp + ARP_SENDER);
	return finish(q, WIRE_ARP_BYTES, fate);
}

// Puts the echoed message of `length` bytes at `icmp`: all as it came, but the type and the checksum. `pseudo` is the
// sum of the reply's pseudo header, 0 for IPv4.
static void put_echo(uint8_t *icmp, const uint8_t *asked, uint32_t length, uint8_t type, uint64_t pseudo)
{
	uint16_t sum;

	memcpy(icmp, asked, length);
	icmp[0] = type;
	memset(icmp + 2, 0, 2);
	sum = checksum_finish(pseudo + checksum_sum(icmp, length));
	memcpy(icmp + 2, &sum, sizeof sum);
}

// A source that may be spoken to: no group, nobody, loopback, own or broadcast address.
static bool ipv4_may_be_answered(const struct host *host, const uint8_t *source)
{
	return source[0] != 0 && source[0] != 127 && source[0] < 224 &&
	       host_ipv4(host, wire_raw32(source)) == HOST_NONE;
}

static uint32_t answer_icmp(const struct question *q, enum counter_frame *fate)
{
	const uint8_t *ip = q->frame + q->d.l3, *icmp = q->frame + q->d.l4;
	uint32_t total = WIRE_IPV4_BYTES + q->d.length;
	uint8_t *reply;
	uint16_t sum;

	*fate = FRAME_ICMP_MALFORMED;
	if (q->d.length < WIRE_ICMP_BYTES || !checksum_is_right(checksum_sum(icmp, q->d.length)))
		return 0;
	*fate = FRAME_ICMP_OTHER;
	if (icmp[0] != ECHO_REQUEST || icmp[1] != 0 || (q->frame[0] & 1) ||
	    host_ipv4(q->host, wire_raw32(ip + 16)) != HOST_UNICAST || !ipv4_may_be_answered(q->host, ip + 12) ||
	    !mac_is_other_station(q->host, q->frame + WIRE_MAC_BYTES))
		return 0;
	*fate = FRAME_ANSWER_FAILED;
	reply = begin(q, q->frame + WIRE_MAC_BYTES, total);
	if (!reply)
		return 0;
	/* The same type of service (RFC 1122 3.2.2.6), never ECN-capable; identification and DF as they came. */
	reply[0] = 0x45;
	reply[1] = ip[1] & 0xfc;
	wire_put16(reply + 2, (uint16_t)total);
	memcpy(reply + 4, ip + 4, 4);
	reply[8] = TTL;
	reply[9] = WIRE_ICMP;
	memset(reply + 10, 0, 2);
	memcpy(reply + 12, ip + 16, 4);
	memcpy(reply + 16, ip + 12, 4);
	sum = checksum_finish(checksum_sum_ipv4(reply));
	memcpy(reply + 10, &sum, sizeof sum);
	put_echo(reply + WIRE_IPV4_BYTES, icmp, q->d.length, ECHO_REPLY, 0);
	return finish(q, total, fate);
}

static void put_ipv6(uint8_t *ip, uint8_t traffic_class, uint32_t payload, uint8_t hop_limit, const uint8_t *source,
		     const uint8_t *destination)
{
	memset(ip, 0, WIRE_IPV6_BYTES);
	ip[0] = 0x60 | traffic_class >> 4;
	ip[1] = (uint8_t)(traffic_class << 4);
	wire_put16(ip + 4, (uint16_t)payload);
	ip[6] = WIRE_ICMPV6;
	ip[7] = hop_limit;
	memcpy(ip + 8, source, 16);
	memcpy(ip + 24, destination, 16);
}

static bool ipv6_may_be_answered(const struct host *host, const uint8_t *source)
{
	static const uint8_t loopback[16] = {[15] = 1};

	return source[0] != 0xff && memcmp(source, loopback, 16) != 0 && memcmp(source, unspecified, 16) != 0 &&
	       host_ipv6(host, source) == HOST_NONE;
}

static uint32_t answer_echo6(const struct question *q, enum counter_frame *fate)
{
	const uint8_t *ip = q->frame + q->d.l3, *icmp = q->frame + q->d.l4;
	uint32_t length = q->d.length;
	uint8_t *reply;

	*fate = FRAME_ICMP_OTHER;
	if (icmp[1] != 0 || (q->frame[0] & 1) || host_ipv6(q->host, ip + 24) != HOST_UNICAST ||
	    !ipv6_may_be_answered(q->host, ip + 8) || !mac_is_other_station(q->host, q->frame + WIRE_MAC_BYTES))
		return 0;
	*fate = FRAME_ANSWER_FAILED;
	reply = begin(q, q->frame + WIRE_MAC_BYTES, WIRE_IPV6_BYTES + length);
	if (!reply)
		return 0;
	put_ipv6(reply, (uint8_t)(ip[0] << 4 | ip[1] >> 4) & 0xfc, length, TTL, ip + 24, ip + 8);
	put_echo(reply + WIRE_IPV6_BYTES, icmp, length, ECHO6_REPLY,
		 checksum_sum_pseudo(reply + 8, 32, length, WIRE_ICMPV6));
	return finish(q, WIRE_IPV6_BYTES + length, fate);
}

// Puts a neighbour advertisement for `target`, from it, at `ip`.
static void put_advertisement(uint8_t *ip, const struct host *host, const uint8_t *target, const uint8_t *to,
			      uint8_t flags)
{
	uint8_t *icmp = ip + WIRE_IPV6_BYTES;
	uint16_t sum;

	put_ipv6(ip, 0, ADVERTISEMENT_BYTES, 255, target, to);
	memset(icmp, 0, 8);
	icmp[0] = ADVERTISEMENT;
	icmp[4] = flags;
	memcpy(icmp + 8, target, 16);
	icmp[24] = OPTION_TARGET_LINK;
	icmp[25] = 1;
	memcpy(icmp + 26, host->mac_bytes, WIRE_MAC_BYTES);
	sum = checksum_finish(checksum_sum_pseudo(ip + 8, 32, ADVERTISEMENT_BYTES, WIRE_ICMPV6) +
			      checksum_sum(icmp, ADVERTISEMENT_BYTES));
	memcpy(icmp + 2, &sum, sizeof sum);
}

// Walks the options of a solicitation. False when one is malformed; *mac is the last source link-layer address, or as
// it was.
static bool read_options(const uint8_t *options, uint32_t bytes, const uint8_t **mac)
{
	uint32_t at = 0;

	while (at < bytes) {
		if (bytes - at < 8 || options[at + 1] == 0 || options[at + 1] * 8u > bytes - at)
			return false;
		if (options[at] == OPTION_SOURCE_LINK)
			*mac = options + at + 2;
		at += options[at + 1] * 8u;
	}
	return true;
}

// RFC 4861 section 7.1.1, all of its conditions.
static bool solicitation_is_valid(const struct question *q, const uint8_t **link)
{
	const uint8_t *ip = q->frame + q->d.l3, *icmp = q->frame + q->d.l4;

	if (ip[7] != 255 || icmp[1] != 0 || q->d.length < SOLICITATION_BYTES || icmp[8] == 0xff)
		return false;
	if (!read_options(icmp + SOLICITATION_BYTES, q->d.length - SOLICITATION_BYTES, link))
		return false;
	if (memcmp(ip + 8, unspecified, 16) != 0)
		return true;
	return ip[24] == 0xff && *link == NULL;
}

static uint32_t answer_solicitation(const struct question *q, enum counter_frame *fate)
{
	const uint8_t *ip = q->frame + q->d.l3, *icmp = q->frame + q->d.l4, *link = NULL;
	bool probe = memcmp(ip + 8, unspecified, 16) == 0;
	const uint32_t bytes = WIRE_IPV6_BYTES + ADVERTISEMENT_BYTES;
	uint8_t *reply;

	*fate = FRAME_ICMP_MALFORMED;
	if (!solicitation_is_valid(q, &link))
		return 0;
	if (!link)
		link = q->frame + WIRE_MAC_BYTES;
	*fate = FRAME_ICMP_OTHER;
	if (host_ipv6(q->host, icmp + 8) != HOST_UNICAST || !mac_is_other_station(q->host, link) ||
	    (!probe && !ipv6_may_be_answered(q->host, ip + 8)))
		return 0;
	*fate = FRAME_ANSWER_FAILED;
	reply = begin(q, probe ? all_nodes_mac : link, bytes);
	if (!reply)
		return 0;
	put_advertisement(reply, q->host, icmp + 8, probe ? all_nodes : ip + 8,
			  ADVERTISE_OVERRIDE | (probe ? 0 : ADVERTISE_SOLICITED));
	return finish(q, bytes, fate);
}

static uint32_t answer_icmpv6(const struct question *q, enum counter_frame *fate)
{
	const uint8_t *icmp = q->frame + q->d.l4;
	uint64_t sum = checksum_sum_pseudo(q->d.addresses, 32, q->d.length, WIRE_ICMPV6);

	*fate = FRAME_ICMP_MALFORMED;
	if (q->d.length < WIRE_ICMP_BYTES || !checksum_is_right(sum + checksum_sum(icmp, q->d.length)))
		return 0;
	if (icmp[0] == ECHO6_REQUEST)
		return answer_echo6(q, fate);
	if (icmp[0] == SOLICITATION)
		return answer_solicitation(q, fate);
	*fate = FRAME_ICMP_OTHER;
	return 0;
}

uint32_t answer_frame(const struct host *host, const uint8_t *frame, uint32_t length, uint8_t *out, uint32_t room,
		      enum counter_frame *fate)
{
	struct question q = {.host = host, .frame = frame, .out = out, .room = room};

	*fate = decode_frame(frame, length, host, 0, &q.d);
	if (*fate != FRAME_ANSWERED)
		return 0;
	if (q.d.family == RECORD_ORIGIN_IPV4)
		return answer_icmp(&q, fate);
	return q.d.family == RECORD_ORIGIN_IPV6 ? answer_icmpv6(&q, fate) : answer_arp(&q, fate);
}

uint32_t answer_announcements(const struct host *host)
{
	return host->ipv4_count + host->ipv6_count;
}

uint32_t answer_announce(const struct host *host, uint32_t index, uint16_t vlan, uint8_t *out, uint32_t room)
{
	bool ipv4 = index < host->ipv4_count;
	uint32_t at = 2 * WIRE_MAC_BYTES;
	uint8_t address[4];

	if (index >= answer_announcements(host) || room < ANNOUNCE_ROOM)
		return 0;
	put_macs(out, host, ipv4 ? broadcast_mac : all_nodes_mac);
	if (vlan != RECORD_VLAN_NONE) {
		wire_put16(out + at, WIRE_TYPE_VLAN);
		wire_put16(out + at + 2, vlan);
		at += WIRE_VLAN_BYTES;
	}
	wire_put16(out + at, ipv4 ? WIRE_TYPE_ARP : WIRE_TYPE_IPV6);
	at += 2;
	if (ipv4) {
		memcpy(address, &host->ipv4[index], sizeof address);
		put_arp(out + at, host, ARP_REQUEST, address, unspecified, address);
		return pad(out, at + WIRE_ARP_BYTES);
	}
	put_advertisement(out + at, host, host->ipv6[index - host->ipv4_count], all_nodes, ADVERTISE_OVERRIDE);
	return at + WIRE_IPV6_BYTES + ADVERTISEMENT_BYTES;
}
