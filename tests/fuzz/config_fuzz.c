// Any bytes as a configuration: either it loads, or it is refused with a report; nothing else happens.
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/change.h"
#include "tests/fuzz/fuzz.h"

static char directory[] = "/dev/shm/penstock-fuzz-XXXXXX", path[64];

static void remove_files(void)
{
	unlink(path);
	rmdir(directory);
}

/* Whatever the values are, they can be told, and nothing differs from itself. */
static void expect_same(struct config *config)
{
	struct config_changes changes;
	char *said = NULL;
	size_t bytes;
	FILE *errors = open_memstream(&said, &bytes);

	fuzz_require(errors && config_hash(config) != 0);
	fuzz_require(config_compare(config, config, config, &changes) == 0 && changes.count == 0);
	fuzz_require(config_place_inputs(config, config, config, errors) == 0);
	fclose(errors);
	fuzz_require(!said[0]);
	free(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	char *said = NULL;
	size_t said_bytes;
	FILE *file, *errors;
	int error;

	if (!path[0]) {
		fuzz_require(mkdtemp(directory));
		snprintf(path, sizeof path, "%s/main.yaml", directory);
		atexit(remove_files);
	}
	file = fopen(path, "w");
	fuzz_require(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
	errors = open_memstream(&said, &said_bytes);
	fuzz_require(errors);
	error = config_load(path, errors, &config);
	fclose(errors);
	fuzz_require((error == 0) == (config != NULL));
	if (error)
		fuzz_require(strstr(said, "main.yaml:"));
	else
		expect_same(config);
	if (!error)
		fuzz_require(config->ports_count <= PORTS_MAX && config->inputs_count <= INPUTS_MAX &&
			     config_workers(config) <= WORKERS_MAX);
	config_free(config);
	free(said);
	return 0;
}
