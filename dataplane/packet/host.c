#include "dataplane/packet/host.h"

#include <errno.h>

#include "config/config.h"

static const uint8_t limited_broadcast[4] = {255, 255, 255, 255};
static const uint8_t solicited_node[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}; /* RFC 4291 2.7.1 */

static bool all_zero(const uint8_t *bytes, uint32_t length)
{
	uint8_t any = 0;

	for (uint32_t i = 0; i < length; i++)
		any |= bytes[i];
	return any == 0;
}

static int add_ipv4(struct host *host, const struct config_address *address)
{
	uint32_t raw = wire_raw32(address->bytes), ones;
	uint32_t i = host->ipv4_count;

	/* 224.0.0.0 and above are groups, reserved or broadcast. */
	if (address->prefix_length > 32 || all_zero(address->bytes, 4) || address->bytes[0] >= 224)
		return -EINVAL;
	for (uint32_t j = 0; j < i; j++)
		if (host->ipv4[j] == raw)
			return 0;
	/* A /31 and a /32 have no broadcast address (RFC 3021); the limited one, own anyway, stands in. */
	ones = address->prefix_length >= 31 ? UINT32_MAX : UINT32_MAX >> address->prefix_length;
	host->ipv4[i] = raw;
	host->broadcast[i] = raw | __builtin_bswap32(ones);
	host->ipv4_count = i + 1;
	return 0;
}

static int add_ipv6(struct host *host, const uint8_t bytes[16], uint32_t prefix_length)
{
	if (prefix_length > 128 || all_zero(bytes, 16) || bytes[0] == 0xff)
		return -EINVAL;
	for (uint32_t j = 0; j < host->ipv6_count; j++)
		if (host_same_ipv6(host->ipv6[j], bytes))
			return 0;
	memcpy(host->ipv6[host->ipv6_count++], bytes, 16);
	return 0;
}

// fe80::/64 with the modified EUI-64 of the MAC (RFC 4291 appendix A).
static int add_link_local(struct host *host)
{
	const uint8_t *m = host->mac_bytes;
	uint8_t bytes[16] = {0xfe, 0x80, [8] = m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};

	return add_ipv6(host, bytes, 64);
}

static void expect(struct host *host, uint32_t at, const void *bytes, uint32_t length, uint8_t care)
{
	memcpy(host->usual_expected + at, bytes, length);
	memset(host->usual_care + at, care, length);
}

static void expect_usual(struct host *host)
{
	static const uint8_t type_version[3] = {WIRE_TYPE_IPV4 >> 8, WIRE_TYPE_IPV4 & 0xff, 0x45}, fragment[2] = {0, 0};
	static const uint8_t udp = WIRE_UDP;
	const void *own = host->ipv4_count ? (const void *)host->ipv4 : limited_broadcast;

	expect(host, 0, host->mac_bytes, WIRE_MAC_BYTES, 0xff);
	expect(host, 12, type_version, 3, 0xff);
	expect(host, WIRE_ETHERNET_BYTES + 6, fragment, 1, 0x3f); /* more fragments, and the offset's upper bits */
	expect(host, WIRE_ETHERNET_BYTES + 7, fragment, 1, 0xff);
	expect(host, WIRE_ETHERNET_BYTES + 9, &udp, 1, 0xff);
	expect(host, WIRE_ETHERNET_BYTES + 16, own, 4, 0xff);
}

int host_init(struct host *host, const uint8_t mac[WIRE_MAC_BYTES], const struct config_address *addresses,
	      uint32_t count, uint32_t vlan_depth)
{
	int error = 0;

	memset(host, 0, sizeof *host);
	if (count > HOST_ADDRESSES_MAX || vlan_depth > HOST_VLAN_DEPTH_MAX)
		return -EINVAL;
	memcpy(host->mac_bytes, mac, WIRE_MAC_BYTES);
	memcpy(&host->mac, mac, WIRE_MAC_BYTES);
	host->vlan_depth = vlan_depth;
	for (uint32_t i = 0; i < count && error == 0; i++)
		error = addresses[i].family == 4   ? add_ipv4(host, &addresses[i])
			: addresses[i].family == 6 ? add_ipv6(host, addresses[i].bytes, addresses[i].prefix_length)
						   : -EINVAL;
	if (error == 0)
		error = add_link_local(host);
	expect_usual(host);
	return error;
}

int host_init_tap(struct host *host, uint32_t vlan_depth)
{
	memset(host, 0, sizeof *host);
	if (vlan_depth > HOST_VLAN_DEPTH_MAX)
		return -EINVAL;
	host->vlan_depth = vlan_depth;
	host->tap = true;
	host->tunnels = UINT32_MAX;
	return 0;
}

enum host_reach host_ipv4_rare(const struct host *host, uint32_t address)
{
	if (host->tap)
		return HOST_UNICAST;
	if (address == wire_raw32(limited_broadcast))
		return HOST_GROUP;
	for (uint32_t i = 0; i < host->ipv4_count; i++)
		if (host->broadcast[i] == address)
			return HOST_GROUP;
	return HOST_NONE;
}

enum host_reach host_ipv6_rare(const struct host *host, const uint8_t address[16])
{
	if (host->tap)
		return HOST_UNICAST;
	if (memcmp(address, solicited_node, sizeof solicited_node) != 0)
		return HOST_NONE;
	for (uint32_t i = 0; i < host->ipv6_count; i++)
		if (memcmp(host->ipv6[i] + 13, address + 13, 3) == 0)
			return HOST_GROUP;
	return HOST_NONE;
}
