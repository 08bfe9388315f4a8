// A lane that fills up in the middle of a burst while others have room, at every x86-64 level: what came before, what comes
// after and what is refused are told from the reference's records by plain code.
#include "dataplane/copy.h"
#include "tests/dpdk/burst_frames.h"
#include "tests/support/rounds.h"

#define CANARY 512u /* bytes behind a lane's limit, where records lie that are not yet durable */

struct kept { /* one lane, as it should be */
	uint64_t position;
	uint64_t room;     /* of this burst */
	struct gap gap;    /* count 0: none is waiting to be told */
	uint8_t *bytes;    /* of this burst */
	uint32_t length;
};

static struct kept kept[SLOTS];
static uint8_t canary[CANARY];
static uint64_t before, refused, after; /* records of lanes that filled up: before the first refusal, refused, taken behind one */
static uint64_t elsewhere;              /* records of lanes with room, in bursts that filled another up */

static void keep(struct kept *k, const void *bytes, uint32_t length)
{
	memcpy(k->bytes + k->length, bytes, length);
	k->length += length;
	k->room -= length;
}

/* A gap in front of the record, when one is waiting. False when it finds no room. */
static bool keep_gap(struct kept *k)
{
	struct {
		struct record header;
		struct gap gap;
	} told = {.header = {.length = sizeof told.gap, .kind = RECORD_GAP, .arrival_ns = reference.now_ns,
			     .vlan = RECORD_VLAN_NONE, .key_kind = RECORD_KEY_HASH},
		  .gap = k->gap};

	if (k->gap.count == 0)
		return true;
	if (k->room < sizeof told)
		return false;
	keep(k, &told, sizeof told);
	k->gap = (struct gap){0};
	reference.counters[WORKER_GAPS]++;
	return true;
}

static void refuse(struct kept *k, uint32_t slot, const struct record *r)
{
	if (k->gap.count++ == 0)
		k->gap.first_ns = reference.now_ns;
	k->gap.last_ns = reference.now_ns;
	k->gap.bytes += r->length;
	k->gap.reason = GAP_LANE_FULL;
	k->gap.scope = GAP_SCOPE_SHARD;
	reference.counters[RECORD_APPENDED]--;
	reference.counters[WORKER_APPENDED_BYTES] -= r->length;
	reference.counters[RECORD_LANE_FULL]++;
	reference.lanes_records[slot]--;
	reference.lanes_bytes[slot] -= r->length;
	for (uint32_t i = 0; i < config.inputs_count; i++)
		if (input_id(config.inputs[i].name) == r->input)
			reference.inputs[i][INPUT_REFUSED]++;
}

/* What a lane with that much room makes of all records that the reference has for it. */
static void keep_what_fits(uint32_t slot)
{
	const struct reference_lane *all = &reference.lanes[slot];
	struct kept *k = &kept[slot];
	uint64_t was_refused = refused, taken = 0;

	for (uint32_t at = 0; at < all->length;) {
		const struct record *r = (const void *)(all->bytes + at);
		uint32_t bytes = record_bytes(r->origin, r->key_length, r->length);

		at += bytes;
		if (!keep_gap(k) || bytes > k->room) {
			refuse(k, slot, r);
			refused++;
			continue;
		}
		keep(k, r, bytes);
		taken++;
		after += refused > was_refused;
		before += refused == was_refused;
	}
	if (refused == was_refused)
		before -= taken;
}

static void make_room(struct rig *rig, uint32_t slot)
{
	struct lane_writer *lane = &rig->worker->lanes[slot].lane;
	struct kept *k = &kept[slot];

	lane->limit = k->position + k->room;
	atomic_store(&rig->heads[slot], lane->limit - LANE_SIZE);
	/* As an append leaves it: see append_carefully(). */
	rig->worker->lanes[slot].roomy = k->gap.count || draw(8) == 0 ? 0 : lane->limit - COPY_OVER;
	memcpy(lane->bytes + lane->limit % LANE_SIZE, canary, CANARY);
}

