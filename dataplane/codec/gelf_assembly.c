// Chunks of GELF messages. Memory is a number of messages and a number of blocks that chunks are written to; both come
// back at once when a message is complete or dropped. When either runs out, the sender that holds most of it makes room.
#include "dataplane/codec/gelf_private.h"

#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 16u /* messages looked at per lookup: at one a place on average, a 17th comes once in 10^14 */

/* A message of 128 chunks of one byte over a block each, and of GELF_MESSAGE_MAX bytes, has room by itself. */
_Static_assert(GELF_BYTES_MIN / BLOCK >= GELF_MESSAGE_MAX / BLOCK + GELF_CHUNKS_MAX, "one message must fit");
_Static_assert(GELF_BYTES_MIN % BLOCK == 0, "blocks are whole");

struct layout { /* offsets of the parts, and the whole */
	uint64_t messages, places, senders, sender_places, next_block, blocks, end;
	uint32_t places_count, blocks_count;
};

static uint64_t aligned(uint64_t bytes)
{
	return (bytes + 63) & ~63ull;
}

static bool lay_out(uint32_t messages, uint32_t bytes, struct layout *out)
{
	if (messages < 1 || messages > GELF_MESSAGES_MAX || bytes < GELF_BYTES_MIN || bytes > GELF_BYTES_MAX)
		return false;
	out->places_count = 1;
	while (out->places_count < messages)
		out->places_count *= 2;
	out->blocks_count = bytes / BLOCK;
	out->messages = aligned(sizeof(struct gelf_assembly));
	out->places = out->messages + aligned((uint64_t)messages * sizeof(struct message));
	out->senders = out->places + aligned((uint64_t)out->places_count * sizeof(uint32_t));
	out->sender_places = out->senders + aligned((uint64_t)messages * sizeof(struct sender));
	out->next_block = out->sender_places + aligned((uint64_t)out->places_count * sizeof(uint32_t));
	out->blocks = out->next_block + aligned((uint64_t)out->blocks_count * sizeof(uint32_t));
	out->end = out->blocks + (uint64_t)out->blocks_count * BLOCK;
	return true;
}

uint64_t gelf_assembly_bytes(uint32_t messages, uint32_t bytes)
{
	struct layout layout;

	return lay_out(messages, bytes, &layout) ? layout.end : 0;
}

struct gelf_assembly *gelf_assembly_init(void *memory, uint32_t messages, uint32_t bytes, const uint8_t secret[16],
					 struct gelf_taker *taker)
{
	struct gelf_assembly *a = memory;
	struct layout layout;

	if (!lay_out(messages, bytes, &layout))
		return NULL;
	a->taker = taker;
	memcpy(a->secret, secret, sizeof a->secret);
	a->messages = (struct message *)((uint8_t *)memory + layout.messages);
	a->places = (uint32_t *)((uint8_t *)memory + layout.places);
	a->senders = (struct sender *)((uint8_t *)memory + layout.senders);
	a->sender_places = (uint32_t *)((uint8_t *)memory + layout.sender_places);
	a->next_block = (uint32_t *)((uint8_t *)memory + layout.next_block);
	a->blocks = (uint8_t *)memory + layout.blocks;
	a->places_mask = layout.places_count - 1;
	a->pending = 0;
	a->oldest = a->newest = NONE;
	a->free_message = a->free_block = a->free_sender = a->large_count = 0;
	a->free_blocks = layout.blocks_count;
	a->large_from[ROOM_MESSAGES] = messages / LARGE;
	a->large_from[ROOM_BLOCKS] = layout.blocks_count / LARGE;
	for (uint32_t i = 0; i < layout.places_count; i++)
		a->places[i] = a->sender_places[i] = NONE;
	for (uint32_t i = 0; i < messages; i++)
		a->messages[i].chain = a->senders[i].chain = i + 1 < messages ? i + 1 : NONE;
	for (uint32_t i = 0; i < layout.blocks_count; i++)
		a->next_block[i] = i + 1 < layout.blocks_count ? i + 1 : NONE;
	return a;
}

uint32_t gelf_pending(const struct gelf_assembly *a)
{
	return a->pending;
}

enum dead_letter_reason gelf_refusal(enum gelf_outcome outcome)
{
#define GELF_OUTCOME_REASON(name, reason, text) [name] = reason,
	static const enum dead_letter_reason reasons[] = {GELF_OUTCOMES(GELF_OUTCOME_REASON)};
#undef GELF_OUTCOME_REASON

	return (unsigned)outcome < GELF_OUTCOME_END ? reasons[outcome] : DEAD_LETTER_NONE;
}

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein, 2012) of four words: colliding messages cannot be made without the secret. */
uint32_t gelf_place_of(const struct gelf_assembly *a, const uint64_t words[4])
{
	uint64_t v[4] = {a->secret[0] ^ 0x736f6d6570736575ull, a->secret[1] ^ 0x646f72616e646f6dull,
			 a->secret[0] ^ 0x6c7967656e657261ull, a->secret[1] ^ 0x7465646279746573ull};

	for (int i = 0; i < 4; i++) {
		v[3] ^= words[i];
		sip_round(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]) & a->places_mask;
}

