#include "control/store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <isa-l.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "control/store/files.h"

#define NAME_DIGITS 20

int segment_path(char *path, const char *directory, uint64_t first_sequence, const char *suffix)
{
	int n = snprintf(path, PATH_MAX, "%s/%0*" PRIu64 "%s", directory, NAME_DIGITS, first_sequence, suffix);

	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

bool segment_parse_name(const char *name, const char *suffix, uint64_t *first_sequence)
{
	uint64_t n = 0;

	for (int i = 0; i < NAME_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(name[i] - '0'), &n))
			return false;
	}
	*first_sequence = n;
	return strcmp(name + NAME_DIGITS, suffix) == 0;
}

static uint32_t crc_more(uint32_t crc, const void *bytes, size_t length)
{
	return crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)length, crc);
}

uint32_t segment_crc(const void *bytes, size_t length)
{
	return ~crc_more(0xffffffffu, bytes, length); /* isa-l leaves both inversions to its caller */
}

static uint32_t header_crc(const struct segment_header *header)
{
	static const uint32_t zero;

	return ~crc_more(crc_more(0xffffffffu, header, offsetof(struct segment_header, crc)), &zero, sizeof zero);
}

static uint32_t batch_crc(const struct batch *b)
{
	struct batch first = *b;

	first.crc = 0;
	return ~crc_more(crc_more(0xffffffffu, &first, sizeof first), b + 1, b->length - sizeof first);
}

void segment_header_seal(struct segment_header *header)
{
	header->crc = header_crc(header);
}

void batch_seal(struct batch *b)
{
	b->crc = batch_crc(b);
}

bool segment_header_valid(const struct segment_header *header)
{
	return header->magic == SEGMENT_MAGIC && header->version >= 1 && header->version <= SEGMENT_VERSION &&
	       header->crc == header_crc(header);
}

bool batch_valid(const struct batch *b)
{
	return b->magic == BATCH_MAGIC && b->length >= sizeof *b && b->length <= BATCH_LENGTH_MAX &&
	       b->crc == batch_crc(b);
}

int segment_open(const char *directory, uint64_t first_sequence, bool direct)
{
	char path[PATH_MAX];
	int error = segment_path(path, directory, first_sequence, SEGMENT_SUFFIX), fd;

	if (error)
		return error;
	fd = files.open(path, O_RDONLY | (direct ? O_DIRECT : 0), 0);
	return fd == -EINVAL && direct ? files.open(path, O_RDONLY, 0) : fd;
}
