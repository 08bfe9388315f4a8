// Any bytes as datagrams of inputs that ask for codecs, rules, keys and dead letters: burst by burst through a worker,
// whose ledger must balance and whose lanes must hold records.
#include <sanitizer/lsan_interface.h>

#include "tests/dpdk/refine_rig.h"

#include "dataplane/codec/dead_letter.h"
#include "dataplane/seam/key_text.h"
#include "tests/fuzz/fuzz.h"

/* Datagrams of an input: a byte that chooses the input, one of `how`, two of length, the bytes. */
#define HEADER 4u

enum how {
	HOW_ENDS = 1,  /* the burst */
	HOW_CUT = 2,   /* the frame into two segments */
	HOW_WAITS = 4, /* so long that no message is waited for any more */
	HOW_STUCK = 8, /* lanes are not drained behind the burst */
};

#define SECRET "secret=" /* what rules overwrite, with the small letters behind it */

static uint64_t checked[SLOTS]; /* up to where a lane's records were looked at */
static struct {
	uint64_t frames, records[SLOTS], payload[SLOTS], letters, gaps;
} seen;

static struct config_input *add(uint8_t codec, enum config_key key, const char *path, const char *stream,
				enum config_invalid invalid, enum config_missing missing)
{
	struct config_input *in = add_input(codec, key, stream);

	strcpy(in->key_path, path);
	in->invalid = invalid;
	in->missing = missing;
	strcpy(in->key_constant, "nobody");
	if (invalid == INVALID_DEAD_LETTER || missing == MISSING_DEAD_LETTER)
		strcpy(in->dead_letter, "dead");
	return in;
}

/* For the input added last. */
static void add_rules(void)
{
	uint32_t input = config.inputs_count - 1;

	add_rule(input, "noise", "debug", VERDICT_DROP);
	add_rule(input, "secret", SECRET "[a-z]+", VERDICT_REDACT);
	add_rule(input, "seen", "alert", VERDICT_TAG);
	add_rule(input, "again", "alert[0-9]", VERDICT_TAG);
	add_rule(input, "third", "tick", VERDICT_SAMPLE)->every = 3;
	strcpy(add_rule(input, "audit", "audit", VERDICT_ROUTE)->stream, "b");
	add_rule(input, "bad", "poison", VERDICT_DEAD_LETTER);
	add_rule(input, "who", "user=([a-z0-9]+)", VERDICT_KEEP);
	strcpy(config.inputs[input].dead_letter, "dead");
}

static void inputs(void)
{
	add(CODEC_JSON_LINES, KEY_PATH, "host", "a", INVALID_DEAD_LETTER, MISSING_CONSTANT);
	add(CODEC_JSON, KEY_PATH, "/tags/env", "b", INVALID_DROP, MISSING_DEAD_LETTER);
	add(CODEC_SYSLOG, KEY_PATH, "host", "a", INVALID_DEAD_LETTER, MISSING_RANDOM);
	add(CODEC_STATSD, KEY_PATH, "name", "one", INVALID_DEAD_LETTER, MISSING_DEAD_LETTER);
	add(CODEC_INFLUX, KEY_PATH, "measurement", "a", INVALID_DROP, MISSING_CONSTANT);
	add(CODEC_GRAPHITE, KEY_PATH, "name", "b", INVALID_KEEP, MISSING_RANDOM);
	add(CODEC_GELF, KEY_PATH, "host", "b", INVALID_DEAD_LETTER, MISSING_CONSTANT);
	add(CODEC_COLLECTD, KEY_PATH, "/values/0/host", "a", INVALID_DEAD_LETTER, MISSING_DEAD_LETTER);
	add(CODEC_NETFLOW, KEY_PATH, "/flows/0/sourceIPv4Address", "a", INVALID_DEAD_LETTER, MISSING_RANDOM);
	add(CODEC_SFLOW, KEY_PATH, "agent", "a", INVALID_DROP, MISSING_RANDOM);
	add(CODEC_KPL, KEY_OWN, "", "a", INVALID_DEAD_LETTER, MISSING_DEAD_LETTER);
	add(CODEC_DATAGRAM, KEY_FIELD, "", "a", INVALID_KEEP, MISSING_DEAD_LETTER);
	strcpy(add(CODEC_JSON, KEY_SOURCE, "", "absent", INVALID_DEAD_LETTER, MISSING_RANDOM)->dead_letter, "gone");
	strcpy(add(CODEC_LINES, KEY_CAPTURE, "", "a", INVALID_KEEP, MISSING_RANDOM)->key_rule, "who");
	add_rules();
	add(CODEC_KPL, KEY_FLOW, "", "a", INVALID_DEAD_LETTER, MISSING_RANDOM);
	add_rules();
	add(CODEC_GELF, KEY_FLOW, "", "a", INVALID_KEEP, MISSING_RANDOM);
	add_rules();
	add(CODEC_SYSLOG, KEY_PATH, "app", "one", INVALID_KEEP, MISSING_CONSTANT);
	add_rules();
	add(CODEC_DATAGRAM, KEY_RANDOM, "", "one", INVALID_KEEP, MISSING_RANDOM);
	add_rules();
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	__lsan_disable(); /* what refiners own is known from memory that it does not search */
	start_rigs(inputs);
	__lsan_enable();
	return 0;
}

