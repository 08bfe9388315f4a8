// Files that appear whole or not at all, at names beneath a directory.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/delivery/sink.h"

/*
 * NAME is written as .NAME.tmp beside itself, synced, renamed and its directory synced, with every directory on the
 * way. Names are resolved beneath the root by the kernel (openat2 RESOLVE_BENEATH, no symbolic links), so a name can
 * never leave it. A temporary file that a crash left is replaced by the next try at the same name.
 */
struct directory_file {
	int parent, fd;
	char base[256], temporary[256 + 8];
	uint64_t bytes; /* written so far */
};

// Creates the temporary file of `name` beneath `root`; both, and the directories between, are made when absent.
// 0 or -errno.
int directory_create(const char *root, const char *name, struct directory_file *f);

// A sink writing to it.
struct sink directory_sink(struct directory_file *f);

// Makes the file appear. 0 or -errno; closed in either case, and the temporary file removed on failure.
int directory_commit(struct directory_file *f);

// Closes it and removes the temporary file.
void directory_abandon(struct directory_file *f);

// 1 when a regular file `name` is beneath `root`, 0 when it is not; -errno.
int directory_holds(const char *root, const char *name);

// Removes `name` and its temporary file when they are there. 0 or -errno.
int directory_remove(const char *root, const char *name);

// Removes only its temporary file.
int directory_remove_temporary(const char *root, const char *name);

// Opens the file `name` for reading. A descriptor or -errno.
int directory_open(const char *root, const char *name);

// Tells `visit` of every file beneath `root`/`name`: its path from there and its size, in no order. A visit that returns
// not 0 ends it. 0 (also where there is no such directory), what the visit returned, or -errno.
int directory_visit(const char *root, const char *name, int (*visit)(void *context, const char *path, uint64_t bytes),
		    void *context);

// Bytes of all files beneath `root`/`name`, 0 where there is no such directory. 0 or -errno.
int directory_usage(const char *root, const char *name, uint64_t *bytes);

// write() until all is written. 0 or -errno. Signature of a sink; `handle` points to the file descriptor.
int directory_write_all(void *handle, const void *bytes, size_t length);

// Makes a directory and those above it; synced into their parents. 0 or -errno.
int directory_make(const char *path);
