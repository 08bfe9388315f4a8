// Batched MD5 of short keys against OpenSSL's EVP, one digest at a time with the algorithm fetched beforehand.
#include <openssl/evp.h>

#include "dataplane/record/md5.h"
#include "tests/bench/pairs.h"

#define BURST 32u

struct burst {
	const struct md5_engine *engine;
	EVP_MD *md;
	EVP_MD_CTX *context;
	struct md5_key keys[BURST];
	uint8_t bytes[BURST][64];
	uint8_t digests[BURST][16];
};

static void run_engine(void *arg)
{
	struct burst *b = arg;

	b->engine->batch(b->keys, BURST, b->digests);
}

static void run_evp(void *arg)
{
	struct burst *b = arg;

	for (uint32_t i = 0; i < BURST; i++) {
		EVP_DigestInit_ex2(b->context, b->md, NULL);
		EVP_DigestUpdate(b->context, b->keys[i].bytes, b->keys[i].length);
		EVP_DigestFinal_ex(b->context, b->digests[i], NULL);
	}
}

/* length 0: every length from 1 to 55 at random. */
static void compare(struct burst *b, const char *what, uint32_t length)
{
	struct contender ours = {run_engine, b, BURST}, theirs = {run_evp, b, BURST};
	char name[64];

	for (uint32_t i = 0; i < BURST; i++) {
		b->keys[i] = (struct md5_key){b->bytes[i], length ? length : 1 + (uint32_t)rand() % 55};
		for (uint32_t j = 0; j < 64; j++)
			b->bytes[i][j] = (uint8_t)rand();
	}
	snprintf(name, sizeof name, "md5_%s_%s", b->engine->name, what);
	pairs_print(name, &ours, &theirs);
}

int main(void)
{
	uint32_t count;
	const struct md5_engine *engines = md5_engines(&count);
	static struct burst b;

	b.md = EVP_MD_fetch(NULL, "MD5", NULL);
	b.context = EVP_MD_CTX_new();
	for (uint32_t i = 0; i < count; i++) {
		b.engine = engines + i;
		compare(&b, "16B", 16);
		compare(&b, "55B", 55);
		compare(&b, "1-55B", 0);
	}
	EVP_MD_CTX_free(b.context);
	EVP_MD_free(b.md);
	return 0;
}
