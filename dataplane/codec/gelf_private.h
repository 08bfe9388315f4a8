// An assembly of GELF chunks inside: gelf_assembly.c has messages and blocks, gelf_senders.c who holds how much of both.
#pragma once

#include "dataplane/codec/gelf.h"

#define BLOCK 512u    /* a chunk takes whole ones: 3 for the usual 1,420 bytes */
#define LARGE 16u     /* who holds more than this part of messages or blocks is looked at for room: fewer than that many */
#define NONE UINT32_MAX

enum room { ROOM_MESSAGES, ROOM_BLOCKS, ROOM_KINDS };

struct sender { /* a source address with messages here, to whatever input */
	uint64_t address[2];
	uint32_t origin_kind;
	uint32_t chain; /* next in the same place of the table; or next free one */
	uint32_t held[ROOM_KINDS];
	uint32_t oldest, newest; /* its messages */
	bool large;
};

struct message {
	uint64_t id, address[2];
	uint64_t first_ns;
	struct gelf_chunk_source source;
	uint32_t chain;                    /* next message in the same place of the table, older; or next free one */
	uint32_t older, newer;             /* by first chunk */
	uint32_t sender, sender_older, sender_newer;
	uint32_t length;                   /* bytes there are */
	uint32_t had, expected;            /* chunks */
	uint32_t blocks[GELF_CHUNKS_MAX];  /* first block of each chunk, NONE: not there */
	uint16_t lengths[GELF_CHUNKS_MAX]; /* bytes of each */
};

struct gelf_assembly {
	struct gelf_taker *taker;
	uint64_t secret[2];
	struct message *messages;
	uint32_t *places;       /* the table: newest message of each place */
	struct sender *senders; /* as many as messages */
	uint32_t *sender_places;
	uint32_t *next_block;   /* of the same chunk, or the next free one */
	uint8_t *blocks;
	uint32_t places_mask;
	uint32_t free_message, pending, oldest, newest;
	uint32_t free_block, free_blocks;
	uint32_t free_sender, large_count;
	uint32_t large[ROOM_KINDS * LARGE];
	uint32_t large_from[ROOM_KINDS]; /* holding more than so many */
	uint8_t whole[GELF_MESSAGE_MAX];
};

// The place of four words in a table of the assembly.
uint32_t gelf_place_of(const struct gelf_assembly *a, const uint64_t words[4]);

// Counts a message that has begun, of the address and kind of source in it, for its sender; blocks that its chunks take;
// and that it goes, with all of them.
void gelf_link_sender(struct gelf_assembly *a, struct message *m);
void gelf_add_blocks(struct gelf_assembly *a, const struct message *m, uint32_t blocks);
void gelf_unlink_sender(struct gelf_assembly *a, const struct message *m, uint32_t blocks);

// Who makes room: the oldest message of the sender that holds most, so that one who sends chunks without end displaces his
// own. Where nobody holds much, the oldest of all: a sender of one long message is not the first to go in a flood from many
// addresses. Never `kept`; there is another.
struct message *gelf_displaced(struct gelf_assembly *a, enum room room, const struct message *kept);
