// Whether bytes are UTF-8: Hyperscan's results are undefined where a pattern of characters meets bytes that are none.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF.
bool utf8_is_valid(const uint8_t *bytes, uint32_t length);
