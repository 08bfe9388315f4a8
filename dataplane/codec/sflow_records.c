// The structures of flow and counter records, and how their XDR is read.
#include <string.h>

#include "dataplane/codec/sflow.h"

enum item_kind {
	U32,
	U64,
	REAL,      /* XDR float */
	IPV4,
	IPV6,
	ADDRESS,   /* a type (0 unknown, 1 IPv4, 2 IPv6), then the address */
	MAC,       /* 6 bytes, 2 of padding */
	UUID,      /* 16 bytes */
	STRING,
	NUMBERS,   /* array of unsigned */
	PATHS,     /* array of {type, array of AS numbers} */
	ADAPTERS,  /* array of {ifIndex, array of MAC} */
	PACKET,    /* opaque sampled header; the protocol stands in front */
};

struct item {
	const char *name;
	uint8_t kind;
};

struct structure {
	uint32_t format;
	const char *type;
	uint8_t least; /* items that must be there; 0: all. Later revisions append some */
	struct item items[20];
};

/* sFlow Version 5, section 5, "Flow Data Types"; from 1013 on the structures published at sflow.org/developers */
static const struct structure flow_structures[] = {
	{1, "sampled_header", 0,
	 {{"header_protocol", U32}, {"frame_length", U32}, {"stripped", U32}, {"header", PACKET}}},
	{2, "sampled_ethernet", 0, {{"length", U32}, {"src_mac", MAC}, {"dst_mac", MAC}, {"type", U32}}},
	{3, "sampled_ipv4", 0,
	 {{"length", U32}, {"protocol", U32}, {"src_ip", IPV4}, {"dst_ip", IPV4}, {"src_port", U32}, {"dst_port", U32},
	  {"tcp_flags", U32}, {"tos", U32}}},
	{4, "sampled_ipv6", 0,
	 {{"length", U32}, {"protocol", U32}, {"src_ip", IPV6}, {"dst_ip", IPV6}, {"src_port", U32}, {"dst_port", U32},
	  {"tcp_flags", U32}, {"priority", U32}}},
	{1001, "extended_switch", 0,
	 {{"src_vlan", U32}, {"src_priority", U32}, {"dst_vlan", U32}, {"dst_priority", U32}}},
	{1002, "extended_router", 0, {{"nexthop", ADDRESS}, {"src_mask_len", U32}, {"dst_mask_len", U32}}},
	{1003, "extended_gateway", 0,
	 {{"nexthop", ADDRESS}, {"as", U32}, {"src_as", U32}, {"src_peer_as", U32}, {"dst_as_path", PATHS},
	  {"communities", NUMBERS}, {"localpref", U32}}},
	{1004, "extended_user", 0,
	 {{"src_charset", U32}, {"src_user", STRING}, {"dst_charset", U32}, {"dst_user", STRING}}},
	{1005, "extended_url", 0, {{"direction", U32}, {"url", STRING}, {"host", STRING}}},
	{1006, "extended_mpls", 0, {{"nexthop", ADDRESS}, {"in_stack", NUMBERS}, {"out_stack", NUMBERS}}},
	{1007, "extended_nat", 0, {{"src_address", ADDRESS}, {"dst_address", ADDRESS}}},
	{1008, "extended_mpls_tunnel", 0, {{"tunnel_lsp_name", STRING}, {"tunnel_id", U32}, {"tunnel_cos", U32}}},
	{1009, "extended_mpls_vc", 0, {{"vc_instance_name", STRING}, {"vll_vc_id", U32}, {"vc_label_cos", U32}}},
	{1010, "extended_mpls_FTN", 0, {{"mplsFTNDescr", STRING}, {"mplsFTNMask", U32}}},
	{1011, "extended_mpls_LDP_FEC", 0, {{"mplsFecAddrPrefixLength", U32}}},
	{1012, "extended_vlantunnel", 0, {{"stack", NUMBERS}}},
	{1020, "extended_nat_port", 0, {{"src_port", U32}, {"dst_port", U32}}},
	{1021, "extended_L2_tunnel_egress", 0, {{"length", U32}, {"src_mac", MAC}, {"dst_mac", MAC}, {"type", U32}}},
	{1022, "extended_L2_tunnel_ingress", 0, {{"length", U32}, {"src_mac", MAC}, {"dst_mac", MAC}, {"type", U32}}},
	{1023, "extended_ipv4_tunnel_egress", 0,
	 {{"length", U32}, {"protocol", U32}, {"src_ip", IPV4}, {"dst_ip", IPV4}, {"src_port", U32}, {"dst_port", U32},
	  {"tcp_flags", U32}, {"tos", U32}}},
	{1024, "extended_ipv4_tunnel_ingress", 0,
	 {{"length", U32}, {"protocol", U32}, {"src_ip", IPV4}, {"dst_ip", IPV4}, {"src_port", U32}, {"dst_port", U32},
	  {"tcp_flags", U32}, {"tos", U32}}},
	{1025, "extended_ipv6_tunnel_egress", 0,
	 {{"length", U32}, {"protocol", U32}, {"src_ip", IPV6}, {"dst_ip", IPV6}, {"src_port", U32}, {"dst_port", U32},
	  {"tcp_flags", U32}, {"priority", U32}}},
	{1026, "extended_ipv6_tunnel_ingress", 0,
	 {{"length", U32}, {"protocol", U32}, {"src_ip", IPV6}, {"dst_ip", IPV6}, {"src_port", U32}, {"dst_port", U32},
	  {"tcp_flags", U32}, {"priority", U32}}},
	{1027, "extended_decapsulate_egress", 0, {{"inner_header_offset", U32}}},
	{1028, "extended_decapsulate_ingress", 0, {{"inner_header_offset", U32}}},
	{1029, "extended_vni_egress", 0, {{"vni", U32}}},
	{1030, "extended_vni_ingress", 0, {{"vni", U32}}},
	{1036, "extended_egress_queue", 0, {{"queue", U32}}},
	{1037, "extended_acl", 0, {{"number", U32}, {"name", STRING}, {"direction", U32}}},
	{1038, "extended_function", 0, {{"symbol", STRING}}},
	{2100, "extended_socket_ipv4", 0,
	 {{"protocol", U32}, {"local_ip", IPV4}, {"remote_ip", IPV4}, {"local_port", U32}, {"remote_port", U32}}},
	{2101, "extended_socket_ipv6", 0,
	 {{"protocol", U32}, {"local_ip", IPV6}, {"remote_ip", IPV6}, {"local_port", U32}, {"remote_port", U32}}},
};

