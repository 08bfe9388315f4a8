// What codec_bench decodes: datagrams as senders write them, and datagrams made to be slow.
#pragma once

#include "dataplane/codec/codec.h"
#include "tests/bench/message_samples.h"

struct sample_bytes {
	const char *bytes;
	uint32_t length;
};

#define SAMPLE_BYTES(literal)                                                                                          \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}

/* Appends to out[0..room) what makes a sample that no literal could hold; returns its length. */
typedef uint32_t sample_make(uint8_t *out, uint32_t room);

struct codec_sample {
	uint8_t codec; /* enum record_codec */
	bool crafted;  /* made to be slow: compared with the typical ones of its codec */
	const char *name;
	/* `repeated` until the datagram is CODEC_SAMPLE_BYTES long; may be empty. */
	struct sample_bytes start, repeated, end;
	sample_make *make; /* instead of those, when not NULL */
	uint32_t lists;    /* what the record holds that others send alone, told per one of them as well; 0: nothing */
};

#define CODEC_SAMPLE_BYTES 65000u

#define MADE(codec, crafted, name, make)                                                                               \
	{                                                                                                              \
		codec, crafted, name, {0}, {0}, {0}, make, 0                                                           \
	}
#define MADE_OF_LISTS(codec, name, make, lists)                                                                        \
	{                                                                                                              \
		codec, false, name, {0}, {0}, {0}, make, lists                                                         \
	}
#define TYPICAL(codec, name, bytes)                                                                                    \
	{                                                                                                              \
		codec, false, name, SAMPLE_BYTES(bytes), {0}, {0}, NULL, 0                                                \
	}
#define CRAFTED(codec, name, start, repeated, end)                                                                     \
	{                                                                                                              \
		codec, true, name, SAMPLE_BYTES(start), SAMPLE_BYTES(repeated), SAMPLE_BYTES(end), NULL, 0                \
	}

