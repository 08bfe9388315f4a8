#include "control/cli/arguments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/units.h"

static const struct argument_option common[] = {
	{"socket", 's', "PATH", "penstockd's socket (else from --config, else $PENSTOCK_SOCKET)"},
	{"config", 'c', "FILE", "the configuration penstockd runs with: its socket is taken from it"},
	{"help", 'h', NULL, "this help"},
	{NULL, 0, NULL, NULL},
};

static void print_name(FILE *out, const struct command *command)
{
	if (command->parent)
		fprintf(out, "%s ", command->parent->name);
	fputs(command->name, out);
}

static void print_options(const struct argument_option *options)
{
	for (; options && options->name; options++) {
		char left[64], letter[8] = "    ";

		if (options->letter < ARGUMENT_LONG)
			snprintf(letter, sizeof(letter), "-%c, ", options->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, options->name, options->value ? " " : "",
			 options->value ? options->value : "");
		printf("  %-28s %s\n", left, options->text);
	}
}

static void print_help(const struct command *command)
{
	fputs("Usage: penstock ", stdout);
	print_name(stdout, command);
	printf(" %s\n\n%s.\n", command->arguments, command->summary);
	if (command->text)
		printf("\n%s\n", command->text);
	fputs("\nOptions:\n", stdout);
	print_options(command->options);
	print_options(common);
}

static void add_options(struct arguments *a, const struct argument_option *options, size_t *longs, size_t *shorts)
{
	for (; options && options->name && *longs + 1 < sizeof(a->longs) / sizeof(*a->longs); options++) {
		a->longs[(*longs)++] = (struct option){options->name, options->value ? required_argument : no_argument, NULL,
						       options->letter};
		if (options->letter >= ARGUMENT_LONG || *shorts + 3 >= sizeof(a->shorts))
			continue;
		a->shorts[(*shorts)++] = (char)options->letter;
		if (options->value)
			a->shorts[(*shorts)++] = ':';
	}
}

void arguments_start(struct arguments *a, struct cli *cli, const struct command *command, int argc, char **argv)
{
	size_t longs = 0, shorts = 0;

	memset(a, 0, sizeof(*a));
	a->cli = cli;
	a->command = command;
	a->argc = argc;
	a->argv = argv;
	a->shorts[shorts++] = ':';
	add_options(a, command->options, &longs, &shorts);
	add_options(a, common, &longs, &shorts);
	optind = 0; /* glibc: start afresh, also its own state */
	opterr = 0;
}

static int refuse(struct arguments *a, int option)
{
	const char *word = a->argv[optind > 0 ? optind - 1 : 0];

	if (option == ':')
		a->status = arguments_error(a->command, "%s needs a value", word);
	else if (optopt && optopt < ARGUMENT_LONG && strncmp(word, "--", 2))
		a->status = arguments_error(a->command, "there is no option -%c", optopt);
	else if (optopt)
		a->status = arguments_error(a->command, "%s takes no value", word);
	else
		a->status = arguments_error(a->command, "there is no option %s, or it is ambiguous", word);
	return 0;
}

int arguments_next(struct arguments *a)
{
	for (;;) {
		int option = getopt_long(a->argc, a->argv, a->shorts, a->longs, NULL);

		switch (option) {
		case 's':
			a->cli->socket = optarg;
			break;
		case 'c':
			a->cli->config = optarg;
			break;
		case 'h':
			print_help(a->command);
			a->status = 0;
			return 0;
		case '?':
		case ':':
			return refuse(a, option);
		default:
			return option;
		}
	}
}

int arguments_error(const struct command *command, const char *format, ...)
{
	va_list list;

	fputs("penstock ", stderr);
	print_name(stderr, command);
	fputs(": ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputs(" (see penstock ", stderr);
	print_name(stderr, command);
	fputs(" --help)\n", stderr);
	return EXIT_USAGE;
}

int arguments_operands(const struct arguments *a, int least, int most)
{
	int left = a->argc - optind;

	if (left < least)
		return arguments_error(a->command, "something is missing: penstock %s%s%s %s",
				       a->command->parent ? a->command->parent->name : "", a->command->parent ? " " : "",
				       a->command->name, a->command->arguments);
	if (left > most)
		return arguments_error(a->command, "what is \"%s\" for?", a->argv[optind + most]);
	return 0;
}

int arguments_number(const struct command *command, const char *option, const char *text, uint64_t least, uint64_t most,
		     uint64_t *out)
{
	if (units_parse_number(text, most, out) || *out < least)
		return arguments_error(command, "--%s \"%s\": a whole number from %" PRIu64 " to %" PRIu64 " is wanted", option,
				       text, least, most);
	return 0;
}

int arguments_bytes(const struct command *command, const char *option, const char *text, uint64_t *out)
{
	if (units_parse_bytes(text, out))
		return arguments_error(command, "--%s \"%s\": a size like 512MiB, 10GiB or 1000000 is wanted", option, text);
	return 0;
}

int arguments_duration(const struct command *command, const char *option, const char *text, uint64_t *ns)
{
	if (units_parse_duration(text, ns))
		return arguments_error(command, "--%s \"%s\": a duration like 90s, 15m, 24h or 7d is wanted", option, text);
	return 0;
}
