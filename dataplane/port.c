#include "dataplane/port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "dataplane/driver.h"
#include "dataplane/log.h"
#include "dataplane/packet/tunnel.h"
#include "dataplane/pool.h"

#define TX_DESCRIPTORS 512

/* "net_pcap0,rx_pcap=x" names the device "net_pcap0"; a PCI address names itself. */
static void device_name(const char *device, char *name, size_t room)
{
	size_t length = strcspn(device, ",");

	if (length >= room)
		length = room - 1;
	memcpy(name, device, length);
	name[length] = 0;
}

/* Says what is wrong with the port where the configuration names it. */
static int refuse(const struct port *port, const char *what)
{
	const struct config_port *c = port->config;

	config_complain(port->whole, stderr, "error", c->file, c->line, c->column, "port '%s': %s", c->name, what);
	return -EINVAL;
}

static int find_device(struct port *port)
{
	char name[NAME_MAX_BYTES], what[512];

	device_name(port->config->device, name, sizeof name);
	if (rte_eth_dev_get_port_by_name(name, &port->id) == 0)
		return 0;
	snprintf(what, sizeof what,
		 "DPDK found no device '%.200s'; is it bound to a DPDK driver (dpdk-devbind.py --status), or its interface "
		 "missing or in use?", port->config->device);
	refuse(port, what);
	return -ENODEV;
}

static int check_driver(struct port *port, const struct rte_eth_dev_info *info)
{
	char what[512];

	snprintf(port->driver_name, sizeof port->driver_name, "%s", info->driver_name);
	port->driver = driver_find(port->driver_name);
	if (port->driver->accountable)
		return 0;
	if (!port->config->force_unaccountable) {
		snprintf(what, sizeof what,
			 "driver %s is not fit for capture: %s; use net_af_xdp or net_pcap on the interface, or set "
			 "force_unaccountable", port->driver_name, port->driver->why);
		return refuse(port, what);
	}
	LOG_WARNING("port '%s': driver %s is unaccountable: %s\n", port->config->name, port->driver_name,
		    port->driver->why);
	return 0;
}

static int make_pool(struct port *port, const struct config *config)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof name, "penstock_%u", port->index);
	port->pool = pool_make(name, config->mbufs, port->node, port->driver->paged);
	if (port->pool)
		return 0;
	LOG_ERROR("port '%s': no memory for %u mbufs of %u bytes on node %d (%s); raise dpdk.memory_mib or lower "
		  "dpdk.mbufs\n", port->config->name, config->mbufs, RTE_MBUF_DEFAULT_BUF_SIZE, port->node,
		  rte_strerror(rte_errno));
	return -ENOMEM;
}

static struct rte_eth_conf device_configuration(const struct port *port, const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = {0};
	uint64_t offloads = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_SCATTER;

	conf.rxmode.offloads = offloads & info->rx_offload_capa;
	conf.rxmode.mtu = port->config->mtu;
	if (port->config->queues > 1) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP) & info->flow_type_rss_offloads;
		if (conf.rx_adv_conf.rss_conf.rss_hf == 0)
			conf.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE; /* net_pcap and the like spread by file or not at all */
	}
	return conf;
}

static int set_up_queues(struct port *port, const struct rte_eth_dev_info *info)
{
	uint16_t rx = (uint16_t)port->config->rx_descriptors, tx = TX_DESCRIPTORS;
	struct rte_eth_conf conf = device_configuration(port, info);
	uint16_t queues = (uint16_t)port->config->queues;
	/* A tap never sends, and net_pcap on a file has nowhere to send to. */
	uint16_t tx_queues = port->config->tap || info->max_tx_queues < queues ? 0 : queues;
	unsigned node = port->node < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)port->node;
	int error = rte_eth_dev_configure(port->id, queues, tx_queues, &conf);

	if (error == 0)
		error = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);
	for (uint16_t q = 0; error == 0 && q < queues; q++)
		error = rte_eth_rx_queue_setup(port->id, q, rx, node, NULL, port->pool);
	for (uint16_t q = 0; error == 0 && q < tx_queues; q++)
		error = rte_eth_tx_queue_setup(port->id, q, tx, node, NULL);
	port->can_send = tx_queues > 0;
	if (error) {
		char what[512];

		snprintf(what, sizeof what, "driver %s refused %u queues of %u descriptors on '%.200s': %s; is it in use by "
			 "another program?", port->driver_name, queues, rx, port->config->device, rte_strerror(-error));
		refuse(port, what);
	}
	return error ? -EBUSY : 0;
}

