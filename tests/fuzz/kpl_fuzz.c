// Any bytes as a Kinesis aggregate, and as the protocol buffer in one whose MD5 is right.
#include <string.h>

#include "dataplane/codec/kpl.h"
#include "dataplane/record/md5.h"
#include "tests/fuzz/fuzz.h"

#define RECORDS_MAX 16384u

static void check_slice(struct slice slice, uint32_t length)
{
	fuzz_require(slice.offset <= length && slice.length <= length - slice.offset);
}

static void check_record(const struct kpl_record *r, const uint8_t *bytes, uint32_t length, bool plain)
{
	struct hash_key hash;

	check_slice(r->data, length);
	check_slice(r->key, length);
	check_slice(r->explicit_hash, length);
	fuzz_require(plain == (r->key.length == 0) && r->key.length <= RECORD_KEY_MAX);
	fuzz_require(r->explicit_hash.length == 0 ||
		     kpl_hash_of(bytes + r->explicit_hash.offset, r->explicit_hash.length, &hash));
}

/* All at once, and `room` at a time: the same records. */
static void check(const uint8_t *bytes, uint32_t length, uint32_t room)
{
	static struct kpl_record all[RECORDS_MAX], some[256];
	static struct slice cut[RECORDS_MAX];
	uint8_t *exact = fuzz_allocate(length);
	uint32_t at = 0, count, seen = 0, got, consumed;
	enum codec_fault fault, later;
	bool plain;

	if (length)
		memcpy(exact, bytes, length);
	plain = length < 4 || memcmp(exact, "\xf3\x89\x9a\xc2", 4) != 0;
	count = kpl_records(exact, length, all, RECORDS_MAX, &at, &fault);
	fuzz_require(at == length && (fault == CODEC_OK) == (count > 0) && (unsigned)fault < CODEC_FAULT_END);
	for (uint32_t i = 0; i < count; i++)
		check_record(&all[i], exact, length, plain);
	for (at = 0; at < length; seen += got) {
		got = kpl_records(exact, length, some, room, &at, &later);
		fuzz_require(later == fault && got <= room && (got > 0 || at == length) && seen + got <= count);
		fuzz_require(memcmp(some, all + seen, got * sizeof *some) == 0);
	}
	fuzz_require(seen == count);
	got = kpl_cut(exact, length, cut, RECORDS_MAX, &consumed);
	fuzz_require(consumed == length && got == (fault == CODEC_OK ? count : length > 0));
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t sealed[4 + 65516 + 16] = {0xf3, 0x89, 0x9a, 0xc2};
	uint8_t digest[1][16];
	struct md5_key whole;
	uint32_t room;

	if (size < 1 || size > 65516)
		return -1;
	room = data[0] + 1u;
	whole = (struct md5_key){data + 1, (uint32_t)size - 1};
	check(whole.bytes, whole.length, room);
	md5_batch(&whole, 1, digest);
	memcpy(sealed + 4, whole.bytes, whole.length);
	memcpy(sealed + 4 + whole.length, digest[0], 16);
	check(sealed, whole.length + 20, room);
	return 0;
}
