// JSON texts as fields: RFC 8259, strictly.
#pragma once

#include "dataplane/codec/codec.h"

/*
 * A pull parser without recursion or allocation. The members of the outermost object are the top-level fields; a text
 * that is no object (RFC 8259, 2 allows any value) is put as one field named "value".
 *
 *   strings   FIELD_TEXT, always UTF-8: unescaped, pointing into `bytes` when there was nothing to unescape
 *   numbers   FIELD_NUMBER as they stand; any size and precision
 *   names     in their order, duplicates as they stand (RFC 8259, 4 leaves it open); may be empty
 *
 * CODEC_EMPTY       nothing but white space
 * CODEC_TRUNCATED   ends before the text does
 * CODEC_SYNTAX      not the grammar; also anything behind the text, and a byte order mark before it
 * CODEC_ENCODING    not UTF-8 (RFC 3629), or a \u escape that is half of a surrogate pair
 * CODEC_NUMBER      starts like a number and is none: 01, 1., -, .5
 * CODEC_TOO_DEEP    more than FIELD_DEPTH_MAX objects and arrays inside the outermost object
 * CODEC_TOO_LARGE   a name and value with escapes that do not fit into `scratch_bytes` (`length` bytes always suffice)
 *
 * CODEC_OK also when the sink ended it; what follows has then not been looked at.
 */
enum codec_fault json_fields(const uint8_t *bytes, uint32_t length, uint8_t *scratch, uint32_t scratch_bytes,
			     struct field_sink *sink);
