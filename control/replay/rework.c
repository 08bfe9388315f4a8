#include "control/replay/rework.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "dataplane/codec/gelf.h"
#include "dataplane/codec/kpl.h"
#include "dataplane/codec/path.h"
#include "dataplane/packet/tunnel.h"
#include "dataplane/rule/capture.h"
#include "dataplane/rule/rule.h"

#define SLICES 512u

struct rework {
	const struct config *config;
	const struct config_input *input;
	const struct codec *codec;
	struct key_rule key;
	struct key_random random;
	struct key missing; /* MISSING_CONSTANT */
	struct field_path path;
	struct ruleset *rules;
	struct rule_scratch *scratch;
	struct rule_capture *capture;
	struct rule_capture_scratch *capture_scratch;
	struct host tap; /* codec frame */

	/* of the dead letter in hand */
	const struct record *source;
	const struct dead_letter *taken;
	struct rework_sink *sink;
	bool ended;
	uint8_t addresses, ports; /* of it, enum record_origin: see datagram_copy_known() */
	uint8_t origin[sizeof(struct origin6)];

	struct slice slices[SLICES];
	struct kpl_record kpl[SLICES];
	char key_text[KEY_BYTES_MAX + KEY_SCRATCH];
	_Alignas(8) uint8_t formed[RECORD_BYTES_MAX];
	uint8_t kept[RECORD_PAYLOAD_MAX];  /* what rules have redacted */
	uint8_t letter[RECORD_PAYLOAD_MAX];
	uint8_t decode[CODEC_SCRATCH_BYTES], unpacked[CODEC_SCRATCH_BYTES];
};

struct piece { /* one record of it */
	const uint8_t *bytes, *kept;
	uint32_t length;
	struct md5_key own; /* codec kpl */
	struct hash_key own_hash;
	bool own_hashed;
	uint64_t tags;
	const char *stream;
};

/* ---- storing ---- */

static void put_tags(const struct rework *r, uint64_t tags, uint8_t *at)
{
	for (; tags; tags &= tags - 1, at += 4) {
		uint32_t id = input_id(r->config->rules[ruleset_tag(r->rules, (uint32_t)__builtin_ctzll(tags))].name);

		memcpy(at, &id, sizeof id);
	}
}

/* Lays the record out and hands it over. */
static void put(struct rework *r, const struct rework_record *to, const struct piece *piece, const struct key *key, uint8_t codec)
{
	uint32_t tags = (uint32_t)__builtin_popcountll(piece->tags), origin = record_origin_bytes(r->source->origin);
	struct record header = {.length = piece->length,
				.key_length = (uint16_t)(key->stored + 4 * tags),
				.kind = tags ? RECORD_TAGGED : RECORD_DATA,
				.origin = r->source->origin,
				.arrival_ns = r->source->arrival_ns,
				.input = input_id(r->input->name),
				.vlan = r->source->vlan,
				.codec = codec,
				.key_kind = tags ? record_tagged_kind(key->kind, tags) : key->kind};
	struct rework_record out = *to;
	struct key hashed = *key;
	uint8_t *at = r->formed + sizeof header;

	key_hash_now(&hashed);
	out.hash = hashed.hash;
	out.hashed = key->text.length > 0;
	header.hash = out.hash.upper;
	out.bytes = record_bytes(header.origin, header.key_length, header.length);
	memset(r->formed + out.bytes - RECORD_ALIGN, 0, RECORD_ALIGN);
	memcpy(r->formed, &header, sizeof header);
	memcpy(at, record_origin(r->source), origin);
	at += origin;
	if (key->stored > 0)
		memcpy(at, key->bytes, key->stored);
	put_tags(r, piece->tags, at + key->stored);
	at += header.key_length;
	if (piece->length > 0)
		memcpy(at, piece->kept, piece->length);
	out.record = (const struct record *)r->formed;
	r->ended = !r->sink->put(r->sink, &out);
}

