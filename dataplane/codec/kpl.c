#include "dataplane/codec/kpl.h"

#include <string.h>

/* The low-level call is deprecated but has no EVP fetch, context allocation or locking in it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

#include "dataplane/codec/put.h"
#include "dataplane/codec/utf8.h"

#define MAGIC_BYTES 4u
#define DIGEST_BYTES 16u
#define HASH_DIGITS_MAX 39u /* 2^128 - 1 has as many */
#define CUT_ROOM 512u

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

struct entry { /* of a table: no offset of a datagram and no length of a key is more */
	uint16_t offset, length;
};

struct table {
	uint32_t count;
	struct entry entries[KPL_TABLE_MAX];
};

struct tables {
	struct table keys, hashes;
};

struct user_record {
	uint64_t key, hash; /* indexes */
	bool has_key, has_hash, has_data;
	struct slice data;
};

static enum codec_fault take_long_varint(struct walk *w, uint64_t *out)
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

/* Protocol buffers, "Encoding": 7 bits a byte, low ones first, at most ten bytes and 64 bits; mostly it is one. */
static inline enum codec_fault take_varint(struct walk *w, uint64_t *out)
{
	if (w->at == w->end || w->bytes[w->at] >= 0x80)
		return take_long_varint(w, out);
	*out = w->bytes[w->at++];
	return CODEC_OK;
}

static inline enum codec_fault take_bytes(struct walk *w, uint64_t length, struct slice *out)
{
	if (length > w->end - w->at)
		return CODEC_LENGTH;
	*out = (struct slice){w->at, (uint32_t)length};
	w->at += (uint32_t)length;
	return CODEC_OK;
}

static inline enum codec_fault take_field(struct walk *w, struct wire_field *out)
{
	uint64_t tag, length;

	PUT_TRY(take_varint(w, &tag));
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
		PUT_TRY(take_varint(w, &length));
		return take_bytes(w, length, &out->bytes);
	}
	return CODEC_SYNTAX;
}

/* Protocol buffers' rules: of a field that comes twice the last counts, and fields nobody knows are passed over. */
static enum codec_fault read_user_record(const uint8_t *bytes, struct slice where, struct user_record *out)
{
	struct walk w = {bytes, where.offset, where.offset + where.length};
	struct wire_field field;

