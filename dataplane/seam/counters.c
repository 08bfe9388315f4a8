#include "dataplane/seam/counters.h"

#include <stddef.h>

static const struct {
	const char *label, *text;
} counters[COUNTERS_MAX] = {
#define COUNTER_ROW(name, label_, text_) [name] = {label_, text_},
	COUNTER_FRAMES(COUNTER_ROW) COUNTER_RECORDS(COUNTER_ROW) COUNTER_WORKER(COUNTER_ROW)
	COUNTER_FRAGMENTS(COUNTER_ROW)
#undef COUNTER_ROW
};

const char *counter_label(unsigned counter)
{
	return counter < COUNTERS_MAX ? counters[counter].label : NULL;
}

const char *counter_text(unsigned counter)
{
	return counter < COUNTERS_MAX ? counters[counter].text : NULL;
}