static void bury(struct rework *r, const struct piece *piece, uint8_t stage, uint16_t reason, uint32_t detail)
{
	struct dead_letter_header header = {.stage = stage, .codec = r->input->codec, .reason = reason,
					    .input = input_id(r->input->name), .detail = detail,
					    .arrival_ns = r->source->arrival_ns};
	struct piece dead = {.bytes = r->letter, .kept = r->letter};
	struct key key = piece->own.length > 0 ? key_of_own(piece->own, piece->own_hashed, piece->own_hash)
					       : key_of_dead(r->origin, r->ports, r->source->origin, &r->random);

	key_hash_now(&key);
	/* It came out of a dead letter, so it fits into one. */
	dead.length = dead_letter_write(&header, piece->kept, piece->length, r->letter, sizeof r->letter);
	put(r, &(struct rework_record){.stream = r->input->dead_letter, .dead = true}, &dead, &key, CODEC_DEAD_LETTER);
}

/* ---- one record ---- */

/* What does not follow its format. True: that is settled. */
static bool settle_invalid(struct rework *r, const struct piece *piece, uint8_t stage, uint16_t reason)
{
	if (r->input->invalid == INVALID_DEAD_LETTER)
		bury(r, piece, stage, reason, 0);
	else if (r->input->invalid == INVALID_DROP)
		r->sink->dropped++;
	return r->input->invalid != INVALID_KEEP;
}

/* Whether what rules cannot look into is not to be stored: one of them overwrites what it may hold. */
static bool hides(const struct rework *r)
{
	return r->input->codec == CODEC_GELF && r->input->invalid != INVALID_DEAD_LETTER && r->rules && ruleset_redacts(r->rules);
}

/* Rules have had it before them as it is now, and let it pass: what ended it came later. A dead letter of a rule is none of these. */
static bool sampled_before(const struct rework *r, const struct piece *piece)
{
	return r->taken->header.stage != DEAD_LETTER_AT_RULE && piece->bytes == r->taken->bytes &&
	       piece->length == r->taken->length;
}

/*
 * One in `every` of a step's records, beginning with one that is drawn from its first letter. So a dry run says what will come of
 * it, a step that failed and comes again gives the same, and no step uses up what another one counts by: the counters in the
 * scratch, which all share, are not asked.
 */
static bool sampled_out(struct rework *r, const struct piece *piece, uint32_t rule)
{
	uint32_t *next = &r->sink->samples[rule], every = r->config->rules[rule].every;

	if (sampled_before(r, piece))
		return false;
	if (*next == 0)
		*next = 1 + (uint32_t)(XXH64(r->taken->bytes, r->taken->length, r->taken->header.arrival_ns) % every);
	if (--*next > 0)
		return true;
	*next = every;
	return false;
}

/* True: a rule settles it. */
static bool settle_rules(struct rework *r, struct piece *piece)
{
	struct rule_record record = {r->kept, piece->length};
	struct rule_verdict verdict;

	if (!r->rules)
		return false;
	if (piece->length > 0)
		memcpy(r->kept, piece->bytes, piece->length);
	piece->kept = r->kept;
	ruleset_scan_each(r->rules, r->scratch, &record, 1, &verdict);
	piece->tags = verdict.tags;
	if (verdict.rule != RULE_NONE && r->config->rules[verdict.rule].verdict == VERDICT_SAMPLE)
		verdict.action = sampled_out(r, piece, verdict.rule) ? RULE_SAMPLED_OUT : RULE_KEEP;
	switch (verdict.action) {
	case RULE_DROP:
	case RULE_SAMPLED_OUT:
		r->sink->dropped++;
		return true;
	case RULE_DEAD_LETTER:
		bury(r, piece, DEAD_LETTER_AT_RULE, DEAD_LETTER_RULE, input_id(r->config->rules[verdict.rule].name));
		return true;
	case RULE_ROUTE:
		piece->stream = r->config->rules[verdict.rule].stream;
		break;
	}
	return false;
}

