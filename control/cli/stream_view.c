#include "control/cli/stream_view.h"

#include <stdio.h>
#include <time.h>

#include "control/cli/client.h"
#include "control/cli/table.h"
#include "control/cli/units.h"
#include "control/store/store.h"

static const char *retention(const json_t *stream, char *text, size_t size)
{
	char time[UNITS_TEXT_MAX], bytes[UNITS_TEXT_MAX];
	uint64_t most = client_number(stream, "retention_bytes");

	units_duration(time, client_number(stream, "retention_seconds") * 1000000000u);
	snprintf(text, size, "%s%s%s", time, most ? ", " : "", most ? units_bytes(bytes, (double)most) : "");
	return text;
}

static const char *age(uint64_t ns, char *text)
{
	struct timespec now;
	uint64_t now_ns;

	clock_gettime(CLOCK_REALTIME, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return ns && now_ns > ns ? units_duration(text, now_ns - ns) : "-";
}

int stream_print_list(const json_t *streams)
{
	static const char *const titles[] = {"STREAM", "SHARDS", "RETENTION", "RECORDS", "BYTES", "OLDEST"};
	static const enum table_align align[] = {TABLE_LEFT, TABLE_RIGHT, TABLE_LEFT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT};
	struct table *t = table_new(6, titles, align);
	const json_t *stream;
	char text[2 * UNITS_TEXT_MAX + 8];
	size_t i;

	json_array_foreach(streams, i, stream) {
		table_add(t, "%s", client_text(stream, "name"));
		table_add(t, "%s", units_count(text, client_number(stream, "shards")));
		table_add(t, "%s", retention(stream, text, sizeof(text)));
		table_add(t, "%s", units_count(text, client_number(stream, "retained_records")));
		table_add(t, "%s", units_bytes(text, (double)client_number(stream, "retained_bytes")));
		table_add(t, "%s", age(client_number(stream, "oldest_ns"), text));
	}
	if (json_array_size(streams))
		table_print(t, stdout, 0);
	else
		fputs("no streams: penstock stream create NAME --shards N makes one\n", stderr);
	table_free(t);
	return client_finish_output();
}

static void print_shards(const json_t *shards)
{
	static const char *const titles[] = {"SHARD", "RECORDS", "BYTES", "OLDEST", "EXPIRED", "LOST", "NEXT SEQUENCE", "HASH KEYS"};
	static const enum table_align align[] = {TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT,
						 TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_LEFT};
	struct table *t = table_new(8, titles, align);
	const json_t *shard;
	char text[SEQUENCE_TEXT_MAX > UNITS_TEXT_MAX ? SEQUENCE_TEXT_MAX : UNITS_TEXT_MAX];
	size_t i;

	json_array_foreach(shards, i, shard) {
		table_add(t, "%u", (unsigned)client_number(shard, "number"));
		table_add(t, "%s", units_count(text, client_number(shard, "retained_records")));
		table_add(t, "%s", units_bytes(text, (double)client_number(shard, "retained_bytes")));
		table_add(t, "%s", age(client_number(shard, "oldest_ns"), text));
		table_add(t, "%s", units_count(text, client_number(shard, "expired_records")));
		table_add(t, "%s", units_count(text, client_number(shard, "lost_records")));
		sequence_format(text, (uint32_t)client_number(shard, "number"), client_number(shard, "next_sequence"));
		table_add(t, "%s", text);
		table_add(t, "%s-%s", client_text(shard, "starting_hash_key"), client_text(shard, "ending_hash_key"));
	}
	table_print(t, stdout, 2);
	table_free(t);
}

void stream_print_cursors(const json_t *cursors)
{
	static const char *const titles[] = {"CURSOR", "SHARD", "AT SEQUENCE", "RECORDS BEHIND"};
	static const enum table_align align[] = {TABLE_LEFT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT};
	struct table *t;
	const json_t *cursor;
	char text[SEQUENCE_TEXT_MAX > UNITS_TEXT_MAX ? SEQUENCE_TEXT_MAX : UNITS_TEXT_MAX];
	size_t i;

	if (!json_array_size(cursors))
		return;
	t = table_new(4, titles, align);
	json_array_foreach(cursors, i, cursor) {
		table_add(t, "%s", client_text(cursor, "name"));
		table_add(t, "%u", (unsigned)client_number(cursor, "shard"));
		sequence_format(text, (uint32_t)client_number(cursor, "shard"), client_number(cursor, "sequence"));
		table_add(t, "%s", text);
		table_add(t, "%s", units_count(text, client_number(cursor, "behind")));
	}
	table_print(t, stdout, 2);
	table_free(t);
}

int stream_print(const json_t *stream)
{
	char text[2 * UNITS_TEXT_MAX + 8];

	printf("%s\n", client_text(stream, "name"));
	printf("  created    %s\n", units_instant(text, client_number(stream, "created_ns")));
	printf("  retention  %s\n", retention(stream, text, sizeof(text)));
	printf("  stored     %s records\n", units_count(text, client_number(stream, "stored_records")));
	printf("  retained   %s records", units_count(text, client_number(stream, "retained_records")));
	printf(", %s on disk\n", units_bytes(text, (double)client_number(stream, "retained_bytes")));
	printf("  expired    %s records", units_count(text, client_number(stream, "expired_records")));
	printf(", %s of them before their time\n", units_count(text, client_number(stream, "expired_early_records")));
	printf("  lost       %s records in damaged batches", units_count(text, client_number(stream, "lost_records")));
	printf(", %s told by gaps\n", units_count(text, client_number(stream, "gap_records")));
	if (!client_true(stream, "writable"))
		puts("  NOT WRITABLE: the disk refuses its records");
	putchar('\n');
	print_shards(json_object_get(stream, "shards"));
	if (json_array_size(json_object_get(stream, "cursors")))
		putchar('\n');
	stream_print_cursors(json_object_get(stream, "cursors"));
	return client_finish_output();
}
