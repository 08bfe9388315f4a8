#include "control/reload.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/clock.h"
#include "control/daemon.h"
#include "control/declare.h"
#include "control/log.h"
#include "dataplane/rule/rule.h"

#define MAP_MS 5000u     /* for the dataplane to take up new streams, before inputs name them */
#define ANSWER_MS 10000u /* for its answer */
#define STOP_MS 10000u   /* for deliveries that are no longer wanted */
#define LOOK_US 5000u

struct reload {
	struct daemon *daemon;
	pthread_mutex_t running; /* one reload at a time; of `now` */
	struct config *now;      /* NULL: the one penstockd started with */
	_Atomic uint64_t hash;
	_Atomic bool busy, end;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	pthread_t thread;
	bool threaded, wanted, stop;
};

const char *reload_say_dataplane(enum reload_dataplane dataplane)
{
	static const char *const texts[] = {
		[RELOAD_NOT_ASKED] = "not asked",
		[RELOAD_DATAPLANE_WORKS] = "every worker works by it",
		[RELOAD_DATAPLANE_DOWN] = "it is down, and takes the new configuration at its start",
		[RELOAD_DATAPLANE_REFUSED] = "it finds errors in the files and stays as it is; see its log: can it read them all?",
		[RELOAD_DATAPLANE_FAILED] = "it could not make what the configuration asks for and stays with the one it has; see its log",
		[RELOAD_DATAPLANE_SILENT] = "it did not answer in time; see penstock status, and its log",
		[RELOAD_DATAPLANE_DIFFERS] = "it read files that say something else: they were changed meanwhile, reload again",
	};

	return texts[dataplane];
}

/* ---- one reload ---- */

struct applying {
	struct reload *reload;
	struct config *next;
	struct reload_result *result;
	FILE *failures;
};

/* New streams first: an input's records must find theirs. Without a dataplane there is nobody to wait for. */
static void apply_streams(struct applying *a)
{
	struct daemon *daemon = a->reload->daemon;
	uint64_t until = clock_monotonic_ms() + MAP_MS, changes;
	struct plane_reload plane;

	declare_streams(a->next, daemon->streams, a->failures);
	changes = streams_changes(daemon->streams);
	for (;;) {
		plane_get_reload(daemon->plane, &plane);
		if (!plane.alive || plane_has_map(daemon->plane, changes) || atomic_load(&a->reload->end) ||
		    clock_monotonic_ms() > until)
			return;
		usleep(LOOK_US);
	}
}

static void apply_deliveries(struct applying *a)
{
	struct deliveries_change changes[2 * CONFIG_DELIVERIES_MAX];
	struct daemon *daemon = a->reload->daemon;
	uint32_t count = deliveries_apply(daemon->deliveries, a->next, daemon->streams, STOP_MS, changes);

	for (uint32_t i = 0; i < count; i++) {
		const struct deliveries_change *c = &changes[i];

		if (c->error && c->kind == DELIVERY_STOPPED)
			fprintf(a->failures, "delivery %s: stopped, %s\n", c->name,
				c->error == -EAGAIN ? "but not all that was due could be delivered in time: it is when a delivery of "
						      "this name starts again" :
						      "but its destination does not let go: penstockd has to be restarted for it");
		else if (c->error)
			fprintf(a->failures, "delivery %s: cannot start: %s%s\n", c->name, strerror(-c->error),
				c->error == -EINVAL || c->error == -ENOMEM ? "" : "; trying again, at least once a minute");
	}
}

static enum reload_dataplane await_answer(struct applying *a, uint64_t request)
{
	uint64_t until = clock_monotonic_ms() + ANSWER_MS;
	struct plane_reload plane;

	for (;; usleep(LOOK_US)) {
		plane_get_reload(a->reload->daemon->plane, &plane);
		if (plane.request == request)
			break;
		if (atomic_load(&a->reload->end) || clock_monotonic_ms() > until)
			return RELOAD_DATAPLANE_SILENT;
	}
	a->result->dataplane_hash = plane.config_hash;
	if (plane.outcome == RELOAD_APPLIED)
		return plane.config_hash == a->result->hash ? RELOAD_DATAPLANE_WORKS : RELOAD_DATAPLANE_DIFFERS;
	return plane.outcome == RELOAD_REFUSED ? RELOAD_DATAPLANE_REFUSED : RELOAD_DATAPLANE_FAILED;
}

static void apply(struct applying *a)
{
	struct reload *r = a->reload;
	int level = log_parse_level(a->next->log_level), error;
	uint64_t request;

	if (level >= 0)
		log_set_level((enum log_level)level);
	apply_streams(a);
	error = plane_request_reload(r->daemon->plane, &request);
	/* While the dataplane does its part. */
	apply_deliveries(a);
	if (learner_configure(r->daemon->learner, a->next))
		fputs("flow templates: no memory to learn those of other streams than before\n", a->failures);
	atomic_store(&r->hash, a->result->hash);
	a->result->dataplane = error ? RELOAD_DATAPLANE_DOWN : await_answer(a, request);
	config_free(r->now);
	r->now = a->next;
	a->next = NULL;
}

