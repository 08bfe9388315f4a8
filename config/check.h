// What no single knob can tell: whether the values fit each other. Private to config/.
#pragma once

#include "config/origin.h"

// Reports everything that does not fit. Values that are reported already give no further reports.
void check_ports(struct loading *l);
void check_inputs(struct loading *l);
void check_records(struct loading *l, uint32_t input); /* what becomes of one input's records */
void check_rules(struct loading *l);
void check_streams(struct loading *l);
void check_deliveries(struct loading *l);
void check_limits(struct loading *l); /* what is counted over the whole */

// Reports every second of two items of one list whose `member` (a name in a char array) is equal.
void check_names(struct loading *l, const char *path, uint32_t count);
