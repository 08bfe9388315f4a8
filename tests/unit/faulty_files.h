// The store's files on a disk that refuses, hangs or has bad sectors: one fault at a time, as a test arms it.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/store/files.h"

#define FDS_MAX 1024

static struct file_operations real;

/* One fault at a time: the `at`-th call of a kind (counted from `arm`) and the `times` - 1 after it fail with `error`. */
enum kind { OPEN, PWRITE, FDATASYNC, FALLOCATE, RENAME, SYNC_DIRECTORY, KINDS };
static struct {
	_Atomic int kind, error;
	_Atomic long at, times;
	_Atomic long calls[KINDS];
	_Atomic long failed;
	_Atomic bool dead[FDS_MAX]; /* a write or sync of this file has failed since it was opened */
	_Atomic long misused;       /* operations on a dead file */
	_Atomic bool hang;
} fault;

static inline int strikes(enum kind kind)
{
	long call = atomic_fetch_add(&fault.calls[kind], 1) + 1;

	if (atomic_load(&fault.kind) != (int)kind || call < atomic_load(&fault.at) ||
	    call >= atomic_load(&fault.at) + atomic_load(&fault.times))
		return 0;
	atomic_fetch_add(&fault.failed, 1);
	return -atomic_load(&fault.error);
}

static inline int faulty_open(const char *path, int flags, unsigned mode)
{
	int error = (flags & O_CREAT) && strstr(path, ".segment") ? strikes(OPEN) : 0, fd;

	fd = error ? error : real.open(path, flags, mode);
	if (fd >= 0 && fd < FDS_MAX)
		atomic_store(&fault.dead[fd], false);
	return fd;
}

static inline bool is_segment(int fd)
{
	char link[64], path[512];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return false;
	path[n] = 0;
	return strstr(path, ".segment") != NULL;
}

static inline void check_alive(int fd)
{
	if (fd < FDS_MAX && atomic_load(&fault.dead[fd]))
		atomic_fetch_add(&fault.misused, 1);
}

static inline ssize_t faulty_pwrite(int fd, const void *bytes, size_t length, uint64_t at)
{
	int error = is_segment(fd) ? strikes(PWRITE) : 0;

	check_alive(fd);
	if (error && fd < FDS_MAX)
		atomic_store(&fault.dead[fd], true);
	/* A failing write may well have written something. */
	if (error && length > 4096)
		real.pwrite(fd, bytes, length / 2 & ~4095ul, at);
	return error ? error : real.pwrite(fd, bytes, length, at);
}

/* A bad sector: reads that touch it fail. */
static _Atomic uint64_t bad_at;
static uint64_t bad_inode; /* of the one file that has it; 0: all have */

static inline bool is_bad(int fd)
{
	struct stat file;

	return is_segment(fd) && (!bad_inode || (fstat(fd, &file) == 0 && file.st_ino == bad_inode));
}

static inline ssize_t faulty_pread(int fd, void *bytes, size_t length, uint64_t at)
{
	uint64_t bad = atomic_load(&bad_at);

	return bad && at <= bad && bad < at + length && is_bad(fd) ? -EIO : real.pread(fd, bytes, length, at);
}

static inline int faulty_fdatasync(int fd)
{
	int error = is_segment(fd) ? strikes(FDATASYNC) : 0;

	check_alive(fd);
	while (atomic_load(&fault.hang))
		usleep(1000);
	if (error && fd < FDS_MAX)
		atomic_store(&fault.dead[fd], true);
	return error ? error : real.fdatasync(fd);
}

static inline int faulty_fallocate(int fd, int mode, uint64_t at, uint64_t length)
{
	int error = strikes(FALLOCATE);

	return error ? error : real.fallocate(fd, mode, at, length);
}

static inline int faulty_rename(const char *from, const char *to)
{
	int error = strikes(RENAME);

	return error ? error : real.rename(from, to);
}

static inline int faulty_sync_directory(const char *path)
{
	int error = strikes(SYNC_DIRECTORY);

	return error ? error : real.sync_directory(path);
}

static inline int no_ring(unsigned entries, struct io_uring *ring)
{
	(void)entries, (void)ring;
	return -ENOSYS;
}

static inline void arm(enum kind kind, int error, long at, long times)
{
	atomic_store(&fault.at, atomic_load(&fault.calls[kind]) + at);
	atomic_store(&fault.times, times);
	atomic_store(&fault.error, error);
	atomic_store(&fault.failed, 0);
	atomic_store(&fault.kind, (int)kind);
}

static inline void disarm(void)
{
	atomic_store(&fault.kind, -1);
}

static inline int install(void **state)
{
	(void)state;
	real = files;
	memset(&fault, 0, sizeof fault);
	disarm();
	files.open = faulty_open;
	files.pread = faulty_pread;
	files.pwrite = faulty_pwrite;
	files.fdatasync = faulty_fdatasync;
	files.fallocate = faulty_fallocate;
	files.rename = faulty_rename;
	files.sync_directory = faulty_sync_directory;
	files.ring_init = no_ring;
	return 0;
}

static inline int uninstall(void **state)
{
	(void)state;
	files = real;
	return 0;
}
