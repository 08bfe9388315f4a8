#include "tests/support/delivery_fakes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- records ---- */

uint32_t fake_record_put(uint8_t *bytes, const struct fake_record *r)
{
	struct record header = {
		.length = r->payload_length,
		.key_length = (uint16_t)r->key_length,
		.kind = r->kind,
		.origin = r->origin,
		.arrival_ns = r->arrival_ns,
		.input = r->input,
		.vlan = r->vlan,
		.codec = r->codec,
		.key_kind = r->key_kind,
		.hash = r->hash,
	};
	uint32_t origin = record_origin_bytes(r->origin),
		 total = record_bytes(r->origin, r->key_length, r->payload_length);
	uint8_t *at = bytes + sizeof header;

	memset(bytes, 0, total);
	memcpy(bytes, &header, sizeof header);
	if (origin > 0)
		memcpy(at, r->origin_bytes, origin);
	at += origin;
	if (r->key_length > 0)
		memcpy(at, r->key, r->key_length);
	at += r->key_length;
	if (r->payload_length > 0)
		memcpy(at, r->payload, r->payload_length);
	return total;
}

struct fake_record fake_text(uint64_t arrival_ns, const char *text)
{
	return (struct fake_record){
		.kind = RECORD_DATA,
		.codec = CODEC_LINES,
		.vlan = RECORD_VLAN_NONE,
		.input = 7,
		.arrival_ns = arrival_ns,
		.key = "k",
		.key_length = 1,
		.payload = text,
		.payload_length = (uint32_t)strlen(text),
	};
}

/* ---- shards ---- */

#define BATCHES_MAX 4096u

struct fake_batch {
	uint64_t first_sequence, records_before;
	uint32_t sequences, records;
	uint8_t *bytes;
	size_t length;
};

struct shard {
	pthread_mutex_t lock;
	struct fake_batch batches[BATCHES_MAX]; /* the last is open */
	uint32_t count, first;
	uint64_t trim;
	int error;
};

struct shard_reader {
	struct shard *shard;
	uint8_t *copy;
};

struct shard *fake_shard_new(void)
{
	struct shard *s = calloc(1, sizeof *s);

	pthread_mutex_init(&s->lock, NULL);
	s->batches[0].first_sequence = s->trim = 1;
	return s;
}

void fake_shard_free(struct shard *s)
{
	for (uint32_t i = 0; i <= s->count; i++)
		free(s->batches[i].bytes);
	free(s);
}

void fake_shard_add(struct shard *s, const struct fake_record *r)
{
	struct fake_batch *b = &s->batches[s->count];

	pthread_mutex_lock(&s->lock);
	b->bytes = realloc(b->bytes, b->length + RECORD_BYTES_MAX);
	b->length += fake_record_put(b->bytes + b->length, r);
	b->sequences++;
	b->records += r->kind == RECORD_DATA;
	pthread_mutex_unlock(&s->lock);
}

void fake_shard_commit(struct shard *s)
{
	struct fake_batch *b = &s->batches[s->count];

	pthread_mutex_lock(&s->lock);
	if (b->sequences > 0 && s->count + 1 < BATCHES_MAX) {
		b[1].first_sequence = b->first_sequence + b->sequences;
		b[1].records_before = b->records_before + b->records;
		s->count++;
	}
	pthread_mutex_unlock(&s->lock);
}

void fake_shard_trim(struct shard *s, uint64_t sequence)
{
	pthread_mutex_lock(&s->lock);
	while (s->first < s->count && s->batches[s->first].first_sequence < sequence) {
		free(s->batches[s->first].bytes);
		s->batches[s->first].bytes = NULL;
		s->first++;
	}
	s->trim = s->batches[s->first].first_sequence;
	pthread_mutex_unlock(&s->lock);
}

void fake_shard_damage(struct shard *s, uint64_t sequence)
{
	pthread_mutex_lock(&s->lock);
	for (uint32_t i = s->first; i < s->count; i++) {
		struct fake_batch *b = &s->batches[i];

		if (sequence >= b->first_sequence && sequence < b->first_sequence + b->sequences) {
			free(b->bytes);
			b->bytes = NULL;
		}
	}
	pthread_mutex_unlock(&s->lock);
}

void fake_shard_set_error(struct shard *s, int error)
{
	pthread_mutex_lock(&s->lock);
	s->error = error;
	pthread_mutex_unlock(&s->lock);
}

static int reader_open(struct shard *shard, struct shard_reader **out)
{
	*out = calloc(1, sizeof **out);
	(*out)->shard = shard;
	return 0;
}

