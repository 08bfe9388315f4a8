#include "control/process.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/log.h"

void process_harden(void)
{
	struct rlimit none = {0, 0}, files;

	umask(027);
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_warning("cannot switch core dumps off: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		log_warning("cannot give up gaining privileges: %s", strerror(errno));
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) != 0)
			log_warning("cannot raise the limit of open files: %s", strerror(errno));
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

int process_open_signals(void)
{
	sigset_t wanted;
	int fd;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	if (pthread_sigmask(SIG_BLOCK, &wanted, NULL) != 0)
		return -EINVAL;
	fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int process_next_signal(int signals, int timeout_ms)
{
	struct pollfd ready = {.fd = signals, .events = POLLIN};
	struct signalfd_siginfo info;

	if (poll(&ready, 1, timeout_ms) <= 0)
		return 0;
	return read(signals, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

static void *wait_for_impatience(void *arg)
{
	int signals = (int)(intptr_t)arg, number;

	do
		number = process_next_signal(signals, -1);
	while (number != SIGTERM && number != SIGINT);
	log_error("told to end a second time: ending at once; what was not yet durable stays in the region");
	_exit(1);
}

void process_end_on_next_signal(int signals)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, wait_for_impatience, (void *)(intptr_t)signals) == 0)
		pthread_detach(thread);
}

void process_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (length < 2 || length >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = 0; /* the abstract name space */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		log_debug("service manager: %s", strerror(errno));
	close(fd);
}

unsigned process_watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!text || (pid && strtoull(pid, NULL, 10) != (unsigned long long)getpid()))
		return 0;
	return (unsigned)(strtoull(text, NULL, 10) / 2000);
}
