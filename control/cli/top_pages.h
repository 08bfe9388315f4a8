// The parts that pages of `penstock top` are put together from. Private to top_view.c.
#pragma once

#include "control/cli/top_view.h"

void page_curves(FILE *out, const struct top_view *v);
void page_ports(FILE *out, const struct top_view *v, bool all);
void page_fates(FILE *out, const struct top_view *v, bool all);
void page_workers(FILE *out, const struct top_view *v);
void page_streams(FILE *out, const struct top_view *v);
void page_deliveries(FILE *out, const struct top_view *v);
