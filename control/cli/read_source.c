#include "control/cli/read_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void drop_batch(struct source *s)
{
	if (s->batch.json)
		message_free(&s->batch);
	memset(&s->batch, 0, sizeof(s->batch));
}

int source_ask(struct source *s)
{
	uint64_t from = s->batch.json && s->batch_next > s->next ? s->batch_next : s->next;
	char text[24];
	json_t *request;
	int error;

	snprintf(text, sizeof(text), "%" PRIu64, from);
	request = json_pack("{s:s, s:s, s:I, s:s, s:I}", "op", "read", "stream", s->stream, "shard", (json_int_t)s->shard,
			    "sequence", text, "wait_ms", (json_int_t)s->wait_ms);
	if (!request)
		return -ENOMEM;
	error = message_send(s->client->fd, request, NULL, 0);
	json_decref(request);
	s->asked = !error;
	return error;
}

int source_take(struct source *s)
{
	uint64_t before;
	int error;

	drop_batch(s);
	error = client_receive(s->client, s->wait_ms + CLIENT_IDLE_MS, &s->batch);
	s->asked = false;
	if (error) {
		memset(&s->batch, 0, sizeof(s->batch));
		return error;
	}
	if (!client_accept(&s->batch, "read")) {
		drop_batch(s);
		return -EREMOTEIO;
	}
	s->missed = 0;
	s->tail = client_true(s->batch.json, "tail");
	if (s->tail) {
		drop_batch(s);
		return 0;
	}
	s->batch_first = client_number(s->batch.json, "first_sequence");
	s->batch_next = client_number(s->batch.json, "next_sequence");
	s->stored_ns = client_number(s->batch.json, "stored_ns");
	before = client_number(s->batch.json, "records_before");
	s->offset = 0;
	s->sequence = s->batch_first;
	s->damaged = false;
	if (s->batch_first >= s->next) {
		/* Nothing from `next` up to here is there any more; the data records among it are the difference. */
		s->missed = before > s->records ? before - s->records : 0;
		s->next = s->batch_first;
		s->records = before;
	}
	return 1;
}

// What a gap that stands for the rest of its batch says to have been there.
static uint64_t gap_records(const struct record *r)
{
	struct gap gap;

	if (r->kind != RECORD_GAP || r->length < sizeof(gap))
		return 0;
	memcpy(&gap, record_payload(r), sizeof(gap));
	return gap.count == GAP_COUNT_UNKNOWN ? 0 : gap.count;
}

const struct record *source_next(struct source *s, uint64_t *sequence)
{
	while (s->batch.json && s->sequence < s->batch_next && s->sequence < s->end) {
		const struct record *r = (const struct record *)(s->batch.data + s->offset);
		uint32_t bytes = record_check(r, s->batch.data_bytes - s->offset);
		bool rest;

		if (!bytes) { /* penstockd verified it: what stands here is a fault of the connection or of one of us */
			s->damaged = true;
			break;
		}
		s->offset += bytes;
		*sequence = s->sequence++;
		/* A damaged batch comes as one gap for all its sequences. */
		rest = s->offset == s->batch.data_bytes && s->sequence < s->batch_next;
		if (rest)
			s->sequence = s->batch_next;
		if (s->sequence <= s->next)
			continue;
		s->next = s->sequence;
		s->records += rest ? gap_records(r) : record_is_data(r);
		return r;
	}
	drop_batch(s);
	return NULL;
}

void source_reset(struct source *s)
{
	drop_batch(s);
	s->asked = false;
}
