#include "dataplane/codec/dead_letter.h"

#include <string.h>

#include "dataplane/codec/put.h"
#include "dataplane/codec/utf8.h"

static const struct {
	uint16_t number;
	uint8_t stage;
	const char *label, *text;
} reasons[] = {
#define DEAD_LETTER_REASON_ROW(name, number_, stage_, label_, text_) {number_, stage_, label_, text_},
	DEAD_LETTER_REASONS(DEAD_LETTER_REASON_ROW)
#undef DEAD_LETTER_REASON_ROW
};

#define REASONS (sizeof reasons / sizeof *reasons)

static size_t reason_find(uint16_t number)
{
	size_t i = 0;

	while (i < REASONS && reasons[i].number != number)
		i++;
	return i;
}

const char *dead_letter_stage_label(uint8_t stage)
{
	switch (stage) {
#define DEAD_LETTER_STAGE_CASE(name, number, label)                                                                    \
	case name:                                                                                                     \
		return label;
		DEAD_LETTER_STAGES(DEAD_LETTER_STAGE_CASE)
#undef DEAD_LETTER_STAGE_CASE
	}
	return "unknown";
}

const char *dead_letter_reason_label(uint16_t reason)
{
	size_t i = reason_find(reason);

	if (reason < DEAD_LETTER_FAULT_END)
		return codec_fault_label((enum codec_fault)reason);
	return i < REASONS ? reasons[i].label : "unknown";
}

const char *dead_letter_reason_text(uint16_t reason)
{
	size_t i = reason_find(reason);

	if (reason < DEAD_LETTER_FAULT_END)
		return codec_fault_text((enum codec_fault)reason);
	return i < REASONS ? reasons[i].text : "unknown";
}

uint32_t dead_letter_write(const struct dead_letter_header *header, const uint8_t *bytes, uint32_t length, uint8_t *out,
			   uint32_t room)
{
	struct dead_letter_header whole = *header;

	if (length > DEAD_LETTER_BYTES_MAX || room < sizeof whole || room - sizeof whole < length)
		return 0;
	whole.version = DEAD_LETTER_VERSION;
	whole.reserved = 0;
	whole.parser_version = CODEC_PARSER_VERSION;
	memcpy(out, &whole, sizeof whole);
	if (length)
		memcpy(out + sizeof whole, bytes, length);
	return (uint32_t)sizeof whole + length;
}

static bool stage_known(uint8_t stage)
{
	return stage >= DEAD_LETTER_AT_CUT && stage <= DEAD_LETTER_AT_DELIVERY;
}

static bool reason_fits(uint16_t reason, uint8_t stage)
{
	size_t i = reason_find(reason);

	if (reason < DEAD_LETTER_FAULT_END)
		return reason > CODEC_OK && reason < CODEC_FAULT_END;
	return i < REASONS && reasons[i].stage == stage;
}

enum codec_fault dead_letter_read(const uint8_t *bytes, uint32_t length, struct dead_letter *out)
{
	struct dead_letter_header header;

	if (length < sizeof header)
		return CODEC_TRUNCATED;
	memcpy(&header, bytes, sizeof header);
	if (header.version != DEAD_LETTER_VERSION)
		return CODEC_VERSION;
	if (length - sizeof header > DEAD_LETTER_BYTES_MAX)
		return CODEC_TOO_LARGE;
	if (header.reserved != 0)
		return CODEC_SYNTAX;
	if (!stage_known(header.stage) || !codec_by_id(header.codec) || !reason_fits(header.reason, header.stage))
		return CODEC_NUMBER;
	*out = (struct dead_letter){header, bytes + sizeof header, length - (uint32_t)sizeof header};
	return CODEC_OK;
}

static enum codec_fault put_string(struct field_sink *sink, const char *name, uint32_t name_length, const char *text)
{
	return put_text(sink, name, name_length, (const uint8_t *)text, (uint32_t)strlen(text));
}

static enum codec_fault put_letter(const struct dead_letter *letter, struct field_sink *sink)
{
	const struct dead_letter_header *h = &letter->header;
	bool text = utf8_valid(letter->bytes, letter->length);
	uint8_t input[8];

	for (uint32_t i = 0; i < 8; i++)
		input[i] = (uint8_t) "0123456789abcdef"[h->input >> (28 - 4 * i) & 15];
	PUT_TRY(put_string(sink, PUT_NAME("stage"), dead_letter_stage_label(h->stage)));
	PUT_TRY(put_string(sink, PUT_NAME("reason"), dead_letter_reason_label(h->reason)));
	PUT_TRY(put_string(sink, PUT_NAME("codec"), codec_by_id(h->codec)->name));
	PUT_TRY(put_unsigned(sink, FIELD_UNSIGNED, PUT_NAME("parser_version"), h->parser_version));
	PUT_TRY(put_text(sink, PUT_NAME("input"), input, sizeof input));
	PUT_TRY(put_unsigned(sink, FIELD_UNSIGNED, PUT_NAME("detail"), h->detail));
	PUT_TRY(put_unsigned(sink, FIELD_TIME, PUT_NAME("time"), h->arrival_ns));
	PUT_TRY(put_unsigned(sink, FIELD_UNSIGNED, PUT_NAME("length"), letter->length));
	return put_slice(sink, text ? FIELD_TEXT : FIELD_BYTES, PUT_NAME("data"), letter->bytes, letter->length);
}

enum codec_fault dead_letter_decode(const struct codec_record *record, struct field_sink *sink)
{
	struct dead_letter letter;

	PUT_TRY(dead_letter_read(record->bytes, record->length, &letter));
	return put_result(put_letter(&letter, sink));
}
