#include "control/ledger/monitor.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ledger/figures.h"
#include "control/log.h"

#define TRIES 5
#define BUSY_TICKS 5 /* so many in a row may find that everything moves, before it is told */

struct monitor {
	struct monitor_parts parts;
	pthread_mutex_t lock; /* of everything below */
	struct balance_history history;
	struct told told[SHARDS_MAX];
	uint32_t missed;      /* ticks in a row that could not be evaluated */
	pthread_mutex_t last_lock; /* of the verdict, never held while anything is waited for: status asks for it while the disk,
				    * and with it an evaluation, stands still */
	struct monitor_verdict last;
};

int monitor_open(const struct monitor_parts *parts, struct monitor **out)
{
	struct monitor *monitor = calloc(1, sizeof *monitor);

	if (!monitor)
		return -ENOMEM;
	monitor->parts = *parts;
	pthread_mutex_init(&monitor->lock, NULL);
	pthread_mutex_init(&monitor->last_lock, NULL);
	*out = monitor;
	return 0;
}

void monitor_close(struct monitor *monitor)
{
	if (!monitor)
		return;
	pthread_mutex_destroy(&monitor->last_lock);
	pthread_mutex_destroy(&monitor->lock);
	free(monitor);
}

/* Under the lock. */
static int evaluate(struct monitor *monitor, bool remember, struct balance_table *out)
{
	struct balance_figures *figures = NULL;
	int error = -EAGAIN;

	for (int tries = 0; tries < TRIES && error == -EAGAIN; tries++)
		error = figures_take(&monitor->parts, monitor->told, &figures);
	if (error)
		return error;
	error = balance_evaluate(figures, balance_settled(&monitor->history, figures), out);
	if (remember && figures->generation)
		balance_remember(&monitor->history, figures);
	balance_free_figures(figures);
	return error;
}

int monitor_evaluate(struct monitor *monitor, struct balance_table *out)
{
	int error;

	pthread_mutex_lock(&monitor->lock);
	error = evaluate(monitor, false, out);
	pthread_mutex_unlock(&monitor->lock);
	return error;
}

static void name_sections(const struct balance_table *table, char *out, size_t size)
{
	size_t at = 0;

	out[0] = 0;
	for (uint32_t i = 0; i < table->sections_count && at < size; i++)
		if (table->sections[i].unaccounted)
			at += (size_t)snprintf(out + at, size - at, "%s%s (%llu)", at ? ", " : "", table->sections[i].title,
					       (unsigned long long)table->sections[i].unaccounted);
}

/* Only the tick changes the verdict, under both locks: it may look at it under either. */
static void keep(struct monitor *monitor, const struct monitor_verdict *verdict)
{
	pthread_mutex_lock(&monitor->last_lock);
	monitor->last = *verdict;
	pthread_mutex_unlock(&monitor->last_lock);
}

static void judge(struct monitor *monitor, const struct balance_table *table)
{
	const struct monitor_verdict *last = &monitor->last;
	struct monitor_verdict verdict = {.unaccounted = table->unaccounted};
	char where[sizeof verdict.problem - 64];

	name_sections(table, where, sizeof where);
	if (verdict.unaccounted)
		snprintf(verdict.problem, sizeof verdict.problem, "%llu unaccounted: %s", (unsigned long long)verdict.unaccounted,
			 where);
	if (verdict.unaccounted && !last->unaccounted)
		log_error("ledger: %s", verdict.problem);
	else if (!verdict.unaccounted && last->problem[0])
		log_info("ledger: balanced again");
	keep(monitor, &verdict);
}

/* What was unaccounted stays so until something else is known. */
static void miss(struct monitor *monitor, int error)
{
	struct monitor_verdict verdict = {.unaccounted = monitor->last.unaccounted};

	if (error == -EAGAIN && monitor->missed <= BUSY_TICKS)
		return;
	snprintf(verdict.problem, sizeof verdict.problem, "not evaluated: %s", error == -EAGAIN ?
		 "streams or counters change faster than they can be copied" : strerror(-error));
	if (strcmp(verdict.problem, monitor->last.problem) == 0)
		return;
	log_error("ledger: %s", verdict.problem);
	keep(monitor, &verdict);
}

void monitor_tick(struct monitor *monitor)
{
	struct balance_table table;
	int error;

	pthread_mutex_lock(&monitor->lock);
	error = evaluate(monitor, true, &table);
	monitor->missed = error ? monitor->missed + 1 : 0;
	if (error) {
		miss(monitor, error);
	} else {
		judge(monitor, &table);
		balance_free_table(&table);
	}
	pthread_mutex_unlock(&monitor->lock);
}

void monitor_last(struct monitor *monitor, struct monitor_verdict *out)
{
	pthread_mutex_lock(&monitor->last_lock);
	*out = monitor->last;
	pthread_mutex_unlock(&monitor->last_lock);
}
