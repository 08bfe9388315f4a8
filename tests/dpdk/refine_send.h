// Inputs that ask for all there is, and datagrams for each of them, drawn together with what must become of them.
#pragma once

#include <openssl/evp.h>

#include "tests/dpdk/refine_expect.h"

#define GELF_INPUT 4u
#define RULES_INPUT 6u
#define SAMPLED_INPUT 9u
#define GELF_PLAIN_INPUT 10u
#define FLOODED_INPUT 11u

static uint64_t series = 1;

static inline uint32_t draw(uint32_t below)
{
	return (uint32_t)(frame_random(&series) >> 32) % below;
}

static inline void all_inputs(void)
{
	struct config_input *in = add_input(CODEC_JSON_LINES, KEY_PATH, "a");

	strcpy(in->key_path, "host");
	in->missing = MISSING_CONSTANT;
	strcpy(in->key_constant, "nobody");
	in->invalid = INVALID_DEAD_LETTER;
	strcpy(in->dead_letter, "dead");
	in = add_input(CODEC_JSON, KEY_PATH, "b");
	strcpy(in->key_path, "/tags/env");
	in->missing = MISSING_DEAD_LETTER;
	in->invalid = INVALID_DROP;
	strcpy(in->dead_letter, "dead");
	add_input(CODEC_SYSLOG, KEY_FLOW, "a");
	in = add_input(CODEC_KPL, KEY_OWN, "a");
	in->invalid = INVALID_DEAD_LETTER;
	strcpy(in->dead_letter, "dead");
	in = add_input(CODEC_GELF, KEY_PATH, "b");
	strcpy(in->key_path, "host");
	in->invalid = INVALID_DEAD_LETTER;
	strcpy(in->dead_letter, "dead");
	in = add_input(CODEC_DATAGRAM, KEY_FIELD, "a");
	in->missing = MISSING_DEAD_LETTER;
	strcpy(in->dead_letter, "dead");
	in = add_input(CODEC_LINES, KEY_CAPTURE, "a");
	strcpy(in->key_rule, "who");
	strcpy(in->dead_letter, "dead");
	add_rule(RULES_INPUT, "noise", "debug", VERDICT_DROP);
	add_rule(RULES_INPUT, "secret", "secret=[a-z]+", VERDICT_REDACT);
	add_rule(RULES_INPUT, "seen", "alert", VERDICT_TAG);
	add_rule(RULES_INPUT, "again", "alert[0-9]", VERDICT_TAG);
	strcpy(add_rule(RULES_INPUT, "audit", "audit", VERDICT_ROUTE)->stream, "b");
	add_rule(RULES_INPUT, "bad", "poison", VERDICT_DEAD_LETTER);
	add_rule(RULES_INPUT, "who", "user=([a-z0-9]+)", VERDICT_KEEP);
	in = add_input(CODEC_JSON_LINES, KEY_PATH, "absent");
	strcpy(in->key_path, "host");
	in->invalid = INVALID_DROP;
	in = add_input(CODEC_JSON, KEY_SOURCE, "one");
	in->invalid = INVALID_DEAD_LETTER;
	strcpy(in->dead_letter, "gone");
	add_rule(GELF_INPUT, "noise of a message", "debug", VERDICT_DROP);
	add_rule(GELF_INPUT, "secret of a message", "secret=[a-z]+", VERDICT_REDACT);
	add_input(CODEC_LINES, KEY_SOURCE, "b");
	add_rule(SAMPLED_INPUT, "third", "tick", VERDICT_SAMPLE)->every = 3;
	add_input(CODEC_GELF, KEY_FLOW, "a");
	in = add_input(CODEC_JSON_LINES, KEY_PATH, "b");
	strcpy(in->key_path, "host");
}

/* ---- JSON ---- */

