// What becomes of an input's records: their keys, those that do not decode, dead letters.
#include <string.h>

#include "config/check.h"
#include "config/knobs.h"
#include "dataplane/codec/path.h"

#define KEY_CHARACTERS_MAX 256u /* Kinesis' limit of a partition key */

static uint32_t count_characters(const char *text)
{
	uint32_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool has_fields(uint8_t codec)
{
	return codec_by_id(codec) && codec_by_id(codec)->decode;
}

static const char *codec_name(uint8_t codec)
{
	return codec_by_id(codec) ? codec_by_id(codec)->name : "";
}

/* On a port for telemetry a datagram has its addresses and ports; a tap's frame may be anything. */
static bool may_lack_key(const struct config *c, const struct config_input *in)
{
	switch (in->key) {
	case KEY_RANDOM:
	case KEY_CONSTANT:
		return false;
	case KEY_SOURCE:
	case KEY_FLOW:
		return in->port_index == UINT32_MAX || c->ports[in->port_index].tap;
	default:
		return true;
	}
}

static void check_value(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_input *in = &c->inputs[i];
	bool bad = origin_bad(c, "inputs[].key.value", i);

	if (in->key == KEY_CONSTANT && !in->key_constant[0] && !bad)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key", i,
			      "a constant key needs its value: {from: constant, value: \"...\"}");
	else if (in->missing == MISSING_CONSTANT && !in->key_constant[0] && !bad)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key.missing", i,
			      "missing: constant needs the key that such records get: value: \"...\"");
	if (count_characters(in->key_constant) > KEY_CHARACTERS_MAX)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key.value", i,
			      "a key has at most %u characters, this one has %u", KEY_CHARACTERS_MAX,
			      count_characters(in->key_constant));
	if (in->key != KEY_CONSTANT && in->missing != MISSING_CONSTANT && origin_given(c, "inputs[].key.value", i))
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key.value", i,
			      "only for from: constant or missing: constant");
}

/* A knob that belongs to one kind of key only. */
static void check_belongs(struct loading *l, uint32_t i, const char *knob, enum config_key kind, const char *word)
{
	if (l->config->inputs[i].key != kind && origin_given(l->config, knob, i))
		origin_report(l->config, &l->reports, SEVERITY_ERROR, knob, i, "only for from: %s", word);
}

static void check_codec_has_key(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_input *in = &c->inputs[i];

	if (origin_bad(c, "inputs[].codec", i))
		return;
	if (in->key == KEY_FIELD && in->codec == CODEC_FRAME)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key", i,
			      "a frame has no fields: use random, constant, source or flow");
	if (in->key == KEY_PATH && !has_fields(in->codec))
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key", i,
			      "codec %s decodes no fields to take a key from", codec_name(in->codec));
	if (in->key == KEY_OWN && in->codec != CODEC_KPL)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key", i,
			      "only records of codec kpl bring keys of their own");
}

static bool begins_with(const struct field_path *path, const char *name)
{
	return path->step[0].length == strlen(name) && memcmp(path->names + path->step[0].start, name, strlen(name)) == 0;
}

/* Workers have no templates: what these describe is decoded when it is read. */
static void check_key_of_flows(struct loading *l, uint32_t i, const struct field_path *path)
{
	const struct config *c = l->config;

	if (c->inputs[i].codec != CODEC_NETFLOW)
		return;
	if (begins_with(path, "flows"))
		origin_report(c, &l->reports, SEVERITY_WARNING, "inputs[].key.path", i,
			      "only flows of NetFlow v5 have this key when they arrive: those of v9 and IPFIX are "
			      "decoded by templates, later, and lack it");
	else if (begins_with(path, "options"))
		origin_report(c, &l->reports, SEVERITY_WARNING, "inputs[].key.path", i,
			      "options are decoded by templates, after they arrive: every record lacks this key");
}

static void check_key(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_input *in = &c->inputs[i];
	struct field_path path;

	if (origin_bad(c, "inputs[].key.from", i) || origin_bad(c, "inputs[].key", i))
		return;
	check_value(l, i);
	check_belongs(l, i, "inputs[].key.number", KEY_FIELD, "field");
	check_belongs(l, i, "inputs[].key.separator", KEY_FIELD, "field");
	check_belongs(l, i, "inputs[].key.path", KEY_PATH, "path");
	check_belongs(l, i, "inputs[].key.rule", KEY_CAPTURE, "capture");
	check_belongs(l, i, "inputs[].key.group", KEY_CAPTURE, "capture");
	check_codec_has_key(l, i);
	if (in->key == KEY_PATH && !in->key_path[0] && !origin_bad(c, "inputs[].key.path", i))
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key", i,
			      "a key from a path needs it: {from: path, path: /host}");
	if (in->key == KEY_PATH && in->key_path[0] && field_path_parse(in->key_path, &path) == 0)
		check_key_of_flows(l, i, &path);
	else if (in->key == KEY_PATH && in->key_path[0])
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key.path", i,
			      "neither the name of a field nor a JSON pointer of at most %u bytes and %u steps, with "
			      "~0 for ~ and ~1 for /",
			      FIELD_PATH_BYTES_MAX, FIELD_DEPTH_MAX + 1);
	if (in->key == KEY_CAPTURE && !in->key_rule[0] && !origin_bad(c, "inputs[].key.rule", i))
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key", i,
			      "a key from a capture needs the rule's name: {from: capture, rule: NAME, group: 1}");
	if (origin_given(c, "inputs[].key.missing", i) && !may_lack_key(c, in))
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key.missing", i,
			      "no record of this input lacks such a key");
}

static void check_dead_letters(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_input *in = &c->inputs[i];

	if (in->dead_letter[0] && strcmp(in->dead_letter, in->stream) == 0)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].dead_letter", i,
			      "dead letters need a stream of their own, '%s' takes the records", in->stream);
	if (in->dead_letter[0] || origin_bad(c, "inputs[].dead_letter", i))
		return;
	if (in->invalid == INVALID_DEAD_LETTER)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].invalid", i,
			      "dead letters need a stream: dead_letter: NAME");
	if (in->missing == MISSING_DEAD_LETTER)
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key.missing", i,
			      "dead letters need a stream: dead_letter: NAME");
}

void check_records(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_input *in = &c->inputs[i];

	check_key(l, i);
	if (in->invalid != INVALID_KEEP && !has_fields(in->codec) && in->codec != CODEC_KPL &&
	    !origin_bad(c, "inputs[].codec", i))
		origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].invalid", i,
			      "codec %s takes any bytes: none of its records is invalid", codec_name(in->codec));
	check_dead_letters(l, i);
}
