// The sample file and the manual page, both from the table of knobs.
#include <inttypes.h>
#include <string.h>

#include "config/knobs.h"

#define WIDTH 110u

static const char conventions[] = "Sizes are bytes or carry a unit: 4MiB, 5MB. Durations carry theirs: 10ms, 300s, "
				  "24h, 7d. Relative paths start at the "
				  "directory of the main configuration file, also in files of conf.d. Beside the main "
				  "file, conf.d/*.yaml is read in the "
				  "order of names: ports, inputs, rules, streams and deliveries add up, any other knob "
				  "replaces the one read before. Secrets "
				  "never stand here, only the paths of files that hold them.";

// Prose as comment lines that begin with `lead`, or plain text lines when lead is "".
static void print_wrapped(FILE *out, const char *lead, const char *text)
{
	size_t room = WIDTH - strlen(lead);

	while (*text) {
		size_t length = strlen(text);

		if (length > room)
			for (length = room; length > 0 && text[length] != ' '; length--)
				;
		fprintf(out, "%s%.*s\n", lead, (int)length, text);
		text += length;
		text += *text == ' ';
	}
}

static bool is_list(enum knob_type type)
{
	return type == KNOB_ARGUMENTS || type == KNOB_NUMBERS || type == KNOB_CHOICES || type == KNOB_ADDRESSES;
}

// What the sample file gives a knob.
static const char *shown_value(const struct knob *k)
{
	if (is_list(k->type) && !strchr(k->path, '['))
		return "[]";
	return k->example ? k->example : k->fallback;
}

static void print_sentence(FILE *out, const char *lead, const struct knob *k)
{
	char text[512], expected[256];
	bool section = k->type == KNOB_SECTION || k->type == KNOB_ITEMS;

	knob_expect(k, expected, sizeof expected);
	if (section)
		snprintf(text, sizeof text, "%s", k->text);
	else
		snprintf(text, sizeof text, "%s (%s)", k->text, expected);
	print_wrapped(out, lead, text);
}

// The knobs of `parent` as YAML. `lead` is what every line begins with, "#" inside what is shown as a comment.
static void print_knobs(FILE *out, uint32_t parent, const char *lead)
{
	bool items = parent != KNOB_NONE && knobs[parent].type == KNOB_ITEMS, first = true;
	char prose[64], deeper[64];
	const char *name;

	snprintf(prose, sizeof prose, "%s# ", lead);
	for (uint32_t i = 0; i < knobs_count; i++) {
		const struct knob *k = &knobs[i];
		const char *hidden = k->aside ? "#" : "";

		if (!knob_in(parent, i, &name))
			continue;
		print_sentence(out, prose, k);
		if (k->type == KNOB_SECTION) {
			fprintf(out, "%s%s%s:\n", lead, hidden, name);
			snprintf(deeper, sizeof deeper, "%s%s  ", lead, hidden);
			print_knobs(out, i, deeper);
			continue;
		}
		if (items && first)
			fprintf(out, "%.*s- %s: %s\n", (int)strlen(lead) - 2, lead, name, shown_value(k));
		else
			fprintf(out, "%s%s%s: %s\n", lead, hidden, name, shown_value(k));
		first = false;
	}
}

void config_print_sample(FILE *out)
{
	const char *name;

	fprintf(out, "# Configuration of penstock, every knob at its default. Made from config/knobs.c: make "
		     "config-files\n#\n");
	print_wrapped(out, "# ", conventions);
	fprintf(out, "#\n# A list is shown by one example entry: take the first '#' from its lines to have it.\n");
	for (uint32_t i = 0; i < knobs_count; i++) {
		if (!knob_in(KNOB_NONE, i, &name))
			continue;
		fputc('\n', out);
		print_sentence(out, "# ", &knobs[i]);
		fprintf(out, "%s%s:\n", knobs[i].type == KNOB_ITEMS ? "#" : "", name);
		print_knobs(out, i, knobs[i].type == KNOB_ITEMS ? "#    " : "  ");
	}
}

