// A lane's memory without a region: mapped twice in a row, as region_map.c does it. Included behind cmocka.h.
#pragma once

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static inline uint8_t *mirrored(uint64_t size)
{
	int fd = memfd_create("lane", 0);
	uint8_t *bytes = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(fd >= 0 && bytes != MAP_FAILED && ftruncate(fd, (off_t)size) == 0);
	for (int i = 0; i < 2; i++)
		assert_true(mmap(bytes + i * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	close(fd);
	return bytes;
}
