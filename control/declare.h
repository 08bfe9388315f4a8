// The streams the configuration declares, made when they are absent.
#pragma once

#include <stdio.h>

#include "config/config.h"
#include "control/streams.h"

// Makes what is declared and absent; takes over a changed retention; says where the number of shards differs (it stays
// as it is). 0, or the first -errno of one that could not be made, logged. What is not as it was declared is written to
// `failures`, too, a line each; it may be NULL.
int declare_streams(const struct config *config, struct streams *streams, FILE *failures);
