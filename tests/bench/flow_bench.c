// What flow datagrams cost to decode, per flow and per datagram.
//
// Rows "name  ours  limit  ratio" in ns. Typical: per flow against the 250 ns that a record may cost, and per datagram against
// that many times more. Crafted: per datagram against 4 times what a typical datagram costs for as many bytes.
#include <string.h>

#include "dataplane/codec/codec.h"
#include "dataplane/codec/templates.h"
#include "tests/bench/pairs.h"
#include "tests/support/flow_build.h"

#define LIMIT_NS 250.0
#define ROUNDS 15u
#define ROUND_NS 2e6

struct load {
	struct flow_build datagram;
	const struct codec *codec;
	struct codec_templates *templates;
	struct field_sink sink;
};

static uint64_t fields;

static bool count_field(struct field_sink *sink, const struct field *field)
{
	(void)sink;
	fields += 1 + field->length;
	return true;
}

static void decode(struct load *load)
{
	static const uint8_t source[4] = {10, 0, 0, 1};
	struct codec_record record = {.bytes = load->datagram.bytes,
				      .length = load->datagram.length,
				      .source = source,
				      .source_bytes = 4,
				      .arrival_ns = 1,
				      .templates = load->templates};

	load->codec->decode(&record, &load->sink);
}

/* Of this thread alone: what others took of the core in between is not the codec's. */
static double processor_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds per datagram, the median of some rounds. */
static double time_of(struct load *load)
{
	double rounds[ROUNDS], spent = 0;
	uint64_t passes = 1;

	while (spent < ROUND_NS) {
		double start = processor_ns();

		passes *= 2;
		for (uint64_t p = 0; p < passes; p++)
			decode(load);
		spent = processor_ns() - start;
	}
	for (uint32_t i = 0; i < ROUNDS; i++) {
		double start = processor_ns();

		for (uint64_t p = 0; p < passes; p++)
			decode(load);
		rounds[i] = (processor_ns() - start) / (double)passes;
	}
	return median(rounds, ROUNDS);
}

static void print(const char *name, double ns, double limit)
{
	printf("flow_%s\t%.1f\t%.1f\t%.2f\n", name, ns, limit, limit / ns);
	fflush(stdout);
}

/* Prints a typical datagram's rows; returns ns per byte. */
static double typical(struct load *load, const char *name, uint32_t flows)
{
	double ns = time_of(load);
	char row[64];

	snprintf(row, sizeof row, "%s_per_flow", name);
	print(row, ns / flows, LIMIT_NS);
	snprintf(row, sizeof row, "%s_of_%u", name, flows);
	print(row, ns, LIMIT_NS * flows);
	return ns / load->datagram.length;
}

static void crafted(struct load *load, const char *name, double ns_per_byte)
{
	print(name, time_of(load), 4 * ns_per_byte * load->datagram.length);
}

static void build_crafted(struct load *load, uint32_t kind)
{
	static uint32_t wide[TEMPLATE_FIELDS_MAX][2];
	static const uint32_t one[1][2] = {{4, 1}};
	struct flow_build *b = &load->datagram;

	for (uint32_t i = 0; i < TEMPLATE_FIELDS_MAX; i++) {
		wide[i][0] = kind == 0 ? 35632u << 16 | 7 : i + 1;
		wide[i][1] = kind == 0 ? 1 : 65535;
	}
	flow_build_header(b, 10, 0);
	switch (kind) {
	case 0: /* names that have to be written */
	case 1: /* variable fields of no bytes */
		flow_build_template(b, 300, wide, TEMPLATE_FIELDS_MAX, 0);
		flow_build_set(b, 300);
		for (uint32_t i = 0; i < 100 * TEMPLATE_FIELDS_MAX; i++)
			flow_build8(b, 0);
		flow_build_set_end(b);
		break;
	case 2: /* flows of one byte */
		flow_build_template(b, 301, one, 1, 0);
		flow_build_set(b, 301);
		for (uint32_t i = 0; i < 8192; i++)
			flow_build8(b, 6);
		flow_build_set_end(b);
		break;
	case 3: /* sets of one flow */
		flow_build_template(b, 302, one, 1, 0);
		for (uint32_t i = 0; i < 8192; i++) {
			flow_build_set(b, 302);
			flow_build8(b, 6);
			flow_build_set_end(b);
		}
		break;
	case 4: /* templates that are never the same */
		for (uint32_t i = 0; i < 5000; i++)
			flow_build_template(b, 256 + i, one, 1, 0);
		break;
	case 5: /* two definitions of one id in turn */
		for (uint32_t i = 0; i < 7; i++) {
			wide[0][0] = i;
			flow_build_template(b, 400, wide, TEMPLATE_FIELDS_MAX, 0);
		}
		break;
	}
}

int main(void)
{
	static const char *const crafted_names[] = {"crafted_unknown_elements", "crafted_empty_fields", "crafted_tiny_flows",
						    "crafted_tiny_sets", "crafted_new_templates", "crafted_redefinitions"};
	static struct load load;
	double ns_per_byte;

	load.sink.put = count_field;
	load.codec = codec_by_id(CODEC_NETFLOW);
	if (templates_create(16u << 20, 1, &load.templates) != 0)
		return 1;
	flow_build_v5(&load.datagram, 30);
	typical(&load, "v5", 30);
	flow_build_usual(&load.datagram, 9, true, 1);
	decode(&load);
	flow_build_usual(&load.datagram, 9, false, 20);
	ns_per_byte = typical(&load, "v9", 20);
	flow_build_usual(&load.datagram, 9, true, 20);
	typical(&load, "v9_with_template", 20);
	flow_build_usual(&load.datagram, 10, true, 1);
	decode(&load);
	flow_build_usual(&load.datagram, 10, false, 20);
	typical(&load, "ipfix", 20);
	for (uint32_t i = 0; i < sizeof crafted_names / sizeof *crafted_names; i++) {
		build_crafted(&load, i);
		crafted(&load, crafted_names[i], ns_per_byte);
	}
	load.codec = codec_by_id(CODEC_SFLOW);
	flow_build_sflow(&load.datagram, 7);
	typical(&load, "sflow", 8);
	templates_free(load.templates);
	return fields == 0;
}
