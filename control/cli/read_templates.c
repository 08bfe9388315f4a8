// What `penstock read` decodes flows by: the templates that penstockd keeps of the stream.
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "control/cli/read.h"
#include "control/clock.h"
#include "dataplane/codec/templates.h"

#define TEMPLATES_BYTES (8u << 20)
#define ASK_AGAIN_MS 1000u

// Takes an answer's definitions. How many there were.
static uint32_t import(struct reader *r, const struct message *answer)
{
	uint32_t count = 0;
	uint16_t length;

	for (uint32_t at = 0; answer->data_bytes - at >= sizeof(length); at += length, count++) {
		memcpy(&length, answer->data + at, sizeof(length));
		at += (uint32_t)sizeof(length);
		if (length > answer->data_bytes - at)
			break;
		/* One of a newer penstockd that this program does not know: its flows stay undecoded. */
		(void)templates_import(r->templates, answer->data + at, length);
	}
	return count;
}

// Asks for what is new. True when there was something; what goes wrong is said once.
static bool ask(struct reader *r)
{
	bool more = true, news = false;

	while (more) {
		json_t *request = json_pack("{s:s, s:s, s:I}", "op", "template.list", "stream", r->options->stream, "after",
					    (json_int_t)r->templates_last);
		struct message answer;

		if (!request || client_call(&r->client, request, &answer))
			return news;
		news |= import(r, &answer) > 0;
		more = client_true(answer.json, "more");
		r->templates_last = client_number(answer.json, "last");
		message_free(&answer);
	}
	return news;
}

bool reader_flows(void *context, bool missing)
{
	struct reader *r = context;
	uint64_t seed = 0, now = clock_monotonic_ms();
	bool first = !r->templates;

	if (first) {
		if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
			seed = now;
		if (templates_create(TEMPLATES_BYTES, seed, &r->templates))
			return false;
		format_use_templates(r->format, r->templates);
	}
	/* At first; when one is missing; and, where time goes on while reading, when there may be a newer one. */
	if (!first && (now - r->templates_ms < ASK_AGAIN_MS || !(missing || r->options->follow)))
		return false;
	r->templates_ms = now;
	return ask(r);
}