static inline void draw_json_lines(struct sent *s, uint32_t input)
{
	const struct config_input *in = &config.inputs[input];
	char text[1400], host[24];
	uint32_t length = 0;
	struct want *w;

	for (uint32_t lines = draw(9); lines > 0; lines--) {
		char *line = text + length;
		uint32_t bytes;

		sprintf(host, "web-%u", draw(200));
		switch (draw(4)) {
		case 0:
			bytes = (uint32_t)sprintf(line, "{\"n\":%u,\"x\":{\"host\":1}}", draw(1000));
			w = want_stored(s, in->stream, in->codec, in->missing == MISSING_CONSTANT ? "nobody" : "", line,
					bytes);
			tell(w, WORKER_KEY_MISSING);
			w->key = in->missing == MISSING_CONSTANT ? WANT_STORED : WANT_RANDOM;
			break;
		case 1:
			bytes = (uint32_t)sprintf(line, "{\"host\":\"%s\",\"n\":", host);
			if (in->invalid == INVALID_KEEP) { /* its key is found all the same */
				want_stored(s, in->stream, in->codec, host, line, bytes);
				break;
			}
			w = in->invalid == INVALID_DROP
				    ? want(s, RECORD_INVALID, bytes)
				    : want_dead(s, bytes, DEAD_LETTER_AT_DECODE, CODEC_TRUNCATED, 0, line, bytes);
			tell(w, WORKER_MALFORMED);
			break;
		default:
			bytes = (uint32_t)sprintf(line, "{\"n\":[1,2,{\"host\":\"no\"}],\"host\":\"%s\"}", host);
			want_stored(s, in->stream, in->codec, host, line, bytes);
		}
		length += bytes;
		length += (uint32_t)sprintf(text + length, "%s", draw(3) ? "\n" : draw(2) ? "\r\n" : "\n\n\n");
	}
	send_bytes(s, input, text, length);
}

static inline void draw_json(struct sent *s, uint32_t input)
{
	const struct config_input *in = &config.inputs[input];
	bool by_path = in->key == KEY_PATH;
	char text[200], env[24];
	uint32_t length = 0;
	struct want *w;

	sprintf(env, "env-%u", draw(50));
	switch (draw(5)) {
	case 0:
		length = (uint32_t)sprintf(text, "{\"a\" 1}");
		w = in->invalid == INVALID_DROP
			    ? want(s, RECORD_INVALID, length)
			    : want_dead(s, length, DEAD_LETTER_AT_DECODE, CODEC_SYNTAX, 0, text, length);
		tell(w, WORKER_MALFORMED);
		break;
	case 1:
		length = (uint32_t)sprintf(text, "[1,2,\"\\u00e4\"]");
		if (by_path)
			tell(want_dead(s, length, DEAD_LETTER_AT_KEY, DEAD_LETTER_KEY_MISSING, 0, text, length),
			     WORKER_KEY_MISSING);
		else
			want_stored(s, in->stream, in->codec, "", text, length)->key = WANT_SOURCE;
		break;
	case 2: /* an empty datagram */
		break;
	default:
		length = (uint32_t)sprintf(text, "{\"tags\":{\"x\":0,\"env\":\"%s\"},\n\"y\":1}", env);
		w = want_stored(s, in->stream, in->codec, by_path ? env : "", text, length);
		w->key = by_path ? WANT_STORED : WANT_SOURCE;
	}
	send_bytes(s, input, text, length);
}

/* ---- syslog: octet-counted, or a message to a line ---- */

static inline void draw_syslog(struct sent *s, uint32_t input)
{
	bool counted = draw(2);
	char text[1400], message[100];
	uint32_t length = 0;

	for (uint32_t n = draw(7); n > 0; n--) {
		uint32_t bytes =
			(uint32_t)sprintf(message, "<%u>Oct 11 22:14:15 host su: number %u", draw(192), draw(1000));

		if (counted)
			length += (uint32_t)sprintf(text + length, "%u %s", bytes, message);
		else
			length += (uint32_t)sprintf(text + length, "%s\n", message);
		want_stored(s, "a", CODEC_SYSLOG, "", message, bytes)->key = WANT_FLOW;
	}
	send_bytes(s, input, text, length);
}

/* ---- Kinesis aggregates ---- */

static inline uint32_t put_string(uint8_t *at, uint8_t tag, const char *text, uint32_t length)
{
	at[0] = tag;
	at[1] = (uint8_t)length;
	memcpy(at + 2, text, length);
	return length + 2;
}

