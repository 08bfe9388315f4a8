#include "dataplane/rule/capture.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 32u           /* of a pattern whose group is a key */
#define STACK_BYTES (64u << 10)  /* of compiled code */
#define ARENA_BYTES (512u << 10) /* of the interpreter, where the system forbids compiled code */

struct rule_capture {
	pcre2_code *code;
	uint32_t group;
	bool jit; /* false where memory cannot be made executable (MemoryDenyWriteExecute) */
};

struct rule_capture_scratch {
	pcre2_general_context *memory;
	pcre2_match_context *match;
	pcre2_match_data *data;
	pcre2_jit_stack *stack;
	uint32_t used, live; /* of the arena: bytes, and blocks that are not given back */
	uint8_t arena[ARENA_BYTES] __attribute__((aligned(16)));
};

// The interpreter asks for memory while it matches. It gets it from here, or an answer of no, and never the system's.
static void *arena_take(size_t bytes, void *arg)
{
	struct rule_capture_scratch *s = arg;
	size_t whole = (bytes + 15) & ~(size_t)15;
	void *block = s->arena + s->used;

	if (bytes > ARENA_BYTES || whole > ARENA_BYTES - s->used)
		return NULL;
	s->used += (uint32_t)whole;
	s->live++;
	return block;
}

static void arena_give(void *block, void *arg)
{
	struct rule_capture_scratch *s = arg;

	if (block && --s->live == 0)
		s->used = 0;
}

static uint32_t options_of(const struct config_rule *rule)
{
	return (rule->caseless ? PCRE2_CASELESS : 0) | (rule->dotall ? PCRE2_DOTALL : 0) |
	       (rule->multiline ? PCRE2_MULTILINE : 0) | (rule->utf8 ? PCRE2_UTF | PCRE2_MATCH_INVALID_UTF : 0) |
	       PCRE2_NEVER_BACKSLASH_C;
}

// The number of `group`, or -EINVAL with why not.
static int find_group(const pcre2_code *code, const char *group, uint32_t *number, char *reason, size_t room)
{
	char *rest;
	unsigned long n = strtoul(group, &rest, 10);
	uint32_t groups = 0;
	int named;

	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
	if (groups > GROUPS_MAX) {
		snprintf(reason, room, "the pattern has %u groups, %u are the most for a key", groups, GROUPS_MAX);
		return -EINVAL;
	}
	if (group[0] >= '0' && group[0] <= '9' && *rest == '\0') {
		*number = n <= groups ? (uint32_t)n : 0;
		if (n <= groups)
			return 0;
		snprintf(reason, room, "there is no group %s: the pattern has %u", group, groups);
		return -EINVAL;
	}
	named = pcre2_substring_number_from_name(code, (PCRE2_SPTR)group);
	if (named < 0) {
		snprintf(reason, room,
			 named == PCRE2_ERROR_NOUNIQUESUBSTRING ? "several groups are called '%s'"
								: "the pattern has no group called '%s'",
			 group);
		return -EINVAL;
	}
	*number = (uint32_t)named;
	return 0;
}

int rule_capture_compile(const struct config *config, uint32_t rule, const char *group, char *reason, size_t room,
			 struct rule_capture **out)
{
	const struct config_rule *r = &config->rules[rule];
	struct rule_capture *capture = calloc(1, sizeof *capture);
	PCRE2_SIZE at;
	int code, error;

	*out = NULL;
	if (!capture)
		return -ENOMEM;
	capture->code = pcre2_compile((PCRE2_SPTR)r->pattern, PCRE2_ZERO_TERMINATED, options_of(r), &code, &at, NULL);
	if (!capture->code) {
		PCRE2_UCHAR text[160];

		pcre2_get_error_message(code, text, sizeof text);
		snprintf(reason, room, "PCRE2 does not take the pattern: %s (byte %zu of it)", text, at + 1);
		free(capture);
		return code == PCRE2_ERROR_NOMEMORY ? -ENOMEM : -EINVAL;
	}
	error = find_group(capture->code, group, &capture->group, reason, room);
	if (error) {
		rule_capture_free(capture);
		return error;
	}
	capture->jit = pcre2_jit_compile(capture->code, PCRE2_JIT_COMPLETE) == 0;
	*out = capture;
	return 0;
}

void rule_capture_free(struct rule_capture *capture)
{
	if (!capture)
		return;
	pcre2_code_free(capture->code);
	free(capture);
}

struct rule_capture_scratch *rule_capture_scratch_new(void)
{
	struct rule_capture_scratch *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->memory = pcre2_general_context_create(arena_take, arena_give, s);
	s->match = s->memory ? pcre2_match_context_create(s->memory) : NULL;
	s->data = s->memory ? pcre2_match_data_create(GROUPS_MAX + 1, s->memory) : NULL;
	s->stack = pcre2_jit_stack_create(STACK_BYTES, STACK_BYTES, NULL);
	if (!s->match || !s->data) {
		rule_capture_scratch_free(s);
		return NULL;
	}
	pcre2_set_match_limit(s->match, RULE_CAPTURE_STEPS);
	pcre2_set_depth_limit(s->match, RULE_CAPTURE_STEPS);
	pcre2_set_heap_limit(s->match, RULE_CAPTURE_HEAP >> 10);
	if (s->stack)
		pcre2_jit_stack_assign(s->match, NULL, s->stack);
	return s;
}

void rule_capture_scratch_free(struct rule_capture_scratch *s)
{
	if (!s)
		return;
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->match);
	pcre2_jit_stack_free(s->stack);
	pcre2_general_context_free(s->memory);
	free(s);
}

bool rule_capture_find(const struct rule_capture *capture, struct rule_capture_scratch *scratch, const uint8_t *bytes,
		       uint32_t length, struct slice *out)
{
	bool cut = length > RULE_CAPTURE_BYTES;
	uint32_t seen = cut ? RULE_CAPTURE_BYTES : length;
	uint32_t options = cut ? PCRE2_NOTEOL : 0; /* `$` is not there */
	const PCRE2_SIZE *ends;
	int found;

	if (length == 0)
		return false;
	/* Without compiled code pcre2_match() interprets; pcre2_jit_match() skips checks of arguments that are ours. */
	if (capture->jit)
		found = pcre2_jit_match(capture->code, bytes, seen, 0, options, scratch->data, scratch->match);
	else
		found = pcre2_match(capture->code, bytes, seen, 0, options | PCRE2_NO_JIT, scratch->data, scratch->match);
	if (found <= (int)capture->group)
		return false;
	ends = pcre2_get_ovector_pointer(scratch->data) + 2 * capture->group;
	if (ends[0] == PCRE2_UNSET || ends[1] <= ends[0] || (cut && ends[1] == seen))
		return false;
	*out = (struct slice){(uint32_t)ends[0], (uint32_t)(ends[1] - ends[0])};
	return true;
}
