// The hot path on plain memory: real workers, hand-made mbufs, every x86-64 level, against tests/support/burst_reference.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/packet/reassembly.h"
#include "dataplane/packet/tunnel.h"
#include "dataplane/worker.h"
#include "tests/support/burst_reference.h"
#include "tests/support/frame_build.h"
#include "tests/support/tunnel_build.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* ten times as slow */
#define ROUNDS(n) ((n) / 5)
#else
#define ROUNDS(n) (n)
#endif

#define LANE_SIZE (1ull << 18)
#define SLOTS 20u /* stream a: 0 to 15, b: 16 to 18, one: 19 */
#define BURST 32u

struct rig { /* one worker of one level with its lanes */
	struct worker *worker;
	worker_process *process;
	struct ledger *ledger;
	uint64_t *words;
	uint8_t *lanes[SLOTS];
	_Atomic uint64_t heads[SLOTS];
};

static struct config config;
static struct shard_map map;
static struct port port;
static struct clock wall;
static struct reference reference;
static struct plan *plan;
static struct rig rigs[BURST_LEVELS];
static uint32_t rigs_count;
static uint64_t series = 1;

static uint32_t draw(uint32_t below)
{
	return (uint32_t)(frame_random(&series) >> 32) % below;
}

/* ---- set-up ---- */

