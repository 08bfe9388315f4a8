#include "dataplane/rule/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static struct image_key key_of(XXH128_hash_t hash)
{
	return (struct image_key){hash.low64, hash.high64};
}

struct image_key image_key(const struct image_group *groups, uint32_t count)
{
	XXH3_state_t *state = XXH3_createState();
	const char *version = hs_version();
	hs_platform_info_t platform;
	XXH128_hash_t hash;

	memset(&platform, 0, sizeof platform);
	if (!state || hs_populate_platform(&platform) != HS_SUCCESS)
		abort(); /* a few hundred bytes, and a processor that main() has found good enough */
	XXH3_128bits_reset(state);
	XXH3_128bits_update(state, version, strlen(version) + 1);
	XXH3_128bits_update(state, &platform, sizeof platform);
	for (uint32_t g = 0; g < count; g++) {
		XXH3_128bits_update(state, &groups[g].count, sizeof groups[g].count);
		for (uint32_t i = 0; i < groups[g].count; i++) {
			const struct image_pattern *p = &groups[g].patterns[i];

			XXH3_128bits_update(state, &p->flags, sizeof p->flags);
			XXH3_128bits_update(state, p->text, strlen(p->text) + 1);
		}
	}
	hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	return key_of(hash);
}

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

static int write_all(int file, const uint8_t *bytes, size_t length)
{
	for (size_t at = 0; at < length;) {
		ssize_t n = write(file, bytes + at, length - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int image_write(int file, const struct image_key *key, hs_database_t *const *databases, uint32_t count)
{
	size_t at = sizeof(struct image_header) + count * sizeof(uint64_t), sizes[IMAGE_GROUPS_MAX];
	char *blobs[IMAGE_GROUPS_MAX] = {NULL};
	struct image_header *header = NULL;
	int error = 0;

	for (uint32_t g = 0; g < count && error == 0; g++) {
		if (hs_serialize_database(databases[g], &blobs[g], &sizes[g]) != HS_SUCCESS)
			error = -ENOMEM;
		else
			at += padded(sizes[g]);
	}
	if (error == 0 && at > IMAGE_BYTES_MAX)
		error = -EFBIG;
	if (error == 0)
		header = calloc(1, at);
	if (header) {
		uint64_t *lengths = (uint64_t *)(header + 1);
		uint8_t *to = (uint8_t *)(lengths + count);

		for (uint32_t g = 0; g < count; g++) {
			lengths[g] = sizes[g];
			memcpy(to, blobs[g], sizes[g]);
			to += padded(sizes[g]);
		}
		*header = (struct image_header){IMAGE_MAGIC, IMAGE_FORMAT, count, at, *key, {0, 0}};
		header->digest = key_of(XXH3_128bits(header + 1, at - sizeof *header));
		error = write_all(file, (uint8_t *)header, at);
	} else if (error == 0) {
		error = -ENOMEM;
	}
	free(header);
	for (uint32_t g = 0; g < count; g++)
		free(blobs[g]);
	return error;
}

int image_read(int file, uint8_t **bytes, size_t *length)
{
	struct stat status;
	size_t at = 0;

	if (fstat(file, &status) != 0)
		return -errno;
	if (status.st_size > (off_t)IMAGE_BYTES_MAX)
		return -EFBIG;
	*bytes = malloc((size_t)status.st_size + 1);
	if (!*bytes)
		return -ENOMEM;
	while (at < (size_t)status.st_size) {
		ssize_t n = pread(file, *bytes + at, (size_t)status.st_size - at, (off_t)at);

		if (n == 0)
			break; /* cut meanwhile: image_open() sees it */
		if (n < 0 && errno != EINTR) {
			free(*bytes);
			*bytes = NULL;
			return -errno;
		}
		at += n > 0 ? (size_t)n : 0;
	}
	*length = at;
	return 0;
}

// True when header, sizes and digest belong together.
static bool image_is_whole(const uint8_t *bytes, size_t length, const struct image_key *key, uint32_t count)
{
	size_t at = sizeof(struct image_header) + count * sizeof(uint64_t);
	struct image_header header;
	struct image_key digest;

	if (length < at)
		return false;
	memcpy(&header, bytes, sizeof header);
	if (header.magic != IMAGE_MAGIC || header.format != IMAGE_FORMAT || header.groups != count ||
	    header.bytes != length || header.key.low != key->low || header.key.high != key->high)
		return false;
	digest = key_of(XXH3_128bits(bytes + sizeof header, length - sizeof header));
	if (digest.low != header.digest.low || digest.high != header.digest.high)
		return false;
	for (uint32_t g = 0; g < count; g++) {
		uint64_t size;

		memcpy(&size, bytes + sizeof header + g * sizeof size, sizeof size);
		if (size > length - at || padded(size) > length - at)
			return false;
		at += padded(size);
	}
	return at == length;
}

int image_open(const uint8_t *bytes, size_t length, const struct image_key *key, hs_database_t **databases,
	       uint32_t count)
{
	size_t at = sizeof(struct image_header) + count * sizeof(uint64_t);

	if (!image_is_whole(bytes, length, key, count))
		return -EBADMSG;
	for (uint32_t g = 0; g < count; g++) {
		hs_error_t error;
		uint64_t size;

		memcpy(&size, bytes + sizeof(struct image_header) + g * sizeof size, sizeof size);
		error = hs_deserialize_database((const char *)bytes + at, size, &databases[g]);
		if (error != HS_SUCCESS) {
			while (g > 0)
				hs_free_database(databases[--g]);
			return error == HS_NOMEM ? -ENOMEM : -EBADMSG;
		}
		at += padded(size);
	}
	return 0;
}