	*out = (struct user_record){0};
	while (w.at < w.end) {
		PUT_TRY(take_field(&w, &field));
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

struct sums { /* what indexes must stay below the tables' sizes */
	uint64_t records, key_end, hash_end;
};

static enum codec_fault check_record(const uint8_t *bytes, struct slice where, struct sums *sums)
{
	struct user_record record;

	PUT_TRY(read_user_record(bytes, where, &record));
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

static enum codec_fault check_entry(const uint8_t *text, const struct wire_field *field)
{
	struct hash_key ignored;

	if (field->number == 1)
		return check_key(text, field->bytes.length);
	return kpl_hash_of(text, field->bytes.length, &ignored) ? CODEC_OK : CODEC_NUMBER;
}

/* Finds the tables' entries and checks everything on the way. Tables may stand behind the records. */
static enum codec_fault read_all(struct walk w, struct tables *t, struct sums *sums)
{
	while (w.at < w.end) {
		struct wire_field field;
		struct table *table;

		PUT_TRY(take_field(&w, &field));
		if (field.number > 3)
			continue;
		if (field.type != WIRE_LENGTH)
			return CODEC_SYNTAX;
		if (field.number == 3) {
			PUT_TRY(check_record(w.bytes, field.bytes, sums));
			continue;
		}
		table = field.number == 1 ? &t->keys : &t->hashes;
		if (table->count == KPL_TABLE_MAX)
			return CODEC_TOO_MANY;
		PUT_TRY(check_entry(w.bytes + field.bytes.offset, &field));
		table->entries[table->count++] =
			(struct entry){(uint16_t)field.bytes.offset, (uint16_t)field.bytes.length};
	}
	if (sums->key_end > t->keys.count || sums->hash_end > t->hashes.count)
		return CODEC_NUMBER;
	return sums->records ? CODEC_OK : CODEC_EMPTY;
}

static enum codec_fault check_digest(const uint8_t *bytes, uint32_t length)
{
	uint8_t digest[DIGEST_BYTES];

	MD5(bytes + MAGIC_BYTES, length - MAGIC_BYTES - DIGEST_BYTES, digest);
	return memcmp(digest, bytes + length - DIGEST_BYTES, DIGEST_BYTES) == 0 ? CODEC_OK : CODEC_CHECKSUM;
}

/* The same bytes have been through read_all() before: nothing can be wrong with them. */
static void read_again(struct walk w, struct tables *t)
{
	struct sums sums = {0};

	read_all(w, t, &sums);
}

static struct slice slice_of(const struct table *table, uint64_t index)
{
	return (struct slice){table->entries[index].offset, table->entries[index].length};
}

/* Gives out records from *at on. */
static uint32_t give_records(struct walk w, const struct tables *t, struct kpl_record *out, uint32_t room, uint32_t *at)
{
	uint32_t count = 0;

	for (w.at = *at; w.at < w.end;) {
		struct wire_field field;
		struct user_record record;

		*at = w.at;
		if (take_field(&w, &field) != CODEC_OK)
			break;
		if (field.number != 3)
			continue;
		if (count == room)
			return count;
		/* The caller's word for *at is not trusted with our memory. */
		if (field.type != WIRE_LENGTH || read_user_record(w.bytes, field.bytes, &record) != CODEC_OK ||
		    record.key >= t->keys.count || (record.has_hash && record.hash >= t->hashes.count))
			break;
		out[count].data = record.data;
		out[count].key = slice_of(&t->keys, record.key);
		out[count].explicit_hash = record.has_hash ? slice_of(&t->hashes, record.hash) : (struct slice){0, 0};
		count++;
	}
	*at = w.end + DIGEST_BYTES;
	return count;
}

static uint32_t give_plain(uint32_t length, struct kpl_record *out, uint32_t room, uint32_t *at)
{
	if (room == 0)
		return 0;
	out[0] = (struct kpl_record){.data = {0, length}};
	*at = length;
	return 1;
}

static enum codec_fault check_whole(struct walk w, uint32_t length, struct tables *t)
{
	struct sums sums = {0};

	PUT_TRY(check_digest(w.bytes, length));
	return read_all(w, t, &sums);
}

uint32_t kpl_records(const uint8_t *bytes, uint32_t length, struct kpl_record *out, uint32_t room, uint32_t *at,
		     enum codec_fault *fault)
{
	struct tables tables;
	struct walk w;

	*fault = length ? CODEC_OK : CODEC_EMPTY;
	if (*at >= length)
		return 0;
	if (length < MAGIC_BYTES || memcmp(bytes, magic, MAGIC_BYTES) != 0)
		return give_plain(length, out, room, at);
	if (length < MAGIC_BYTES + DIGEST_BYTES) {
		*fault = CODEC_TRUNCATED;
		*at = length;
		return 0;
	}
	w = (struct walk){bytes, MAGIC_BYTES, length - DIGEST_BYTES};
	tables.keys.count = tables.hashes.count = 0;
	if (*at >= MAGIC_BYTES) {
		read_again(w, &tables);
		return give_records(w, &tables, out, room, at);
	}
	*fault = check_whole(w, length, &tables);
	*at = *fault == CODEC_OK ? MAGIC_BYTES : length;
	return *fault == CODEC_OK ? give_records(w, &tables, out, room, at) : 0;
}

/* Bytes that no aggregate can be resumed in the middle of are cut whole, as kpl_records() is what tells the reason. */
uint32_t kpl_cut(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed)
{
	struct kpl_record records[CUT_ROOM];
	enum codec_fault fault;
	uint32_t at = 0, count = 0;

	*consumed = length;
	while (at < length) {
		uint32_t some = kpl_records(bytes, length, records, CUT_ROOM, &at, &fault);

		if (fault != CODEC_OK || some > room - count) {
			out[0] = (struct slice){0, length};
			return 1;
		}
		for (uint32_t i = 0; i < some; i++)
			out[count++] = records[i].data;
	}
	return count;
}

bool kpl_hash_of(const uint8_t *text, uint32_t length, struct hash_key *out)
{
	const unsigned __int128 most = ~(unsigned __int128)0;
	unsigned __int128 value = 0;

	if (length == 0 || length > HASH_DIGITS_MAX || (text[0] == '0' && length > 1))
		return false;
	for (uint32_t i = 0; i < length; i++) {
		uint32_t digit = (uint32_t)text[i] - '0';

		if (digit > 9 || value > most / 10 || value * 10 > most - digit)
			return false;
		value = value * 10 + digit;
	}
	*out = (struct hash_key){(uint64_t)(value >> 64), (uint64_t)value};
	return true;
}