/* sFlow Version 5, section 5, "Counter Data Types"; from 2000 on "sFlow Host Structures" */
static const struct structure counter_structures[] = {
	{1, "if_counters", 0,
	 {{"ifIndex", U32}, {"ifType", U32}, {"ifSpeed", U64}, {"ifDirection", U32}, {"ifStatus", U32},
	  {"ifInOctets", U64}, {"ifInUcastPkts", U32}, {"ifInMulticastPkts", U32}, {"ifInBroadcastPkts", U32},
	  {"ifInDiscards", U32}, {"ifInErrors", U32}, {"ifInUnknownProtos", U32}, {"ifOutOctets", U64},
	  {"ifOutUcastPkts", U32}, {"ifOutMulticastPkts", U32}, {"ifOutBroadcastPkts", U32}, {"ifOutDiscards", U32},
	  {"ifOutErrors", U32}, {"ifPromiscuousMode", U32}}},
	{2, "ethernet_counters", 0,
	 {{"dot3StatsAlignmentErrors", U32}, {"dot3StatsFCSErrors", U32}, {"dot3StatsSingleCollisionFrames", U32},
	  {"dot3StatsMultipleCollisionFrames", U32}, {"dot3StatsSQETestErrors", U32},
	  {"dot3StatsDeferredTransmissions", U32}, {"dot3StatsLateCollisions", U32},
	  {"dot3StatsExcessiveCollisions", U32}, {"dot3StatsInternalMacTransmitErrors", U32},
	  {"dot3StatsCarrierSenseErrors", U32}, {"dot3StatsFrameTooLongs", U32},
	  {"dot3StatsInternalMacReceiveErrors", U32}, {"dot3StatsSymbolErrors", U32}}},
	{3, "tokenring_counters", 0,
	 {{"dot5StatsLineErrors", U32}, {"dot5StatsBurstErrors", U32}, {"dot5StatsACErrors", U32},
	  {"dot5StatsAbortTransErrors", U32}, {"dot5StatsInternalErrors", U32}, {"dot5StatsLostFrameErrors", U32},
	  {"dot5StatsReceiveCongestions", U32}, {"dot5StatsFrameCopiedErrors", U32}, {"dot5StatsTokenErrors", U32},
	  {"dot5StatsSoftErrors", U32}, {"dot5StatsHardErrors", U32}, {"dot5StatsSignalLoss", U32},
	  {"dot5StatsTransmitBeacons", U32}, {"dot5StatsRecoverys", U32}, {"dot5StatsLobeWires", U32},
	  {"dot5StatsRemoves", U32}, {"dot5StatsSingles", U32}, {"dot5StatsFreqErrors", U32}}},
	{4, "vg_counters", 0,
	 {{"dot12InHighPriorityFrames", U32}, {"dot12InHighPriorityOctets", U64}, {"dot12InNormPriorityFrames", U32},
	  {"dot12InNormPriorityOctets", U64}, {"dot12InIPMErrors", U32}, {"dot12InOversizeFrameErrors", U32},
	  {"dot12InDataErrors", U32}, {"dot12InNullAddressedFrames", U32}, {"dot12OutHighPriorityFrames", U32},
	  {"dot12OutHighPriorityOctets", U64}, {"dot12TransitionIntoTrainings", U32},
	  {"dot12HCInHighPriorityOctets", U64}, {"dot12HCInNormPriorityOctets", U64},
	  {"dot12HCOutHighPriorityOctets", U64}}},
	{5, "vlan_counters", 0,
	 {{"vlan_id", U32}, {"octets", U64}, {"ucastPkts", U32}, {"multicastPkts", U32}, {"broadcastPkts", U32},
	  {"discards", U32}}},
	{1001, "processor", 0,
	 {{"5s_cpu", U32}, {"1m_cpu", U32}, {"5m_cpu", U32}, {"total_memory", U64}, {"free_memory", U64}}},
	{1004, "of_port", 0, {{"datapath_id", U64}, {"port_no", U32}}},
	{1005, "port_name", 0, {{"name", STRING}}},
	{2000, "host_descr", 0,
	 {{"hostname", STRING}, {"uuid", UUID}, {"machine_type", U32}, {"os_name", U32}, {"os_release", STRING}}},
	{2001, "host_adapters", 0, {{"adapters", ADAPTERS}}},
	{2002, "host_parent", 0, {{"container_type", U32}, {"container_index", U32}}},
	{2003, "host_cpu", 17,
	 {{"load_one", REAL}, {"load_five", REAL}, {"load_fifteen", REAL}, {"proc_run", U32}, {"proc_total", U32},
	  {"cpu_num", U32}, {"cpu_speed", U32}, {"uptime", U32}, {"cpu_user", U32}, {"cpu_nice", U32},
	  {"cpu_system", U32}, {"cpu_idle", U32}, {"cpu_wio", U32}, {"cpu_intr", U32}, {"cpu_sintr", U32},
	  {"interrupts", U32}, {"contexts", U32}, {"cpu_steal", U32}, {"cpu_guest", U32}, {"cpu_guest_nice", U32}}},
	{2004, "host_memory", 0,
	 {{"mem_total", U64}, {"mem_free", U64}, {"mem_shared", U64}, {"mem_buffers", U64}, {"mem_cached", U64},
	  {"swap_total", U64}, {"swap_free", U64}, {"page_in", U32}, {"page_out", U32}, {"swap_in", U32},
	  {"swap_out", U32}}},
	{2005, "host_disk_io", 0,
	 {{"disk_total", U64}, {"disk_free", U64}, {"part_max_used", U32}, {"reads", U32}, {"bytes_read", U64},
	  {"read_time", U32}, {"writes", U32}, {"bytes_written", U64}, {"write_time", U32}}},
	{2006, "host_net_io", 0,
	 {{"bytes_in", U64}, {"pkts_in", U32}, {"errs_in", U32}, {"drops_in", U32}, {"bytes_out", U64},
	  {"packets_out", U32}, {"errs_out", U32}, {"drops_out", U32}}},
	{2100, "virt_node", 0,
	 {{"mhz", U32}, {"cpus", U32}, {"memory", U64}, {"memory_free", U64}, {"num_domains", U32}}},
	{2101, "virt_cpu", 0, {{"state", U32}, {"cpuTime", U32}, {"nrVirtCpu", U32}}},
	{2102, "virt_memory", 0, {{"memory", U64}, {"maxMemory", U64}}},
	{2103, "virt_disk_io", 0,
	 {{"capacity", U64}, {"allocation", U64}, {"available", U64}, {"rd_req", U32}, {"rd_bytes", U64},
	  {"wr_req", U32}, {"wr_bytes", U64}, {"errs", U32}}},
	{2104, "virt_net_io", 0,
	 {{"rx_bytes", U64}, {"rx_packets", U32}, {"rx_errs", U32}, {"rx_drop", U32}, {"tx_bytes", U64},
	  {"tx_packets", U32}, {"tx_errs", U32}, {"tx_drop", U32}}},
};

