#include "control/server/server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/clock.h"
#include "control/log.h"
#include "control/server/protocol.h"
#include "control/server/session.h"

#define STACK_BYTES (256u << 10) /* JSON nests 32 levels at most, paths are the largest arrays */
#define SEND_TIMEOUT_S 30        /* without a byte taken by the client */
#define EVICT_IDLE_MS 10000u     /* a client this idle gives way when the house is full */
#define LOOK_MS 200              /* how often readers of deleted streams are looked for */
#define BACKLOG 64

enum slot_state { SLOT_FREE, SLOT_RUNNING, SLOT_ENDED };

struct slot {
	struct session session;
	pthread_t thread;
	_Atomic int state; /* the accepting thread takes and joins; the session's thread says that it has ended */
};

struct server {
	struct daemon *daemon;
	char path[sizeof ((struct sockaddr_un *)0)->sun_path];
	int listener, wake;
	pthread_t thread;
	_Atomic bool stop;
	struct house house;
	struct slot slots[SERVER_SESSIONS_MAX]; /* the accepting thread's, but for what the comments above say */
};

static void *run_session(void *arg)
{
	struct slot *slot = arg;

	session_run(&slot->session);
	atomic_fetch_sub(&slot->session.house->sessions, 1);
	shutdown(slot->session.fd, SHUT_RDWR);
	atomic_store(&slot->state, SLOT_ENDED);
	return NULL;
}

static void reap(struct slot *slot)
{
	if (atomic_load(&slot->state) != SLOT_ENDED)
		return;
	pthread_join(slot->thread, NULL);
	close(slot->session.fd);
	pthread_mutex_destroy(&slot->session.lock);
	atomic_store(&slot->state, SLOT_FREE);
}

/* A free slot; when there is none, the client that has been idle longest is asked to go, for whoever comes next. */
static struct slot *find_slot(struct server *server)
{
	struct slot *idlest = NULL;
	uint64_t since = UINT64_MAX;

	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
		struct slot *slot = &server->slots[i];
		uint64_t idle;

		reap(slot);
		if (atomic_load(&slot->state) == SLOT_FREE)
			return slot;
		idle = atomic_load(&slot->session.idle_since_ms);
		if (idle && idle < since) {
			since = idle;
			idlest = slot;
		}
	}
	if (!idlest || since + EVICT_IDLE_MS > clock_monotonic_ms())
		return NULL;
	log_warning("server: %u clients at once; the one that was idle for %llu s is dropped", SERVER_SESSIONS_MAX,
		    (unsigned long long)(clock_monotonic_ms() - since) / 1000);
	atomic_store(&idlest->session.stop, true);
	shutdown(idlest->session.fd, SHUT_RDWR);
	pthread_join(idlest->thread, NULL);
	close(idlest->session.fd);
	pthread_mutex_destroy(&idlest->session.lock);
	atomic_store(&idlest->state, SLOT_FREE);
	return idlest;
}

static void turn_away(int fd)
{
	char text[128];
	json_t *json;

	snprintf(text, sizeof text, "penstockd serves %u clients at once, all busy: close one of them", SERVER_SESSIONS_MAX);
	json = json_pack("{s:b, s:s, s:s}", "ok", 0, "error", "LimitExceeded", "message", text);
	if (json)
		message_send(fd, json, NULL, 0); /* fits the empty socket buffer: does not block */
	json_decref(json);
	close(fd);
}

static void take_client(struct server *server, int fd)
{
	struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};
	struct slot *slot = find_slot(server);
	pthread_attr_t attributes;
	int error;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	if (!slot) {
		turn_away(fd);
		return;
	}
	memset(&slot->session, 0, sizeof slot->session);
	slot->session.daemon = server->daemon;
	slot->session.fd = fd;
	slot->session.house = &server->house;
	atomic_fetch_add(&server->house.sessions, 1);
	pthread_mutex_init(&slot->session.lock, NULL);
	atomic_store(&slot->state, SLOT_RUNNING);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	error = pthread_create(&slot->thread, &attributes, run_session, slot);
	pthread_attr_destroy(&attributes);
	if (error) {
		log_error("server: no thread for a client: %s", strerror(error));
		atomic_fetch_sub(&server->house.sessions, 1);
		pthread_mutex_destroy(&slot->session.lock);
		atomic_store(&slot->state, SLOT_FREE);
		turn_away(fd);
	}
}

