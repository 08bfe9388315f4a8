// The closed list of what can become of a frame and of a record: the rows of the ledger.
#pragma once

#include <stdint.h>

/*
 * Every frame a worker polls ends in exactly one FRAME row:     polled  = sum of FRAME rows.
 * Every record a codec cuts out ends in exactly one RECORD row: parsed  = sum of RECORD rows.
 * Every record appended lies in one lane:                       appended = sum of lane records.
 *
 * Numbers are frozen: penstockd of one version reads counters of another. Add at the end of a list, never reuse.
 * X(name, text for people)
 */
#define COUNTER_FRAMES(X)                                                                                 \
	X(FRAME_ACCEPTED, "accepted", "brought its records, if any, to the codec's end")                  \
	X(FRAME_ANSWERED, "answered", "ARP, neighbour solicitation or echo for an own address")           \
	X(FRAME_EMPTY, "empty", "a datagram for an input with no record in it")                           \
	X(FRAME_RUNT, "runt", "shorter than an Ethernet header")                                          \
	X(FRAME_TOO_LONG, "too_long", "longer than 65,535 bytes")                                         \
	X(FRAME_VLAN_TRUNCATED, "vlan_truncated", "ends inside a VLAN tag")                               \
	X(FRAME_VLAN_DEPTH, "vlan_depth", "more VLAN tags than allowed")                                  \
	X(FRAME_ETHERTYPE, "ethertype", "neither IPv4, IPv6 nor ARP")                                     \
	X(FRAME_OTHER_MAC, "other_mac", "addressed to another station")                                   \
	X(FRAME_ARP_MALFORMED, "arp_malformed", "ARP with impossible lengths or types")                   \
	X(FRAME_ARP_OTHER, "arp_other", "ARP that asks nothing of this port")                             \
	X(FRAME_IPV4_TRUNCATED, "ipv4_truncated", "ends inside the IPv4 header or its total length")      \
	X(FRAME_IPV4_HEADER, "ipv4_header", "IPv4 version, header length or total length is a lie")       \
	X(FRAME_IPV4_CHECKSUM, "ipv4_checksum", "wrong IPv4 header checksum")                             \
	X(FRAME_IPV4_FRAGMENT, "ipv4_fragment", "an IPv4 fragment")                                       \
	X(FRAME_IPV6_TRUNCATED, "ipv6_truncated", "ends inside the IPv6 header or its payload length")    \
	X(FRAME_IPV6_HEADER, "ipv6_header", "IPv6 version or payload length is a lie")                    \
	X(FRAME_IPV6_EXTENSION, "ipv6_extension", "extension headers too many, too long or out of place") \
	X(FRAME_IPV6_FRAGMENT, "ipv6_fragment", "an IPv6 fragment")                                       \
	X(FRAME_OTHER_ADDRESS, "other_address", "IP destination is not an address of this port")          \
	X(FRAME_PROTOCOL, "protocol", "neither UDP nor an echo request")                                  \
	X(FRAME_ICMP_MALFORMED, "icmp_malformed", "ICMP or ICMPv6 with a wrong length or checksum")       \
	X(FRAME_ICMP_OTHER, "icmp_other", "ICMP or ICMPv6 that asks nothing of this port")                \
	X(FRAME_UDP_TRUNCATED, "udp_truncated", "ends inside the UDP header or its length")               \
	X(FRAME_UDP_LENGTH, "udp_length", "UDP length below 8 or beyond the IP payload")                  \
	X(FRAME_UDP_CHECKSUM, "udp_checksum", "wrong UDP checksum, or none over IPv6")                    \
	X(FRAME_NO_INPUT, "no_input", "a valid datagram that no input asks for")                          \
	X(FRAME_ANSWER_FAILED, "answer_failed", "deserved an answer that could not be sent")              \
	X(FRAME_FRAGMENT_HELD, "fragment_held", "a fragment, held until its datagram is whole") \
	X(FRAME_FRAGMENT_INVALID, "fragment_invalid", "a fragment of impossible offset or length") \
	X(FRAME_FRAGMENT_DUPLICATE, "fragment_duplicate", "a fragment that is held already, byte for byte") \
	X(FRAME_FRAGMENT_OVERLAP, "fragment_overlap", "overlaps or contradicts another of its datagram") \
	X(FRAME_FRAGMENT_EXCESS, "fragment_excess", "beyond the fragments a datagram may have") \
	X(FRAME_TUNNEL_LAYERS, "tunnel_layers", "more tunnels in one another, or more bytes to look at, than allowed") \
	X(FRAME_TUNNEL_INNER, "tunnel_inner", "a tunnel to this port with neither UDP nor a tunnel to look into inside") \
	X(FRAME_TUNNEL_TRUNCATED, "tunnel_truncated", "ends inside the Ethernet header a tunnel carries") \
	X(FRAME_MPLS, "mpls", "ends inside its MPLS labels, or has more of them than allowed") \
	X(FRAME_PPPOE, "pppoe", "PPPoE version, code or length is a lie") \
	X(FRAME_VXLAN, "vxlan", "VXLAN header cut off, or its flags or version are a lie") \
	X(FRAME_GENEVE, "geneve", "GENEVE header or options cut off, or another version") \
	X(FRAME_GRE, "gre", "GRE header cut off, wrong checksum, or flags nobody may send") \
	X(FRAME_ERSPAN, "erspan", "ERSPAN header cut off, or another version") \
	X(FRAME_GTP, "gtp", "GTP-U header, extension headers or length are a lie")