static uint8_t *mirrored(uint64_t size)
{
	int fd = memfd_create("lane", 0);
	uint8_t *bytes = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(fd >= 0 && bytes != MAP_FAILED && ftruncate(fd, (off_t)size) == 0);
	for (int i = 0; i < 2; i++)
		assert_true(mmap(bytes + i * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	close(fd);
	return bytes;
}

static void add_stream(const char *name, uint32_t shards)
{
	struct map_stream *stream = &map.streams[map.streams_count++];
	uint64_t step = shards == 1 ? 0 : UINT64_MAX / shards + 1;

	strcpy(stream->name, name);
	stream->first_shard = map.shards_count;
	stream->shards = shards;
	for (uint32_t i = 0; i < shards; i++) {
		struct map_shard *shard = &map.shards[map.shards_count];

		shard->first_hash[0] = step * i;
		shard->last_hash[0] = i + 1 == shards ? UINT64_MAX : step * (i + 1) - 1;
		shard->last_hash[1] = UINT64_MAX;
		shard->slot = map.shards_count++;
	}
}

static struct config_input *add_input(uint32_t udp_port, uint8_t codec, enum config_key key, const char *stream)
{
	struct config_input *input = &config.inputs[config.inputs_count];

	snprintf(input->name, sizeof input->name, "input%u", config.inputs_count++);
	strcpy(input->stream, stream);
	input->udp_port = udp_port;
	input->codec = codec;
	input->key = key;
	input->vlan = -1;
	input->tunnel = TUNNEL_ANY;
	input->vni = -1;
	input->any_destination = true;
	input->key_field = 1;
	input->key_separator = ' ';
	strcpy(input->key_constant, key == KEY_CONSTANT ? "all of them" : "");
	return input;
}

/* UDP ports 514 to 527: every codec with every kind of key, to many shards, few, one and none. */
static void telemetry_inputs(void)
{
	struct config_input *input;

	add_input(514, CODEC_DATAGRAM, KEY_FLOW, "a");
	add_input(515, CODEC_DATAGRAM, KEY_FIELD, "a");
	input = add_input(516, CODEC_LINES, KEY_FIELD, "b");
	input->key_field = 2;
	input->key_separator = ',';
	add_input(517, CODEC_LINES, KEY_SOURCE, "b");
	add_input(518, CODEC_DATAGRAM, KEY_CONSTANT, "a");
	add_input(519, CODEC_DATAGRAM, KEY_RANDOM, "a");
	add_input(520, CODEC_DATAGRAM, KEY_FIELD, "one");
	add_input(521, CODEC_LINES, KEY_FLOW, "a");
	add_input(522, CODEC_LINES, KEY_FIELD, "absent");
	add_input(523, CODEC_DATAGRAM, KEY_SOURCE, "a");
	add_input(524, CODEC_LINES, KEY_CONSTANT, "b");
	add_input(525, CODEC_LINES, KEY_RANDOM, "one");
	input = add_input(514, CODEC_DATAGRAM, KEY_SOURCE, "b"); /* tagged frames for 514 go here */
	input->vlan = 100;
	input = add_input(526, CODEC_DATAGRAM, KEY_FLOW, "b");
	input->any_destination = false;
	input->destination.family = 6;
	memcpy(input->destination.bytes, frame_own6, 16);
	add_input(527, CODEC_DATAGRAM, KEY_FIELD, "absent");
}

static void make_rig(struct rig *rig, worker_process *process)
{
	uint32_t lines = worker_lines(SLOTS);
	struct worker *w = aligned_alloc(64, (sizeof *w + 63) & ~63ul);

	rig->process = process;
	rig->ledger = aligned_alloc(64, ledger_bytes(lines));
	rig->words = aligned_alloc(64, lines * sizeof(struct ledger_line));
	assert_true(w && rig->ledger && rig->words);
	memset(w, 0, sizeof *w);
	memset(rig->ledger, 0, ledger_bytes(lines));
	w->port = &port;
	w->clock = &wall;
	w->process = process;
	w->tap = port.host.tap;
	worker_take_plan(w, plan);
	w->now_ns = reference.now_ns;
	atomic_store(&w->next_plan, plan);
	atomic_store(&w->stop, true);
	key_random_init(&w->random, 99);
	ledger_writer_init(&w->ledger, rig->ledger, rig->words, lines);
	for (uint32_t s = 0; s < SLOTS; s++) {
		atomic_store(&rig->heads[s], 0);
		rig->lanes[s] = mirrored(LANE_SIZE);
		lane_writer_init(&w->lanes[s].lane, rig->lanes[s], LANE_SIZE, s, &w->ledger, &rig->heads[s]);
	}
	rig->worker = w;
}

static void set_up_port(bool tap)
{
	worker_process *levels[BURST_LEVELS];

	memset(&map, 0, sizeof map);
	memset(&config, 0, sizeof config);
	memset(&port, 0, sizeof port);
	memset(&reference, 0, sizeof reference);
	add_stream("a", 16);
	add_stream("b", 3);
	add_stream("one", 1);
	if (tap) {
		add_input(514, CODEC_FRAME, KEY_SOURCE, "b");
		add_input(515, CODEC_FRAME, KEY_FIELD, "a");
		add_input(0, CODEC_FRAME, KEY_FLOW, "a");
		assert_int_equal(host_init_tap(&port.host, 2), 0);
	} else {
		telemetry_inputs();
		frame_host(&port.host);
	}
	assert_int_equal(plan_create(&config, NULL, 1, &map, 1, &plan), 0);
	reference.config = &config;
	reference.map = &map;
	reference.host = port.host;
	reference.match = plan->matches[0];
	reference.tap = tap;
	reference.now_ns = 1700000000000000000ull;
	key_random_init(&reference.random, 99);
	rigs_count = burst_levels(levels);
	for (uint32_t i = 0; i < rigs_count; i++)
		make_rig(&rigs[i], levels[i]);
}

static int set_up(void **state)
{
	(void)state;
	set_up_port(false);
	return 0;
}

static int set_up_tap(void **state)
{
	(void)state;
	set_up_port(true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < rigs_count; i++) {
		for (uint32_t s = 0; s < SLOTS; s++)
			munmap(rigs[i].lanes[s], 2 * LANE_SIZE);
		free(rigs[i].worker);
		free(rigs[i].ledger);
		free(rigs[i].words);
	}
	plan_free(plan);
	reference_clear(&reference);
	return 0;
}

/* ---- frames as mbufs ---- */

struct chain { /* a frame in segments, each in a heap block of exactly its size */
	struct rte_mbuf *mbuf;
	uint8_t *frame;
	uint32_t length, verified;
};

static struct rte_mbuf *make_segment(const uint8_t *bytes, uint32_t length)
{
	struct rte_mbuf *m = aligned_alloc(64, sizeof *m);

	assert_non_null(m);
	memset(m, 0, sizeof *m);
	m->buf_addr = frame_exact(bytes, length);
	m->data_len = (uint16_t)length;
	m->nb_segs = 1;
	return m;
}

/* As nearly every driver hands out a whole frame: behind the headroom, alone. Its block ends with it, or where the hot path may
 * read it to. */
static struct rte_mbuf *make_usual_segment(const uint8_t *bytes, uint32_t length)
{
	uint32_t room = length < 64 ? 64 : length;
	struct rte_mbuf *m = make_segment(bytes, 0);

	free(m->buf_addr);
	m->buf_addr = malloc(RTE_PKTMBUF_HEADROOM + room);
	assert_non_null(m->buf_addr);
	memset(m->buf_addr, 0xa5, RTE_PKTMBUF_HEADROOM + room);
	memcpy((uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM, bytes, length);
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->data_len = (uint16_t)length;
	m->refcnt = 1;
	return m;
}

/* `cuts` are the lengths of all segments but the last. */
static struct chain make_chain(const uint8_t *frame, uint32_t length, const uint32_t *cuts, uint32_t cuts_count)
{
	struct chain chain = {.frame = frame_exact(frame, length), .length = length};
	struct rte_mbuf **next = &chain.mbuf;
	uint32_t at = 0;

	for (uint32_t i = 0; i <= cuts_count; i++) {
		uint32_t bytes = i < cuts_count ? cuts[i] : length - at;

		*next = cuts_count == 0 && length <= UINT16_MAX && draw(100) ? make_usual_segment(frame, length)
									    : make_segment(frame + at, bytes);
		next = &(*next)->next;
		at += bytes;
	}
	chain.mbuf->nb_segs = (uint16_t)(cuts_count + 1);
	chain.mbuf->pkt_len = length;
	return chain;
}

static void free_chain(struct chain *chain)
{
	for (struct rte_mbuf *m = chain->mbuf, *next; m; m = next) {
		next = m->next;
		free(m->buf_addr);
		free(m);
	}
	free(chain->frame);
}

/* ---- running and comparing ---- */

static void expect_lane(struct rig *rig, uint32_t slot)
{
	const struct reference_lane *want = &reference.lanes[slot];
	uint64_t head = atomic_load(&rig->heads[slot]), position = rig->worker->lanes[slot].lane.position;
	const uint8_t *got = rig->lanes[slot] + head % LANE_SIZE;

	assert_int_equal(position - head, want->length);
	for (uint32_t at = 0; at < want->length;) {
		const struct record *r = (const struct record *)(const void *)(want->bytes + at);
		uint32_t total = record_check(got + at, want->length - at);

		assert_int_equal(total, record_bytes(r->origin, r->key_length, r->length));
		assert_memory_equal(got + at, r,
				    sizeof *r + record_origin_bytes(r->origin) + r->key_length + r->length);
		at += total;
	}
	atomic_store(&rig->heads[slot], position);
}

static uint64_t sum(const uint64_t *words, uint32_t first, uint32_t end)
{
	uint64_t total = 0;

	for (uint32_t i = first; i < end; i++)
		total += words[i];
	return total;
}

/* The committed ledger says what the reference counted, and its equations hold. */
static void expect_ledger(struct rig *rig)
{
	uint32_t lines = worker_lines(SLOTS);
	uint64_t *words = malloc(lines * sizeof(struct ledger_line)), appended = 0;

	assert_non_null(words);
	assert_true(ledger_read(rig->ledger, lines, 0, lines, words));
	for (uint32_t i = 0; i < COUNTERS_MAX; i++)
		if (i != WORKER_BURSTS)
			assert_int_equal(words[i], reference.counters[i]);
	for (uint32_t i = 0; i < config.inputs_count && i < INPUTS_MAX; i++)
		assert_memory_equal(words + input_word(i, 0), reference.inputs[i], sizeof reference.inputs[i]);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_equal(words[lane_word(s, LANE_POSITION)], rig->worker->lanes[s].lane.position);
		assert_int_equal(words[lane_word(s, LANE_RECORDS)], reference.lanes_records[s]);
		assert_int_equal(words[lane_word(s, LANE_BYTES)], reference.lanes_bytes[s]);
		appended += words[lane_word(s, LANE_RECORDS)];
	}
	assert_int_equal(words[WORKER_POLLED], sum(words, COUNTER_FRAME_BASE, COUNTER_FRAME_END));
	assert_int_equal(words[WORKER_PARSED], sum(words, COUNTER_RECORD_BASE, COUNTER_RECORD_END));
	assert_int_equal(words[RECORD_APPENDED], appended);
	free(words);
}

/* One burst through every level; frees the frames. */
static void run_burst(struct chain *chains, uint16_t count)
{
	struct rte_mbuf *frames[BURST_MAX];

	for (uint16_t i = 0; i < count; i++) {
		frames[i] = chains[i].mbuf;
		reference_frame(&reference, chains[i].frame, chains[i].length, chains[i].verified);
	}
	for (uint32_t level = 0; level < rigs_count; level++) {
		rigs[level].process(rigs[level].worker, frames, count);
		worker_commit(rigs[level].worker);
		for (uint32_t s = 0; s < SLOTS; s++)
			expect_lane(&rigs[level], s);
		expect_ledger(&rigs[level]);
	}
	reference_clear(&reference);
	for (uint16_t i = 0; i < count; i++)
		free_chain(&chains[i]);
}

/* ---- frames to draw from ---- */

static void set_payload(uint8_t *frame, uint32_t length, const struct datagram *d, const char *text, uint32_t text_length)
{
	uint8_t *udp = frame + d->l4;
	uint32_t one = d->family == 4 ? 4 : 16, bytes = d->length < text_length ? d->length : text_length;
	uint16_t sum16;

	(void)length;
	memcpy(frame + d->payload, text, bytes);
	memset(udp + 6, 0, 2);
	sum16 = frame_pseudo_checksum(d->addresses, one, 17, udp, 8 + d->length);
	wire_put16(udp + 6, sum16 ? sum16 : 0xffff);
}

/* Words, separators, newlines: with and without the fields that keys ask for. */
static uint32_t draw_text(char *text, uint32_t most)
{
	static const char *const pieces[] = {"host-", "a", " ", ",", ", ", "\n", "\r\n", "\n\n", "metric.value=17", "\xc3\xa4",
					     "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz", "x y,z"};
	uint32_t length = 0, wanted = draw(4) ? draw(120) : draw(most);
	static char long_field[400];

	memset(long_field, 'k', sizeof long_field);
	while (length < wanted) {
		const char *piece = pieces[draw(sizeof pieces / sizeof pieces[0])];
		uint32_t bytes = (uint32_t)strlen(piece);

		if (draw(40) == 0) {
			piece = long_field;
			bytes = 200 + draw(200);
		}
		bytes = bytes < wanted - length ? bytes : wanted - length;
		memcpy(text + length, piece, bytes);
		length += bytes;
	}
	return length;
}

static uint32_t draw_frame(uint8_t *frame, uint32_t most)
{
	static char text[66000];
	static const uint8_t broadcast4[4] = {192, 0, 2, 255}, other4[4] = {192, 0, 2, 77};
	uint32_t bytes = draw_text(text, most);
	uint8_t source4[4] = {192, 0, 2, (uint8_t)draw(256)}, source6[16];
	struct frame_build what = {.destination_port = (uint16_t)(514 + draw(15)), .payload = bytes, .source = source4};
	struct datagram d;
	uint32_t length;

	memcpy(source6, frame_peer6, 16);
	source6[15] = source4[3];
	if (draw(3) == 0)
		what.tags = draw(4);
	if (draw(4) == 0) {
		what.family = 6;
		what.source = source6;
	} else if (draw(8) == 0) {
		what.options = 4 * draw(11);
	} else if (draw(20) == 0) {
		what.destination = draw(2) ? broadcast4 : other4;
	}
	what.padding = draw(6) ? 0 : draw(30);
	length = frame_build(&what, frame);
	if (decode_frame(frame, length, &port.host, 0, &d) == FRAME_ACCEPTED && !what.no_checksum)
		set_payload(frame, length, &d, text, bytes);
	if (what.family != 6 && draw(12) == 0)
		memset(frame + 14 + 4 * what.tags + 20 + what.options + 6, 0, 2); /* no checksum */
	return length;
}

static struct chain draw_chain(uint32_t most)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	uint32_t length = draw_frame(frame, most), cuts[4], cuts_count = 0, left;
	struct chain chain;

	switch (draw(8)) {
	case 0: /* a lie somewhere */
		for (uint32_t i = 1 + draw(3); i > 0; i--)
			frame[draw(length < 64 ? length : 64)] ^= (uint8_t)(1u << draw(8));
		break;
	case 1:
		length = draw(length + 1);
		break;
	case 2:
		length = frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4);
		break;
	}
	left = length;
	if (draw(8) == 0)
		for (; cuts_count < 1 + draw(4) && cuts_count < 4; cuts_count++) {
			cuts[cuts_count] = draw(left + 1);
			left -= cuts[cuts_count];
		}
	chain = make_chain(frame, length, cuts, cuts_count);
	if (draw(4) == 0) {
		if (draw(4)) {
			chain.mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
			chain.verified |= DECODE_IP_CHECKSUM_GOOD;
		}
		if (draw(4)) {
			chain.mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
			chain.verified |= DECODE_L4_CHECKSUM_GOOD;
		}
	} else if (draw(40) == 0) {
		bool ip = draw(2);

		chain.mbuf->ol_flags |= ip ? RTE_MBUF_F_RX_IP_CKSUM_BAD : RTE_MBUF_F_RX_L4_CKSUM_BAD;
		chain.verified |= ip ? DECODE_IP_CHECKSUM_BAD : DECODE_L4_CHECKSUM_BAD;
	}
	return chain;
}

