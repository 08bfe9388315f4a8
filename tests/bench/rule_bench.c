// Rules over a burst scanned as one block against one hs_scan() for each record; the verdicts are compared first.
#include <string.h>

#include "dataplane/rule/rule.h"
#include "tests/bench/pairs.h"

#define RECORDS 4096u
#define BURST 32u
#define RECORD_BYTES 100u

enum kind { KIND_LITERALS, KIND_MIXED };

static const char *const services[] = {
	"sshd",   "nginx",    "postgres", "kubelet",   "systemd",        "haproxy", "named",    "dovecot",
	"kernel", "cron",     "sudo",     "chronyd",   "dockerd",        "mysqld",  "redis",    "vault",
	"etcd",   "consul",   "envoy",    "rabbitmq",  "openvpn",        "postfix", "squid",    "bind",
	"smbd",   "slapd",    "auditd",   "firewalld", "NetworkManager", "polkitd", "zfs",      "mdadm",
	"snmpd",  "rsyslogd", "grafana",  "loki",      "tempo",          "minio",   "ceph-osd", "keepalived"};
static const char *const events[] = {"connection refused",
				     "out of memory",
				     "timed out",
				     "permission denied",
				     "disk is full",
				     "certificate expired",
				     "handshake failed",
				     "segfault",
				     "checksum mismatch",
				     "authentication failure",
				     "too many open files",
				     "link is down",
				     "quota exceeded",
				     "replica lag",
				     "leader lost",
				     "queue is full",
				     "invalid user",
				     "no route to host",
				     "read-only file system",
				     "retry limit",
				     "slow query",
				     "deadlock detected",
				     "clock skew",
				     "reset by peer",
				     "bad gateway"};

#define SERVICES (sizeof services / sizeof services[0])
#define EVENTS (sizeof events / sizeof events[0])

struct side {
	const struct ruleset *set;
	struct rule_scratch *scratch;
	uint8_t *bytes;
	uint32_t starts[RECORDS / BURST]; /* of bursts in bytes */
	uint32_t lengths[RECORDS / BURST];
	struct slice slices[RECORDS]; /* from the start of their burst */
	struct rule_record each[RECORDS];
	struct rule_verdict verdicts[RECORDS];
};

static void run_block(void *arg)
{
	struct side *s = arg;

	for (uint32_t b = 0; b < RECORDS / BURST; b++)
		ruleset_scan(s->set, s->scratch, s->bytes + s->starts[b], s->lengths[b], s->slices + b * BURST, BURST,
			     s->verdicts + b * BURST);
}

static void run_each(void *arg)
{
	struct side *s = arg;

	for (uint32_t at = 0; at < RECORDS; at += BURST)
		ruleset_scan_each(s->set, s->scratch, s->each + at, BURST, s->verdicts + at);
}

static void run_alone(void *arg)
{
	struct side *s = arg;

	for (uint32_t at = 0; at < RECORDS; at += BURST)
		ruleset_scan_alone(s->set, s->scratch, s->each + at, BURST, s->verdicts + at);
}

static void pattern_text(char *text, size_t room, enum kind kind, uint32_t i)
{
	const char *service = services[i % SERVICES], *event = events[i / SERVICES % EVENTS];

	if (kind == KIND_LITERALS || i % 4 == 0)
		snprintf(text, room, "%s: %s", service, event);
	else if (i % 4 == 1)
		snprintf(text, room, "%s\\[\\d+\\]: %s", service, event);
	else if (i % 4 == 2)
		snprintf(text, room, "%s.*%s", service, event);
	else
		snprintf(text, room, "^<\\d+>%s(\\[[^\\]]*\\])?: [a-z ]*%s", service, event);
}

static struct ruleset *make_set(enum kind kind, uint32_t patterns)
{
	static struct config config;
	struct ruleset *set;

	config = (struct config){
		.inputs_count = 1, .rules_count = patterns, .rule_seconds = 60, .rule_memory = 1u << 30};
	for (uint32_t i = 0; i < patterns; i++) {
		pattern_text(config.rules[i].pattern, sizeof config.rules[i].pattern, kind, i);
		config.rules[i].verdict = VERDICT_DROP;
	}
	if (ruleset_compile(&config, 0, stderr, &set) != 0)
		exit(1);
	return set;
}

