#include "control/cli/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

// Covers files of /etc with those kept for the namespace, as ip-netns(8) says.
static void bind_etc(const char *name)
{
	char folder[PATH_MAX], from[PATH_MAX + NAME_MAX + 2], to[NAME_MAX + 8];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/etc/netns/%s", name);
	dir = opendir(folder);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(from, sizeof(from), "%s/%s", folder, entry->d_name);
		snprintf(to, sizeof(to), "/etc/%s", entry->d_name);
		if (mount(from, to, "none", MS_BIND, NULL))
			fprintf(stderr, "penstock run: binding %s to %s: %s\n", from, to, strerror(errno));
	}
	closedir(dir);
}

int netns_enter(const char *name, const char **what)
{
	char path[PATH_MAX];
	unsigned long flags = 0;
	struct statvfs sys;
	int fd;

	snprintf(path, sizeof(path), "/var/run/netns/%s", name);
	*what = "opening /var/run/netns/NAME";
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*what = "entering the network namespace";
	if (setns(fd, CLONE_NEWNET)) {
		int error = -errno;

		close(fd);
		return error;
	}
	close(fd);
	*what = "making a mount namespace";
	if (unshare(CLONE_NEWNS))
		return -errno;
	/* Nothing mounted here may show outside; what is mounted outside (hugepages, a store) still shows here. */
	*what = "making mounts private";
	if (mount("", "/", "none", MS_SLAVE | MS_REC, NULL))
		return -errno;
	/* sysfs shows the interfaces of the namespace it was mounted in; the old one lies under it, or is not there. */
	if (umount2("/sys", MNT_DETACH) < 0) {
		if (!statvfs("/sys", &sys) && (sys.f_flag & ST_RDONLY))
			flags = MS_RDONLY;
	}
	*what = "mounting /sys";
	if (mount(name, "/sys", "sysfs", flags, NULL))
		return -errno;
	/* libxdp pins its dispatcher there when it can; without it XDP sockets still work, so a failure is not ours. */
	(void)mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
	bind_etc(name);
	return 0;
}
