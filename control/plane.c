#include "control/plane.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/clock.h"
#include "control/log.h"
#include "control/plane_private.h"

#define LOOK_MS 50u           /* between two looks for a region */
#define LOOK_MAX_MS 1000u     /* when each fails */
#define DRAIN_OLD_MS 60000u   /* for what is left in a region that was given up */
#define LAST_COMMIT_MS 2000u  /* for what was copied of it, once all lanes are empty */

int plane_open(const struct plane_options *options, struct plane **out)
{
	struct plane *plane = calloc(1, sizeof *plane);

	if (!plane)
		return -ENOMEM;
	plane->options = *options;
	plane->region.fd = plane->control_fd = -1;
	plane->look_ms = LOOK_MS;
	pthread_rwlock_init(&plane->lock, NULL);
	*out = plane;
	return 0;
}

void plane_close(struct plane *plane)
{
	if (!plane)
		return;
	plane_detach(plane, 0);
	pthread_rwlock_destroy(&plane->lock);
	free(plane);
}

static const char *explain(int error)
{
	switch (error) {
	case -ENOENT:
		return "the dataplane has not made its region yet";
	case -EAGAIN:
		return "the dataplane is making its region";
	case -EPROTO:
		return "its region is of another version: start the penstock-dataplane that was installed with this penstockd; "
		       "streams can be read meanwhile";
	case -EBADMSG:
		return "its region's header and size contradict each other: restart penstock-dataplane; streams can be read "
		       "meanwhile";
	case -EBUSY:
		return "the control region is held by another penstockd: stop it";
	case -ENOSPC:
		return "its file system has no room for the control region: free some, or make it larger (mount -o remount,size=...; "
		       "on hugetlbfs more pages); nothing is taken from the lanes until then";
	default:
		return strerror(-error);
	}
}

/* Says why there is no region, once for each reason. `ours`: it is there, but penstockd's own disk refuses to take it up. */
static void say_problem(struct plane *plane, int error, bool ours)
{
	const char *directory = plane->options.region_directory;
	char text[sizeof plane->problem];

	plane->problem_error = ours ? 0 : error;
	if (ours)
		snprintf(text, sizeof text, "%s: cannot be taken up: %s: %s under store.directory", directory, strerror(-error),
			 error == -ENOSPC ? "free some space" : "mend what refuses");
	else
		snprintf(text, sizeof text, "%s: %s", directory, explain(error));
	if (strcmp(text, plane->problem) == 0)
		return;
	pthread_rwlock_wrlock(&plane->lock);
	memcpy(plane->problem, text, sizeof text);
	pthread_rwlock_unlock(&plane->lock);
	if (plane->problem_error == -ENOENT || plane->problem_error == -EAGAIN)
		log_info("region: %s", plane->problem);
	else
		log_error("region: %s", plane->problem);
}

int plane_note_bases(struct plane *plane)
{
	struct stream **streams;
	uint32_t count;
	int error = streams_hold_all(plane->options.streams, &streams, &count);

	if (error)
		return error;
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t s = 0; s < streams[i]->info.shards && !error; s++) {
			const struct metadata_shard *row = &streams[i]->rows[s];
			struct shard_status status;
			uint64_t from_lanes;

			if (row->slot >= SHARDS_MAX || (plane->slots[row->slot].known &&
							plane->slots[row->slot].stream_id == row->stream_id))
				continue;
			shard_get_status(streams[i]->shards[s], &status);
			from_lanes = status.stored_records - status.put_records;
			error = metadata_get_base(plane->options.metadata, row->stream_id, row->number,
						  plane->region.generation, &from_lanes);
			if (error)
				break;
			pthread_rwlock_wrlock(&plane->lock);
			plane->slots[row->slot].stream_id = row->stream_id;
			plane->slots[row->slot].base = from_lanes;
			plane->slots[row->slot].known = true;
			pthread_rwlock_unlock(&plane->lock);
		}
		streams_release(plane->options.streams, streams[i]);
	}
	free(streams);
	return error;
}

static void let_go(struct plane *plane)
{
	pthread_rwlock_wrlock(&plane->lock);
	plane->attached = false;
	memset(plane->slots, 0, sizeof plane->slots);
	plane->map_changes = 0;
	plane->replaced_ms = 0;
	control_close(plane->control);
	plane->control = NULL;
	if (plane->control_fd >= 0)
		close(plane->control_fd);
	plane->control_fd = -1;
	region_close_reader(&plane->region);
	pthread_rwlock_unlock(&plane->lock);
}

/* 0 or -errno; *ours: because of what metadata or the store said. */
static int attach(struct plane *plane, bool *ours)
{
	struct region_reader region;
	struct control *control = NULL;
	int control_fd = -1, error = region_open(plane->options.region_directory, &region);

	if (error)
		return error;
	error = control_create(plane->options.region_directory, &region, &control, &control_fd);
	if (error) {
		region_close_reader(&region);
		return error;
	}
	/* Samples may be taken from here on, so the struct is filled in under the lock. */
	pthread_rwlock_wrlock(&plane->lock);
	plane->region = region;
	plane->control = control;
	plane->control_fd = control_fd;
	pthread_rwlock_unlock(&plane->lock);
	atomic_store_explicit(&control->pid, (uint32_t)getpid(), memory_order_relaxed);
	atomic_store_explicit(&control->heartbeat_ns, clock_realtime_ns(), memory_order_release);
	streams_forget_map(plane->options.streams);
	*ours = true;
	error = metadata_forget_regions(plane->options.metadata, region.generation);
	if (!error)
		error = plane_note_bases(plane); /* before the first record is taken */
	if (!error)
		error = store_attach(plane->options.store, &plane->region, plane->control);
	if (error) {
		let_go(plane);
		return error;
	}
	pthread_rwlock_wrlock(&plane->lock);
	plane->attached = true;
	plane->problem[0] = 0;
	pthread_rwlock_unlock(&plane->lock);
	plane->problem_error = 0;
	log_info("region: attached to %s, generation %016llx, %u worker%s, %u shard slots",
		 plane->options.region_directory, (unsigned long long)region.generation, region.geometry.workers,
		 region.geometry.workers == 1 ? "" : "s", region.geometry.shards);
	return 0;
}

