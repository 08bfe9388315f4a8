// Any bytes as JSON and as JSON lines: cut and decoded, see codec.h; judged as jansson judges them; and a field looked
// for.
#include "dataplane/codec/path.h"
#include "tests/fuzz/codec.h"
#include "tests/support/json_tree.h"

/* The same field is found whatever room its text has, on an exact copy. */
static void check_path(const char *text, const uint8_t *bytes, uint32_t length, uint32_t room)
{
	static uint8_t scratch[CODEC_SCRATCH_BYTES];
	struct codec_record record = {.bytes = bytes, .length = length, .scratch = scratch};
	char *all = fuzz_allocate(length + 32), *some = fuzz_allocate(room);
	struct field_path path;
	uint32_t all_length, some_length;

	if (field_path_parse(text, &path) == 0) {
		all_length = field_path_find(&path, codec_by_id(CODEC_JSON), &record, all, length + 32);
		some_length = field_path_find(&path, codec_by_id(CODEC_JSON), &record, some, room);
		fuzz_require(all_length <= length + 32 && some_length <= all_length && some_length <= room);
		fuzz_require(memcmp(all, some, some_length) == 0 &&
			     (all_length <= room) == (some_length == all_length));
		fuzz_require(all_length <= room || room - some_length < 4);
	}
	free(all);
	free(some);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"a", "/a/b", "/value/0", "/a/0/b", "", "//", "/value/1/a"};

	if (size < 1)
		return -1;
	json_object_seed(1);
	json_tree_compare(data + 1, (uint32_t)size - 1);
	check_path(paths[data[0] % (sizeof paths / sizeof *paths)], data + 1, (uint32_t)size - 1, data[0]);
	return codec_fuzz(CODEC_JSON_LINES, data, size);
}