/* A codec without a row here fails the bench: add rows with the codec. */
static const struct codec_sample codec_samples[] = {
	TYPICAL(CODEC_SYSLOG, "rfc5424",
		"<165>1 2026-01-02T03:04:05.123456Z web-17.example.net nginx 2211 access "
		"[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] "
		"10.0.3.7 GET /api/v1/items?limit=50 200 1532 0.004"),
	TYPICAL(CODEC_SYSLOG, "rfc5424_plain",
		"<34>1 2026-01-02T03:04:05.003Z mymachine.example.com su - ID47 - 'su root' failed for lonvick on "
		"/dev/pts/8"),
	TYPICAL(CODEC_SYSLOG, "rfc3164",
		"<38>Jan  2 03:04:05 gateway sshd[21847]: Accepted publickey for deploy from 10.20.30.40 port 51234 "
		"ssh2"),
	CRAFTED(CODEC_SYSLOG, "escapes", "<34>1 - - - - - [a b=\"", "\\]", "\"]"),
	CRAFTED(CODEC_SYSLOG, "parameters", "<34>1 - - - - - [a", " b=\"\"", "]"),
	CRAFTED(CODEC_SYSLOG, "elements", "<34>1 - - - - - ", "[a]", ""),
	CRAFTED(CODEC_SYSLOG, "long_characters", "<34>1 - - - - - - \xef\xbb\xbf", "\xc3\xa4x", ""),
	CRAFTED(CODEC_SYSLOG, "line_feeds", "<34>x", "\n<", ""),
	CRAFTED(CODEC_SYSLOG, "nearly_messages", "<34>x", "\n<999>", ""),
	CRAFTED(CODEC_SYSLOG, "octets", "", "3 <1>", ""),

	TYPICAL(CODEC_STATSD, "counter", "web.requests.count:1|c|@0.1"),
	TYPICAL(CODEC_STATSD, "tags", "page.views.latency:12.75|h|@0.5|#env:prod,region:eu-west-1,host:web-17,canary"),
	TYPICAL(CODEC_STATSD, "several",
		"jobs.duration:101.5:87.25:99:143|d|#queue:mail,env:prod|c:ci-1234567890ab|T1767323045"),
	CRAFTED(CODEC_STATSD, "values", "a:1", ":1", "|d"),
	CRAFTED(CODEC_STATSD, "odd_values", "a:1", ":.5", "|d"),
	CRAFTED(CODEC_STATSD, "tags_of_a_byte", "a:1|c|#a", ",a", ""),
	CRAFTED(CODEC_STATSD, "commas", "a:1|c|#a", ",", ""),
	CRAFTED(CODEC_STATSD, "bars", "a:1|c", "|", ""),
	CRAFTED(CODEC_STATSD, "sections", "a:1|c", "|x", ""),
	CRAFTED(CODEC_STATSD, "escapes", "_sc|a|0|m:", "\\n", ""),

	TYPICAL(CODEC_INFLUX, "cpu",
		"cpu,host=web-17,cpu=cpu-total usage_user=12.5,usage_system=3.25,usage_idle=84.25 1767323045123456789"),
	TYPICAL(CODEC_INFLUX, "net",
		"net,host=web-17,interface=eth0 bytes_sent=184467440737i,bytes_recv=98765432100i,drop_in=0i,up=t "
		"1767323045123456789"),
	TYPICAL(CODEC_INFLUX, "string",
		"weather,location=us-midwest,season=summer temperature=82,note=\"hot, and getting hotter\" "
		"1767323045123456789"),
	CRAFTED(CODEC_INFLUX, "fields", "a b=1", ",b=1", ""),
	CRAFTED(CODEC_INFLUX, "tags", "a", ",b=c", " d=1"),
	CRAFTED(CODEC_INFLUX, "escapes", "a,b=", "\\ ", " d=1"),
	CRAFTED(CODEC_INFLUX, "strings", "a b=\"\"", ",b=\"\"", ""),
	CRAFTED(CODEC_INFLUX, "quotes_in_tags", "a,b=", "\"", " d=1"),
	CRAFTED(CODEC_INFLUX, "escaped_quotes", "a b=\"", "\\\"", "\""),
	CRAFTED(CODEC_INFLUX, "open_strings", "", "a b=\"\n", ""),

	TYPICAL(CODEC_GRAPHITE, "plain", "servers.web-17.cpu.user 12.5 1767323045"),
	TYPICAL(CODEC_GRAPHITE, "long",
		"collectd.web-17_example_net.interface-eth0.if_octets.rx 1234567.890000 1767323045"),
	TYPICAL(CODEC_GRAPHITE, "tags", "disk.used;datacenter=dc1;rack=a1;server=web01 48213.75 1767323045"),
	CRAFTED(CODEC_GRAPHITE, "tags_of_a_byte", "a", ";a=b", " 1 1"),
	CRAFTED(CODEC_GRAPHITE, "blanks", "a", " ", "1 1"),
	CRAFTED(CODEC_GRAPHITE, "digits", "a 1", "0", " 1"),
	CRAFTED(CODEC_GRAPHITE, "odd_digits", "a +1", "0", " 1"),

	TYPICAL(CODEC_JSON, "log",
		"{\"time\":\"2026-01-02T03:04:05.123Z\",\"level\":\"info\",\"service\":\"checkout\",\"host\":\"web-"
		"17\","
		"\"message\":\"order accepted\",\"order_id\":918273,\"latency_ms\":12.75,\"ok\":true}"),
	TYPICAL(CODEC_JSON, "nested",
		"{\"name\": \"cpu\", \"tags\": {\"host\": \"web-17\", \"region\": \"eu-west-1\"}, \"values\": [12.5, "
		"3.25, 84.25], "
		"\"timestamp\": 1767323045123, \"error\": null}"),
	TYPICAL(CODEC_JSON, "escapes",
		"{\"level\":\"error\",\"host\":\"web-17\",\"message\":\"cannot open \\\"/var/lib/app/state.db\\\":\\n  "
		"permission denied\","
		"\"path\":\"C:\\\\app\\\\state\",\"user\":\"J\xc3\xb6rg\"}"),
	CRAFTED(CODEC_JSON, "elements", "[0", ",0", "]"),
	CRAFTED(CODEC_JSON, "members", "{\"\":0", ",\"\":0", "}"),
	CRAFTED(CODEC_JSON, "empty_arrays", "[[]", ",[]", "]"),
	CRAFTED(CODEC_JSON, "escapes_of_a_byte", "[\"", "\\n", "\"]"),
	CRAFTED(CODEC_JSON, "surrogates", "[\"", "\\ud83d\\ude00", "\"]"),
	CRAFTED(CODEC_JSON, "long_characters", "[\"", "\xc3\xa4", "\"]"),
	CRAFTED(CODEC_JSON, "mixed_characters", "[\"", "\xc3\xa4xxxxx", "\"]"),
	CRAFTED(CODEC_JSON, "escaped_mixture", "[\"", "\\n\xc3\xa4x", "\"]"),
	CRAFTED(CODEC_JSON, "space", "[", " ", "0]"),
	CRAFTED(CODEC_JSON, "digits", "[1", "0", "]"),

	TYPICAL(CODEC_JSON_LINES, "log",
		"{\"time\":\"2026-01-02T03:04:05.123Z\",\"level\":\"info\",\"service\":\"checkout\",\"host\":\"web-"
		"17\","
		"\"message\":\"order accepted\",\"order_id\":918273,\"latency_ms\":12.75,\"ok\":true}\n"
		"{\"time\":\"2026-01-02T03:04:05.125Z\",\"level\":\"warn\",\"service\":\"checkout\",\"host\":\"web-"
		"17\","
		"\"message\":\"card declined\",\"order_id\":918274,\"latency_ms\":83.5,\"ok\":false}\n"),
	CRAFTED(CODEC_JSON_LINES, "zeros", "", "0\n", ""),
	CRAFTED(CODEC_JSON_LINES, "braces", "", "{}\n", ""),

	TYPICAL(CODEC_GELF, "plain",
		"{\"version\":\"1.1\",\"host\":\"example.org\",\"short_message\":\"A short message that helps you "
		"identify what is going on\",\"full_message\":\"Backtrace here\\n\\nmore stuff\",\"timestamp\":"
		"1385053862.3072,\"level\":1,\"_user_id\":9001,\"_some_info\":\"foo\",\"_some_env_var\":\"bar\"}"),
	MADE(CODEC_GELF, false, "gzip", make_gelf_gzip),
	MADE(CODEC_GELF, false, "zlib", make_gelf_zlib),
	CRAFTED(CODEC_GELF, "members", "{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"m\"", ",\"\":0", "}"),
	CRAFTED(CODEC_GELF, "digits",
		"{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"m\",\"timestamp\":1e-", "0", "}"),
	MADE(CODEC_GELF, true, "tight", make_gelf_tight),
	MADE(CODEC_GELF, true, "bomb", make_gelf_bomb),

	/* A datagram is the record: of 1 notification, of 7 and of 24 value lists. */
	MADE(CODEC_COLLECTD, false, "of_1", make_collectd_notification),
	MADE_OF_LISTS(CODEC_COLLECTD, "of_7", make_collectd_values, 7),
	MADE_OF_LISTS(CODEC_COLLECTD, "of_24", make_collectd_load, 24),
	MADE(CODEC_COLLECTD, true, "lists", make_collectd_lists),
	MADE(CODEC_COLLECTD, true, "parts", make_collectd_parts),

	/* Cut only, the MD5 included: per user record. */
	MADE(CODEC_KPL, false, "aggregate", make_kpl_aggregate),
	MADE(CODEC_KPL, true, "empty_records", make_kpl_empty),

	MADE(CODEC_DEAD_LETTER, false, "syslog", make_letter_of_syslog),
	MADE(CODEC_DEAD_LETTER, true, "long_characters", make_letter_of_long_characters),
};

#define CODEC_SAMPLES (sizeof codec_samples / sizeof *codec_samples)