static void log_lines(const char *text, void (*log)(const char *format, ...))
{
	for (const char *end; *text; text = *end ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		log("reload: %.*s", (int)(end - text), text);
	}
}

static void log_result(const struct reload_result *result)
{
	char line[1024];

	if (result->refused) {
		log_lines(result->report, log_error);
		log_error("reload: the configuration has errors: nothing changed");
		return;
	}
	log_lines(result->report, log_warning);
	for (uint32_t i = 0; i < result->changes.count; i++) {
		config_describe_change(&result->changes.list[i], line, sizeof line);
		if (result->changes.list[i].live)
			log_info("reload: %s", line);
		else
			log_warning("reload: left as it was: %s", line);
	}
	log_lines(result->failures, log_error);
	if (result->dataplane == RELOAD_DATAPLANE_WORKS)
		log_info("reload: dataplane: %s", reload_say_dataplane(result->dataplane));
	else
		log_warning("reload: dataplane: %s", reload_say_dataplane(result->dataplane));
}

static bool goes_on(void *reload)
{
	return !atomic_load(&((struct reload *)reload)->end);
}

/*
 * Reads, checks and compares. 0; -EINVAL refused; -ECANCELED by reload_end(); -ENOMEM. Rules are compiled here although only the dataplane works by
 * them: what it would refuse must not have been taken up by half. It finds them in the cache then.
 */
static int prepare(struct reload *r, struct config **next, struct reload_result *result)
{
	const struct config *start = r->daemon->config, *now = r->now ? r->now : start;
	const struct rule_wait wait = {goes_on, r};
	size_t length;
	FILE *report = open_memstream(&result->report, &length);
	int error;

	*next = NULL;
	if (!report)
		return -ENOMEM;
	error = config_load(start->path, report, next);
	if (!error)
		error = config_place_inputs(start, now, *next, report);
	if (!error)
		error = rules_check(*next, &wait, report);
	if (fclose(report) != 0)
		error = -ENOMEM;
	if (!error)
		error = config_compare(start, now, *next, &result->changes);
	return !error || error == -ENOMEM || error == -ECANCELED ? error : -EINVAL; /* what cannot be read is an error of the files, too */
}

static int run(struct reload *r, bool dry, struct reload_result *result)
{
	struct applying a = {.reload = r, .result = result};
	size_t length;
	int error = prepare(r, &a.next, result);

	result->refused = error == -EINVAL;
	result->hash = atomic_load(&r->hash);
	if (error || dry) {
		if (!error)
			result->complete = true;
		config_free(a.next);
		return error == -EINVAL ? 0 : error;
	}
	result->hash = config_hash(a.next);
	a.failures = open_memstream(&result->failures, &length);
	if (!a.failures) {
		config_free(a.next);
		return -ENOMEM;
	}
	apply(&a);
	if (fclose(a.failures) != 0)
		return -ENOMEM;
	result->complete = length == 0 && result->dataplane == RELOAD_DATAPLANE_WORKS;
	return 0;
}

int reload_run(struct reload *r, bool dry, struct reload_result *out)
{
	int error;

	*out = (struct reload_result){0};
	pthread_mutex_lock(&r->running);
	atomic_store(&r->busy, !dry);
	error = run(r, dry, out);
	if (error)
		log_error("reload: %s: nothing is sure to have changed", strerror(-error));
	else if (!dry)
		log_result(out);
	atomic_store(&r->busy, false);
	pthread_mutex_unlock(&r->running);
	if (error)
		reload_free_result(out);
	return error;
}

void reload_free_result(struct reload_result *result)
{
	free(result->report);
	free(result->failures);
	config_free_changes(&result->changes);
	*result = (struct reload_result){0};
}

uint64_t reload_hash(struct reload *r, bool *busy)
{
	*busy = atomic_load(&r->busy);
	return atomic_load(&r->hash);
}

/* ---- the thread for signals ---- */

static void *follow_signals(void *arg)
{
	struct reload_result result;
	struct reload *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		if (!r->wanted) {
			pthread_cond_wait(&r->wake, &r->lock);
			continue;
		}
		r->wanted = false;
		pthread_mutex_unlock(&r->lock);
		if (reload_run(r, false, &result) == 0)
			reload_free_result(&result);
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

void reload_run_soon(struct reload *r)
{
	pthread_mutex_lock(&r->lock);
	r->wanted = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

const struct config *reload_hold(struct reload *r)
{
	pthread_mutex_lock(&r->running);
	return r->now ? r->now : r->daemon->config;
}

void reload_let_go(struct reload *r)
{
	pthread_mutex_unlock(&r->running);
}

int reload_open(struct daemon *daemon, struct reload **out)
{
	struct reload *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->daemon = daemon;
	r->hash = config_hash(daemon->config);
	pthread_mutex_init(&r->running, NULL);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	r->threaded = pthread_create(&r->thread, NULL, follow_signals, r) == 0;
	if (!r->threaded) {
		reload_close(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void reload_end(struct reload *r)
{
	if (!r)
		return;
	atomic_store(&r->end, true);
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	if (r->threaded)
		pthread_join(r->thread, NULL);
	r->threaded = false;
}

void reload_close(struct reload *r)
{
	if (!r)
		return;
	reload_end(r);
	config_free(r->now);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->running);
	free(r);
}
