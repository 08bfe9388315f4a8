// Which input a datagram belongs to, by outer VLAN, tunnel, destination address and UDP port.
#pragma once

#include "config/config.h"
#include "dataplane/packet/decode.h"

/*
 * A table by UDP port names a chain: the inputs that ask for this port, then those that ask for every port. Within
 * each of these two parts the most specific comes first: a destination before any, then the number of a tunnel before
 * any, then a tunnel (or none) before any, then a VLAN before any, then the order of the configuration. The first that
 * fits has the datagram.
 *
 *   chain_of[65536]          chains
 *   +---+                    +--------------------------------------+-----+
 *   | 0 |------------------> | inputs for every port                | END |
 *   | 2 |--------+           +--------------------------------------+-----+
 *   |...|        +---------> | inputs for this port | for every port | END |
 *   +---+                    +--------------------------------------+-----+
 */

#define INPUT_NONE UINT32_MAX
#define MATCH_END UINT16_MAX

struct match_rule {
	uint16_t input;     /* MATCH_END behind a chain's last */
	uint16_t vlan_mask; /* 0: any VLAN */
	uint16_t vlan;
	uint8_t family; /* of the destination; 0: any destination */
	uint8_t tunnel; /* enum config_tunnel */
	uint32_t vni_mask; /* 0: any, or no tunnel */
	uint32_t vni;
	uint8_t destination[16];
};

struct match {                   /* constant after match_init() */
	uint8_t chain_of[65536]; /* by UDP port */
	struct match_rule chains[INPUTS_MAX + 2][INPUTS_MAX + 1]; /* the last is empty */
};

// Fills `match` (about 200 KiB, of which each UDP port in use touches two cache lines) with those of the `count`
// inputs that belong to port `port_index`. 0, or -EINVAL for more than INPUTS_MAX inputs, a UDP port above 65,535, a
// VLAN outside -1..4094, a tunnel that is none, or a destination that is neither IPv4 nor IPv6. An input for no tunnel
// (TUNNEL_NONE) has no vni, whatever it says.
int match_init(struct match *match, const struct config_input *inputs, uint32_t count, uint32_t port_index);

// Takes from every input the UDP ports of the tunnels that `host` looks into.
void match_leave_tunnels(struct match *match, const struct host *host);

static inline bool match_rule_fits(const struct match_rule *rule, const struct datagram *d, uint32_t vlan)
{
	if ((vlan & rule->vlan_mask) != rule->vlan)
		return false;
	if (rule->tunnel != TUNNEL_ANY && rule->tunnel != d->tunnel)
		return false;
	if (rule->vni_mask != 0 && (d->tunnel == TUNNEL_NONE || d->vni != rule->vni))
		return false;
	if (__builtin_expect(rule->family == 0, 1))
		return true;
	if (rule->family != d->family)
		return false;
	return d->family == RECORD_ORIGIN_IPV4 ? wire_raw32(d->addresses + 4) == wire_raw32(rule->destination)
					       : host_same_ipv6(d->addresses + 16, rule->destination);
}

// The input's index in the array given to match_init(), or INPUT_NONE. `d` is what decode_frame() and tunnel_enter()
// said, with any result: without UDP ports (on a tap) only inputs for every port fit, without addresses only those for
// any destination.
static inline uint32_t match_find(const struct match *match, const struct datagram *d)
{
	const struct match_rule *rule = match->chains[d->ports ? match->chain_of[wire_get16(d->ports + 2)] : 0];
	uint32_t vlan = datagram_vlan_id(d);

	for (; rule->input != MATCH_END; rule++)
		if (__builtin_expect(match_rule_fits(rule, d, vlan), 1))
			return rule->input;
	return INPUT_NONE;
}

// The input that takes every datagram without a tunnel to a UDP port (as it lies in the frame), whatever its address and
// VLAN; INPUT_NONE when there is none, or an earlier one has conditions: then match_find() knows.
static inline uint32_t match_port(const struct match *match, uint16_t raw_port)
{
	const struct match_rule *rule = match->chains[match->chain_of[__builtin_bswap16(raw_port)]];

	if (rule->input == MATCH_END || rule->vlan_mask || rule->family || rule->vni_mask)
		return INPUT_NONE;
	return rule->tunnel == TUNNEL_NONE || rule->tunnel == TUNNEL_ANY ? rule->input : INPUT_NONE;
}
