// How often a test does what it draws at random. Sanitizers make it ten times as slow, and what they look for is in every
// round; what only many rounds bring, the build without them has.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#ifdef SANITIZED
#define ROUNDS(n) ((n) / 8)
#define STEP(n) (n) /* of places that are tried one after the other, each nth; of processes, which start slowly, one of n */
#else
#define ROUNDS(n) (n)
#define STEP(n) 1
#endif
