#include "control/delivery/compress.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define BLOCK_BYTES (128u << 10)

struct compress {
	enum config_compression kind;
	struct sink sink;
	int error;
	size_t used;
	uint8_t *block;  /* input gathered so far */
	uint8_t *result; /* BLOCK_BYTES */
	ZSTD_CCtx *zstd;
	struct isal_zstream gzip;
	uint8_t *gzip_level;
};

int compress_open(enum config_compression kind, struct compress **out)
{
	struct compress *c;

	if (kind != COMPRESS_NONE && kind != COMPRESS_GZIP && kind != COMPRESS_ZSTD)
		return -EINVAL;
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return -ENOMEM;
	c->kind = kind;
	if (kind != COMPRESS_NONE) {
		c->block = malloc(BLOCK_BYTES);
		c->result = malloc(BLOCK_BYTES);
	}
	if (kind == COMPRESS_GZIP)
		c->gzip_level = malloc(ISAL_DEF_LVL1_DEFAULT);
	if (kind == COMPRESS_ZSTD)
		c->zstd = ZSTD_createCCtx();
	if (kind != COMPRESS_NONE &&
	    (c->block == NULL || c->result == NULL || (c->gzip_level == NULL && c->zstd == NULL))) {
		compress_close(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void compress_close(struct compress *c)
{
	if (c == NULL)
		return;
	free(c->block);
	free(c->result);
	free(c->gzip_level);
	ZSTD_freeCCtx(c->zstd);
	free(c);
}

static int send(struct compress *c, size_t length)
{
	if (c->error == 0 && length > 0)
		c->error = c->sink.write(c->sink.handle, c->result, length);
	return c->error;
}

static int press_gzip(struct compress *c, bool end)
{
	c->gzip.next_in = c->block;
	c->gzip.avail_in = (uint32_t)c->used;
	c->gzip.end_of_stream = end;
	do {
		c->gzip.next_out = c->result;
		c->gzip.avail_out = BLOCK_BYTES;
		if (isal_deflate(&c->gzip) != COMP_OK)
			return -EIO;
		if (send(c, BLOCK_BYTES - c->gzip.avail_out) != 0)
			return c->error;
	} while (c->gzip.avail_out == 0 || (end && c->gzip.internal_state.state != ZSTATE_END));
	return 0;
}

static int press_zstd(struct compress *c, bool end)
{
	ZSTD_inBuffer in = {c->block, c->used, 0};
	size_t left;

	do {
		ZSTD_outBuffer result = {c->result, BLOCK_BYTES, 0};

		left = ZSTD_compressStream2(c->zstd, &result, &in, end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return -EIO;
		if (send(c, result.pos) != 0)
			return c->error;
	} while (end ? left != 0 : in.pos < in.size);
	return 0;
}

static int press(struct compress *c, bool end)
{
	if (c->error == 0)
		c->error = c->kind == COMPRESS_GZIP ? press_gzip(c, end) : press_zstd(c, end);
	c->used = 0;
	return c->error;
}

static int gather_block(void *handle, const void *bytes, size_t length)
{
	struct compress *c = handle;
	const uint8_t *from = bytes;

	while (length > 0) {
		size_t n = BLOCK_BYTES - c->used < length ? BLOCK_BYTES - c->used : length;

		memcpy(c->block + c->used, from, n);
		c->used += n;
		from += n;
		length -= n;
		if (c->used == BLOCK_BYTES && press(c, false) != 0)
			return c->error;
	}
	return c->error;
}

int compress_begin(struct compress *c, const struct sink *sink, struct sink *front)
{
	c->sink = *sink;
	c->error = 0;
	c->used = 0;
	*front = *sink;
	if (c->kind == COMPRESS_NONE)
		return 0;
	*front = (struct sink){gather_block, c};
	if (c->kind == COMPRESS_GZIP) {
		isal_deflate_init(&c->gzip);
		c->gzip.gzip_flag = IGZIP_GZIP; /* its header: no time, no name */
		c->gzip.level = 1;
		c->gzip.level_buf = c->gzip_level;
		c->gzip.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
		/* The level's tables must not remember the object before. */
		memset(c->gzip_level, 0, ISAL_DEF_LVL1_DEFAULT);
		return 0;
	}
	ZSTD_CCtx_reset(c->zstd, ZSTD_reset_session_and_parameters);
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1);
	return 0;
}

int compress_end(struct compress *c)
{
	return c->kind == COMPRESS_NONE ? 0 : press(c, true);
}

const char *compress_extension(enum config_compression kind)
{
	return kind == COMPRESS_GZIP ? ".gz" : kind == COMPRESS_ZSTD ? ".zst" : "";
}
