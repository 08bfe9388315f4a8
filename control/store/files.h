// Every operation the store makes on files and the clock: one replaceable table, through which tests inject faults.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct io_uring;

/*
 * Results are those of the system calls, errors -errno. Batches go through `pwrite` and `fdatasync` only where there is
 * no io_uring: a test that replaces those makes `ring_init` fail, too.
 */
struct file_operations {
	int (*open)(const char *path, int flags, unsigned mode);
	ssize_t (*pread)(int fd, void *bytes, size_t length, uint64_t at);
	ssize_t (*pwrite)(int fd, const void *bytes, size_t length, uint64_t at);
	int (*fdatasync)(int fd);
	int (*fallocate)(int fd, int mode, uint64_t at, uint64_t length);
	int (*ftruncate)(int fd, uint64_t length);
	int (*rename)(const char *from, const char *to);
	int (*unlink)(const char *path);
	int (*sync_directory)(const char *path);
	int (*ring_init)(unsigned entries, struct io_uring *ring);
	uint64_t (*now_ns)(void); /* CLOCK_REALTIME */
};

extern struct file_operations files;

// Writes all of it with files.pwrite. 0 or -errno.
int files_write(int fd, const void *bytes, size_t length, uint64_t at);

// Reads until `length` or the end of the file. Bytes read or -errno.
ssize_t files_read(int fd, void *bytes, size_t length, uint64_t at);

// CLOCK_MONOTONIC in nanoseconds: for intervals; never replaced.
uint64_t files_monotonic_ns(void);

// Makes a directory and those above it, each durable in its parent, also one that is there already. 0 or -errno.
int files_make_directory(const char *path);

// "a/b" into `path` of PATH_MAX bytes. -ENAMETOOLONG.
int files_join(char *path, const char *directory, const char *name);