static void expect_kept(struct rig *rig, uint32_t slot)
{
	const struct kept *k = &kept[slot];
	const struct lane_writer *lane = &rig->worker->lanes[slot].lane;
	const uint8_t *got = lane->bytes + k->position % LANE_SIZE;
	const uint64_t *row = rig->words + lane_word(slot, 0);

	assert_int_equal(lane->position - k->position, k->length);
	for (uint32_t at = 0; at < k->length;) {
		const struct record *r = (const void *)(k->bytes + at);
		uint32_t total = record_check(got + at, k->length - at);

		assert_int_equal(total, record_bytes(r->origin, r->key_length, r->length));
		assert_memory_equal(got + at, r, sizeof *r + record_origin_bytes(r->origin) + r->key_length + r->length);
		at += total;
	}
	assert_memory_equal(lane->bytes + lane->limit % LANE_SIZE, canary, CANARY);
	assert_int_equal(row[LANE_GAP_COUNT], k->gap.count);
	assert_int_equal(row[LANE_GAP_BYTES], k->gap.bytes);
	assert_int_equal(row[LANE_GAP_FIRST_NS], k->gap.first_ns);
	assert_int_equal(row[LANE_GAP_LAST_NS], k->gap.last_ns);
}

static bool long_lines(uint16_t udp_port) /* the input's port */
{
	return udp_port == 530 || udp_port == 534;
}

/* Lines that are cut and written by vectors, with short keys: one of `keys`; now and then one without. */
static uint32_t draw_long_lines(char *text, uint32_t lines, uint32_t keys)
{
	uint32_t bytes = 0;

	for (; lines > 0; lines--)
		bytes += (uint32_t)sprintf(text + bytes, draw(500) ? "key-%u %0*u\n" : " %u %0*u\n", draw(keys), 64 + (int)draw(50),
					   draw(1000000));
	return bytes;
}

/* Datagrams of one input, one after the other, so that most are taken as a run; now and then one that is not usual. */
static uint16_t draw_run(uint16_t udp_port, struct chain *chains)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	static char text[66000];
	uint16_t count = (uint16_t)(draw(3) ? BURST_MAX : 1 + draw(BURST_MAX));
	uint32_t odd = draw(3) ? UINT32_MAX : draw(count);
	/* Of lines, some runs end with a batch of those that are made together: 80, or 160 and so on. */
	uint32_t lines = draw(2) ? 80 * (1 + draw(4)) : UINT32_MAX, keys = draw(3) ? 40 : 1;

	usual_room = long_lines(udp_port) && draw(2) ? 2000 : 0;
	for (uint16_t i = 0; i < count; i++) {
		uint8_t source[4] = {192, 0, 2, (uint8_t)draw(256)};
		uint32_t bytes, length;

		if (long_lines(udp_port)) {
			uint32_t some = 2 + draw(8);

			some = some < lines ? some : lines;
			if (some == 0)
				return i;
			lines -= some;
			bytes = draw_long_lines(text, some, keys);
		} else {
			bytes = draw_text(text, 600);
		}
		struct frame_build what = {.destination_port = udp_port, .payload = bytes, .source = source, .options = i == odd ? 4 : 0};

		text_frame(frame, &what, text, &length);
		chains[i] = make_chain(frame, length, NULL, 0);
	}
	return count;
}