static const struct config_input *input_of(uint32_t id)
{
	for (uint32_t i = 0; i < config.inputs_count; i++)
		if (input_id(config.inputs[i].name) == id)
			return &config.inputs[i];
	return NULL;
}

static bool has_rules(const struct config_input *in)
{
	for (uint32_t i = 0; i < config.rules_count; i++)
		if (&config.inputs[config.rules[i].input_index] == in)
			return true;
	return false;
}

static void check_no_secret(const uint8_t *bytes, uint32_t length)
{
	const uint8_t *at = bytes, *end = bytes + length;

	while ((at = memmem(at, (size_t)(end - at), SECRET, sizeof SECRET - 1))) {
		at += sizeof SECRET - 1;
		fuzz_require(at == end || *at < 'a' || *at > 'z');
	}
}

static void check_letter(const struct record *r, const struct config_input *in)
{
	struct dead_letter letter;

	fuzz_require(dead_letter_read(record_payload(r), r->length, &letter) == CODEC_OK);
	fuzz_require(letter.header.input == r->input && letter.header.codec == in->codec);
	fuzz_require(in->dead_letter[0] && letter.header.arrival_ns <= now_ns);
	fuzz_require(strcmp(dead_letter_reason_label(letter.header.reason), "unknown") != 0);
	seen.letters++;
}

static void check_record(const struct record *r, uint32_t slot)
{
	const struct config_input *in = input_of(r->input);
	char text[KEY_TEXT_MAX];

	if (r->kind == RECORD_GAP) {
		seen.gaps++;
		return;
	}
	fuzz_require(in && r->origin == RECORD_ORIGIN_IPV4 && key_text(r, text) > 0);
	fuzz_require(r->codec == in->codec || r->codec == CODEC_DEAD_LETTER);
	seen.records[slot]++;
	seen.payload[slot] += r->length;
	if (r->codec == CODEC_DEAD_LETTER)
		check_letter(r, in);
	if (has_rules(in))
		check_no_secret(record_payload(r), r->length);
	else
		fuzz_require(r->kind == RECORD_DATA);
}

static void check_lane(struct rig *rig, uint32_t slot)
{
	const struct worker_lane *lane = &rig->worker->lanes[slot];
	uint64_t end = lane->lane.position;

	fuzz_require(end - atomic_load(&rig->heads[slot]) <= LANE_SIZE);
	while (checked[slot] < end) {
		const uint8_t *at = rig->lanes[slot] + checked[slot] % LANE_SIZE;
		uint32_t bytes = record_check(at, end - checked[slot]);

		fuzz_require(bytes > 0);
		check_record((const struct record *)(const void *)at, slot);
		checked[slot] += bytes;
	}
}