/* The oracle's zero: what it counted before penstock first looked at this interface is not penstock's. */
static void anchor_wire(struct port *port, struct ledger_writer *ledger, bool renewed)
{
	uint64_t raw;

	if (port->oracle.fd < 0 || (!renewed && ledger->now[port_word(port->index, PORT_WIRE_INTERFACE)] != 0) ||
	    oracle_read(&port->oracle, &raw) != 0)
		return;
	ledger_set(ledger, port_word(port->index, PORT_WIRE_RAW), raw);
	ledger_set(ledger, port_word(port->index, PORT_WIRE_INTERFACE), port->oracle.ifindex);
	ledger_commit(ledger);
}

int port_open(struct port *port, const struct config *config, uint32_t index, uint32_t first_worker,
	      struct ledger_writer *ledger, bool renewed)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	char what[128];
	int error;

	*port = (struct port){.config = &config->ports[index], .whole = config, .index = index, .first_worker = first_worker};
	port->oracle.fd = -1;
	error = find_device(port);
	if (error)
		return error;
	error = rte_eth_dev_info_get(port->id, &info);
	if (error)
		return error;
	error = check_driver(port, &info);
	if (error)
		return error;
	if (port->config->queues > info.max_rx_queues) {
		snprintf(what, sizeof what, "asks for %u queues, the device has %u", port->config->queues,
			 info.max_rx_queues);
		return refuse(port, what);
	}
	if (port->config->mtu < info.min_mtu || port->config->mtu > info.max_mtu) {
		snprintf(what, sizeof what, "mtu %u is outside what %s takes, %u to %u", port->config->mtu,
			 port->driver_name, info.min_mtu, info.max_mtu);
		return refuse(port, what);
	}
	port->node = rte_eth_dev_socket_id(port->id);
	error = make_pool(port, config);
	if (oracle_open(&port->oracle, port->config->device))
		anchor_wire(port, ledger, renewed); /* before a queue can take its first frame */
	if (!error)
		error = set_up_queues(port, &info);
	if (error)
		return error;
	rte_eth_macaddr_get(port->id, &mac);
	error = port->config->tap ? host_init_tap(&port->host, config->vlan_depth)
				  : host_init(&port->host, mac.addr_bytes, port->config->addresses,
					      port->config->addresses_count, config->vlan_depth);
	if (!error && !port->config->tap)
		port->host.tunnels = tunnel_mask(port->config->tunnels);
	port->host.vxlan_port = (uint16_t)port->config->vxlan_port;
	port->host.geneve_port = (uint16_t)port->config->geneve_port;
	port->host.gtp_port = (uint16_t)port->config->gtp_port;
	return error ? refuse(port, "its addresses make no sense") : 0;
}

