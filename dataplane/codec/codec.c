#include "dataplane/codec/codec.h"

static const struct codec codecs[] = {
	{"datagram", CODEC_DATAGRAM, false, NULL, NULL},
	{"lines", CODEC_LINES, false, split_lines, NULL},
	{"frame", CODEC_FRAME, true, NULL, NULL},
	{"syslog", CODEC_SYSLOG, false, syslog_cut, syslog_decode},
	{"statsd", CODEC_STATSD, false, split_lines, statsd_decode},
	{"influx", CODEC_INFLUX, false, influx_cut, influx_decode},
	{"graphite", CODEC_GRAPHITE, false, split_lines, graphite_decode},
	{"json", CODEC_JSON, false, NULL, json_decode},
	{"json_lines", CODEC_JSON_LINES, false, split_lines, json_decode},
	{"gelf", CODEC_GELF, false, NULL, gelf_decode},
	{"collectd", CODEC_COLLECTD, true, NULL, collectd_decode},
	{"netflow", CODEC_NETFLOW, true, NULL, netflow_decode},
	{"sflow", CODEC_SFLOW, true, NULL, sflow_decode},
	{"kpl", CODEC_KPL, false, kpl_cut, NULL},
	{"dead_letter", CODEC_DEAD_LETTER, true, NULL, dead_letter_decode},
};

const struct codec *codec_by_id(uint8_t id)
{
	for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
		if (codecs[i].id == id)
			return &codecs[i];
	return NULL;
}

static const struct {
	const char *label, *text;
} faults[] = {
#define CODEC_FAULT_ROW(name, label_, text_) [name] = {label_, text_},
	CODEC_FAULTS(CODEC_FAULT_ROW)
#undef CODEC_FAULT_ROW
};

const char *codec_fault_label(enum codec_fault fault)
{
	return (unsigned)fault < CODEC_FAULT_END ? faults[fault].label : "unknown";
}

const char *codec_fault_text(enum codec_fault fault)
{
	return (unsigned)fault < CODEC_FAULT_END ? faults[fault].text : "unknown";
}
