#include "dataplane/codec/kpl.h"

#include <string.h>

/* The low-level call is deprecated but has no EVP fetch, context allocation or locking in it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

#include "dataplane/codec/utf8.h"

#define MAGIC_BYTES 4u
#define DIGEST_BYTES 16u

static const uint8_t magic[MAGIC_BYTES] = {0xf3, 0x89, 0x9a, 0xc2};

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LENGTH = 2, WIRE_32 = 5 }; /* 3 and 4 are groups: refused */

struct walk { /* of one message; ends where it does */
	const uint8_t *bytes;
	uint32_t at, end;
};

struct wire_field {
	uint32_t number;
	enum wire_type type;
	uint64_t value;     /* WIRE_VARINT */
	struct slice bytes; /* the others */
};

struct tables { /* where each entry's length stands: an offset of a datagram fits */
	uint32_t keys, hashes;
	uint16_t key[KPL_TABLE_MAX], hash[KPL_TABLE_MAX];
};

struct user_record {
	uint64_t key, hash; /* indexes */
	bool has_key, has_hash, has_data;
	struct slice data;
};

/* Protocol buffers, "Encoding": 7 bits a byte, low ones first, at most ten bytes and 64 bits. */
static enum codec_fault take_varint(struct walk *w, uint64_t *out)
{
	uint64_t value = 0;

	for (uint32_t shift = 0; shift < 70; shift += 7) {
		uint8_t byte;

		if (w->at == w->end)
			return CODEC_LENGTH;
		byte = w->bytes[w->at++];
		if (shift == 63 && byte > 1)
			return CODEC_NUMBER;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*out = value;
			return CODEC_OK;
		}
	}
	return CODEC_NUMBER;
}

static enum codec_fault take_bytes(struct walk *w, uint64_t length, struct slice *out)
{
	if (length > w->end - w->at)
		return CODEC_LENGTH;
	*out = (struct slice){w->at, (uint32_t)length};
	w->at += (uint32_t)length;
	return CODEC_OK;
}

static enum codec_fault take_field(struct walk *w, struct wire_field *out)
{
	enum codec_fault fault;
	uint64_t tag, length;

	fault = take_varint(w, &tag);
	if (fault != CODEC_OK)
		return fault;
	if (tag > UINT32_MAX || tag >> 3 == 0)
		return CODEC_SYNTAX;
	out->number = (uint32_t)tag >> 3;
	out->type = tag & 7;
	switch (tag & 7) {
	case WIRE_VARINT:
		return take_varint(w, &out->value);
	case WIRE_64:
		return take_bytes(w, 8, &out->bytes);
	case WIRE_32:
		return take_bytes(w, 4, &out->bytes);
	case WIRE_LENGTH:
		fault = take_varint(w, &length);
		return fault == CODEC_OK ? take_bytes(w, length, &out->bytes) : fault;
	}
	return CODEC_SYNTAX;
}

/* The last of a field that comes twice counts, and fields nobody knows are passed over: both are protocol buffers' rules. */
static enum codec_fault read_user_record(const uint8_t *bytes, struct slice where, struct user_record *out)
{
	struct walk w = {bytes, where.offset, where.offset + where.length};
	struct wire_field field;

	*out = (struct user_record){0};
	while (w.at < w.end) {
		enum codec_fault fault = take_field(&w, &field);

		if (fault != CODEC_OK)
			return fault;
		if (field.number <= 4 && field.type != (field.number <= 2 ? WIRE_VARINT : WIRE_LENGTH))
			return CODEC_SYNTAX;
		if (field.number == 1) {
			out->has_key = true;
			out->key = field.value;
		} else if (field.number == 2) {
			out->has_hash = true;
			out->hash = field.value;
		} else if (field.number == 3) {
			out->has_data = true;
			out->data = field.bytes;
		}
	}
	return out->has_key && out->has_data ? CODEC_OK : CODEC_SYNTAX;
}

static enum codec_fault check_key(const uint8_t *text, uint32_t length)
{
	if (length == 0)
		return CODEC_SYNTAX;
	if (length > RECORD_KEY_MAX)
		return CODEC_TOO_LARGE;
	return utf8_valid(text, length) ? CODEC_OK : CODEC_ENCODING;
}

/* Remembers a table's entry. */
static enum codec_fault take_entry(struct tables *t, uint32_t number, uint32_t at)
{
	uint32_t *count = number == 1 ? &t->keys : &t->hashes;

	if (*count == KPL_TABLE_MAX)
		return CODEC_TOO_MANY;
	(number == 1 ? t->key : t->hash)[(*count)++] = (uint16_t)at;
	return CODEC_OK;
}

static struct slice entry(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	struct walk w = {bytes, at, length};
	struct slice out = {0, 0};
	uint64_t entry_length;

	if (take_varint(&w, &entry_length) == CODEC_OK)
		take_bytes(&w, entry_length, &out);
	return out;
}

struct sums { /* what indexes must stay below the tables' sizes */
	uint64_t records, key_end, hash_end;
};

static enum codec_fault check_record(const uint8_t *bytes, struct slice where, struct sums *sums)
{
	struct user_record record;
	enum codec_fault fault = read_user_record(bytes, where, &record);

	if (fault != CODEC_OK)
		return fault;
	/* No table is that long, and 1 can be added to what remains. */
	if (record.key >= KPL_TABLE_MAX || record.hash >= KPL_TABLE_MAX)
		return CODEC_NUMBER;
	sums->records++;
	if (record.key >= sums->key_end)
		sums->key_end = record.key + 1;
	if (record.has_hash && record.hash >= sums->hash_end)
		sums->hash_end = record.hash + 1;
	return CODEC_OK;
}

/* Finds the tables' entries; with `sums`, checks everything else as well. Tables may stand behind the records. */
static enum codec_fault read_tables(struct walk w, struct tables *t, struct sums *sums)
{
	while (w.at < w.end) {
		struct wire_field field;
		struct hash_key ignored;
		enum codec_fault fault = take_field(&w, &field);
		const uint8_t *text;

		if (fault != CODEC_OK)
			return fault;
		if (field.number > 3)
			continue;
		if (field.type != WIRE_LENGTH)
			return CODEC_SYNTAX;
		text = w.bytes + field.bytes.offset;
		if (field.number == 3)
			fault = sums ? check_record(w.bytes, field.bytes, sums) : CODEC_OK;
		else if (sums && field.number == 1)
			fault = check_key(text, field.bytes.length);
		else if (sums && !kpl_hash_of(text, field.bytes.length, &ignored))
			fault = CODEC_NUMBER;
		/* The length of an entry takes the fewest bytes, or it would not be found again from its end. */
		if (fault == CODEC_OK && field.number != 3)
			fault = take_entry(t, field.number, 0);
		if (fault != CODEC_OK)
			return fault;
	}
	return CODEC_OK;
}