/* A good datagram for an input, by its UDP port. */
static uint32_t good_frame(uint8_t *frame, uint16_t udp_port, uint8_t family, const char *text)
{
	struct frame_build what = {.destination_port = udp_port, .payload = (uint32_t)strlen(text), .family = family};
	uint32_t length = frame_build(&what, frame);
	struct datagram d;

	assert_int_equal(decode_frame(frame, length, &port.host, 0, &d), FRAME_ACCEPTED);
	set_payload(frame, length, &d, text, what.payload);
	return length;
}

/* ---- tests ---- */

#define LINES "host-1 up,cpu,1\r\nhost-2,disk 9\n\nhost-3 ,,\nlast line, with a key"

static void every_codec_and_key_brings_its_records_to_their_lanes(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];

	(void)state;
	for (uint16_t udp_port = 514; udp_port <= 528; udp_port++)
		for (uint8_t family = 4; family <= 6; family += 2) {
			uint32_t length = good_frame(frame, udp_port, family, LINES);
			uint64_t accepted = reference.counters[FRAME_ACCEPTED];
			struct chain chain = make_chain(frame, length, NULL, 0);

			run_burst(&chain, 1);
			/* Nobody asks for 528; 526 for one IPv6 address. */
			assert_int_equal(reference.counters[FRAME_ACCEPTED] - accepted,
					 udp_port != 528 && (udp_port != 526 || family == 6));
		}
	assert_true(reference.counters[RECORD_APPENDED] > 30);
	assert_int_equal(reference.counters[RECORD_NO_STREAM], 2 * 4 + 2);
}

