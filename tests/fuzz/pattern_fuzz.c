// Any bytes as a pattern: Hyperscan refuses it, or what is read from its text never makes the block miss a record.
#include "dataplane/rule/cache.h"
#include "dataplane/rule/literal.h"
#include "dataplane/rule/pattern.h"
#include "tests/fuzz/rule_burst.h"

static hs_database_t *compile(const char *pattern, uint32_t flags)
{
	hs_compile_error_t *error = NULL;
	hs_database_t *database = NULL;

	if (hs_compile(pattern, flags, HS_MODE_BLOCK, NULL, &database, &error) != HS_SUCCESS)
		hs_free_compile_error(error);
	return database;
}

static bool found(const hs_database_t *database, hs_scratch_t *scratch, const uint8_t *bytes, size_t length)
{
	uint32_t matches = 0;

	fuzz_require(hs_scan(database, (const char *)bytes, (uint32_t)length, 0, scratch, reference_count, &matches) ==
		     HS_SUCCESS);
	return matches > 0;
}

/* The text between '\n' as a block would hold it, and alone. */
static void check_text(const struct config_rule *rule, const struct pattern_traits *traits, hs_database_t *alone,
		       hs_database_t *block, const uint8_t *text, uint32_t length)
{
	uint8_t *between = fuzz_allocate(length + 2);
	hs_scratch_t *scratch = NULL;
	bool here, there;

	between[0] = between[length + 1] = '\n';
	memcpy(between + 1, text, length);
	fuzz_require(hs_alloc_scratch(alone, &scratch) == HS_SUCCESS &&
		     hs_alloc_scratch(block, &scratch) == HS_SUCCESS);
	here = length && found(alone, scratch, text, length);
	there = found(block, scratch, between, length + 2);
	fuzz_require(!here || there || !length);
	if (here && traits->literal_length && !rule->caseless)
		fuzz_require(memmem(text, length, traits->literal, traits->literal_length));
	if (traits->proof == PATTERN_CERTAIN && length)
		fuzz_require(here == there);
	hs_free_scratch(scratch);
	free(between);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_rule rule = {.every = 0};
	struct pattern_traits traits;
	hs_database_t *alone, *block;
	uint32_t flags, length, repeats = 0;

	if (size < 3 || size > 300)
		return -1;
	length = data[0] % 33; /* compiling what is large is another process's to survive */
	rule.caseless = data[1] & 1;
	rule.dotall = data[1] & 2;
	rule.multiline = data[1] & 4;
	data += 2;
	size -= 2;
	if (length == 0 || length > size || memchr(data, 0, length) || memmem(data, length, "\\p", 2) ||
	    memmem(data, length, "\\P", 2))
		return -1;
	memcpy(rule.pattern, data, length);
	for (const char *at = rule.pattern; (at = strchr(at, '{')); at++) {
		if (repeats++ || strspn(at + 1, "0123456789") > 1 || strcspn(at, ",") < strlen(at))
			return -1;
	}
	traits = pattern_read(&rule);
	flags = (rule.caseless ? HS_FLAG_CASELESS : 0) | (rule.dotall ? HS_FLAG_DOTALL : 0) |
		(rule.multiline ? HS_FLAG_MULTILINE : 0);
	alone = compile(rule.pattern, flags);
	if (!traits.together || !alone) {
		hs_free_database(alone);
		return alone ? 0 : -1;
	}
	block = compile(rule.pattern, flags | HS_FLAG_MULTILINE);
	fuzz_require(block); /* what Hyperscan takes alone must not be refused because of the block */
	check_text(&rule, &traits, alone, block, data + length, (uint32_t)(size - length));
	hs_free_database(alone);
	hs_free_database(block);
	return 0;
}
