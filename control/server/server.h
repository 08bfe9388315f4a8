// penstockd's local socket: who may connect, how many at once, and for how long.
#pragma once

#include <stdint.h>

struct daemon;
struct server; /* opaque */

#define SERVER_SESSIONS_MAX 256u
#define SERVER_SESSIONS_SHORT 16u /* of them, that followers cannot take: status, ledger, streams and cursors get in */

// Takes `path` (mode 0660; a socket left there by a dead penstockd is replaced) and serves it with a thread for each
// client. 0; -EADDRINUSE another penstockd answers there; -ENOTSOCK something else lies there; -errno; all logged.
int server_open(const char *path, struct daemon *daemon, struct server **out);

// Takes no more clients and ends the sessions there are: a request under way is answered if it can be within a second.
// Removes the socket. NULL is fine.
void server_close(struct server *server);
