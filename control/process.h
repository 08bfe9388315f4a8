// What penstockd arranges for itself as a process: limits, secrets, signals, and word to the service manager.
#pragma once

#include <stdbool.h>

// No core dumps and no tracing by the same user (secrets of destinations are in memory), no new privileges, files that
// others cannot read, as many descriptors as are allowed, SIGPIPE and SIGXFSZ as errors instead of deaths. Logs what fails.
void process_harden(void);

// A descriptor that SIGTERM, SIGINT and SIGHUP are read from; call it before there are threads. Or -errno.
int process_open_signals(void);

// The next signal, waiting up to timeout_ms; 0: none.
int process_next_signal(int signals, int timeout_ms);

// From here on a further SIGTERM or SIGINT ends the process at once, with status 1 and a word in the log.
void process_end_on_next_signal(int signals);

// Tells the service manager, if there is one: "READY=1", "STOPPING=1", "WATCHDOG=1". See sd_notify(3).
void process_notify(const char *state);

// How often the service manager wants to hear WATCHDOG=1, in milliseconds (half its limit); 0: never.
unsigned process_watchdog_ms(void);