static void segmented_frames_equal_whole_ones_at_every_split(void **state)
{
	static const uint16_t ports[] = {514, 515, 516, 517, 521};
	static uint8_t frame[FRAME_BUILD_MAX];
	struct chain chains[2];

	(void)state;
	for (uint32_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
		uint32_t length = good_frame(frame, ports[i], i % 2 ? 6 : 4, LINES);
		uint64_t records = 0;

		for (uint32_t cut = 0; cut <= length; cut++) {
			uint32_t cuts[2] = {cut / 2, cut - cut / 2};
			uint64_t before = reference.counters[RECORD_APPENDED];

			chains[0] = make_chain(frame, length, &cut, 1);
			chains[1] = make_chain(frame, length, cuts, 2);
			run_burst(chains, 2);
			if (cut == 0)
				records = reference.counters[RECORD_APPENDED] - before;
			assert_int_equal(reference.counters[RECORD_APPENDED] - before, records);
		}
		assert_true(records >= 2);
	}
}

static void mixtures_are_what_the_reference_makes_of_them(void **state)
{
	struct chain chains[BURST_MAX];

	(void)state;
	for (int round = 0; round < ROUNDS(1500); round++) {
		uint16_t count = (uint16_t)(1 + draw(round % 5 ? BURST : BURST_MAX));

		for (uint16_t i = 0; i < count; i++)
			chains[i] = draw_chain(round % 50 ? 1400 : 9000);
		run_burst(chains, count);
	}
	/* The mixture was one. */
	assert_true(reference.counters[FRAME_ACCEPTED] > ROUNDS(10000));
	assert_true(reference.counters[FRAME_EMPTY] > 10 && reference.counters[FRAME_UDP_CHECKSUM] > 10);
	assert_true(reference.counters[FRAME_OTHER_ADDRESS] > 10 && reference.counters[FRAME_NO_INPUT] > 10);
	assert_true(reference.counters[FRAME_IPV4_CHECKSUM] > 10 && reference.counters[FRAME_ANSWER_FAILED] > 10);
	assert_true(reference.counters[FRAME_RUNT] > 10 && reference.counters[FRAME_VLAN_DEPTH] > 10);
}