static void reader_close(struct shard_reader *reader)
{
	free(reader->copy);
	free(reader);
}

// As the store does: one gap record for all that a damaged batch held.
static void make_gap(const struct fake_batch *b, uint8_t *copy, struct store_batch *out)
{
	const struct gap gap = {.count = b->records, .reason = GAP_BATCH_DAMAGED, .worker = UINT16_MAX};
	const struct fake_record r = {.kind = RECORD_GAP, .payload = &gap, .payload_length = sizeof gap};

	out->length = fake_record_put(copy, &r);
	out->records = 0;
}

static int read_batch(struct shard_reader *reader, uint64_t sequence, struct store_batch *out)
{
	struct shard *s = reader->shard;
	int result = 0;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = s->first; result == 0 && s->error == 0 && i < s->count; i++) {
		const struct fake_batch *b = &s->batches[i];

		if (b->first_sequence + b->sequences <= sequence)
			continue;
		free(reader->copy);
		reader->copy = malloc(b->length + RECORD_BYTES_MAX);
		*out = (struct store_batch){
			.first_sequence = b->first_sequence,
			.sequences = b->sequences,
			.records = b->records,
			.records_before = b->records_before,
			.bytes = reader->copy,
			.length = b->length,
		};
		if (b->bytes != NULL)
			memcpy(reader->copy, b->bytes, b->length);
		else
			make_gap(b, reader->copy, out);
		result = 1;
	}
	if (s->error)
		result = s->error;
	pthread_mutex_unlock(&s->lock);
	return result;
}

static int records_before(struct shard *s, uint64_t sequence, uint64_t *records)
{
	int error = -ENOENT;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = s->first; i <= s->count; i++) {
		if (s->batches[i].first_sequence == sequence) {
			*records = s->batches[i].records_before;
			error = 0;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return error;
}

static void get_status(struct shard *s, struct shard_status *out)
{
	pthread_mutex_lock(&s->lock);
	*out = (struct shard_status){
		.trim_sequence = s->trim,
		.next_sequence = s->batches[s->count].first_sequence + s->batches[s->count].sequences,
		.durable_sequence = s->batches[s->count].first_sequence,
		.stored_records = s->batches[s->count].records_before,
	};
	pthread_mutex_unlock(&s->lock);
}

const struct delivery_source fake_source = {reader_open, reader_close, read_batch, records_before, get_status};

/* ---- the journal ---- */

#define ROWS 8u

struct image {
	struct metadata_delivery rows[ROWS];
	struct metadata_object objects[ROWS];
	bool row_used[ROWS], object_used[ROWS];
	struct metadata_object redriven[ROWS];
	uint32_t redriven_count;
};

struct metadata {
	pthread_mutex_t lock;
	char path[512];
	int error;
	struct image image;
};

static void no_point(void)
{
}

void (*fake_journal_point)(void) = no_point;

struct metadata *fake_journal_open(const char *path)
{
	struct metadata *m = calloc(1, sizeof *m);
	int fd = open(path, O_RDONLY);

	pthread_mutex_init(&m->lock, NULL);
	snprintf(m->path, sizeof m->path, "%s", path);
	if (fd >= 0) {
		if (read(fd, &m->image, sizeof m->image) != sizeof m->image)
			abort();
		close(fd);
	}
	return m;
}

void fake_journal_close(struct metadata *m)
{
	free(m);
}

void fake_journal_set_error(struct metadata *m, int error)
{
	pthread_mutex_lock(&m->lock);
	m->error = error;
	pthread_mutex_unlock(&m->lock);
}

// Keeps the changed image, whole or not at all.
static int save(struct metadata *m, const struct image *changed)
{
	char temporary[520];
	int fd;

	if (m->error)
		return m->error;
	fake_journal_point();
	snprintf(temporary, sizeof temporary, "%s.new", m->path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, changed, sizeof *changed) != sizeof *changed)
		abort();
	close(fd);
	if (rename(temporary, m->path) != 0)
		abort();
	m->image = *changed;
	fake_journal_point();
	return 0;
}

static int find_row(const struct metadata *m, uint64_t stream_id, uint32_t shard)
{
	for (uint32_t i = 0; i < ROWS; i++)
		if (m->image.row_used[i] && m->image.rows[i].stream_id == stream_id && m->image.rows[i].shard == shard)
			return (int)i;
	return -ENOENT;
}

static int find_object(const struct metadata *m, uint64_t stream_id, uint32_t shard)
{
	for (uint32_t i = 0; i < ROWS; i++)
		if (m->image.object_used[i] && m->image.objects[i].stream_id == stream_id &&
		    m->image.objects[i].shard == shard)
			return (int)i;
	return -ENOENT;
}