static inline void draw_kpl(struct sent *s, uint32_t input)
{
	static const char *const hashes[] = {"0", "340282366920938463463374607431768211455",
					     "170141183460469231731687303715884105728"};
	static const struct hash_key numbers[] = {{0, 0}, {UINT64_MAX, UINT64_MAX}, {1ull << 63, 0}};
	uint8_t bytes[1400] = {0xf3, 0x89, 0x9a, 0xc2};
	uint32_t at = 4, first = draw(1000), records = 1 + draw(8);
	char key[24], data[40];

	if (draw(6) == 0) { /* no aggregate: a record without a key */
		struct want *w = want_stored(s, "a", CODEC_KPL, "", "plain", 5);

		w->key = WANT_RANDOM;
		tell(w, WORKER_KEY_MISSING);
		send_bytes(s, input, "plain", 5);
		return;
	}
	for (uint32_t i = 0; i < 3; i++)
		at += put_string(bytes + at, 0x0a, key, (uint32_t)sprintf(key, "key-%u", first + i));
	for (uint32_t i = 0; i < 3; i++)
		at += put_string(bytes + at, 0x12, hashes[i], (uint32_t)strlen(hashes[i]));
	for (uint32_t i = 0; i < records; i++) {
		uint32_t length = (uint32_t)sprintf(data, "record %u", draw(10000)), of = draw(3), hashed = draw(2),
			 hash = draw(3);
		struct want *w;

		bytes[at++] = 0x1a;
		bytes[at++] = (uint8_t)(2 + 2 * hashed + 2 + length);
		bytes[at++] = 0x08;
		bytes[at++] = (uint8_t)of;
		if (hashed) {
			bytes[at++] = 0x10;
			bytes[at++] = (uint8_t)hash;
		}
		at += put_string(bytes + at, 0x1a, data, length);
		sprintf(key, "key-%u", first + of);
		w = want_stored(s, "a", CODEC_KPL, key, data, length);
		w->key = hashed ? WANT_HASH : WANT_STORED;
		w->hash = numbers[hash];
	}
	assert_int_equal(EVP_Digest(bytes + 4, at - 4, bytes + at, NULL, EVP_md5(), NULL), 1);
	at += 16;
	if (draw(6) == 0) {
		bytes[at - 1] ^= 1;
		s->wants_count = 0;
		tell(want_dead(s, at, DEAD_LETTER_AT_CUT, CODEC_CHECKSUM, 0, bytes, at), WORKER_MALFORMED);
	}
	send_bytes(s, input, bytes, at);
}

/* ---- GELF ---- */

static struct { /* a message on its way in chunks */
	char text[300];
	char host[24];
	uint32_t length, id, next, count;
} message;

static inline void forget_messages(void)
{
	memset(&message, 0, sizeof message);
}

static inline uint32_t make_chunk(uint8_t *out, uint64_t id, uint32_t number, uint32_t count, const void *bytes,
				  uint32_t length)
{
	out[0] = 0x1e;
	out[1] = 0x0f;
	memcpy(out + 2, &id, 8);
	out[10] = (uint8_t)number;
	out[11] = (uint8_t)count;
	memcpy(out + 12, bytes, length);
	return 12 + length;
}

static inline void send_chunk(struct sent *s, uint32_t input)
{
	uint32_t step = message.length / message.count, from = message.next * step;
	bool last = message.next + 1 == message.count;
	uint8_t datagram[400];

	send_bytes(s, input, datagram,
		   make_chunk(datagram, message.id, message.next, message.count, message.text + from,
			      last ? message.length - from : step));
	message.next++;
	s->held = !last;
	s->told |= 1u << (WORKER_CHUNKS - WORKER_MALFORMED);
	counters[WORKER_HELD] = !last;
	if (!last)
		return;
	want_stored(s, "b", CODEC_GELF, message.host, message.text, message.length);
	message.count = 0;
}

static inline void draw_gelf(struct sent *s, uint32_t input)
{
	bool plain = input == GELF_PLAIN_INPUT;
	uint8_t datagram[64];
	char text[300], host[24];
	uint32_t length;

	if (!plain && message.count > 0 && draw(4)) {
		send_chunk(s, input);
		return;
	}
	if (!plain && draw(5) == 0) {
		length = make_chunk(datagram, 1, 0, 0, "of none", 7);
		send_bytes(s, input, datagram, length);
		tell(want_dead(s, length, DEAD_LETTER_AT_REASSEMBLY, DEAD_LETTER_CHUNK_COUNT, 0, datagram, length),
		     WORKER_MALFORMED);
		return;
	}
	sprintf(host, "gelf-%u", draw(100));
	length =
		(uint32_t)sprintf(text, "{\"version\":\"1.1\",\"host\":\"%s\",\"short_message\":\"number %u of them\"}",
				  host, draw(100000));
	if (!plain && message.count == 0 && draw(2)) {
		strcpy(message.text, text);
		strcpy(message.host, host);
		message.length = length;
		message.id++;
		message.next = 0;
		message.count = 2 + draw(5);
		send_chunk(s, input);
		return;
	}
	want_stored(s, plain ? "a" : "b", CODEC_GELF, plain ? "" : host, text, length)->key =
		plain ? WANT_FLOW : WANT_STORED;
	send_bytes(s, input, text, length);
}

