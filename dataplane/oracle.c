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
	static const char *const arguments[] = {",iface=", ",rx_iface=", ",rx_iface_in="};
	const char *start = NULL;
	size_t length;

	if (strncmp(device, "net_af_xdp", 10) != 0 && strncmp(device, "net_pcap", 8) != 0)
		return false;
	for (unsigned i = 0; i < sizeof arguments / sizeof arguments[0] && !start; i++)
		if ((start = strstr(device, arguments[i])) != NULL)
			start += strlen(arguments[i]);
	if (!start)
		return false;
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
static bool parse_line(const char *line, const char *interface, uint64_t *frames)
{
	size_t length = strlen(interface);
	char *rest;

	line += strspn(line, " ");
	if (strncmp(line, interface, length) != 0 || line[length] != ':')
		return false;
	strtoull(line + length + 1, &rest, 10); /* bytes */
	*frames = strtoull(rest, NULL, 10);
	return true;
}

int oracle_read(const struct oracle *oracle, uint64_t *frames)
{
	char text[8192];
	size_t kept = 0;
	off_t at = 0;
	ssize_t n;

	/* The kernel hands out about a page at a time, whole lines only at the end of the file. */
	while ((n = pread(oracle->fd, text + kept, sizeof text - 1 - kept, at)) > 0) {
		char *line = text, *end;

		at += n;
		text[kept + (size_t)n] = 0;
		for (; (end = strchr(line, '\n')) != NULL; line = end + 1)
			if (parse_line(line, oracle->interface, frames))
				return 0;
		kept = strlen(line);
		memmove(text, line, kept);
	}
	return n < 0 ? -errno : -ENODEV;
}

void oracle_close(struct oracle *oracle)
{
	if (oracle->fd >= 0)
		close(oracle->fd);
	oracle->fd = -1;
}
