// The configuration as both daemons see it: one YAML 1.2 file (and conf.d beside it), checked whole, then constant.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "dataplane/seam/record.h"
#include "dataplane/seam/region.h"

#define CONFIG_PATH_MAX 1024u
#define CONFIG_ADDRESSES_MAX 16u
#define CONFIG_DELIVERIES_MAX 32u
#define CONFIG_STREAMS_MAX 128u
#define CONFIG_RULES_MAX 1024u
#define CONFIG_PATTERN_MAX 1024u            /* bytes of one pattern */
#define CONFIG_PATTERNS_BYTES_MAX (128u << 10) /* of one input's together */
#define CONFIG_QUEUES_MAX WORKERS_MAX
#define CONFIG_SOCKET_MAX 107u /* sun_path without its terminator */

struct config_origin; /* opaque: the files as read and where every value stands, for what is found wrong later */

struct config_address { /* an address a port answers for */
	uint8_t family;        /* 4 or 6 */
	uint8_t prefix_length;
	uint8_t bytes[16];     /* network order; the first 4 for IPv4 */
};

/* What a frame's layers were wrapped in. A port's list of them is a mask of 1 << kind, of which bit 0 stands for all. */
enum config_tunnel {
	TUNNEL_NONE,
	TUNNEL_MPLS,
	TUNNEL_PPPOE,
	TUNNEL_VXLAN, /* and VXLAN-GPE */
	TUNNEL_GENEVE,
	TUNNEL_GRE,
	TUNNEL_NVGRE,
	TUNNEL_ERSPAN,
	TUNNEL_GTP,
	TUNNEL_IPIP,
	TUNNEL_KINDS,
	TUNNEL_ANY = 255, /* of an input: through a tunnel or not */
};

struct config_port {
	char name[NAME_MAX_BYTES];
	char device[256];      /* EAL device argument: "0000:03:00.0", "net_af_xdp0,iface=eth1", "net_pcap0,rx_pcap=f" */
	uint32_t queues;
	uint32_t cores[CONFIG_QUEUES_MAX]; /* one per queue */
	bool tap;              /* mode: tap answers nothing and takes every frame; telemetry owns addresses */
	bool promiscuous;
	bool force_unaccountable; /* take a driver that loses frames silently */
	uint32_t mtu;
	uint32_t rx_descriptors;
	uint32_t tunnels;      /* telemetry: those that end here */
	uint32_t vxlan_port, geneve_port, gtp_port; /* UDP ports by which these are known */
	uint32_t addresses_count;
	struct config_address addresses[CONFIG_ADDRESSES_MAX];
	const char *file;      /* where it stands, for config_complain(); the configuration's */
	uint32_t line, column;
};

enum config_key {
	KEY_RANDOM,
	KEY_CONSTANT,
	KEY_SOURCE,
	KEY_FLOW,
	KEY_FIELD,
	KEY_PATH,    /* a field that the codec decodes */
	KEY_CAPTURE, /* a group of a rule's pattern */
	KEY_OWN,     /* what the sender gave the record (codec kpl) */
};
enum config_missing { MISSING_RANDOM, MISSING_CONSTANT, MISSING_DEAD_LETTER }; /* what a record without its key gets */
enum config_invalid { INVALID_KEEP, INVALID_DROP, INVALID_DEAD_LETTER }; /* keep: not decoded on arrival */

#define CONFIG_KEY_PATH_MAX 255u

