#include "control/cli/top_screen.h"

#include <curses.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/top_look.h"
#include "control/cli/top_view.h"
#include "control/cli/watch.h"

enum colour { COLOUR_GOOD = 1, COLOUR_WARN, COLOUR_BAD, COLOUR_TITLE };

struct screen {
	struct cli *cli;
	struct look look;
	struct top_history history;
	enum top_page page;
	int scroll;
	bool paused, help, utf8;
	char problem[256]; /* why there is nothing new */
	char *text;        /* the page as it was last rendered */
	size_t length;
	int lines;         /* of it, below the head */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void set_mark(char mark)
{
	static const int pairs[] = {[MARK_GOOD] = COLOUR_GOOD, [MARK_WARN] = COLOUR_WARN, [MARK_BAD] = COLOUR_BAD,
				    [MARK_TITLE] = COLOUR_TITLE};

	attrset(A_NORMAL);
	if (mark == MARK_BOLD)
		attrset(A_BOLD);
	else if (mark == MARK_DIM)
		attrset(A_DIM);
	else if (mark >= MARK_GOOD)
		attrset((has_colors() ? (attr_t)COLOR_PAIR(pairs[(int)mark]) : A_NORMAL) | (mark == MARK_BAD ? A_BOLD : A_NORMAL));
}

// One line with its marks, cut at the right edge. Returns what comes behind it.
static const char *draw_line(int row, const char *text)
{
	int column = 0;

	move(row, 0);
	set_mark(MARK_PLAIN);
	while (*text && *text != '\n') {
		int bytes = 1;

		if (*text <= MARK_TITLE && *text >= MARK_PLAIN) {
			set_mark(*text++);
			continue;
		}
		while (((unsigned char)text[bytes] & 0xc0) == 0x80)
			bytes++;
		if (column++ < COLS)
			addnstr(text, bytes);
		text += bytes;
	}
	attrset(A_NORMAL);
	return *text ? text + 1 : text;
}

static void render_help(FILE *out)
{
	fprintf(out, "\n %cKEYS%c\n"
		"  Tab, right, left   the next page, the one before\n"
		"  1 2 3 4 5          overview, ports, streams, deliveries, ledger\n"
		"  up, down, PgUp, PgDn, Home   scroll\n"
		"  p                  hold the picture, go on\n"
		"  ?                  this help, and back\n"
		"  q                  the end\n\n"
		" %cWORDS%c\n"
		"  PPS, BITS/S        frames the port handed to workers, and their bits\n"
		"  DROPS/S, REASON    frames it did not, and what grew most\n"
		"  LOST               records of gaps, lost batches, and expired before their time\n"
		"  PENDING, RETRYING  records not yet delivered; for how long the destination has refused\n"
		"  lane_full          records a worker dropped because the drain or the disk was slower\n"
		"  unaccounted        what no counter explains: never anything but 0\n", MARK_TITLE, MARK_PLAIN, MARK_TITLE, MARK_PLAIN);
}

// Renders head and page into s->text. False without memory.
static bool render(struct screen *s, int *head_lines)
{
	struct top_view view = {.then = &s->look.then, .now = &s->look.now, .ledger = s->look.ledger, .history = &s->history,
				.columns = (unsigned)COLS, .utf8 = s->utf8};
	FILE *out;

	free(s->text);
	s->text = NULL;
	out = open_memstream(&s->text, &s->length);
	if (!out)
		return false;
	if (s->look.taken > 1)
		top_print_head(out, &view);
	fflush(out);
	*head_lines = 0;
	for (const char *p = s->text; p && *p; p++)
		*head_lines += *p == '\n';
	if (s->help)
		render_help(out);
	else if (s->look.taken > 1)
		top_print_page(out, &view, s->page);
	else
		fprintf(out, "\n %cthe first second ...%c\n", MARK_DIM, MARK_PLAIN);
	if (fclose(out))
		return false;
	s->lines = -*head_lines;
	for (const char *p = s->text; *p; p++)
		s->lines += *p == '\n';
	return true;
}

static void draw_foot(const struct screen *s)
{
	static const char *const keys[] = {" Tab next  p hold  ? help  q end ", " ? help  q end "};
	const char *text;

	move(LINES - 1, 0);
	attrset(A_REVERSE);
	hline(' ', COLS);
	for (int page = 0; page < PAGES_END; page++) {
		attrset(page == (int)s->page && !s->help ? A_BOLD | A_NORMAL : A_REVERSE);
		printw(" %d %s ", page + 1, top_page_name((enum top_page)page));
	}
	attrset(A_REVERSE);
	text = s->paused ? " HELD: p goes on " : keys[COLS - getcurx(stdscr) <= (int)strlen(keys[0])];
	if (COLS - getcurx(stdscr) > (int)strlen(text))
		mvaddstr(LINES - 1, COLS - (int)strlen(text), text);
	attrset(A_NORMAL);
}

static void draw(struct screen *s)
{
	int head, row = 0, body, most;
	const char *text;

	if (!render(s, &head))
		return;
	erase();
	text = s->text;
	for (; row < head && row < LINES - 1; row++)
		text = draw_line(row, text);
	if (*s->problem && row < LINES - 1) {
		attrset((has_colors() ? (attr_t)COLOR_PAIR(COLOUR_BAD) : A_NORMAL) | A_BOLD);
		mvaddnstr(row++, 0, s->problem, COLS);
	}
	body = LINES - 1 - row;
	most = s->lines > body ? s->lines - body : 0;
	if (s->scroll > most)
		s->scroll = most;
	for (int skip = 0; skip < s->scroll; skip++)
		text = strchr(text, '\n') + 1;
	for (; row < LINES - 1 && *text; row++)
		text = draw_line(row, text);
	if (s->scroll < most && LINES > 2)
		mvprintw(LINES - 2, COLS > 12 ? COLS - 12 : 0, " %d more... ", most - s->scroll);
	draw_foot(s);
	refresh();
}

// What the look says on stderr belongs into the picture: caught in a file.
static int take_look(struct screen *s)
{
	int file = memfd_create("penstock-top", MFD_CLOEXEC), saved = dup(STDERR_FILENO), status;
	ssize_t length = 0;

	if (file >= 0)
		dup2(file, STDERR_FILENO);
	status = look_take(&s->look, s->cli, s->page == PAGE_LEDGER);
	if (saved >= 0) {
		dup2(saved, STDERR_FILENO);
		close(saved);
	}
	if (file >= 0) {
		length = pread(file, s->problem, sizeof(s->problem) - 1, 0);
		close(file);
	}
	s->problem[length > 0 ? length : 0] = '\0';
	s->problem[strcspn(s->problem, "\n")] = '\0';
	if (!status && s->look.taken > 1) {
		struct rates rates;

		rates_of(&s->look.then, &s->look.now, &rates);
		top_add_history(&s->history, &rates);
	}
	return status;
}

static void turn_page(struct screen *s, int page)
{
	s->page = (enum top_page)((page + PAGES_END) % PAGES_END);
	s->scroll = 0;
	s->help = false;
}

// False when the key ends it.
static bool press(struct screen *s, int key, bool *look)
{
	if (key == 'q' || key == 'Q')
		return false;
	if (key == '\t' || key == KEY_RIGHT)
		turn_page(s, (int)s->page + 1);
	else if (key == KEY_BTAB || key == KEY_LEFT)
		turn_page(s, (int)s->page - 1);
	else if (key >= '1' && key < '1' + PAGES_END)
		turn_page(s, key - '1');
	else if (key == 'p' || key == ' ')
		s->paused = !s->paused;
	else if (key == '?' || key == 'h')
		s->help = !s->help;
	else if (key == KEY_DOWN || key == 'j')
		s->scroll++;
	else if ((key == KEY_UP || key == 'k') && s->scroll)
		s->scroll--;
	else if (key == KEY_NPAGE)
		s->scroll += LINES - 4;
	else if (key == KEY_PPAGE)
		s->scroll = s->scroll > LINES - 4 ? s->scroll - (LINES - 4) : 0;
	else if (key == KEY_HOME)
		s->scroll = 0;
	*look = s->page == PAGE_LEDGER && !s->look.ledger;
	return true;
}

static void start_curses(void)
{
	initscr();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	if (!has_colors())
		return;
	start_color();
	use_default_colors();
	init_pair(COLOUR_GOOD, COLOR_GREEN, -1);
	init_pair(COLOUR_WARN, COLOR_YELLOW, -1);
	init_pair(COLOUR_BAD, COLOR_RED, -1);
	init_pair(COLOUR_TITLE, COLOR_CYAN, -1);
}

int screen_run(struct cli *cli, uint64_t interval_ns, uint64_t count)
{
	struct screen s = {.cli = cli, .look.client.fd = -1, .utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8")};
	int status = look_take(&s.look, cli, false), key;
	uint64_t next = now_ns() + interval_ns, shown = 0;
	bool look = false;

	if (status)
		return status; /* said on a terminal that is still whole */
	start_curses();
	watch_start();
	while (!watch_ended() && (!count || shown < count)) {
		uint64_t now = now_ns();

		draw(&s);
		timeout(next > now ? (int)((next - now) / 1000000) + 1 : 0);
		key = getch();
		if (key != ERR && !press(&s, key, &look))
			break;
		now = now_ns();
		if (now < next && !look)
			continue;
		next = now >= next ? now + interval_ns : next;
		if (s.paused && !look)
			continue;
		status = take_look(&s);
		shown++;
		look = false;
	}
	endwin();
	if (*s.problem)
		fprintf(stderr, "%s\n", s.problem);
	free(s.text);
	look_close(&s.look);
	return status;
}