static int get_delivery(struct metadata *m, uint64_t stream_id, uint32_t shard, const char *delivery,
			struct metadata_delivery *out)
{
	int i;

	(void)delivery;
	pthread_mutex_lock(&m->lock);
	i = find_row(m, stream_id, shard);
	if (i >= 0)
		*out = m->image.rows[i];
	pthread_mutex_unlock(&m->lock);
	return i < 0 ? i : 0;
}

static void set_row(const struct metadata *m, struct image *changed, const struct metadata_delivery *row)
{
	int i = find_row(m, row->stream_id, row->shard);

	for (uint32_t j = 0; i < 0 && j < ROWS; j++)
		if (!changed->row_used[j])
			i = (int)j;
	changed->row_used[i] = true;
	changed->rows[i] = *row;
}

static int put_delivery(struct metadata *m, const struct metadata_delivery *row)
{
	struct image changed;
	int error;

	pthread_mutex_lock(&m->lock);
	changed = m->image;
	set_row(m, &changed, row);
	error = save(m, &changed);
	pthread_mutex_unlock(&m->lock);
	return error;
}

static int get_object(struct metadata *m, uint64_t stream_id, uint32_t shard, const char *delivery,
		      struct metadata_object *out)
{
	int i;

	(void)delivery;
	pthread_mutex_lock(&m->lock);
	i = find_object(m, stream_id, shard);
	if (i >= 0)
		*out = m->image.objects[i];
	pthread_mutex_unlock(&m->lock);
	return i < 0 ? i : 0;
}

static int put_object(struct metadata *m, const struct metadata_object *object, bool planned)
{
	struct image changed;
	int error, i;

	pthread_mutex_lock(&m->lock);
	changed = m->image;
	i = find_object(m, object->stream_id, object->shard);
	error = planned && i < 0 ? -ENOENT : !planned && i >= 0 ? -EEXIST : 0;
	for (uint32_t j = 0; i < 0 && j < ROWS; j++)
		if (!changed.object_used[j])
			i = (int)j;
	if (error == 0) {
		changed.object_used[i] = true;
		changed.objects[i] = *object;
		error = save(m, &changed);
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}

static int plan_object(struct metadata *m, const struct metadata_object *object)
{
	return put_object(m, object, false);
}

static int set_upload(struct metadata *m, const struct metadata_object *object)
{
	return put_object(m, object, true);
}

static int finish_object(struct metadata *m, const struct metadata_object *object,
			 const struct metadata_delivery *progress)
{
	struct image changed;
	int error, i;

	pthread_mutex_lock(&m->lock);
	changed = m->image;
	i = find_object(m, object->stream_id, object->shard);
	error = i < 0 ? i : 0;
	if (error == 0) {
		changed.object_used[i] = false;
		set_row(m, &changed, progress);
		error = save(m, &changed);
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}

static int find_redriven(const struct metadata *m, const struct metadata_object *object)
{
	for (uint32_t i = 0; i < m->image.redriven_count; i++)
		if (m->image.redriven[i].shard == object->shard &&
		    m->image.redriven[i].first_sequence == object->first_sequence)
			return (int)i;
	return -ENOENT;
}

static int redrive_object(struct metadata *m, const struct metadata_object *object,
			  const struct metadata_delivery *progress)
{
	struct image changed;
	int error;

	pthread_mutex_lock(&m->lock);
	changed = m->image;
	error = find_redriven(m, object) >= 0 || changed.redriven_count == ROWS ? -EEXIST : 0;
	if (error == 0) {
		changed.redriven[changed.redriven_count++] = *object;
		set_row(m, &changed, progress);
		error = save(m, &changed);
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}

static int is_redriven(struct metadata *m, const struct metadata_object *object)
{
	int result;

	pthread_mutex_lock(&m->lock);
	result = find_redriven(m, object) >= 0;
	pthread_mutex_unlock(&m->lock);
	return result;
}

static int forget_redriven(struct metadata *m, const struct metadata_object *object)
{
	struct image changed;
	int i, error = 0;

	pthread_mutex_lock(&m->lock);
	changed = m->image;
	i = find_redriven(m, object);
	if (i >= 0) {
		changed.redriven[i] = changed.redriven[--changed.redriven_count];
		error = save(m, &changed);
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}

const struct delivery_journal fake_journal = {
	get_delivery,  put_delivery,   get_object,  plan_object,     set_upload,
	finish_object, redrive_object, is_redriven, forget_redriven,
};
