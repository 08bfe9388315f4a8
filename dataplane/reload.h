// A changed configuration under running workers. Main thread only.
#pragma once

#include "dataplane/dataplane.h"

// Reads the configuration file again and brings its inputs to the workers; nothing is lost in between: what a worker has
// polled goes by the old ones, what it polls next by the new ones. What cannot change is left and logged. With an error in
// the file (reported on standard error) or without memory nothing changes.
enum reload_outcome dataplane_reload(struct dataplane *d);

// Does so when penstockd asks for it, and answers. Of the request nothing but its number is looked at.
void reload_follow(struct dataplane *d);

// Frees the configuration that was reloaded last, once no worker runs.
void reload_forget(struct dataplane *d);