/* A burst that fills up `narrow` of the lanes that it has records for, somewhere on the way. */
static void run_full_burst(uint16_t udp_port, uint32_t narrow)
{
	struct rte_mbuf *frames[BURST_MAX];
	struct chain chains[BURST_MAX];
	uint16_t count = draw_run(udp_port, chains);
	uint64_t was_refused = refused;
	uint32_t used = 0, roomy = 0;

	reference.now_ns += 1000;
	for (uint16_t i = 0; i < count; i++) {
		frames[i] = chains[i].mbuf;
		reference_frame(&reference, chains[i].frame, chains[i].length, 0);
	}
	for (uint32_t s = 0; s < SLOTS; s++)
		used += reference.lanes[s].length > 0;
	for (uint32_t s = 0; s < SLOTS; s++) {
		bool full = reference.lanes[s].length > 0 && draw(used) < narrow;

		kept[s].room = full ? draw(reference.lanes[s].length / 8 + 8) * 8 : LANE_SIZE - CANARY;
	}
	for (uint32_t level = 0; level < rigs_count; level++) {
		rigs[level].worker->now_ns = reference.now_ns;
		for (uint32_t s = 0; s < SLOTS; s++)
			make_room(&rigs[level], s);
	}
	for (uint32_t s = 0; s < SLOTS; s++) {
		uint64_t refused_before = refused;

		keep_what_fits(s);
		roomy += refused == refused_before ? reference.lanes[s].length > 0 : 0;
	}
	elsewhere += refused > was_refused ? roomy : 0;
	for (uint32_t level = 0; level < rigs_count; level++) {
		rigs[level].process(rigs[level].worker, frames, count);
		for (uint32_t s = 0; s < SLOTS; s++)
			expect_kept(&rigs[level], s);
		expect_ledger(&rigs[level]);
	}
	for (uint32_t s = 0; s < SLOTS; s++) {
		kept[s].position += kept[s].length;
		kept[s].length = 0;
	}
	reference_clear(&reference);
	for (uint16_t i = 0; i < count; i++)
		free_chain(&chains[i]);
}

/* Every lane has wrapped a few times, so that its limit may stand anywhere. */
static int set_up_lanes(void **state)
{
	set_up(state);
	memset(canary, 0xc5, sizeof canary);
	before = refused = after = elsewhere = 0;
	for (uint32_t s = 0; s < SLOTS; s++) {
		kept[s] = (struct kept){.position = 3 * LANE_SIZE + 8 * draw(LANE_SIZE / 8), .bytes = malloc(LANE_SIZE)};
		assert_non_null(kept[s].bytes);
		for (uint32_t level = 0; level < rigs_count; level++) {
			rigs[level].worker->lanes[s].lane.position = kept[s].position;
			rigs[level].words[lane_word(s, LANE_POSITION)] = kept[s].position;
		}
	}
	for (uint32_t level = 0; level < rigs_count; level++) {
		for (uint32_t s = 0; s < SLOTS; s++)
			ledger_touch(&rigs[level].worker->ledger, lane_word(s, 0) / LEDGER_LINE_WORDS);
		ledger_commit(&rigs[level].worker->ledger);
	}
	return 0;
}

static int tear_down_lanes(void **state)
{
	for (uint32_t s = 0; s < SLOTS; s++)
		free(kept[s].bytes);
	return tear_down(state);
}

/* Of many lanes, of few; keys known at once, fields hashed together, random ones; datagrams and lines. */
static const uint16_t many_lanes[] = {514, 515, 516, 517, 518, 519, 521, 523, 524, 530, 530, 534};

static void one_lane_fills_up_amid_a_run_and_the_others_go_on(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < sizeof many_lanes / sizeof many_lanes[0]; i++)
		for (int round = 0; round < ROUNDS(60); round++)
			run_full_burst(many_lanes[i], 1);
	/* It was so: each of these cases came about often. */
	assert_true(before > ROUNDS(3000) && refused > ROUNDS(3000) && after > ROUNDS(25) && elsewhere > ROUNDS(500));
	assert_int_equal(rigs[0].words[RECORD_LANE_FULL], refused);
}

static void several_lanes_fill_up_and_the_only_one_does(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS(150); round++) {
		run_full_burst(many_lanes[draw(sizeof many_lanes / sizeof many_lanes[0])], 8);
		run_full_burst(draw(2) ? 520 : 525, 1);
	}
	assert_true(before > ROUNDS(3000) && refused > ROUNDS(3000) && after > ROUNDS(25));
	assert_int_equal(rigs[0].words[RECORD_LANE_FULL], refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_lane_fills_up_amid_a_run_and_the_others_go_on, set_up_lanes, tear_down_lanes),
		cmocka_unit_test_setup_teardown(several_lanes_fill_up_and_the_only_one_does, set_up_lanes, tear_down_lanes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
