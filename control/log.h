// The daemon's log: one line each to standard error, with time and level.
#pragma once

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

// Lines above this level are not written. Any thread; info until it is called.
void log_set_level(enum log_level level);

// "error", "warning", "info" or "debug" as a level. -EINVAL for anything else.
int log_parse_level(const char *name);

// printf-like, without a newline at the end. Any thread; a line is written whole.
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