int port_start(struct port *port, const struct ledger_writer *ledger, uint64_t polled)
{
	const uint64_t *row = ledger->now + port_word(port->index, 0);
	struct rte_eth_stats zero;
	int error = rte_eth_dev_start(port->id);

	if (error) {
		LOG_ERROR("port '%s': cannot start: %s\n", port->config->name, rte_strerror(-error));
		return error;
	}
	if ((port->config->promiscuous || port->config->tap) && rte_eth_promiscuous_enable(port->id) != 0) {
		if (port->config->tap && rte_eth_promiscuous_get(port->id) == 0)
			LOG_WARNING("port '%s': %s cannot be made promiscuous: a tap sees only what is sent to it\n",
				    port->config->name, port->driver_name);
	}
	/* Some drivers keep their counters over a start: what they say now is their zero. */
	error = rte_eth_stats_get(port->id, &zero);
	if (error)
		return refuse(port, "its driver gives no counters");
	port->base_rx = polled - zero.ipackets;
	port->base_missed = row[PORT_MISSED] - zero.imissed;
	port->base_errors = row[PORT_ERRORS] - zero.ierrors;
	port->base_no_mbuf = row[PORT_NO_MBUF] - zero.rx_nombuf;
	port->base_rx_bytes = row[PORT_RX_BYTES] - zero.ibytes;
	port->base_tx = row[PORT_TX] - zero.opackets;
	port->started_tsc = rte_rdtsc();
	port->settling = port->oracle.fd >= 0;
	port->started = true;
	return 0;
}

void port_close(struct port *port)
{
	if (port->started && rte_eth_dev_stop(port->id) == 0)
		rte_eth_dev_close(port->id);
	port->started = false;
	oracle_close(&port->oracle);
}

/* The kernel's counter since the region was made: an interface made again starts from 0, as does the region. */
static bool read_wire(struct port *port, const struct ledger_writer *ledger, uint64_t *raw, uint64_t *wire)
{
	const uint64_t *row = ledger->now + port_word(port->index, 0);

	if (port->oracle.fd < 0 || oracle_read(&port->oracle, raw) != 0)
		return false;
	if (row[PORT_WIRE_INTERFACE] == port->oracle.ifindex && *raw >= row[PORT_WIRE_RAW])
		*wire = row[PORT_WIRE] + (*raw - row[PORT_WIRE_RAW]);
	else
		*wire = row[PORT_WIRE] + *raw;
	return true;
}

int port_read(struct port *port, const struct ledger_writer *ledger, struct port_sample *out)
{
	struct rte_eth_link link = {0};
	struct rte_eth_stats stats;

	int error = rte_eth_stats_get(port->id, &stats);

	if (error)
		return error;
	out->rx = port->base_rx + stats.ipackets;
	out->missed = port->base_missed + stats.imissed;
	out->errors = port->base_errors + stats.ierrors;
	out->no_mbuf = port->base_no_mbuf + stats.rx_nombuf;
	out->rx_bytes = port->base_rx_bytes + stats.ibytes;
	out->tx = port->base_tx + stats.opackets;
	out->wire_valid = read_wire(port, ledger, &out->wire_raw, &out->wire);
	rte_eth_link_get_nowait(port->id, &link);
	out->link_up = link.link_status == RTE_ETH_LINK_UP;
	out->link_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	return 0;
}

void port_record(struct port *port, struct ledger_writer *ledger, const struct port_sample *sample)
{
	ledger_set(ledger, port_word(port->index, PORT_RX), sample->rx);
	ledger_set(ledger, port_word(port->index, PORT_POLLED), sample->polled);
	ledger_set(ledger, port_word(port->index, PORT_MISSED), sample->missed);
	ledger_set(ledger, port_word(port->index, PORT_ERRORS), sample->errors);
	ledger_set(ledger, port_word(port->index, PORT_NO_MBUF), sample->no_mbuf);
	ledger_set(ledger, port_word(port->index, PORT_RX_BYTES), sample->rx_bytes);
	ledger_set(ledger, port_word(port->index, PORT_TX), sample->tx);
	ledger_set(ledger, port_word(port->index, PORT_LINK_UP), sample->link_up);
	ledger_set(ledger, port_word(port->index, PORT_LINK_MBPS), sample->link_mbps);
	ledger_set(ledger, port_word(port->index, PORT_EXACT), sample->exact);
	if (sample->wire_valid && sample->exact) {
		ledger_set(ledger, port_word(port->index, PORT_WIRE), sample->wire);
		ledger_set(ledger, port_word(port->index, PORT_WIRE_RAW), sample->wire_raw);
		ledger_set(ledger, port_word(port->index, PORT_WIRE_INTERFACE), port->oracle.ifindex);
	}
}
