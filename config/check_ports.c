#include <inttypes.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <string.h>

#include "config/check.h"
#include "config/knobs.h"
#include "config/value.h"

#define MBUF_BYTES 2432u   /* header, private data, headroom, 2,048 bytes of room, and the pool's share */
#define MBUF_PAGE 4096u    /* what takes one of them whole when no hugepages are there and none may lie across a page's end */
#define MIN_IPV6_MTU 1280u /* RFC 8200 section 5 */

/* EAL arguments that a knob of ours decides. */
static const struct {
	const char *argument, *instead;
} owned_arguments[] = {
	{"-l", "dpdk.main_core and ports[].cores"},
	{"-c", "dpdk.main_core and ports[].cores"},
	{"-s", "dpdk.main_core and ports[].cores"},
	{"-S", "dpdk.main_core and ports[].cores"},
	{"--lcores", "dpdk.main_core and ports[].cores"},
	{"--main-lcore", "dpdk.main_core"},
	{"--file-prefix", "dpdk.file_prefix"},
	{"--no-huge", "dpdk.huge_pages"},
	{"-m", "dpdk.memory_mib"},
	{"--socket-mem", "dpdk.memory_mib"},
	{"--proc-type", "nothing: the dataplane is always the primary process"},
};

static bool is_argument(const char *given, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(given, name, length) != 0)
		return false;
	if (name[1] == '-')
		return given[length] == '\0' || given[length] == '=';
	return given[1] == name[1] && given[1] != '-';
}

static void check_arguments(struct loading *l)
{
	const struct config *c = l->config;

	for (uint32_t i = 0; i < c->eal_count; i++) {
		for (size_t k = 0; k < sizeof owned_arguments / sizeof owned_arguments[0]; k++)
			if (is_argument(c->eal[i], owned_arguments[k].argument))
				origin_report(c, &l->reports, SEVERITY_ERROR, "dpdk.arguments", 0,
					      "'%s' cannot be given here: use %s", c->eal[i],
					      owned_arguments[k].instead);
		if (!c->huge_pages && is_argument(c->eal[i], "--in-memory"))
			origin_report(c, &l->reports, SEVERITY_ERROR, "dpdk.arguments", 0,
				      "DPDK refuses --in-memory without huge pages: use --no-shconf");
	}
}

void check_names(struct loading *l, const char *path, uint32_t count)
{
	uint32_t knob = knob_find(path);

	for (uint32_t i = 1; i < count; i++) {
		const struct place *second = origin_place(l->origin, knob, i);

		for (uint32_t j = 0; j < i && second->node && !second->bad; j++) {
			const struct place *first = origin_place(l->origin, knob, j);

			if (!first->node || first->bad || strcmp(first->node->text, second->node->text) != 0)
				continue;
			report_node(&l->reports, SEVERITY_ERROR, second->node, "the name '%s' is taken at %s:%u:%u",
				    second->node->text, first->node->source->name, first->node->line,
				    first->node->column);
			break;
		}
	}
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i])
			return false;
	return true;
}

// Why an address cannot be a station's own, or NULL.
static const char *address_fault(const struct config_address *a)
{
	uint32_t ip, mask;

	if (a->family == 6) {
		if (is_zero(a->bytes, 16))
			return "is the unspecified address";
		if (is_zero(a->bytes, 15) && a->bytes[15] == 1)
			return "is the loopback address";
		return a->bytes[0] == 0xff ? "is a multicast address" : NULL;
	}
	memcpy(&ip, a->bytes, sizeof ip);
	ip = ntohl(ip);
	mask = UINT32_MAX << (32 - a->prefix_length);
	if (ip == 0 || ip == UINT32_MAX)
		return "is no station's address";
	if (ip >> 24 == 127)
		return "is a loopback address";
	if (ip >> 28 == 0xe)
		return "is a multicast address";
	if (a->prefix_length < 31 && (ip & ~mask) == 0)
		return "is the address of its network";
	return a->prefix_length < 31 && (ip | mask) == UINT32_MAX ? "is the broadcast address of its network" : NULL;
}

static void check_addresses(struct loading *l, uint32_t i)
{
	const struct config_port *p = &l->config->ports[i];
	const struct node *list = origin_place(l->origin, knob_find("ports[].addresses"), i)->node;
	char text[INET6_ADDRSTRLEN];

	for (uint32_t a = 0; list && a < p->addresses_count; a++) {
		const char *fault = address_fault(&p->addresses[a]);

		if (fault)
			report_node(&l->reports, SEVERITY_ERROR, list->children[a], "%s %s", list->children[a]->text,
				    fault);
		if (p->addresses[a].family == 6 && p->mtu < MIN_IPV6_MTU && !origin_bad(l->config, "ports[].mtu", i))
			report_node(&l->reports, SEVERITY_ERROR, list->children[a],
				    "an IPv6 address needs an MTU of at least %u, the port has %u", MIN_IPV6_MTU,
				    p->mtu);
		value_format_address(&p->addresses[a], text);
		for (uint32_t j = 0; j <= i; j++)
			for (uint32_t b = 0; b < (j < i ? l->config->ports[j].addresses_count : a); b++)
				if (p->addresses[a].family == l->config->ports[j].addresses[b].family &&
				    memcmp(p->addresses[a].bytes, l->config->ports[j].addresses[b].bytes, 16) == 0)
					report_node(&l->reports, j < i ? SEVERITY_WARNING : SEVERITY_ERROR,
						    list->children[a], "port '%s' has %s already",
						    l->config->ports[j].name, text);
	}
}

