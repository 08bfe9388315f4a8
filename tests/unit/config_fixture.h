// Configuration files made for one test, and what loading them says.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/config.h"

struct fixture {
	char directory[64];    /* holds main.yaml and conf.d */
	char path[96];         /* of main.yaml */
	struct config *config; /* what the last load gave */
	char *said;            /* what it wrote, with the directory's name taken out */
	int error;
};

static inline void fixture_write(const struct fixture *f, const char *name, const char *text, size_t length)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", f->directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static inline void fixture_forget(struct fixture *f)
{
	config_free(f->config);
	free(f->said);
	f->config = NULL;
	f->said = NULL;
}

// Loads main.yaml as it is now.
static inline int fixture_load(struct fixture *f)
{
	size_t length = strlen(f->directory) + 1;
	FILE *errors;

	fixture_forget(f);
	errors = open_memstream(&f->said, &(size_t){0});
	assert_non_null(errors);
	f->error = config_load(f->path, errors, &f->config);
	assert_int_equal(fclose(errors), 0);
	for (char *at = f->said; (at = strstr(at, f->directory));)
		memmove(at, at + length, strlen(at + length) + 1);
	assert_true((f->error == 0) == (f->config != NULL));
	return f->error;
}

static inline int fixture_load_text(struct fixture *f, const char *text)
{
	fixture_write(f, "main.yaml", text, strlen(text));
	return fixture_load(f);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char name[96];

	assert_non_null(f);
	strcpy(f->directory, "/tmp/penstock-config-XXXXXX");
	if (!mkdtemp(f->directory))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/main.yaml", f->directory);
	snprintf(name, sizeof name, "%s/conf.d", f->directory);
	mkdir(name, 0700);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	static const char *const names[] = {"conf.d/10.yaml", "conf.d/20.yaml", "conf.d/README",
					    "conf.d",         "main.yaml",      ""};
	struct fixture *f = *state;
	char path[160];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->directory, names[i]);
		remove(path);
	}
	fixture_forget(f);
	free(f);
	return 0;
}

// A whole file's text, malloc'ed.
static inline char *fixture_read(const char *path, size_t *length)
{
	char *text = NULL, bytes[4096];
	FILE *file = fopen(path, "r"), *copy = open_memstream(&text, length);
	size_t n;

	assert_non_null(file);
	assert_non_null(copy);
	while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
		fwrite(bytes, 1, n, copy);
	fclose(file);
	fclose(copy);
	return text;
}
