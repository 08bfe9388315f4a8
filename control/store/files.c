#include "control/store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int real_open(const char *path, int flags, unsigned mode)
{
	int fd = open(path, flags | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fd;
}

static ssize_t real_pread(int fd, void *bytes, size_t length, uint64_t at)
{
	ssize_t n = pread(fd, bytes, length, (off_t)at);

	return n < 0 ? -errno : n;
}

static ssize_t real_pwrite(int fd, const void *bytes, size_t length, uint64_t at)
{
	ssize_t n = pwrite(fd, bytes, length, (off_t)at);

	return n < 0 ? -errno : n;
}

static int real_fdatasync(int fd)
{
	return fdatasync(fd) == 0 ? 0 : -errno;
}

static int real_fallocate(int fd, int mode, uint64_t at, uint64_t length)
{
	return fallocate(fd, mode, (off_t)at, (off_t)length) == 0 ? 0 : -errno;
}

static int real_ftruncate(int fd, uint64_t length)
{
	return ftruncate(fd, (off_t)length) == 0 ? 0 : -errno;
}

static int real_rename(const char *from, const char *to)
{
	return rename(from, to) == 0 ? 0 : -errno;
}

static int real_unlink(const char *path)
{
	return unlink(path) == 0 ? 0 : -errno;
}

static int real_sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return error;
}

static int real_ring_init(unsigned entries, struct io_uring *ring)
{
	return io_uring_queue_init(entries, ring, 0);
}

static uint64_t real_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct file_operations files = {
	.open = real_open,
	.pread = real_pread,
	.pwrite = real_pwrite,
	.fdatasync = real_fdatasync,
	.fallocate = real_fallocate,
	.ftruncate = real_ftruncate,
	.rename = real_rename,
	.unlink = real_unlink,
	.sync_directory = real_sync_directory,
	.ring_init = real_ring_init,
	.now_ns = real_now_ns,
};

int files_write(int fd, const void *bytes, size_t length, uint64_t at)
{
	while (length > 0) {
		ssize_t n = files.pwrite(fd, bytes, length, at);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		bytes = (const uint8_t *)bytes + n;
		length -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

ssize_t files_read(int fd, void *bytes, size_t length, uint64_t at)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = files.pread(fd, (uint8_t *)bytes + done, length - done, at + done);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		done += (size_t)n;
		/* With O_DIRECT only the end of the file ends off a block's boundary, and the next read would be
		 * refused. */
		if (n == 0 || n % 4096 != 0)
			break;
	}
	return (ssize_t)done;
}

uint64_t files_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int sync_parent(char *path)
{
	char *slash = strrchr(path, '/');
	int error;

	if (!slash || slash == path)
		return files.sync_directory(slash ? "/" : ".");
	*slash = 0;
	error = files.sync_directory(path);
	*slash = '/';
	return error;
}

/* A directory that cannot be opened or written is none that anybody of us made an entry in. */
static bool is_foreign(int error)
{
	return error == -EACCES || error == -EPERM || error == -EROFS || error == -EINVAL;
}

/* Makes path[0..end) when it is not there. One that is may have been made by somebody who died before the sync. */
static int make_one(char *path, char *end)
{
	char saved = *end;
	int error;

	*end = 0;
	if (mkdir(path, 0750) == 0) {
		error = sync_parent(path);
	} else if (errno != EEXIST) {
		error = -errno;
	} else {
		error = sync_parent(path);
		error = is_foreign(error) ? 0 : error;
	}
	*end = saved;
	return error;
}

int files_make_directory(const char *path)
{
	char copy[PATH_MAX];
	int error = 0;

	if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
		return -ENAMETOOLONG;
	for (char *at = copy + 1; *at && !error; at++)
		if (*at == '/')
			error = make_one(copy, at);
	return error ? error : make_one(copy, copy + strlen(copy));
}

int files_join(char *path, const char *directory, const char *name)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", directory, name);

	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}
