#include <arpa/inet.h>
#include <string.h>

#include "config/check.h"
#include "config/knobs.h"
#include "config/value.h"

// Finds the input's port; port_index is UINT32_MAX when it is not there or nobody can tell.
static void find_port(struct loading *l, uint32_t i)
{
	struct config *c = l->config;
	struct config_input *in = &c->inputs[i];

	in->port_index = UINT32_MAX;
	if (origin_bad(c, "inputs[].port", i))
		return;
	for (uint32_t p = 0; p < c->ports_count; p++) {
		if (origin_bad(c, "ports[].name", p))
			return; /* it may be this one */
		if (strcmp(c->ports[p].name, in->port) == 0) {
			in->port_index = p;
			return;
		}
	}
	if (!l->incomplete)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].port", i, "there is no port '%s'", in->port);
}

static void check_codec(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_input *in = &c->inputs[i];
	const struct config_port *port = &c->ports[in->port_index];

	if (origin_bad(c, "inputs[].codec", i) || origin_bad(c, "ports[].mode", in->port_index))
		return;
	if (in->codec == CODEC_FRAME && !port->tap)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].codec", i,
			      "codec frame needs a tap, port '%s' is for telemetry", port->name);
	if (in->codec != CODEC_FRAME && port->tap)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].codec", i,
			      "port '%s' is a tap: only codec frame works there", port->name);
	if (in->codec != CODEC_FRAME)
		return;
	if (origin_given(c, "inputs[].destination", i) && !in->any_destination)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].destination", i,
			      "codec frame takes frames of every destination: only vlan, tunnel and vni can choose "
			      "among them");
	if (origin_given(c, "inputs[].udp_port", i) && in->udp_port != 0)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].udp_port", i,
			      "codec frame takes frames of every kind: only vlan, tunnel and vni can choose among them");
}

static void check_destination(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_input *in = &c->inputs[i];
	const struct config_port *port = &c->ports[in->port_index];
	char text[INET6_ADDRSTRLEN];

	if (!origin_given(c, "inputs[].destination", i) || in->any_destination || port->tap)
		return;
	if (origin_bad(c, "ports[].addresses", in->port_index) || origin_bad(c, "ports[].mode", in->port_index))
		return;
	if (origin_bad(c, "ports[].tunnels", in->port_index) || (port->tunnels && in->tunnel != TUNNEL_NONE))
		return; /* inside a tunnel a datagram may be for anyone */
	for (uint32_t a = 0; a < port->addresses_count; a++)
		if (port->addresses[a].family == in->destination.family &&
		    memcmp(port->addresses[a].bytes, in->destination.bytes, 16) == 0)
			return;
	value_format_address(&in->destination, text);
	origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].destination", i,
		      "port '%s' does not answer for %s: add it to the port's addresses", port->name, text);
}

/* UDP ports of tunnels: dataplane/packet/tunnel.c has those that do not change, too. */
static uint32_t tunnel_of_port(const struct config_port *port, uint32_t udp_port)
{
	if (udp_port == port->vxlan_port)
		return TUNNEL_VXLAN;
	if (udp_port == port->geneve_port)
		return TUNNEL_GENEVE;
	if (udp_port == port->gtp_port)
		return TUNNEL_GTP;
	switch (udp_port) {
	case 4790:
	case 8472:
		return TUNNEL_VXLAN;
	case 6635:
		return TUNNEL_MPLS;
	default:
		return TUNNEL_NONE;
	}
}