/* ---- a field, rules ---- */

static inline void draw_field(struct sent *s, uint32_t input)
{
	char text[60], key[24];
	struct want *w;
	uint32_t length;

	sprintf(key, "field-%u", draw(100));
	if (draw(3)) {
		length = (uint32_t)sprintf(text, "%s and more", key);
		want_stored(s, "a", CODEC_DATAGRAM, key, text, length);
	} else {
		length = (uint32_t)sprintf(text, " nothing in front");
		w = want_dead(s, length, DEAD_LETTER_AT_KEY, DEAD_LETTER_KEY_MISSING, 0, text, length);
		tell(w, WORKER_KEY_MISSING);
		w->draws = true;
	}
	send_bytes(s, input, text, length);
}

static inline void want_by_rules(struct sent *s, const char *line, uint32_t length, const char *user, uint32_t what)
{
	bool redacted = what & 2, audit = what & 16, poison = what & 32;
	char kept[200];
	struct want *w;

	memcpy(kept, line, length + 1);
	if (what & 1) {
		want(s, RECORD_RULE_DROPPED, length);
		return;
	}
	if (redacted)
		memset(strstr(kept, "secret=abc"), '*', 10);
	if (poison && !audit) {
		w = want_dead(s, length, DEAD_LETTER_AT_RULE, DEAD_LETTER_RULE, input_id("bad"), kept, length);
	} else {
		w = want_stored(s, audit ? "b" : "a", CODEC_LINES, user, kept, length);
		if (!*user) {
			w->key = WANT_RANDOM;
			tell(w, WORKER_KEY_MISSING);
		}
		if (audit)
			tell(w, WORKER_ROUTED);
		if (what & 12) {
			w->tags[w->tags_count++] = input_id("seen");
			tell(w, WORKER_TAGGED);
		}
		if (what & 8)
			w->tags[w->tags_count++] = input_id("again");
	}
	if (redacted)
		tell(w, WORKER_REDACTED);
}

static inline void draw_rules(struct sent *s, uint32_t input)
{
	char text[1400], user[24];
	uint32_t length = 0;

	for (uint32_t lines = draw(8); lines > 0; lines--) {
		uint32_t what = draw(64) & draw(64), bytes;
		char *line = text + length;

		*user = '\0';
		if (draw(3))
			sprintf(user, "u%u", draw(300));
		bytes = (uint32_t)sprintf(line, "line%s%s%s%s%s%s%s%s", what & 1 ? " debug" : "",
					  what & 2 ? " secret=abc 1" : "", what & 4 ? " alert" : "",
					  what & 8 ? " alert7" : "", what & 16 ? " audit" : "",
					  what & 32 ? " poison" : "", *user ? " user=" : "", user);
		want_by_rules(s, line, bytes, user, what);
		line[bytes] = '\n';
		length += bytes + 1;
	}
	send_bytes(s, input, text, length);
}

static uint32_t ticks; /* of one worker, all sampled by one counter */

static inline void draw_sampled(struct sent *s, uint32_t input)
{
	char text[400];
	uint32_t length = 0;

	if (counters[WORKER_POLLED] == 0)
		ticks = 0;
	for (uint32_t lines = draw(8); lines > 0; lines--) {
		bool tick = draw(2);
		char *line = text + length;
		uint32_t bytes = (uint32_t)sprintf(line, "%s %u", tick ? "tick" : "other", draw(1000));

		if (tick && ticks++ % 3 != 0)
			want(s, RECORD_SAMPLED_OUT, bytes);
		else
			want_stored(s, "b", CODEC_LINES, "", line, bytes)->key = WANT_SOURCE;
		line[bytes] = '\n';
		length += bytes + 1;
	}
	send_bytes(s, input, text, length);
}

static inline void draw_sent(struct sent *s, uint32_t input)
{
	static void (*const draws[])(struct sent *, uint32_t) = {
		draw_json_lines, draw_json,       draw_syslog, draw_kpl,     draw_gelf, draw_field,
		draw_rules,      draw_json_lines, draw_json,   draw_sampled, draw_gelf, draw_json_lines};

	memset(s, 0, offsetof(struct sent, wants));
	s->input = input;
	s->wants_count = 0;
	draws[input](s, input);
}

/* ---- a test ---- */

static inline int set_up(void **state)
{
	(void)state;
	start_rigs(all_inputs);
	expect_nothing();
	forget_messages();
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	end_rigs();
	return 0;
}
