// Writes the files that are made from the table of knobs. Usage: config-files DIRECTORY
#include <stdio.h>
#include <string.h>

#include "config/config.h"

static int write_file(const char *directory, const char *name, void (*print)(FILE *))
{
	char path[4096];
	FILE *file;
	int error;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "we");
	if (!file) {
		perror(path);
		return 1;
	}
	print(file);
	error = ferror(file);
	if (fclose(file) != 0 || error) {
		perror(path);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	return write_file(argv[1], "penstock.yaml", config_print_sample) |
	       write_file(argv[1], "penstock.yaml.5", config_print_manual);
}
