// What a port owns: its MAC address, its IP addresses, and how deep its VLAN stacks may be. Constant after host_init().
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/packet/wire.h"

#define HOST_ADDRESSES_MAX 16u
#define HOST_VLAN_DEPTH_MAX 4u

struct config_address;

struct host {
	/* An untagged frame of IPv4 without options or fragments, of UDP, for the first own address (or everybody where there
	 * is none), and which of its bits say so: usual.h. Not for a tap. */
	uint8_t usual_expected[64], usual_care[64];
	uint64_t mac; /* as wire_mac() reads it */
	uint32_t ipv4_count;
	uint32_t ipv6_count; /* with the link-local address, so never 0 but for a tap */
	uint32_t vlan_depth; /* tags accepted */
	bool tap;            /* every address is own */
	uint32_t tunnels;    /* bit 1 << enum config_tunnel: looked into by tunnel_enter(). None for a port, all for a tap,
			      * until set otherwise */
	uint16_t vxlan_port, geneve_port, gtp_port; /* UDP ports by which these are known; 0: the registered one */
	uint8_t mac_bytes[WIRE_MAC_BYTES];
	uint32_t ipv4[HOST_ADDRESSES_MAX]; /* as wire_raw32() reads them */
	uint32_t broadcast[HOST_ADDRESSES_MAX];
	uint8_t ipv6[HOST_ADDRESSES_MAX + 1][16]; /* the configured ones, then fe80::/64 with the EUI-64 of the MAC */
};

enum host_reach {
	HOST_NONE,    /* not for this port */
	HOST_UNICAST, /* an own address */
	HOST_GROUP,   /* IPv4: limited or own directed broadcast; IPv6: an own solicited-node group */
};

// Fills `host` for a port that owns `count` addresses, of which it keeps no pointer. -EINVAL when there are more than
// HOST_ADDRESSES_MAX, when one is not a unicast address or its prefix too long, or vlan_depth above
// HOST_VLAN_DEPTH_MAX. An address given twice counts once.
int host_init(struct host *host, const uint8_t mac[WIRE_MAC_BYTES], const struct config_address *addresses,
	      uint32_t count, uint32_t vlan_depth);

// Fills `host` for a tap, to which every MAC and IP address is its own. -EINVAL as above.
int host_init_tap(struct host *host, uint32_t vlan_depth);

// The rare answers of host_ipv4() and host_ipv6(): groups and taps.
enum host_reach host_ipv4_rare(const struct host *host, uint32_t address);
enum host_reach host_ipv6_rare(const struct host *host, const uint8_t address[16]);

static inline bool host_same_ipv6(const uint8_t *a, const uint8_t *b)
{
	return ((wire_raw64(a) ^ wire_raw64(b)) | (wire_raw64(a + 8) ^ wire_raw64(b + 8))) == 0;
}

// What the IPv4 destination `address` (wire_raw32()) is to this port.
static inline enum host_reach host_ipv4(const struct host *host, uint32_t address)
{
	for (uint32_t i = 0; i < host->ipv4_count; i++)
		if (__builtin_expect(host->ipv4[i] == address, 1))
			return HOST_UNICAST;
	return host_ipv4_rare(host, address);
}

// What the IPv6 destination at `address` is to this port.
static inline enum host_reach host_ipv6(const struct host *host, const uint8_t *address)
{
	for (uint32_t i = 0; i < host->ipv6_count; i++)
		if (__builtin_expect(host_same_ipv6(host->ipv6[i], address), 1))
			return HOST_UNICAST;
	return host_ipv6_rare(host, address);
}
