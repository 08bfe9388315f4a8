// Any bytes as what a client writes to penstockd's socket: messages and the fields of requests, without a daemon.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/server/protocol.h"
#include "control/server/session.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX 100000u /* a socket's buffer takes this much at once */

static void read_fields(const json_t *request)
{
	static const char *const numbers[] = {"shard", "sequence", "shards", "wait_ms", "records", "time_ns"};
	struct answer answer = {0};
	const char *text;
	uint64_t number;

	if (request_text(request, "op", 32, &text, &answer)) {
		fuzz_require(strlen(text) >= 1 && strlen(text) <= 32);
		operation_find(text);
	}
	if (request_text(request, "stream", STREAM_NAME_MAX, &text, &answer))
		fuzz_require(strlen(text) <= STREAM_NAME_MAX);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		answer = (struct answer){0};
		if (request_number(request, numbers[i], 1, 1u << 20, REQUEST_NEEDED, &number, &answer))
			fuzz_require(number >= 1 && number <= 1u << 20 && !answer.error);
		else
			fuzz_require(answer.error && answer.message[0]);
	}
}

/* What was received is sent and received again as the same. */
static void there_and_back(struct message *m)
{
	int pair[2], sizes = 1 << 20;
	struct message again;

	if (m->data_bytes > INPUT_MAX)
		return;
	fuzz_require(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &sizes, sizeof sizes);
	fuzz_require(message_send(pair[0], m->json, m->data, m->data_bytes) == 0);
	fuzz_require(message_receive(pair[1], &again) == 0);
	fuzz_require(json_equal(m->json, again.json) && m->data_bytes == again.data_bytes);
	fuzz_require(m->data_bytes == 0 || memcmp(m->data, again.data, m->data_bytes) == 0);
	message_free(&again);
	close(pair[0]);
	close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct message_limits limits = {65536, 65536, 1000, 1000};
	int pair[2], error, sizes = 1 << 20;
	struct message m;

	if (size > INPUT_MAX)
		return -1;
	fuzz_require(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &sizes, sizeof sizes);
	fuzz_require(write(pair[0], data, size) == (ssize_t)size);
	close(pair[0]);
	while ((error = message_receive_within(pair[1], &limits, &m)) == 0) {
		fuzz_require(m.json && m.data_bytes <= limits.data_bytes);
		read_fields(m.json);
		there_and_back(&m);
		message_free(&m);
	}
	fuzz_require(error == -ECONNRESET || error == -EMSGSIZE || error == -EPROTO);
	close(pair[1]);
	return 0;
}
