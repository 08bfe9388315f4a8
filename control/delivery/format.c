#include "control/delivery/format.h"
#include "control/delivery/format_kinds.h"
#include "dataplane/codec/dead_letter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int format_open(const struct format_options *options, struct format **out)
{
	struct format *f;

	if (options->format != FORMAT_RAW && options->format != FORMAT_JSONL && options->format != FORMAT_PCAPNG)
		return -EINVAL;
	f = malloc(sizeof *f);
	if (f == NULL)
		return -ENOMEM;
	f->scratch = options->format == FORMAT_JSONL ? malloc(CODEC_SCRATCH_BYTES) : NULL;
	if (options->format == FORMAT_JSONL && f->scratch == NULL) {
		free(f);
		return -ENOMEM;
	}
	f->options = *options;
	f->templates = NULL;
	f->interfaces = NULL;
	f->interfaces_count = f->interfaces_room = 0;
	f->gather.used = 0;
	f->gather.error = -EBADF; /* nothing may be added before format_begin() */
	*out = f;
	return 0;
}

void format_close(struct format *f)
{
	if (f == NULL)
		return;
	free(f->interfaces);
	free(f->scratch);
	free(f);
}

void format_use_templates(struct format *f, struct codec_templates *templates)
{
	f->templates = templates;
}

int format_begin(struct format *f, const struct sink *sink)
{
	gather_begin(&f->gather, sink);
	if (f->options.format == FORMAT_PCAPNG)
		format_pcapng_begin(f);
	return f->gather.error;
}

struct original format_original(const struct record *r)
{
	struct dead_letter letter;

	if (r->codec == CODEC_DEAD_LETTER && dead_letter_read(record_payload(r), r->length, &letter) == CODEC_OK)
		return (struct original){letter.bytes, letter.length, codec_by_id(letter.header.codec)};
	return (struct original){record_payload(r), r->length, codec_by_id(r->codec)};
}

static void add_raw(struct format *f, const struct record *r)
{
	struct original original;

	if (!record_is_data(r))
		return;
	original = format_original(r);
	gather_put(&f->gather, original.bytes, original.length);
	if (f->options.delimiter != NULL)
		gather_text(&f->gather, f->options.delimiter);
}

int format_add(struct format *f, uint32_t shard, uint64_t sequence, const struct record *r)
{
	int error = 0;

	if (f->options.format == FORMAT_RAW)
		add_raw(f, r);
	else if (f->options.format == FORMAT_JSONL)
		format_jsonl_add(f, shard, sequence, r);
	else
		error = format_pcapng_add(f, sequence, r);
	return error != 0 ? error : f->gather.error;
}

int format_flush(struct format *f)
{
	return gather_flush(&f->gather);
}

int format_end(struct format *f)
{
	int error = gather_flush(&f->gather);

	f->gather.error = -EBADF;
	return error;
}

const char *format_extension(enum config_format format)
{
	return format == FORMAT_RAW ? ".raw" : format == FORMAT_JSONL ? ".jsonl" : ".pcapng";
}

const char *format_gap_reason(uint32_t reason)
{
	static const char *const names[] = {
		[GAP_LANE_FULL] = "lane_full",         [GAP_DATAPLANE_DOWN] = "dataplane_down",
		[GAP_STORE_LOST] = "store_lost",       [GAP_BATCH_DAMAGED] = "batch_damaged",
		[GAP_EXPIRED_EARLY] = "expired_early", [GAP_REGION_LOST] = "region_lost",
		[GAP_PORT_MISSED] = "port_missed",
	};

	return reason < sizeof names / sizeof *names && names[reason] != NULL ? names[reason] : "unknown";
}

const char *format_input(const struct format *f, uint32_t input, char text[9])
{
	const char *name = f->options.input_name != NULL ? f->options.input_name(f->options.context, input) : NULL;

	if (name != NULL)
		return name;
	snprintf(text, 9, "%08x", input);
	return text;
}

struct gap format_gap(const struct record *r)
{
	struct gap gap;

	memcpy(&gap, record_payload(r), sizeof gap);
	return gap;
}

// Decimal digits, as many as asked for; much cheaper than snprintf() for something every record has.
static char *put_digits(char *at, uint32_t value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	return at + digits;
}

void format_time(char text[FORMAT_TIME_MAX], uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000u);
	char *at = text;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	at = put_digits(at, (uint32_t)tm.tm_year + 1900, 4);
	*at++ = '-';
	at = put_digits(at, (uint32_t)tm.tm_mon + 1, 2);
	*at++ = '-';
	at = put_digits(at, (uint32_t)tm.tm_mday, 2);
	*at++ = 'T';
	at = put_digits(at, (uint32_t)tm.tm_hour, 2);
	*at++ = ':';
	at = put_digits(at, (uint32_t)tm.tm_min, 2);
	*at++ = ':';
	at = put_digits(at, (uint32_t)tm.tm_sec, 2);
	*at++ = '.';
	at = put_digits(at, (uint32_t)(ns % 1000000000u), 9);
	*at++ = 'Z';
	*at = '\0';
}
