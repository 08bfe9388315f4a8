// The reserve: space held back so that metadata can still be written when the records have filled the disk.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/shard.h"

#define TRY_NS 200000000ull

static int reserve_path(const struct store *store, char *path)
{
	return files_join(path, store->directory, "reserve");
}

int reserve_make(struct store *store)
{
	char path[PATH_MAX];
	int error = reserve_path(store, path), fd;

	if (error || store->options.reserve_bytes == 0)
		return error;
	fd = files.open(path, O_RDWR | O_CREAT, 0640);
	if (fd < 0)
		return fd;
	error = files.fallocate(fd, 0, 0, store->options.reserve_bytes);
	if (error == -EOPNOTSUPP)
		error = 0; /* a file system that cannot hold space back: then there is no reserve */
	close(fd);
	if (error)
		files.unlink(path); /* all or nothing: a part would only be in the way */
	store->reserve_held = !error;
	return error;
}

void reserve_await(struct store *store)
{
	store->starved = true;
	store->reserve_ns = files_monotonic_ns();
}

void reserve_release(struct store *store)
{
	char path[PATH_MAX];

	if (!store->reserve_held || reserve_path(store, path) != 0 || files.unlink(path) != 0)
		return;
	store->reserve_held = false;
	/* It is made again for each try of a batch, in the very space it gave up: that is nothing new. */
	if (!store->starved)
		log_error("store: %s is full: gave up the reserve of %llu bytes for metadata; batches wait until there is "
			  "room for it again: free space, or lower a retention", store->directory,
			  (unsigned long long)store->options.reserve_bytes);
	reserve_await(store);
}

bool reserve_allows(struct store *store, uint64_t now)
{
	if (!store->starved || store->reserve_held)
		return true;
	if (now - store->reserve_ns < TRY_NS)
		return false;
	store->reserve_ns = now;
	return reserve_make(store) == 0;
}

/* A shard may go on in space its file was given long ago while another finds none. */
static bool is_full(const struct store *store)
{
	for (const struct shard *shard = store->shards; shard; shard = shard->next)
		if (shard->refused == -ENOSPC || shard->refused == -EDQUOT)
			return true;
	return false;
}

void reserve_stored(struct store *store)
{
	if (!store->starved || !store->reserve_held || is_full(store))
		return;
	store->starved = false;
	log_info("store: %s has room again", store->directory);
}
