// GELF chunks as they arrive, at an assembly of their own, and what it drops.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/gelf.h"

#define SECOND 1000000000ull
#define DROPS_MAX 4096u

struct drop {
	enum dead_letter_reason reason;
	uint32_t had, expected, length;
	uint64_t first_ns;
	struct gelf_chunk_source source;
	uint8_t bytes[64];
};

struct rig {
	struct gelf_taker taker;
	struct gelf_assembly *assembly;
	void *memory;
	struct drop drops[DROPS_MAX];
	uint32_t drops_count;
	uint64_t chunks_dropped;
};

static inline void note(struct gelf_taker *taker, const struct gelf_dropped *dropped)
{
	struct rig *r = (struct rig *)taker;
	struct drop *drop = &r->drops[r->drops_count % DROPS_MAX];

	*drop = (struct drop){dropped->reason,  dropped->had, dropped->expected, dropped->length, dropped->first_ns,
			      *dropped->source, {0}};
	memcpy(drop->bytes, dropped->bytes,
	       dropped->length < sizeof drop->bytes ? dropped->length : sizeof drop->bytes);
	r->drops_count++;
	r->chunks_dropped += dropped->had;
}

static const uint8_t secret[16] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};

static inline void rig_make(struct rig *r, uint32_t messages, uint32_t bytes)
{
	memset(r, 0, sizeof *r);
	r->taker.dropped = note;
	r->memory = aligned_alloc(64, (gelf_assembly_bytes(messages, bytes) + 63) & ~63ull);
	assert_non_null(r->memory);
	r->assembly = gelf_assembly_init(r->memory, messages, bytes, secret, &r->taker);
	assert_non_null(r->assembly);
}

static inline void rig_destroy(struct rig *r)
{
	gelf_end(r->assembly);
	assert_int_equal(gelf_pending(r->assembly), 0);
	free(r->memory);
}

static inline struct gelf_chunk_source source_of(uint32_t host)
{
	struct gelf_chunk_source source = {.input = 7, .origin_kind = RECORD_ORIGIN_IPV4};

	memcpy(source.origin.v4.source, &host, 4);
	source.origin.v4.source_port[0] = 0x30;
	return source;
}

struct arrived {
	enum gelf_outcome outcome;
	const uint8_t *bytes;
	uint32_t length;
};

/* A chunk, in exactly its bytes on the heap. */
static inline struct arrived chunk(struct rig *r, uint64_t now_ns, uint32_t host, uint64_t id, uint8_t index, uint8_t count,
			    const void *bytes, uint32_t length)
{
	static uint8_t *datagram;
	struct gelf_chunk_source source = source_of(host);
	struct arrived out;

	free(datagram); /* what came before may have pointed into it until now */
	datagram = malloc(GELF_CHUNK_HEADER + length);
	memcpy(datagram, "\x1e\x0f", 2);
	memcpy(datagram + 2, &id, 8);
	datagram[10] = index;
	datagram[11] = count;
	memcpy(datagram + GELF_CHUNK_HEADER, bytes, length);
	out.outcome = gelf_assemble(r->assembly, &source, now_ns, datagram, GELF_CHUNK_HEADER + length, &out.bytes,
				    &out.length);
	return out;
}

static inline void expect_whole(struct arrived arrived, const char *text)
{
	assert_int_equal(arrived.outcome, GELF_WHOLE);
	assert_int_equal(arrived.length, strlen(text));
	assert_memory_equal(arrived.bytes, text, arrived.length);
}

static inline int make(void **state)
{
	*state = malloc(sizeof(struct rig));
	rig_make(*state, 64, 1 << 20);
	return 0;
}

static inline int destroy(void **state)
{
	rig_destroy(*state);
	free(*state);
	return 0;
}

#define with_rig(test) cmocka_unit_test_setup_teardown(test, make, destroy)
