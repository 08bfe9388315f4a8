#include "control/cli/doctor.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void doctor_add(struct doctor *d, enum verdict verdict, const char *check, const char *why, const char *fix,
		const char *found, ...)
{
	struct finding *f;
	va_list list;

	if (d->count == d->room) {
		unsigned room = d->room ? d->room * 2 : 32;
		struct finding *more = realloc(d->findings, room * sizeof(*more));

		if (!more) {
			d->failed = true;
			return;
		}
		d->findings = more;
		d->room = room;
	}
	f = &d->findings[d->count];
	*f = (struct finding){.verdict = verdict, .check = check, .why = why, .fix = strdup(fix ? fix : "")};
	va_start(list, found);
	if (vasprintf(&f->found, found, list) < 0)
		f->found = NULL;
	va_end(list);
	if (f->found && f->fix) {
		d->count++;
		return;
	}
	free(f->found);
	free(f->fix);
	d->failed = true;
}

const char *doctor_fix(const char *format, ...)
{
	static char text[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	return text;
}

void doctor_free(struct doctor *d)
{
	for (unsigned i = 0; i < d->count; i++) {
		free(d->findings[i].found);
		free(d->findings[i].fix);
	}
	free(d->findings);
}

static bool make_path(const struct doctor *d, char *path, const char *format, va_list list)
{
	int used = snprintf(path, PATH_MAX, "%s", d->root), more;

	if (used < 0 || used >= PATH_MAX)
		return false;
	more = vsnprintf(path + used, (size_t)(PATH_MAX - used), format, list);
	return more >= 0 && more < PATH_MAX - used;
}

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool read;

	if (!file)
		return false;
	read = fgets(line, (int)size, file) != NULL;
	fclose(file);
	if (read)
		line[strcspn(line, "\n")] = '\0';
	return read;
}

bool doctor_read(const struct doctor *d, char *line, size_t size, const char *path, ...)
{
	char full[PATH_MAX];
	va_list list;
	bool made;

	*line = '\0';
	va_start(list, path);
	made = make_path(d, full, path, list);
	va_end(list);
	return made && read_line(full, line, size);
}

long long doctor_read_number(const struct doctor *d, long long absent, const char *path, ...)
{
	char full[PATH_MAX], line[64], *end;
	long long number;
	va_list list;
	bool made;

	va_start(list, path);
	made = make_path(d, full, path, list);
	va_end(list);
	if (!made || !read_line(full, line, sizeof(line)))
		return absent;
	number = strtoll(line, &end, 10);
	return end == line ? absent : number;
}

bool doctor_exists(const struct doctor *d, const char *path, ...)
{
	char full[PATH_MAX];
	va_list list;
	bool made;

	va_start(list, path);
	made = make_path(d, full, path, list);
	va_end(list);
	return made && access(full, F_OK) == 0;
}

bool doctor_parse_cpus(const char *list, cpu_set_t *out)
{
	CPU_ZERO(out);
	while (*list) {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (end == list)
			return false;
		if (*end == '-') {
			list = end + 1;
			last = strtoul(list, &end, 10);
			if (end == list)
				return false;
		}
		if (last >= CPU_SETSIZE || first > last)
			return false;
		for (; first <= last; first++)
			CPU_SET(first, out);
		if (*end && *end != ',')
			return false;
		list = end + (*end == ',');
	}
	return true;
}

void doctor_print_cpus(const cpu_set_t *cpus, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (int first = 0; first < CPU_SETSIZE; first++) {
		int last = first, n;

		if (!CPU_ISSET(first, cpus))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
			last++;
		n = last > first ? snprintf(text + used, size - used, "%s%d-%d", used ? "," : "", first, last) :
				   snprintf(text + used, size - used, "%s%d", used ? "," : "", first);
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
		first = last;
	}
}

bool doctor_worker_cores(const struct doctor *d, cpu_set_t *out)
{
	CPU_ZERO(out);
	for (uint32_t p = 0; d->config && p < d->config->ports_count; p++) {
		const struct config_port *port = &d->config->ports[p];

		for (uint32_t q = 0; q < port->queues; q++) {
			if (port->cores[q] < CPU_SETSIZE)
				CPU_SET(port->cores[q], out);
		}
	}
	return CPU_COUNT(out) > 0;
}
