#include "dataplane/record/key.h"

#include <string.h>

static struct hash_key hash_of(struct md5_key text)
{
	uint8_t digest[1][16];

	md5_batch(&text, 1, digest);
	return hash_key_of_digest(digest[0]);
}

static struct md5_key constant_of(const struct config_input *input)
{
	return (struct md5_key){(const uint8_t *)input->key_constant,
				(uint32_t)strnlen(input->key_constant, RECORD_KEY_MAX)};
}

void key_rule_init(struct key_rule *rule, const struct config_input *input)
{
	*rule = (struct key_rule){.kind = input->key, .field = input->key_field, .separator = input->key_separator};
	if (input->key != KEY_CONSTANT)
		return;
	rule->constant = constant_of(input);
	rule->constant_hash = hash_of(rule->constant);
}

struct key key_for_missing(const struct config_input *input)
{
	struct md5_key constant = constant_of(input);

	return key_of_hashed(constant.bytes, constant.length, hash_of(constant));
}

void key_hash_now(struct key *key)
{
	if (key->text.length > 0)
		key->hash = hash_of(key->text);
	key->text = (struct md5_key){NULL, 0};
}

void key_random_init(struct key_random *random, uint64_t seed)
{
	random->state = seed;
}

uint32_t key_cut(const uint8_t *bytes, uint32_t length)
{
	uint32_t end = KEY_BYTES_MAX;

	if (length <= KEY_BYTES_MAX)
		return length;
	/* bytes[end] would be the first one left out: while it continues a character, the cut is inside that. */
	for (uint32_t back = 0; back < 3 && (bytes[end] & 0xc0) == 0x80; back++)
		end--;
	return (bytes[end] & 0xc0) == 0x80 ? KEY_BYTES_MAX : end; /* not UTF-8: any place is as good */
}

bool key_find(const struct key_rule *rule, struct key_random *random, const uint8_t *payload, uint32_t length,
	      const void *origin, uint8_t origin_kind, char *scratch, struct key *out)
{
	struct md5_key text;

	switch (rule->kind) {
	case KEY_CONSTANT:
		*out = key_of_hashed(rule->constant.bytes, rule->constant.length, rule->constant_hash);
		return true;
	case KEY_SOURCE:
		if (origin_kind == RECORD_ORIGIN_NONE)
			break;
		text.bytes = (const uint8_t *)scratch;
		text.length = origin_kind == RECORD_ORIGIN_IPV4 ? address4_text(origin, scratch) :
								  address6_text(origin, scratch);
		*out = (struct key){.text = text, .kind = RECORD_KEY_SOURCE};
		return true;
	case KEY_FLOW:
		if (origin_kind == RECORD_ORIGIN_NONE)
			break;
		*out = key_of_hash(key_flow_hash(origin, record_origin_bytes(origin_kind)), RECORD_KEY_FLOW);
		return true;
	case KEY_FIELD:
		if (!key_field(payload, length, rule->separator, rule->field, &text))
			break;
		*out = key_of_bytes(text.bytes, text.length);
		return true;
	case KEY_RANDOM:
		*out = key_of_hash(key_random_next(random), RECORD_KEY_HASH);
		return true;
	case KEY_PATH:
	case KEY_CAPTURE:
	case KEY_OWN: /* not found in the bytes alone */
		break;
	}
	*out = key_of_hash(key_random_next(random), RECORD_KEY_HASH);
	return false;
}
