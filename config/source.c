// A configuration file's bytes, before anything is made of them.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/report.h"
#include "config/tree.h"

int source_read(struct source *source, const char *path, uint32_t order)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = 0;
	struct stat status;

	source->name = strdup(path);
	source->text = malloc(SOURCE_BYTES_MAX + 1);
	source->order = order;
	if (fd < 0 || fstat(fd, &status) != 0)
		error = -errno;
	else if (!source->name || !source->text)
		error = -ENOMEM;
	else if (S_ISDIR(status.st_mode))
		error = -EISDIR;
	while (error == 0) {
		size_t room = SOURCE_BYTES_MAX + 1 - source->length;
		ssize_t n = read(fd, source->text + source->length, room);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			error = -errno;
		if (n > 0)
			source->length += (size_t)n;
		if (source->length > SOURCE_BYTES_MAX)
			error = -EFBIG;
	}
	if (fd >= 0)
		close(fd);
	if (error == 0) {
		char *fitted = realloc(source->text, source->length + 1);

		source->text = fitted ? fitted : source->text;
		source->text[source->length] = '\0';
	}
	return error;
}

// Bytes of the character at `at` if it is UTF-8 (RFC 3629 section 4) and one YAML 1.2 (5.1) lets stand in a file, or 0.
static size_t character_bytes(const unsigned char *at, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t bytes = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	uint32_t point = bytes == 1 ? at[0] : at[0] & (0xffu >> (bytes + 1));

	if (bytes == 1)
		return at[0] >= ' ' ? at[0] != 127 : at[0] == '\t' || at[0] == '\n' || at[0] == '\r';
	if (at[0] < 0xc2 || at[0] > 0xf4 || bytes > left)
		return 0;
	for (size_t i = 1; i < bytes; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (at[i] & 0x3f);
	}
	if (point < least[bytes] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	return point < 0xa0 && point != 0x85 ? 0 : bytes;
}

int source_check(const struct source *source, struct reports *reports)
{
	const unsigned char *text = (const unsigned char *)source->text;
	uint32_t line = 1, column = 1;

	for (size_t i = 0, bytes; i < source->length; i += bytes) {
		bytes = character_bytes(text + i, source->length - i);
		if (bytes == 0) {
			report_at(reports, SEVERITY_ERROR, source, line, column,
				  "byte 0x%02x is no printable UTF-8 character", text[i]);
			return -EINVAL;
		}
		line += text[i] == '\n';
		column = text[i] == '\n' ? 1 : column + 1;
	}
	return 0;
}

const char *source_at(const struct source *source, uint32_t line, uint32_t column)
{
	const char *at = source->text;

	for (; line > 1 && *at; at++)
		line -= *at == '\n';
	for (; column > 1 && *at && *at != '\n'; column--)
		do {
			at++;
		} while (((unsigned char)*at & 0xc0) == 0x80);
	return at;
}
