#include "dataplane/packet/reassembly.h"

#include <xxhash.h>

#define SET 8u /* places looked at for a fragment */
#define BLOCK_BYTES 512u
#define NONE UINT32_MAX
#define TOMBSTONE_IPV4_NS 1000000000ull
#define EXPIRE_AT_ONCE 32u
#define OUTPUT_BYTES 65600u /* a whole IPv6 packet, rounded up */

struct key {                   /* without padding, so that it can be compared and hashed as bytes */
	uint8_t addresses[32]; /* of IPv4 the first 8 */
	uint32_t id, vni;
	uint16_t vlan;
	uint8_t tunnel, family, protocol, zero[3];
};
_Static_assert(sizeof(struct key) == 48, "no padding in a key");

struct block {
	uint32_t next;          /* of the same fragment; of a free one the next free */
	uint32_t next_fragment; /* of a fragment's first block */
	uint16_t offset, length;
	uint8_t bytes[BLOCK_BYTES - 12];
};
_Static_assert(sizeof(struct block) == BLOCK_BYTES, "blocks are packed");

enum place_state {
	PLACE_FREE,
	PLACE_WAITING,
	PLACE_DEAD, /* its datagram was dropped: so is what comes of it */
};

struct place {
	struct key key;
	uint64_t since_ns;     /* its first fragment; when dead and IPv4, its death */
	uint32_t older, newer; /* by `since_ns` */
	uint32_t first, last;  /* fragments, by offset */
	uint32_t received;     /* bytes */
	uint32_t total;        /* NONE: the last one is not there yet */
	uint16_t count;
	uint8_t state;
	uint8_t next; /* IPv6: the header that the first fragment begins with */
	uint8_t fate; /* dead: of its further fragments */
};

struct reassembly {
	struct place *places;
	struct block *blocks;
	uint32_t sets; /* a power of two */
	uint32_t oldest, newest;
	uint32_t free, free_count;
	uint64_t timeout_ns;
	uint64_t counts[REASSEMBLY_COUNTS];
	bool moved;
	uint8_t secret[REASSEMBLY_SECRET_BYTES];
	uint8_t output[OUTPUT_BYTES];
};

/* A fragment as its headers describe it. */
struct piece {
	struct key key;
	const uint8_t *bytes;
	uint32_t offset, length;
	bool last;
	uint8_t next;
};

struct reassembly *reassembly_init(void *memory, size_t bytes, uint64_t timeout_ns,
				   const uint8_t secret[REASSEMBLY_SECRET_BYTES])
{
	struct reassembly *r = memory;
	size_t rest, used = (sizeof *r + 63) & ~(size_t)63, blocks;
	uint32_t sets = 8;

	if (bytes < REASSEMBLY_BYTES_MIN)
		return NULL;
	bytes = bytes < 1u << 30 ? bytes : 1u << 30;
	rest = bytes - used;
	/* A place for every four blocks: as many as full frames can fill. */
	while ((size_t)sets * 2 * SET * (sizeof(struct place) + 4 * BLOCK_BYTES) <= rest)
		sets *= 2;
	*r = (struct reassembly){.sets = sets, .oldest = NONE, .newest = NONE, .free = NONE, .timeout_ns = timeout_ns};
	memcpy(r->secret, secret, sizeof r->secret);
	r->places = (struct place *)((uint8_t *)memory + used);
	used = (used + (size_t)sets * SET * sizeof(struct place) + 63) & ~(size_t)63;
	r->blocks = (struct block *)((uint8_t *)memory + used);
	blocks = (bytes - used) / sizeof(struct block);
	memset(r->places, 0, (size_t)sets * SET * sizeof(struct place));
	for (size_t i = blocks; i-- > 0;) {
		r->blocks[i].next = r->free;
		r->free = (uint32_t)i;
	}
	r->free_count = (uint32_t)blocks;
	return r;
}

static void count(struct reassembly *r, enum counter_fragment row, uint64_t n)
{
	r->counts[row - COUNTER_FRAGMENT_BASE] += n;
	r->moved = true;
}

bool reassembly_take_counts(struct reassembly *r, uint64_t counts[REASSEMBLY_COUNTS])
{
	if (!r->moved)
		return false;
	memcpy(counts, r->counts, sizeof r->counts);
	memset(r->counts, 0, sizeof r->counts);
	r->moved = false;
	return true;
}

/* ---- places by age ---- */

static uint32_t number(const struct reassembly *r, const struct place *p)
{
	return (uint32_t)(p - r->places);
}