static const uint8_t *take(struct sflow_body *body, uint32_t bytes)
{
	const uint8_t *at = body->at;

	if (bytes > body->left)
		return NULL;
	body->at += bytes;
	body->left -= bytes;
	return at;
}

static bool take32(struct sflow_body *body, uint32_t *value)
{
	const uint8_t *at = take(body, 4);

	if (at)
		*value = flow_get32(at);
	return at != NULL;
}

/* Opaque of any length, filled up to 4 bytes; the filling of a body's last one may be missing. */
static const uint8_t *take_opaque(struct sflow_body *body, uint32_t *length)
{
	const uint8_t *at;
	uint32_t padding;

	if (!take32(body, length))
		return NULL;
	at = take(body, *length);
	padding = -*length & 3u;
	if (at)
		take(body, padding < body->left ? padding : body->left);
	return at;
}

static bool put_fixed(struct flow_put *p, enum field_type type, const char *name, uint32_t name_length,
		      const uint8_t *bytes, uint32_t length)
{
	if (bytes)
		flow_put_bytes(p, type, name, name_length, bytes, length);
	return bytes != NULL;
}

static bool put_address(struct flow_put *p, const char *name, uint32_t name_length, struct sflow_body *body)
{
	uint32_t type;

	if (!take32(body, &type) || type > 2)
		return false;
	if (type == 0) {
		flow_put_mark(p, FIELD_NULL, name, name_length);
		return true;
	}
	return put_fixed(p, FIELD_ADDRESS, name, name_length, take(body, type == 1 ? 4 : 16), type == 1 ? 4 : 16);
}

