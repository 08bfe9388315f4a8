// What flow datagrams cost to decode, per flow and per datagram: flow_bench [--list | --run SAMPLE TIMES]
//
// Rows "name  ours  theirs  ratio" in ns. Typical: per flow against the 250 ns that a record may cost, and per datagram against
// that many times more. Crafted: per datagram against what a typical datagram costs for as many bytes.
// --run decodes one typical sample, for callgrind to count in measured_pass(), and prints how many flows it decoded.
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

void measured_pass(struct load *load);

__attribute__((noinline)) void measured_pass(struct load *load)
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
			measured_pass(load);
		spent = processor_ns() - start;
	}
	for (uint32_t i = 0; i < ROUNDS; i++) {
		double start = processor_ns();

		for (uint64_t p = 0; p < passes; p++)
			measured_pass(load);
		rounds[i] = (processor_ns() - start) / (double)passes;
	}
	return median(rounds, ROUNDS);
}

static void print(const char *name, double ns, double limit)
{
	printf("flow_%s\t%.1f\t%.1f\t%.2f\n", name, ns, limit, limit / ns);
	fflush(stdout);
}

static void build_v5(struct load *load, uint32_t flows)
{
	flow_build_v5(&load->datagram, flows);
}

/* By the template of a datagram in front. */
static void build_known(struct load *load, uint32_t version, uint32_t flows)
{
	flow_build_usual(&load->datagram, version, true, 1);
	measured_pass(load);
	flow_build_usual(&load->datagram, version, false, flows);
}

static void build_v9(struct load *load, uint32_t flows)
{
	build_known(load, 9, flows);
}

static void build_v9_with_template(struct load *load, uint32_t flows)
{
	flow_build_usual(&load->datagram, 9, true, flows);
}

static void build_ipfix(struct load *load, uint32_t flows)
{
	build_known(load, 10, flows);
}

/* And a sample of counters, which counts as one. */
static void build_sflow(struct load *load, uint32_t flows)
{
	flow_build_sflow(&load->datagram, flows - 1);
}

static const struct typical {
	const char *name;
	uint8_t codec;
	uint32_t flows;
	void (*build)(struct load *load, uint32_t flows);
} typicals[] = {
	{"v5", CODEC_NETFLOW, 30, build_v5},
	{"v9", CODEC_NETFLOW, 20, build_v9},
	{"v9_with_template", CODEC_NETFLOW, 20, build_v9_with_template},
	{"ipfix", CODEC_NETFLOW, 20, build_ipfix},
	{"sflow", CODEC_SFLOW, 8, build_sflow},
};

#define TYPICALS (sizeof typicals / sizeof *typicals)
#define CRAFTED_LIKE 1u /* v9: what crafted datagrams are compared with */

static void build_typical(struct load *load, const struct typical *t)
{
	load->codec = codec_by_id(t->codec);
	t->build(load, t->flows);
}

/* Prints a typical datagram's rows; returns ns per byte. */
static double print_typical(struct load *load, const struct typical *t)
{
	double ns;
	char row[64];

	build_typical(load, t);
	ns = time_of(load);
	snprintf(row, sizeof row, "%s_per_flow", t->name);
	print(row, ns / t->flows, LIMIT_NS);
	snprintf(row, sizeof row, "%s_of_%u", t->name, t->flows);
	print(row, ns, LIMIT_NS * t->flows);
	return ns / load->datagram.length;
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

static void print_all(struct load *load)
{
	static const char *const crafted[] = {"crafted_unknown_elements", "crafted_empty_fields", "crafted_tiny_flows",
					      "crafted_tiny_sets", "crafted_new_templates", "crafted_redefinitions"};
	double ns_per_byte = 0;

	for (uint32_t i = 0; i < TYPICALS; i++) {
		double ns = print_typical(load, &typicals[i]);

		ns_per_byte = i == CRAFTED_LIKE ? ns : ns_per_byte;
	}
	load->codec = codec_by_id(CODEC_NETFLOW);
	for (uint32_t i = 0; i < sizeof crafted / sizeof *crafted; i++) {
		build_crafted(load, i);
		print(crafted[i], time_of(load), ns_per_byte * load->datagram.length);
	}
}

static int run_one(struct load *load, const char *name, uint32_t times)
{
	for (uint32_t i = 0; i < TYPICALS; i++) {
		uint64_t before;

		if (strncmp(name, "flow_", 5) != 0 || strcmp(typicals[i].name, name + 5) != 0)
			continue;
		build_typical(load, &typicals[i]);
		before = fields;
		for (uint32_t n = 0; n < times; n++)
			measured_pass(load);
		printf("%u\n", typicals[i].flows * times);
		return fields == before;
	}
	fprintf(stderr, "flow_bench: no sample '%s'\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	static struct load load = {.sink.put = count_field};
	int status = 0;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (uint32_t i = 0; i < TYPICALS; i++)
			printf("flow_%s\n", typicals[i].name);
		return 0;
	}
	if (argc != 1 && (argc != 4 || strcmp(argv[1], "--run") != 0)) {
		fprintf(stderr, "usage: flow_bench [--list | --run SAMPLE TIMES]\n");
		return 2;
	}
	if (templates_create(16u << 20, 1, &load.templates) != 0)
		return 1;
	if (argc == 4)
		status = run_one(&load, argv[2], (uint32_t)strtoul(argv[3], NULL, 10));
	else
		print_all(&load);
	templates_free(load.templates);
	return status ? status : fields == 0;
}
