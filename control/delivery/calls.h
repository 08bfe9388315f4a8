// The system calls deliveries stand on, in one replaceable table: where tests let disks, clocks and power fail.
#pragma once

#include <linux/openat2.h>
#include <stdint.h>
#include <sys/types.h>

struct delivery_calls { /* as the calls of the same name: -1 and errno */
	int (*openat2)(int directory, const char *path, struct open_how *how);
	int (*mkdirat)(int directory, const char *path, mode_t mode);
	ssize_t (*write)(int fd, const void *bytes, size_t length);
	int (*fsync)(int fd);
	int (*renameat)(int from_directory, const char *from, int to_directory, const char *to);
	int (*unlinkat)(int directory, const char *path, int flags);
	uint64_t (*realtime_ns)(void);
	uint64_t (*monotonic_ns)(void);
};

// The kernel's own unless replaced; replaced only before any delivery runs.
extern struct delivery_calls delivery_calls;
