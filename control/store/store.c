// The store: opening and closing it, its shards, and what it says of itself.
#include "control/store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/shard.h"

#define BATCH_BYTES_MIN (128u << 10) /* the longest record and its batch must fit */
#define BATCH_BYTES_MAX (64u << 20)
#define WRITE_WAIT_US 500u

void store_hold(struct store *store)
{
	atomic_fetch_add(&store->callers, 1);
	pthread_mutex_lock(&store->drain_lock);
	atomic_fetch_sub(&store->callers, 1);
}

void store_let_go(struct store *store)
{
	pthread_mutex_unlock(&store->drain_lock);
}

static int lock_directory(struct store *store)
{
	char path[PATH_MAX];
	int error = files_join(path, store->directory, "lock");

	if (error)
		return error;
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (store->lock_fd < 0)
		return -errno;
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(store->lock_fd);
	return error;
}

/* Deletes a shard's directory that was on its way out when the last penstockd died. */
static void sweep_removed(const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *entry;
	char path[PATH_MAX];

	while (d && (entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.' && files_join(path, directory, entry->d_name) == 0)
			files.unlink(path);
	if (d)
		closedir(d);
	rmdir(directory);
}

static void sweep_stream(const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *entry;
	char path[PATH_MAX];

	while (d && (entry = readdir(d)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot && strcmp(dot, ".removed") == 0 && files_join(path, directory, entry->d_name) == 0)
			sweep_removed(path);
	}
	if (d)
		closedir(d);
}

static int prepare_directory(struct store *store)
{
	char streams[PATH_MAX], path[PATH_MAX];
	struct dirent *entry;
	int error = files_join(streams, store->directory, "streams");
	DIR *d;

	if (!error)
		error = files_make_directory(streams);
	if (error)
		return error;
	d = opendir(streams);
	if (!d)
		return -errno;
	while ((entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.' && files_join(path, streams, entry->d_name) == 0)
			sweep_stream(path);
	closedir(d);
	return 0;
}

int store_visit_folders(struct store *store, void (*visit)(void *with, const char *path, const char *name), void *with)
{
	char streams[PATH_MAX], path[PATH_MAX];
	struct dirent *entry;
	struct stat file;
	int error = files_join(streams, store->directory, "streams");
	DIR *d = error ? NULL : opendir(streams);

	if (!d)
		return error ? error : -errno;
	while ((entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.' && files_join(path, streams, entry->d_name) == 0 && stat(path, &file) == 0 &&
		    S_ISDIR(file.st_mode))
			visit(with, path, entry->d_name);
	closedir(d);
	return 0;
}

static int check_options(const struct store_options *o)
{
	if (o->batch_bytes >= BATCH_BYTES_MIN && o->batch_bytes <= BATCH_BYTES_MAX &&
	    o->segment_bytes >= 2 * o->batch_bytes)
		return 0;
	log_error("store: batches of %llu bytes in segments of %llu: a batch is %u to %u bytes, a segment holds at "
		  "least two",
		  (unsigned long long)o->batch_bytes, (unsigned long long)o->segment_bytes, BATCH_BYTES_MIN,
		  BATCH_BYTES_MAX);
	return -EINVAL;
}

static int start(struct store *store)
{
	int error = prepare_directory(store);

	if (error)
		return error;
	error = reserve_make(store);
	if (error == -ENOSPC || error == -EDQUOT) {
		reserve_await(store);
		log_error("store: %s is full: there is no room for the reserve of %llu bytes for metadata; batches wait until "
			  "there is: free space, or lower a retention", store->directory,
			  (unsigned long long)store->options.reserve_bytes);
	} else if (error) {
		log_warning("store: cannot hold %llu bytes back for metadata in %s: %s",
			    (unsigned long long)store->options.reserve_bytes, store->directory, strerror(-error));
	}
	error = writer_open(&store->writer);
	if (error)
		return error;
	error = -pthread_create(&store->thread, NULL, drain_run, store);
	if (error)
		writer_close(store->writer);
	return error;
}

int store_open(const struct store_options *options, struct store **out)
{
	struct store *store;
	int error = check_options(options);

	if (error)
		return error;
	store = calloc(1, sizeof *store);
	if (!store)
		return -ENOMEM;
	store->options = *options;
	atomic_store(&store->direct, options->direct_io);
	pthread_mutex_init(&store->drain_lock, NULL);
	pthread_mutex_init(&store->list_lock, NULL);
	if (snprintf(store->directory, sizeof store->directory, "%s", options->directory) >=
	    (int)sizeof store->directory)
		error = -ENAMETOOLONG;
	if (!error)
		error = files_make_directory(store->directory);
	if (!error)
		error = lock_directory(store);
	if (!error) {
		error = start(store);
		if (error)
			close(store->lock_fd);
	}
	if (error) {
		free(store);
		return error;
	}
	*out = store;
	return 0;
}

static int make_shard_directory(struct shard *shard)
{
	struct stat file;
	int n = snprintf(shard->directory, sizeof shard->directory, "%s/streams/%s.%llu/%u", shard->store->directory,
			 shard->identity.stream, (unsigned long long)shard->identity.stream_id, shard->identity.number);

	if (n < 0 || n >= (int)sizeof shard->directory - 16)
		return -ENAMETOOLONG;
	shard->new_directory = stat(shard->directory, &file) != 0;
	return files_make_directory(shard->directory);
}

int store_add_shard(struct store *store, const struct shard_identity *identity, struct shard **out)
{
	struct shard *shard = shard_new(store, identity);
	int error;

	if (!shard)
		return -ENOMEM;
	error = make_shard_directory(shard);
	if (!error)
		error = shard_recover(shard);
	if (!error) {
		store_hold(store);
		for (struct shard *other = store->shards; other && !error; other = other->next)
			if (other->identity.slot == identity->slot)
				error = -EEXIST;
		if (!error && store->region)
			error = attach_shard(shard, shard->new_directory);
		if (!error) {
			pthread_mutex_lock(&store->list_lock);
			shard->next = store->shards;
			store->shards = shard;
			store->shards_count++;
			pthread_mutex_unlock(&store->list_lock);
		}
		store_let_go(store);
	}
	if (error) {
		if (shard->new_directory)
			rmdir(shard->directory);
		shard_free(shard);
		return error;
	}
	*out = shard;
	return 0;
}

static void take_out(struct store *store, const struct shard *shard)
{
	struct shard **link = &store->shards;

	pthread_mutex_lock(&store->list_lock);
	while (*link && *link != shard)
		link = &(*link)->next;
	if (*link) {
		*link = shard->next;
		store->shards_count--;
		for (uint32_t i = 0; i < BUFFERS; i++)
			store->buffers_mapped -= shard->buffers[i].bytes != NULL;
	}
	pthread_mutex_unlock(&store->list_lock);
}

int store_remove_shard(struct store *store, struct shard *shard)
{
	char removed[PATH_MAX];
	bool unused;
	int error;

	store_hold(store);
	while (commit_writing(shard)) {
		store_let_go(store);
		usleep(WRITE_WAIT_US);
		store_hold(store);
	}
	take_out(store, shard);
	active_abandon(shard, &shard->leaving);
	active_abandon(shard, &shard->active);
	store_let_go(store);
	error = snprintf(removed, sizeof removed, "%s.removed", shard->directory) < (int)sizeof removed
			? files.rename(shard->directory, removed)
			: -ENAMETOOLONG;
	if (error)
		log_error("store: cannot move %s out of the way: %s", shard->directory, strerror(-error));
	pthread_mutex_lock(&shard->lock);
	shard->removed = true;
	shard->orphan = true;
	pthread_cond_broadcast(&shard->durable);
	unused = shard->readers == 0;
	pthread_mutex_unlock(&shard->lock);
	if (unused)
		shard_destroy(shard);
	return error;
}

void store_close(struct store *store)
{
	struct shard *shard = store->shards, *next;

	if (store->region)
		store_detach(store, false, 0);
	atomic_store(&store->stop, true);
	pthread_join(store->thread, NULL);
	for (; shard; shard = next) {
		next = shard->next;
		active_seal(shard, &shard->leaving);
		active_seal(shard, &shard->active);
		shard_free(shard);
	}
	writer_close(store->writer);
	close(store->lock_fd);
	pthread_mutex_destroy(&store->drain_lock);
	pthread_mutex_destroy(&store->list_lock);
	free(store);
}

void store_get_status(struct store *store, struct store_status *out)
{
	uint64_t now = files_monotonic_ns(), oldest = now;

	*out = (struct store_status){
		.drained_bytes = atomic_load_explicit(&store->drained_bytes, memory_order_relaxed),
		.written_bytes = atomic_load_explicit(&store->written_bytes, memory_order_relaxed),
		.commits = atomic_load_explicit(&store->commits, memory_order_relaxed),
		.write_errors = atomic_load_explicit(&store->write_errors, memory_order_relaxed),
		.head_invalid = atomic_load_explicit(&store->head_invalid, memory_order_relaxed),
		.direct_io = atomic_load_explicit(&store->direct, memory_order_relaxed),
	};
	/* Neither lock below is ever held while waiting for the disk: this answers while the disk does not. */
	pthread_mutex_lock(&store->list_lock);
	for (struct shard *shard = store->shards; shard; shard = shard->next) {
		uint64_t since = atomic_load_explicit(&shard->flight_ns, memory_order_relaxed);

		if (since && since < oldest)
			oldest = since;
	}
	pthread_mutex_unlock(&store->list_lock);
	out->inflight_ms = (now - oldest) / 1000000u;
	out->stalled = now - oldest > STALLED_NS;
}
