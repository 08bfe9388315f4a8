// The packet whose first bytes an agent sampled, as far as they go.
#include "dataplane/codec/sflow.h"

#define HEADER_ETHERNET 1u /* sFlow's header_protocol */
#define HEADER_IPV4 11u
#define HEADER_IPV6 12u

#define TCP 6u
#define SCTP 132u
#define UDP_LITE 136u
#define EXTENSIONS_MAX 8u

static void put_transport(struct flow_put *p, uint32_t protocol, const uint8_t *at, uint32_t left)
{
	if (protocol == WIRE_ICMP || protocol == WIRE_ICMPV6) {
		if (left < 2)
			return;
		if (protocol == WIRE_ICMP)
			flow_put_unsigned(p, FLOW_NAME("icmpTypeCodeIPv4"), wire_get16(at));
		else
			flow_put_unsigned(p, FLOW_NAME("icmpTypeCodeIPv6"), wire_get16(at));
		return;
	}
	if ((protocol != TCP && protocol != WIRE_UDP && protocol != SCTP && protocol != UDP_LITE) || left < 4)
		return;
	flow_put_unsigned(p, FLOW_NAME("sourceTransportPort"), wire_get16(at));
	flow_put_unsigned(p, FLOW_NAME("destinationTransportPort"), wire_get16(at + 2));
	if (protocol == TCP && left >= 14)
		flow_put_unsigned(p, FLOW_NAME("tcpControlBits"), wire_get16(at + 12) & 0xfff);
}

static void put_ipv4(struct flow_put *p, const uint8_t *at, uint32_t left)
{
	uint32_t header;

	if (left < WIRE_IPV4_BYTES || at[0] >> 4 != 4 || (at[0] & 15u) < 5)
		return;
	header = (at[0] & 15u) * 4;
	flow_put_unsigned(p, FLOW_NAME("ipClassOfService"), at[1]);
	flow_put_unsigned(p, FLOW_NAME("totalLengthIPv4"), wire_get16(at + 2));
	flow_put_unsigned(p, FLOW_NAME("fragmentIdentification"), wire_get16(at + 4));
	flow_put_unsigned(p, FLOW_NAME("fragmentOffset"), wire_get16(at + 6) & 0x1fff);
	flow_put_unsigned(p, FLOW_NAME("ipTTL"), at[8]);
	flow_put_unsigned(p, FLOW_NAME("protocolIdentifier"), at[9]);
	flow_put_bytes(p, FIELD_ADDRESS, FLOW_NAME("sourceIPv4Address"), at + 12, 4);
	flow_put_bytes(p, FIELD_ADDRESS, FLOW_NAME("destinationIPv4Address"), at + 16, 4);
	if ((wire_get16(at + 6) & 0x1fff) == 0 && left >= header)
		put_transport(p, at[9], at + header, left - header);
}

static void put_ipv6(struct flow_put *p, const uint8_t *at, uint32_t left)
{
	uint32_t next, bytes;

	if (left < WIRE_IPV6_BYTES || at[0] >> 4 != 6)
		return;
	next = at[6];
	flow_put_unsigned(p, FLOW_NAME("ipClassOfService"), wire_get16(at) >> 4 & 0xff);
	flow_put_unsigned(p, FLOW_NAME("flowLabelIPv6"), flow_get32(at) & 0xfffff);
	flow_put_unsigned(p, FLOW_NAME("payloadLengthIPv6"), wire_get16(at + 4));
	flow_put_unsigned(p, FLOW_NAME("ipTTL"), at[7]);
	flow_put_bytes(p, FIELD_ADDRESS, FLOW_NAME("sourceIPv6Address"), at + 8, 16);
	flow_put_bytes(p, FIELD_ADDRESS, FLOW_NAME("destinationIPv6Address"), at + 24, 16);
	at += WIRE_IPV6_BYTES;
	left -= WIRE_IPV6_BYTES;
	for (uint32_t i = 0; i < EXTENSIONS_MAX && left >= 8; i++) {
		if (next != WIRE_HOP_BY_HOP && next != WIRE_ROUTING && next != WIRE_DESTINATION && next != WIRE_FRAGMENT)
			break;
		if (next == WIRE_FRAGMENT && (wire_get16(at + 2) & 0xfff8)) {
			left = 0; /* not the first: no ports in it */
			next = at[0];
			break;
		}
		bytes = next == WIRE_FRAGMENT ? 8 : 8 * (at[1] + 1u);
		next = at[0];
		if (bytes > left) {
			left = 0;
			break;
		}
		at += bytes;
		left -= bytes;
	}
	flow_put_unsigned(p, FLOW_NAME("protocolIdentifier"), next);
	put_transport(p, next, at, left);
}

static void put_ethernet(struct flow_put *p, const uint8_t *at, uint32_t left)
{
	uint32_t type, tags = 0;

	if (left < WIRE_ETHERNET_BYTES)
		return;
	flow_put_bytes(p, FIELD_MAC, FLOW_NAME("destinationMacAddress"), at, 6);
	flow_put_bytes(p, FIELD_MAC, FLOW_NAME("sourceMacAddress"), at + 6, 6);
	type = wire_get16(at + 12);
	at += WIRE_ETHERNET_BYTES;
	left -= WIRE_ETHERNET_BYTES;
	for (; (type == WIRE_TYPE_VLAN || type == WIRE_TYPE_QINQ || type == WIRE_TYPE_QINQ_OLD) && left >= WIRE_VLAN_BYTES;
	     tags++) {
		uint32_t tag = wire_get16(at);

		if (tags == 0) {
			flow_put_unsigned(p, FLOW_NAME("dot1qVlanId"), tag & 0xfff);
			flow_put_unsigned(p, FLOW_NAME("dot1qPriority"), tag >> 13);
		} else if (tags == 1) {
			flow_put_unsigned(p, FLOW_NAME("dot1qCustomerVlanId"), tag & 0xfff);
			flow_put_unsigned(p, FLOW_NAME("dot1qCustomerPriority"), tag >> 13);
		}
		type = wire_get16(at + 2);
		at += WIRE_VLAN_BYTES;
		left -= WIRE_VLAN_BYTES;
	}
	flow_put_unsigned(p, FLOW_NAME("ethernetType"), type);
	if (type == WIRE_TYPE_IPV4)
		put_ipv4(p, at, left);
	else if (type == WIRE_TYPE_IPV6)
		put_ipv6(p, at, left);
}

void sflow_put_packet(struct flow_put *p, uint32_t protocol, const uint8_t *bytes, uint32_t length)
{
	if (protocol == HEADER_ETHERNET)
		put_ethernet(p, bytes, length);
	else if (protocol == HEADER_IPV4)
		put_ipv4(p, bytes, length);
	else if (protocol == HEADER_IPV6)
		put_ipv6(p, bytes, length);
}
