// The command line of every command: one table per command gives its parser, its --help and its errors.
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#define EXIT_USAGE 2
#define ARGUMENT_LONG 256 /* first value for an option without a letter */

struct argument_option {
	const char *name;  /* long form; NULL ends the table */
	int letter;        /* short form, or ARGUMENT_LONG + n */
	const char *value; /* what its value is called in the help, NULL when it takes none */
	const char *text;  /* one sentence */
};

struct cli;

struct command {
	const char *name;
	const char *arguments; /* "NAME --shards N" */
	const char *summary;   /* one line, in the list of commands */
	const char *text;      /* more for its own --help, or NULL */
	const struct argument_option *options;
	int (*run)(struct cli *cli, const struct command *self, int argc, char **argv); /* returns the exit status */
	const struct command *parent; /* "stream" of "stream create", or NULL */
};

struct cli { /* what was said before or beside the command */
	const char *socket; /* --socket */
	const char *config; /* --config */
};

struct arguments {
	struct cli *cli;
	const struct command *command;
	int argc;
	char **argv;
	struct option longs[40];
	char shorts[96];
	int status; /* the exit status, once arguments_next() has returned 0 */
};

// Starts on argv[1], argv[0] being the command's own name. Options and operands may stand in any order.
void arguments_start(struct arguments *a, struct cli *cli, const struct command *command, int argc, char **argv);

// The next option's letter, its value in `optarg`; -1 at the end, operands from argv[optind] on; 0 when the command is to
// end with a->status (--help was printed, or a usage error). --socket, --config and --help are taken care of here.
int arguments_next(struct arguments *a);

// Prints "penstock COMMAND: error" and where help is, and returns EXIT_USAGE.
int arguments_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

// EXIT_USAGE, said, unless from `least` to `most` operands are left; else 0.
int arguments_operands(const struct arguments *a, int least, int most);

/* Values of options, each 0 or EXIT_USAGE with the option and its value named. */
int arguments_number(const struct command *command, const char *option, const char *text, uint64_t least, uint64_t most,
		     uint64_t *out);
int arguments_bytes(const struct command *command, const char *option, const char *text, uint64_t *out);
int arguments_duration(const struct command *command, const char *option, const char *text, uint64_t *ns);