/* A region made anew lies under the same name with another inode; one given up says so itself. */
static bool replaced(const struct plane *plane)
{
	char path[PATH_MAX];
	struct stat file;

	if (atomic_load_explicit(&plane->region.region->state, memory_order_acquire) == REGION_RETIRED)
		return true;
	snprintf(path, sizeof path, "%s/data", plane->options.region_directory);
	return stat(path, &file) != 0 ? errno == ENOENT : file.st_ino != plane->region.inode;
}

/* The drain goes on until the old region is empty; a disk that refuses must not keep the new one waiting for ever. */
static void leave_old(struct plane *plane, uint64_t now_ms)
{
	if (!plane->replaced_ms) {
		plane->replaced_ms = now_ms;
		log_info("region: given up by the dataplane; draining what it still holds");
	}
	if (plane_drained(plane)) {
		plane_detach(plane, LAST_COMMIT_MS);
	} else if (now_ms > plane->replaced_ms + DRAIN_OLD_MS) {
		log_error("region: the old one could not be drained within %u s and a new one waits: what it still holds is "
			  "lost, readers are told by a gap", DRAIN_OLD_MS / 1000);
		plane_detach(plane, 0);
	}
}

int plane_detach(struct plane *plane, uint32_t timeout_ms)
{
	int error = 0;

	if (plane->attached) {
		error = store_detach(plane->options.store, timeout_ms > 0, timeout_ms);
		if (error)
			log_error("region: what it holds was not made durable within %u ms: %s; it stays there for the next "
				  "start", timeout_ms, strerror(-error));
		let_go(plane);
	}
	return error;
}

static void publish_map(struct plane *plane)
{
	struct shard_map *map;
	uint64_t changes;

	if (plane->map_changes && plane->map_changes == streams_changes(plane->options.streams))
		return;
	map = malloc(sizeof *map);
	/* A stream's base is durable before its first record can be appended. */
	if (!map || plane_note_bases(plane) != 0) {
		free(map);
		return;
	}
	changes = streams_fill_map(plane->options.streams, plane->region.geometry.shards, map);
	control_publish_map(plane->control, map);
	plane->map_changes = changes; /* only now: partner plane_has_map() */
	log_debug("region: map %llu published: %u streams, %u shards",
		  (unsigned long long)atomic_load(&plane->control->map_version), map->streams_count, map->shards_count);
	free(map);
}

static int discard_nothing(void *with, uint32_t slot)
{
	(void)with;
	(void)slot;
	return 0;
}

/* A region that cannot be read yet may still hold what must be counted: only one that is not there is known not to. */
static bool nothing_to_wait_for(const struct plane *plane)
{
	return plane->problem_error == -ENOENT || plane->problem_error == -EPROTO || plane->problem_error == -EBADMSG;
}

static void advance_deletions(struct plane *plane)
{
	struct stream_exit exit = {.with = plane};

	if (plane->attached) {
		exit.published = atomic_load_explicit(&plane->control->map_version, memory_order_relaxed);
		exit.changes = plane->map_changes;
		exit.acknowledged = plane_writer_gone(plane) ? UINT64_MAX :
				    atomic_load_explicit(&plane->region.region->map_version, memory_order_acquire);
		exit.discard = plane_discard;
	} else if (nothing_to_wait_for(plane)) {
		exit.published = exit.acknowledged = UINT64_MAX;
		exit.changes = streams_changes(plane->options.streams);
		exit.discard = discard_nothing;
	} else {
		return;
	}
	streams_advance_deletions(plane->options.streams, &exit);
}

/* A region that is not there yet is looked for as often as ever: its dataplane waits. What refuses is given time. */
static void try_attach(struct plane *plane)
{
	bool ours = false;
	int error = attach(plane, &ours);

	if (!error || (!ours && (error == -ENOENT || error == -EAGAIN)))
		plane->look_ms = LOOK_MS;
	else if (plane->look_ms < LOOK_MAX_MS)
		plane->look_ms = plane->look_ms * 2 < LOOK_MAX_MS ? plane->look_ms * 2 : LOOK_MAX_MS;
	if (error)
		say_problem(plane, error, ours);
}

void plane_tick(struct plane *plane)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (plane->attached)
		atomic_store_explicit(&plane->control->heartbeat_ns, clock_realtime_ns(), memory_order_release);
	if (now_ms >= plane->next_look_ms) {
		if (plane->attached && (plane->replaced_ms || replaced(plane)))
			leave_old(plane, now_ms);
		if (!plane->attached)
			try_attach(plane);
		plane->next_look_ms = now_ms + plane->look_ms;
	}
	if (plane->attached)
		publish_map(plane);
	advance_deletions(plane);
}
