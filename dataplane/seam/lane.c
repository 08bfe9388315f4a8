#include "dataplane/seam/lane.h"

#include <errno.h>

void lane_writer_init(struct lane_writer *lane, uint8_t *bytes, uint64_t size, uint32_t slot,
		      const struct ledger_writer *ledger, const _Atomic uint64_t *head)
{
	lane->bytes = bytes;
	lane->size = size;
	lane->mask = (uint32_t)(size - 1);
	lane->slot = slot;
	lane->position = ledger->now[lane_word(slot, LANE_POSITION)];
	lane->limit = lane->position; /* full until a head has been seen */
	lane->head = head;
	lane_refresh(lane);
}

bool lane_refresh(struct lane_writer *lane)
{
	/* Acquire: the drain's copy of the bytes below head is done. Partner: the drain's release store of head. */
	uint64_t head = lane->head ? atomic_load_explicit(lane->head, memory_order_acquire) : 0;

	if (head > lane->position || lane->position - head > lane->size || head + lane->size < lane->limit)
		return false;
	lane->limit = head + lane->size;
	return true;
}

int64_t lane_span(const struct lane_reader *lane, uint64_t published, uint64_t most, const uint8_t **bytes)
{
	uint64_t span = published - lane->position;

	if (published < lane->position || span > lane->size || published % RECORD_ALIGN)
		return -EBADMSG;
	*bytes = lane->bytes + (lane->position & (lane->size - 1));
	return (int64_t)(span < most ? span : most);
}
