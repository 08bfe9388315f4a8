#include "control/ledger/monitor.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ledger/figures.h"
#include "control/log.h"

#define TRIES 5

struct monitor {
	struct monitor_parts parts;
	pthread_mutex_t lock; /* of everything below */
	struct balance_history history;
	struct told told[SHARDS_MAX];
	uint64_t unaccounted;
	char where[512];
};

int monitor_open(const struct monitor_parts *parts, struct monitor **out)
{
	struct monitor *monitor = calloc(1, sizeof *monitor);

	if (!monitor)
		return -ENOMEM;
	monitor->parts = *parts;
	pthread_mutex_init(&monitor->lock, NULL);
	*out = monitor;
	return 0;
}

void monitor_close(struct monitor *monitor)
{
	if (!monitor)
		return;
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

void monitor_tick(struct monitor *monitor)
{
	struct balance_table table;
	char where[sizeof monitor->where];

	pthread_mutex_lock(&monitor->lock);
	if (evaluate(monitor, true, &table) == 0) {
		name_sections(&table, where, sizeof where);
		if (table.unaccounted && !monitor->unaccounted)
			log_error("ledger: %llu unaccounted: %s", (unsigned long long)table.unaccounted, where);
		else if (!table.unaccounted && monitor->unaccounted)
			log_info("ledger: balanced again");
		monitor->unaccounted = table.unaccounted;
		memcpy(monitor->where, where, sizeof where);
		balance_free_table(&table);
	}
	pthread_mutex_unlock(&monitor->lock);
}

uint64_t monitor_last(struct monitor *monitor, char *where, size_t size)
{
	uint64_t unaccounted;

	pthread_mutex_lock(&monitor->lock);
	unaccounted = monitor->unaccounted;
	snprintf(where, size, "%s", monitor->where);
	pthread_mutex_unlock(&monitor->lock);
	return unaccounted;
}