static struct codec_record codec_record(struct rework *r, const struct piece *piece)
{
	return (struct codec_record){.bytes = piece->bytes,
				     .length = piece->length,
				     .source_bytes = record_source_bytes(r->addresses),
				     .source = r->origin,
				     .arrival_ns = r->source->arrival_ns,
				     .scratch = r->decode};
}

static enum codec_fault check(struct rework *r, const struct piece *piece)
{
	struct codec_record in = codec_record(r, piece);

	return r->input->invalid == INVALID_KEEP || !r->codec->decode ? CODEC_OK : codec_check(r->codec, &in);
}

/* From the bytes and the origin, as for any input. */
static bool plain_key(struct rework *r, const struct piece *piece, struct key *out)
{
	bool found = key_find(&r->key, &r->random, piece->bytes, piece->length, r->origin,
			      r->key.kind == KEY_SOURCE ? r->addresses : r->ports, r->key_text, out);

	if (r->source->origin == RECORD_ORIGIN_NONE)
		key_leave_origin(out);
	return found;
}

static bool find_key(struct rework *r, const struct piece *piece, struct key *out)
{
	struct codec_record in;
	struct slice group;
	uint32_t length;

	switch (r->input->key) {
	case KEY_OWN:
		if (piece->own.length == 0)
			return false;
		*out = key_of_own(piece->own, piece->own_hashed, piece->own_hash);
		return true;
	case KEY_CAPTURE:
		if (!r->capture || !rule_capture_find(r->capture, r->capture_scratch, piece->bytes, piece->length, &group))
			return false;
		*out = key_of_bytes(piece->bytes + group.offset, key_cut(piece->bytes + group.offset, group.length));
		return true;
	case KEY_PATH:
		in = codec_record(r, piece);
		length = field_path_find(&r->path, r->codec, &in, r->key_text, KEY_BYTES_MAX);
		*out = key_of_bytes((const uint8_t *)r->key_text, length);
		return length > 0;
	default:
		return plain_key(r, piece, out);
	}
}

/* The key of a record that lacks the one it should have. False: it is a dead letter by now. */
static bool replace_key(struct rework *r, const struct piece *piece, struct key *out)
{
	if (key_replace(r->input->missing, &r->missing, &r->random, out))
		return true;
	bury(r, piece, DEAD_LETTER_AT_KEY, DEAD_LETTER_KEY_MISSING, 0);
	return false;
}

/* What there is of a message whose other chunks did not come. Nobody asks `invalid` of it: it is no record, and stays a dead letter
 * unless a rule says otherwise or the input has no stream for such any more. */
static void take_incomplete(struct rework *r, struct piece *piece)
{
	const struct dead_letter_header *header = &r->taken->header;

	piece->kept = piece->bytes;
	if (hides(r) && !gelf_is_open(piece->bytes, piece->length)) {
		r->sink->dropped++;
		return;
	}
	if (settle_rules(r, piece))
		return;
	if (r->input->dead_letter[0])
		bury(r, piece, header->stage, header->reason, header->detail);
	else
		r->sink->dropped++;
}

static void take(struct rework *r, struct piece *piece, uint8_t stage, uint16_t reason)
{
	enum codec_fault fault;
	struct key key;

	piece->kept = piece->bytes;
	piece->stream = r->input->stream;
	if (reason && hides(r)) {
		r->sink->dropped++;
		return;
	}
	if (settle_rules(r, piece))
		return;
	fault = reason ? CODEC_OK : check(r, piece);
	if (fault != CODEC_OK) {
		stage = DEAD_LETTER_AT_DECODE;
		reason = (uint16_t)fault;
	}
	if (reason && settle_invalid(r, piece, stage, reason))
		return;
	if (find_key(r, piece, &key) || replace_key(r, piece, &key))
		put(r, &(struct rework_record){.stream = piece->stream}, piece, &key, r->input->codec);
}

