#include "tests/support/delivery_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static void say(void *context, bool bad, const char *line)
{
	struct rig *rig = context;
	size_t used = strlen(rig->said);

	snprintf(rig->said + used, sizeof rig->said - used, "%s %s\n", bad ? "!" : "-", line);
}

void rig_init(struct rig *rig, const char *directory)
{
	char path[128];

	memset(rig, 0, sizeof *rig);
	snprintf(rig->directory, sizeof rig->directory, "%s",
		 directory != NULL ? directory : "/tmp/penstock-delivery-XXXXXX");
	if (directory == NULL && mkdtemp(rig->directory) == NULL)
		abort();
	rig->config = (struct config_delivery){
		.name = "files",
		.stream = "events",
		.destination = DESTINATION_DIRECTORY,
		.prefix = "!{timestamp:yyyy/MM}/!{shard}/",
		.buffer_bytes = 1000,
		.buffer_seconds = 3600,
		.format = FORMAT_RAW,
		.delimiter = "\n",
		.retry_seconds = 60,
	};
	snprintf(rig->config.directory, sizeof rig->config.directory, "%s/out", rig->directory);
	snprintf(rig->config.dead_letter, sizeof rig->config.dead_letter, "%s/dead", rig->directory);
	for (uint32_t i = 0; i < RIG_SHARDS; i++)
		rig->shards[i] = fake_shard_new();
	snprintf(path, sizeof path, "%s/journal", rig->directory);
	rig->journal = fake_journal_open(path);
}

void rig_payload(char *out, uint32_t shard, uint32_t n, uint32_t bytes)
{
	int used = snprintf(out, bytes + 1, "%u:%u:", shard, n);

	for (uint32_t i = (uint32_t)used; i < bytes; i++)
		out[i] = (char)('a' + (n + i * 7) % 26);
	out[bytes] = '\0';
}

void rig_fill(struct rig *rig, uint32_t shard, uint32_t first, uint32_t count, uint32_t bytes)
{
	char *text = malloc(bytes + 32);

	for (uint32_t n = first; n < first + count; n++) {
		struct fake_record r;

		rig_payload(text, shard, n, bytes);
		r = fake_text(RIG_ARRIVAL + n, text);
		fake_shard_add(rig->shards[shard], &r);
		if (n % 7 == 6)
			fake_shard_commit(rig->shards[shard]);
	}
	fake_shard_commit(rig->shards[shard]);
	free(text);
}

int delivery_rig_start(struct rig *rig)
{
	struct delivery_shard shards[RIG_SHARDS];
	char spool[128];
	struct delivery_options options = {
		.source = &fake_source,
		.journal = &fake_journal,
		.metadata = rig->journal,
		.shards = shards,
		.shards_count = RIG_SHARDS,
		.identity = RIG_IDENTITY,
		.spool = spool,
		.say = say,
		.context = rig,
	};

	snprintf(spool, sizeof spool, "%s/spool", rig->directory);
	for (uint32_t i = 0; i < RIG_SHARDS; i++)
		shards[i] = (struct delivery_shard){77, i, rig->shards[i]};
	return delivery_start(&rig->config, &options, &rig->delivery);
}

int delivery_rig_stop(struct rig *rig, bool flush, uint32_t timeout_ms)
{
	int result = delivery_stop(rig->delivery, flush, timeout_ms);

	rig->delivery = NULL;
	return result;
}

void rig_end(struct rig *rig)
{
	if (rig->delivery != NULL)
		delivery_rig_stop(rig, false, 0);
	fake_journal_close(rig->journal);
	for (uint32_t i = 0; i < RIG_SHARDS; i++)
		fake_shard_free(rig->shards[i]);
	rig_remove_tree(rig->directory);
}

struct delivery_status rig_status(struct rig *rig, uint32_t shard)
{
	struct delivery_status rows[RIG_SHARDS];

	if (delivery_get_status(rig->delivery, rows, RIG_SHARDS) != RIG_SHARDS)
		abort();
	return rows[shard];
}