#define COUNTER_RECORDS(X)                                                                                \
	X(RECORD_APPENDED, "appended", "in a lane")                                                       \
	X(RECORD_LANE_FULL, "lane_full", "the lane had no room")                                          \
	X(RECORD_NO_STREAM, "no_stream", "its stream does not exist (yet)")                               \
	X(RECORD_INVALID, "invalid", "does not follow its format, and the input drops such or redacts")   \
	X(RECORD_RULE_DROPPED, "rule_dropped", "a rule dropped it")                                       \
	X(RECORD_SAMPLED_OUT, "sampled_out", "none of the 1 in N that a rule keeps")                      \
	X(RECORD_INCOMPLETE, "incomplete", "a message of which chunks never came")                        \
	X(RECORD_TOO_LARGE, "too_large", "longer than 65,536 bytes once put together")

#define COUNTER_WORKER(X)                                                                                 \
	X(WORKER_POLLED, "polled", "frames taken from the queue")                                         \
	X(WORKER_POLLED_BYTES, "polled_bytes", "their bytes")                                             \
	X(WORKER_PARSED, "parsed", "records cut out of accepted frames")                                  \
	X(WORKER_PARSED_BYTES, "parsed_bytes", "their payload bytes")                                     \
	X(WORKER_APPENDED_BYTES, "appended_bytes", "payload bytes of appended records")                   \
	X(WORKER_BURSTS, "bursts", "polls that brought at least one frame")                               \
	X(WORKER_HEAD_INVALID, "head_invalid", "impossible positions read from penstockd, ignored")       \
	X(WORKER_GAPS, "gaps", "gap records appended")                                                    \
	X(WORKER_ANSWERS, "answers", "frames sent in answer")                                             \
	X(WORKER_DOWN_TOLD, "down_told", "frames told by gap records as having met no worker")   \
	X(WORKER_CRASH_TOLD, "crash_told", "when the last killed dataplane whose losses were told had last lived") \
	X(WORKER_MISSED_TOLD, "missed_told", "frames told by gap records as missed by the driver")        \
	X(WORKER_MALFORMED, "malformed", "records found not to follow their format, whatever became of them") \
	X(WORKER_KEY_MISSING, "key_missing", "records without the key that their input asks for")         \
	X(WORKER_DEAD_LETTERS, "dead_letters", "records sent to a dead-letter stream")                    \
	X(WORKER_ROUTED, "routed", "records that a rule sent to another stream")                          \
	X(WORKER_TAGGED, "tagged", "records that rules tagged")                                           \
	X(WORKER_REDACTED, "redacted", "records of which rules overwrote something")                      \
	X(WORKER_CHUNKS, "chunks", "datagrams that brought a part of a message")                          \
	X(WORKER_HELD, "held", "messages whose parts have not all come yet")