static void check_ledger(struct rig *rig)
{
	static uint64_t words[LEDGER_LINE_WORDS * 4096];
	uint64_t rows[INPUT_ROWS_END] = {0}, records = 0, payload = 0, dropped = 0, refused;
	uint32_t lines = worker_lines(SLOTS);

	fuzz_require(lines <= 4096 && ledger_read(rig->ledger, lines, 0, lines, words));
	for (uint32_t i = 0; i < config.inputs_count; i++)
		for (enum input_row row = 0; row < INPUT_ROWS_END; row++)
			rows[row] += words[input_word(i, row)];
	for (uint32_t s = 0; s < SLOTS; s++) {
		fuzz_require(words[lane_word(s, LANE_RECORDS)] == seen.records[s]);
		fuzz_require(words[lane_word(s, LANE_BYTES)] == seen.payload[s]);
		records += seen.records[s];
		payload += seen.payload[s];
		dropped += words[lane_word(s, LANE_DROPPED)];
	}
	fuzz_require(words[WORKER_POLLED] == seen.frames && rows[INPUT_FRAMES] == seen.frames);
	fuzz_require(words[WORKER_POLLED] == sum(words, COUNTER_FRAME_BASE, COUNTER_FRAME_END));
	fuzz_require(words[WORKER_POLLED] == words[FRAME_ACCEPTED] + words[FRAME_EMPTY]);
	fuzz_require(words[WORKER_PARSED] == sum(words, COUNTER_RECORD_BASE, COUNTER_RECORD_END));
	fuzz_require(words[WORKER_PARSED] == rows[INPUT_RECORDS] && words[WORKER_PARSED_BYTES] == rows[INPUT_BYTES]);
	fuzz_require(words[WORKER_PARSED] - words[RECORD_APPENDED] == rows[INPUT_REFUSED]);
	fuzz_require(words[RECORD_APPENDED] == records && words[WORKER_APPENDED_BYTES] == payload);
	fuzz_require(words[RECORD_LANE_FULL] == dropped && words[WORKER_GAPS] == seen.gaps);
	/* A letter that is not there found its lane full, or has no stream. */
	refused = words[RECORD_LANE_FULL] + words[RECORD_NO_STREAM];
	fuzz_require(seen.letters <= words[WORKER_DEAD_LETTERS] + refused);
	fuzz_require(words[WORKER_DEAD_LETTERS] <= seen.letters + refused);
}

static void check(struct rig *rig, bool drain)
{
	worker_commit(rig->worker);
	for (uint32_t s = 0; s < SLOTS; s++) {
		check_lane(rig, s);
		if (drain)
			atomic_store(&rig->heads[s], checked[s]);
	}
	check_ledger(rig);
}

static struct rte_mbuf *make_datagram(const uint8_t *header, const uint8_t *bytes, uint32_t length)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	uint32_t whole = make_frame(frame, header[0] % config.inputs_count, bytes, length);

	return make_mbuf(frame, whole, header[1] & HOW_CUT ? 1 + (header[1] >> 4) * whole / 17 : 0);
}

/* Takes datagrams up to the end of a burst. */
static size_t run_burst(struct rig *rig, const uint8_t *data, size_t size)
{
	struct rte_mbuf *frames[BURST_MAX];
	uint32_t count = 0;
	uint8_t how = 0;
	size_t at = 0;

	while (size - at >= HEADER && count < BURST_MAX && !(how & HOW_ENDS)) {
		const uint8_t *header = data + at;
		uint32_t length = (uint32_t)header[2] << 8 | header[3];

		at += HEADER;
		length = length <= size - at ? length : (uint32_t)(size - at);
		length = length <= 65000 ? length : 65000;
		frames[count++] = make_datagram(header, data + at, length);
		at += length;
		how = header[1];
	}
	now_ns += how & HOW_WAITS ? GELF_TIMEOUT_NS + 1 : 1000;
	rig->worker->now_ns = now_ns;
	if (how & HOW_WAITS)
		refine_expire(rig->worker);
	rig->process(rig->worker, frames, count);
	seen.frames += count;
	for (uint32_t i = 0; i < count; i++)
		free_mbuf(frames[i]);
	check(rig, !(how & HOW_STUCK));
	return at;
}

/* No message is left for the next input, which would depend on this one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *rig = &rigs[0];

	for (size_t at = 0; size - at >= HEADER;)
		at += run_burst(rig, data + at, size - at);
	refine_end(rig->worker);
	check(rig, true);
	return 0;
}
