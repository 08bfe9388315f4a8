#include "dataplane/packet/match.h"

#include <errno.h>

#include "dataplane/packet/tunnel.h"

static int check_input(const struct config_input *input)
{
	if (input->udp_port > 65535 || input->vlan < -1 || input->vlan > 4094)
		return -EINVAL;
	if (!input->any_destination && input->destination.family != 4 && input->destination.family != 6)
		return -EINVAL;
	if (input->tunnel >= TUNNEL_KINDS && input->tunnel != TUNNEL_ANY)
		return -EINVAL;
	return input->vni < -1 || input->vni > UINT32_MAX ? -EINVAL : 0;
}

static bool has_vni(const struct config_input *input)
{
	return input->tunnel != TUNNEL_NONE && input->vni >= 0;
}

static uint32_t specificity(const struct config_input *input)
{
	return (input->any_destination ? 0 : 8) + (has_vni(input) ? 4 : 0) + (input->tunnel == TUNNEL_ANY ? 0 : 2) +
	       (input->vlan < 0 ? 0 : 1);
}

static void set_rule(struct match_rule *rule, const struct config_input *input, uint16_t index)
{
	memset(rule, 0, sizeof *rule);
	rule->input = index;
	if (input->vlan >= 0) {
		rule->vlan_mask = 0xfff;
		rule->vlan = (uint16_t)input->vlan;
	}
	rule->tunnel = input->tunnel;
	if (has_vni(input)) {
		rule->vni_mask = UINT32_MAX;
		rule->vni = (uint32_t)input->vni;
	}
	if (!input->any_destination) {
		rule->family = input->destination.family;
		memcpy(rule->destination, input->destination.bytes, rule->family == 4 ? 4 : 16);
	}
}

// Appends the rules of the inputs that ask for exactly `udp_port` (0: for every port) to a chain that has `length`.
static uint32_t append_rules(struct match_rule *chain, uint32_t length, const struct config_input *inputs,
			     uint32_t count, uint32_t port_index, uint32_t udp_port)
{
	for (int wanted = 15; wanted >= 0; wanted--)
		for (uint32_t i = 0; i < count; i++)
			if (inputs[i].port_index == port_index && inputs[i].udp_port == udp_port &&
			    specificity(&inputs[i]) == (uint32_t)wanted)
				set_rule(&chain[length++], &inputs[i], (uint16_t)i);
	chain[length].input = MATCH_END;
	return length;
}

int match_init(struct match *match, const struct config_input *inputs, uint32_t count, uint32_t port_index)
{
	uint8_t used = 0;

	if (count > INPUTS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++)
		if (check_input(&inputs[i]) != 0)
			return -EINVAL;
	memset(match->chain_of, 0, sizeof match->chain_of);
	match->chains[INPUTS_MAX + 1][0].input = MATCH_END;
	append_rules(match->chains[0], 0, inputs, count, port_index, 0);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t udp_port = inputs[i].udp_port, length;

		if (inputs[i].port_index != port_index || udp_port == 0 || match->chain_of[udp_port] != 0)
			continue;
		match->chain_of[udp_port] = ++used;
		length = append_rules(match->chains[used], 0, inputs, count, port_index, udp_port);
		append_rules(match->chains[used], length, inputs, count, port_index, 0);
	}
	return 0;
}

void match_leave_tunnels(struct match *match, const struct host *host)
{
	for (uint32_t udp_port = 1; udp_port <= 65535; udp_port++)
		if (tunnel_takes_port(host, udp_port))
			match->chain_of[udp_port] = INPUTS_MAX + 1;
}
