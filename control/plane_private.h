// The plane's insides, shared by its three files.
#pragma once

#include <pthread.h>

#include "control/plane.h"

struct plane {
	struct plane_options options;
	pthread_rwlock_t lock;        /* written only by the main thread: while it attaches, detaches or notes a base */
	bool attached;
	struct region_reader region;
	struct control *control;
	int control_fd;
	char problem[256];
	int problem_error;            /* of the last look for a region; 0: it is there */
	_Atomic uint64_t map_changes; /* of the map published last */
	uint64_t next_look_ms;
	uint32_t look_ms;             /* until the next one: grows while a region that is there cannot be taken up */
	uint64_t replaced_ms;         /* since when the region is known to be given up, 0: it is not */
	struct {
		uint64_t stream_id, base;
		bool known;
	} slots[SHARDS_MAX];
};

// True when no dataplane that could still append exists: its process is gone, or it said it had stopped.
bool plane_writer_gone(const struct plane *plane);

// True when every lane's head has reached what was published in it.
bool plane_drained(const struct plane *plane);

// Counts what `slot` holds of a deleted stream and moves its heads past it. 0; -EAGAIN; -errno.
int plane_discard(void *plane, uint32_t slot);

// Remembers, durably, what every live shard had stored before it met this region. 0 or -errno.
int plane_note_bases(struct plane *plane);
