// Fragments of IPv4 and IPv6 put together, in a fixed piece of memory.
#pragma once

#include <stddef.h>

#include "dataplane/packet/decode.h"

/*
 * One for each worker, in memory given to it once; nothing is allocated afterwards, and no call does unbounded work.
 *
 *   places (sets of 8, by a keyed hash)          blocks of 512 bytes
 *   +-----------+-----------+-- --+              +------+    +------+
 *   | datagram  | datagram  | ... |--first------>| 1st  |--->| rest |   a fragment: offset, length, its bytes
 *   +-----------+-----------+-- --+              +------+    +------+
 *        ^ oldest ... newest, a list                | next fragment, by offset
 *
 * A fragment finds its datagram by (family, source, destination, identification, of IPv4 the protocol, outer VLAN,
 * tunnel and its id). When memory, a set of places or the fragments a datagram may have are used up, it is the oldest
 * datagram that goes, or the oldest of its set. A datagram that is not whole within the time-out goes, too; time is
 * that of its first fragment.
 *
 * RFC 5722 and RFC 8200 4.5: when two fragments overlap, or contradict each other about where the datagram ends, it is
 * dropped with all its fragments, also those that are still to come: its place is kept, empty, as long as it would have
 * waited; one second for IPv4, whose identification is used again soon. A fragment that repeats another exactly is
 * dropped alone.
 *
 * What is put together is a bare IP header (20 bytes for IPv4, 40 for IPv6: options and extension headers in front
 * of the fragment header are left out) and all that the fragments carried: with IPv4's header at most 65,535 bytes,
 * without IPv6's as many.
 */

#define REASSEMBLY_FRAGMENTS_MAX 128u /* of one datagram: 65,535 bytes in an MTU of 576 are 119 */
#define REASSEMBLY_SECRET_BYTES 192u  /* what XXH3 takes */
#define REASSEMBLY_BYTES_MIN (512u << 10)
#define REASSEMBLY_COUNTS (COUNTER_FRAGMENT_END - COUNTER_FRAGMENT_BASE)

struct reassembly;

// Makes a reassembly of `bytes` (at least REASSEMBLY_BYTES_MIN, at most 1 GiB) of zeroed memory at `memory`, aligned to
// 64, in which it lies itself. `secret` is random, different after each start: who does not know it cannot choose
// fragments that fall into one set. NULL when there are too few bytes.
struct reassembly *reassembly_init(void *memory, size_t bytes, uint64_t timeout_ns,
				   const uint8_t secret[REASSEMBLY_SECRET_BYTES]);

// Takes the fragment that decode_frame(), tunnel_enter() or tunnel_packet() described with FRAME_IPV4_FRAGMENT or
// FRAME_IPV6_FRAGMENT (so that its lengths are true). Nothing of `frame` is kept. FRAME_ACCEPTED with *packet and
// *length the whole IP packet, valid until the next call; FRAME_FRAGMENT_HELD; or another FRAME_FRAGMENT row, the
// reason to drop it. `now_ns` may be any clock that does not run backwards by more than the time-out. `frame` may lie
// in the packet of the call before.
enum counter_frame reassembly_add(struct reassembly *r, const uint8_t *frame, const struct datagram *d, uint64_t now_ns,
				  const uint8_t **packet, uint32_t *length);

// Drops what is older than the time-out, some at a time: to be called again and again.
void reassembly_expire(struct reassembly *r, uint64_t now_ns);

// What became of held fragments since the last time this was asked, by FRAGMENT row less COUNTER_FRAGMENT_BASE;
// FRAGMENTS_WAITING moves in both directions (modulo 2^64). FRAME_FRAGMENT_HELD since then is the sum. False, and
// `counts` as it was, when nothing moved.
bool reassembly_take_counts(struct reassembly *r, uint64_t counts[REASSEMBLY_COUNTS]);