bool rig_wait(struct rig *rig, uint32_t shard, bool (*condition)(const struct delivery_status *))
{
	for (int i = 0; i < 1000; i++) {
		struct delivery_status status = rig_status(rig, shard);

		if (condition(&status))
			return true;
		usleep(10000);
	}
	return false;
}

bool rig_settled(const struct delivery_status *status)
{
	return status->pending_records == 0;
}

void rig_balances(const struct delivery_status *status)
{
	assert_int_equal(status->taken_records, status->delivered_records + status->pending_records +
							status->failed_records + status->expired_records);
}

/* ---- what is there ---- */

struct names {
	char **paths;
	int count;
};

static struct names found; /* nftw() has no argument of its own */

static int note(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	found.paths = realloc(found.paths, ((size_t)found.count + 1) * sizeof *found.paths);
	found.paths[found.count++] = strdup(path);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct names find(const struct rig *rig, const char *sub)
{
	char root[128];

	snprintf(root, sizeof root, "%s/%s", rig->directory, sub);
	found = (struct names){NULL, 0};
	nftw(root, note, 16, FTW_PHYS);
	if (found.count > 0)
		qsort(found.paths, (size_t)found.count, sizeof *found.paths, compare);
	return found;
}

static void forget(struct names *names)
{
	for (int i = 0; i < names->count; i++)
		free(names->paths[i]);
	free(names->paths);
}

int rig_list(const struct rig *rig, const char *sub, char *out, size_t room, int *temporary)
{
	struct names names = find(rig, sub);
	size_t skip = strlen(rig->directory) + strlen(sub) + 2, used = 0;
	int count = names.count;

	*temporary = 0;
	out[0] = '\0';
	for (int i = 0; i < names.count; i++) {
		size_t length = strlen(names.paths[i]);
		struct stat status;

		*temporary += length > 4 && strcmp(names.paths[i] + length - 4, ".tmp") == 0;
		if (stat(names.paths[i], &status) != 0)
			abort();
		used += (size_t)snprintf(out + used, used < room ? room - used : 0, "%s %ld\n", names.paths[i] + skip,
					 (long)status.st_size);
	}
	forget(&names);
	return count;
}

char *rig_contents(const struct rig *rig, const char *sub, const char *end, size_t *length)
{
	struct names names = find(rig, sub);
	char *bytes = malloc(1);

	*length = 0;
	for (int i = 0; i < names.count; i++) {
		size_t name = strlen(names.paths[i]);
		struct stat status;
		int fd;

		if (name < strlen(end) || strcmp(names.paths[i] + name - strlen(end), end) != 0)
			continue;
		fd = open(names.paths[i], O_RDONLY);
		if (fd < 0 || fstat(fd, &status) != 0)
			abort();
		bytes = realloc(bytes, *length + (size_t)status.st_size + 1);
		if (read(fd, bytes + *length, (size_t)status.st_size) != status.st_size)
			abort();
		*length += (size_t)status.st_size;
		close(fd);
	}
	bytes[*length] = '\0';
	forget(&names);
	return bytes;
}

void rig_holds_records(const struct rig *rig, const char *sub, uint32_t shard, uint32_t first, uint32_t count)
{
	size_t length;
	char *contents = rig_contents(rig, sub, ".raw", &length), *at = contents, expected[RIG_BYTES + 2];

	while (*at != '\0' && (uint32_t)(*at - '0') != shard)
		at += RIG_BYTES + 1;
	for (uint32_t n = first; n < first + count; n++, at += RIG_BYTES + 1) {
		rig_payload(expected, shard, n, RIG_BYTES);
		strcat(expected, "\n");
		if (strncmp(at, expected, RIG_BYTES + 1) != 0)
			fail_msg("record %u of shard %u is not there: %.60s", n, shard, at);
	}
	assert_true(*at == '\0' || (uint32_t)(*at - '0') != shard);
	free(contents);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

void rig_remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
