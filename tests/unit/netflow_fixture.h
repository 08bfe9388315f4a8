// NetFlow as it is built and decoded, one exporter, with templates of its own.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/netflow.h"
#include "dataplane/codec/netflow_elements.h"
#include "tests/support/field_text.h"
#include "tests/support/flow_build.h"

static struct flow_build b;
static struct codec_templates *templates;
static const struct codec *netflow;

static inline int make(void **state)
{
	(void)state;
	netflow = codec_by_id(CODEC_NETFLOW);
	return templates_create(1 << 20, 9, &templates);
}

static inline int drop(void **state)
{
	(void)state;
	templates_free(templates);
	return 0;
}

static inline struct codec_record record_at(uint64_t arrival_ns)
{
	static const uint8_t source[4] = {192, 0, 2, 77};

	return (struct codec_record){.bytes = b.bytes,
				     .length = b.length,
				     .source = source,
				     .source_bytes = 4,
				     .arrival_ns = arrival_ns,
				     .templates = templates};
}

static inline const char *decode_at(uint64_t arrival_ns)
{
	struct codec_record record = record_at(arrival_ns);

	return field_text_of_record(netflow, &record);
}

static inline const char *decode(void)
{
	return decode_at(1000);
}

#define IPFIX "{\"version\":10,\"sequence\":7,\"export_time\":2023-11-14T22:13:20.000000000Z,\"domain_id\":42,"
#define HEAD9(count) "{\"version\":9,\"sequence\":7,\"export_time\":2023-11-14T22:13:20.000000000Z,\"uptime_ms\":600000,\"count\":" #count ",\"source_id\":42,"

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
