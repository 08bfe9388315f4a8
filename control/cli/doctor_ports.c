// doctor: network cards, kernel interfaces behind ports, and what the kernel itself has dropped.
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/cli/doctor.h"

// "0000:03:00.0" at the start of a device argument.
static bool is_pci(const char *device, char address[16])
{
	unsigned domain, bus, slot, function;
	int used = 0;

	if (sscanf(device, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &used) == 4 && used >= 12) {
		snprintf(address, 16, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, slot & 0xff, function & 0xf);
		return true;
	}
	if (sscanf(device, "%2x:%2x.%1x%n", &bus, &slot, &function, &used) == 3 && used >= 7) {
		snprintf(address, 16, "0000:%02x:%02x.%x", bus & 0xff, slot & 0xff, function & 0xf);
		return true;
	}
	return false;
}

// The kernel interface of a device argument: the value of iface=, rx_iface= or remote=. False when there is none.
static bool kernel_interface(const char *device, char name[IFNAMSIZ])
{
	static const char *const keys[] = {",iface=", ",rx_iface=", ",remote="};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *at = strstr(device, keys[i]);
		size_t length;

		if (!at)
			continue;
		at += strlen(keys[i]);
		length = strcspn(at, ",");
		if (!length || length >= IFNAMSIZ)
			return false;
		memcpy(name, at, length);
		name[length] = '\0';
		return true;
	}
	return false;
}

static void check_driver(struct doctor *d, const struct config_port *port, const char *address)
{
	static const char why[] = "DPDK takes a card through vfio-pci; one that the kernel drives cannot be taken";
	char path[PATH_MAX], target[PATH_MAX];
	const char *driver;
	ssize_t length;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/driver", d->root, address);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	driver = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	if (!strcmp(driver, "vfio-pci") || !strncmp(driver, "mlx", 3))
		doctor_add(d, VERDICT_OK, "nic_driver", why, NULL, "port %s: %s is driven by %s", port->name, address, driver);
	else if (!strcmp(driver, "igb_uio") || !strcmp(driver, "uio_pci_generic"))
		doctor_add(d, VERDICT_WARN, "nic_driver", "without an IOMMU in between, a driver's mistake writes anywhere in memory",
			   doctor_fix("dpdk-devbind.py -b vfio-pci %s", address), "port %s: %s is driven by %s", port->name, address,
			   driver);
	else
		doctor_add(d, VERDICT_FAIL, "nic_driver", why, doctor_fix("modprobe vfio-pci && dpdk-devbind.py -b vfio-pci %s", address),
			   "port %s: %s is driven by %s", port->name, address, *driver ? driver : "nothing");
}

static void check_node(struct doctor *d, const struct config_port *port, const char *address)
{
	static const char why[] = "every frame crosses between the sockets when card, cores and memory are not on one node";
	long long node = doctor_read_number(d, -1, "/sys/bus/pci/devices/%s/numa_node", address);
	char far[256], list[512];
	cpu_set_t cpus, away;

	if (node < 0 || !doctor_read(d, list, sizeof(list), "/sys/devices/system/node/node%lld/cpulist", node) ||
	    !doctor_parse_cpus(list, &cpus)) {
		doctor_add(d, VERDICT_OK, "nic_node", why, NULL, "port %s: this host has one node, or does not say", port->name);
		return;
	}
	CPU_ZERO(&away);
	for (uint32_t q = 0; q < port->queues; q++) {
		if (port->cores[q] < CPU_SETSIZE && !CPU_ISSET(port->cores[q], &cpus))
			CPU_SET(port->cores[q], &away);
	}
	doctor_print_cpus(&away, far, sizeof(far));
	if (CPU_COUNT(&away))
		doctor_add(d, VERDICT_WARN, "nic_node", why,
			   doctor_fix("ports: {name: %s, cores: [...]} with cores of node %lld: %s", port->name, node, list),
			   "port %s: %s is on node %lld, its cores %s are not", port->name, address, node, far);
	else
		doctor_add(d, VERDICT_OK, "nic_node", why, NULL, "port %s: %s and its cores are on node %lld", port->name, address, node);
}

static void check_iommu(struct doctor *d)
{
	static const char why[] = "vfio-pci keeps a card inside the memory it was given only with an IOMMU";
	char path[PATH_MAX];
	unsigned count = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/class/iommu", d->root);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	if (count && doctor_exists(d, "/dev/vfio/vfio"))
		doctor_add(d, VERDICT_OK, "iommu", why, NULL, "an IOMMU and vfio are there");
	else if (count)
		doctor_add(d, VERDICT_WARN, "iommu", why, "modprobe vfio-pci", "an IOMMU is there, /dev/vfio/vfio is not");
	else
		doctor_add(d, VERDICT_WARN, "iommu", why,
			   "kernel command line: intel_iommu=on iommu=pt (AMD: iommu=pt), and VT-d or AMD-Vi on in the firmware",
			   "there is none, or it is off");
}