/* One thing wrong or rare in a frame that is else as usual as its neighbours. */
static uint32_t draw_oddity(uint8_t *frame, uint32_t length)
{
	switch (draw(9)) {
	case 0: /* a bit anywhere */
		frame[draw(length)] ^= (uint8_t)(1u << draw(8));
		return length;
	case 1: /* a bit in the headers */
		frame[draw(42)] ^= (uint8_t)(1u << draw(8));
		return length;
	case 2: /* cut short */
		return draw(length);
	case 3: /* IP longer than UDP, both lengths as they should be for that */
		wire_put16(frame + 16, (uint16_t)(wire_get16(frame + 16) - 1));
		return length;
	case 4: /* no checksum */
		memset(frame + 40, 0, 2);
		return length;
	case 5: /* padding, of what a neighbour left there */
		memset(frame + length, 0x5a, 30);
		return length + draw(30);
	case 6: /* for another input, with one input less of its own */
		wire_put16(frame + 36, (uint16_t)(514 + draw(14)));
		wire_put16(frame + 40, 0);
		return length;
	case 7:
		return frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4);
	default:
		return draw_frame(frame, 1400);
	}
}

static void sixteen_frames_at_once_are_what_they_are_one_by_one(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	static char text[66000];
	struct chain chains[BURST_MAX];

	(void)state;
	for (int round = 0; round < ROUNDS(300); round++) {
		uint16_t count = (uint16_t)(16 + draw(BURST_MAX - 15)), udp_port = (uint16_t)(514 + draw(15));
		uint32_t odd = draw(3) ? draw(2 * count) : UINT32_MAX;

		for (uint16_t i = 0; i < count; i++) {
			uint8_t source[4] = {192, 0, 2, (uint8_t)draw(256)};
			uint32_t bytes = 1 + (draw(4) ? draw(60) : draw(round % 10 ? 300 : 9000)), length;
			struct frame_build what = {.destination_port = udp_port, .payload = bytes, .source = source};
			struct datagram d;

			draw_text(text, bytes);
			length = frame_build(&what, frame);
			/* frame_build() does not say where things lie, decode_frame() does. */
			if (decode_frame(frame, length, &port.host, 0, &d) == FRAME_ACCEPTED)
				set_payload(frame, length, &d, text, bytes);
			if (i == odd)
				length = draw_oddity(frame, length);
			chains[i] = make_chain(frame, length, NULL, 0);
			if (draw(50) == 0 && round % 2) {
				chains[i].mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
				chains[i].verified = DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD;
			}
		}
		run_burst(chains, count);
	}
	assert_true(reference.counters[FRAME_ACCEPTED] > ROUNDS(8000));
	assert_true(reference.counters[FRAME_UDP_CHECKSUM] > 0 && reference.counters[FRAME_IPV4_CHECKSUM] > 0);
}

