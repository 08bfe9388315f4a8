#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/server/protocol.h"

static const struct message_limits strict = {65536, 4096, 200, 200};

static int set_up(void **state)
{
	int *pair = malloc(2 * sizeof *pair);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	*state = pair;
	return 0;
}

static int tear_down(void **state)
{
	int *pair = *state;

	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	free(pair);
	return 0;
}

static void put(int fd, uint32_t json_bytes, uint32_t data_bytes, const void *bytes, size_t length)
{
	uint32_t frame[2] = {htole32(json_bytes), htole32(data_bytes)};

	assert_int_equal(write(fd, frame, sizeof frame), sizeof frame);
	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
}

static int put_text(int *pair, const char *text)
{
	struct message m;
	int error;

	put(pair[0], (uint32_t)strlen(text), 0, text, strlen(text));
	error = message_receive_within(pair[1], &strict, &m);
	message_free(&m);
	return error;
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	json_t *json = json_pack("{s:s, s:I}", "op", "read", "sequence", (json_int_t)1 << 52);
	int *pair = *state;
	struct message m;

	assert_int_equal(message_send(pair[0], json, "bytes\0behind", 12), 0);
	assert_int_equal(message_send(pair[0], json, NULL, 0), 0);
	assert_int_equal(message_receive(pair[1], &m), 0);
	assert_true(json_equal(m.json, json));
	assert_int_equal(m.data_bytes, 12);
	assert_memory_equal(m.data, "bytes\0behind", 12);
	message_free(&m);
	assert_int_equal(message_receive(pair[1], &m), 0);
	assert_null(m.data);
	message_free(&m);
	json_decref(json);
}

struct sender {
	int fd;
	uint8_t *data;
	uint32_t bytes;
};

static void *send_it(void *arg)
{
	struct sender *s = arg;
	json_t *json = json_object();

	assert_int_equal(message_send(s->fd, json, s->data, s->bytes), 0);
	json_decref(json);
	return NULL;
}

static void large_data_passes_whole(void **state)
{
	int *pair = *state;
	struct sender s = {pair[0], malloc(9000001), 9000001};
	struct message m;
	pthread_t thread;

	for (uint32_t i = 0; i < s.bytes; i++)
		s.data[i] = (uint8_t)(i * 2654435761u >> 24);
	pthread_create(&thread, NULL, send_it, &s);
	assert_int_equal(message_receive(pair[1], &m), 0);
	pthread_join(thread, NULL);
	assert_int_equal(m.data_bytes, s.bytes);
	assert_memory_equal(m.data, s.data, s.bytes);
	message_free(&m);
	free(s.data);
}

static void lengths_beyond_the_limits_are_refused_unread(void **state)
{
	int *pair = *state;
	struct message m;

	put(pair[0], UINT32_MAX, 0, "", 0);
	assert_int_equal(message_receive_within(pair[1], &strict, &m), -EMSGSIZE);
	put(pair[0], 2, 4097, "", 0);
	assert_int_equal(message_receive_within(pair[1], &strict, &m), -EMSGSIZE);
	put(pair[0], PROTOCOL_JSON_MAX + 1, 0, "", 0);
	assert_int_equal(message_receive(pair[1], &m), -EMSGSIZE);
}

static void garbage_is_no_message(void **state)
{
	int *pair = *state;

	assert_int_equal(put_text(pair, "{}"), 0);
	assert_int_equal(put_text(pair, ""), -EPROTO);
	assert_int_equal(put_text(pair, "{"), -EPROTO);
	assert_int_equal(put_text(pair, "{} {}"), -EPROTO);
	assert_int_equal(put_text(pair, "{\"op\":\"a\",\"op\":\"b\"}"), -EPROTO);
	assert_int_equal(put_text(pair, "{\"op\":\"\xff\xfe\"}"), -EPROTO);
	assert_int_equal(put_text(pair, "{'op':1}"), -EPROTO);
	assert_int_equal(put_text(pair, "{\"n\":1e999}"), -EPROTO);
	assert_int_equal(put_text(pair, "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[\""), -EPROTO);
	assert_int_equal(put_text(pair, "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[\"]"), 0);
}

static void deep_nesting_is_refused(void **state)
{
	char text[60001];
	int *pair = *state;

	memset(text, '[', 60000);
	text[60000] = 0;
	assert_int_equal(put_text(pair, text), -EPROTO);
	memset(text, '[', 32);
	memset(text + 32, ']', 32);
	text[64] = 0;
	assert_int_equal(put_text(pair, text), 0);
	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	text[66] = 0;
	assert_int_equal(put_text(pair, text), -EPROTO);
}

static void a_frame_cut_anywhere_is_a_closed_connection(void **state)
{
	uint8_t bytes[8 + 13 + 4] = {13, 0, 0, 0, 4, 0, 0, 0};

	(void)state;
	memcpy(bytes + 8, "{\"op\":\"list\"}abcd", 17);
	for (size_t cut = 0; cut <= sizeof bytes; cut++) {
		struct message m;
		int pair[2], error;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		assert_int_equal(write(pair[0], bytes, cut), (ssize_t)cut);
		close(pair[0]);
		error = message_receive_within(pair[1], &strict, &m);
		assert_int_equal(error, cut == sizeof bytes ? 0 : -ECONNRESET);
		message_free(&m);
		close(pair[1]);
	}
}

static void a_slow_sender_is_given_up(void **state)
{
	int *pair = *state;
	struct timespec before, after;
	struct message m;

	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(message_receive_within(pair[1], &strict, &m), -ETIMEDOUT);
	put(pair[0], 100, 0, "{", 1);
	assert_int_equal(message_receive_within(pair[1], &strict, &m), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 5);
}

static void a_closed_peer_is_an_error_and_no_signal(void **state)
{
	int *pair = *state;
	json_t *json = json_object();

	close(pair[1]);
	pair[1] = -1;
	assert_int_equal(message_send(pair[0], json, "x", 1), -ECONNRESET);
	json_decref(json);
}

static void connecting_to_nobody_says_so(void **state)
{
	char path[200];

	(void)state;
	assert_int_equal(protocol_connect("/tmp/penstock-no-such-socket"), -ENOENT);
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = 0;
	assert_int_equal(protocol_connect(path), -ENAMETOOLONG);
}

/* Any bytes at all: an answer or an error, never a crash or a hang. */
static void random_bytes_never_hurt(void **state)
{
	const struct message_limits quick = {65536, 4096, 5, 5};
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		uint8_t bytes[256];
		struct message m;
		int pair[2];

		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)rand_r(&seed);
		if (round % 2) {
			memset(bytes, 0, 8);
			bytes[0] = (uint8_t)(rand_r(&seed) % 200);
			for (int i = 8; i < 208; i++)
				bytes[i] = (uint8_t)"{}[]\",:\\0e-.tfn "[rand_r(&seed) % 16];
		}
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		assert_int_equal(write(pair[0], bytes, sizeof bytes), sizeof bytes);
		close(pair[0]);
		message_receive_within(pair[1], &quick, &m);
		message_free(&m);
		close(pair[1]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives_as_it_was_sent),
		TEST(large_data_passes_whole),
		TEST(lengths_beyond_the_limits_are_refused_unread),
		TEST(garbage_is_no_message),
		TEST(deep_nesting_is_refused),
		TEST(a_frame_cut_anywhere_is_a_closed_connection),
		TEST(a_slow_sender_is_given_up),
		TEST(a_closed_peer_is_an_error_and_no_signal),
		TEST(connecting_to_nobody_says_so),
		TEST(random_bytes_never_hurt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