/*
 * Every fragment held ends in exactly one of these:              FRAME_FRAGMENT_HELD = sum of FRAGMENT rows.
 */
#define COUNTER_FRAGMENTS(X)                                                                              \
	X(FRAGMENTS_JOINED, "fragments_joined", "held fragments whose datagram became whole")             \
	X(FRAGMENTS_EXPIRED, "fragments_expired", "waited for the rest of their datagram in vain")        \
	X(FRAGMENTS_OVERLAPPED, "fragments_overlapped", "dropped for a fragment that overlapped or contradicted them") \
	X(FRAGMENTS_EXCESS, "fragments_excess", "dropped because their datagram came in too many pieces") \
	X(FRAGMENTS_DISPLACED, "fragments_displaced", "the oldest, dropped to make room for others")      \
	X(FRAGMENTS_LOST, "fragments_lost", "held by a dataplane that ended")                             \
	X(FRAGMENTS_WAITING, "fragments_waiting", "held now")

// Rows start on fixed numbers so that a list can grow without moving its neighbours.
#define COUNTER_FRAME_BASE 0
#define COUNTER_RECORD_BASE 48
#define COUNTER_WORKER_BASE 64
#define COUNTER_FRAGMENT_BASE 84
#define COUNTERS_MAX 96

#define COUNTER_ENUM(name, label, text) name,
enum counter_frame { COUNTER_FRAME_FIRST = COUNTER_FRAME_BASE - 1, COUNTER_FRAMES(COUNTER_ENUM) COUNTER_FRAME_END };
enum counter_record { COUNTER_RECORD_FIRST = COUNTER_RECORD_BASE - 1, COUNTER_RECORDS(COUNTER_ENUM) COUNTER_RECORD_END };
enum counter_worker { COUNTER_WORKER_FIRST = COUNTER_WORKER_BASE - 1, COUNTER_WORKER(COUNTER_ENUM) COUNTER_WORKER_END };
enum counter_fragment {
	COUNTER_FRAGMENT_FIRST = COUNTER_FRAGMENT_BASE - 1,
	COUNTER_FRAGMENTS(COUNTER_ENUM) COUNTER_FRAGMENT_END
};
#undef COUNTER_ENUM

_Static_assert(FRAME_ACCEPTED == 0 && FRAME_ANSWER_FAILED == 27, "counter numbers are frozen");
_Static_assert(RECORD_APPENDED == 48 && RECORD_NO_STREAM == 50, "counter numbers are frozen");
_Static_assert(RECORD_INVALID == 51 && RECORD_TOO_LARGE == 55, "counter numbers are frozen");
_Static_assert(WORKER_MALFORMED == 76 && WORKER_HELD == 83, "counter numbers are frozen");
_Static_assert(WORKER_POLLED == 64 && WORKER_DOWN_TOLD == 73 && WORKER_CRASH_TOLD == 74 && WORKER_MISSED_TOLD == 75, "counter numbers are frozen");
_Static_assert(FRAME_FRAGMENT_HELD == 28 && FRAME_TUNNEL_LAYERS == 33 && FRAME_GTP == 42, "counter numbers are frozen");
_Static_assert(FRAGMENTS_JOINED == 84 && FRAGMENTS_WAITING == 90, "counter numbers are frozen");
_Static_assert(COUNTER_FRAME_END <= COUNTER_RECORD_BASE && COUNTER_RECORD_END <= COUNTER_WORKER_BASE &&
	       COUNTER_WORKER_END <= COUNTER_FRAGMENT_BASE && COUNTER_FRAGMENT_END <= COUNTERS_MAX,
	       "counter lists fit their ranges");

// The label of a counter in the ledger, metrics and --json ("ipv4_checksum"), or NULL for an unused number.
const char *counter_label(unsigned counter);

// One sentence that says what the counter counts, or NULL.
const char *counter_text(unsigned counter);
