#include "tests/unit/config_fixture.h"

#include <errno.h>
#include <stdbool.h>

// The sample with its examples made active: the first '#' goes from lines that are no prose.
static char *uncomment(const char *sample)
{
	char *out = calloc(1, strlen(sample) + 1), *to = out;

	assert_non_null(out);
	for (const char *line = sample; *line;) {
		const char *end = strchr(line, '\n');

		if (line[0] == '#' && line[1] && (line[1] != ' ' || line[2] == ' ') && line[1] != '\n')
			line++;
		memcpy(to, line, (size_t)(end - line) + 1);
		to += end - line + 1;
		line = end + 1;
	}
	return out;
}

static void same_as_printed(const char *path, void (*print)(FILE *))
{
	size_t length, printed_length;
	char *text = fixture_read(path, &length), *printed;
	FILE *out = open_memstream(&printed, &printed_length);

	print(out);
	fclose(out);
	if (strcmp(text, printed) != 0)
		fail_msg("%s is not what the table says: run make config-files", path);
	free(text);
	free(printed);
}

static void the_sample_and_the_manual_are_what_the_table_says(void **state)
{
	(void)state;
	same_as_printed("config/penstock.yaml", config_print_sample);
	same_as_printed("config/penstock.yaml.5", config_print_manual);
}

static void globals_are_defaults(const struct config *c)
{
	assert_int_equal(c->eal_count, 0);
	assert_string_equal(c->file_prefix, "penstock");
	assert_true(c->huge_pages && c->numa_strict && c->direct_io);
	assert_int_equal(c->memory_mib, 1024);
	assert_int_equal(c->mbufs, 65535);
	assert_int_equal(c->main_core, 0);
	assert_int_equal(c->burst, 32);
	assert_int_equal(c->vlan_depth, 2);
	assert_true(c->fragment_bytes == 4 << 20 && c->fragment_seconds == 30);
	assert_string_equal(c->region_directory, "/run/penstock/region");
	assert_int_equal(c->region_shards, 64);
	assert_int_equal(c->lane_bytes, 4 << 20);
	assert_string_equal(c->store_directory, "/var/lib/penstock");
	assert_int_equal(c->commit_ms, 10);
	assert_int_equal(c->segment_bytes, 256 << 20);
	assert_int_equal(c->batch_bytes, 4 << 20);
	assert_int_equal(c->reserve_bytes, 16 << 20);
	assert_string_equal(c->socket, "/run/penstock/penstockd.sock");
	assert_string_equal(c->log_level, "info");
	assert_string_equal(c->rule_cache, "/var/cache/penstock");
	assert_int_equal(c->rule_seconds, 30);
	assert_int_equal(c->rule_memory, 512 << 20);
}

static void lists_are_defaults(const struct config *c)
{
	const struct config_port *p = &c->ports[0];
	const struct config_input *i = &c->inputs[0];
	const struct config_delivery *d = &c->deliveries[0];

	assert_true(c->ports_count == 1 && c->inputs_count == 1 && c->streams_count == 1 && c->deliveries_count == 1);
	assert_int_equal(p->queues, 1);
	assert_false(p->tap || p->promiscuous || p->force_unaccountable);
	assert_int_equal(p->mtu, 1500);
	assert_int_equal(p->rx_descriptors, 1024);
	assert_int_equal(p->tunnels, 0);
	assert_true(i->tunnel == TUNNEL_ANY && i->vni == -1);
	assert_int_equal(i->vlan, -1);
	assert_true(i->any_destination);
	assert_int_equal(i->key, KEY_RANDOM);
	assert_int_equal(i->key_field, 1);
	assert_int_equal(i->key_separator, ',');
	assert_int_equal(c->rules_count, 1);
	assert_true(c->rules[0].input_index == 0 && c->rules[0].verdict == VERDICT_DROP && c->rules[0].every == 0);
	assert_false(c->rules[0].caseless || c->rules[0].dotall || c->rules[0].multiline || c->rules[0].utf8 ||
		     c->rules[0].invert);
	assert_int_equal(c->streams[0].shards, 1);
	assert_int_equal(c->streams[0].retention_seconds, 86400);
	assert_int_equal(c->streams[0].retention_bytes, 0);
	assert_int_equal(d->destination, DESTINATION_DIRECTORY);
	assert_string_equal(d->s3.region, "us-east-1");
	assert_false(d->s3.virtual_host);
	assert_int_equal(d->s3.part_bytes, 8 << 20);
	assert_int_equal(d->s3.concurrency, 4);
	assert_string_equal(d->prefix, "!{timestamp:yyyy/MM/dd/HH}/");
	assert_int_equal(d->buffer_bytes, 5 << 20);
	assert_int_equal(d->buffer_seconds, 300);
	assert_true(d->format == FORMAT_RAW && d->payload == PAYLOAD_TEXT && d->compression == COMPRESS_NONE);
	assert_string_equal(d->delimiter, "\n");
	assert_int_equal(d->retry_seconds, 300);
	assert_string_equal(d->dead_letter, "/var/lib/penstock/dead-letter");
}