static bool put_numbers(struct flow_put *p, const char *name, uint32_t name_length, struct sflow_body *body)
{
	uint32_t count, value = 0;
	bool whole;

	if (!take32(body, &count))
		return false;
	flow_put_mark(p, FIELD_ARRAY, name, name_length);
	for (whole = true; count && whole && !p->ended; count--) {
		whole = take32(body, &value);
		if (whole)
			flow_put_unsigned(p, NULL, 0, value);
	}
	flow_put_end(p);
	return whole;
}

static bool put_paths(struct flow_put *p, const char *name, uint32_t name_length, struct sflow_body *body)
{
	uint32_t count, type;
	bool whole;

	if (!take32(body, &count))
		return false;
	flow_put_mark(p, FIELD_ARRAY, name, name_length);
	for (whole = true; count && whole && !p->ended; count--) {
		whole = take32(body, &type);
		if (!whole)
			break;
		flow_put_element(p);
		if (type == 1)
			flow_put_bytes(p, FIELD_TEXT, FLOW_NAME("type"), (const uint8_t *)"set", 3);
		else if (type == 2)
			flow_put_bytes(p, FIELD_TEXT, FLOW_NAME("type"), (const uint8_t *)"sequence", 8);
		else
			flow_put_unsigned(p, FLOW_NAME("type"), type);
		whole = put_numbers(p, FLOW_NAME("path"), body);
		flow_put_end(p);
	}
	flow_put_end(p);
	return whole;
}