static void check_device(struct loading *l, uint32_t i)
{
	const struct config_port *p = &l->config->ports[i];
	size_t name = strcspn(p->device, ",");

	if (strpbrk(p->device, " \t"))
		origin_report(l->config, &l->reports, SEVERITY_ERROR, "ports[].device", i,
			      "a device argument holds no spaces");
	if (name >= NAME_MAX_BYTES)
		origin_report(l->config, &l->reports, SEVERITY_ERROR, "ports[].device", i,
			      "the device's name has %zu bytes, %u are the most", name, NAME_MAX_BYTES - 1);
	if (strncmp(p->device, "net_af_packet", 13) == 0 && !p->force_unaccountable)
		origin_report(l->config, &l->reports, SEVERITY_ERROR, "ports[].device", i,
			      "net_af_packet loses frames that no counter shows and cuts long ones: use net_af_xdp or "
			      "net_pcap, "
			      "or set force_unaccountable: true");
	for (uint32_t j = 0; j < i; j++)
		if (!origin_bad(l->config, "ports[].device", j) && strcspn(l->config->ports[j].device, ",") == name &&
		    strncmp(p->device, l->config->ports[j].device, name) == 0)
			origin_report(l->config, &l->reports, SEVERITY_ERROR, "ports[].device", i,
				      "port '%s' has the device '%.*s' already", l->config->ports[j].name, (int)name,
				      p->device);
}

/* One UDP port is one tunnel's; 4790, 8472 and 6635 are always the same one's. */
static void check_tunnel_ports(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_port *p = &c->ports[i];
	const struct {
		const char *knob, *tunnel;
		uint32_t port;
	} of[] = {{"ports[].vxlan_port", "VXLAN", p->vxlan_port}, {"ports[].geneve_port", "GENEVE", p->geneve_port},
		  {"ports[].gtp_port", "GTP-U", p->gtp_port},     {NULL, "VXLAN-GPE", 4790},
		  {NULL, "MPLS", 6635},                           {NULL, "VXLAN", 8472}};

	for (uint32_t a = 0; a < 3; a++)
		for (uint32_t b = 0; b < sizeof of / sizeof *of; b++) {
			if (a == b || of[a].port != of[b].port || strcmp(of[a].tunnel, of[b].tunnel) == 0)
				continue;
			if (!origin_given(c, of[a].knob, i) || origin_bad(c, of[a].knob, i))
				continue;
			if (b > a && of[b].knob && origin_given(c, of[b].knob, i))
				continue; /* told once, there */
			origin_report(c, &l->reports, SEVERITY_ERROR, of[a].knob, i, "%u is the port of %s", of[a].port,
				      of[b].tunnel);
		}
}

static void check_port(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_port *p = &c->ports[i];

	if (!origin_bad(c, "ports[].device", i))
		check_device(l, i);
	if (!origin_bad(c, "ports[].addresses", i))
		check_addresses(l, i);
	check_tunnel_ports(l, i);
	if (!origin_bad(c, "ports[].mode", i) && !origin_bad(c, "ports[].tunnels", i) && p->tap && p->tunnels)
		origin_report(c, &l->reports, SEVERITY_ERROR, "ports[].tunnels", i,
			      "a tap looks into every tunnel and ends none: remove the list, or use mode: telemetry");
	if (origin_bad(c, "ports[].mode", i) || origin_bad(c, "ports[].addresses", i))
		return;
	if (p->tap && p->addresses_count)
		origin_report(c, &l->reports, SEVERITY_ERROR, "ports[].addresses", i,
			      "a tap answers for no address: remove them, or use mode: telemetry");
	if (!p->tap && p->addresses_count == 0)
		origin_report(c, &l->reports, SEVERITY_WARNING, "ports[].addresses", i,
			      "port '%s' has no addresses: no sender can reach it", p->name);
}

// The node of the n-th core of a port.
static const struct node *core_node(const struct loading *l, uint32_t port, uint32_t n)
{
	return origin_place(l->origin, knob_find("ports[].cores"), port)->node->children[n];
}

