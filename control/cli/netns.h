// Entering a named network namespace the way `ip netns exec` does.
#pragma once

// Puts the calling process (which must have one thread) into the network namespace NAME of /var/run/netns, with a mount
// namespace of its own in which /sys shows that namespace's interfaces and /etc/netns/NAME's files cover /etc's.
// 0 or -errno, with *what naming the step that failed. Needs CAP_SYS_ADMIN.
int netns_enter(const char *name, const char **what);