struct config_input {
	char name[NAME_MAX_BYTES];
	char port[NAME_MAX_BYTES];
	uint32_t port_index;
	int32_t vlan;          /* -1: any; 0: untagged only; 1..4094 */
	bool any_destination;
	struct config_address destination; /* when !any_destination */
	uint32_t udp_port;     /* 0: every one (frame codec) */
	uint8_t tunnel;        /* enum config_tunnel */
	int64_t vni;           /* -1: any; 0..4,294,967,295 */
	uint8_t codec;         /* enum record_codec */
	char stream[STREAM_NAME_MAX + 1];
	enum config_key key;
	char key_constant[RECORD_KEY_MAX + 1]; /* KEY_CONSTANT or MISSING_CONSTANT */
	uint32_t key_field;    /* KEY_FIELD: from 1 */
	uint8_t key_separator; /* KEY_FIELD: one byte */
	char key_path[CONFIG_KEY_PATH_MAX + 1]; /* KEY_PATH: see dataplane/codec/path.h */
	char key_rule[NAME_MAX_BYTES]; /* KEY_CAPTURE: the name of one of its rules */
	char key_group[NAME_MAX_BYTES]; /* KEY_CAPTURE: a group of that rule's pattern, by number or name */
	enum config_missing missing;
	enum config_invalid invalid;
	char dead_letter[STREAM_NAME_MAX + 1]; /* the stream of what could not be taken; "" when there is none */
	const char *file;
	uint32_t line, column;
};

enum config_verdict {
	VERDICT_KEEP,
	VERDICT_DROP,
	VERDICT_ROUTE,
	VERDICT_TAG,
	VERDICT_SAMPLE,
	VERDICT_REDACT,
	VERDICT_DEAD_LETTER,
};

struct config_rule { /* in the order in which an input's rules are tried */
	char name[NAME_MAX_BYTES];
	char input[NAME_MAX_BYTES];
	uint32_t input_index;
	char pattern[CONFIG_PATTERN_MAX + 1];
	bool caseless, dotall, multiline, utf8;
	bool invert;           /* it matches where the pattern does not */
	enum config_verdict verdict;
	char stream[STREAM_NAME_MAX + 1]; /* VERDICT_ROUTE */
	uint32_t every;        /* VERDICT_SAMPLE: one record in so many is kept */
	const char *file;
	uint32_t line, column;
	uint32_t pattern_line, pattern_column; /* of the pattern's first character */
	bool pattern_as_written; /* its characters stand one behind the other from there: no escapes of YAML in it */
};

struct config_stream {
	char name[STREAM_NAME_MAX + 1];
	uint32_t shards;
	uint64_t retention_seconds; /* at least 1; the default 86,400 */
	uint64_t retention_bytes;   /* per stream, 0: only by time */
	const char *file;
	uint32_t line, column;
};

enum config_format { FORMAT_RAW, FORMAT_JSONL, FORMAT_PCAPNG };
enum config_payload { PAYLOAD_TEXT, PAYLOAD_BASE64 }; /* of a JSON line: text falls back to base64 where it is not UTF-8 */
enum config_compression { COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_ZSTD };
enum config_destination { DESTINATION_DIRECTORY, DESTINATION_S3 };

#define CONFIG_S3_CONCURRENCY_MAX 16u /* parts under way at once */

struct config_s3 {
	char endpoint[CONFIG_PATH_MAX]; /* http://host:port or https://host */
	char region[64];
	char bucket[64];
	char access_key_file[CONFIG_PATH_MAX]; /* first line: access key id, second line: secret; mode 0600 or refused */
	bool virtual_host;
	uint64_t part_bytes;   /* objects larger than this go multipart */
	uint32_t concurrency;  /* parts in flight */
	char ca_file[CONFIG_PATH_MAX];
};

struct config_delivery {
	char name[NAME_MAX_BYTES];
	char stream[STREAM_NAME_MAX + 1];
	enum config_destination destination;
	char directory[CONFIG_PATH_MAX]; /* DESTINATION_DIRECTORY */
	struct config_s3 s3;
	char prefix[CONFIG_PATH_MAX];    /* "!{timestamp:yyyy/MM/dd/HH}/", as Firehose */
	uint64_t buffer_bytes;
	uint32_t buffer_seconds;
	enum config_format format;
	enum config_payload payload;
	enum config_compression compression;
	char delimiter[16];              /* raw: what follows every record, default newline */
	uint32_t retry_seconds;          /* the budget; then the object goes to the dead-letter folder */
	char dead_letter[CONFIG_PATH_MAX]; /* a directory; objects go into the delivery's name beneath it */
	uint64_t dead_letter_bytes;        /* files there, at most; then objects wait. 0: no limit */
	const char *file;
	uint32_t line, column;
};

