// Looking at a region without believing it, and what is counted when a deleted stream's lanes are given up.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/clock.h"
#include "control/plane_private.h"

#define ALIVE_NS 1000000000ull
#define DESCRIPTION_TRIES 1000
#define SAMPLE_TRIES 10 /* against reloads that change whose a row is */

/* When process `pid` started, in CLOCK_REALTIME nanoseconds (to the tick); 0 when it does not exist. */
static uint64_t process_started_ns(uint32_t pid)
{
	unsigned long long ticks = 0;
	char path[64], line[1024] = "", *at;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%u/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	at = fgets(line, sizeof line, file);
	fclose(file);
	/* The name in parentheses may hold anything; field 22 is counted from behind it. proc(5). */
	at = at ? strrchr(line, ')') : NULL;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%llu", &ticks) != 1)
		return 0;
	return clock_realtime_ns() - clock_ns(CLOCK_BOOTTIME) + ticks * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

bool plane_writer_gone(const struct plane *plane)
{
	const struct region *region = plane->region.region;
	uint32_t state = atomic_load_explicit(&region->state, memory_order_acquire);
	uint32_t pid = atomic_load_explicit(&region->pid, memory_order_acquire);
	uint64_t heard = atomic_load_explicit(&region->heartbeat_ns, memory_order_acquire);

	/* A sign of life counts for more than a process number, which may be of another name space. */
	if (clock_realtime_ns() < heard + ALIVE_NS && state < REGION_STOPPED)
		return false;
	if (state == REGION_STOPPED || state == REGION_RETIRED || pid == 0)
		return true;
	if (kill((pid_t)pid, 0) != 0)
		return errno == ESRCH;
	/* Silent, but a process of that number exists: another one, if it is younger than the last sign of life. */
	return process_started_ns(pid) > heard + ALIVE_NS;
}

static int read_lane(const struct plane *plane, uint32_t slot, uint32_t worker, uint64_t words[LEDGER_LINE_WORDS])
{
	uint32_t lines = worker_lines(plane->region.geometry.shards);

	return ledger_read(region_worker_ledger(&plane->region, worker), lines, lane_word(slot, 0) / LEDGER_LINE_WORDS, 1,
			   words) ? 0 : -EAGAIN;
}

bool plane_drained(const struct plane *plane)
{
	uint64_t words[LEDGER_LINE_WORDS];

	for (uint32_t slot = 0; slot < plane->region.geometry.shards; slot++)
		for (uint32_t w = 0; w < plane->region.geometry.workers; w++)
			if (read_lane(plane, slot, w, words) != 0 ||
			    words[LANE_POSITION] != atomic_load_explicit(&plane->control->head[slot][w], memory_order_acquire))
				return false;
	return true;
}

int plane_discard(void *with, uint32_t slot)
{
	struct plane *plane = with;
	uint64_t words[LEDGER_LINE_WORDS], appended = 0, known, position[WORKERS_MAX];
	int error;

	if (slot >= plane->region.geometry.shards)
		return 0; /* a smaller region than the stream was made under: it never had a lane there */
	for (uint32_t w = 0; w < plane->region.geometry.workers; w++) {
		error = read_lane(plane, slot, w, words);
		if (error)
			return error;
		appended += words[LANE_RECORDS];
		position[w] = words[LANE_POSITION];
	}
	error = metadata_get_discarded(plane->options.metadata, slot, plane->region.generation, &known);
	/* Everything the slot ever held is now deleted; done twice after a crash, the second adds nothing. */
	if (!error && appended > known)
		error = metadata_add_discarded(plane->options.metadata, slot, plane->region.generation, appended - known);
	if (error)
		return error;
	for (uint32_t w = 0; w < plane->region.geometry.workers; w++)
		atomic_store_explicit(&plane->control->head[slot][w], position[w], memory_order_release);
	pthread_rwlock_wrlock(&plane->lock);
	plane->slots[slot].known = false;
	pthread_rwlock_unlock(&plane->lock);
	return 0;
}

/* Text from another process: ended, and of printable ASCII, so that it can be logged and put into JSON. */
static void clean(char *text, size_t size)
{
	text[size - 1] = 0;
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* The writer may be in the middle of it: acquire loads, so that the second look at `description` comes after them all. */
static void copy_words(void *out, const void *from, size_t bytes)
{
	const _Atomic uint64_t *words = from;

	for (size_t i = 0; i < bytes / sizeof *words; i++) {
		uint64_t word = atomic_load_explicit(&words[i], memory_order_acquire);

		memcpy((uint8_t *)out + i * sizeof word, &word, sizeof word);
	}
}

/* Which description it is a copy of; an odd one: it could not be copied whole. */
static uint32_t copy_description(const struct region *region, struct region_sample *s)
{
	uint32_t of = 1;

	for (int tries = 0; tries < DESCRIPTION_TRIES; tries++) {
		uint32_t before = atomic_load_explicit(&region->description, memory_order_acquire);

		if (before & 1)
			continue;
		s->inputs_count = region->inputs_count;
		s->ports_count = region->ports_count;
		copy_words(s->inputs, region->inputs, sizeof s->inputs);
		copy_words(s->ports, region->ports, sizeof s->ports);
		of = before;
		if (atomic_load_explicit(&region->description, memory_order_acquire) == before)
			break;
		of = 1;
		s->inputs_count = s->ports_count = 0;
	}
	if (s->inputs_count > INPUTS_MAX || s->ports_count > PORTS_MAX)
		s->inputs_count = s->ports_count = 0;
	for (uint32_t i = 0; i < s->inputs_count; i++) {
		clean(s->inputs[i].name, sizeof s->inputs[i].name);
		clean(s->inputs[i].stream, sizeof s->inputs[i].stream);
	}
	for (uint32_t i = 0; i < s->ports_count; i++) {
		clean(s->ports[i].name, sizeof s->ports[i].name);
		clean(s->ports[i].device, sizeof s->ports[i].device);
		clean(s->ports[i].driver, sizeof s->ports[i].driver);
	}
	return of;
}

static int copy_region(struct plane *plane, struct region_sample *s)
{
	const struct region *region = plane->region.region;
	uint32_t lines = worker_lines(plane->region.geometry.shards), description;

	s->attached = true;
	s->geometry = plane->region.geometry;
	s->generation = plane->region.generation;
	s->heartbeat_ns = atomic_load_explicit(&region->heartbeat_ns, memory_order_acquire);
	s->started_ns = atomic_load_explicit(&region->started_ns, memory_order_acquire);
	s->pid = atomic_load_explicit(&region->pid, memory_order_acquire);
	s->state = atomic_load_explicit(&region->state, memory_order_acquire);
	s->map_version = atomic_load_explicit(&region->map_version, memory_order_acquire);
	s->config_hash = atomic_load_explicit(&region->config_hash, memory_order_acquire);
	s->published_version = atomic_load_explicit(&plane->control->map_version, memory_order_relaxed);
	description = copy_description(region, s);
	if (!ledger_read(region_port_ledger(&plane->region), PORT_LINES, 0, PORT_LINES, s->port_words))
		return -EAGAIN;
	s->taken_ns = clock_realtime_ns();
	s->alive = s->state < REGION_STOPPED && s->heartbeat_ns + ALIVE_NS > s->taken_ns;
	s->words_per_worker = lines * LEDGER_LINE_WORDS;
	s->words = calloc(s->geometry.workers, s->words_per_worker * sizeof *s->words);
	if (!s->words)
		return -ENOMEM;
	for (uint32_t w = 0; w < s->geometry.workers; w++)
		if (!ledger_read(region_worker_ledger(&plane->region, w), lines, 0, lines,
				 s->words + (size_t)w * s->words_per_worker))
			return -EAGAIN;
	/* A row may have become another input's meanwhile. */
	if (!(description & 1) && atomic_load_explicit(&region->description, memory_order_acquire) != description)
		return -ECANCELED;
	for (uint32_t i = 0; i < SHARDS_MAX; i++) {
		s->slots[i].stream_id = plane->slots[i].stream_id;
		s->slots[i].base = plane->slots[i].base;
		s->slots[i].known = plane->slots[i].known;
	}
	return 0;
}

static int sample_once(struct plane *plane, struct region_sample **out)
{
	struct region_sample *s = calloc(1, sizeof *s);
	int error = 0;

	if (!s)
		return -ENOMEM;
	pthread_rwlock_rdlock(&plane->lock);
	memcpy(s->problem, plane->problem, sizeof s->problem);
	s->taken_ns = clock_realtime_ns();
	if (plane->attached)
		error = copy_region(plane, s);
	pthread_rwlock_unlock(&plane->lock);
	if (error) {
		plane_free_sample(s);
		return error;
	}
	*out = s;
	return 0;
}

int plane_sample(struct plane *plane, struct region_sample **out)
{
	int error = -ECANCELED;

	for (int tries = 0; tries < SAMPLE_TRIES && error == -ECANCELED; tries++)
		error = sample_once(plane, out);
	return error == -ECANCELED ? -EAGAIN : error;
}

void plane_free_sample(struct region_sample *sample)
{
	if (!sample)
		return;
	free(sample->words);
	free(sample);
}

const char *plane_state_name(const struct region_sample *sample)
{
	static const char *const names[] = {"starting", "running", "draining", "stopped", "retired"};

	if (!sample->attached)
		return "absent";
	if (!sample->alive && sample->state < REGION_STOPPED)
		return "down";
	return sample->state < sizeof names / sizeof names[0] ? names[sample->state] : "unknown";
}
