#include "control/delivery/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/delivery/calls.h"
#include "config/prefix.h"

static int open_beneath(int directory, const char *name, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = delivery_calls.openat2(directory, name, &how);

	return fd < 0 ? -errno : fd;
}

static int sync_parent(const char *path)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd, error = 0;

	if (slash == NULL)
		strcpy(parent, ".");
	else
		snprintf(parent, sizeof parent, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (delivery_calls.fsync(fd) < 0)
		error = -errno;
	close(fd);
	return error;
}

int directory_make(const char *path)
{
	char part[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof part)
		return -ENAMETOOLONG;
	while (length > 1 && path[length - 1] == '/')
		length--;
	for (size_t i = 1; i <= length; i++) {
		int error;

		if (i < length && (path[i] != '/' || path[i - 1] == '/'))
			continue;
		snprintf(part, sizeof part, "%.*s", (int)i, path);
		if (delivery_calls.mkdirat(AT_FDCWD, part, 0777) < 0) {
			if (errno == EEXIST)
				continue;
			return -errno;
		}
		error = sync_parent(part);
		if (error)
			return error;
	}
	return 0;
}

static int open_root(const char *root, bool make)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make) {
		int error = directory_make(root);

		if (error)
			return error;
		fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

// One step down. When making, the parent is synced even where the child was there already: whoever made it may have
// died before syncing it.
static int step_down(int directory, const char *component, bool make)
{
	int fd;

	if (make && delivery_calls.mkdirat(directory, component, 0777) < 0 && errno != EEXIST)
		return -errno;
	if (make && delivery_calls.fsync(directory) < 0)
		return -errno;
	fd = open_beneath(directory, component, O_RDONLY | O_DIRECTORY, 0);
	return fd;
}

// Opens the directory that `name` lies in; `base` gets the name's last component.
static int open_parent(const char *root, const char *name, bool make, char base[256])
{
	char component[256];
	int fd;

	if (prefix_path_check(name) != 0 || name[0] == '\0' || name[strlen(name) - 1] == '/')
		return -EINVAL;
	fd = open_root(root, make);
	while (fd >= 0) {
		const char *slash = strchr(name, '/');
		int next;

		if (slash == NULL) {
			snprintf(base, 256, "%s", name);
			break;
		}
		snprintf(component, sizeof component, "%.*s", (int)(slash - name), name);
		next = step_down(fd, component, make);
		close(fd);
		fd = next;
		name = slash + 1;
	}
	return fd;
}

static int remove_file(int parent, const char *name)
{
	return delivery_calls.unlinkat(parent, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int directory_create(const char *root, const char *name, struct directory_file *f)
{
	int error;

	f->bytes = 0;
	f->fd = -1;
	f->parent = open_parent(root, name, true, f->base);
	if (f->parent < 0)
		return f->parent;
	snprintf(f->temporary, sizeof f->temporary, ".%s.tmp", f->base);
	error = strlen(f->temporary) > NAME_MAX ? -ENAMETOOLONG : remove_file(f->parent, f->temporary);
	if (error == 0) {
		f->fd = open_beneath(f->parent, f->temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
		error = f->fd < 0 ? f->fd : 0;
	}
	if (error)
		close(f->parent);
	return error;
}

int directory_write_all(void *handle, const void *bytes, size_t length)
{
	const int *fd = handle;
	const uint8_t *from = bytes;

	while (length > 0) {
		ssize_t n = delivery_calls.write(*fd, from, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		from += n;
		length -= (size_t)n;
	}
	return 0;
}

static int write_file(void *handle, const void *bytes, size_t length)
{
	struct directory_file *f = handle;

	f->bytes += length;
	return directory_write_all(&f->fd, bytes, length);
}

struct sink directory_sink(struct directory_file *f)
{
	return (struct sink){write_file, f};
}

int directory_commit(struct directory_file *f)
{
	int error = 0;

	if (delivery_calls.fsync(f->fd) < 0)
		error = -errno;
	/* NFS tells of a full disk or quota only here. */
	if (close(f->fd) < 0 && error == 0)
		error = -errno;
	if (error == 0 && delivery_calls.renameat(f->parent, f->temporary, f->parent, f->base) < 0)
		error = -errno;
	if (error)
		remove_file(f->parent, f->temporary);
	else if (delivery_calls.fsync(f->parent) < 0)
		error = -errno;
	close(f->parent);
	return error;
}

void directory_abandon(struct directory_file *f)
{
	close(f->fd);
	remove_file(f->parent, f->temporary);
	close(f->parent);
}

int directory_holds(const char *root, const char *name)
{
	char base[256];
	struct stat status;
	int result, parent = open_parent(root, name, false, base);

	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	if (fstatat(parent, base, &status, AT_SYMLINK_NOFOLLOW) < 0)
		result = errno == ENOENT ? 0 : -errno;
	else
		result = S_ISREG(status.st_mode) ? 1 : -EEXIST;
	close(parent);
	return result;
}

static int remove_names(const char *root, const char *name, bool temporary_only)
{
	char base[256], temporary[256 + 8];
	int error, parent = open_parent(root, name, false, base);

	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	snprintf(temporary, sizeof temporary, ".%s.tmp", base);
	error = remove_file(parent, temporary);
	if (error == 0 && !temporary_only)
		error = remove_file(parent, base);
	close(parent);
	return error;
}

int directory_remove(const char *root, const char *name)
{
	return remove_names(root, name, false);
}

int directory_remove_temporary(const char *root, const char *name)
{
	return remove_names(root, name, true);
}

struct visitor {
	int (*visit)(void *context, const char *path, uint64_t bytes);
	void *context;
	char path[PATH_MAX];
};

// Takes over `fd`, whose path has `length` bytes. A file that goes meanwhile is not there.
static int visit_files(struct visitor *v, int fd, size_t length)
{
	DIR *directory = fdopendir(fd);
	struct dirent *entry;
	int error = 0;

	if (directory == NULL) {
		error = -errno;
		close(fd);
		return error;
	}
	while (error == 0 && (errno = 0, entry = readdir(directory)) != NULL) {
		struct stat status;
		int next, more;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		more = snprintf(v->path + length, sizeof v->path - length, "%s%s", length > 0 ? "/" : "", entry->d_name);
		if ((size_t)more >= sizeof v->path - length)
			continue; /* longer than any name we make */
		if (S_ISREG(status.st_mode))
			error = v->visit(v->context, v->path, (uint64_t)status.st_size);
		if (!S_ISDIR(status.st_mode))
			continue;
		next = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		error = next >= 0 ? visit_files(v, next, length + (size_t)more) : errno == ENOENT ? 0 : -errno;
	}
	if (error == 0 && errno != 0 && entry == NULL)
		error = -errno;
	closedir(directory);
	return error;
}

int directory_visit(const char *root, const char *name, int (*visit)(void *context, const char *path, uint64_t bytes),
		    void *context)
{
	struct visitor v = {.visit = visit, .context = context};
	int fd, error, parent = open_root(root, false);

	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	error = fd < 0 ? -errno : 0;
	close(parent);
	if (error)
		return error == -ENOENT ? 0 : error;
	return visit_files(&v, fd, 0);
}

static int add_bytes(void *context, const char *path, uint64_t bytes)
{
	(void)path;
	*(uint64_t *)context += bytes;
	return 0;
}

int directory_usage(const char *root, const char *name, uint64_t *bytes)
{
	*bytes = 0;
	return directory_visit(root, name, add_bytes, bytes);
}

int directory_open(const char *root, const char *name)
{
	int fd, parent = open_root(root, false);

	if (parent < 0)
		return parent;
	fd = open_beneath(parent, name, O_RDONLY, 0);
	close(parent);
	return fd;
}
