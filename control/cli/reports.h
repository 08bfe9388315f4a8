// Compiler-style reports ("file:line:column: error: what") as JSON.
#pragma once

#include <jansson.h>

// An array of {file, line, column, severity, message} for every report in `text`; source lines and carets are passed over.
// Line and column are 0 for what is about the file as a whole.
json_t *reports_parse(const char *text);
