#include "control/cli/top_look.h"

#include <stdio.h>
#include <string.h>

static int ask(struct look *look, const char *op, json_t **answer)
{
	struct message message;
	int status = client_call(&look->client, json_pack("{s:s}", "op", op), &message);

	if (status) {
		client_close(&look->client);
		return status;
	}
	*answer = json_incref(message.json);
	message_free(&message);
	return 0;
}

int look_take(struct look *look, const struct cli *cli, bool ledger)
{
	json_t *answer;
	struct state next;
	int status = look->client.fd < 0 ? client_open(&look->client, cli) : 0;

	if (!status)
		status = ask(look, "status", &answer);
	if (status)
		return status;
	status = state_parse(answer, &next);
	if (status) {
		state_free(&next);
		fprintf(stderr, "penstock: penstockd's answer to status: %s\n", strerror(-status));
		return 1;
	}
	state_free(&look->then);
	if (look->taken++)
		look->then = look->now;
	else
		memset(&look->then, 0, sizeof(look->then));
	look->now = next;
	if (!ledger)
		return 0;
	status = ask(look, "ledger", &answer);
	if (status)
		return status;
	json_decref(look->ledger);
	look->ledger = answer;
	return 0;
}

void look_close(struct look *look)
{
	state_free(&look->then);
	state_free(&look->now);
	json_decref(look->ledger);
	client_close(&look->client);
}