static void the_sample_loads_clean_and_is_the_defaults(void **state)
{
	struct fixture *f = *state;
	size_t length;
	char *sample = fixture_read("config/penstock.yaml", &length), *active = uncomment(sample);

	assert_int_equal(fixture_load_text(f, ""), 0);
	globals_are_defaults(f->config);
	assert_int_equal(fixture_load_text(f, sample), 0);
	assert_string_equal(f->said, "");
	globals_are_defaults(f->config);
	assert_int_equal(f->config->ports_count + f->config->inputs_count + f->config->streams_count, 0);
	assert_int_equal(fixture_load_text(f, active), 0);
	assert_string_equal(f->said, "");
	globals_are_defaults(f->config);
	lists_are_defaults(f->config);
	free(sample);
	free(active);
}

static const char every_knob[] =
	"dpdk:\n"
	"  {arguments: [-v, \"--log-level=8\"], file_prefix: x-1, huge_pages: false, memory_mib: 300, mbufs: 9000, "
	"main_core: 3,\n"
	"   burst: 16, vlan_depth: 0, numa: warn, fragment_bytes: none, fragment_timeout: 2m}\n"
	"region: {directory: /dev/shm/r, shards: 9, lane_bytes: 512KiB}\n"
	"store: {directory: st/../store, commit_ms: 1s, segment_bytes: 100MB, batch_bytes: 131072, reserve_bytes: 0,\n"
	"        direct_io: false}\n"
	"control: {socket: /tmp/s, log_level: debug}\n"
	"ports:\n"
	"  - {name: lan, device: \"net_pcap0,iface=x\", queues: 2, cores: [5, 4], mtu: 9000, rx_descriptors: 512,\n"
	"     promiscuous: true, tunnels: [ipip, vxlan], addresses: [10.1.2.3/31, \"2001:DB8::5/64\"]}\n"
	"  - {name: mirror, device: net_af_packet0, force_unaccountable: true, cores: [6], mode: tap}\n"
	"inputs:\n"
	"  - {name: i1, port: lan, vlan: untagged, destination: \"2001:db8:0::5\", udp_port: 8125, codec: lines, "
	"stream: s,\n"
	"     key: {from: field, number: 3, separator: \"\\t\"}}\n"
	"  - {name: i2, port: lan, vlan: 4094, destination: 10.1.2.3, codec: datagram, stream: s,\n"
	"     key: {from: constant, value: \"k é\"}}\n"
	"  - {name: i3, port: mirror, codec: frame, stream: f, key: flow}\n"
	"  - {name: i4, port: lan, codec: lines, stream: s, key: {from: source}, tunnel: vxlan, vni: 4294967295,\n"
	"     destination: 10.99.99.99}\n"
	"  - {name: i5, port: lan, udp_port: 1, codec: json_lines, stream: s, invalid: drop, dead_letter: f,\n"
	"     key: {from: path, path: /a/b, missing: constant, value: v}}\n"
	"  - {name: i6, port: lan, udp_port: 2, codec: kpl, stream: s, key: {missing: dead_letter}, dead_letter: f}\n"
	"rules:\n"
	"  - {name: r1, input: i1, pattern: '^<\\d+>', verdict: route, stream: f, caseless: true, dotall: true}\n"
	"  - {name: r2, input: i4, pattern: \"a\\\\d é\", verdict: sample, every: 1000, multiline: true, utf8: true,\n"
	"     invert: true}\n"
	"streams:\n"
	"  - {name: s, shards: 4, retention: 7d, retention_bytes: 10GiB}\n"
	"  - {name: f, shards: 5, retention: 90m}\n"
	"deliveries:\n"
	"  - name: d1\n"
	"    stream: s\n"
	"    destination:\n"
	"      s3: {endpoint: \"https://s3.example.org:8443\", region: eu-1, bucket: b-1, access_key_file: key, "
	"part_bytes: 5MiB,\n"
	"           addressing: virtual-host, concurrency: 2, ca_file: ../ca.pem}\n"
	"    prefix: \"p/!{shard}/!{timestamp:yyyy}/\"\n"
	"    buffer: {size: 1MB, age: 5s}\n"
	"    format: jsonl\n"
	"    payload: base64\n"
	"    compression: gzip\n"
	"    retry: 0s\n"
	"    dead_letter: dead\n"
	"  - {name: d2, stream: f, destination: {directory: out}, format: pcapng, compression: zstd, prefix: \"\"}\n"
	"  - {name: d3, stream: s, destination: {directory: out}, delimiter: \"\"}\n"
	"matching: {cache: c, time: 2m, memory: 1GiB}\n";