static void a_tap_keeps_every_frame_whole(void **state)
{
	static struct stack stack;
	struct chain chains[BURST];

	(void)state;
	for (int round = 0; round < 200; round++) {
		for (uint16_t i = 0; i < BURST; i++) {
			stack_build(&stack, draw(stack_kinds_count), (uint16_t)(514 + draw(3)), draw(200));
			chains[i] = draw(3) ? draw_chain(1400)
					    : make_chain(stack_head(&stack), stack_length(&stack), NULL, 0);
		}
		run_burst(chains, BURST);
	}
	assert_int_equal(reference.counters[FRAME_ACCEPTED] + reference.counters[FRAME_RUNT], 200 * BURST);
	assert_true(reference.counters[FRAME_ACCEPTED] > 200 * BURST * 9 / 10);
}

static void a_tap_keeps_frames_whole_that_are_as_usual_as_their_neighbours(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	struct chain chains[BURST_MAX];

	(void)state;
	for (uint16_t udp_port = 514; udp_port <= 529; udp_port++)
		for (int good = 0; good < 2; good++) {
			uint64_t bytes = reference.counters[WORKER_PARSED_BYTES];
			uint32_t length = good_frame(frame, udp_port, 4, LINES);

			for (uint16_t i = 0; i < BURST_MAX; i++) {
				chains[i] = make_chain(frame, length, NULL, 0);
				if (good)
					chains[i].mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
			}
			run_burst(chains, BURST_MAX);
			assert_int_equal(reference.counters[WORKER_PARSED_BYTES] - bytes, BURST_MAX * length);
		}
}

static void address_zero_is_nobodys(void **state)
{
	static const uint8_t zero[4];
	static uint8_t frame[FRAME_BUILD_MAX];
	struct frame_build what = {.destination = zero, .payload = 30};
	struct chain chain;

	(void)state;
	port.host.ipv4_count = reference.host.ipv4_count = 0;
	memset(port.host.ipv4, 0, sizeof port.host.ipv4);
	memset(reference.host.ipv4, 0, sizeof reference.host.ipv4);
	chain = make_chain(frame, frame_build(&what, frame), NULL, 0);
	run_burst(&chain, 1);
	assert_int_equal(reference.counters[FRAME_OTHER_ADDRESS], 1);
}

static struct reassembly *make_reassembly(void)
{
	static const uint8_t secret[REASSEMBLY_SECRET_BYTES] = {7};
	void *memory = aligned_alloc(64, REASSEMBLY_BYTES_MIN);

	assert_non_null(memory);
	memset(memory, 0, REASSEMBLY_BYTES_MIN);
	return reassembly_init(memory, REASSEMBLY_BYTES_MIN, 30000000000ull, secret);
}

/* Cuts the packet behind a frame's first `l3` bytes into two fragments; with `tunnel` inside VXLAN. */
static uint16_t cut_in_two(struct chain *chains, const uint8_t *frame, uint32_t length, bool tunnel)
{
	static struct stack piece;
	uint32_t id = draw(60000), carried = length - 34, first = (8 + draw(carried - 9)) & ~7u;

	for (int i = 0; i < 2; i++) {
		stack_fragment(&piece, &(struct stack_fragment){
			.family = 4, .id = id, .source = frame + 26, .destination = frame + 30, .protocol = frame[23],
			.bytes = frame + 34 + (i ? first : 0), .offset = i ? first : 0,
			.length = i ? carried - first : first, .more = i == 0});
		stack_ethernet(&piece, 0x0800);
		if (tunnel) {
			stack_vxlan(&piece, 77);
			stack_udp(&piece, 4, NULL, NULL, 4789, false);
			stack_ethernet(&piece, 0x0800);
		}
		chains[i] = make_chain(stack_head(&piece), stack_length(&piece), NULL, 0);
	}
	return 2;
}