static void check_drops(struct doctor *d, const char *port, const char *interface)
{
	static const char why[] = "the kernel threw frames of this interface away before the port could have them";
	static const char *const counters[] = {"rx_dropped", "rx_missed_errors", "rx_fifo_errors", "rx_over_errors", "rx_nohandler"};
	char text[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		long long n = doctor_read_number(d, 0, "/sys/class/net/%s/statistics/%s", interface, counters[i]);

		if (n > 0 && used < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %lld", used ? ", " : "", counters[i], n);
	}
	if (used)
		doctor_add(d, VERDICT_WARN, "kernel_drops", why,
			   doctor_fix("ethtool -G %s rx 4096; more queues and cores for port %s", interface, port),
			   "port %s, interface %s since it came up: %s", port, interface, text);
	else
		doctor_add(d, VERDICT_OK, "kernel_drops", why, NULL, "port %s, interface %s: none", port, interface);
}

static int ethtool_value(int fd, const char *interface, uint32_t command)
{
	struct ethtool_value value = {.cmd = command};
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	request.ifr_data = (char *)&value;
	return ioctl(fd, SIOCETHTOOL, &request) ? -1 : (int)value.data;
}

static void check_offloads(struct doctor *d, const char *port, const char *interface)
{
	static const char why[] = "the kernel glues frames together before the port sees them: sizes, counts and checksums are not the "
				  "wire's";
	static const struct {
		uint32_t command;
		uint32_t mask;
		const char *name;
	} offloads[] = {{ETHTOOL_GGRO, 1, "gro"}, {ETHTOOL_GFLAGS, ETH_FLAG_LRO, "lro"}, {ETHTOOL_GGSO, 1, "gso"},
			{ETHTOOL_GTSO, 1, "tso"}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char on[64] = "", fix[128];
	size_t used = 0, fixed;

	if (fd < 0)
		return;
	fixed = (size_t)snprintf(fix, sizeof(fix), "ethtool -K %s", interface);
	for (size_t i = 0; i < sizeof(offloads) / sizeof(*offloads); i++) {
		int value = ethtool_value(fd, interface, offloads[i].command);

		if (value < 0 || !((uint32_t)value & offloads[i].mask))
			continue;
		used += (size_t)snprintf(on + used, sizeof(on) - used, "%s%s", used ? ", " : "", offloads[i].name);
		fixed += (size_t)snprintf(fix + fixed, sizeof(fix) - fixed, " %s off", offloads[i].name);
	}
	close(fd);
	if (used)
		doctor_add(d, VERDICT_WARN, "offloads", why, doctor_fix("%s (and on the other end of a veth pair)", fix),
			   "port %s, interface %s: %s on", port, interface, on);
	else
		doctor_add(d, VERDICT_OK, "offloads", why, NULL, "port %s, interface %s: off", port, interface);
}

static void check_interface(struct doctor *d, const char *port, const char *interface)
{
	if (!doctor_exists(d, "/sys/class/net/%s", interface)) {
		doctor_add(d, VERDICT_WARN, "interface", "the port cannot open an interface that is not there",
			   doctor_fix("ip link show %s; when it lives in a network namespace: ip netns exec NAME penstock doctor ...",
				      interface), "port %s: there is no interface %s in this network namespace", port, interface);
		return;
	}
	check_drops(d, port, interface);
	check_offloads(d, port, interface);
}

// /proc/net/softnet_stat: a line for each CPU, hexadecimal; the second column counts frames dropped for a full backlog.
static void check_softnet(struct doctor *d)
{
	static const char why[] = "frames for the kernel's own stack (and for net_pcap and veth ports) found its backlog full";
	unsigned long long dropped = 0;
	char path[PATH_MAX], line[512];
	unsigned drops;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/net/softnet_stat", d->root);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*x %x", &drops) == 1)
			dropped += drops;
	}
	fclose(file);
	if (dropped)
		doctor_add(d, VERDICT_WARN, "softnet", why, "sysctl -w net.core.netdev_max_backlog=16384", "%llu dropped since the start",
			   dropped);
	else
		doctor_add(d, VERDICT_OK, "softnet", why, NULL, "none dropped since the start");
}

void doctor_check_ports(struct doctor *d)
{
	char address[16], interface[IFNAMSIZ];
	bool pci = false;

	for (uint32_t i = 0; d->config && i < d->config->ports_count; i++) {
		const struct config_port *port = &d->config->ports[i];

		if (is_pci(port->device, address)) {
			pci = true;
			check_driver(d, port, address);
			check_node(d, port, address);
		} else if (!strncmp(port->device, "net_af_packet", 13) || !strncmp(port->device, "eth_af_packet", 13)) {
			doctor_add(d, VERDICT_FAIL, "driver", "net_af_packet loses frames that no counter shows, and cuts long ones",
				   "device: net_af_xdp0,iface=NAME (or net_pcap0,rx_iface=NAME)", "port %s: %s", port->name, port->device);
		}
		if (kernel_interface(port->device, interface))
			check_interface(d, port->name, interface);
	}
	if (pci || !d->config)
		check_iommu(d);
	check_softnet(d);
}