static void ports_are_as_written(const struct config *c)
{
	const struct config_port *lan = &c->ports[0], *mirror = &c->ports[1];

	assert_int_equal(c->ports_count, 2);
	assert_int_equal(config_workers(c), 3);
	assert_string_equal(lan->name, "lan");
	assert_string_equal(lan->device, "net_pcap0,iface=x");
	assert_true(lan->queues == 2 && lan->cores[0] == 5 && lan->cores[1] == 4);
	assert_true(lan->mtu == 9000 && lan->rx_descriptors == 512);
	assert_true(lan->promiscuous && !lan->tap && lan->line == 9 && lan->column == 5);
	assert_int_equal(lan->addresses_count, 2);
	assert_true(lan->addresses[0].family == 4 && lan->addresses[0].prefix_length == 31);
	assert_memory_equal(lan->addresses[0].bytes, "\12\1\2\3", 4);
	assert_true(lan->addresses[1].family == 6 && lan->addresses[1].prefix_length == 64);
	assert_memory_equal(lan->addresses[1].bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\5", 16);
	assert_true(mirror->tap && mirror->force_unaccountable && mirror->cores[0] == 6);
}

static void inputs_are_as_written(const struct config *c)
{
	const struct config_input *in = c->inputs;

	assert_int_equal(c->inputs_count, 6);
	assert_true(in[0].vlan == 0 && in[0].udp_port == 8125 && in[0].codec == CODEC_LINES && in[0].port_index == 0);
	assert_false(in[0].any_destination);
	assert_memory_equal(&in[0].destination.bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\5", 16);
	assert_true(in[0].key == KEY_FIELD && in[0].key_field == 3 && in[0].key_separator == '\t');
	assert_true(in[1].vlan == 4094 && in[1].udp_port == 0 && in[1].codec == CODEC_DATAGRAM &&
		    in[1].key == KEY_CONSTANT);
	assert_string_equal(in[1].key_constant, "k é");
	assert_true(in[2].codec == CODEC_FRAME && in[2].key == KEY_FLOW && in[2].port_index == 1);
	assert_string_equal(in[2].stream, "f");
	assert_int_equal(in[3].key, KEY_SOURCE);
	assert_true(in[3].missing == MISSING_RANDOM && in[3].invalid == INVALID_KEEP && in[3].dead_letter[0] == '\0');
	assert_true(in[4].codec == CODEC_JSON_LINES && in[4].key == KEY_PATH && in[4].missing == MISSING_CONSTANT);
	assert_string_equal(in[4].key_path, "/a/b");
	assert_string_equal(in[4].key_constant, "v");
	assert_string_equal(in[4].dead_letter, "f");
	assert_int_equal(in[4].invalid, INVALID_DROP);
	assert_true(in[5].codec == CODEC_KPL && in[5].key == KEY_OWN && in[5].missing == MISSING_DEAD_LETTER);
	assert_true(in[3].tunnel == TUNNEL_VXLAN && in[3].vni == UINT32_MAX && !in[3].any_destination);
	assert_int_equal(c->ports[0].tunnels, 1u << TUNNEL_IPIP | 1u << TUNNEL_VXLAN);
	assert_true(c->streams[0].shards == 4 && c->streams[0].retention_seconds == 7 * 86400);
	assert_true(c->streams[0].retention_bytes == 10ull << 30 && c->streams[1].retention_seconds == 5400);
}

static void deliveries_are_as_written(const struct fixture *f)
{
	const struct config_delivery *d = f->config->deliveries;
	char path[160];

	assert_int_equal(f->config->deliveries_count, 3);
	assert_int_equal(d[0].destination, DESTINATION_S3);
	assert_string_equal(d[0].s3.endpoint, "https://s3.example.org:8443");
	assert_string_equal(d[0].s3.region, "eu-1");
	assert_string_equal(d[0].s3.bucket, "b-1");
	snprintf(path, sizeof path, "%s/key", f->directory);
	assert_string_equal(d[0].s3.access_key_file, path);
	assert_string_equal(d[0].s3.ca_file, "/tmp/ca.pem");
	assert_true(d[0].s3.virtual_host && d[0].s3.part_bytes == 5 << 20 && d[0].s3.concurrency == 2);
	assert_string_equal(d[0].prefix, "p/!{shard}/!{timestamp:yyyy}/");
	assert_true(d[0].buffer_bytes == 1000000 && d[0].buffer_seconds == 5 && d[0].retry_seconds == 0);
	assert_true(d[0].format == FORMAT_JSONL && d[0].payload == PAYLOAD_BASE64 && d[0].compression == COMPRESS_GZIP);
	snprintf(path, sizeof path, "%s/dead", f->directory);
	assert_string_equal(d[0].dead_letter, path);
	assert_true(d[1].destination == DESTINATION_DIRECTORY && d[1].format == FORMAT_PCAPNG);
	assert_true(d[1].compression == COMPRESS_ZSTD && d[1].prefix[0] == '\0');
	snprintf(path, sizeof path, "%s/out", f->directory);
	assert_string_equal(d[1].directory, path);
	snprintf(path, sizeof path, "%s/store/dead-letter", f->directory);
	assert_string_equal(d[1].dead_letter, path);
	assert_string_equal(d[2].delimiter, "");
	assert_true(d[2].line == 44 && d[2].column == 5);
}

static void rules_are_as_written(const struct fixture *f)
{
	const struct config *c = f->config;
	const struct config_rule *r = c->rules;
	char path[160];

	snprintf(path, sizeof path, "%s/c", f->directory);
	assert_string_equal(c->rule_cache, path);
	assert_true(c->rule_seconds == 120 && c->rule_memory == 1 << 30 && c->rules_count == 2);
	assert_string_equal(r[0].name, "r1");
	assert_string_equal(r[0].pattern, "^<\\d+>");
	assert_string_equal(r[0].stream, "f");
	assert_true(r[0].verdict == VERDICT_ROUTE && r[0].input_index == 0 && r[0].every == 0 && r[0].pattern_as_written);
	assert_true(r[0].caseless && r[0].dotall && !r[0].multiline && !r[0].utf8 && !r[0].invert);
	assert_string_equal(r[1].pattern, "a\\d é");
	assert_true(r[1].verdict == VERDICT_SAMPLE && r[1].input_index == 3 && r[1].every == 1000);
	assert_true(!r[1].caseless && !r[1].dotall && r[1].multiline && r[1].utf8 && r[1].invert);
	assert_false(r[1].pattern_as_written); /* "\\\\" stands for one */
	assert_true(r[1].line == r[0].line + 1 && r[1].pattern_line == r[1].line && r[1].pattern_column == 37);
}

static void every_knob_arrives_where_it_belongs(void **state)
{
	struct fixture *f = *state;
	const struct config *c;
	char path[160];

	if (fixture_load_text(f, every_knob) != 0)
		fail_msg("%s", f->said);
	assert_string_equal(f->said, "");
	c = f->config;
	assert_string_equal(c->path, f->path);
	assert_int_equal(c->eal_count, 2);
	assert_string_equal(c->eal[0], "-v");
	assert_string_equal(c->eal[1], "--log-level=8");
	assert_null(c->eal[2]);
	assert_string_equal(c->file_prefix, "x-1");
	assert_false(c->huge_pages || c->numa_strict || c->direct_io);
	assert_true(c->memory_mib == 300 && c->mbufs == 9000 && c->main_core == 3 && c->burst == 16 &&
		    c->vlan_depth == 0 && c->fragment_bytes == 0 && c->fragment_seconds == 120);
	assert_string_equal(c->region_directory, "/dev/shm/r");
	assert_true(c->region_shards == 9 && c->lane_bytes == 512 << 10);
	snprintf(path, sizeof path, "%s/store", f->directory);
	assert_string_equal(c->store_directory, path);
	assert_true(c->commit_ms == 1000 && c->segment_bytes == 100000000 && c->batch_bytes == 131072 &&
		    c->reserve_bytes == 0);
	assert_string_equal(c->socket, "/tmp/s");
	assert_string_equal(c->log_level, "debug");
	ports_are_as_written(c);
	inputs_are_as_written(c);
	rules_are_as_written(f);
	deliveries_are_as_written(f);
}

static void conf_d_adds_to_lists_and_replaces_the_rest_in_order(void **state)
{
	static const char first[] = "dpdk: {burst: 8, arguments: [-v]}\nstreams: [{name: b}]\n";
	static const char second[] = "dpdk:\n  burst: 4\nstore:\nstreams:\n  - name: c\n    shards: 3\n";
	struct fixture *f = *state;

	fixture_write(f, "conf.d/20.yaml", second, sizeof second - 1);
	fixture_write(f, "conf.d/10.yaml", first, sizeof first - 1);
	fixture_write(f, "conf.d/README", "not: [yaml", 10);
	assert_int_equal(
		fixture_load_text(f, "dpdk: {burst: 2, arguments: [-x, -y], mbufs: 5000}\nstreams: [{name: a}]\n"), 0);
	assert_int_equal(f->config->burst, 4);
	assert_int_equal(f->config->mbufs, 5000);
	assert_int_equal(f->config->eal_count, 1);
	assert_string_equal(f->config->eal[0], "-v");
	assert_int_equal(f->config->streams_count, 3);
	assert_string_equal(f->config->streams[0].name, "a");
	assert_string_equal(f->config->streams[1].name, "b");
	assert_string_equal(f->config->streams[2].name, "c");
	assert_int_equal(f->config->streams[2].shards, 3);
	assert_non_null(strstr(f->config->streams[2].file, "/conf.d/20.yaml"));
	assert_int_equal(f->config->streams[2].line, 5);
}

static void aliases_repeat_what_their_anchor_names(void **state)
{
	struct fixture *f = *state;

	if (fixture_load_text(
		    f, "streams: [{name: a}, {name: b}]\n"
		       "deliveries:\n"
		       "  - {name: x, stream: a, destination: {directory: d}, buffer: &small {size: 64KiB, age: 1s}}\n"
		       "  - {name: y, stream: b, destination: {directory: d}, buffer: *small}\n") != 0)
		fail_msg("%s", f->said);
	assert_int_equal(f->config->deliveries[1].buffer_bytes, 65536);
	assert_int_equal(f->config->deliveries[1].buffer_seconds, 1);
}

static void yaml_1_2_words_are_texts(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_load_text(f, "streams: [{name: no}, {name: 0123}, {name: 1.5}]\n"), 0);
	assert_string_equal(f->config->streams[0].name, "no");
	assert_string_equal(f->config->streams[1].name, "0123");
}

static void the_development_file_keeps_everything_below_run(void **state)
{
	char cwd[512], path[600], *said;
	struct config *c;
	size_t length;
	FILE *errors = open_memstream(&said, &length);
	int error = config_load("config/development.yaml", errors, &c);

	(void)state;
	fclose(errors);
	if (error != 0 || length != 0)
		fail_msg("%d %s", error, said);
	free(said);
	assert_non_null(getcwd(cwd, sizeof cwd));
	snprintf(path, sizeof path, "%s/run/", cwd);
	assert_memory_equal(c->region_directory, path, strlen(path));
	assert_memory_equal(c->store_directory, path, strlen(path));
	assert_memory_equal(c->socket, path, strlen(path));
	for (uint32_t i = 0; i < c->deliveries_count; i++) {
		assert_memory_equal(c->deliveries[i].directory, path, strlen(path));
		assert_memory_equal(c->deliveries[i].dead_letter, path, strlen(path));
		assert_true(c->deliveries[i].buffer_bytes == 1 << 20 && c->deliveries[i].buffer_seconds == 5);
	}
	assert_true(c->ports_count == 1 && c->inputs_count == 3 && c->streams_count == 3 && c->deliveries_count == 3);
	assert_false(c->huge_pages);
	config_free(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sample_and_the_manual_are_what_the_table_says),
		TEST(the_sample_loads_clean_and_is_the_defaults),
		TEST(every_knob_arrives_where_it_belongs),
		TEST(conf_d_adds_to_lists_and_replaces_the_rest_in_order),
		TEST(aliases_repeat_what_their_anchor_names),
		TEST(yaml_1_2_words_are_texts),
		cmocka_unit_test(the_development_file_keeps_everything_below_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
