#include "control/cli/read_cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "control/clock.h"

static int receive(struct cursors *c, const char *op, struct message *answer)
{
	int error = client_receive(&c->client, client_patience(op), answer);

	if (error)
		return error;
	if (client_accept(answer, op))
		return 0;
	message_free(answer);
	return -EREMOTEIO;
}

int cursors_get(struct cursors *c, struct cursor_place *place)
{
	json_t *request = json_pack("{s:s, s:s, s:I, s:s}", "op", "cursor.get", "stream", c->stream, "shard",
				    (json_int_t)place->shard, "name", c->name);
	struct message answer;
	int error;

	if (!request)
		return -EINVAL;
	error = message_send(c->client.fd, request, NULL, 0);
	json_decref(request);
	if (!error)
		error = receive(c, "cursor.get", &answer);
	if (error)
		return error;
	place->durable = UINT64_MAX;
	if (!client_true(answer.json, "absent")) {
		place->sequence = place->durable = client_number(answer.json, "sequence");
		place->records = client_number(answer.json, "records");
		error = 1;
	}
	message_free(&answer);
	return error;
}

static int send_place(struct cursors *c, struct cursor_place *place)
{
	char text[24];
	json_t *request;
	int error;

	snprintf(text, sizeof(text), "%" PRIu64, place->sequence);
	request = json_pack("{s:s, s:s, s:I, s:s, s:s, s:I}", "op", "cursor.put", "stream", c->stream, "shard",
			    (json_int_t)place->shard, "name", c->name, "sequence", text, "records", (json_int_t)place->records);
	if (!request)
		return -ENOMEM;
	error = message_send(c->client.fd, request, NULL, 0);
	json_decref(request);
	if (error)
		return error;
	place->sent = place->sequence;
	c->asked = true;
	return 0;
}

// Sends the next place of the round that is ahead of what is durable.
static int send_next(struct cursors *c)
{
	while (c->left) {
		struct cursor_place *place;

		c->left--;
		c->turn = (c->turn + 1) % c->count;
		place = &c->places[c->turn];
		if (place->sequence != place->durable)
			return send_place(c, place);
	}
	return 0;
}

static int take_answer(struct cursors *c)
{
	struct message answer;
	int error = receive(c, "cursor.put", &answer);

	c->asked = false;
	if (error)
		return error;
	message_free(&answer);
	c->places[c->turn].durable = c->places[c->turn].sent;
	return 0;
}

bool cursors_due(const struct cursors *c)
{
	if (c->asked || !c->printed)
		return false;
	return c->printed >= CURSOR_COMMIT_RECORDS || clock_monotonic_ms() - c->committed_ms >= CURSOR_COMMIT_MS;
}

int cursors_begin(struct cursors *c)
{
	c->printed = 0;
	c->committed_ms = clock_monotonic_ms();
	c->left = c->count;
	return send_next(c);
}

int cursors_step(struct cursors *c)
{
	struct pollfd ready = {.fd = c->client.fd, .events = POLLIN};
	int error;

	if (!c->asked || (c->printed < CURSOR_AHEAD_MAX && poll(&ready, 1, 0) <= 0))
		return 0;
	error = take_answer(c);
	return error ? error : send_next(c);
}

int cursors_finish(struct cursors *c)
{
	int error = 0;

	if (c->asked)
		error = take_answer(c);
	if (!error)
		error = cursors_begin(c);
	while (!error && c->asked) {
		error = take_answer(c);
		if (!error)
			error = send_next(c);
	}
	return error;
}

void cursors_reset(struct cursors *c)
{
	c->asked = false;
	c->left = 0;
}
