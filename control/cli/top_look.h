// Two looks at penstockd, the last and the one before.
#pragma once

#include "control/cli/client.h"
#include "control/cli/state.h"

struct look { /* zero it, client.fd = -1 */
	struct client client;
	struct state then, now; /* `then` is of the same penstockd; both valid once two looks were taken */
	unsigned taken;
	json_t *ledger;         /* of the last look that asked for it */
};

// Asks again: what was `now` becomes `then`. With `ledger` it asks for that, too. Connects when it is not.
// 0, or the exit status after saying what is wrong on stderr; what was there stays.
int look_take(struct look *look, const struct cli *cli, bool ledger);
void look_close(struct look *look);