static bool put_adapters(struct flow_put *p, const char *name, uint32_t name_length, struct sflow_body *body)
{
	uint32_t count, index, macs;
	bool whole;

	if (!take32(body, &count))
		return false;
	flow_put_mark(p, FIELD_ARRAY, name, name_length);
	for (whole = true; count && whole && !p->ended; count--) {
		whole = take32(body, &index) && take32(body, &macs);
		if (!whole)
			break;
		flow_put_element(p);
		flow_put_unsigned(p, FLOW_NAME("ifIndex"), index);
		flow_put_mark(p, FIELD_ARRAY, FLOW_NAME("macs"));
		for (; macs && whole && !p->ended; macs--)
			whole = put_fixed(p, FIELD_MAC, NULL, 0, take(body, 8), 6);
		flow_put_end(p);
		flow_put_end(p);
	}
	flow_put_end(p);
	return whole;
}

static bool put_number(struct flow_put *p, const struct item *item, uint32_t name_length, struct sflow_body *body)
{
	const uint8_t *at = take(body, item->kind == U64 ? 8 : 4);
	struct field field = {.type = FIELD_REAL, .name = item->name, .name_length = name_length};
	uint32_t raw;
	float real;

	if (!at)
		return false;
	if (item->kind == REAL) {
		raw = flow_get32(at);
		memcpy(&real, &raw, 4);
		field.value.r = (double)real;
		flow_put(p, &field);
	} else {
		flow_put_unsigned(p, item->name, name_length, item->kind == U64 ? flow_get64(at) : flow_get32(at));
	}
	return true;
}

/* False where the body ends inside it. `start` is the structure's first byte. */
static bool put_item(struct flow_put *p, const struct item *item, const uint8_t *start, struct sflow_body *body)
{
	uint32_t name_length = (uint32_t)strlen(item->name), length = 0;
	const uint8_t *bytes;

	switch (item->kind) {
	case U32:
	case U64:
	case REAL:
		return put_number(p, item, name_length, body);
	case IPV4:
		return put_fixed(p, FIELD_ADDRESS, item->name, name_length, take(body, 4), 4);
	case IPV6:
		return put_fixed(p, FIELD_ADDRESS, item->name, name_length, take(body, 16), 16);
	case MAC:
		return put_fixed(p, FIELD_MAC, item->name, name_length, take(body, 8), 6);
	case UUID:
		return put_fixed(p, FIELD_BYTES, item->name, name_length, take(body, 16), 16);
	case STRING:
		bytes = take_opaque(body, &length);
		return put_fixed(p, FIELD_TEXT, item->name, name_length, bytes, length);
	case ADDRESS:
		return put_address(p, item->name, name_length, body);
	case NUMBERS:
		return put_numbers(p, item->name, name_length, body);
	case PATHS:
		return put_paths(p, item->name, name_length, body);
	case ADAPTERS:
		return put_adapters(p, item->name, name_length, body);
	case PACKET:
		bytes = take_opaque(body, &length);
		if (!put_fixed(p, FIELD_BYTES, item->name, name_length, bytes, length))
			return false;
		sflow_put_packet(p, flow_get32(start), bytes, length);
		return true;
	}
	return false;
}

static const struct structure *find(bool counters, uint32_t format)
{
	const struct structure *s = counters ? counter_structures : flow_structures;
	uint32_t count = counters ? sizeof counter_structures / sizeof *s : sizeof flow_structures / sizeof *s;

	for (uint32_t i = 0; i < count; i++)
		if (s[i].format == format)
			return &s[i];
	return NULL;
}

enum codec_fault sflow_put_record(struct flow_put *p, bool counters, uint32_t format, struct sflow_body body)
{
	const struct structure *s = find(counters, format);
	const uint8_t *start = body.at;

	if (!s)
		return CODEC_NO_TEMPLATE;
	flow_put_bytes(p, FIELD_TEXT, FLOW_NAME("type"), (const uint8_t *)s->type, (uint32_t)strlen(s->type));
	for (uint32_t i = 0; i < sizeof s->items / sizeof *s->items && s->items[i].name && !p->ended; i++) {
		if (body.left == 0 && s->least && i >= s->least)
			break;
		if (!put_item(p, &s->items[i], start, &body))
			return CODEC_LENGTH;
	}
	if (body.left)
		flow_put_bytes(p, FIELD_BYTES, FLOW_NAME("rest"), body.at, body.left);
	return CODEC_OK;
}
