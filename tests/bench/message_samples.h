// Samples that are no text: as other people's programs made them, and made to be slow.
#pragma once

#include <stdlib.h>
#include <string.h>

#include "dataplane/codec/dead_letter.h"
#include "dataplane/codec/gelf.h"
#include "dataplane/record/md5.h"
#include "tests/support/gelf_pack.h"
#include "tests/support/samples.h"

#define MESSAGE_SAMPLE(name)                                                                                           \
	static uint32_t make_##name(uint8_t *out, uint32_t room)                                                       \
	{                                                                                                              \
		if (sample_##name.length > room)                                                                       \
			abort();                                                                                       \
		memcpy(out, sample_##name.bytes, sample_##name.length);                                                \
		return sample_##name.length;                                                                           \
	}

MESSAGE_SAMPLE(gelf_gzip)
MESSAGE_SAMPLE(gelf_zlib)
MESSAGE_SAMPLE(collectd_notification)
MESSAGE_SAMPLE(collectd_values)
MESSAGE_SAMPLE(collectd_load)
MESSAGE_SAMPLE(kpl_aggregate)

/* A message of the shortest members there are, `plain` bytes long, behind a text of `letters` that cannot be packed well. */
static uint32_t make_gelf_members(uint32_t plain_bytes, uint32_t letters, uint8_t *out, uint32_t room)
{
	static const char front[] = "{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"m", member[] = ",\"\":0";
	static uint8_t plain[GELF_UNPACKED_MAX];
	uint32_t at = sizeof front - 1;

	memcpy(plain, front, at);
	for (srand(1); letters > 0; letters--)
		plain[at++] = (uint8_t)("abcdefghijklmnopqrstuvwxyz0123456789"[rand() % 36]);
	plain[at++] = '"';
	for (; at + sizeof member < plain_bytes; at += sizeof member - 1)
		memcpy(plain + at, member, sizeof member - 1);
	plain[at++] = '}';
	return gelf_pack(IGZIP_GZIP, plain, at, out, room);
}

/* The most that is unpacked of a message: as tightly packed as one may be. */
static uint32_t make_gelf_tight(uint8_t *out, uint32_t room)
{
	uint32_t letters = 20000, bytes = GELF_UNPACKED_MAX, packed;

	while (packed = make_gelf_members(bytes, letters, out, room), bytes > gelf_unpacked_max(packed))
		bytes = bytes * 99 / 100;
	return packed;
}

/* One that is refused when that much of it is unpacked. */
static uint32_t make_gelf_bomb(uint8_t *out, uint32_t room)
{
	return make_gelf_members(GELF_UNPACKED_MAX, 0, out, room);
}

/* Value lists of one value behind names as long as they may be. */
static uint32_t make_collectd_lists(uint8_t *out, uint32_t room)
{
	static const uint8_t list[15] = {0, 6, 0, 15, 0, 1, 1}, types[] = {0, 2, 3, 4, 5};
	uint32_t at = 0;

	for (uint32_t i = 0; i < sizeof types; i++, at += 132) {
		memset(out + at, 'n', 132);
		memcpy(out + at, (uint8_t[]){0, types[i], 0, 132}, 4);
		out[at + 131] = 0;
	}
	for (; at + sizeof list <= room; at += sizeof list)
		memcpy(out + at, list, sizeof list);
	return at;
}

/* Parts that say nothing but have to be looked at, and one that says something. */
static uint32_t make_collectd_parts(uint8_t *out, uint32_t room)
{
	static const uint8_t list[15] = {0, 6, 0, 15, 0, 1, 1}, part[] = {0, 0, 0, 5, 0};
	uint32_t at = 0;

	for (; at + sizeof part + sizeof list <= room; at += sizeof part)
		memcpy(out + at, part, sizeof part);
	memcpy(out + at, list, sizeof list);
	return at + sizeof list;
}

#define KPL_RECORDS 1000u /* as many as the bench has slices for; an aggregate of more would not be cut */

/* User records of nothing, all of one key. */
static uint32_t make_kpl_empty(uint8_t *out, uint32_t room)
{
	static const uint8_t front[] = {0xf3, 0x89, 0x9a, 0xc2, 0x0a, 1, 'k'}, record[] = {0x1a, 4, 8, 0, 0x1a, 0};
	uint32_t at = sizeof front;
	uint8_t digest[1][16];
	struct md5_key whole;

	memcpy(out, front, at);
	for (uint32_t i = 0; i < KPL_RECORDS && at + sizeof record + 16 <= room; i++, at += sizeof record)
		memcpy(out + at, record, sizeof record);
	whole = (struct md5_key){out + 4, at - 4};
	md5_batch(&whole, 1, digest);
	memcpy(out + at, digest[0], 16);
	return at + 16;
}

static uint32_t make_letter(const char *original, uint32_t times, uint8_t *out, uint32_t room)
{
	static const struct dead_letter_header header = {
		.stage = DEAD_LETTER_AT_DECODE, .codec = CODEC_SYSLOG, .reason = CODEC_SYNTAX, .input = 7};
	uint8_t *bytes = malloc(strlen(original) * times + 1);
	uint32_t length = (uint32_t)strlen(original) * times, total;

	if (!bytes)
		abort();
	for (uint32_t i = 0; i < times; i++)
		memcpy(bytes + i * strlen(original), original, strlen(original));
	total = dead_letter_write(&header, bytes, length, out, room);
	free(bytes);
	return total;
}

static uint32_t make_letter_of_syslog(uint8_t *out, uint32_t room)
{
	return make_letter("<38>Jan  2 03:04:05 gateway sshd[21847]: Accepted publickey for deploy from 10.20.30.40 "
			   "port 51234 ssh2",
			   1, out, room);
}

static uint32_t make_letter_of_long_characters(uint8_t *out, uint32_t room)
{
	return make_letter("\xc3\xa4x", 21000, out, room);
}
