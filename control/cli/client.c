#include "control/cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/config.h"

static int take_path(const char *path, const char *from, char *out)
{
	size_t length = strlen(path);

	if (!length || length >= sizeof(((struct client *)0)->socket)) {
		fprintf(stderr, "penstock: the socket path \"%s\" (%s) must have from 1 to %zu bytes\n", path, from,
			sizeof(((struct client *)0)->socket) - 1);
		return EXIT_USAGE;
	}
	memcpy(out, path, length + 1);
	return 0;
}

static int socket_of_config(const char *path, FILE *errors, char *out)
{
	struct config *config;
	int status = config_load(path, errors, &config);

	if (status)
		return 1;
	status = take_path(config->socket, path, out);
	config_free(config);
	return status;
}

int client_find_socket(const struct cli *cli, char *path)
{
	const char *environment = getenv("PENSTOCK_SOCKET");
	FILE *nowhere;
	int status;

	if (cli->socket)
		return take_path(cli->socket, "--socket", path);
	if (cli->config)
		return socket_of_config(cli->config, stderr, path);
	if (environment && *environment)
		return take_path(environment, "$PENSTOCK_SOCKET", path);
	/* Nobody named this file: when it is broken, that is penstockd's to say and `penstock check`'s. */
	nowhere = access(CLIENT_CONFIG_DEFAULT, R_OK) ? NULL : fopen("/dev/null", "we");
	if (nowhere) {
		status = socket_of_config(CLIENT_CONFIG_DEFAULT, nowhere, path);
		fclose(nowhere);
		if (!status)
			return 0;
	}
	return take_path(CLIENT_SOCKET_DEFAULT, "the default", path);
}

int client_open(struct client *client, const struct cli *cli)
{
	int status = client_find_socket(cli, client->socket);

	if (status)
		return status;
	client->fd = protocol_connect(client->socket);
	if (client->fd >= 0)
		return 0;
	if (client->fd == -ETIMEDOUT) {
		client_say_broken(client, client->fd);
		return 1;
	}
	fprintf(stderr, "penstock: cannot reach penstockd at %s: %s; ", client->socket, strerror(-client->fd));
	if (client->fd == -EACCES || client->fd == -EPERM)
		fputs("run as root or as a member of the socket's group (--socket or --config name another)\n", stderr);
	else
		fputs("is it running? (--socket or --config name another)\n", stderr);
	return 1;
}

int client_open_again(const struct client *client, struct client *out)
{
	memmove(out->socket, client->socket, sizeof(out->socket));
	out->fd = protocol_connect(out->socket);
	return out->fd < 0 ? out->fd : 0;
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

uint32_t client_patience(const char *op)
{
	/* These answer once the disk has taken what they change, and a disk may stall. */
	static const char *const durable[] = {"stream.create", "stream.delete", "cursor.put", "cursor.delete",
					      "delivery.redrive"};

	if (!strcmp(op, "reload"))
		return CLIENT_RELOAD_MS;
	/* And this one compiles rules first, which may take a while. */
	if (!strcmp(op, "replay"))
		return CLIENT_COMPILE_MS;
	for (size_t i = 0; i < sizeof(durable) / sizeof(*durable); i++) {
		if (!strcmp(op, durable[i]))
			return CLIENT_DURABLE_MS;
	}
	return CLIENT_IDLE_MS;
}

int client_receive(const struct client *client, uint32_t idle_ms, struct message *answer)
{
	const struct message_limits limits = {PROTOCOL_JSON_MAX, PROTOCOL_DATA_MAX, idle_ms, CLIENT_TRANSFER_MS};

	return message_receive_within(client->fd, &limits, answer);
}

// A socket outlives whoever listens on it, so what it takes without answering tells that its process is there and stuck.
static void say_silent(const struct client *client)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (client->fd < 0 || getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || peer.pid <= 0) {
		fprintf(stderr, "penstock: penstockd at %s does not answer: it is stopped or stuck; its log may say why, "
			"restart it when it does not come back\n", client->socket);
		return;
	}
	fprintf(stderr, "penstock: penstockd (process %d) at %s does not answer: it is stopped (kill -CONT %d lets it go on) or "
		"stuck; its log may say why, restart it when it does not come back\n", (int)peer.pid, client->socket,
		(int)peer.pid);
}

void client_say_broken(const struct client *client, int error)
{
	if (error == -ETIMEDOUT)
		say_silent(client);
	else if (error == -ECONNRESET || error == -EPIPE)
		fprintf(stderr, "penstock: penstockd at %s closed the connection; its log says why\n", client->socket);
	else if (error == -EPROTO || error == -EMSGSIZE)
		fprintf(stderr, "penstock: what answers at %s does not speak penstockd's protocol\n", client->socket);
	else
		fprintf(stderr, "penstock: talking to penstockd at %s: %s\n", client->socket, strerror(-error));
}

bool client_accept(const struct message *answer, const char *op)
{
	const char *name, *text;

	if (client_true(answer->json, "ok"))
		return true;
	name = client_text(answer->json, "error");
	text = client_text(answer->json, "message");
	fprintf(stderr, "penstock: %s: %s\n", op, *text ? text : *name ? name : "penstockd refused, and did not say why");
	return false;
}

int client_call(struct client *client, json_t *request, struct message *answer)
{
	char op[64];
	int error;

	snprintf(op, sizeof(op), "%s", client_text(request, "op"));
	error = message_send(client->fd, request, NULL, 0);
	json_decref(request);
	if (!error)
		error = client_receive(client, client_patience(op), answer);
	if (error) {
		client_say_broken(client, error);
		return 1;
	}
	if (client_accept(answer, op))
		return 0;
	message_free(answer);
	return 1;
}

uint64_t client_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_integer(value))
		return (uint64_t)json_integer_value(value);
	if (json_is_real(value))
		return json_real_value(value) > 0 ? (uint64_t)json_real_value(value) : 0;
	if (json_is_string(value))
		return strtoull(json_string_value(value), NULL, 10);
	return 0;
}

double client_real(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

const char *client_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

bool client_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

int client_print_json(const json_t *json, bool one_line)
{
	json_dumpf(json, stdout, one_line ? JSON_COMPACT : JSON_INDENT(2));
	putchar('\n');
	return client_finish_output();
}

int client_finish_output(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	if (errno != EPIPE)
		fprintf(stderr, "penstock: cannot write to standard output: %s\n", strerror(errno));
	return 1;
}
