#include "control/cli/delivery_view.h"

#include <inttypes.h>
#include <stdio.h>

#include "control/cli/client.h"
#include "control/cli/table.h"
#include "control/cli/units.h"
#include "control/store/store.h"

static const char *state_of(const json_t *delivery)
{
	if (!client_true(delivery, "running"))
		return "not running";
	return client_number(delivery, "retrying_since_ns") ? "retrying" : "delivers";
}

int delivery_print_list(const json_t *deliveries)
{
	static const char *const titles[] = {"DELIVERY", "STREAM",  "STATE",  "DELIVERED",
					     "PENDING",  "FAILED", "EXPIRED", "OBJECTS"};
	static const enum table_align align[] = {TABLE_LEFT,  TABLE_LEFT,  TABLE_LEFT,  TABLE_RIGHT,
						 TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT};
	static const char *const numbers[] = {"delivered", "pending", "failed", "expired", "objects"};
	struct table *t = table_new(8, titles, align);
	const json_t *delivery;
	char text[UNITS_TEXT_MAX];
	size_t i;

	json_array_foreach(deliveries, i, delivery) {
		table_add(t, "%s", client_text(delivery, "name"));
		table_add(t, "%s", client_text(delivery, "stream"));
		table_add(t, "%s", state_of(delivery));
		for (size_t n = 0; n < sizeof(numbers) / sizeof(*numbers); n++)
			table_add(t, "%s", units_count(text, client_number(delivery, numbers[n])));
	}
	if (json_array_size(deliveries))
		table_print(t, stdout, 0);
	else
		fputs("no deliveries: the configuration names none\n", stderr);
	table_free(t);
	return client_finish_output();
}

static void print_shards(const json_t *shards)
{
	static const char *const titles[] = {"SHARD", "TAKEN", "DELIVERED", "PENDING", "FAILED", "EXPIRED", "NEXT SEQUENCE"};
	static const enum table_align align[] = {TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT,
						 TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT};
	static const char *const numbers[] = {"taken", "delivered", "pending", "failed", "expired"};
	struct table *t = table_new(7, titles, align);
	const json_t *shard;
	char text[SEQUENCE_TEXT_MAX > UNITS_TEXT_MAX ? SEQUENCE_TEXT_MAX : UNITS_TEXT_MAX];
	size_t i;

	json_array_foreach(shards, i, shard) {
		table_add(t, "%u", (unsigned)client_number(shard, "shard"));
		for (size_t n = 0; n < sizeof(numbers) / sizeof(*numbers); n++)
			table_add(t, "%s", units_count(text, client_number(shard, numbers[n])));
		sequence_format(text, (uint32_t)client_number(shard, "shard"), client_number(shard, "next_sequence"));
		table_add(t, "%s", text);
	}
	table_print(t, stdout, 2);
	table_free(t);
}

static void print_dead_summary(const json_t *dead)
{
	char text[UNITS_TEXT_MAX];
	uint64_t most = client_number(dead, "bytes_most");

	printf("  dead       %s objects", units_count(text, client_number(dead, "objects")));
	printf(", %s", units_bytes(text, (double)client_number(dead, "bytes")));
	if (most)
		printf(" of %s", units_bytes(text, (double)most));
	printf(" in %s\n", client_text(dead, "directory"));
	if (*client_text(dead, "error"))
		printf("             %s\n", client_text(dead, "error"));
}

int delivery_print(const json_t *delivery)
{
	char text[UNITS_TEXT_MAX];

	printf("%s\n", client_text(delivery, "name"));
	printf("  stream     %s\n", client_text(delivery, "stream"));
	printf("  to         %s %s, as %s...\n", client_text(delivery, "kind"), client_text(delivery, "destination"),
	       client_text(delivery, "prefix"));
	printf("  objects    %s, compression %s", client_text(delivery, "format"), client_text(delivery, "compression"));
	printf(", at %s", units_bytes(text, (double)client_number(delivery, "buffer_bytes")));
	printf(" or after %" PRIu64 " s\n", client_number(delivery, "buffer_seconds"));
	printf("  state      %s", state_of(delivery));
	if (client_number(delivery, "retrying_since_ns"))
		printf(" since %s", units_instant(text, client_number(delivery, "retrying_since_ns")));
	printf("; an object is tried for %" PRIu64 " s\n", client_number(delivery, "retry_seconds"));
	if (*client_text(delivery, "last_error"))
		printf("  last error %s\n", client_text(delivery, "last_error"));
	print_dead_summary(json_object_get(delivery, "dead"));
	putchar('\n');
	print_shards(json_object_get(delivery, "shards"));
	return client_finish_output();
}

int delivery_print_dead(const json_t *dead)
{
	static const char *const titles[] = {"SINCE", "RECORDS", "ATTEMPTS", "OBJECT", "WHY"};
	static const enum table_align align[] = {TABLE_LEFT, TABLE_RIGHT, TABLE_RIGHT, TABLE_LEFT, TABLE_LEFT};
	struct table *t = table_new(5, titles, align);
	const json_t *note;
	char text[UNITS_TEXT_MAX];
	size_t i;

	json_array_foreach(dead, i, note) {
		table_add(t, "%s", client_text(note, "time"));
		table_add(t, "%s", units_count(text, client_number(note, "records")));
		table_add(t, "%s", units_count(text, client_number(note, "attempts")));
		table_add(t, "%s", client_text(note, "object"));
		table_add(t, "%s", *client_text(note, "reason") ? client_text(note, "reason") : client_text(note, "error"));
	}
	if (json_array_size(dead))
		table_print(t, stdout, 0);
	else
		fputs("no dead letters\n", stderr);
	table_free(t);
	return client_finish_output();
}