/* Syslog lines; `percent` of them hold what some pattern looks for. */
static void fill(struct side *s, uint32_t patterns, uint32_t percent)
{
	uint32_t at = 0;

	s->bytes = malloc(RECORDS * (RECORD_BYTES + 64));
	if (!s->bytes)
		exit(1);
	srand(1);
	for (uint32_t r = 0; r < RECORDS; r++) {
		uint32_t p = (uint32_t)rand() % patterns, quiet = (uint32_t)rand();
		bool hit = (uint32_t)rand() % 100 < percent;
		char line[RECORD_BYTES + 64];
		int n;

		if (r % BURST == 0)
			s->starts[r / BURST] = at;
		n = snprintf(line, sizeof line, "<%u>%s%s%s status=%u bytes=%u client=10.%u.%u.%u path=/api/v%u/items/",
			     r % 192, services[hit ? p % SERVICES : quiet % SERVICES],
			     hit && p % 4 == 1 ? "[4711]: " : ": ",
			     hit ? events[p / SERVICES % EVENTS] : "request served", 200 + r % 5,
			     (uint32_t)rand() % 90000, r % 256, (uint32_t)rand() % 256, (uint32_t)rand() % 256, r % 3);
		while (n < (int)RECORD_BYTES)
			line[n++] = "abcdefghijklmnopqrstuvwxyz0123456789-"[rand() % 37];
		memcpy(s->bytes + at, line, RECORD_BYTES);
		s->slices[r] = (struct slice){at - s->starts[r / BURST], RECORD_BYTES};
		s->each[r] = (struct rule_record){s->bytes + at, RECORD_BYTES};
		at += RECORD_BYTES;
		s->bytes[at++] = '\n';
		s->lengths[r / BURST] = at - s->starts[r / BURST];
	}
}

static uint32_t compare(struct side *s, void (*run)(void *))
{
	static struct rule_verdict truth[RECORDS];
	uint32_t decided = 0;

	run_alone(s);
	memcpy(truth, s->verdicts, sizeof truth);
	run(s);
	for (uint32_t r = 0; r < RECORDS; r++) {
		if (truth[r].rule != s->verdicts[r].rule || truth[r].action != s->verdicts[r].action) {
			fprintf(stderr, "record %u: verdicts differ\n", r);
			exit(1);
		}
		decided += truth[r].rule != RULE_NONE;
	}
	return decided;
}

static void measure(enum kind kind, uint32_t patterns, uint32_t percent)
{
	static struct side s;
	struct ruleset *set = make_set(kind, patterns);
	struct contender block = {run_block, &s, RECORDS}, each = {run_each, &s, RECORDS},
			 alone = {run_alone, &s, RECORDS};
	char name[64];

	s.set = set;
	if (rule_scratch_new((const struct ruleset *const[]){set}, 1, &s.scratch) != 0)
		exit(1);
	fill(&s, patterns, percent);
	compare(&s, run_each);
	fprintf(stderr, "%u patterns: %u of %u records match, databases of %llu KiB\n", patterns,
		compare(&s, run_block), RECORDS, (unsigned long long)(ruleset_bytes(set) >> 10));
	snprintf(name, sizeof name, "rule_%s_%u_%u%%", kind == KIND_MIXED ? "mixed" : "literals", patterns, percent);
	pairs_print(name, &block, &alone);
	snprintf(name, sizeof name, "rule_%s_%u_%u%%_datagrams", kind == KIND_MIXED ? "mixed" : "literals", patterns,
		 percent);
	pairs_print(name, &each, &alone);
	free(s.bytes);
	rule_scratch_free(s.scratch);
	ruleset_free(set);
}

int main(void)
{
	static const uint32_t sizes[] = {10, 100, 1000}, percents[] = {1, 5, 10};

	for (uint32_t kind = 0; kind < 2; kind++)
		for (uint32_t i = 0; i < 3; i++)
			for (uint32_t p = 0; p < 3; p++)
				measure((enum kind)kind, sizes[i], percents[p]);
	return 0;
}