static void check_core(struct loading *l, uint32_t i, uint32_t n)
{
	const struct config *c = l->config;
	uint32_t core = c->ports[i].cores[n], knob = knob_find("ports[].cores");
	const struct node *node = core_node(l, i, n);

	if (core == c->main_core && !origin_bad(c, "dpdk.main_core", 0))
		report_node(&l->reports, SEVERITY_WARNING, node,
			    "core %u is dpdk.main_core, too: housekeeping will interrupt this worker", core);
	for (uint32_t j = 0; j <= i; j++) {
		const struct place *place = origin_place(l->origin, knob, j);
		uint32_t count = j == i ? n : place->bad || !place->node ? 0 : place->node->count;

		for (uint32_t m = 0; m < count; m++) {
			const struct node *first = core_node(l, j, m);

			if (c->ports[j].cores[m] != core)
				continue;
			report_node(&l->reports, SEVERITY_ERROR, node,
				    "core %u has a worker already, at %s:%u:%u: each worker needs its own", core,
				    first->source->name, first->line, first->column);
			return;
		}
	}
}

static void check_cores(struct loading *l, uint32_t i)
{
	const struct place *place = origin_place(l->origin, knob_find("ports[].cores"), i);

	if (place->bad || !place->node)
		return;
	if (place->node->count != l->config->ports[i].queues && !origin_bad(l->config, "ports[].queues", i))
		report_node(&l->reports, SEVERITY_ERROR, place->node, "%u %s for %u %s: each queue needs one",
			    place->node->count, place->node->count == 1 ? "core" : "cores", l->config->ports[i].queues,
			    l->config->ports[i].queues == 1 ? "queue" : "queues");
	for (uint32_t n = 0; n < place->node->count; n++)
		check_core(l, i, n);
}

void check_ports(struct loading *l)
{
	check_arguments(l);
	check_names(l, "ports[].name", l->config->ports_count);
	for (uint32_t i = 0; i < l->config->ports_count; i++) {
		check_port(l, i);
		check_cores(l, i);
	}
}

static void check_workers(struct loading *l)
{
	const struct config *c = l->config;
	uint32_t workers = 0;

	for (uint32_t i = 0; i < c->ports_count; i++) {
		uint64_t held = (uint64_t)c->ports[i].queues * (c->ports[i].rx_descriptors + c->burst);

		if (origin_bad(c, "ports[].queues", i))
			return;
		workers += c->ports[i].queues;
		if (workers > WORKERS_MAX && workers - c->ports[i].queues <= WORKERS_MAX)
			origin_report(c, &l->reports, SEVERITY_ERROR, "ports[].queues", i,
				      "with this port there are %u queues, %u are the most", workers, WORKERS_MAX);
		if (held > c->mbufs && !origin_bad(c, "dpdk.mbufs", 0))
			origin_report(c, &l->reports, SEVERITY_ERROR, "dpdk.mbufs", 0,
				      "port '%s' needs at least %" PRIu64 " mbufs to fill its queues' descriptors",
				      c->ports[i].name, held);
	}
}

/* Whether the mbufs of a port keep to pages; dataplane/driver.c has the same three. */
static bool is_paged(const struct config *c, uint32_t port)
{
	static const char *const drivers[] = {"net_af_xdp", "net_bonding", "net_failsafe"};

	for (uint32_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
		if (!c->huge_pages && strncmp(c->ports[port].device, drivers[i], strlen(drivers[i])) == 0)
			return true;
	return false;
}

/* What all ports' mbufs take. */
static uint64_t mbufs_mib(const struct config *c)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < c->ports_count; i++)
		bytes += (uint64_t)c->mbufs * (is_paged(c, i) ? MBUF_PAGE : MBUF_BYTES);
	return (bytes >> 20) + 1;
}

void check_limits(struct loading *l)
{
	const struct config *c = l->config;
	uint64_t mib = mbufs_mib(c);
	uint32_t shards = 0;

	check_workers(l);
	if (mib > c->memory_mib && c->ports_count && !origin_bad(c, "dpdk.mbufs", 0) &&
	    !origin_bad(c, "dpdk.memory_mib", 0))
		origin_report(c, &l->reports, SEVERITY_WARNING, "dpdk.memory_mib", 0,
			      "%u ports with %u mbufs each need about %" PRIu64 " MiB, here are %u", c->ports_count,
			      c->mbufs, mib, c->memory_mib);
	if (c->batch_bytes > c->segment_bytes / 2 && !origin_bad(c, "store.batch_bytes", 0) &&
	    !origin_bad(c, "store.segment_bytes", 0))
		origin_report(c, &l->reports, SEVERITY_ERROR, "store.batch_bytes", 0,
			      "a batch can be at most half a segment (%" PRIu64 " bytes)", c->segment_bytes / 2);
	for (uint32_t i = 0; i < c->streams_count; i++) {
		if (origin_bad(c, "streams[].shards", i) || origin_bad(c, "region.shards", 0))
			return;
		shards += c->streams[i].shards;
		if (shards > c->region_shards && shards - c->streams[i].shards <= c->region_shards)
			origin_report(c, &l->reports, SEVERITY_ERROR, "streams[].shards", i,
				      "with this stream there are %u shards, region.shards has room for %u", shards,
				      c->region_shards);
	}
}
