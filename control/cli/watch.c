#include "control/cli/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended; /* set by a signal handler, the one use volatile has here */
static bool shown;

static void end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

void watch_start(void)
{
	struct sigaction action = {.sa_handler = end};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

bool watch_ended(void)
{
	return ended;
}

bool watch_size(unsigned *columns, unsigned *rows)
{
	struct winsize size;

	*columns = 80;
	*rows = 24;
	if (!isatty(STDOUT_FILENO))
		return false;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col && size.ws_row) {
		*columns = size.ws_col;
		*rows = size.ws_row;
	}
	return true;
}

int watch_show(const char *text, size_t length)
{
	const char *end_of_text = text + length, *line_end;
	unsigned columns, rows, lines = 0, total = 0;

	if (!watch_size(&columns, &rows)) {
		fwrite(text, 1, length, stdout);
		putchar('\n');
		return fflush(stdout) || ferror(stdout) ? 1 : 0;
	}
	for (const char *p = text; p < end_of_text; p++)
		total += *p == '\n';
	/* Overwritten line by line and cleared behind each, the screen does not flicker as it does when cleared first. */
	fputs(shown ? "\033[H" : "\033[H\033[2J", stdout);
	for (; text < end_of_text; text = line_end + 1, lines++) {
		line_end = memchr(text, '\n', (size_t)(end_of_text - text));
		if (!line_end)
			break;
		if (total > rows - 1 && lines == rows - 2) {
			printf("... %u more lines: a taller terminal, or without --watch, shows them\033[K\n", total - lines);
			break;
		}
		fwrite(text, 1, (size_t)(line_end - text), stdout);
		fputs("\033[K\n", stdout);
	}
	fputs("\033[J", stdout);
	shown = true;
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}

void watch_wait(uint64_t interval_ns)
{
	static uint64_t next_ns;
	struct timespec now;
	uint64_t now_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	next_ns = next_ns + interval_ns > now_ns && next_ns ? next_ns + interval_ns : now_ns + interval_ns;
	now.tv_sec = (time_t)(next_ns / 1000000000u);
	now.tv_nsec = (long)(next_ns % 1000000000u);
	while (!ended && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL) == EINTR)
		continue;
}

void watch_finish(void)
{
	if (shown && isatty(STDOUT_FILENO))
		fputs("\033[0m\n", stdout);
	fflush(stdout);
}
