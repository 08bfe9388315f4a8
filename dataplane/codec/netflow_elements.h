// Information elements of NetFlow v9 and IPFIX: what they are called and how their values are read.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/codec/templates.h"

enum element_kind {           /* abstract data types: RFC 7011 6.1. Values may be sent in fewer bytes (6.2) */
	ELEMENT_UNSIGNED,     /* also elements that are not known, if at most 8 bytes; others are ELEMENT_BYTES */
	ELEMENT_SIGNED,
	ELEMENT_REAL,         /* 4 or 8 bytes, IEEE 754 */
	ELEMENT_BOOL,         /* 1 true, 2 false */
	ELEMENT_ADDRESS4,
	ELEMENT_ADDRESS6,
	ELEMENT_MAC,
	ELEMENT_TEXT,
	ELEMENT_BYTES,
	ELEMENT_SECONDS,      /* since 1970, 4 bytes */
	ELEMENT_MILLISECONDS, /* since 1970, 8 bytes */
	ELEMENT_MICROSECONDS, /* NTP timestamp whose last 11 bits say nothing */
	ELEMENT_NANOSECONDS,  /* NTP timestamp */
	ELEMENT_MPLS_LABEL,   /* 3 bytes of a label stack entry, RFC 3032 2.1 */
	ELEMENT_LIST,         /* RFC 6313's: basicList, values of one element; from here on more is to be done than put a value */
	ELEMENT_SUB_LIST,     /* subTemplateList: records of one template */
	ELEMENT_SUB_LISTS,    /* subTemplateMultiList: such lists */
	ELEMENT_PADDING,      /* not put */
	ELEMENT_UPTIME_START, /* ms since the exporter started: the flow's first and last packet */
	ELEMENT_UPTIME_END,
	ELEMENT_DELTA_START,  /* microseconds before the export */
	ELEMENT_DELTA_END,
	ELEMENT_SYSTEM_INIT,  /* ELEMENT_MILLISECONDS that the uptimes count from */
};

enum { /* elements that the decoder itself has to know */
       ELEMENT_START_SECONDS = 150,
       ELEMENT_END_SECONDS = 151,
       ELEMENT_START_MILLISECONDS = 152,
       ELEMENT_END_MILLISECONDS = 153,
       ELEMENT_START_MICROSECONDS = 154,
       ELEMENT_END_MICROSECONDS = 155,
       ELEMENT_START_NANOSECONDS = 156,
       ELEMENT_END_NANOSECONDS = 157,
       ELEMENT_SYSTEM_INIT_ID = 160,
};

#define ELEMENT_REVERSE_ENTERPRISE 29305u /* RFC 5103 6.1: IANA's elements for the way back */
#define ELEMENT_NAME_MAX 80u

struct element_name {
	const char *name; /* NULL where the number is not known */
	uint8_t length;
	uint8_t kind; /* enum element_kind */
};

#define ELEMENTS_END 530u
extern const struct element_name element_names[ELEMENTS_END]; /* IANA's, by number */

// How a field is read, by enum element_kind; what the store fills in is not looked at.
uint8_t element_kind(uint8_t version, bool scope, const struct template_field *field);

// Whether a field's name is what element_names says for its id. Of the field `written` is not looked at.
static inline bool element_is_plain(uint8_t version, bool scope, const struct template_field *field)
{
	return field->enterprise == 0 && field->occurrence <= 1 && !(scope && version == 9) && field->id < ELEMENTS_END &&
	       element_names[field->id].name;
}

// The name of a field that is not plain: written to `out` (ELEMENT_NAME_MAX), returns its length, which is above 0.
// "reverseOctetDeltaCount" for the way back, "ie_ENTERPRISE_ID" for an unknown one, v9's scopes by RFC 3954 6.1, and
// "_2" and so on at the end for elements that a template has several times.
uint32_t element_name_write(uint8_t version, bool scope, const struct template_field *field, char *out);
