#include "control/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static const char *const names[] = {"error", "warning", "info", "debug"};
static _Atomic int most = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&most, (int)level, memory_order_relaxed);
}

int log_parse_level(const char *name)
{
	for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -EINVAL;
}

static void write_line(enum log_level level, const char *format, va_list arguments)
{
	int saved = errno, n;
	char line[LINE_MAX_BYTES];
	struct timespec now;
	struct tm utc;
	size_t at;

	if ((int)level > atomic_load_explicit(&most, memory_order_relaxed))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	at = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
	at += (size_t)snprintf(line + at, sizeof line - at, ".%03ldZ %s: ", now.tv_nsec / 1000000, names[level]);
	n = vsnprintf(line + at, sizeof line - at - 1, format, arguments);
	at = n < 0 ? at : at + (size_t)n < sizeof line - 2 ? at + (size_t)n : sizeof line - 2;
	line[at++] = '\n';
	/* One write, so that lines of several threads never mix; nobody is left to tell when standard error is gone. */
	if (write(STDERR_FILENO, line, at) < 0) {
	}
	errno = saved;
}

#define LOG_FUNCTION(name, level)                                                                                      \
	void name(const char *format, ...)                                                                             \
	{                                                                                                              \
		va_list arguments;                                                                                     \
                                                                                                                       \
		va_start(arguments, format);                                                                           \
		write_line(level, format, arguments);                                                                  \
		va_end(arguments);                                                                                     \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