static void age_remove(struct reassembly *r, struct place *p)
{
	*(p->older == NONE ? &r->oldest : &r->places[p->older].newer) = p->newer;
	*(p->newer == NONE ? &r->newest : &r->places[p->newer].older) = p->older;
}

static void age_append(struct reassembly *r, struct place *p)
{
	p->older = r->newest;
	p->newer = NONE;
	*(r->newest == NONE ? &r->oldest : &r->places[r->newest].newer) = number(r, p);
	r->newest = number(r, p);
}

/* ---- fragments of a place ---- */

static void free_fragments(struct reassembly *r, struct place *p, enum counter_fragment row)
{
	for (uint32_t f = p->first; f != NONE;) {
		uint32_t next = r->blocks[f].next_fragment;

		for (uint32_t b = f; b != NONE;) {
			uint32_t rest = r->blocks[b].next;

			r->blocks[b].next = r->free;
			r->free = b;
			r->free_count++;
			b = rest;
		}
		f = next;
	}
	if (p->count > 0) {
		count(r, row, p->count);
		count(r, FRAGMENTS_WAITING, 0 - (uint64_t)p->count);
	}
	p->first = p->last = NONE;
	p->count = 0;
}

static void release(struct reassembly *r, struct place *p, enum counter_fragment row)
{
	free_fragments(r, p, row);
	age_remove(r, p);
	p->state = PLACE_FREE;
}

/* Drops the datagram and remembers that it was. */
static void kill(struct reassembly *r, struct place *p, enum counter_fragment row, enum counter_frame fate,
		 uint64_t now_ns)
{
	free_fragments(r, p, row);
	p->state = PLACE_DEAD;
	p->fate = (uint8_t)fate;
	if (p->key.family != RECORD_ORIGIN_IPV4)
		return;
	p->since_ns = now_ns;
	age_remove(r, p);
	age_append(r, p);
}

static bool expired(const struct reassembly *r, const struct place *p, uint64_t now_ns)
{
	uint64_t most =
		p->state == PLACE_DEAD && p->key.family == RECORD_ORIGIN_IPV4 && TOMBSTONE_IPV4_NS < r->timeout_ns
			? TOMBSTONE_IPV4_NS
			: r->timeout_ns;

	return (int64_t)(now_ns - p->since_ns) >= (int64_t)most;
}

void reassembly_expire(struct reassembly *r, uint64_t now_ns)
{
	for (uint32_t i = 0; i < EXPIRE_AT_ONCE && r->oldest != NONE; i++) {
		struct place *p = &r->places[r->oldest];

		if (!expired(r, p, now_ns))
			return;
		release(r, p, FRAGMENTS_EXPIRED);
	}
}

/* The place of a piece's datagram: its own, or a new one, for which another may have to go. */
static struct place *find(struct reassembly *r, const struct piece *piece, uint64_t now_ns)
{
	uint64_t hash = XXH3_64bits_withSecret(&piece->key, sizeof piece->key, r->secret, sizeof r->secret);
	struct place *set = r->places + (hash & (r->sets - 1)) * SET, *p = NULL;

	for (uint32_t i = 0; i < SET; i++)
		if (set[i].state != PLACE_FREE && memcmp(&set[i].key, &piece->key, sizeof piece->key) == 0) {
			if (!expired(r, &set[i], now_ns))
				return &set[i];
			release(r, &set[i], FRAGMENTS_EXPIRED);
			p = &set[i];
		}
	for (uint32_t i = 0; i < SET && !p; i++)
		if (set[i].state == PLACE_FREE)
			p = &set[i];
	if (!p) {
		p = set;
		for (uint32_t i = 1; i < SET; i++)
			if ((int64_t)(set[i].since_ns - p->since_ns) < 0)
				p = &set[i];
		release(r, p, FRAGMENTS_DISPLACED);
	}
	*p = (struct place){.key = piece->key,
			    .since_ns = now_ns,
			    .first = NONE,
			    .last = NONE,
			    .total = NONE,
			    .state = PLACE_WAITING};
	age_append(r, p);
	return p;
}

/* ---- a fragment into its place ---- */

static uint32_t blocks_for(uint32_t length)
{
	return (length + (uint32_t)sizeof((struct block *)0)->bytes - 1) / (uint32_t)sizeof((struct block *)0)->bytes;
}

