// The compiler's own side: reads patterns from standard input, leaves an image or a report in standard output.
#include "dataplane/rule/compiler_child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/config.h"
#include "dataplane/rule/compiler.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHADOWED 1 /* a sanitizer maps terabytes */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHADOWED 1
#endif
#endif

#define EMPTY_TEXT "it matches the empty text"

struct work {
	struct compile_request request;
	struct image_group groups[IMAGE_GROUPS_MAX];
	hs_database_t *databases[IMAGE_GROUPS_MAX];
	struct compile_report report;
};

static void limit(int resource, uint64_t most)
{
	struct rlimit limits = {most, most};

	setrlimit(resource, &limits);
}

// What this process has mapped before it begins is no part of the budget.
static void limit_all(const struct compile_request *request)
{
	limit(RLIMIT_CPU, request->seconds);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 2 * IMAGE_BYTES_MAX);
#ifndef SHADOWED
	unsigned long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (statm && fscanf(statm, "%lu", &pages) == 1)
		limit(RLIMIT_AS, pages * (uint64_t)sysconf(_SC_PAGESIZE) + request->memory_bytes);
	if (statm)
		fclose(statm);
#endif
}

static bool read_pattern(struct image_pattern *pattern)
{
	uint32_t words[2];
	char *text;

	if (fread(words, sizeof words, 1, stdin) != 1 || words[1] < 1 || words[1] > CONFIG_PATTERN_MAX + 1)
		return false;
	text = calloc(1, words[1] + 1);
	*pattern = (struct image_pattern){text, words[0]};
	return text && fread(text, 1, words[1], stdin) == words[1];
}

static bool read_request(struct work *w)
{
	if (fread(&w->request, sizeof w->request, 1, stdin) != 1 || w->request.groups > IMAGE_GROUPS_MAX)
		return false;
	limit_all(&w->request);
	for (uint32_t g = 0; g < w->request.groups; g++) {
		struct image_group *group = &w->groups[g];

		if (fread(&group->count, sizeof group->count, 1, stdin) != 1 || group->count > CONFIG_RULES_MAX)
			return false;
		group->patterns = calloc(group->count + 1, sizeof *group->patterns);
		for (uint32_t i = 0; i < group->count; i++)
			if (!group->patterns || !read_pattern(&group->patterns[i]))
				return false;
	}
	return true;
}

static void write_report(struct work *w)
{
	w->report.magic = COMPILE_REPORT_MAGIC;
	if (pwrite(STDOUT_FILENO, &w->report, sizeof w->report, 0) != (ssize_t)sizeof w->report)
		_exit(COMPILE_BROKEN);
}

// Hyperscan's words, and in its place where they name one ("... at index 3.").
static void add_fault(struct work *w, uint32_t group, uint32_t pattern, const char *message)
{
	struct compile_fault *fault = &w->report.faults[w->report.faults_count];
	const char *index = strstr(message, " at index ");
	const char *whole = pattern == COMPILE_NO_PATTERN ? NULL : w->groups[group].patterns[pattern].text;
	size_t length = index ? (size_t)(index - message) : strlen(message);

	*fault = (struct compile_fault){group, pattern, COMPILE_NO_PATTERN, ""};
	if (index)
		fault->byte = (uint32_t)strtoul(index + strlen(" at index "), NULL, 10);
	while (length && (message[length - 1] == '.' || message[length - 1] == ' '))
		length--;
	if (strstr(message, "HS_FLAG_ALLOWEMPTY"))
		snprintf(fault->text, sizeof fault->text, EMPTY_TEXT);
	else
		snprintf(fault->text, sizeof fault->text, "%.*s", (int)(length < 190 ? length : 190), message);
	for (uint32_t i = 0; i < w->report.faults_count && whole; i++) {
		const struct compile_fault *told = &w->report.faults[i];

		if (told->pattern != COMPILE_NO_PATTERN && strcmp(told->text, fault->text) == 0 &&
		    strcmp(w->groups[told->group].patterns[told->pattern].text, whole) == 0)
			return; /* the same pattern in another group */
	}
	w->report.faults_count++;
	write_report(w);
}

// One database of the group's patterns but those in `left_out`. NULL after a fault or when memory ran out (*over).
static hs_database_t *compile(struct work *w, uint32_t g, const bool *left_out, uint32_t *failed, bool *over)
{
	static const char *texts[CONFIG_RULES_MAX];
	static unsigned flags[CONFIG_RULES_MAX], ids[CONFIG_RULES_MAX];
	const struct image_group *group = &w->groups[g];
	hs_compile_error_t *error = NULL;
	hs_database_t *database = NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; i < group->count; i++) {
		if (left_out && left_out[i])
			continue;
		texts[count] = group->patterns[i].text;
		flags[count] = group->patterns[i].flags;
		ids[count++] = i;
	}
	*failed = COMPILE_NO_PATTERN;
	if (hs_compile_multi(texts, flags, ids, count, HS_MODE_BLOCK, NULL, &database, &error) == HS_SUCCESS)
		return database;
	*over = strstr(error->message, "allocate memory") != NULL;
	if (!*over) {
		*failed = error->expression >= 0 ? ids[error->expression] : COMPILE_NO_PATTERN;
		add_fault(w, g, *failed, error->message);
	}
	hs_free_compile_error(error);
	return NULL;
}

