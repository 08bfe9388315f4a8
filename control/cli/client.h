// A connection to penstockd, with errors told to the person in front of the terminal.
#pragma once

#include <jansson.h>

#include "control/cli/arguments.h"
#include "control/server/protocol.h"

#define CLIENT_SOCKET_DEFAULT "/run/penstock/penstockd.sock"
#define CLIENT_CONFIG_DEFAULT "/etc/penstock/penstock.yaml"

#define CLIENT_IDLE_MS 5000u      /* for the first byte of an answer */
#define CLIENT_DURABLE_MS 30000u  /* where it waits for the disk */
#define CLIENT_RELOAD_MS 90000u   /* where it waits for deliveries that finish and for the dataplane */
#define CLIENT_COMPILE_MS 120000u /* and where it compiles rules */
#define CLIENT_TRANSFER_MS 60000u /* from its first byte to its last */

struct client {
	int fd;
	char socket[108]; /* sockaddr_un's own limit */
};

// Finds the socket (--socket, else --config's, else $PENSTOCK_SOCKET, else that of /etc/penstock/penstock.yaml where there
// is one, else the default) into `path` (108 bytes). 0, or the exit status after saying what is wrong.
int client_find_socket(const struct cli *cli, char *path);

// Connects. 0, or the exit status after saying what is wrong.
int client_open(struct client *client, const struct cli *cli);

// The same for a further connection to where `client` goes; `out` may be `client` itself. 0 or -errno, nothing said.
int client_open_again(const struct client *client, struct client *out);

void client_close(struct client *client);

// How long the first byte of the answer to `op` may take, in ms.
uint32_t client_patience(const char *op);

// Receives an answer whose first byte may take `idle_ms`. As message_receive(), and -ETIMEDOUT.
int client_receive(const struct client *client, uint32_t idle_ms, struct message *answer);

// Sends `request` (the reference is taken) and receives the answer into *answer, freed by the caller with message_free().
// 0, or 1 after saying what is wrong: the connection broke, nobody answered in time, or the answer is an error.
int client_call(struct client *client, json_t *request, struct message *answer);

// True when the answer is a success; else says its error, naming `op`.
bool client_accept(const struct message *answer, const char *op);

// Says that the connection broke with `error` (-errno).
void client_say_broken(const struct client *client, int error);

/* Fields of answers: absent or of another type gives 0, "" or false. Numbers may stand as decimal strings. */
uint64_t client_number(const json_t *object, const char *key);
double client_real(const json_t *object, const char *key);
const char *client_text(const json_t *object, const char *key);
bool client_true(const json_t *object, const char *key);

// Prints JSON to stdout, indented or on one line, with a newline. 0, or 1 when stdout could not take it (said).
int client_print_json(const json_t *json, bool one_line);

// Flushes stdout: 0, or 1 when it could not take everything. A closed pipe is not worth a word, the rest is said.
int client_finish_output(void);
