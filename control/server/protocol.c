// Framing of messages on a local stream socket, for both ends.
#include "control/server/protocol.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/clock.h"

#define DEPTH_MAX 32
#define CONNECT_TIMEOUT_S 5
#define FIRST_PIECE (1u << 20) /* what a claimed length is worth before its bytes arrive */

struct frame { /* little endian, as on the wire */
	uint32_t json_bytes, data_bytes;
};

void message_free(struct message *m)
{
	json_decref(m->json);
	free(m->data);
	*m = (struct message){0};
}

static int send_all(int fd, struct iovec *part, int parts)
{
	struct msghdr header = {.msg_iov = part, .msg_iovlen = (size_t)parts};

	while (header.msg_iovlen > 0) {
		ssize_t n = sendmsg(fd, &header, MSG_NOSIGNAL);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return errno == EPIPE ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
		}
		while (header.msg_iovlen > 0 && (size_t)n >= header.msg_iov->iov_len) {
			n -= (ssize_t)header.msg_iov->iov_len;
			header.msg_iov++;
			header.msg_iovlen--;
		}
		if (header.msg_iovlen > 0) {
			header.msg_iov->iov_base = (char *)header.msg_iov->iov_base + n;
			header.msg_iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

int message_send(int fd, const json_t *json, const void *data, uint32_t data_bytes)
{
	char *text = json_dumps(json, JSON_COMPACT);
	size_t length = text ? strlen(text) : 0;
	struct frame frame = {htole32((uint32_t)length), htole32(data_bytes)};
	struct iovec part[] = {{&frame, sizeof frame}, {text, length}, {(void *)data, data_bytes}};
	int error;

	if (!text)
		return -ENOMEM;
	if (length > PROTOCOL_JSON_MAX || data_bytes > PROTOCOL_DATA_MAX)
		error = -EMSGSIZE;
	else
		error = send_all(fd, part, 3);
	free(text);
	return error;
}

/* Exactly `bytes`, by `deadline` (0: whenever). */
static int receive_all(int fd, void *out, size_t bytes, uint64_t deadline)
{
	char *at = out;

	while (bytes > 0) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		uint64_t now = clock_monotonic_ms();
		ssize_t n;

		if (deadline) {
			int polled = deadline > now ? poll(&ready, 1, (int)(deadline - now)) : 0;

			if (polled == 0)
				return -ETIMEDOUT;
			if (polled < 0 && errno != EINTR)
				return -errno;
			if (polled < 0)
				continue;
		}
		n = recv(fd, at, bytes, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			bytes -= (size_t)n;
		}
	}
	return 0;
}

/* A claimed length gets memory only as fast as its bytes arrive. */
static int receive_body(int fd, size_t bytes, int64_t deadline, char **out)
{
	size_t have = 0, room = 0;
	char *body = NULL;

	while (have < bytes) {
		size_t next = room ? 2 * room : FIRST_PIECE;
		char *grown = realloc(body, room = next < bytes ? next : bytes);
		int error = grown ? receive_all(fd, grown + have, room - have, deadline) : -ENOMEM;

		body = grown ? grown : body;
		if (error) {
			free(body);
			return error;
		}
		have = room;
	}
	*out = body;
	return 0;
}

/* jansson recurses once a level; a peer must not choose how deep our stack goes. */
static bool nested_sanely(const char *text, size_t length)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < length; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '[') && ++depth > DEPTH_MAX)
			return false;
		else if (!quoted && (text[i] == '}' || text[i] == ']'))
			depth--;
	}
	return true;
}

int message_receive_within(int fd, const struct message_limits *limits, struct message *out)
{
	uint64_t idle = limits->idle_ms ? clock_monotonic_ms() + limits->idle_ms : 0, deadline;
	struct frame frame;
	char *text = NULL, *data = NULL;
	int error = receive_all(fd, &frame, 1, idle);

	*out = (struct message){0};
	deadline = limits->transfer_ms ? clock_monotonic_ms() + limits->transfer_ms : 0;
	if (!error)
		error = receive_all(fd, (char *)&frame + 1, sizeof frame - 1, deadline);
	if (error)
		return error;
	frame.json_bytes = le32toh(frame.json_bytes);
	frame.data_bytes = le32toh(frame.data_bytes);
	if (frame.json_bytes > limits->json_bytes || frame.data_bytes > limits->data_bytes)
		return -EMSGSIZE;
	if (frame.json_bytes == 0)
		return -EPROTO;
	error = receive_body(fd, frame.json_bytes, deadline, &text);
	if (!error && frame.data_bytes)
		error = receive_body(fd, frame.data_bytes, deadline, &data);
	if (!error && nested_sanely(text, frame.json_bytes))
		out->json = json_loadb(text, frame.json_bytes, JSON_REJECT_DUPLICATES, NULL);
	if (!error && !out->json)
		error = -EPROTO;
	free(text);
	if (error) {
		free(data);
		return error;
	}
	out->data = (uint8_t *)data;
	out->data_bytes = frame.data_bytes;
	return 0;
}

int message_receive(int fd, struct message *out)
{
	static const struct message_limits client = {PROTOCOL_JSON_MAX, PROTOCOL_DATA_MAX, 0, 0};

	return message_receive_within(fd, &client, out);
}

int protocol_connect(const char *socket_path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = CONNECT_TIMEOUT_S};
	int fd, error;

	if (strlen(socket_path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	strcpy(address.sun_path, socket_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A penstockd that is stopped takes nobody from its backlog, and a full one would hold us up for ever. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	error = errno == EAGAIN ? -ETIMEDOUT : -errno;
	close(fd);
	return error;
}
