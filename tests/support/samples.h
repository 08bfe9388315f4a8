// Datagrams that other people's programs made, for tests, fuzz seeds and benchmarks.
#pragma once

#include <stdint.h>

struct sample {
	const uint8_t *bytes;
	uint32_t length;
};

/* the example of the GELF specification, packed by CPython's gzip */
extern const struct sample sample_gelf_gzip;
/* the same with a file name and a time in the header */
extern const struct sample sample_gelf_gzip_named;
/* the same by its zlib */
extern const struct sample sample_gelf_zlib;
/* collectd 5.12: what was put into it through its unixsock plugin */
extern const struct sample sample_collectd_values;
/* a notification */
extern const struct sample sample_collectd_notification;
/* a notification, SecurityLevel Sign, user alice, password secret */
extern const struct sample sample_collectd_signed;
/* the same, SecurityLevel Encrypt */
extern const struct sample sample_collectd_encrypted;
/* load, memory and network interfaces of a host: a full buffer */
extern const struct sample sample_collectd_load;
/* six user records by Google's protobuf (Python), MD5 by hashlib: two of each of three keys, the third with
   an explicit hash; the fifth has tags */
extern const struct sample sample_kpl_aggregate;