/* What tells messages apart, put into `words`. */
static void name_message(const struct gelf_chunk_source *source, const uint8_t *id, uint64_t words[4])
{
	words[0] = words[1] = 0;
	if (source->origin_kind == RECORD_ORIGIN_IPV4)
		memcpy(words, source->origin.v4.source, sizeof source->origin.v4.source);
	else if (source->origin_kind == RECORD_ORIGIN_IPV6)
		memcpy(words, source->origin.v6.source, sizeof source->origin.v6.source);
	memcpy(&words[2], id, sizeof words[2]);
	words[3] = source->input | (uint64_t)source->origin_kind << 32;
}

static bool is_named(const struct message *m, const uint64_t words[4])
{
	return m->id == words[2] && m->address[0] == words[0] && m->address[1] == words[1] &&
	       (m->source.input | (uint64_t)m->source.origin_kind << 32) == words[3];
}

/* Copies the chunks there are behind one another, `last` for chunk `index`, which is not kept. Returns the length. */
static uint32_t gather(struct gelf_assembly *a, const struct message *m, uint32_t index, const uint8_t *last,
		       uint32_t last_length)
{
	uint8_t *out = a->whole;

	for (uint32_t i = 0; i < m->expected; i++) {
		uint32_t left;

		if (i == index) {
			memcpy(out, last, last_length);
			out += last_length;
			continue;
		}
		left = m->lengths[i];
		for (uint32_t block = m->blocks[i]; block != NONE; block = a->next_block[block]) {
			uint32_t some = left < BLOCK ? left : BLOCK;

			memcpy(out, a->blocks + (size_t)block * BLOCK, some);
			out += some;
			left -= some;
		}
	}
	return (uint32_t)(out - a->whole);
}

/* How many they were. */
static uint32_t give_back_blocks(struct gelf_assembly *a, uint32_t first)
{
	uint32_t last = first, count = 1;

	if (first == NONE)
		return 0;
	for (; a->next_block[last] != NONE; last = a->next_block[last])
		count++;
	a->next_block[last] = a->free_block;
	a->free_block = first;
	a->free_blocks += count;
	return count;
}

/* Takes a message out of table and age, and gives back what it had. */
static void forget(struct gelf_assembly *a, struct message *m)
{
	uint32_t index = (uint32_t)(m - a->messages);
	uint64_t words[4] = {m->address[0], m->address[1], m->id,
			     m->source.input | (uint64_t)m->source.origin_kind << 32};
	uint32_t *link = &a->places[gelf_place_of(a, words)], blocks = 0;

	while (*link != index)
		link = &a->messages[*link].chain;
	*link = m->chain;
	*(m->older == NONE ? &a->oldest : &a->messages[m->older].newer) = m->newer;
	*(m->newer == NONE ? &a->newest : &a->messages[m->newer].older) = m->older;
	for (uint32_t i = 0; i < m->expected; i++)
		blocks += give_back_blocks(a, m->blocks[i]);
	gelf_unlink_sender(a, m, blocks);
	m->chain = a->free_message;
	a->free_message = index;
	a->pending--;
}

static void drop(struct gelf_assembly *a, struct message *m, enum dead_letter_reason reason)
{
	struct gelf_dropped dropped = {.reason = reason,
				       .source = &m->source,
				       .first_ns = m->first_ns,
				       .had = m->had,
				       .expected = m->expected,
				       .bytes = a->whole,
				       .length = gather(a, m, NONE, NULL, 0)};

	a->taker->dropped(a->taker, &dropped);
	forget(a, m);
}

static bool is_over(const struct message *m, uint64_t now_ns)
{
	return now_ns > m->first_ns && now_ns - m->first_ns > GELF_TIMEOUT_NS;
}

uint32_t gelf_expire(struct gelf_assembly *a, uint64_t now_ns, uint32_t limit)
{
	uint32_t count = 0;

	for (; count < limit && a->oldest != NONE && is_over(&a->messages[a->oldest], now_ns); count++)
		drop(a, &a->messages[a->oldest], DEAD_LETTER_REASSEMBLY_TIMEOUT);
	return count;
}

void gelf_end(struct gelf_assembly *a)
{
	while (a->oldest != NONE)
		drop(a, &a->messages[a->oldest], DEAD_LETTER_REASSEMBLY_ENDED);
}

/* The message of that name, or NULL; then *last is the oldest of a place that is full, or NULL. */
static struct message *find(struct gelf_assembly *a, uint32_t place, const uint64_t words[4], struct message **last)
{
	uint32_t seen = 0;

