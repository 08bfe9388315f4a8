// What lies in the dead-letter directory of a delivery, for whoever shows it.
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "config/config.h"

/*
 *   DEAD_LETTER/DELIVERY/OBJECT        its bytes, as they would have been delivered
 *   DEAD_LETTER/DELIVERY/OBJECT.json   the note: delivery, stream, shard, object, first_sequence, last_sequence, records,
 *                                      payload_bytes, gaps, gap_records, reason, attempts, first_failure, time
 *
 * The note is written last and removed last: an object without one is still being tried.
 */

// The names of all objects with a note, sorted; free them with dead_letters_free(). 0 or -errno.
int dead_letters_list(const struct config_delivery *config, char ***names, uint32_t *count);
void dead_letters_free(char **names, uint32_t count);

// The note of one. 0 (the caller's reference); -ENOENT; -EINVAL no name of an object; -EBADMSG no note; -errno.
int dead_letters_read(const struct config_delivery *config, const char *object, json_t **note);