/* The oldest go until there are `wanted` blocks; `keep` does not. One datagram alone never fills the memory. */
static void make_room(struct reassembly *r, uint32_t wanted, const struct place *keep)
{
	while (r->free_count < wanted) {
		struct place *p = &r->places[r->oldest];

		if (p == keep)
			p = &r->places[p->newer];
		release(r, p, FRAGMENTS_DISPLACED);
	}
}

static uint32_t store(struct reassembly *r, const struct piece *piece)
{
	uint32_t first = r->free, done = 0, *link = &r->free, b = NONE;

	while (done < piece->length) {
		uint32_t bytes = piece->length - done;

		b = *link;
		bytes = bytes < sizeof r->blocks[b].bytes ? bytes : (uint32_t)sizeof r->blocks[b].bytes;
		memcpy(r->blocks[b].bytes, piece->bytes + done, bytes);
		done += bytes;
		r->free_count--;
		link = &r->blocks[b].next;
	}
	r->free = *link;
	r->blocks[b].next = NONE;
	r->blocks[first].offset = (uint16_t)piece->offset;
	r->blocks[first].length = (uint16_t)piece->length;
	return first;
}

static bool repeats(const struct reassembly *r, uint32_t fragment, const struct piece *piece)
{
	uint32_t done = 0;

	if (r->blocks[fragment].offset != piece->offset || r->blocks[fragment].length != piece->length)
		return false;
	for (uint32_t b = fragment; b != NONE; b = r->blocks[b].next) {
		uint32_t bytes = piece->length - done;

		bytes = bytes < sizeof r->blocks[b].bytes ? bytes : (uint32_t)sizeof r->blocks[b].bytes;
		if (memcmp(r->blocks[b].bytes, piece->bytes + done, bytes) != 0)
			return false;
		done += bytes;
	}
	return true;
}

/* Finds the fragment to stand behind (NONE: none). FRAME_FRAGMENT_HELD when the piece fits in between. */
static enum counter_frame fit(const struct reassembly *r, const struct place *p, const struct piece *piece,
			      uint32_t *before)
{
	uint32_t end = piece->offset + piece->length, next = p->first;
	const struct block *last = p->last == NONE ? NULL : &r->blocks[p->last];

	*before = NONE;
	if (p->total != NONE && (end > p->total || (piece->last && end != p->total)))
		return FRAME_FRAGMENT_OVERLAP;
	if (last && last->offset + last->length <= piece->offset) { /* in order, as nearly always */
		*before = p->last;
		return FRAME_FRAGMENT_HELD;
	}
	if (piece->last && last && last->offset + last->length > end)
		return FRAME_FRAGMENT_OVERLAP;
	for (; next != NONE && r->blocks[next].offset < piece->offset; next = r->blocks[next].next_fragment)
		*before = next;
	if (next != NONE && piece->last == (p->total == end) && repeats(r, next, piece))
		return FRAME_FRAGMENT_DUPLICATE;
	if (*before != NONE && r->blocks[*before].offset + r->blocks[*before].length > piece->offset)
		return FRAME_FRAGMENT_OVERLAP;
	if (next != NONE && r->blocks[next].offset < end)
		return FRAME_FRAGMENT_OVERLAP;
	return FRAME_FRAGMENT_HELD;
}

static void insert(struct reassembly *r, struct place *p, const struct piece *piece, uint32_t before)
{
	uint32_t fragment = store(r, piece);
	uint32_t *link = before == NONE ? &p->first : &r->blocks[before].next_fragment;

	r->blocks[fragment].next_fragment = *link;
	*link = fragment;
	if (before == p->last)
		p->last = fragment;
	p->count++;
	p->received += piece->length;
	if (piece->last)
		p->total = piece->offset + piece->length;
	if (piece->offset == 0)
		p->next = piece->next;
	count(r, FRAGMENTS_WAITING, 1);
}

/* ---- the whole packet ---- */

static uint32_t put_header(uint8_t *out, const struct place *p)
{
	uint16_t sum;

	if (p->key.family == RECORD_ORIGIN_IPV4) {
		memset(out, 0, WIRE_IPV4_BYTES);
		out[0] = 0x45;
		wire_put16(out + 2, (uint16_t)(WIRE_IPV4_BYTES + p->total));
		wire_put16(out + 4, (uint16_t)p->key.id);
		out[8] = 64;
		out[9] = p->key.protocol;
		memcpy(out + 12, p->key.addresses, 8);
		sum = checksum_finish(checksum_sum_ipv4(out));
		memcpy(out + 10, &sum, sizeof sum);
		return WIRE_IPV4_BYTES;
	}
	memset(out, 0, 8);
	out[0] = 0x60;
	wire_put16(out + 4, (uint16_t)p->total);
	out[6] = p->next;
	out[7] = 64;
	memcpy(out + 8, p->key.addresses, 32);
	return WIRE_IPV6_BYTES;
}