static void check_tunnel(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_input *in = &c->inputs[i];
	const struct config_port *port = &c->ports[in->port_index];
	uint32_t of_port = origin_bad(c, "inputs[].udp_port", i) ? TUNNEL_NONE : tunnel_of_port(port, in->udp_port);

	if (origin_bad(c, "ports[].tunnels", in->port_index) || origin_bad(c, "ports[].mode", in->port_index))
		return;
	if (!origin_bad(c, "inputs[].tunnel", i) && !port->tap) {
		if (in->tunnel != TUNNEL_NONE && in->tunnel != TUNNEL_ANY && !(port->tunnels & (1u | 1u << in->tunnel)))
			origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].tunnel", i,
				      "port '%s' does not look into it: add it to the port's tunnels", port->name);
		else if (in->tunnel == TUNNEL_ANY && in->vni >= 0 && !port->tunnels && !origin_bad(c, "inputs[].vni", i))
			origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].vni", i,
				      "port '%s' looks into no tunnel: give it tunnels", port->name);
	}
	if (!origin_bad(c, "inputs[].tunnel", i) && !origin_bad(c, "inputs[].vni", i) && in->tunnel == TUNNEL_NONE &&
	    in->vni >= 0)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].vni", i, "without a tunnel there is none");
	if (of_port != TUNNEL_NONE && !port->tap && port->tunnels & (1u | 1u << of_port))
		origin_report(c, &l->reports, SEVERITY_WARNING, "inputs[].udp_port", i,
			      "port '%s' takes datagrams to %u for tunnels: only those inside a tunnel come here",
			      port->name, in->udp_port);
}

static bool same_traffic(const struct config_input *a, const struct config_input *b)
{
	if (a->port_index != b->port_index || a->vlan != b->vlan || a->udp_port != b->udp_port ||
	    a->any_destination != b->any_destination || a->tunnel != b->tunnel || a->vni != b->vni)
		return false;
	return a->any_destination || (a->destination.family == b->destination.family &&
				      memcmp(a->destination.bytes, b->destination.bytes, 16) == 0);
}

static bool match_bad(const struct config *c, uint32_t i)
{
	return c->inputs[i].port_index == UINT32_MAX || origin_bad(c, "inputs[].vlan", i) ||
	       origin_bad(c, "inputs[].destination", i) || origin_bad(c, "inputs[].udp_port", i) ||
	       origin_bad(c, "inputs[].tunnel", i) || origin_bad(c, "inputs[].vni", i);
}

static void check_same(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;

	for (uint32_t j = 0; j < i; j++) {
		const struct config_input *a = &c->inputs[j], *b = &c->inputs[i];

		if (!origin_bad(c, "inputs[].name", i) && !origin_bad(c, "inputs[].name", j) &&
		    strcmp(a->name, b->name) != 0 && input_id(a->name) == input_id(b->name))
			origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].name", i,
				      "'%s' and '%s' (%s:%u:%u) have the same 32-bit id in records: rename one",
				      b->name, a->name, a->file, a->line, a->column);
		if (!match_bad(c, i) && !match_bad(c, j) && same_traffic(a, b)) {
			origin_report(c, &l->reports, SEVERITY_ERROR, "inputs", i,
				      "input '%s' asks for the same traffic as '%s' at %s:%u:%u", b->name, a->name,
				      a->file, a->line, a->column);
			return;
		}
	}
}

static void check_stream(struct loading *l, uint32_t i, const char *knob, const char *name)
{
	const struct config *c = l->config;

	if (origin_bad(c, knob, i) || l->incomplete)
		return;
	for (uint32_t s = 0; s < c->streams_count; s++)
		if (origin_bad(c, "streams[].name", s) || strcmp(c->streams[s].name, name) == 0)
			return;
	origin_report(c, &l->reports, SEVERITY_WARNING, knob, i,
		      "stream '%s' is not declared: its records are dropped until it is made", name);
}

void check_inputs(struct loading *l)
{
	check_names(l, "inputs[].name", l->config->inputs_count);
	for (uint32_t i = 0; i < l->config->inputs_count; i++) {
		find_port(l, i);
		if (l->config->inputs[i].port_index != UINT32_MAX) {
			check_codec(l, i);
			check_destination(l, i);
			check_tunnel(l, i);
		}
		check_same(l, i);
		check_records(l, i);
		check_stream(l, i, "inputs[].stream", l->config->inputs[i].stream);
		if (l->config->inputs[i].dead_letter[0])
			check_stream(l, i, "inputs[].dead_letter", l->config->inputs[i].dead_letter);
	}
}
