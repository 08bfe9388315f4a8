// Who holds how much of an assembly, and who makes room when it is full.
#include "dataplane/codec/gelf_private.h"

static uint32_t *sender_place(struct gelf_assembly *a, const uint64_t address[2], uint32_t origin_kind)
{
	const uint64_t words[4] = {address[0], address[1], 0, (uint64_t)origin_kind << 32};

	return &a->sender_places[gelf_place_of(a, words)];
}

/* Keeps the list of those that hold much. */
static void weigh(struct gelf_assembly *a, struct sender *sender)
{
	uint32_t index = (uint32_t)(sender - a->senders), at = 0;
	bool large = sender->held[ROOM_MESSAGES] > a->large_from[ROOM_MESSAGES] ||
		     sender->held[ROOM_BLOCKS] > a->large_from[ROOM_BLOCKS];

	if (large == sender->large)
		return;
	sender->large = large;
	if (large) {
		a->large[a->large_count++] = index;
		return;
	}
	while (a->large[at] != index)
		at++;
	a->large[at] = a->large[--a->large_count];
}

/* There is one for each message. */
static uint32_t sender_of(struct gelf_assembly *a, const uint64_t address[2], uint32_t origin_kind)
{
	uint32_t *place = sender_place(a, address, origin_kind), index = *place;
	struct sender *sender;

	for (; index != NONE; index = sender->chain) {
		sender = &a->senders[index];
		if (sender->address[0] == address[0] && sender->address[1] == address[1] &&
		    sender->origin_kind == origin_kind)
			return index;
	}
	index = a->free_sender;
	sender = &a->senders[index];
	a->free_sender = sender->chain;
	*sender = (struct sender){{address[0], address[1]}, origin_kind, *place, {0, 0}, NONE, NONE, false};
	*place = index;
	return index;
}

void gelf_link_sender(struct gelf_assembly *a, struct message *m)
{
	uint32_t index = (uint32_t)(m - a->messages);
	struct sender *sender;

	m->sender = sender_of(a, m->address, m->source.origin_kind);
	sender = &a->senders[m->sender];
	m->sender_older = sender->newest;
	m->sender_newer = NONE;
	*(sender->newest == NONE ? &sender->oldest : &a->messages[sender->newest].sender_newer) = index;
	sender->newest = index;
	sender->held[ROOM_MESSAGES]++;
	weigh(a, sender);
}

void gelf_add_blocks(struct gelf_assembly *a, const struct message *m, uint32_t blocks)
{
	a->senders[m->sender].held[ROOM_BLOCKS] += blocks;
	weigh(a, &a->senders[m->sender]);
}

void gelf_unlink_sender(struct gelf_assembly *a, const struct message *m, uint32_t blocks)
{
	struct sender *sender = &a->senders[m->sender];
	uint32_t *link;

	*(m->sender_older == NONE ? &sender->oldest : &a->messages[m->sender_older].sender_newer) = m->sender_newer;
	*(m->sender_newer == NONE ? &sender->newest : &a->messages[m->sender_newer].sender_older) = m->sender_older;
	sender->held[ROOM_MESSAGES]--;
	sender->held[ROOM_BLOCKS] -= blocks;
	weigh(a, sender);
	if (sender->held[ROOM_MESSAGES] > 0)
		return;
	link = sender_place(a, sender->address, sender->origin_kind);
	while (*link != m->sender)
		link = &a->senders[*link].chain;
	*link = sender->chain;
	sender->chain = a->free_sender;
	a->free_sender = m->sender;
}

struct message *gelf_displaced(struct gelf_assembly *a, enum room room, const struct message *kept)
{
	uint32_t most = a->large_from[room], index = NONE;

	for (uint32_t i = 0; i < a->large_count; i++) {
		const struct sender *sender = &a->senders[a->large[i]];
		uint32_t oldest = sender->oldest;

		if (&a->messages[oldest] == kept)
			oldest = kept->sender_newer;
		if (sender->held[room] > most && oldest != NONE) {
			most = sender->held[room];
			index = oldest;
		}
	}
	if (index == NONE)
		index = &a->messages[a->oldest] == kept ? kept->newer : a->oldest;
	return &a->messages[index];
}
