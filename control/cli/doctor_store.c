// doctor: the file system below the store, and whether it can keep what retention promises.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/doctor.h"
#include "control/cli/units.h"

#define STORE_DEFAULT "/var/lib/penstock"

static const char *system_name(uint64_t type)
{
	static const struct {
		uint64_t type;
		const char *name;
	} names[] = {{EXT4_SUPER_MAGIC, "ext2/3/4"}, {XFS_SUPER_MAGIC, "xfs"}, {BTRFS_SUPER_MAGIC, "btrfs"}, {TMPFS_MAGIC, "tmpfs"},
		     {RAMFS_MAGIC, "ramfs"}, {NFS_SUPER_MAGIC, "nfs"}, {SMB2_SUPER_MAGIC, "smb"}, {CIFS_SUPER_MAGIC, "cifs"},
		     {OVERLAYFS_SUPER_MAGIC, "overlayfs"}, {FUSE_SUPER_MAGIC, "fuse"}, {F2FS_SUPER_MAGIC, "f2fs"},
		     {0x2fc12fc1, "zfs"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (names[i].type == type)
			return names[i].name;
	}
	return "an unknown file system";
}

static void check_system(struct doctor *d, const char *path)
{
	static const char why[] = "what is stored must be there after a power cut, and write-back must not stall the drain";
	struct statfs fs;
	const char *name;

	if (statfs(path, &fs)) {
		doctor_add(d, VERDICT_FAIL, "store", why, "mkdir -p it, or name another: store: {directory: ...}", "%s: %s", path,
			   strerror(errno));
		return;
	}
	name = system_name((uint64_t)fs.f_type);
	if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
		doctor_add(d, VERDICT_FAIL, "store", why, "store: {directory: ...} on xfs or ext4", "%s is on %s: gone after a reboot", path,
			   name);
	else if (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC)
		doctor_add(d, VERDICT_OK, "store", why, NULL, "%s is on %s", path, name);
	else
		doctor_add(d, VERDICT_WARN, "store", why, "store: {directory: ...} on xfs or ext4", "%s is on %s", path, name);
}

// What the kernel says about direct I/O (Linux 6.1), 0 when it refuses it, -1 when it does not say.
static int direct_alignment(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx status;

	if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) && (status.stx_mask & STATX_DIOALIGN))
		return (int)status.stx_dio_offset_align;
#else
	(void)fd;
#endif
	return -1;
}

static void check_direct(struct doctor *d, const char *path)
{
	static const char why[] = "buffered writes cost three times the processor and stall when the page cache writes back";
	int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), alignment, direct;

	if (fd < 0) {
		doctor_add(d, VERDICT_WARN, "direct_io", why, "run doctor as the user that runs penstockd", "cannot try in %s: %s", path,
			   strerror(errno));
		return;
	}
	alignment = direct_alignment(fd);
	close(fd);
	direct = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC | O_DIRECT, 0600);
	if (direct < 0 || alignment == 0)
		doctor_add(d, VERDICT_WARN, "direct_io", why, "store: {directory: ...} on xfs or ext4 on a local disk", "%s refuses O_DIRECT",
			   path);
	else if (alignment > 4096)
		doctor_add(d, VERDICT_WARN, "direct_io", why, "store: {directory: ...} on a device with blocks of 4096 bytes or less",
			   "%s wants writes aligned to %d", path, alignment);
	else if (alignment > 0)
		doctor_add(d, VERDICT_OK, "direct_io", why, NULL, "%s takes it, aligned to %d", path, alignment);
	else
		doctor_add(d, VERDICT_OK, "direct_io", why, NULL, "%s takes it", path);
	if (direct >= 0)
		close(direct);
}

static void check_uring(struct doctor *d)
{
	static const char why[] = "without io_uring each write is a system call of its own, and the drain waits for it";
	struct io_uring_params parameters = {0};
	int fd = (int)syscall(__NR_io_uring_setup, 1, &parameters);

	if (fd >= 0) {
		close(fd);
		doctor_add(d, VERDICT_OK, "io_uring", why, NULL, "allowed");
		return;
	}
	doctor_add(d, VERDICT_WARN, "io_uring", why,
		   errno == ENOSYS ? "a kernel with CONFIG_IO_URING" :
				     "sysctl -w kernel.io_uring_disabled=0; in a container, a seccomp profile that allows it",
		   "refused: %s", strerror(errno));
}

// Records stored between the two looks, of one stream (by name) or of all (NULL).
static uint64_t stored_between(const struct doctor *d, const char *name)
{
	const json_t *now, *then;
	uint64_t sum = 0;
	size_t i, j;

	json_array_foreach(json_object_get(d->status, "streams"), i, now) {
		json_array_foreach(json_object_get(d->earlier, "streams"), j, then) {
			const char *stream = client_text(now, "name");

			if (!strcmp(stream, client_text(then, "name")) && (!name || !strcmp(stream, name)))
				sum += client_number(now, "stored_records") - client_number(then, "stored_records");
		}
	}
	return sum;
}

// Bytes a stream will have kept once its retention is full, at the rate of the second between the two looks: its part of
// what was written is its part of the records.
static double promised(const struct doctor *d, const json_t *stream, uint64_t all)
{
	double written = (double)(client_number(json_object_get(d->status, "store"), "written_bytes") -
				  client_number(json_object_get(d->earlier, "store"), "written_bytes"));
	double part = all ? (double)stored_between(d, client_text(stream, "name")) / (double)all : 0;
	double bytes = written * part * (double)client_number(stream, "retention_seconds");
	double most = (double)client_number(stream, "retention_bytes");

	return most > 0 && bytes > most ? most : bytes;
}

static void check_room(struct doctor *d, const char *path)
{
	static const char why[] = "a full disk expires records before their promised time, and that is loss";
	const json_t *stream;
	double wanted = 0, have = 0;
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX];
	struct statfs fs;
	uint64_t all;
	size_t i;

	if (statfs(path, &fs))
		return;
	have = (double)fs.f_bavail * (double)fs.f_bsize;
	if (!d->status || !d->earlier) {
		doctor_add(d, VERDICT_OK, "disk_room", why, NULL, "%s free (penstockd does not run: at what rate is not known)",
			   units_bytes(a, have));
		return;
	}
	all = stored_between(d, NULL);
	json_array_foreach(json_object_get(d->status, "streams"), i, stream) {
		wanted += promised(d, stream, all);
		have += (double)client_number(stream, "retained_bytes");
	}
	if (wanted > have)
		doctor_add(d, VERDICT_FAIL, "disk_room", why,
			   "a larger disk, or a shorter streams[].retention (or a retention_bytes, to choose what goes) in the "
			   "configuration and penstock reload",
			   "retention at the present rate needs %s, there are %s", units_bytes(a, wanted), units_bytes(b, have));
	else
		doctor_add(d, VERDICT_OK, "disk_room", why, NULL, "retention at the present rate needs %s, there are %s",
			   units_bytes(a, wanted), units_bytes(b, have));
}

void doctor_check_store(struct doctor *d)
{
	char path[PATH_MAX];

	config_existing_parent(d->config ? d->config->store_directory : STORE_DEFAULT, path, sizeof(path));
	check_system(d, path);
	check_direct(d, path);
	check_uring(d);
	check_room(d, path);
}
