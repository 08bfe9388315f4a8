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
	X(FRAME_ANSWER_FAILED, "answer_failed", "deserved an answer that could not be sent")

#define COUNTER_RECORDS(X)                                                                                \
	X(RECORD_APPENDED, "appended", "in a lane")                                                       \
	X(RECORD_LANE_FULL, "lane_full", "the lane had no room")                                          \
	X(RECORD_NO_STREAM, "no_stream", "its stream does not exist (yet)")                               \
	X(RECORD_INVALID, "invalid", "does not follow its format, and the input drops such")              \
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

// Rows start on fixed numbers so that a list can grow without moving its neighbours.
#define COUNTER_FRAME_BASE 0
#define COUNTER_RECORD_BASE 48
#define COUNTER_WORKER_BASE 64
#define COUNTERS_MAX 96

#define COUNTER_ENUM(name, label, text) name,
enum counter_frame { COUNTER_FRAME_FIRST = COUNTER_FRAME_BASE - 1, COUNTER_FRAMES(COUNTER_ENUM) COUNTER_FRAME_END };
enum counter_record { COUNTER_RECORD_FIRST = COUNTER_RECORD_BASE - 1, COUNTER_RECORDS(COUNTER_ENUM) COUNTER_RECORD_END };
enum counter_worker { COUNTER_WORKER_FIRST = COUNTER_WORKER_BASE - 1, COUNTER_WORKER(COUNTER_ENUM) COUNTER_WORKER_END };
#undef COUNTER_ENUM

_Static_assert(FRAME_ACCEPTED == 0 && FRAME_ANSWER_FAILED == 27, "counter numbers are frozen");
_Static_assert(RECORD_APPENDED == 48 && RECORD_NO_STREAM == 50, "counter numbers are frozen");
_Static_assert(RECORD_INVALID == 51 && RECORD_TOO_LARGE == 55, "counter numbers are frozen");
_Static_assert(WORKER_MALFORMED == 76 && WORKER_HELD == 83, "counter numbers are frozen");
_Static_assert(WORKER_POLLED == 64 && WORKER_DOWN_TOLD == 73 && WORKER_CRASH_TOLD == 74 && WORKER_MISSED_TOLD == 75, "counter numbers are frozen");
_Static_assert(COUNTER_FRAME_END <= COUNTER_RECORD_BASE && COUNTER_RECORD_END <= COUNTER_WORKER_BASE &&
	       COUNTER_WORKER_END <= COUNTERS_MAX, "counter lists fit their ranges");

// The label of a counter in the ledger, metrics and --json ("ipv4_checksum"), or NULL for an unused number.
const char *counter_label(unsigned counter);

// One sentence that says what the counter counts, or NULL.
const char *counter_text(unsigned counter);
