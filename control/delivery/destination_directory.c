#include <errno.h>
#include <string.h>

#include "control/delivery/directory.h"
#include "control/delivery/engine.h"

static int store(struct delivery *d, struct work *w, struct trouble *trouble)
{
	struct directory_file file;
	struct sink sink;
	int error = directory_create(d->config->directory, w->object.name, &file);

	if (error == 0) {
		sink = directory_sink(&file);
		error = work_produce(d, w, &sink, trouble);
		if (error)
			directory_abandon(&file);
		else
			error = directory_commit(&file);
	}
	if (error && error != -ENODATA && !trouble->local)
		trouble_set(trouble, "%s/%s: %s", d->config->directory, w->object.name, strerror(-error));
	return error;
}

static int holds(struct delivery *d, struct work *w, struct trouble *trouble)
{
	int held = directory_holds(d->config->directory, w->object.name);

	if (held < 0)
		trouble_set(trouble, "%s/%s: %s", d->config->directory, w->object.name, strerror(-held));
	return held;
}

// Only the temporary file can be there: store() removes it after a failure, a crash does not.
static void abandon(struct delivery *d, struct work *w)
{
	directory_remove_temporary(d->config->directory, w->object.name);
}

const struct destination destination_directory = {store, holds, abandon};
