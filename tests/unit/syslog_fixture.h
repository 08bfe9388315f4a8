// What the tests of syslog share: messages and the fields they come to.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/fuzz/codec.h"
#include "tests/support/field_text.h"

#define AUTH_CRIT "\"facility\":4,\"facility_name\":\"auth\",\"severity\":2,\"severity_name\":\"crit\""
#define LOCAL4_NOTICE "\"facility\":20,\"facility_name\":\"local4\",\"severity\":5,\"severity_name\":\"notice\""

static const struct codec *syslog_codec(void)
{
	return codec_by_id(CODEC_SYSLOG);
}

struct example {
	const char *record, *fields;
};

static void expect_all(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(field_text_of(syslog_codec(), examples[i].record, strlen(examples[i].record)),
				    examples[i].fields);
}

#define EXPECT(examples) expect_all(examples, sizeof(examples) / sizeof *(examples))
