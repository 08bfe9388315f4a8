#include "dataplane/oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The counters of this thread's network namespace; /sys/class/net would show the one where /sys was mounted. */
#define COUNTERS "/proc/thread-self/net/dev"

static bool interface_of(const char *device, char *interface, size_t room)
{
	const char *start = strstr(device, ",iface=");
	size_t length;

	if (!start || (strncmp(device, "net_af_xdp", 10) != 0 && strncmp(device, "net_pcap", 8) != 0))
		return false;
	start += strlen(",iface=");
	length = strcspn(start, ",");
	if (length == 0 || length >= room)
		return false;
	memcpy(interface, start, length);
	interface[length] = 0;
	return true;
}

bool oracle_open(struct oracle *oracle, const char *device)
{
	uint64_t frames;

	*oracle = (struct oracle){.fd = -1};
	if (!interface_of(device, oracle->interface, sizeof oracle->interface))
		return false;
	oracle->ifindex = if_nametoindex(oracle->interface);
	if (oracle->ifindex == 0)
		return false;
	oracle->fd = open(COUNTERS, O_RDONLY | O_CLOEXEC);
	if (oracle->fd >= 0 && oracle_read(oracle, &frames) != 0)
		oracle_close(oracle);
	return oracle->fd >= 0;
}

/* "  eth0: bytes packets ..." after two lines of headings. */
static const char *find_line(const char *text, const char *interface)
{
	size_t length = strlen(interface);

	while (*text) {
		const char *end = strchr(text, '\n');

		text += strspn(text, " ");
		if (strncmp(text, interface, length) == 0 && text[length] == ':')
			return text + length + 1;
		if (!end)
			break;
		text = end + 1;
	}
	return NULL;
}

int oracle_read(const struct oracle *oracle, uint64_t *frames)
{
	char text[16384], *rest;
	const char *line;
	ssize_t n = pread(oracle->fd, text, sizeof text - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = 0;
	line = find_line(text, oracle->interface);
	if (!line)
		return -ENODEV;
	strtoull(line, &rest, 10); /* bytes */
	*frames = strtoull(rest, NULL, 10);
	return 0;
}

void oracle_close(struct oracle *oracle)
{
	if (oracle->fd >= 0)
		close(oracle->fd);
	oracle->fd = -1;
}