struct config {
	char path[CONFIG_PATH_MAX]; /* the main file, absolute; every path below is absolute, too */

	char **eal;            /* dpdk: extra EAL arguments, NULL-terminated */
	uint32_t eal_count;
	char file_prefix[64];  /* EAL's */
	bool huge_pages;       /* false: --no-huge */
	uint32_t memory_mib;   /* EAL memory */
	uint32_t mbufs;        /* per port */
	uint32_t main_core;    /* housekeeping thread of the dataplane */
	uint32_t burst;        /* frames per poll, 1..64 */
	uint32_t vlan_depth;   /* tags accepted, 0..4 */
	uint64_t fragment_bytes;   /* memory of each worker for fragments, 0: none are put together */
	uint32_t fragment_seconds; /* how long they wait for the rest */
	bool numa_strict;      /* refuse a worker or memory off its port's node, rather than warn */

	char region_directory[CONFIG_PATH_MAX];
	uint32_t region_shards; /* slots */
	uint64_t lane_bytes;

	char store_directory[CONFIG_PATH_MAX];
	uint32_t commit_ms;
	uint64_t segment_bytes;
	uint64_t batch_bytes;   /* largest batch written at once */
	uint64_t reserve_bytes; /* given up when the disk is full, so that metadata can still be written */
	bool direct_io;

	char rule_cache[CONFIG_PATH_MAX]; /* directory of compiled rules */
	uint32_t rule_seconds;  /* of compiling one input's rules, at most */
	uint64_t rule_memory;   /* bytes, likewise */

	char socket[CONFIG_PATH_MAX]; /* penstockd's local socket */
	char log_level[16];           /* error, warning, info, debug */

	uint32_t ports_count, inputs_count, rules_count, streams_count, deliveries_count;
	struct config_port ports[PORTS_MAX];
	struct config_input inputs[INPUTS_MAX];
	struct config_rule rules[CONFIG_RULES_MAX];
	struct config_stream streams[CONFIG_STREAMS_MAX];
	struct config_delivery deliveries[CONFIG_DELIVERIES_MAX];

	struct config_origin *origin;
};

// Reads `path` and then conf.d/*.yaml beside it in the order of their names: ports, inputs, rules, streams and deliveries
// add up, any other knob of a later file replaces an earlier one's. All errors and warnings are written to `errors`, one
// compiler-style report each ("file:line:column: error: what", the line, a caret), in the order of their places; none
// stops the search for more, except that a file ends where it is no YAML. Relative paths start at the directory of `path`.
// 0 with *out (free with config_free), also after warnings; -EINVAL when there was an error; -errno when a file cannot be
// read (said, too).
int config_load(const char *path, FILE *errors, struct config **out);

void config_free(struct config *config);

// What only this machine can tell: whether the cores are there and may be used, whether a port's cores and the memory
// of its NUMA node belong together (an error under dpdk.numa: strict, else a warning), whether the region's directory lies
// on tmpfs or hugetlbfs and has room. Reports as config_load() does. 0, or -EINVAL when there was an error.
int config_check_host(const struct config *config, FILE *errors);

// `path`, or the nearest directory above it that is there (and may be looked for), into `out`.
void config_existing_parent(const char *path, char *out, size_t size);

// One report in the loader's style about a place in the configuration (`file`, `line` and `column` of a port, input,
// rule, stream or delivery), for what turns out wrong only at start. `severity` is "error" or "warning".
void config_complain(const struct config *config, FILE *errors, const char *severity, const char *file, uint32_t line,
		     uint32_t column, const char *format, ...) __attribute__((format(printf, 7, 8)));

// The total number of workers: one per queue.
uint32_t config_workers(const struct config *config);

// The documented sample file, every knob at its default with its sentence, from the same table the loader checks by:
// config/penstock.yaml.
void config_print_sample(FILE *out);

// The manual page penstock.yaml(5) in roff, from the same table: config/penstock.yaml.5.
void config_print_manual(FILE *out);
