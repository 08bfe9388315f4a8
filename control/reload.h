// A changed configuration under a running penstockd: what it says, what of it is taken up, and what the dataplane says.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/change.h"

struct daemon;
struct reload; /* opaque; any thread may call */

enum reload_dataplane { /* what became of it there */
	RELOAD_NOT_ASKED,        /* nothing was applied */
	RELOAD_DATAPLANE_WORKS,  /* every worker works by it */
	RELOAD_DATAPLANE_DOWN,   /* none is there: it takes the files at its start */
	RELOAD_DATAPLANE_REFUSED,
	RELOAD_DATAPLANE_FAILED,
	RELOAD_DATAPLANE_SILENT, /* no answer in time */
	RELOAD_DATAPLANE_DIFFERS /* it read files that say something else: they were changed meanwhile */
};

struct reload_result {
	bool refused;  /* the files have errors: nothing changed */
	bool complete; /* all that can change while running did, and the dataplane works by it */
	char *report;  /* errors and warnings as the loader writes them */
	struct config_changes changes;
	char *failures; /* what was to change and did not, a line each */
	enum reload_dataplane dataplane;
	uint64_t hash, dataplane_hash; /* what both work by now, as far as the dataplane tells */
};

// `daemon` has all its parts, the configuration among them, and outlives it. 0 or -errno.
int reload_open(struct daemon *daemon, struct reload **out);

// Reads the configuration anew and applies it; one at a time, others wait. `dry`: only says what would change. Logs what it
// does. Takes as long as removed deliveries need to finish (10 s) and the dataplane to answer (10 s). 0 with *out, which
// reload_free_result() frees; -ENOMEM.
int reload_run(struct reload *reload, bool dry, struct reload_result *out);
void reload_free_result(struct reload_result *result);

// What `dataplane` means, for people.
const char *reload_say_dataplane(enum reload_dataplane dataplane);

// Does so on a thread of its own, for a signal. Returns at once.
void reload_run_soon(struct reload *reload);

// The configuration penstockd works by; it stays as it is until reload_let_go(). Waits for a reload under way.
const struct config *reload_hold(struct reload *reload);
void reload_let_go(struct reload *reload);

// config_hash() of the files penstockd works by; *busy: a reload is under way, and the dataplane may be ahead or behind.
uint64_t reload_hash(struct reload *reload, bool *busy);

// What waits for the dataplane ends waiting, nothing new begins. Before the server is closed.
void reload_end(struct reload *reload);

// After everything that may call. NULL is fine.
void reload_close(struct reload *reload);
