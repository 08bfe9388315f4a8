// Prefixes of object names: text with Firehose's !{timestamp:yyyy/MM/dd/HH}, and !{stream} and !{shard}.
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * In a timestamp: y M d H m s as java.time.format.DateTimeFormatter reads them, numbers only, in UTC
 * (yyyy 2026, yy 26, M 1, MM 01); literals in single quotes, '' is one quote; other characters that are no letters
 * stand for themselves. https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
 */

// The one judgement of a prefix, for objects of `stream` in any format. 0, or -EINVAL with what is wrong and how to write
// it in `reason`.
int prefix_check(const char *prefix, const char *stream, char *reason, size_t room);

// Expands a prefix that prefix_check() passed. `oldest_ns` is the arrival of the oldest record in the object.
// 0; -ENAMETOOLONG; -EINVAL when a component comes out as "." or ".." or empty.
int prefix_expand(const char *prefix, const char *stream, uint32_t shard, uint64_t oldest_ns, char *text, size_t room);

// 0 when `path` is relative, has no empty, "." or ".." component and no control character; the last may be empty.
int prefix_path_check(const char *path);