/* Rules look for text: a packed message is unpacked in front of them, as in the worker. */
static void take_message(struct rework *r, struct piece *piece)
{
	enum codec_fault fault = CODEC_OK;
	uint32_t unpacked;

	if (r->rules && gelf_is_packed(piece->bytes, piece->length)) {
		fault = gelf_unpack(piece->bytes, piece->length, r->unpacked, &unpacked);
		if (fault == CODEC_OK) {
			piece->bytes = r->unpacked;
			piece->length = unpacked;
		}
	}
	take(r, piece, fault ? DEAD_LETTER_AT_DECODE : 0, (uint16_t)fault);
}

/* ---- cutting ---- */

static void cut_kpl(struct rework *r, const uint8_t *bytes, uint32_t length)
{
	for (uint32_t at = 0; at < length && !r->ended;) {
		enum codec_fault fault;
		uint32_t count = kpl_records(bytes, length, r->kpl, SLICES, &at, &fault);

		if (fault != CODEC_OK) {
			take(r, &(struct piece){.bytes = bytes, .length = length}, DEAD_LETTER_AT_CUT, (uint16_t)fault);
			return;
		}
		for (uint32_t i = 0; i < count && !r->ended; i++) {
			const struct kpl_record *k = &r->kpl[i];
			struct piece piece = {.bytes = bytes + k->data.offset, .length = k->data.length,
					      .own = {bytes + k->key.offset, k->key.length}};

			piece.own_hashed = k->explicit_hash.length > 0 && kpl_hash_of(bytes + k->explicit_hash.offset,
										     k->explicit_hash.length, &piece.own_hash);
			take(r, &piece, 0, 0);
		}
	}
}

static void cut_slices(struct rework *r, const uint8_t *bytes, uint32_t length)
{
	while (length > 0 && !r->ended) {
		uint32_t consumed, count = r->codec->cut(bytes, length, r->slices, SLICES, &consumed);

		for (uint32_t i = 0; i < count && !r->ended; i++)
			take(r, &(struct piece){.bytes = bytes + r->slices[i].offset, .length = r->slices[i].length}, 0, 0);
		bytes += consumed;
		length -= consumed;
	}
}

/*
 * The key that the record brought stands with the letter, and its hash, which is not the key's own where the sender gave it one. Of
 * that the lower half is lost. All bits set stand for it: a hash that is the first of a shard, as senders that choose shards
 * give it, stays in that shard.
 */
static void find_own(const struct rework *r, struct piece *piece)
{
	const struct record *source = r->source;
	struct key key;

	if (r->taken->header.codec != CODEC_KPL || record_key_kind(source) != RECORD_KEY_STORED || record_key_bytes(source) == 0)
		return;
	piece->own = (struct md5_key){record_key(source), record_key_bytes(source)};
	key = key_of_bytes(piece->own.bytes, piece->own.length);
	key_hash_now(&key);
	piece->own_hashed = key.hash.upper != source->hash;
	piece->own_hash = (struct hash_key){source->hash, UINT64_MAX};
}

/* What keys are made of beside the bytes. A tap's frame is stored without an origin: it is in the frame. */
static void find_origin(struct rework *r)
{
	const struct dead_letter *letter = r->taken;
	struct datagram d;

	r->addresses = r->ports = r->source->origin;
	memcpy(r->origin, record_origin(r->source), record_origin_bytes(r->source->origin));
	if (r->input->codec != CODEC_FRAME || letter->header.codec != CODEC_FRAME)
		return;
	tunnel_enter(letter->bytes, letter->length, &r->tap,
		     decode_frame(letter->bytes, letter->length, &r->tap, DECODE_ALL_GOOD, &d), &d);
	datagram_copy_known(&d, r->origin, &r->addresses, &r->ports);
}