/* Tunnels of all kinds, fragments, fragments in tunnels and tunnels in fragments, among ordinary frames. */
static void tunnels_and_fragments_bring_the_records_of_what_is_inside(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	static struct stack stack;
	struct config_input *input;
	struct chain chains[BURST_MAX];

	(void)state;
	input = add_input(514, CODEC_DATAGRAM, KEY_FLOW, "one");
	input->tunnel = TUNNEL_NVGRE;
	input->vni = 0x1234;
	for (uint32_t i = 0; i < 14; i++)
		config.inputs[i].tunnel = i % 2 ? TUNNEL_ANY : TUNNEL_NONE;
	port.host.tunnels = UINT32_MAX;
	plan_free(plan);
	assert_int_equal(plan_create(&config, NULL, 1, &map, 2, &plan), 0);
	match_leave_tunnels(&plan->matches[0], port.host.tunnels);
	reference.host = port.host;
	reference.match = plan->matches[0];
	reference.reassembly = make_reassembly();
	for (uint32_t level = 0; level < rigs_count; level++) {
		worker_take_plan(rigs[level].worker, plan);
		rigs[level].worker->reassembly = make_reassembly();
	}
	for (int round = 0; round < ROUNDS(600); round++) {
		uint16_t count = 0;

		while (count < BURST_MAX - 2) {
			uint32_t k = draw(stack_kinds_count), kind = draw(5);

			if (kind == 0) {
				chains[count++] = draw_chain(1400);
				continue;
			}
			stack_build(&stack, k, (uint16_t)(514 + draw(15)), 16 + draw(900));
			memcpy(frame, stack_head(&stack), stack_length(&stack));
			if (kind == 1 && frame[12] == 0x08 && frame[14] == 0x45)
				count += cut_in_two(chains + count, frame, stack_length(&stack), false);
			else if (kind == 2)
				count += cut_in_two(chains + count, frame, good_frame(frame, 517, 4, LINES), draw(2));
			else
				chains[count++] = make_chain(frame, stack_length(&stack), NULL, 0);
			if (draw(20) == 0 && count < BURST_MAX - 2) /* the second half of one is lost */
				free_chain(&chains[--count]);
		}
		run_burst(chains, count);
	}
	assert_true(reference.counters[FRAGMENTS_JOINED] > ROUNDS(1000));
	assert_true(reference.counters[FRAGMENTS_DISPLACED] > 0 || ROUNDS(10) < 10);
	assert_true(reference.counters[FRAME_FRAGMENT_HELD] > ROUNDS(1000));
	assert_true(reference.inputs[config.inputs_count - 1][INPUT_FRAMES] > ROUNDS(10) / 2);
	assert_true(reference.inputs[3][INPUT_FRAMES] > ROUNDS(1000)); /* 517, through tunnels or not */
	free(reference.reassembly);
	for (uint32_t level = 0; level < rigs_count; level++) {
		free(rigs[level].worker->reassembly);
		rigs[level].worker->reassembly = NULL;
	}
}

#define FULL_PORT 520 /* to the one shard, slot 19 */
#define FULL_SLOT 19u

/* Sends until the lane refuses; returns how many it took. */
static uint64_t fill(struct rig *rig, struct rte_mbuf **frames, uint64_t sent[static 1])
{
	uint64_t *row = rig->words + lane_word(FULL_SLOT, 0);

	for (*sent = 0; row[LANE_DROPPED] == 0 && *sent < 100000; *sent += BURST) {
		rig->process(rig->worker, frames, BURST);
		worker_commit(rig->worker);
	}
	return row[LANE_RECORDS];
}