	*last = NULL;
	for (uint32_t i = a->places[place]; i != NONE; i = a->messages[i].chain) {
		if (is_named(&a->messages[i], words))
			return &a->messages[i];
		if (++seen == CHAIN_MAX)
			*last = &a->messages[i];
	}
	return NULL;
}

static struct message *begin(struct gelf_assembly *a, uint32_t place, const uint64_t words[4],
			     const struct gelf_chunk_source *source, uint64_t now_ns, uint32_t expected)
{
	struct message *m;
	uint32_t index;

	if (a->free_message == NONE)
		drop(a, gelf_displaced(a, ROOM_MESSAGES, NULL), DEAD_LETTER_REASSEMBLY_DISPLACED);
	index = a->free_message;
	m = &a->messages[index];
	a->free_message = m->chain;
	m->id = words[2];
	m->address[0] = words[0];
	m->address[1] = words[1];
	m->first_ns = now_ns;
	m->source = *source;
	m->length = m->had = 0;
	m->expected = expected;
	for (uint32_t i = 0; i < expected; i++) {
		m->blocks[i] = NONE;
		m->lengths[i] = 0;
	}
	m->chain = a->places[place];
	a->places[place] = index;
	m->older = a->newest;
	m->newer = NONE;
	*(a->newest == NONE ? &a->oldest : &a->messages[a->newest].newer) = index;
	a->newest = index;
	gelf_link_sender(a, m);
	a->pending++;
	return m;
}

/* There is room for it, if need be after others have gone: the smallest assembly has room for the longest message. */
static void keep(struct gelf_assembly *a, struct message *m, uint32_t index, const uint8_t *bytes, uint32_t length)
{
	uint32_t needed = (length + BLOCK - 1) / BLOCK, *link = &m->blocks[index];

	while (a->free_blocks < needed)
		drop(a, gelf_displaced(a, ROOM_BLOCKS, m), DEAD_LETTER_REASSEMBLY_DISPLACED);
	a->free_blocks -= needed;
	gelf_add_blocks(a, m, needed);
	m->lengths[index] = (uint16_t)length;
	m->length += length;
	m->had++;
	for (uint32_t at = 0; at < length; at += BLOCK) {
		uint32_t block = a->free_block;

		a->free_block = a->next_block[block];
		memcpy(a->blocks + (size_t)block * BLOCK, bytes + at, length - at < BLOCK ? length - at : BLOCK);
		*link = block;
		link = &a->next_block[block];
	}
	*link = NONE;
}

/* A chunk whose own numbers are sound. */
static enum gelf_outcome add(struct gelf_assembly *a, struct message *m, uint32_t index, uint32_t count,
			     const uint8_t *bytes, uint32_t length, const uint8_t **message, uint32_t *message_length)
{
	if (m->expected != count)
		return GELF_CONTRADICTION;
	if (m->blocks[index] != NONE)
		return GELF_DUPLICATE;
	if (m->length + length > GELF_MESSAGE_MAX) {
		drop(a, m, DEAD_LETTER_REASSEMBLY_OVERSIZE);
		return GELF_OVERSIZE;
	}
	if (m->had + 1 < m->expected) {
		keep(a, m, index, bytes, length);
		return GELF_PENDING;
	}
	*message = a->whole;
	*message_length = gather(a, m, index, bytes, length);
	forget(a, m);
	return GELF_WHOLE;
}

enum gelf_outcome gelf_assemble(struct gelf_assembly *a, const struct gelf_chunk_source *source, uint64_t now_ns,
				const uint8_t *bytes, uint32_t length, const uint8_t **message,
				uint32_t *message_length)
{
	uint32_t index, count, place;
	struct message *m, *last;
	uint64_t words[4];

	*message = bytes;
	*message_length = length;
	if (!gelf_is_chunk(bytes, length))
		return GELF_WHOLE;
	if (length <= GELF_CHUNK_HEADER)
		return GELF_SHORT;
	index = bytes[10];
	count = bytes[11];
	if (count == 0 || count > GELF_CHUNKS_MAX)
		return GELF_COUNT;
	if (index >= count)
		return GELF_INDEX;
	*message = bytes + GELF_CHUNK_HEADER;
	*message_length = length - GELF_CHUNK_HEADER;
	if (*message_length > GELF_MESSAGE_MAX)
		return GELF_OVERSIZE;
	if (count == 1)
		return GELF_WHOLE;
	name_message(source, bytes + 2, words);
	place = gelf_place_of(a, words);
	m = find(a, place, words, &last);
	if (m && is_over(m, now_ns)) {
		drop(a, m, DEAD_LETTER_REASSEMBLY_TIMEOUT);
		m = NULL;
	}
	if (!m && last)
		drop(a, last, DEAD_LETTER_REASSEMBLY_DISPLACED);
	if (!m)
		m = begin(a, place, words, source, now_ns, count);
	return add(a, m, index, count, *message, *message_length, message, message_length);
}