static enum counter_frame join(struct reassembly *r, struct place *p, const uint8_t **packet, uint32_t *length)
{
	uint8_t *at = r->output + put_header(r->output, p);

	for (uint32_t f = p->first; f != NONE; f = r->blocks[f].next_fragment) {
		uint32_t left = r->blocks[f].length;

		for (uint32_t b = f; b != NONE; b = r->blocks[b].next) {
			uint32_t bytes = left < sizeof r->blocks[b].bytes ? left : (uint32_t)sizeof r->blocks[b].bytes;

			memcpy(at, r->blocks[b].bytes, bytes);
			at += bytes;
			left -= bytes;
		}
	}
	*packet = r->output;
	*length = (uint32_t)(at - r->output);
	/* The one that made it whole was not held: its frame has the fate of the packet. */
	p->count--;
	count(r, FRAGMENTS_WAITING, 0 - 1ull);
	release(r, p, FRAGMENTS_JOINED);
	return FRAME_ACCEPTED;
}

/* What the headers say. FRAME_FRAGMENT_HELD, or the reason to drop it. */
static enum counter_frame describe(const uint8_t *frame, const struct datagram *d, struct piece *piece)
{
	const uint8_t *ip = frame + d->l3;
	uint32_t at, end, field, most = 65535; /* what a length field can say */

	*piece = (struct piece){.key = {.family = d->family, .vni = d->vni, .tunnel = d->tunnel}};
	piece->key.vlan = (uint16_t)datagram_vlan_id(d);
	if (d->family == RECORD_ORIGIN_IPV4) {
		at = d->l3 + (ip[0] & 15u) * 4;
		end = d->l3 + wire_get16(ip + 2);
		field = wire_get16(ip + 6);
		piece->offset = (field & 0x1fff) * 8;
		piece->last = !(field & 0x2000);
		piece->key.id = wire_get16(ip + 4);
		piece->key.protocol = ip[9];
		memcpy(piece->key.addresses, ip + 12, 8);
		most -= WIRE_IPV4_BYTES; /* IPv4's counts the header */
	} else {
		uint8_t next = ip[6];

		at = d->l3 + WIRE_IPV6_BYTES;
		end = at + wire_get16(ip + 4);
		decode_extensions(frame, end, &at, &next); /* up to the fragment header, which is whole */
		field = wire_get16(frame + at + 2);
		piece->offset = field & 0xfff8;
		piece->last = !(field & 1);
		piece->key.id = wire_get32(frame + at + 4);
		piece->next = frame[at];
		memcpy(piece->key.addresses, ip + 8, 32);
		at += 8;
	}
	piece->bytes = frame + at;
	piece->length = end - at;
	if (piece->length == 0 || piece->offset + piece->length > most || (!piece->last && piece->length % 8 != 0))
		return FRAME_FRAGMENT_INVALID;
	return FRAME_FRAGMENT_HELD;
}

enum counter_frame reassembly_add(struct reassembly *r, const uint8_t *frame, const struct datagram *d, uint64_t now_ns,
				  const uint8_t **packet, uint32_t *length)
{
	struct piece piece;
	enum counter_frame fate = describe(frame, d, &piece);
	struct place *p;
	uint32_t before;

	if (fate != FRAME_FRAGMENT_HELD)
		return fate;
	p = find(r, &piece, now_ns);
	if (p->state == PLACE_DEAD)
		return p->fate;
	fate = fit(r, p, &piece, &before);
	if (fate == FRAME_FRAGMENT_OVERLAP) {
		kill(r, p, FRAGMENTS_OVERLAPPED, FRAME_FRAGMENT_OVERLAP, now_ns);
		return fate;
	}
	if (fate == FRAME_FRAGMENT_DUPLICATE)
		return fate;
	if (p->count == REASSEMBLY_FRAGMENTS_MAX) {
		kill(r, p, FRAGMENTS_EXCESS, FRAME_FRAGMENT_EXCESS, now_ns);
		return FRAME_FRAGMENT_EXCESS;
	}
	make_room(r, blocks_for(piece.length), p);
	insert(r, p, &piece, before);
	return p->total != NONE && p->received == p->total ? join(r, p, packet, length) : FRAME_FRAGMENT_HELD;
}
