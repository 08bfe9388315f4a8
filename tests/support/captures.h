// The captures that lie beside the checkout, ../shared/captures; PENSTOCK_CAPTURES says where else.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Gives every packet of every file that libpcap reads to take(), `link` being its DLT_ number. False, with a line of
// output that says why, when there are none here: the test skips. Whoever uses it is linked with -lpcap.
bool captures_each(void (*take)(int link, const uint8_t *bytes, uint32_t length));
