// Compiled rules on disk: taken again, told from others, and made anew when anything is wrong with them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/rule/cache.h"
#include "dataplane/rule/rule.h"

struct cache {
	char directory[64], below[80];
	struct config *config;
};

static int setup(void **state)
{
	struct cache *c = calloc(1, sizeof *c);
	struct config *config = calloc(1, sizeof *config);

	assert_true(c && config);
	strcpy(c->directory, "/tmp/penstock-rules-XXXXXX");
	assert_non_null(mkdtemp(c->directory));
	snprintf(c->below, sizeof c->below, "%s/cache", c->directory);
	config->inputs_count = 1;
	config->rules_count = 3;
	config->rule_seconds = 30;
	config->rule_memory = 512u << 20;
	strcpy(config->rule_cache, c->below);
	strcpy(config->rules[0].pattern, "error \\d+");
	config->rules[0].verdict = VERDICT_DROP;
	strcpy(config->rules[1].pattern, "pin=\\d+");
	config->rules[1].verdict = VERDICT_REDACT;
	strcpy(config->rules[2].pattern, "^end\\z");
	config->rules[2].verdict = VERDICT_DEAD_LETTER;
	c->config = config;
	*state = c;
	return 0;
}

static uint32_t list(const struct cache *c, char *path, size_t room)
{
	uint32_t entries = 0;
	struct dirent *entry;
	DIR *dir = opendir(c->below);

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, room, "%s/%s", c->below, entry->d_name);
		entries++;
	}
	if (dir)
		closedir(dir);
	return entries;
}

static int teardown(void **state)
{
	struct cache *c = *state;
	char path[512];

	while (list(c, path, sizeof path))
		assert_int_equal(unlink(path), 0);
	rmdir(c->below);
	assert_int_equal(rmdir(c->directory), 0);
	free(c->config);
	free(c);
	return 0;
}

/* Compiles, and has the set decide something with each of its databases. */
static void compile(struct cache *c)
{
	struct rule_scratch *scratch;
	struct ruleset *set;
	uint8_t text[] = "pin=1234, error 7", last[] = "end", other[] = "end.";
	struct rule_record records[3] = {{text, 17}, {last, 3}, {other, 4}};
	struct rule_verdict out[3];

	assert_int_equal(ruleset_compile(c->config, 0, stderr, &set), 0);
	assert_int_equal(rule_scratch_new((const struct ruleset *const[]){set}, 1, &scratch), 0);
	ruleset_scan_each(set, scratch, records, 3, out);
	assert_true(out[0].action == RULE_DROP && out[1].action == RULE_DEAD_LETTER && out[2].action == RULE_KEEP);
	rule_scratch_free(scratch);
	ruleset_free(set);
}

/* The number of the file that holds the one entry: another one when it was made anew. */
static ino_t entry(struct cache *c, char *path, size_t room)
{
	struct stat status;

	assert_int_equal(list(c, path, room), 1);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	return status.st_ino;
}

static void rules_are_compiled_once_and_taken_from_disk_after_that(void **state)
{
	struct cache *c = *state;
	char path[512];
	ino_t first;

	compile(c);
	first = entry(c, path, sizeof path);
	c->config->rule_memory = 0; /* nothing could be compiled with this */
	compile(c);
	assert_int_equal(entry(c, path, sizeof path), first);
}

static void other_patterns_and_other_flags_are_other_entries(void **state)
{
	struct cache *c = *state;
	char path[512];

	compile(c);
	c->config->rules[0].caseless = true;
	compile(c);
	assert_int_equal(list(c, path, sizeof path), 2);
	strcpy(c->config->rules[0].pattern, "error [0-9]+");
	compile(c);
	assert_int_equal(list(c, path, sizeof path), 3);
	/* What the rules are called and which of them drops is no matter of the databases'. */
	strcpy(c->config->rules[0].name, "another");
	c->config->rule_memory = 0;
	compile(c);
	assert_int_equal(list(c, path, sizeof path), 3);
}

static void overwrite(const char *path, off_t at, const void *bytes, size_t length)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(file >= 0);
	assert_int_equal(pwrite(file, bytes, length, at), length);
	close(file);
}

static void a_damaged_entry_is_compiled_again_and_replaced(void **state)
{
	struct cache *c = *state;
	struct stat status;
	char path[512];
	uint32_t ways = 0;

	compile(c);
	entry(c, path, sizeof path);
	assert_int_equal(stat(path, &status), 0);
	for (off_t at = 0; at < status.st_size; at += at < 80 ? 8 : status.st_size / 9, ways++) {
		uint8_t byte, sound;
		int file = open(path, O_RDONLY | O_CLOEXEC);

		assert_int_equal(pread(file, &sound, 1, at), 1);
		close(file);
		byte = sound ^ 0x10;
		overwrite(path, at, &byte, 1);
		compile(c);
		file = open(path, O_RDONLY | O_CLOEXEC);
		assert_int_equal(pread(file, &byte, 1, at), 1);
		close(file);
		assert_int_equal(byte, sound);
	}
	assert_true(ways > 15);
	for (int i = 0; i < 4; i++) {
		struct stat after;

		assert_int_equal(truncate(path, i == 3 ? status.st_size + 8 : status.st_size * i / 3), 0);
		compile(c);
		assert_int_equal(stat(path, &after), 0);
		assert_int_equal(after.st_size, status.st_size);
	}
	assert_int_equal(truncate(path, (off_t)IMAGE_BYTES_MAX + 1), 0);
	compile(c);
	assert_int_equal(stat(path, &status), 0);
	assert_true(status.st_size < 1 << 20);
}

static void an_entry_that_others_may_write_is_not_trusted(void **state)
{
	struct cache *c = *state;
	struct image_key key = {0x1234, 0xabcd};
	hs_database_t *databases[1];
	char path[512];
	ino_t first;

	compile(c);
	first = entry(c, path, sizeof path);
	assert_int_equal(chmod(path, 0666), 0);
	compile(c);
	assert_int_not_equal(entry(c, path, sizeof path), first);
	/* Nor is a name that leads elsewhere. */
	snprintf(path, sizeof path, "%s/000000000000abcd0000000000001234.rules", c->below);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_true(cache_open(c->below, &key, databases, 1) < 0);
}

static void without_a_directory_rules_are_compiled_all_the_same(void **state)
{
	struct cache *c = *state;

	strcpy(c->config->rule_cache, "/proc/penstock/nowhere");
	compile(c);
	c->config->rule_cache[0] = '\0';
	compile(c);
}

static void the_entry_that_was_not_used_for_longest_makes_room(void **state)
{
	struct cache *c = *state;
	char path[512], oldest[512];
	struct timespec times[2] = {{1000, 0}, {1000, 0}};

	for (uint64_t i = 0; i < 64; i++) {
		struct image_key key = {i, 7};

		assert_int_equal(cache_put(c->below, &key, (const uint8_t *)"x", 1), 0);
	}
	snprintf(oldest, sizeof oldest, "%s/0000000000000007%016x.rules", c->below, 33);
	assert_int_equal(utimensat(AT_FDCWD, oldest, times, 0), 0);
	compile(c);
	assert_int_equal(list(c, path, sizeof path), 64);
	assert_int_not_equal(access(oldest, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rules_are_compiled_once_and_taken_from_disk_after_that, setup,
						teardown),
		cmocka_unit_test_setup_teardown(other_patterns_and_other_flags_are_other_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_entry_is_compiled_again_and_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(an_entry_that_others_may_write_is_not_trusted, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_directory_rules_are_compiled_all_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(the_entry_that_was_not_used_for_longest_makes_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
