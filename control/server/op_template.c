#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/clock.h"
#include "control/server/operations.h"
#include "dataplane/codec/templates.h"

#define ANSWER_MOST (1u << 20)
#define PATIENCE_MS 2000u /* for what is stored now to be learned from */
#define SLICE_MS 20u

struct gathering {
	uint8_t *bytes;
	uint32_t used;
	uint64_t last;
	bool full;
};

static bool take(void *arg, uint64_t id, const uint8_t *saved, uint32_t length)
{
	struct gathering *g = arg;
	uint16_t prefix = (uint16_t)length;

	if (ANSWER_MOST - g->used < length + sizeof prefix) {
		g->full = true;
		return false;
	}
	memcpy(g->bytes + g->used, &prefix, sizeof prefix);
	memcpy(g->bytes + g->used + sizeof prefix, saved, length);
	g->used += (uint32_t)sizeof prefix + length;
	g->last = id;
	return true;
}

/* Who asks wants to decode what is stored by now. */
static void wait_learned(struct session *session, const struct stream *stream)
{
	uint64_t until = clock_monotonic_ms() + PATIENCE_MS, last;

	for (uint32_t i = 0; i < stream->info.shards; i++) {
		struct shard_status status;

		shard_get_status(stream->shards[i], &status);
		while (!learner_passed(session->daemon->learner, stream->info.id, i, status.durable_sequence, &last) &&
		       clock_monotonic_ms() < until && !atomic_load(&session->stop) &&
		       !streams_is_deleting(session->daemon->streams, stream))
			shard_wait(stream->shards[i], UINT64_MAX, SLICE_MS);
	}
}

void operate_template_list(struct session *session, const json_t *request, struct answer *answer)
{
	struct stream *stream = request_stream(session, request, "stream", answer);
	struct gathering g = {0};
	uint64_t after;
	int error;

	if (!stream)
		return;
	if (request_number(request, "after", 0, INT64_MAX, 0, &after, answer)) {
		g.bytes = answer->owned = malloc(ANSWER_MOST);
		g.last = after;
		wait_learned(session, stream);
		error = g.bytes ? metadata_visit_templates(session->daemon->metadata, stream->info.id, after, INT64_MAX, take, &g) :
				  -ENOMEM;
		if (error) {
			answer_errno(answer, error, "read the flow templates");
		} else {
			answer->json = json_pack("{s:I, s:b}", "last", (json_int_t)g.last, "more", g.full);
			answer->data = g.bytes;
			answer->data_bytes = g.used;
		}
	}
	streams_release(session->daemon->streams, stream);
}
