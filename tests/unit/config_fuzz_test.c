#include "tests/support/rounds.h"
#include "tests/unit/config_fixture.h"

#define FLIPS ROUNDS(2000u)
#ifdef SANITIZED
#define CUT_STEP 31
#else
#define CUT_STEP 7
#endif

// Every file either loads, or is refused with at least one report; nothing else may happen (the sanitizers look on).
static void loads_or_says_why(struct fixture *f, const char *text, size_t length)
{
	fixture_write(f, "main.yaml", text, length);
	if (fixture_load(f) != 0)
		assert_non_null(strstr(f->said, "main.yaml:"));
}

// A file that uses every kind of value, without the prose that makes the sample long.
static char *dense_file(size_t *length)
{
	char *sample = fixture_read("config/development.yaml", length), *text = NULL;
	FILE *out = open_memstream(&text, length);

	for (char *line = strtok(sample, "\n"); line; line = strtok(NULL, "\n"))
		if (!strchr(line, '#'))
			fprintf(out, "%s\n", line);
	fputs("  - &x name: \"s\\x33\"\n    stream: 'syslog'\n    destination:\n      s3: {endpoint: http://[::1]:80, "
	      "bucket: abc,\n"
	      "           access_key_file: k}\n    prefix: \"!{timestamp:yyyy/MM}/\"\n    delimiter: |\n      x\n",
	      out);
	fclose(out);
	free(sample);
	return text;
}

/* Every cut is a whole load, and the sample has grown to where all of them together take minutes: a step that no line's length
 * shares puts cuts at every place of a line all the same. */
static void a_file_cut_anywhere_loads_or_says_why(void **state)
{
	size_t length;
	char *text = dense_file(&length);

	for (size_t cut = 0; cut <= length; cut += CUT_STEP)
		loads_or_says_why(*state, text, cut);
	free(text);
}

static void the_sample_cut_anywhere_loads_or_says_why(void **state)
{
	size_t length;
	char *text = fixture_read("config/penstock.yaml", &length);

	for (size_t cut = 0; cut <= length; cut += CUT_STEP)
		loads_or_says_why(*state, text, cut);
	free(text);
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static void changed_bytes_load_or_say_why(void **state)
{
	static const char likely[] = "{}[]:,&*!|>'\"#%@`-?\n\t 09a~";
	uint64_t random = 20240229;
	size_t length;
	char *text = dense_file(&length), *changed = malloc(length);

	assert_non_null(changed);
	for (uint32_t n = 0; n < FLIPS; n++) {
		memcpy(changed, text, length);
		for (uint64_t count = 1 + next_random(&random) % 8; count; count--) {
			uint64_t r = next_random(&random);

			changed[(r >> 16) % length] = r & 1 ? (char)(r >> 8) : likely[(r >> 8) % (sizeof likely - 1)];
		}
		loads_or_says_why(*state, changed, length);
	}
	free(changed);
	free(text);
}

static void deep_and_wide_files_are_refused_soon(void **state)
{
	static const char *const parts[] = {"[", "{a: ",         "- ", "? ",  "&a ",    "*a ",
					    "!", "a: &a [*a]\n", "\"", "- [", "k: v\n", "a,"};
	char *text = malloc(1 << 18);

	assert_non_null(text);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size_t part = strlen(parts[i]), length = 0;

		for (; length + part < 1 << 18; length += part)
			memcpy(text + length, parts[i], part);
		loads_or_says_why(*state, text, length);
		assert_int_not_equal(((struct fixture *)*state)->error, 0);
	}
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_cut_anywhere_loads_or_says_why),
		TEST(the_sample_cut_anywhere_loads_or_says_why),
		TEST(changed_bytes_load_or_say_why),
		TEST(deep_and_wide_files_are_refused_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