static void a_full_lane_refuses_counts_and_tells_how_many(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	struct rte_mbuf *frames[BURST];
	struct chain chains[BURST];
	uint32_t length = good_frame(frame, FULL_PORT, 4, "key and a text of some length, so that it ends anywhere");

	(void)state;
	for (uint32_t i = 0; i < BURST; i++) {
		chains[i] = make_chain(frame, length, NULL, 0);
		frames[i] = chains[i].mbuf;
	}
	for (uint32_t level = 0; level < rigs_count; level++) {
		struct rig *rig = &rigs[level];
		uint64_t *row = rig->words + lane_word(FULL_SLOT, 0), sent, taken, refused, position;
		uint32_t payload = length - 42;
		const struct record *gap, *next;
		struct gap told;

		/* penstockd has made some durable, not on a line's boundary; behind it lies what it has not. */
		rig->process(rig->worker, frames, 1);
		worker_commit(rig->worker);
		position = rig->worker->lanes[FULL_SLOT].lane.position;
		atomic_store(&rig->heads[FULL_SLOT], position);
		taken = fill(rig, frames, &sent);
		refused = sent + 1 - taken;
		assert_true(refused > 0 && refused <= BURST);
		assert_int_equal(row[LANE_DROPPED], refused);
		assert_int_equal(row[LANE_GAP_COUNT], refused);
		assert_int_equal(row[LANE_GAP_BYTES], refused * payload);
		assert_int_equal(rig->words[RECORD_LANE_FULL], refused);
		assert_int_equal(rig->words[input_word(6, INPUT_REFUSED)], refused);
		assert_int_equal(rig->words[WORKER_PARSED], sum(rig->words, COUNTER_RECORD_BASE, COUNTER_RECORD_END));
		assert_int_equal(rig->words[WORKER_POLLED], sum(rig->words, COUNTER_FRAME_BASE, COUNTER_FRAME_END));
		/* Every record it took is whole: nothing was written over what is not yet durable. */
		for (uint64_t at = position; at < row[LANE_POSITION];) {
			const uint8_t *bytes = rig->lanes[FULL_SLOT] + at % LANE_SIZE;
			uint32_t total = record_check(bytes, row[LANE_POSITION] - at);

			assert_true(total > 0);
			assert_memory_equal(record_payload((const void *)bytes), frame + 42, payload);
			at += total;
		}
		/* Room again: the gap stands in front of the next record. */
		position = row[LANE_POSITION];
		atomic_store(&rig->heads[FULL_SLOT], position);
		rig->process(rig->worker, frames, 1);
		worker_commit(rig->worker);
		gap = (const void *)(rig->lanes[FULL_SLOT] + position % LANE_SIZE);
		assert_int_equal(gap->kind, RECORD_GAP);
		memcpy(&told, record_payload(gap), sizeof told);
		assert_int_equal(told.count, refused);
		assert_int_equal(told.bytes, refused * payload);
		assert_int_equal(told.reason, GAP_LANE_FULL);
		assert_int_equal(told.scope, GAP_SCOPE_SHARD);
		next = (const void *)((const uint8_t *)gap + record_bytes(0, 0, sizeof told));
		assert_int_equal(next->kind, RECORD_DATA);
		assert_memory_equal(record_payload(next), frame + 42, payload);
		assert_int_equal(row[LANE_GAP_COUNT], 0);
		assert_int_equal(row[LANE_RECORDS], taken + 1);
		assert_int_equal(rig->words[WORKER_GAPS], 1);
	}
	for (uint32_t i = 0; i < BURST; i++)
		free_chain(&chains[i]);
}

static void a_hole_is_told_once_to_every_shard_of_the_port(void **state)
{
	(void)state;
	for (uint32_t level = 0; level < rigs_count; level++) {
		struct rig *rig = &rigs[level];
		uint32_t bytes = record_bytes(0, 0, sizeof(struct gap));

		atomic_store(&rig->worker->down.first_ns, 5);
		atomic_store(&rig->worker->down.last_ns, 9);
		atomic_store(&rig->worker->down.frames, 7);
		/* One of them has no room: then nobody is told yet. */
		rig->worker->lanes[3].lane = (struct lane_writer){.slot = 3};
		worker_run(rig->worker);
		assert_int_equal(rig->words[WORKER_GAPS], 0);
		lane_writer_init(&rig->worker->lanes[3].lane, rig->lanes[3], LANE_SIZE, 3, &rig->worker->ledger,
				 &rig->heads[3]);
		for (int again = 0; again < 2; again++) {
			worker_run(rig->worker);
			assert_int_equal(rig->words[WORKER_DOWN_TOLD], 7);
			assert_int_equal(rig->words[WORKER_GAPS], SLOTS);
			for (uint32_t s = 0; s < SLOTS; s++) {
				const struct record *r = (const void *)rig->lanes[s];
				struct gap told;

				assert_int_equal(rig->words[lane_word(s, LANE_POSITION)], bytes);
				assert_int_equal(record_check(r, bytes), bytes);
				assert_int_equal(r->kind, RECORD_GAP);
				memcpy(&told, record_payload(r), sizeof told);
				assert_int_equal(told.count, 7);
				assert_int_equal(told.first_ns, 5);
				assert_int_equal(told.last_ns, 9);
				assert_int_equal(told.reason, GAP_DATAPLANE_DOWN);
				assert_int_equal(told.scope, GAP_SCOPE_PORT);
			}
		}
		assert_int_equal(rig->words[RECORD_APPENDED], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_codec_and_key_brings_its_records_to_their_lanes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(segmented_frames_equal_whole_ones_at_every_split, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mixtures_are_what_the_reference_makes_of_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sixteen_frames_at_once_are_what_they_are_one_by_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tap_keeps_every_frame_whole, set_up_tap, tear_down),
		cmocka_unit_test_setup_teardown(tunnels_and_fragments_bring_the_records_of_what_is_inside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tap_keeps_frames_whole_that_are_as_usual_as_their_neighbours, set_up_tap, tear_down),
		cmocka_unit_test_setup_teardown(address_zero_is_nobodys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_lane_refuses_counts_and_tells_how_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hole_is_told_once_to_every_shard_of_the_port, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