static int count_match(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags, void *arg)
{
	(void)id, (void)from, (void)to, (void)flags;
	++*(uint32_t *)arg;
	return 0;
}

// Hyperscan refuses "a*" but takes "^", "x|$" and "^a*$", which find themselves in every record or in empty ones only.
// Here none of them is a pattern: what matches, matches something.
static bool matches_nothing(const struct image_pattern *pattern)
{
	hs_compile_error_t *error = NULL;
	hs_expr_info_t *info = NULL;
	hs_database_t *database = NULL;
	hs_scratch_t *scratch = NULL;
	uint32_t matches = 0, width = 1;

	if (hs_expression_info(pattern->text, pattern->flags, &info, &error) == HS_SUCCESS)
		width = info->min_width;
	else
		hs_free_compile_error(error); /* told when it is compiled */
	free(info);
	if (width > 0)
		return false;
	if (hs_compile(pattern->text, pattern->flags, HS_MODE_BLOCK, NULL, &database, &error) != HS_SUCCESS) {
		hs_free_compile_error(error);
		return false;
	}
	if (hs_alloc_scratch(database, &scratch) == HS_SUCCESS)
		hs_scan(database, "", 0, 0, scratch, count_match, &matches);
	hs_free_scratch(scratch);
	hs_free_database(database);
	return matches > 0;
}

// COMPILE_DONE, also after faults, or COMPILE_OVER. Compiles a group, again without the faulty pattern after each
// fault, so that all faults are told at once.
static int compile_group(struct work *w, uint32_t g)
{
	bool left_out[CONFIG_RULES_MAX] = {false};
	uint32_t failed, left = 0;
	bool over = false;

	for (uint32_t i = 0; i < w->groups[g].count && w->report.faults_count < COMPILE_FAULTS_MAX; i++) {
		left_out[i] = matches_nothing(&w->groups[g].patterns[i]);
		left += !left_out[i];
		if (left_out[i])
			add_fault(w, g, i, EMPTY_TEXT);
	}
	for (; left > 0 && w->report.faults_count < COMPILE_FAULTS_MAX; left--) {
		hs_database_t *database = compile(w, g, left_out, &failed, &over);

		if (over)
			return COMPILE_OVER;
		if (database) {
			w->databases[g] = database;
			break;
		}
		if (failed == COMPILE_NO_PATTERN)
			break;
		left_out[failed] = true;
	}
	return COMPILE_DONE;
}

static int compile_all(struct work *w)
{
	int error;

	for (uint32_t g = 0; g < w->request.groups && w->report.faults_count < COMPILE_FAULTS_MAX; g++)
		if (compile_group(w, g) == COMPILE_OVER)
			return COMPILE_OVER;
	if (w->report.faults_count)
		return COMPILE_FAULTY;
	error = image_write(STDOUT_FILENO, &w->request.key, w->databases, w->request.groups);
	if (error == -EFBIG) {
		if (ftruncate(STDOUT_FILENO, 0) != 0)
			return COMPILE_BROKEN;
		add_fault(w, 0, COMPILE_NO_PATTERN, "the compiled patterns are larger than 64 MiB");
		return COMPILE_FAULTY;
	}
	return error == -ENOMEM ? COMPILE_OVER : error ? COMPILE_BROKEN : COMPILE_DONE;
}

static int compile_alone(struct work *w)
{
	for (uint32_t g = 0; g < w->request.groups; g++) {
		const struct image_group *group = &w->groups[g];

		for (uint32_t i = 0; i < group->count; i++) {
			hs_compile_error_t *error = NULL;
			hs_database_t *database = NULL;

			w->report.group = g;
			w->report.pattern = i;
			write_report(w); /* told first: this one may be the end of us */
			if (hs_compile(group->patterns[i].text, group->patterns[i].flags, HS_MODE_BLOCK, NULL,
				       &database, &error) == HS_SUCCESS) {
				hs_free_database(database);
				continue;
			}
			if (strstr(error->message, "allocate memory"))
				raise(SIGKILL); /* as if the limit had ended us here */
			add_fault(w, g, i, error->message);
			hs_free_compile_error(error);
			if (w->report.faults_count == COMPILE_FAULTS_MAX)
				return COMPILE_FAULTY;
		}
	}
	return w->report.faults_count ? COMPILE_FAULTY : COMPILE_DONE;
}

void compiler_child_run(void)
{
	static struct work work;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(3, ~0u, 0);
	if (!read_request(&work))
		_exit(COMPILE_BROKEN);
	_exit(work.request.mode == COMPILE_ALL ? compile_all(&work) : compile_alone(&work));
}
