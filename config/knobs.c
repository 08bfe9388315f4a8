#include "config/knobs.h"

// clang-format off: a table

#define KIB 1024ll
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY 86400ll

#define AT(member) .offset = offsetof(struct config, member), .size = sizeof(((struct config *)0)->member)
#define PORT(member) .offset = offsetof(struct config_port, member), .size = sizeof(((struct config_port *)0)->member)
#define INPUT(member)                                                                                                  \
	.offset = offsetof(struct config_input, member), .size = sizeof(((struct config_input *)0)->member)
#define RULE(member) .offset = offsetof(struct config_rule, member), .size = sizeof(((struct config_rule *)0)->member)
#define STREAM(member)                                                                                                 \
	.offset = offsetof(struct config_stream, member), .size = sizeof(((struct config_stream *)0)->member)
#define DELIVERY(member)                                                                                               \
	.offset = offsetof(struct config_delivery, member), .size = sizeof(((struct config_delivery *)0)->member)
#define ITEMS(list, limit)                                                                                             \
	.type = KNOB_ITEMS, .fallback = "", .offset = offsetof(struct config, list),                                   \
	.size = sizeof(((struct config *)0)->list[0]), .extra = offsetof(struct config, list##_count), .most = (limit)

/* Order is that of the sample file and of the manual page. Adding a knob is one row. */
const struct knob knobs[] = {
	{"dpdk", KNOB_SECTION, .fallback = "", .text = "What the dataplane asks of DPDK."},
	{"dpdk.arguments", KNOB_ARGUMENTS, AT(eal), .extra = offsetof(struct config, eal_count), .fallback = "",
	 .most = 64, .example = "[\"-a\", \"0000:03:00.0\"]",
	 .text = "Further arguments for DPDK's environment layer (EAL), each an entry of its own."},
	{"dpdk.file_prefix", KNOB_NAME, AT(file_prefix), .fallback = "penstock",
	 .text = "Keeps DPDK's run-time files apart from those of other DPDK programs on this machine."},
	{"dpdk.huge_pages", KNOB_BOOL, AT(huge_pages), .fallback = "true",
	 .text = "Packet memory on huge pages; false runs anywhere, but slower, and only with drivers that need no "
		 "physical addresses."},
	{"dpdk.memory_mib", KNOB_NUMBER, AT(memory_mib), .fallback = "1024", .least = 64, .most = 1 << 20,
	 .text = "Memory for DPDK in MiB, all ports' packet buffers included."},
	{"dpdk.mbufs", KNOB_NUMBER, AT(mbufs), .fallback = "65535", .least = 512, .most = 1 << 26,
	 .text = "Packet buffers for each port; a power of two less one wastes no memory."},
	{"dpdk.main_core", KNOB_NUMBER, AT(main_core), .fallback = "0", .least = 0, .most = 1023,
	 .text = "The core of the dataplane's housekeeping thread, which needs little of it."},
	{"dpdk.burst", KNOB_NUMBER, AT(burst), .fallback = "32", .least = 1, .most = 64,
	 .text = "Frames taken from a queue at once."},
	{"dpdk.vlan_depth", KNOB_NUMBER, AT(vlan_depth), .fallback = "2", .least = 0, .most = 4,
	 .text = "VLAN tags a frame may carry; one with more is dropped and counted."},
	{"dpdk.fragment_bytes", KNOB_SIZE, AT(fragment_bytes), .fallback = "4MiB", .least = 512 * KIB, .most = GIB,
	 .words = "none=0",
	 .text = "Memory of each worker for IP fragments until their datagram is whole; with none of it fragments are "
		 "dropped and counted. A tap stores them as they are."},
	{"dpdk.fragment_timeout", KNOB_DURATION, AT(fragment_seconds), .fallback = "30s", .least = 1, .most = 120,
	 .text = "How long fragments wait for the rest of their datagram."},
	{"dpdk.numa", KNOB_CHOICE, AT(numa_strict), .fallback = "strict", .words = "warn|strict",
	 .text = "What happens when a port's cores or memory are not on its NUMA node: a warning, or a refusal to "
		 "start."},

	{"region", KNOB_SECTION, .fallback = "", .text = "The shared memory between dataplane and penstockd."},
	{"region.directory", KNOB_PATH, AT(region_directory), .fallback = "/run/penstock/region",
	 .most = CONFIG_PATH_MAX - 1, .text = "Where the region lies; must be on tmpfs or hugetlbfs."},
	{"region.shards", KNOB_NUMBER, AT(region_shards), .fallback = "64", .least = 1, .most = SHARDS_MAX,
	 .text = "Slots for shards; all streams' shards together can be no more."},
	{"region.lane_bytes", KNOB_POWER, AT(lane_bytes), .fallback = "4MiB", .least = 256 * KIB, .most = GIB,
	 .text = "Room for one worker's records of one shard until penstockd has stored them; memory is used only by "
		 "slots that hold a shard."},

	{"store", KNOB_SECTION, .fallback = "", .text = "Where penstockd keeps the streams."},
	{"store.directory", KNOB_PATH, AT(store_directory), .fallback = "/var/lib/penstock",
	 .most = CONFIG_PATH_MAX - 1, .text = "Directory of segments and metadata."},
	{"store.commit_ms", KNOB_MS, AT(commit_ms), .fallback = "10ms", .least = 1, .most = 10000,
	 .text = "The longest a record waits to be made durable."},
	{"store.segment_bytes", KNOB_SIZE, AT(segment_bytes), .fallback = "256MiB", .least = MIB, .most = 64 * GIB,
	 .text = "Size of a segment file; retention deletes whole segments."},
	{"store.batch_bytes", KNOB_SIZE, AT(batch_bytes), .fallback = "4MiB", .least = 128 * KIB, .most = 32 * MIB,
	 .text = "The largest batch written at once."},
	{"store.reserve_bytes", KNOB_SIZE, AT(reserve_bytes), .fallback = "16MiB", .least = 0, .most = GIB,
	 .text = "Disk space given up when the disk is full, so that metadata can still be written."},
	{"store.direct_io", KNOB_BOOL, AT(direct_io), .fallback = "true",
	 .text = "Write past the page cache (O_DIRECT) where the file system can."},

	{"matching", KNOB_SECTION, .fallback = "", .text = "How the patterns of rules are compiled."},
	{"matching.cache", KNOB_PATH, AT(rule_cache), .fallback = "/var/cache/penstock", .most = CONFIG_PATH_MAX - 1,
	 .text = "Directory of compiled rules, kept by content; what is in it may be deleted at any time."},
	{"matching.time", KNOB_DURATION, AT(rule_seconds), .fallback = "30s", .least = 1, .most = 600,
	 .text = "The longest that compiling the rules of one input may take."},
	{"matching.memory", KNOB_SIZE, AT(rule_memory), .fallback = "512MiB", .least = 64 * MIB, .most = 64 * GIB,
	 .text = "Memory that it may take meanwhile; compiled rules are far smaller."},

	{"control", KNOB_SECTION, .fallback = "", .text = "How penstockd is reached and what it says."},
	{"control.socket", KNOB_PATH, AT(socket), .fallback = "/run/penstock/penstockd.sock", .most = CONFIG_SOCKET_MAX,
	 .text = "The local socket of the penstock command."},
	{"control.log_level", KNOB_CHOICE, AT(log_level), .fallback = "info", .words = "error|warning|info|debug",
	 .live = KNOB_LIVE, .text = "The least important kind of message that both daemons log."},

	{"ports", ITEMS(ports, PORTS_MAX), .text = "Network ports the dataplane receives from."},
	{"ports[].name", KNOB_NAME, PORT(name), .example = "uplink",
	 .text = "The port's name in inputs, logs and the ledger."},
	{"ports[].device", KNOB_TEXT, PORT(device), .least = 1, .example = "\"0000:03:00.0\"",
	 .text = "DPDK's device argument: a PCI address, or a driver with its options such as net_af_xdp0,iface=eth1."},
	{"ports[].queues", KNOB_NUMBER, PORT(queues), .fallback = "1", .least = 1, .most = CONFIG_QUEUES_MAX,
	 .text = "Receive queues; flows are spread over them."},
	{"ports[].cores", KNOB_NUMBERS, PORT(cores), .least = 0, .most = 1023, .example = "[1]",
	 .text = "One core for each queue, used by its worker alone."},
	{"ports[].mode", KNOB_CHOICE, PORT(tap), .fallback = "telemetry", .words = "telemetry|tap",
	 .text = "telemetry answers for its addresses and takes datagrams; tap answers nothing and takes every frame."},
	{"ports[].promiscuous", KNOB_BOOL, PORT(promiscuous), .fallback = "false",
	 .text = "Receive frames addressed to other stations, too; a tap always does."},
	{"ports[].force_unaccountable", KNOB_BOOL, PORT(force_unaccountable), .fallback = "false",
	 .text = "Take a driver that is known to lose frames which no counter shows; the ledger then says so."},
	{"ports[].mtu", KNOB_NUMBER, PORT(mtu), .fallback = "1500", .least = 68, .most = 65521,
	 .text = "The largest IP packet the port receives, in bytes."},
	{"ports[].rx_descriptors", KNOB_NUMBER, PORT(rx_descriptors), .fallback = "1024", .least = 64, .most = 32768,
	 .text = "Frames a queue can hold while its worker is busy."},
	{"ports[].tunnels", KNOB_CHOICES, PORT(tunnels), .fallback = "",
	 .words = "all|mpls|pppoe|vxlan|geneve|gre|nvgre|erspan|gtp|ipip", .example = "[]",
	 .text = "Tunnels that end at the port's addresses: the datagrams inside go to inputs, whatever address they are "
		 "for. Bridged GRE with a key is nvgre where that is listed, its number the key's upper 24 bits, and gre with the "
		 "whole key where only gre is. A tap looks into all of them to describe a frame, which it keeps whole."},
	{"ports[].vxlan_port", KNOB_NUMBER, PORT(vxlan_port), .fallback = "4789", .least = 1, .most = 65535,
	 .text = "The UDP port that VXLAN comes to; 8472 is VXLAN as well, and 4790 VXLAN-GPE."},
	{"ports[].geneve_port", KNOB_NUMBER, PORT(geneve_port), .fallback = "6081", .least = 1, .most = 65535,
	 .text = "The UDP port that GENEVE comes to."},
	{"ports[].gtp_port", KNOB_NUMBER, PORT(gtp_port), .fallback = "2152", .least = 1, .most = 65535,
	 .text = "The UDP port that GTP-U comes to."},
	{"ports[].addresses", KNOB_ADDRESSES, PORT(addresses), .extra = offsetof(struct config_port, addresses_count),
	 .fallback = "", .most = CONFIG_ADDRESSES_MAX, .example = "[\"198.18.0.2/24\", \"2001:db8::2/64\"]",
	 .text = "Addresses with prefix length that the port answers for: ARP, neighbour discovery and echo."},

	{"inputs", ITEMS(inputs, INPUTS_MAX), .live = KNOB_LIVE,
	 .text = "Which traffic becomes records of which stream; the most specific input wins."},
	{"inputs[].name", KNOB_NAME, INPUT(name), .example = "syslog",
	 .text = "The input's name in logs and the ledger."},
	{"inputs[].port", KNOB_NAME, INPUT(port), .example = "uplink", .text = "The port it listens on."},
	{"inputs[].vlan", KNOB_NUMBER, INPUT(vlan), .fallback = "any", .least = 1, .most = 4094,
	 .words = "any=-1|untagged=0", .text = "The outer VLAN of its frames."},
	{"inputs[].destination", KNOB_ADDRESS, INPUT(destination),
	 .extra = offsetof(struct config_input, any_destination), .fallback = "any",
	 .text = "The address, one of its port's, that its datagrams are sent to."},
	{"inputs[].udp_port", KNOB_NUMBER, INPUT(udp_port), .fallback = "any", .least = 1, .most = 65535,
	 .words = "any=0", .example = "514", .text = "The UDP port its datagrams are sent to."},
	{"inputs[].tunnel", KNOB_CHOICE, INPUT(tunnel), .fallback = "any", .least = -1,
	 .words = "any|none|mpls|pppoe|vxlan|geneve|gre|nvgre|erspan|gtp|ipip",
	 .text = "The tunnel that is innermost around its datagrams, none, or any with or without one."},
	{"inputs[].vni", KNOB_NUMBER, INPUT(vni), .fallback = "any", .least = 0, .most = UINT32_MAX, .words = "any=-1",
	 .text = "The number in that tunnel's header: network of VXLAN, GENEVE and NVGRE, key of GRE, TEID of GTP, session "
		 "of PPPoE and ERSPAN, bottom label of MPLS."},
	{"inputs[].codec", KNOB_CHOICE, INPUT(codec),
	 .words = "datagram|lines|frame|syslog|statsd|influx|graphite|json|json_lines|gelf|collectd|netflow|sflow|kpl",
	 .least = CODEC_DATAGRAM, .example = "datagram",
	 .text = "What a record is: a datagram's payload, each line of it that is not empty, (on a tap) the whole frame, or "
		 "a message of the format named."},
	{"inputs[].stream", KNOB_NAME, INPUT(stream), .example = "syslog",
	 .text = "The stream that takes its records."},
	{"inputs[].key", KNOB_SECTION, .fallback = "", .brief = "from",
	 .text = "The partition key, which decides the shard; short for a mapping with only `from` is its word alone, "
		 "as in `key: source`."},
	{"inputs[].key.from", KNOB_CHOICE, INPUT(key), .fallback = "random",
	 .words = "random|constant|source|flow|field|path|capture|own",
	 .text = "A new key for each record, always the same, the sender's address, addresses and ports of the flow, "
		 "a field between separators, a field that the codec decodes, what a group of a rule's pattern matched, or the "
		 "record's own (codec kpl, where it is the default)."},
	{"inputs[].key.value", KNOB_TEXT, INPUT(key_constant), .least = 1, .fallback = "", .aside = true,
	 .example = "\"all\"",
	 .text = "The key of every record (from: constant), or of those without one (missing: constant)."},
	{"inputs[].key.number", KNOB_NUMBER, INPUT(key_field), .fallback = "1", .least = 1, .most = 1024, .aside = true,
	 .text = "Which field is the key, counted from 1 (from: field)."},
	{"inputs[].key.separator", KNOB_BYTE, INPUT(key_separator), .fallback = ",", .aside = true, .example = "\",\"",
	 .text = "The one character between fields (from: field)."},
	{"inputs[].key.path", KNOB_TEXT, INPUT(key_path), .least = 1, .fallback = "", .aside = true,
	 .example = "/host",
	 .text = "The name of a decoded field, or a JSON pointer to it (from: path); of NetFlow v9 and IPFIX none below "
		 "/flows and /options, which are decoded by templates, after they arrive."},
	{"inputs[].key.rule", KNOB_NAME, INPUT(key_rule), .fallback = "", .aside = true, .example = "who",
	 .text = "The rule of this input whose pattern has the group (from: capture)."},
	{"inputs[].key.group", KNOB_NAME, INPUT(key_group), .fallback = "1", .aside = true,
	 .text = "Which group of the pattern is the key, by its number from 1 or its name (from: capture). Only a record's "
		 "first 2048 bytes are looked at: a group that does not end within them is a missing key."},
	{"inputs[].key.missing", KNOB_CHOICE, INPUT(missing), .fallback = "random", .words = "random|constant|dead_letter",
	 .aside = true,
	 .text = "What becomes of a record without the key: it goes to any shard, or gets the key `value`, or becomes a dead "
		 "letter."},
	{"inputs[].invalid", KNOB_CHOICE, INPUT(invalid), .fallback = "keep", .words = "keep|drop|dead_letter",
	 .text = "What becomes of records that do not follow the codec's format; keep does not look on arrival."},
	{"inputs[].dead_letter", KNOB_NAME, INPUT(dead_letter), .fallback = "", .aside = true, .example = "dead-letters",
	 .text = "The stream of its dead letters: what could not be taken, whole, with the reason."},

	{"rules", ITEMS(rules, CONFIG_RULES_MAX), .live = KNOB_LIVE,
	 .text = "What becomes of an input's records by what is in them; tried in this order, the first that matches and is "
		 "neither tag nor redact decides, and a record that none decides is kept. Packed GELF messages are unpacked for "
		 "them, and stored so; what they cannot look into (one that cannot be unpacked, a refused chunk, what may be packed and stays incomplete) is dropped when "
		 "one of them redacts, unless invalid: dead_letter asks for it."},
	{"rules[].name", KNOB_NAME, RULE(name), .example = "debug-lines",
	 .text = "The rule's name in logs, the ledger and tags."},
	{"rules[].input", KNOB_NAME, RULE(input), .example = "syslog", .text = "The input whose records it is tried on."},
	{"rules[].pattern", KNOB_TEXT, RULE(pattern), .least = 1, .example = "'level=(debug|trace)'",
	 .text = "A regular expression of Perl's kind as Hyperscan takes it, searched anywhere in the record; single quotes "
		 "around it keep backslashes as they are."},
	{"rules[].verdict", KNOB_CHOICE, RULE(verdict), .words = "keep|drop|route|tag|sample|redact|dead_letter",
	 .example = "drop",
	 .text = "Keep the record, drop it, store it in another stream, tag it with the rule's name, keep one in so many, "
		 "overwrite what matched with '*', or store it in the stream of dead letters."},
	{"rules[].stream", KNOB_NAME, RULE(stream), .fallback = "", .aside = true, .example = "audit",
	 .text = "The stream that takes the records instead of the input's (verdict: route)."},
	{"rules[].every", KNOB_NUMBER, RULE(every), .fallback = "none", .least = 2, .most = 1000000000,
	 .words = "none=0", .aside = true, .example = "100",
	 .text = "The first of so many matching records is kept, counted by each worker for itself (verdict: sample)."},
	{"rules[].invert", KNOB_BOOL, RULE(invert), .fallback = "false",
	 .text = "The rule matches records that the pattern is not found in."},
	{"rules[].caseless", KNOB_BOOL, RULE(caseless), .fallback = "false", .text = "Letters match in either case."},
	{"rules[].dotall", KNOB_BOOL, RULE(dotall), .fallback = "false", .text = "A dot matches line ends, too."},
	{"rules[].multiline", KNOB_BOOL, RULE(multiline), .fallback = "false",
	 .text = "^ and $ match at every line of the record, not only at its ends."},
	{"rules[].utf8", KNOB_BOOL, RULE(utf8), .fallback = "false",
	 .text = "Characters are those of UTF-8 and not bytes; a record that is not UTF-8 does not match."},

	{"streams", ITEMS(streams, CONFIG_STREAMS_MAX), .live = KNOB_LIVE,
	 .stays = "it stays with its records until `penstock stream delete`",
	 .text = "Streams that penstockd makes when they are not there; the penstock command can make more."},
	{"streams[].name", KNOB_NAME, STREAM(name), .example = "syslog", .text = "The stream's name."},
	{"streams[].shards", KNOB_NUMBER, STREAM(shards), .fallback = "1", .least = 1, .most = SHARDS_MAX,
	 .live = KNOB_NEVER, .stays = "a stream keeps the shards it was made with",
	 .text = "Shards it is made with; a record's key decides its shard, and order is kept within one."},
	{"streams[].retention", KNOB_DURATION, STREAM(retention_seconds), .fallback = "24h", .least = 1,
	 .most = 365 * DAY, .text = "How long records stay readable."},
	{"streams[].retention_bytes", KNOB_SIZE, STREAM(retention_bytes), .fallback = "none", .least = MIB,
	 .most = INT64_MAX, .words = "none=0",
	 .text = "Disk space for the stream; records that it forces out before their time are counted as expired "
		 "early."},

	{"deliveries", ITEMS(deliveries, CONFIG_DELIVERIES_MAX), .live = KNOB_LIVE,
	 .text = "Where records of a stream are delivered in batches."},
	{"deliveries[].name", KNOB_NAME, DELIVERY(name), .example = "syslog-files",
	 .text = "The delivery's name; its progress is kept under it."},
	{"deliveries[].stream", KNOB_NAME, DELIVERY(stream), .example = "syslog", .text = "The stream it delivers."},
	{"deliveries[].destination", KNOB_SECTION, .text = "Exactly one of `directory` and `s3`."},
	{"deliveries[].destination.directory", KNOB_PATH, DELIVERY(directory), .fallback = "",
	 .most = CONFIG_PATH_MAX - 1, .example = "/srv/penstock/syslog",
	 .text = "A directory; a batch appears in it whole or not at all."},
	{"deliveries[].destination.s3", KNOB_SECTION, .fallback = "", .aside = true,
	 .text = "A bucket of S3 or of a server that speaks its protocol."},
	{"deliveries[].destination.s3.endpoint", KNOB_TEXT, DELIVERY(s3.endpoint), .least = 1,
	 .example = "https://s3.eu-central-1.amazonaws.com", .text = "URL of the server, without the bucket."},
	{"deliveries[].destination.s3.region", KNOB_NAME, DELIVERY(s3.region), .fallback = "us-east-1",
	 .text = "Region that requests are signed for."},
	{"deliveries[].destination.s3.bucket", KNOB_NAME, DELIVERY(s3.bucket), .example = "telemetry",
	 .text = "Name of the bucket, which must exist."},
	{"deliveries[].destination.s3.access_key_file", KNOB_PATH, DELIVERY(s3.access_key_file),
	 .most = CONFIG_PATH_MAX - 1, .example = "/etc/penstock/s3.key",
	 .text = "File with the access key id on its first line and the secret on its second, readable by its owner "
		 "only."},
	{"deliveries[].destination.s3.addressing", KNOB_CHOICE, DELIVERY(s3.virtual_host), .fallback = "path",
	 .words = "path|virtual-host", .text = "Whether the bucket stands in the URL's path or in its host name."},
	{"deliveries[].destination.s3.part_bytes", KNOB_SIZE, DELIVERY(s3.part_bytes), .fallback = "8MiB",
	 .least = 5 * MIB, .most = 5 * GIB, .text = "Objects larger than this are uploaded in parts of this size."},
	{"deliveries[].destination.s3.concurrency", KNOB_NUMBER, DELIVERY(s3.concurrency), .fallback = "4", .least = 1,
	 .most = CONFIG_S3_CONCURRENCY_MAX, .text = "Parts uploaded at the same time."},
	{"deliveries[].destination.s3.ca_file", KNOB_PATH, DELIVERY(s3.ca_file), .fallback = "", .aside = true,
	 .most = CONFIG_PATH_MAX - 1, .example = "/etc/penstock/ca.pem",
	 .text = "Certificates to trust instead of the system's."},
	{"deliveries[].prefix", KNOB_TEXT, DELIVERY(prefix), .fallback = "!{timestamp:yyyy/MM/dd/HH}/",
	 .example = "\"!{timestamp:yyyy/MM/dd/HH}/\"",
	 .text = "What the names of objects begin with, \"\" for nothing; !{timestamp:...} is the batch's time in UTC, "
		 "written as Firehose does; !{stream} and !{shard} are the stream's name and the "
		 "shard's number."},
	{"deliveries[].buffer", KNOB_SECTION, .fallback = "",
	 .text = "When a batch is delivered: at this size or this age, whichever comes first."},
	{"deliveries[].buffer.size", KNOB_SIZE, DELIVERY(buffer_bytes), .fallback = "5MiB", .least = 64 * KIB,
	 .most = 4 * GIB, .text = "Payload bytes of one batch."},
	{"deliveries[].buffer.age", KNOB_DURATION, DELIVERY(buffer_seconds), .fallback = "5m", .least = 1, .most = DAY,
	 .text = "Age of the first record of a batch."},
	{"deliveries[].format", KNOB_CHOICE, DELIVERY(format), .fallback = "raw", .words = "raw|jsonl|pcapng",
	 .text = "Payloads with a delimiter behind each, a JSON object on a line for each record, or a capture file of "
		 "frames."},
	{"deliveries[].payload", KNOB_CHOICE, DELIVERY(payload), .fallback = "text", .words = "text|base64",
	 .aside = true,
	 .text = "How a JSON line holds the payload; what is not UTF-8 is base64 in either case (format: jsonl)."},
	{"deliveries[].compression", KNOB_CHOICE, DELIVERY(compression), .fallback = "none", .words = "none|gzip|zstd",
	 .text = "Compression of the batch file."},
	{"deliveries[].delimiter", KNOB_BYTES, DELIVERY(delimiter), .fallback = "\n", .example = "\"\\n\"",
	 .text = "What follows each payload, \"\" for nothing (format: raw)."},
	{"deliveries[].retry", KNOB_DURATION, DELIVERY(retry_seconds), .fallback = "5m", .least = 0, .most = 7 * DAY,
	 .text = "How long a batch is tried again before it goes to the dead-letter directory."},
	{"deliveries[].dead_letter", KNOB_PATH, DELIVERY(dead_letter), .fallback = "", .aside = true,
	 .most = CONFIG_PATH_MAX - 1, .example = "/var/lib/penstock/dead-letter",
	 .text = "Directory of batches that could not be delivered, beneath it one of the delivery's name; dead-letter in "
		 "the store's directory when left out."},
	{"deliveries[].dead_letter_bytes", KNOB_SIZE, DELIVERY(dead_letter_bytes), .fallback = "1GiB", .most = 1024 * 1024 * GIB,
	 .text = "Disk space for them; once it is used up, batches wait and are tried again without an end. 0: no limit."},
};

const uint32_t knobs_count = sizeof knobs / sizeof knobs[0];
