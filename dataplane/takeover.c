#include "dataplane/takeover.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "dataplane/log.h"
#include "dataplane/seam/region_map.h"

#define DRAIN_WAIT_S 30

/* What the workers of an old region published and penstockd has not made durable, in bytes of lanes. Without a usable
 * control region nothing of it is known to be. */
static uint64_t undrained(const struct region_reader *old, const struct control *control)
{
	uint64_t bytes = 0;

	for (uint32_t w = 0; w < old->geometry.workers; w++)
		for (uint32_t slot = 0; slot < old->geometry.shards; slot++) {
			uint64_t line[LEDGER_LINE_WORDS], head = control ? atomic_load(&control->head[slot][w]) : 0;

			if (!ledger_read(region_worker_ledger(old, w), worker_lines(old->geometry.shards),
					 lane_word(slot, 0) / LEDGER_LINE_WORDS, 1, line))
				bytes++; /* not to be told: not drained */
			else if (line[LANE_POSITION] > head)
				bytes += line[LANE_POSITION] - head;
		}
	return bytes;
}

/* 0 once nothing is left in the region that stands under the name; -EPROTO when that cannot be told; -EAGAIN. */
static int drained(const char *directory)
{
	const struct control *control;
	struct region_reader old;
	uint64_t bytes;
	int error = region_open(directory, &old);

	if (error)
		return -EPROTO;
	if (control_open(directory, old.region, &control) != 0)
		control = NULL;
	bytes = undrained(&old, control);
	control_close(control);
	region_close_reader(&old);
	return bytes ? -EAGAIN : 0;
}

static int wait_drained(const char *directory)
{
	struct timespec pause = {0, 100000000};
	int error = drained(directory);

	if (error == -EAGAIN)
		LOG_INFO("the region in %s has another geometry and still holds records; waiting up to %d s for penstockd to "
			 "drain it\n", directory, DRAIN_WAIT_S);
	for (int i = 0; error == -EAGAIN && i < DRAIN_WAIT_S * 10; i++) {
		nanosleep(&pause, NULL);
		error = drained(directory);
	}
	return error;
}

static int explain(const char *directory, int error)
{
	switch (error) {
	case 0:
		break;
	case -EBUSY:
		LOG_ERROR("another penstock-dataplane holds the region in %s; stop it, or give this one another "
			  "region.directory\n", directory);
		break;
	case -EPROTO:
		LOG_ERROR("the region in %s was made by another version of penstock, which alone can drain it: start that "
			  "version's penstockd, stop it with SIGTERM, and then start this one once with --replace-region\n",
			  directory);
		break;
	case -EAGAIN:
		LOG_ERROR("the region in %s has another geometry and holds records that penstockd did not drain within %d s; "
			  "is penstockd running?\n", directory, DRAIN_WAIT_S);
		break;
	case -EMEDIUMTYPE:
		LOG_ERROR("region.directory %s is neither on tmpfs nor on hugetlbfs: write-back would stall the workers; mount "
			  "one of them there\n", directory);
		break;
	case -ENOENT:
		LOG_ERROR("region.directory %s does not exist\n", directory);
		break;
	default:
		LOG_ERROR("cannot make the region in %s: %s\n", directory, strerror(-error));
	}
	return error;
}

int takeover_region(const char *directory, const struct region_geometry *geometry, bool replace,
		    struct region_writer *out)
{
	int error = region_create(directory, geometry, out);

	if (error != -EPROTO)
		return explain(directory, error);
	error = wait_drained(directory);
	if (error && !(replace && error == -EPROTO))
		return explain(directory, error);
	error = region_retire(directory);
	if (!error)
		error = region_create(directory, geometry, out);
	return explain(directory, error);
}

int takeover_control_inode(const char *directory, uint64_t *inode)
{
	char path[PATH_MAX];
	struct stat file;
	int error = region_path(path, directory, CONTROL_FILE);

	if (error)
		return error;
	if (stat(path, &file) != 0)
		return -errno;
	*inode = file.st_ino;
	return 0;
}

int takeover_control(const char *directory, const struct region *region, const struct control **out, uint64_t *inode)
{
	int error = takeover_control_inode(directory, inode);

	return error ? error : control_open(directory, region, out);
}
