#include "dataplane/rule/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MAX 64u /* then the one that nobody used for the longest time goes */

static int entry_path(const char *directory, const struct image_key *key, const char *end, char *path)
{
	int n = snprintf(path, PATH_MAX, "%s/%016" PRIx64 "%016" PRIx64 "%s", directory, key->high, key->low, end);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

// A database is taken apart by Hyperscan without a second look: it must be ours or root's alone.
static bool only_ours(int file)
{
	struct stat status;

	return fstat(file, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
	       (status.st_uid == geteuid() || status.st_uid == 0);
}

int cache_open(const char *directory, const struct image_key *key, hs_database_t **databases, uint32_t count)
{
	char path[PATH_MAX];
	uint8_t *bytes = NULL;
	size_t length = 0;
	int error = entry_path(directory, key, ".rules", path), file;

	if (error)
		return error;
	file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (file < 0)
		return -errno;
	if (!only_ours(file)) {
		close(file);
		return -ENOENT;
	}
	error = image_read(file, &bytes, &length);
	if (error == 0)
		error = image_open(bytes, length, key, databases, count);
	if (error == 0)
		futimens(file, NULL); /* used now; no matter if it cannot be noted */
	close(file);
	free(bytes);
	if (error == -EBADMSG || error == -EFBIG) {
		unlink(path);
		return -ENOENT;
	}
	return error;
}

// Removes the entry that was used last the longest time ago when there are too many.
static void make_room(const char *directory)
{
	char oldest[NAME_MAX + 1] = "";
	struct timespec used = {0};
	uint32_t entries = 0;
	struct dirent *entry;
	DIR *dir = opendir(directory);

	while (dir && (entry = readdir(dir))) {
		const char *end = strrchr(entry->d_name, '.');
		struct stat status;

		if (!end || strcmp(end, ".rules") != 0 ||
		    fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (entries++ == 0 || status.st_mtim.tv_sec < used.tv_sec ||
		    (status.st_mtim.tv_sec == used.tv_sec && status.st_mtim.tv_nsec < used.tv_nsec)) {
			used = status.st_mtim;
			snprintf(oldest, sizeof oldest, "%s", entry->d_name);
		}
	}
	if (entries >= ENTRIES_MAX)
		unlinkat(dirfd(dir), oldest, 0);
	if (dir)
		closedir(dir);
}

int cache_put(const char *directory, const struct image_key *key, const uint8_t *image, size_t length)
{
	char path[PATH_MAX], draft[PATH_MAX];
	int error = entry_path(directory, key, ".rules", path), file;
	size_t at = 0;

	if (error == 0)
		error = entry_path(directory, key, ".XXXXXX", draft);
	if (error)
		return error;
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return -errno;
	make_room(directory);
	file = mkostemp(draft, O_CLOEXEC);
	if (file < 0)
		return -errno;
	while (at < length && error == 0) {
		ssize_t n = write(file, image + at, length - at);

		if (n < 0 && errno != EINTR)
			error = -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	if (error == 0 && fdatasync(file) != 0)
		error = -errno;
	if (close(file) != 0 && error == 0)
		error = -errno;
	if (error == 0 && rename(draft, path) != 0)
		error = -errno;
	if (error)
		unlink(draft);
	return error;
}