static void *accept_clients(void *arg)
{
	struct server *server = arg;

	while (!atomic_load(&server->stop)) {
		struct pollfd ready[] = {{.fd = server->listener, .events = POLLIN}, {.fd = server->wake, .events = POLLIN}};
		int fd;

		poll(ready, 2, LOOK_MS);
		for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
			reap(&server->slots[i]);
			if (atomic_load(&server->slots[i].state) == SLOT_RUNNING)
				session_drop_stale(&server->slots[i].session);
		}
		if (!(ready[0].revents & POLLIN))
			continue;
		fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			take_client(server, fd);
		else if (errno == EMFILE || errno == ENFILE)
			usleep(LOOK_MS * 1000); /* the connection waits in the backlog; do not spin on it */
	}
	return NULL;
}

/* Removes a socket nobody answers on. 0 when the name is free. */
static int clear_path(const char *path)
{
	struct stat there;
	int fd;

	if (lstat(path, &there) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(there.st_mode))
		return -ENOTSOCK;
	fd = protocol_connect(path);
	if (fd >= 0) {
		close(fd);
		return -EADDRINUSE;
	}
	if (fd != -ECONNREFUSED)
		return fd;
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int make_folder(const char *path)
{
	char folder[sizeof ((struct sockaddr_un *)0)->sun_path];
	char *slash;

	snprintf(folder, sizeof folder, "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = 0;
	return mkdir(folder, 0750) == 0 || errno == EEXIST ? 0 : -errno;
}

static int listen_on(struct server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error = make_folder(server->path);

	if (!error)
		error = clear_path(server->path);
	if (error)
		return error;
	memcpy(address.sun_path, server->path, sizeof address.sun_path);
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener < 0)
		return -errno;
	/* Nobody can connect before listen(), so the mode is right before anybody can use it. */
	if (bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
	    chmod(server->path, 0660) != 0 || listen(server->listener, BACKLOG) != 0)
		return -errno;
	return 0;
}

static void say(const char *path, int error)
{
	if (error == -EADDRINUSE)
		log_error("server: another penstockd answers on %s: stop it first", path);
	else if (error == -ENOTSOCK)
		log_error("server: %s exists and is no socket: move it away or change control.socket", path);
	else
		log_error("server: cannot listen on %s: %s", path, strerror(-error));
}

int server_open(const char *path, struct daemon *daemon, struct server **out)
{
	struct server *server = calloc(1, sizeof *server);
	int error;

	if (!server)
		return -ENOMEM;
	server->daemon = daemon;
	server->house.readers_room = SERVER_SESSIONS_MAX - SERVER_SESSIONS_SHORT;
	server->listener = server->wake = -1;
	error = strlen(path) < sizeof server->path ? 0 : -ENAMETOOLONG;
	if (!error) {
		strcpy(server->path, path);
		error = listen_on(server);
	}
	if (!error) {
		server->wake = eventfd(0, EFD_CLOEXEC);
		error = server->wake < 0 ? -errno : -pthread_create(&server->thread, NULL, accept_clients, server);
	}
	if (error) {
		say(path, error);
		if (server->listener >= 0)
			close(server->listener);
		if (server->wake >= 0)
			close(server->wake);
		free(server);
		return error;
	}
	*out = server;
	return 0;
}

void server_close(struct server *server)
{
	uint64_t one = 1;

	if (!server)
		return;
	atomic_store(&server->stop, true);
	if (write(server->wake, &one, sizeof one) < 0)
		log_debug("server: %s", strerror(errno)); /* it looks up by itself, a little later */
	pthread_join(server->thread, NULL);
	unlink(server->path);
	close(server->listener);
	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
		struct slot *slot = &server->slots[i];

		if (atomic_load(&slot->state) == SLOT_FREE)
			continue;
		/* No more requests; an answer under way may still be sent. */
		atomic_store(&slot->session.stop, true);
		shutdown(slot->session.fd, SHUT_RD);
	}
	for (uint64_t until = clock_monotonic_ms() + 1000;; usleep(5000)) {
		bool running = false;

		for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++)
			running |= atomic_load(&server->slots[i].state) == SLOT_RUNNING;
		if (!running || clock_monotonic_ms() > until)
			break;
	}
	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
		struct slot *slot = &server->slots[i];

		if (atomic_load(&slot->state) == SLOT_FREE)
			continue;
		shutdown(slot->session.fd, SHUT_RDWR);
		pthread_join(slot->thread, NULL);
		close(slot->session.fd);
		pthread_mutex_destroy(&slot->session.lock);
	}
	close(server->wake);
	free(server);
}
