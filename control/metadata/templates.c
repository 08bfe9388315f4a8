// Flow templates that streams announced, so that flows can be decoded for as long as they are retained.
#include <errno.h>
#include <string.h>

#include "control/metadata/database.h"
#include "dataplane/codec/templates.h"

/* Where things stand in a saved definition: dataplane/codec/templates.h. */
enum { SAVED_VERSION = 1, SAVED_ADDRESS_BYTES = 2, SAVED_ADDRESS = 4, SAVED_ID = 24, SAVED_FROM = 28 };

void metadata_template_domain(const uint8_t *saved, uint8_t *domain)
{
	domain[0] = saved[SAVED_VERSION];
	domain[1] = saved[SAVED_ADDRESS_BYTES];
	memcpy(domain + 2, saved + SAVED_ADDRESS, 20); /* and the domain's id behind it */
}

static uint64_t number_at(const uint8_t *at, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static int add(struct metadata *m, uint64_t stream_id, const struct metadata_saved *saved)
{
	sqlite3_stmt *s = statement_use(m, SQL_ADD_TEMPLATE);
	uint8_t domain[TEMPLATE_DOMAIN_BYTES];

	if (saved->length < TEMPLATE_SAVED_HEADER || saved->length > TEMPLATE_SAVED_MAX)
		return -EINVAL;
	metadata_template_domain(saved->bytes, domain);
	bind_number(s, 1, stream_id);
	sqlite3_bind_blob(s, 2, domain, sizeof domain, SQLITE_TRANSIENT);
	bind_number(s, 3, number_at(saved->bytes + SAVED_ID, 2));
	bind_number(s, 4, number_at(saved->bytes + SAVED_FROM, 8));
	sqlite3_bind_blob(s, 5, saved->bytes, (int)saved->length, SQLITE_TRANSIENT);
	return statement_run(m, s, "keep a flow template");
}

static int trim(struct metadata *m, uint64_t stream_id)
{
	sqlite3_stmt *s = statement_use(m, SQL_TRIM_TEMPLATES);
	int error;

	bind_number(s, 1, stream_id);
	bind_number(s, 2, TEMPLATES_MAX);
	error = statement_run(m, s, "trim the flow templates");
	return error ? error : sqlite3_changes(m->db) > 0;
}

static int put_learned(struct metadata *m, uint64_t stream_id, uint32_t shard, uint64_t next_sequence)
{
	sqlite3_stmt *s = statement_use(m, SQL_PUT_LEARNED);
	int error;

	bind_number(s, 1, stream_id);
	bind_number(s, 2, shard);
	bind_number(s, 3, next_sequence);
	error = statement_run(m, s, "note how far flow templates are known");
	return error == -EEXIST ? -ENOENT : error; /* the stream has gone */
}

int metadata_add_templates(struct metadata *m, uint64_t stream_id, uint32_t shard, uint64_t next_sequence,
			   const struct metadata_saved *list, uint32_t count)
{
	int error, trimmed = 0;

	pthread_mutex_lock(&m->lock);
	error = transaction_begin(m);
	if (!error) {
		error = put_learned(m, stream_id, shard, next_sequence);
		for (uint32_t i = 0; i < count && !error; i++)
			error = add(m, stream_id, &list[i]);
		if (!error && count)
			trimmed = trim(m, stream_id);
		error = transaction_end(m, trimmed < 0 ? trimmed : error);
	}
	pthread_mutex_unlock(&m->lock);
	return error ? error : trimmed;
}

/* The one number that `s` gives, or -ENOENT. */
static int read_one(struct metadata *m, sqlite3_stmt *s, const char *doing, uint64_t *out)
{
	int result = statement_step(m, s, doing);

	if (result > 0)
		*out = column_number(s, 0);
	sqlite3_reset(s);
	return result > 0 ? 0 : result < 0 ? result : -ENOENT;
}

int metadata_get_learned(struct metadata *m, uint64_t stream_id, uint32_t shard, uint64_t *next_sequence)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_GET_LEARNED);
	bind_number(s, 1, stream_id);
	bind_number(s, 2, shard);
	error = read_one(m, s, "read how far flow templates are known", next_sequence);
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_last_template(struct metadata *m, uint64_t *id)
{
	int error;

	pthread_mutex_lock(&m->lock);
	*id = 0;
	error = read_one(m, statement_use(m, SQL_LAST_TEMPLATE), "read the last flow template", id);
	pthread_mutex_unlock(&m->lock);
	return error == -ENOENT ? 0 : error;
}

/* A page of them. 1: there may be more behind *after; 0; -errno. */
static int visit_page(struct metadata *m, uint64_t stream_id, uint64_t *after, uint64_t last,
		      bool (*take)(void *arg, uint64_t id, const uint8_t *saved, uint32_t length), void *arg)
{
	sqlite3_stmt *s = statement_use(m, SQL_LIST_TEMPLATES);
	bool wanted = true;
	int result, found = 0;

	bind_number(s, 1, stream_id);
	bind_number(s, 2, *after);
	bind_number(s, 3, last);
	while (wanted && (result = statement_step(m, s, "read the flow templates")) > 0) {
		uint64_t id = column_number(s, 0);

		wanted = take(arg, id, sqlite3_column_blob(s, 1), (uint32_t)sqlite3_column_bytes(s, 1));
		*after = id;
		found = 1;
	}
	sqlite3_reset(s);
	return !wanted ? 0 : result < 0 ? result : found;
}

int metadata_visit_templates(struct metadata *m, uint64_t stream_id, uint64_t after, uint64_t last,
			     bool (*take)(void *arg, uint64_t id, const uint8_t *saved, uint32_t length), void *arg)
{
	int result;

	/* Page by page, so that others have their turn. */
	do {
		pthread_mutex_lock(&m->lock);
		result = visit_page(m, stream_id, &after, last, take, arg);
		pthread_mutex_unlock(&m->lock);
	} while (result > 0);
	return result;
}

int metadata_see_domain(struct metadata *m, uint64_t stream_id, const uint8_t *domain, uint64_t seen_ns)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_SEE_DOMAIN);
	bind_number(s, 1, stream_id);
	sqlite3_bind_blob(s, 2, domain, TEMPLATE_DOMAIN_BYTES, SQLITE_TRANSIENT);
	bind_number(s, 3, seen_ns);
	error = statement_run(m, s, "note that an exporter was heard of");
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_expire_templates(struct metadata *m, uint64_t stream_id, uint64_t oldest_ns, uint32_t *count)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_EXPIRE_TEMPLATES);
	bind_number(s, 1, stream_id);
	bind_number(s, 2, oldest_ns);
	error = statement_run(m, s, "let flow templates go");
	*count = error ? 0 : (uint32_t)sqlite3_changes(m->db);
	pthread_mutex_unlock(&m->lock);
	return error;
}