bool rework_apply(struct rework *r, const struct record *record, const struct dead_letter *letter, struct rework_sink *sink)
{
	bool whole = letter->header.stage != DEAD_LETTER_AT_CUT && letter->header.codec == r->input->codec;
	struct piece piece = {.bytes = letter->bytes, .length = letter->length};

	r->source = record;
	r->taken = letter;
	r->sink = sink;
	r->ended = false;
	find_origin(r);
	find_own(r, &piece);
	if (r->input->codec == CODEC_GELF && dead_letter_is_incomplete(&letter->header))
		take_incomplete(r, &piece);
	else if (letter->header.stage == DEAD_LETTER_AT_REASSEMBLY && r->input->codec == CODEC_GELF)
		take(r, &piece, DEAD_LETTER_AT_REASSEMBLY, letter->header.reason);
	else if (r->input->codec == CODEC_GELF && gelf_is_chunk(piece.bytes, piece.length))
		take(r, &piece, DEAD_LETTER_AT_REASSEMBLY, CODEC_CHUNK);
	else if (r->input->codec == CODEC_GELF)
		take_message(r, &piece);
	else if (!whole && r->input->codec == CODEC_KPL)
		cut_kpl(r, letter->bytes, letter->length);
	else if (!whole && r->codec->cut)
		cut_slices(r, letter->bytes, letter->length);
	else
		take(r, &piece, 0, 0);
	return !r->ended;
}

/* ---- making ready ---- */

static int open_capture(struct rework *r, FILE *errors)
{
	char reason[256] = "there is no such rule";
	int error = -EINVAL;

	for (uint32_t i = 0; i < r->config->rules_count; i++)
		if (strcmp(r->config->rules[i].name, r->input->key_rule) == 0)
			error = rule_capture_compile(r->config, i, r->input->key_group, reason, sizeof reason, &r->capture);
	if (error) {
		fprintf(errors, "the key of input '%s': %s\n", r->input->name, error == -EINVAL ? reason : strerror(-error));
		return error;
	}
	r->capture_scratch = rule_capture_scratch_new();
	return r->capture_scratch ? 0 : -ENOMEM;
}

/* The port as its workers have it. */
static int make_tap(struct rework *r)
{
	const struct config_port *port = &r->config->ports[r->input->port_index];
	int error = host_init_tap(&r->tap, r->config->vlan_depth);

	if (r->input->port_index < r->config->ports_count) {
		r->tap.vxlan_port = (uint16_t)port->vxlan_port;
		r->tap.geneve_port = (uint16_t)port->geneve_port;
		r->tap.gtp_port = (uint16_t)port->gtp_port;
	}
	return error;
}

int rework_open(const struct config *config, uint32_t input, FILE *errors, struct rework **out)
{
	struct rework *r = calloc(1, sizeof *r);
	uint64_t seed;
	int error;

	if (!r)
		return -ENOMEM;
	r->config = config;
	r->input = &config->inputs[input];
	r->codec = codec_by_id(r->input->codec);
	key_rule_init(&r->key, r->input);
	if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
		seed = (uint64_t)(uintptr_t)r;
	key_random_init(&r->random, seed);
	r->missing = key_for_missing(r->input);
	error = r->codec ? make_tap(r) : -EINVAL;
	if (!error)
		error = ruleset_compile(config, input, errors, &r->rules);
	if (!error && r->rules)
		error = rule_scratch_new((const struct ruleset *const[]){r->rules}, 1, &r->scratch);
	if (!error && r->input->key == KEY_CAPTURE)
		error = open_capture(r, errors);
	if (!error && r->input->key == KEY_PATH)
		error = field_path_parse(r->input->key_path, &r->path);
	if (error)
		rework_close(r);
	else
		*out = r;
	return error;
}

void rework_close(struct rework *r)
{
	if (!r)
		return;
	ruleset_free(r->rules);
	rule_scratch_free(r->scratch);
	rule_capture_free(r->capture);
	rule_capture_scratch_free(r->capture_scratch);
	free(r);
}
