#include "tests/unit/config_fixture.h"

#include <errno.h>

#define PORT "ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1/8]}]\n"
#define TUNNELS "ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1/8], tunnels: [vxlan, gre]}]\n"
#define TAP "ports: [{name: t, device: d, cores: [1], mode: tap}]\n"
#define STREAM "streams: [{name: s}]\n"
#define IN "{name: i, port: a, codec: lines, stream: s"

static const struct {
	const char *text, *expected; /* a report begins with `expected` */
} bad_files[] = {
	/* YAML itself */
	{"dpdk: [1, 2\n", "main.yaml:1:12: error: flow sequence without a closing bracket"},
	{"dpdk:\n\tburst: 1\n", "main.yaml:2:"},
	{"a: \"abc", "main.yaml:1:5: error: double-quoted scalar without closing quote"},
	{"dpdk: {burst: 1}\nx: \xff\n", "main.yaml:2:4: error: byte 0xff is no printable UTF-8"},
	{"x: \x01\n", "main.yaml:1:4: error: byte 0x01 is no printable"},
	{"dpdk: {}\n---\ndpdk: {}\n", "main.yaml:2:1: error: a second document"},
	{"- 1\n", "main.yaml:1:1: error: expected a mapping of dpdk"},
	{"dpdk: !!map {}\n", "main.yaml:1:"},
	{"? [a]\n: 1\n", "main.yaml:1:3: error: a key must be a word"},
	{"dpdk: *no\n", "main.yaml:1:7: error: no anchor &no"},
	{"dpdk: &d [*d]\n", "main.yaml:1:11: error: no anchor &d"},
	{"x: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", "main.yaml:1:19: error: nested more than 16"},
	{"a: &a [x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\ne: &e [*d,*d]\nf: &f [*e,*e]\n",
	 "main.yaml:6:8: error: too many aliases"},

	/* keys */
	{"dpdk:\n  brust: 32\n", "main.yaml:2:3: error: unknown key 'brust' in dpdk: did you mean 'burst'?"},
	{"dpdk: {}\nport: []\n",
	 "main.yaml:2:1: error: unknown key 'port' in the configuration: did you mean 'ports'?"},
	{"zebra: 1\n", "main.yaml:1:1: error: unknown key 'zebra' in the configuration\n"},
	{"dpdk:\n  <<: {burst: 1}\n", "main.yaml:2:3: error: merge keys"},
	{"dpdk:\n  burst: 1\n  burst: 2\n",
	 "main.yaml:3:3: error: duplicate key 'burst': it is given at line 2 already"},
	{"dpdk: 5\n", "main.yaml:1:7: error: expected a mapping"},
	{"ports: 5\n", "main.yaml:1:8: error: expected a list of at most 16 mappings"},
	{"ports: [5]\n", "main.yaml:1:9: error: expected a mapping that begins with 'name:'"},
	{"ports: [{name: a, cores: [1]}]\n", "main.yaml:1:9: error: 'device' is missing: text of 1 to 255 bytes"},
	{"deliveries: [{name: d, stream: s}]\n", "main.yaml:1:14: error: 'destination' is missing"},

	/* types and ranges */
	{"dpdk:\n  burst: many\n", "main.yaml:2:10: error: expected a number from 1 to 64, got 'many'"},
	{"dpdk:\n  burst: \"32\"\n", "main.yaml:2:10: error: expected a number from 1 to 64, got '32': remove the "
				     "quotes\n    burst: \"32\"\n           ^~~~\n"},
	{"dpdk:\n  burst: 65\n", "main.yaml:2:10: error: expected a number from 1 to 64, got '65'"},
	{"dpdk:\n  burst: -1\n", "main.yaml:2:10: error: expected a number from 1 to 64, got '-1'"},
	{"dpdk:\n  burst: 99999999999999999999999\n", "main.yaml:2:10: error: expected a number from 1 to 64"},
	{"dpdk:\n  burst:\n", "main.yaml:2:3: error: expected a number from 1 to 64, got nothing"},
	{"dpdk:\n  burst: [1]\n", "main.yaml:2:10: error: expected a number from 1 to 64, got a list"},
	{"dpdk:\n  huge_pages: yes\n", "main.yaml:2:15: error: expected true or false, got 'yes'"},
	{"dpdk: {huge_pages: \"true\"}\n",
	 "main.yaml:1:20: error: expected true or false, got 'true': remove the quotes"},
	{"dpdk: {numa: maybe}\n", "main.yaml:1:14: error: expected one of warn, strict, got 'maybe'"},
	{"dpdk: {file_prefix: a/b}\n", "main.yaml:1:21: error: expected a name of 1 to 63 letters"},
	{"dpdk: {file_prefix: ..}\n", "main.yaml:1:21: error: expected a name"},
	{"dpdk: {arguments: -v}\n",
	 "main.yaml:1:19: error: expected a list of at most 64 texts, got '-v': put it in brackets"},
	{"dpdk: {arguments: [[a]]}\n", "main.yaml:1:19: error: expected a list of at most 64 texts"},
	{"region: {lane_bytes: 3MiB}\n",
	 "main.yaml:1:22: error: expected a power of two from 256KiB to 1GiB, got '3MiB'"},
	{"store: {batch_bytes: 4M}\n",
	 "main.yaml:1:22: error: expected a size from 128KiB to 32MiB, got '4M': units are KiB"},
	{"store: {segment_bytes: 99999999999TiB}\n", "main.yaml:1:24: error: expected a size from 1MiB to 64GiB"},
	{"store: {commit_ms: 1h}\n", "main.yaml:1:20: error: expected milliseconds from 1 to 10000, got '1h'"},
	{"store: {directory: \"a\\tb\"}\n", "main.yaml:1:20: error: expected a path"},
	{"store: {directory: \"\"}\n", "main.yaml:1:20: error: expected a path"},
	{"control: {socket: "
	 "/12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012"
	 "345678901234567890}\n",
	 "main.yaml:1:19: error: expected a path of at most 107 bytes"},
	{"streams: [{name: s, retention: 24}]\n",
	 "main.yaml:1:32: error: expected a duration with its unit from 1s to 365d, got '24': units are s, m, h and d"},
	{"streams: [{name: s, retention: 366d}]\n",
	 "main.yaml:1:32: error: expected a duration with its unit from 1s to 365d"},
	{"streams: [{name: \"a b\"}]\n", "main.yaml:1:18: error: expected a name of 1 to 128"},
	{"streams: [{name: \"a\\0b\"}]\n", "main.yaml:1:18: error: expected a name of 1 to 128"},
	{"ports: [{name: a, device: d, cores: 1}]\n", "main.yaml:1:37: error: expected a list of 1 to 64 numbers"},
	{"ports: [{name: a, device: d, cores: []}]\n", "main.yaml:1:37: error: expected a list of 1 to 64 numbers"},
	{"ports: [{name: a, device: d, cores: [1, x]}]\n",
	 "main.yaml:1:41: error: expected a number from 0 to 1023, got 'x'"},
	{"inputs: [{name: i, port: a, codec: xml, stream: s}]\n",
	 "main.yaml:1:36: error: expected one of datagram, lines, frame, syslog, statsd, influx, graphite, json, json_lines, gelf, "
	 "collectd, netflow, sflow, kpl, got 'xml'"},
	{"inputs: [{name: i, port: a, codec: dead_letter, stream: s}]\n", "main.yaml:1:36: error: expected one of datagram, lines"},
	{PORT STREAM "inputs: [" IN ", key: {from: capture, group: \"\"}}]\n", "main.yaml:3:82: error: expected a name of 1 to 63"},
	{PORT STREAM "inputs: [" IN ", invalid: maybe}]\n", "main.yaml:3:63: error: expected one of keep, drop, dead_letter"},
	{PORT STREAM "inputs: [" IN ", dead_letter: \"\"}]\n", "main.yaml:3:67: error: expected a name of 1 to 128"},
	{PORT STREAM "inputs: [" IN ", vlan: 4095}]\n",
	 "main.yaml:3:60: error: expected any, untagged or a number from 1 to 4094"},
	{PORT STREAM "inputs: [" IN ", udp_port: 0}]\n",
	 "main.yaml:3:64: error: expected any or a number from 1 to 65535"},
	{PORT STREAM "inputs: [" IN ", destination: 10.0.0}]\n",
	 "main.yaml:3:67: error: expected any, or an IPv4 or IPv6"},
	{PORT STREAM "inputs: [" IN ", key: {from: field, separator: ab}}]\n",
	 "main.yaml:3:84: error: expected one ASCII"},
	{PORT STREAM "inputs: [" IN ", key: fields}]\n",
	 "main.yaml:3:59: error: expected one of random, constant, source, flow, field, path, capture, own, got 'fields'"},

	/* tunnels */
	{"ports: [{name: a, device: d, cores: [1], tunnels: vxlan}]\n",
	 "main.yaml:1:51: error: expected a list of all, mpls, pppoe, vxlan, geneve, gre, nvgre, erspan, gtp, ipip, got "
	 "'vxlan': put it in brackets"},
	{"ports: [{name: a, device: d, cores: [1], tunnels: [gre, l2tp]}]\n",
	 "main.yaml:1:51: error: expected a list of all, mpls, pppoe, vxlan, geneve, gre, nvgre, erspan, gtp, ipip, got a "
	 "list: entry 2 is 'l2tp'"},
	{"ports: [{name: t, device: d, cores: [1], mode: tap, tunnels: [gre]}]\n",
	 "main.yaml:1:62: error: a tap looks into every tunnel"},
	{PORT STREAM "inputs: [" IN ", tunnel: any, vni: 5}]\n", "main.yaml:3:72: error: port 'a' looks into no tunnel"},
	{PORT STREAM "inputs: [" IN ", tunnel: vxlan}]\n",
	 "main.yaml:3:62: error: port 'a' does not look into it: add it to the port's tunnels"},
	{PORT STREAM "inputs: [" IN ", tunnel: none, vni: 5}]\n", "main.yaml:3:73: error: without a tunnel there is none"},
	{PORT STREAM "inputs: [" IN ", vni: 4294967296}]\n",
	 "main.yaml:3:59: error: expected any or a number from 0 to 4294967295"},
	{PORT STREAM "inputs: [" IN ", tunnel: teredo}]\n", "main.yaml:3:62: error: expected one of any, none, mpls"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1/8], geneve_port: 4789}]\n",
	 "main.yaml:1:80: error: 4789 is the port of VXLAN"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1/8], gtp_port: 6635}]\n",
	 "main.yaml:1:77: error: 6635 is the port of MPLS"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1/8], vxlan_port: 9, geneve_port: 9}]\n",
	 "main.yaml:1:95: error: 9 is the port of VXLAN"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1/8], vxlan_port: 65536}]\n",
	 "main.yaml:1:79: error: expected a number from 1 to 65535"},
	{TUNNELS STREAM "inputs: [" IN ", tunnel: none, destination: 10.0.0.9}]\n",
	 "main.yaml:3:81: error: port 'a' does not answer for 10.0.0.9"},
	{TUNNELS STREAM "inputs: [" IN ", tunnel: vxlan, vni: 1},\n {name: j, port: a, codec: lines, stream: s, tunnel: vxlan, "
			"vni: 1}]\n",
	 "main.yaml:4:2: error: input 'j' asks for the same traffic as 'i'"},
	{"dpdk: {fragment_bytes: 1}\n", "main.yaml:1:24: error: expected none or a size from 512KiB to 1GiB"},

	/* addresses */
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1]}]\n",
	 "main.yaml:1:54: error: expected an address with its prefix length"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.256/8]}]\n",
	 "main.yaml:1:54: error: expected an address"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1/33]}]\n",
	 "main.yaml:1:54: error: expected an address"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.0/8]}]\n",
	 "main.yaml:1:54: error: 10.0.0.0/8 is the address of its network"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.255.255.255/8]}]\n",
	 "main.yaml:1:54: error: 10.255.255.255/8 is the broadcast address"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [224.0.0.1/8]}]\n",
	 "main.yaml:1:54: error: 224.0.0.1/8 is a multicast"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [\"ff02::1/64\"]}]\n",
	 "main.yaml:1:54: error: ff02::1/64 is a multicast"},
	{"ports: [{name: a, device: d, cores: [1], mtu: 1000, addresses: [\"fd00::1/64\"]}]\n",
	 "main.yaml:1:65: error: an IPv6 address needs an MTU of at least 1280"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1/8, 10.0.0.1/24]}]\n",
	 "main.yaml:1:66: error: port 'a' has 10.0.0.1 already"},

	/* rules */
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, verdict: drop}]\n",
	 "main.yaml:4:9: error: 'pattern' is missing: text of 1 to 1024 bytes"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: j, pattern: x, verdict: drop}]\n",
	 "main.yaml:4:26: error: there is no input 'j'"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: x, verdict: discard}]\n",
	 "main.yaml:4:50: error: expected one of keep, drop, route, tag, sample, redact, dead_letter, got 'discard'"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: x, verdict: route}]\n",
	 "main.yaml:4:50: error: route needs its stream: {stream: NAME}"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: x, verdict: drop, stream: s}]\n",
	 "main.yaml:4:64: error: only for verdict: route"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: x, verdict: sample}]\n",
	 "main.yaml:4:50: error: sample needs how many records one is kept of: {every: 100}"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: x, verdict: sample, every: 1}]\n",
	 "main.yaml:4:65: error: expected none or a number from 2 to 1000000000, got '1'"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: x, verdict: tag, every: 2}]\n",
	 "main.yaml:4:62: error: only for verdict: sample"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: x, verdict: redact, invert: true}]\n",
	 "main.yaml:4:66: error: redact overwrites what the pattern matches"},
	{PORT STREAM "inputs: [" IN "}]\nrules:\n  - {name: r, input: i, pattern: x, verdict: drop}\n"
		     "  - {name: r, input: i, pattern: y, verdict: drop}\n",
	 "main.yaml:6:12: error: the name 'r' is taken at main.yaml:5:12"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: \"a\\tb\", verdict: drop}]\n",
	 "main.yaml:4:38: error: expected text of 1 to 1024 bytes"},

	/* what does not fit together */
	{"dpdk: {arguments: [\"-l\", \"0-3\"]}\n",
	 "main.yaml:1:19: error: '-l' cannot be given here: use dpdk.main_core and ports[].cores"},
	{"dpdk: {arguments: [\"--lcores=1\"]}\n", "main.yaml:1:19: error: '--lcores=1' cannot be given here"},
	{"dpdk: {huge_pages: false, arguments: [--in-memory]}\n", "main.yaml:1:38: error: DPDK refuses --in-memory"},
	{"ports: [{name: a, device: d, cores: [1]}, {name: a, device: e, cores: [2]}]\n",
	 "main.yaml:1:50: error: the name 'a' is taken at main.yaml:1:16"},
	{"ports: [{name: a, device: d, cores: [1]}, {name: b, device: d, cores: [2]}]\n",
	 "main.yaml:1:61: error: port 'a' has the device 'd' already"},
	{"ports: [{name: a, device: d, cores: [1]}, {name: b, device: e, cores: [1]}]\n",
	 "main.yaml:1:72: error: core 1 has a worker already, at main.yaml:1:38"},
	{"ports: [{name: a, device: d, queues: 2, cores: [1, 1]}]\n",
	 "main.yaml:1:52: error: core 1 has a worker already"},
	{"ports: [{name: a, device: d, queues: 2, cores: [1]}]\n",
	 "main.yaml:1:48: error: 1 core for 2 queues: each queue needs one"},
	{"ports: [{name: a, device: \"net_af_packet0,iface=e\", cores: [1]}]\n",
	 "main.yaml:1:27: error: net_af_packet loses frames"},
	{"ports: [{name: a, device: d, cores: [1], mode: tap, addresses: [10.0.0.1/8]}]\n",
	 "main.yaml:1:64: error: a tap answers for no address"},
	{"dpdk: {mbufs: 512}\n" PORT, "main.yaml:1:15: error: port 'a' needs at least 1056 mbufs"},
	{STREAM "inputs: [" IN "}]\n", "main.yaml:2:26: error: there is no port 'a'"},
	{PORT STREAM "inputs: [{name: i, port: a, codec: frame, stream: s}]\n",
	 "main.yaml:3:36: error: codec frame needs a tap"},
	{TAP STREAM "inputs: [{name: i, port: t, codec: lines, stream: s}]\n",
	 "main.yaml:3:36: error: port 't' is a tap: only codec frame works there"},
	{TAP STREAM "inputs: [{name: i, port: t, codec: frame, stream: s, udp_port: 5}]\n",
	 "main.yaml:3:64: error: codec frame takes frames of every kind"},
	{TAP STREAM "inputs: [{name: i, port: t, codec: frame, stream: s, key: field}]\n",
	 "main.yaml:3:59: error: a frame has no fields"},
	{PORT STREAM "inputs: [" IN ", destination: 10.0.0.2}]\n",
	 "main.yaml:3:67: error: port 'a' does not answer for 10.0.0.2"},
	{PORT STREAM "inputs: [" IN ", udp_port: 5},\n {name: j, port: a, codec: datagram, stream: s, udp_port: 5}]\n",
	 "main.yaml:4:2: error: input 'j' asks for the same traffic as 'i' at main.yaml:3:10"},
	{PORT STREAM "inputs: [{name: i21601, port: a, codec: lines, stream: s}]\n"
		     "store: {batch_bytes: 32MiB, segment_bytes: 32MiB}\n",
	 "main.yaml:4:22: error: a batch can be at most half a segment"},
	{PORT STREAM "inputs: [" IN ", key: constant}]\n", "main.yaml:3:59: error: a constant key needs its value"},
	{PORT STREAM "inputs: [" IN ", key: {from: source, number: 2}}]\n",
	 "main.yaml:3:82: error: only for from: field"},
	{PORT STREAM "inputs: [" IN ", key: {from: source, value: x}}]\n",
	 "main.yaml:3:81: error: only for from: constant or missing: constant"},
	{PORT STREAM "inputs: [" IN ", key: {from: source, path: /a}}]\n", "main.yaml:3:80: error: only for from: path"},
	{PORT STREAM "inputs: [" IN ", key: {from: source, rule: a}}]\n", "main.yaml:3:80: error: only for from: capture"},
	{PORT STREAM "inputs: [" IN ", key: {from: source, group: 1}}]\n", "main.yaml:3:81: error: only for from: capture"},
	{PORT STREAM "inputs: [" IN ", key: {from: path, path: /a}}]\n",
	 "main.yaml:3:59: error: codec lines decodes no fields to take a key from"},
	{PORT STREAM "inputs: [{name: i, port: a, codec: json, stream: s, key: path}]\n",
	 "main.yaml:3:58: error: a key from a path needs it: {from: path, path: /host}"},
	{PORT STREAM "inputs: [{name: i, port: a, codec: json, stream: s, key: {from: path, path: /a~2}}]\n",
	 "main.yaml:3:77: error: neither the name of a field nor a JSON pointer"},
	{PORT STREAM "inputs: [" IN ", key: {from: capture, rule: r}}]\n", "main.yaml:3:81: error: input 'i' has no rule 'r'"},
	{PORT STREAM "inputs: [" IN ", key: {from: capture, rule: r, group: 2}}]\n"
	 "rules: [{name: r, input: i, pattern: '(a)b', verdict: keep}]\n", "main.yaml:3:91: error: rule 'r': "},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: a, verdict: dead_letter}]\n",
	 "main.yaml:4:50: error: input 'i' names no stream for dead letters"},
	{PORT STREAM "inputs: [" IN ", key: capture}]\n", "main.yaml:3:59: error: a key from a capture needs the rule's name"},
	{PORT STREAM "inputs: [" IN ", key: own}]\n", "main.yaml:3:59: error: only records of codec kpl"},
	{PORT STREAM "inputs: [" IN ", key: {from: field, missing: constant}}]\n",
	 "main.yaml:3:82: error: missing: constant needs the key that such records get"},
	{PORT STREAM "inputs: [" IN ", key: {from: random, missing: random}}]\n",
	 "main.yaml:3:83: error: no record of this input lacks such a key"},
	{PORT STREAM "inputs: [" IN ", key: {from: flow, missing: random}}]\n",
	 "main.yaml:3:81: error: no record of this input lacks such a key"},
	{PORT STREAM "inputs: [" IN ", key: {from: field, missing: dead_letter}}]\n",
	 "main.yaml:3:82: error: dead letters need a stream: dead_letter: NAME"},
	{PORT STREAM "inputs: [" IN ", invalid: drop}]\n", "main.yaml:3:63: error: codec lines takes any bytes"},
	{PORT STREAM "inputs: [{name: i, port: a, codec: json, stream: s, invalid: dead_letter}]\n",
	 "main.yaml:3:62: error: dead letters need a stream: dead_letter: NAME"},
	{PORT STREAM "inputs: [" IN ", dead_letter: s}]\n",
	 "main.yaml:3:67: error: dead letters need a stream of their own, 's' takes the records"},
	{"region: {shards: 2}\nstreams: [{name: a, shards: 2}, {name: b, shards: 1}]\n",
	 "main.yaml:2:51: error: with this stream there are 3 shards, region.shards has room for 2"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {}}]\n",
	 "main.yaml:2:48: error: give either a directory or s3"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {s3: {endpoint: ftp://x, bucket: abc}}}]\n",
	 "main.yaml:2:53: error: 'access_key_file' is missing"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {s3: {endpoint: ftp://x, bucket: aBc, access_key_file: "
		"f}}}]\n",
	 "main.yaml:2:64: error: the endpoint 'ftp://x' must begin with http:// or https://"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {s3: {endpoint: http://x, bucket: aBc, "
		"access_key_file: f}}}]\n",
	 "main.yaml:2:82: error: a bucket's name is of lower-case letters"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {s3: {endpoint: http://x/y, bucket: abc, "
		"access_key_file: f}}}]\n",
	 "main.yaml:2:64: error: the endpoint 'http://x/y' holds only server and port"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {s3: {endpoint: \"http://x:0\", bucket: abc, "
		"access_key_file: f}}}]\n",
	 "main.yaml:2:64: error: the endpoint 'http://x:0' has a port"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {s3: {endpoint: \"http://127.0.0.1:80\", bucket: abc,"
		" access_key_file: f, addressing: virtual-host}}}]\n",
	 "main.yaml:2:132: error: virtual-host puts the bucket before the host name, and 127.0.0.1 is an address"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {directory: x, s3: {endpoint: http://x, bucket: abc,"
		" access_key_file: f}}}]\n",
	 "main.yaml:2:48: error: directory and s3 exclude each other"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {directory: x}, prefix: \"!{timestamp:yyyy\"}]\n",
	 "main.yaml:2:72: error: the prefix: an expression !{ is not closed by }"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {directory: x}, prefix: \"!{firehose:x}\"}]\n",
	 "main.yaml:2:72: error: the prefix: unknown expression !{firehose:x}"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {directory: x}, prefix: ../x}]\n",
	 "main.yaml:2:72: error: the prefix: it has an empty, '.' or '..' component"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {directory: x}, prefix: a//b/}]\n",
	 "main.yaml:2:72: error: the prefix: it has an empty, '.' or '..' component"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {directory: x}, prefix: /a/}]\n",
	 "main.yaml:2:72: error: the prefix: it starts with /"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {directory: x}, prefix: \"!{timestamp:QQQ}/\"}]\n",
	 "main.yaml:2:72: error: the prefix: 'Q' is not a field of a timestamp"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {directory: x}},\n {name: e, stream: s, destination: "
		"{directory: x}}]\n",
	 "main.yaml:3:36: error: delivery 'd' (main.yaml:2:14) writes the same stream there"},
};

static void every_bad_file_is_refused_where_it_is_bad(void **state)
{
	struct fixture *f = *state;
	int failed = 0;

	for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
		int error = fixture_load_text(f, bad_files[i].text);
		const char *found = strstr(f->said, bad_files[i].expected);

		if (error == -EINVAL && found && (found == f->said || found[-1] == '\n'))
			continue;
		print_error("file\n%s\nexpected\n%s\nbut (%d) it said\n%s\n", bad_files[i].text, bad_files[i].expected,
			    error, f->said);
		failed++;
	}
	assert_int_equal(failed, 0);
}

static const struct {
	const char *text, *expected;
} doubtful_files[] = {
	{"dpdk: {main_core: 1}\n" PORT, "main.yaml:2:38: warning: core 1 is dpdk.main_core, too"},
	{"ports: [{name: a, device: d, cores: [1]}]\n", "main.yaml:1:9: warning: port 'a' has no addresses"},
	{PORT "inputs: [" IN "}]\n", "main.yaml:2:51: warning: stream 's' is not declared"},
	{PORT STREAM "inputs: [{name: i, port: a, codec: gelf, stream: s, dead_letter: d}]\n",
	 "main.yaml:3:66: warning: stream 'd' is not declared"},
	{"deliveries: [{name: d, stream: s, destination: {directory: x}}]\n",
	 "main.yaml:1:32: warning: stream 's' is not declared"},
	{PORT STREAM "inputs: [" IN
		     "}]\ndeliveries: [{name: d, stream: s, destination: {directory: x}, format: pcapng}]\n",
	 "main.yaml:4:72: warning: pcapng holds frames, and input 'i' (main.yaml:3:10)"},
	{STREAM "deliveries: [{name: d, stream: s, destination: {directory: x}, payload: base64}]\n",
	 "main.yaml:2:73: warning: has no effect unless format is jsonl"},
	{"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1/8], tunnels: [vxlan], vxlan_port: 9999}]\n" STREAM
	 "inputs: [" IN ", udp_port: 9999}]\n",
	 "main.yaml:3:64: warning: port 'a' takes datagrams to 9999 for tunnels"},
	{TUNNELS STREAM "inputs: [" IN ", udp_port: 4789}]\n",
	 "main.yaml:3:64: warning: port 'a' takes datagrams to 4789 for tunnels"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: x, verdict: route, stream: z}]\n",
	 "main.yaml:4:65: warning: stream 'z' is not declared"},
	{PORT STREAM "inputs: [" IN "}]\nrules: [{name: r, input: i, pattern: xäy, verdict: drop}]\n",
	 "main.yaml:4:38: warning: characters beyond ASCII are several bytes each"},
	{PORT STREAM "inputs: [{name: i, port: a, codec: netflow, stream: s, key: {from: path, path: /flows/0/sourceIPv4Address}}]\n",
	 "main.yaml:3:80: warning: only flows of NetFlow v5 have this key"},
	{PORT STREAM "inputs: [{name: i, port: a, codec: netflow, stream: s, key: {from: path, path: /options/0/samplingInterval}}]\n",
	 "main.yaml:3:80: warning: options are decoded by templates"},
	{PORT STREAM "inputs: [{name: i, port: a, codec: gelf, stream: s}]\nrules: [{name: r, input: i, pattern: x, verdict: redact}]\n",
	 "main.yaml:4:50: warning: redact cannot look into packed messages that cannot be unpacked, nor into refused chunks: of input 'i' they are dropped"},
	{"dpdk: {memory_mib: 64}\n" PORT,
	 "main.yaml:1:20: warning: 1 ports with 65535 mbufs each need about 152 MiB, here are 64"},
	{"dpdk: {memory_mib: 200, huge_pages: false}\nports: [{name: a, device: 'net_af_xdp0,iface=b', cores: [1], addresses: [10.0.0.1/8]}]\n",
	 "main.yaml:1:20: warning: 1 ports with 65535 mbufs each need about 256 MiB, here are 200"},
};

static void doubts_are_told_and_the_file_is_taken(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof doubtful_files / sizeof doubtful_files[0]; i++) {
		if (fixture_load_text(f, doubtful_files[i].text) != 0 ||
		    strncmp(f->said, doubtful_files[i].expected, strlen(doubtful_files[i].expected)) != 0)
			fail_msg("file\n%s\nexpected\n%s\nbut it said\n%s", doubtful_files[i].text,
				 doubtful_files[i].expected, f->said);
	}
}

static void all_errors_are_told_at_once_in_order_and_none_twice(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_load_text(f, "store: {commit_ms: 0}\n"
					      "dpdk:\n"
					      "  burst: x\n"
					      "  brust: 3\n"
					      "  é: 1\n"
					      "ports:\n"
					      "  - name: a\n"
					      "    cores: [1, y, 1]\n"
					      "    queues: 3\n"
					      "    device: d\n"
					      "    addresses: [1.2.3.4/24, no]\n"
					      "inputs:\n"
					      "  - {name: i, port: b, stream: s, codec: lines}\n"),
			 -EINVAL);
	assert_string_equal(
		f->said,
		"main.yaml:1:20: error: expected milliseconds from 1 to 10000, got '0'\n"
		"  store: {commit_ms: 0}\n"
		"                     ^\n"
		"main.yaml:3:10: error: expected a number from 1 to 64, got 'x'\n"
		"    burst: x\n"
		"           ^\n"
		"main.yaml:4:3: error: unknown key 'brust' in dpdk: did you mean 'burst'?\n"
		"    brust: 3\n"
		"    ^~~~~\n"
		"main.yaml:5:3: error: unknown key 'é' in dpdk\n"
		"    é: 1\n"
		"    ^\n"
		"main.yaml:8:16: error: expected a number from 0 to 1023, got 'y'\n"
		"      cores: [1, y, 1]\n"
		"                 ^\n"
		"main.yaml:11:29: error: expected an address with its prefix length, such as 198.18.0.2/24 or "
		"2001:db8::2/64, got 'no'\n"
		"      addresses: [1.2.3.4/24, no]\n"
		"                              ^~\n"
		"main.yaml:13:21: error: there is no port 'b'\n"
		"    - {name: i, port: b, stream: s, codec: lines}\n"
		"                      ^\n"
		"main.yaml:13:32: warning: stream 's' is not declared: its records are dropped until it is made\n"
		"    - {name: i, port: b, stream: s, codec: lines}\n"
		"                                 ^\n");
}

static void a_terminal_gets_no_control_characters_from_the_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_load_text(f, "dpdk: {numa: \"\\e[2J\"}\nx: \x1b[2J\n"), -EINVAL);
	assert_null(strchr(f->said, 27));
	assert_int_equal(fixture_load_text(f, "dpdk: {numa: \"\\e[2J\"}\n"), -EINVAL);
	assert_non_null(strstr(f->said, "got '.[2J'"));
	assert_null(strchr(f->said, 27));
}

static void two_names_with_one_id_are_refused(void **state)
{
	struct fixture *f = *state;
	char text[512];

	/* A pair found by trying names: XXH32 of both is equal. */
	assert_int_equal(input_id("input-54519"), input_id("input-241594"));
	snprintf(text, sizeof text,
		 PORT STREAM "inputs: [{name: input-54519, port: a, codec: lines, stream: s, udp_port: 1},\n"
			     " {name: input-241594, port: a, codec: lines, stream: s, udp_port: 2}]\n");
	assert_int_equal(fixture_load_text(f, text), -EINVAL);
	assert_non_null(strstr(
		f->said, "main.yaml:4:9: error: 'input-241594' and 'input-54519' (main.yaml:3:10) have the same"));
}

static void what_is_missing_or_too_large_is_told(void **state)
{
	struct fixture *f = *state;
	char *large = malloc((1 << 20) + 2);

	assert_non_null(large);
	assert_int_equal(fixture_load(f), -ENOENT);
	assert_string_equal(f->said, "main.yaml: error: cannot be read: No such file or directory\n");
	memset(large, '\n', (1 << 20) + 1);
	fixture_write(f, "main.yaml", large, 1 << 20);
	assert_int_equal(fixture_load(f), 0);
	fixture_write(f, "main.yaml", large, (1 << 20) + 1);
	assert_int_equal(fixture_load(f), -EFBIG);
	assert_string_equal(f->said, "main.yaml: error: larger than 1048576 bytes\n");
	free(large);
}

/* Rules of one input, `count` of them, each `pattern` with its number behind. */
static char *rules_text(uint32_t count, const char *pattern, const char *verdict)
{
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	fputs(PORT STREAM "inputs: [" IN "}]\nrules:\n", out);
	for (uint32_t i = 0; i < count; i++)
		fprintf(out, "  - {name: r%u, input: i, pattern: %s%u, verdict: %s}\n", i, pattern, i, verdict);
	fclose(out);
	return text;
}

static void more_rules_than_an_input_can_have_are_refused(void **state)
{
	static const struct {
		uint32_t count, pattern_bytes;
		const char *verdict, *expected;
	} cases[] = {
		{64, 1, "tag", NULL},
		{65, 1, "tag", "main.yaml:69:5: error: of the rules of input 'i' more than 64 tag, redact or are inverted\n"},
		{1024, 100, "drop", NULL},
		{200, 1000, "drop", "main.yaml:135:37: error: with this rule the patterns of input 'i' have 131283 bytes, 131072 are the most\n"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char pattern[1001] = "", *text;

		memset(pattern, 'p', cases[i].pattern_bytes);
		text = rules_text(cases[i].count, pattern, cases[i].verdict);
		assert_int_equal(fixture_load_text(f, text), cases[i].expected ? -EINVAL : 0);
		if (cases[i].expected && strncmp(f->said, cases[i].expected, strlen(cases[i].expected)) != 0)
			fail_msg("expected\n%s\nbut it said\n%.300s", cases[i].expected, f->said);
		free(text);
	}
}

static void errors_of_many_files_name_both_places(void **state)
{
	static const char drop_in[] = "ports:\n  - {name: a, device: e, cores: [1]}\n";
	struct fixture *f = *state;

	fixture_write(f, "conf.d/10.yaml", drop_in, sizeof drop_in - 1);
	assert_int_equal(fixture_load_text(f, PORT "dpdk: {burst: 0}\n"), -EINVAL);
	assert_non_null(strstr(f->said, "main.yaml:2:15: error: expected a number from 1 to 64"));
	assert_non_null(strstr(f->said, "conf.d/10.yaml:2:12: error: the name 'a' is taken at main.yaml:1:16"));
	assert_non_null(strstr(f->said, "conf.d/10.yaml:2:34: error: core 1 has a worker already, at main.yaml:1:38"));
	/* A file that is no YAML hides what it holds: nothing is said to be missing, the other files are still checked.
	 */
	fixture_write(f, "conf.d/10.yaml", "ports: [", 8);
	assert_int_equal(fixture_load_text(f, "inputs: [{name: i, port: zz, codec: lines, stream: s, vlan: x}]\n"),
			 -EINVAL);
	assert_non_null(strstr(f->said, "main.yaml:1:61: error: expected any, untagged"));
	assert_non_null(strstr(f->said, "conf.d/10.yaml:1:9: error: flow sequence without a closing bracket"));
	assert_null(strstr(f->said, "there is no port"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_bad_file_is_refused_where_it_is_bad),
		TEST(doubts_are_told_and_the_file_is_taken),
		TEST(all_errors_are_told_at_once_in_order_and_none_twice),
		TEST(a_terminal_gets_no_control_characters_from_the_file),
		TEST(two_names_with_one_id_are_refused),
		TEST(what_is_missing_or_too_large_is_told),
		TEST(more_rules_than_an_input_can_have_are_refused),
		TEST(errors_of_many_files_name_both_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
