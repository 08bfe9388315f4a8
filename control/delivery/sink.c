#include "control/delivery/sink.h"

#include <string.h>

void gather_begin(struct gather *w, const struct sink *sink)
{
	w->sink = *sink;
	w->used = 0;
	w->error = 0;
}

int gather_flush(struct gather *w)
{
	if (w->error == 0 && w->used > 0)
		w->error = w->sink.write(w->sink.handle, w->bytes, w->used);
	w->used = 0;
	return w->error;
}

void gather_put(struct gather *w, const void *bytes, size_t length)
{
	if (length > sizeof w->bytes - w->used)
		gather_flush(w);
	if (w->error != 0)
		return;
	if (length > sizeof w->bytes) {
		w->error = w->sink.write(w->sink.handle, bytes, length);
		return;
	}
	memcpy(w->bytes + w->used, bytes, length);
	w->used += length;
}

void gather_text(struct gather *w, const char *text)
{
	gather_put(w, text, strlen(text));
}
