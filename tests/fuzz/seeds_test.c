// Every fuzz target on its seeds, on their beginnings and with single bits turned round: what each requires holds there, also
// where no fuzzer is to be had. Speaks TAP. Made of the same sources as the fuzzers, but for refine, which is a worker and has
// tests of its own.
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/support/delivery_rig.h"
#include "tests/support/rounds.h"

#define VARIANTS_MAX ROUNDS(1000u) /* of a target */
#define BYTES_MAX 65536u

#define X(name)                                                                    \
	int fuzz_##name(const uint8_t *data, size_t size);                         \
	int fuzz_begin_##name(int *argc, char ***argv) __attribute__((weak));
FUZZ_TARGETS
#undef X

static const struct target {
	const char *name;
	int (*take)(const uint8_t *data, size_t size);
	int (*begin)(int *argc, char ***argv); /* or NULL */
} targets[] = {
#define X(name) {#name, fuzz_##name, fuzz_begin_##name},
	FUZZ_TARGETS
#undef X
};
#define TARGETS (sizeof targets / sizeof targets[0])

/* In memory of its own, so that a sanitizer sees what is read behind it. */
static void take(const struct target *t, const uint8_t *bytes, size_t size)
{
	uint8_t *copy = fuzz_allocate(size);

	if (size > 0)
		memcpy(copy, bytes, size);
	t->take(copy, size);
	free(copy);
}

static void vary(const struct target *t, uint8_t *bytes, size_t size, uint32_t variants)
{
	take(t, bytes, size);
	for (uint32_t i = 1; i < variants && size > 0; i++) {
		size_t at = (size_t)rand() % size;

		if (i % 2) {
			take(t, bytes, at);
		} else {
			uint8_t bit = (uint8_t)(1 << rand() % 8);

			bytes[at] ^= bit;
			take(t, bytes, size);
			bytes[at] ^= bit;
		}
	}
}

static uint32_t each_seed(const struct target *t, const char *folder, uint32_t variants)
{
	static uint8_t bytes[BYTES_MAX];
	uint32_t seeds = 0;
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(folder);

	while (dir && (entry = readdir(dir))) {
		FILE *file;

		if (entry->d_name[0] == '.' || seeds * (variants ? variants : 1) >= VARIANTS_MAX)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		file = fopen(path, "rb");
		fuzz_require(file);
		if (variants > 0)
			vary(t, bytes, fread(bytes, 1, sizeof bytes, file), variants);
		fclose(file);
		seeds++;
	}
	if (dir)
		closedir(dir);
	return seeds;
}

static int run(const struct target *t, const char *folder, uint32_t variants, int *argc, char ***argv)
{
	srand(1);
	if (t->begin)
		t->begin(argc, argv);
	each_seed(t, folder, variants);
	return 0;
}

/* Each in a process of its own: one that crashes is told, and none leaves limits or caches to the next. */
static void tell(const struct target *t, uint32_t number, const char *corpus, int *argc, char ***argv)
{
	char folder[PATH_MAX];
	uint32_t seeds, variants;
	int status = -1;
	pid_t child;

	snprintf(folder, sizeof folder, "%s/%s", corpus, t->name);
	seeds = each_seed(t, folder, 0);
	variants = seeds ? (VARIANTS_MAX + seeds - 1) / seeds : 0;
	fflush(stdout);
	child = fork();
	if (child == 0)
		exit(run(t, folder, variants, argc, argv));
	if (child > 0)
		waitpid(child, &status, 0);
	printf("%sok %u - %s: %u seeds, %u variants of each\n", seeds && status == 0 ? "" : "not ", number, t->name, seeds, variants);
}

int main(int argc, char **argv)
{
	char corpus[] = "/tmp/penstock-seeds-XXXXXX", command[3 * PATH_MAX];

	fuzz_require(mkdtemp(corpus));
	/* Beside this program's folder. */
	snprintf(command, sizeof command, "'%.*s/../seeds' %s config/penstock.yaml config/development.yaml",
		 (int)(strrchr(argv[0], '/') - argv[0]), argv[0], corpus);
	fuzz_require(system(command) == 0);
	printf("1..%zu\n", TARGETS);
	for (uint32_t i = 0; i < TARGETS; i++)
		tell(&targets[i], i + 1, corpus, &argc, &argv);
	rig_remove_tree(corpus);
	return 0;
}
