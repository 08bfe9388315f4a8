// What each codec costs per record, cut and decoded: codec_bench [--list | --run SAMPLE TIMES]
//
// Rows "name  ours  theirs  ratio" in ns per record. Of a typical sample, theirs is the limit, for each of the lists where a
// record has many, and so told per list as well; of a crafted one, what its bytes may cost: the codec's median typical record,
// and where the crafted record is longer, that many times more.
// --run decodes one sample, for callgrind to count in measured_pass(), and prints how many records it decoded.
#include <string.h>

#include "tests/bench/codec_samples.h"
#include "tests/bench/pairs.h"

#define LIMIT_NS 250.0
#define ROUNDS 15u
#define ROUND_NS 2e6
#define SLICES 1024u

struct load {
	const struct codec *codec;
	uint8_t bytes[1u << 16];
	uint32_t length;
	uint64_t fields; /* so that nobody optimises the work away */
};

struct counting_sink {
	struct field_sink sink;
	uint64_t fields;
};

static bool count_field(struct field_sink *sink, const struct field *field)
{
	((struct counting_sink *)sink)->fields += 1 + field->length;
	return true;
}

void measured_pass(struct load *load);

static uint32_t decode_slice(struct load *load, struct counting_sink *sink, uint32_t offset, uint32_t length)
{
	static uint8_t scratch[CODEC_SCRATCH_BYTES];
	static const uint8_t source[4] = {10, 0, 0, 1};
	struct codec_record record = {.bytes = load->bytes + offset,
				      .length = length,
				      .source_bytes = 4,
				      .source = source,
				      .arrival_ns = 1767323045000000000u,
				      .scratch = scratch};

	if (load->codec->decode)
		load->codec->decode(&record, &sink->sink);
	return 1;
}

/* The datagram cut as a worker does it, each record decoded. Returns the records. */
static uint32_t pass(struct load *load)
{
	static struct slice slices[SLICES];
	struct counting_sink sink = {{count_field}, 0};
	uint32_t records = 0;

	if (!load->codec->cut)
		records = decode_slice(load, &sink, 0, load->length);
	for (uint32_t at = 0, consumed; load->codec->cut && at < load->length; at += consumed) {
		uint32_t count = load->codec->cut(load->bytes + at, load->length - at, slices, SLICES, &consumed);

		for (uint32_t i = 0; i < count; i++)
			records += decode_slice(load, &sink, at + slices[i].offset, slices[i].length);
	}
	load->fields += sink.fields;
	return records;
}

__attribute__((noinline)) void measured_pass(struct load *load)
{
	load->fields += pass(load);
}

static void append(struct load *load, const struct sample_bytes *bytes)
{
	memcpy(load->bytes + load->length, bytes->bytes, bytes->length);
	load->length += bytes->length;
}

static void make_load(struct load *load, const struct codec_sample *sample)
{
	load->codec = codec_by_id(sample->codec);
	load->length = 0;
	if (sample->make) {
		load->length = sample->make(load->bytes, CODEC_SAMPLE_BYTES);
		return;
	}
	append(load, &sample->start);
	while (sample->repeated.length &&
	       load->length + sample->repeated.length + sample->end.length <= CODEC_SAMPLE_BYTES)
		append(load, &sample->repeated);
	append(load, &sample->end);
}

/* Of this thread alone: what others took of the core in between is not the codec's. */
static double processor_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds per record, the median of some rounds. */
static double time_of(struct load *load, uint32_t records)
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
		rounds[i] = (processor_ns() - start) / ((double)passes * records);
	}
	return median(rounds, ROUNDS);
}

static const char *row_name(const struct codec_sample *sample)
{
	static char name[96];

	snprintf(name, sizeof name, "codec_%s_%s%s", codec_by_id(sample->codec)->name,
		 sample->crafted ? "crafted_" : "", sample->name);
	return name;
}

static const char *list_row_name(const struct codec_sample *sample)
{
	static char name[112];

	snprintf(name, sizeof name, "%s_per_list", row_name(sample));
	return name;
}

static void print_row(const char *name, double ns, double may)
{
	printf("%s\t%.1f\t%.1f\t%.2f\n", name, ns, may, may / ns);
	fflush(stdout);
}

struct typical { /* of one codec */
	double ns[CODEC_SAMPLES], bytes[CODEC_SAMPLES];
	uint32_t count;
};

static void print_rows(struct load *load, uint8_t codec)
{
	static struct typical typical;

	typical.count = 0;
	for (int crafted = 0; crafted < 2; crafted++)
		for (const struct codec_sample *s = codec_samples; s < codec_samples + CODEC_SAMPLES; s++) {
			uint32_t records;
			double ns, bytes, may = LIMIT_NS;

			if (s->codec != codec || s->crafted != crafted)
				continue;
			make_load(load, s);
			records = pass(load);
			ns = time_of(load, records);
			bytes = (double)load->length / records;
			if (crafted) {
				double times = bytes / median(typical.bytes, typical.count);

				may = median(typical.ns, typical.count) * (times > 1 ? times : 1);
			} else {
				typical.ns[typical.count] = ns;
				typical.bytes[typical.count++] = bytes;
			}
			print_row(row_name(s), ns, s->lists ? may * s->lists : may);
			if (s->lists)
				print_row(list_row_name(s), ns / s->lists, may);
		}
}

static bool has_sample(uint8_t codec, bool crafted)
{
	for (const struct codec_sample *s = codec_samples; s < codec_samples + CODEC_SAMPLES; s++)
		if (s->codec == codec && s->crafted == crafted)
			return true;
	return false;
}

static int run_one(struct load *load, const char *name, uint32_t times)
{
	for (const struct codec_sample *s = codec_samples; s < codec_samples + CODEC_SAMPLES; s++) {
		bool by_list = s->lists && strcmp(list_row_name(s), name) == 0;

		if (!by_list && strcmp(row_name(s), name) != 0)
			continue;
		make_load(load, s);
		for (uint32_t i = 0; i < times; i++)
			measured_pass(load);
		printf("%u\n", pass(load) * times * (by_list ? s->lists : 1));
		return 0;
	}
	fprintf(stderr, "codec_bench: no sample '%s'\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	static struct load load;

	if (argc == 4 && strcmp(argv[1], "--run") == 0)
		return run_one(&load, argv[2], (uint32_t)strtoul(argv[3], NULL, 10));
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (const struct codec_sample *s = codec_samples; s < codec_samples + CODEC_SAMPLES; s++) {
			printf("%s\n", row_name(s));
			if (s->lists)
				printf("%s\n", list_row_name(s));
		}
		return 0;
	}
	if (argc != 1) {
		fprintf(stderr, "usage: codec_bench [--list | --run SAMPLE TIMES]\n");
		return 2;
	}
	for (unsigned id = 0; id < 256; id++) {
		const struct codec *codec = codec_by_id((uint8_t)id);

		if (!codec || (!codec->decode && !has_sample((uint8_t)id, false)))
			continue;
		if (id == CODEC_NETFLOW || id == CODEC_SFLOW) /* flow_bench's */
			continue;
		if (!has_sample((uint8_t)id, false) || !has_sample((uint8_t)id, true)) {
			fprintf(stderr,
				"codec_bench: codec %s has no typical or no crafted sample in codec_samples.h\n",
				codec->name);
			return 1;
		}
		print_rows(&load, (uint8_t)id);
	}
	return load.fields == 0;
}
