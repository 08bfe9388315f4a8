#include "tests/send/manifest.h"

#include <errno.h>
#include <string.h>

int manifest_write(const char *path, const struct send_series *series)
{
	char temporary[4096];
	FILE *file;

	if (snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	file = fopen(temporary, "w");
	if (!file)
		return -errno;
	fprintf(file, "id %s\nseed %llu\nfirst %llu\nlast %lld\ncount %llu\n", series->id, (unsigned long long)series->seed,
		(unsigned long long)series->first, (long long)(series->first + series->count) - 1,
		(unsigned long long)series->count);
	fprintf(file, "size_min %u\nsize_max %u\nbinary %d\nlines %u\n", series->size_min, series->size_max, series->binary,
		series->lines);
	if (fclose(file) || rename(temporary, path))
		return -errno;
	return 0;
}

static int take(struct send_series *series, const char *name, const char *value)
{
	unsigned long long number;
	char rest;

	if (!strcmp(name, "id")) {
		if (strlen(value) > SEND_ID_MAX)
			return -EINVAL;
		strcpy(series->id, value);
		return 0;
	}
	if (!strcmp(name, "last")) /* for people; it follows from first and count */
		return 0;
	if (sscanf(value, "%llu%c", &number, &rest) != 1)
		return -EINVAL;
	if (!strcmp(name, "seed"))
		series->seed = number;
	else if (!strcmp(name, "first"))
		series->first = number;
	else if (!strcmp(name, "count"))
		series->count = number;
	else if (!strcmp(name, "size_min"))
		series->size_min = (uint32_t)number;
	else if (!strcmp(name, "size_max"))
		series->size_max = (uint32_t)number;
	else if (!strcmp(name, "binary"))
		series->binary = number != 0;
	else if (!strcmp(name, "lines"))
		series->lines = (uint32_t)number;
	else
		return -EINVAL;
	return 0;
}

int manifest_read(const char *path, struct send_series *series)
{
	FILE *file = fopen(path, "r");
	char name[32], value[64];
	int error = 0, fields;

	if (!file)
		return -errno;
	memset(series, 0, sizeof(*series));
	while (!error && (fields = fscanf(file, "%31s %63s", name, value)) != EOF)
		error = fields == 2 ? take(series, name, value) : -EINVAL;
	fclose(file);
	if (!error && (!series->id[0] || series->size_max < series->size_min || series->size_max > SEND_RECORD_MAX ||
		       series->size_min < record_smallest(series)))
		error = -EINVAL;
	return error;
}
