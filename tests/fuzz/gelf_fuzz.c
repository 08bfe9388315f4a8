// Any bytes as a GELF message, as what is packed in one, and as a sequence of chunks.
#include "dataplane/codec/gelf.h"
#include "tests/fuzz/fields.h"
#include "tests/support/gelf_pack.h"

/* What gzip or zlib around it changes about a message: nothing. */
static void check_packed(const uint8_t *bytes, uint32_t length, uint16_t wrapper)
{
	static uint8_t packed[200000];
	uint32_t packed_length = gelf_pack(wrapper, bytes, length, packed, sizeof packed);
	enum codec_fault plain_fault, packed_fault;
	struct fields plain, unpacked;

	packed_fault = fields_decode(CODEC_GELF, packed, packed_length, 0, &unpacked);
	if (packed_fault == CODEC_TOO_LARGE) {
		fuzz_require(length > gelf_unpacked_max(packed_length));
		return;
	}
	plain_fault = fields_decode(CODEC_GELF, bytes, length, 0, &plain);
	/* What is a chunk or packed itself is none inside. */
	if (length && (bytes[0] == 0x1e || bytes[0] == 0x1f || (bytes[0] & 15) == 8))
		return;
	fuzz_require(packed_fault == plain_fault && unpacked.count == plain.count && unpacked.hash == plain.hash);
}

struct tally {
	struct gelf_taker taker;
	uint64_t kept, dropped, finished;
};

static void count_dropped(struct gelf_taker *taker, const struct gelf_dropped *dropped)
{
	struct tally *tally = (struct tally *)taker;
	uint64_t sum = 0;

	fuzz_require(dropped->had < dropped->expected && dropped->length <= GELF_MESSAGE_MAX);
	for (uint32_t i = 0; i < dropped->length; i++)
		sum += dropped->bytes[i];
	fuzz_require(dropped->length == 0 || sum <= 255ull * dropped->length);
	tally->dropped += dropped->had;
}

#define STEP 8 /* bytes that say a datagram: time, sender, id, number, count, size (2), filling */

static void assemble(struct gelf_assembly *a, struct tally *tally, const uint8_t *step, uint64_t *now_ns)
{
	struct gelf_chunk_source source = {.input = step[1] >> 4,
					   .origin_kind = step[1] & 8 ? RECORD_ORIGIN_IPV4 : RECORD_ORIGIN_IPV6};
	uint32_t length = GELF_CHUNK_HEADER + ((step[5] << 8 | step[6]) >> (step[7] & 7)), whole_length;
	uint8_t *datagram = fuzz_allocate(length);
	const uint8_t *whole;
	enum gelf_outcome outcome;

	source.origin.v6.source[15] = source.origin.v4.source[3] = step[1] & 7;
	*now_ns += (uint64_t)step[0] * 20000000;
	memset(datagram, step[7], length);
	memcpy(datagram, (uint8_t[]){0x1e, 0x0f, step[2], 0, 0, 0, 0, 0, 0, 0, step[3], step[4]}, GELF_CHUNK_HEADER);
	outcome = gelf_assemble(a, &source, *now_ns, datagram, length, &whole, &whole_length);
	fuzz_require(outcome < GELF_OUTCOME_END &&
		     (outcome <= GELF_PENDING) == (gelf_refusal(outcome) == DEAD_LETTER_NONE));
	tally->kept += outcome == GELF_PENDING;
	if (outcome == GELF_WHOLE) {
		fuzz_require(whole_length > 0 && whole_length <= GELF_MESSAGE_MAX);
		tally->finished += step[4] - 1u;
	}
	free(datagram);
}

/* Every chunk that was kept comes out in a message or is dropped. */
static void check_chunks(const uint8_t *data, size_t size)
{
	static uint8_t secret[16];
	static _Alignas(64) uint8_t memory[300000]; /* allocating them would take longer than all the rest */
	struct tally tally = {.taker.dropped = count_dropped};
	struct gelf_assembly *a;
	uint64_t now_ns = 0;

	fuzz_require(gelf_assembly_bytes(5, GELF_BYTES_MIN) <= sizeof memory);
	a = gelf_assembly_init(memory, 5, GELF_BYTES_MIN, secret, &tally.taker);
	for (; size >= STEP; data += STEP, size -= STEP) {
		assemble(a, &tally, data, &now_ns);
		if (data[0] & 1)
			gelf_expire(a, now_ns, data[0] >> 1);
	}
	gelf_end(a);
	fuzz_require(gelf_pending(a) == 0 && tally.kept == tally.finished + tally.dropped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return -1;
	fields_decode(CODEC_GELF, data + 2, (uint32_t)size - 2, data[1], NULL);
	if (data[0] & 1)
		check_packed(data + 2, (uint32_t)size - 2, data[0] & 2 ? IGZIP_GZIP : IGZIP_ZLIB);
	else
		check_chunks(data + 2, size - 2);
	return 0;
}