// Text with what roff would take for commands escaped.
static void print_roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\n')
			fputs("\\en", out);
		else
			fputc(*text, out);
	}
}

static void print_default(FILE *out, const struct knob *k)
{
	if (!k->fallback) {
		fputs("Must be given", out);
		if (k->example) {
			fputs(", as in ", out);
			print_roff(out, k->example);
		}
	} else if (!*k->fallback) {
		fputs("May be left out", out);
	} else {
		fputs("Default: ", out);
		print_roff(out, strcmp(k->fallback, "\n") == 0 ? "a line end" : k->fallback);
	}
	fputs(".\n", out);
}

// When a change of it takes effect; said where it is another than that of what it stands in.
static void print_live(FILE *out, uint32_t index)
{
	switch (knob_live(index)) {
	case KNOB_LIVE:
		fputs("A change takes effect at a reload\n.RB ( \"penstock reload\" ).\n", out);
		break;
	case KNOB_NEVER:
		fputs("A change takes no effect: ", out);
		print_roff(out, knobs[index].stays);
		fputs(".\n", out);
		break;
	case KNOB_AS_ABOVE:
		break; /* the next start, as a whole says */
	}
}

static void print_manual_knob(FILE *out, const struct knob *k)
{
	char expected[256];

	fputs(".TP\n.B ", out);
	print_roff(out, k->path);
	fputc('\n', out);
	print_roff(out, k->text);
	fputc('\n', out);
	if (k->type == KNOB_SECTION && !k->brief && k->fallback)
		return;
	knob_expect(k, expected, sizeof expected);
	expected[0] = expected[0] >= 'a' && expected[0] <= 'z' && k->type != KNOB_CHOICE && k->type != KNOB_BOOL
			      ? (char)(expected[0] - 'a' + 'A')
			      : expected[0];
	fputs(".br\n", out);
	print_roff(out, expected);
	fputs(".\n", out);
	print_default(out, k);
	if (k->live != KNOB_AS_ABOVE)
		print_live(out, (uint32_t)(k - knobs));
}

void config_print_manual(FILE *out)
{
	const char *name;

	fputs(".\\\" Made from config/knobs.c: make config-files\n"
	      ".TH PENSTOCK.YAML 5 \"\" penstock \"File formats\"\n"
	      ".SH NAME\npenstock.yaml \\- configuration of penstock\\-dataplane and penstockd\n"
	      ".SH SYNOPSIS\n.I /etc/penstock/penstock.yaml\n.br\n.I /etc/penstock/conf.d/*.yaml\n"
	      ".SH DESCRIPTION\n"
	      "One YAML 1.2 file describes what both daemons do.\n"
	      "It is checked as a whole before anything is started; every error is told with its file, line and "
	      "column.\n"
	      ".B penstock check\ntells them without starting anything.\n"
	      "A change takes effect at the next start of both daemons, but where a reload is named.\n.PP\n",
	      out);
	print_roff(out, conventions);
	fputc('\n', out);
	for (uint32_t i = 0; i < knobs_count; i++) {
		const struct knob *k = &knobs[i];

		if (knob_in(KNOB_NONE, i, &name)) {
			fputs(".SH ", out);
			for (; *name; name++)
				fputc(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name, out);
			fputc('\n', out);
			print_roff(out, k->text);
			fputc('\n', out);
			if (k->type == KNOB_ITEMS)
				fprintf(out, "A list of at most %d entries.\n", (int)k->most);
			print_live(out, i);
		} else {
			print_manual_knob(out, k);
		}
	}
	fputs(".SH FILES\n.TP\n.I /etc/penstock/penstock.yaml\nThe main file.\n"
	      ".TP\n.I /etc/penstock/conf.d/*.yaml\nRead after it, in the order of names.\n"
	      ".SH SEE ALSO\n.BR penstock (1)\n",
	      out);
}
