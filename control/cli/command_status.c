// penstock status
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/state.h"
#include "control/cli/table.h"
#include "control/cli/units.h"

enum { OPTION_JSON = ARGUMENT_LONG };

static const struct argument_option options[] = {
	{"json", OPTION_JSON, NULL, "everything penstockd tells, as JSON"},
	{NULL, 0, NULL, NULL},
};

static void print_health(const struct state *s)
{
	bool colour = table_colours(stdout);
	char text[UNITS_TEXT_MAX];

	printf("%s%s%s\n", colour ? s->healthy ? "\033[32m" : "\033[1;31m" : "", s->healthy ? "healthy" : "UNHEALTHY",
	       colour ? "\033[0m" : "");
	for (size_t i = 0; i < json_array_size(s->problems); i++)
		printf("  ! %s\n", json_string_value(json_array_get(s->problems, i)));
	printf("penstockd   up %s, pid %" PRIu64 "\n", units_duration(text, s->penstockd_uptime_ns), client_number(s->json, "pid"));
	printf("dataplane   %s", s->dataplane);
	if (s->dataplane_alive)
		printf(", up %s, pid %" PRIu64, units_duration(text, s->dataplane_uptime_ns),
		       client_number(json_object_get(s->json, "dataplane"), "pid"));
	printf("\nledger      %s unaccounted\n", units_count(text, s->unaccounted));
	printf("store       %s written", units_bytes(text, (double)s->written_bytes));
	printf(" in %s commits, %s", units_count(text, s->commits), s->direct_io ? "direct I/O" : "buffered");
	printf(", %s write errors%s\n\n", units_count(text, s->write_errors), s->stalled ? ", STALLED" : "");
}

static void print_ports(const struct state *s)
{
	static const char *const titles[] = {"PORT", "DRIVER", "LINK", "FRAMES", "BYTES", "MISSED", "ERRORS", "NO_MBUF", "DOWN"};
	static const enum table_align align[] = {TABLE_LEFT, TABLE_LEFT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT,
						 TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT};
	struct table *t;

	if (!s->ports_count)
		return;
	t = table_new(9, titles, align);
	for (uint32_t i = 0; i < s->ports_count; i++) {
		const struct state_port *p = &s->ports[i];
		char text[UNITS_TEXT_MAX];

		table_add(t, "%s", p->name);
		table_add(t, "%s%s", p->driver, p->accountable ? "" : " (unaccountable)");
		table_add(t, "%s", !p->link_up ? "down" : p->link_mbps ? units_short(text, (double)p->link_mbps * 1e6) : "up");
		table_add(t, "%s", units_count(text, p->rx));
		table_add(t, "%s", units_bytes(text, (double)p->rx_bytes));
		table_add(t, "%s", units_count(text, p->missed));
		table_add(t, "%s", units_count(text, p->errors));
		table_add(t, "%s", units_count(text, p->no_mbuf));
		table_add(t, "%s", units_count(text, p->down));
	}
	table_print(t, stdout, 0);
	table_free(t);
	putchar('\n');
}

static void print_streams(const struct state *s)
{
	static const char *const titles[] = {"STREAM", "SHARDS", "STORED", "RETAINED", "BYTES", "OLDEST", "LOST"};
	static const enum table_align align[] = {TABLE_LEFT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT};
	struct table *t;

	if (!s->streams_count) {
		puts("no streams: penstock stream create NAME --shards N makes one");
		return;
	}
	t = table_new(7, titles, align);
	for (uint32_t i = 0; i < s->streams_count; i++) {
		const struct state_stream *r = &s->streams[i];
		char text[UNITS_TEXT_MAX];

		table_add(t, "%s", r->name);
		table_add(t, "%s", units_count(text, r->shards));
		table_add(t, "%s", units_count(text, r->stored_records));
		table_add(t, "%s", units_count(text, r->retained_records));
		table_add(t, "%s", units_bytes(text, (double)r->retained_bytes));
		table_add(t, "%s", r->oldest_ns && s->now_ns > r->oldest_ns ? units_duration(text, s->now_ns - r->oldest_ns) : "-");
		table_add(t, "%s", units_count(text, r->lost_records + r->expired_early_records + r->gap_records));
	}
	table_print(t, stdout, 0);
	table_free(t);
}

static void print_deliveries(const struct state *s)
{
	static const char *const titles[] = {"DELIVERY", "STREAM", "TO", "DELIVERED", "OBJECTS", "PENDING", "FAILED", "EXPIRED"};
	static const enum table_align align[] = {TABLE_LEFT, TABLE_LEFT, TABLE_LEFT, TABLE_RIGHT,
						 TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT};
	struct table *t;

	if (!s->deliveries_count)
		return;
	t = table_new(8, titles, align);
	for (uint32_t i = 0; i < s->deliveries_count; i++) {
		const struct state_delivery *d = &s->deliveries[i];
		char text[UNITS_TEXT_MAX];

		table_add(t, "%s%s", d->name, d->running ? "" : " (stopped)");
		table_add(t, "%s", d->stream);
		table_add(t, "%s%s", strcmp(d->kind, "s3") ? "" : "s3://", d->destination);
		table_add(t, "%s", units_count(text, d->delivered_records));
		table_add(t, "%s", units_count(text, d->delivered_objects));
		table_add(t, "%s", units_count(text, d->pending_records));
		table_add(t, "%s", units_count(text, d->failed_records));
		table_add(t, "%s", units_count(text, d->expired_records));
	}
	putchar('\n');
	table_print(t, stdout, 0);
	table_free(t);
}

static int print(const json_t *answer)
{
	struct state s;
	int error = state_parse(json_incref((json_t *)answer), &s);

	if (error) {
		fprintf(stderr, "penstock: penstockd's answer to status: %s\n", strerror(-error));
		state_free(&s);
		return 1;
	}
	print_health(&s);
	print_ports(&s);
	print_streams(&s);
	print_deliveries(&s);
	state_free(&s);
	return client_finish_output();
}

static int status(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct message answer;
	struct client client;
	struct arguments a;
	bool json = false;
	int option, code;

	arguments_start(&a, cli, self, argc, argv);
	while ((option = arguments_next(&a)) > 0)
		json |= option == OPTION_JSON;
	if (option == 0)
		return a.status;
	code = arguments_operands(&a, 0, 0);
	if (!code)
		code = client_open(&client, cli);
	if (code)
		return code;
	code = client_call(&client, json_pack("{s:s}", "op", "status"), &answer);
	client_close(&client);
	if (code)
		return code;
	code = json ? client_print_json(answer.json, false) : print(answer.json);
	message_free(&answer);
	return code;
}

const struct command command_status = {
	"status", "[--json]", "What is there and how it is: health, ports, streams, deliveries",
	"Exit status 0 when penstockd answered, healthy or not; \"healthy\" and \"problems\" in --json say which.",
	options, status, NULL};
