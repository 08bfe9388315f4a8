// penstock doctor
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/doctor.h"
#include "control/cli/table.h"

enum { OPTION_JSON = ARGUMENT_LONG };

static const struct argument_option options[] = {
	{"json", OPTION_JSON, NULL, "{\"ok\", \"findings\": [{check, verdict, found, why, fix}]}"},
	{NULL, 0, NULL, NULL},
};

static const char *const verdicts[] = {[VERDICT_OK] = "ok", [VERDICT_WARN] = "warn", [VERDICT_FAIL] = "fail"};

static void check_configuration(struct doctor *d)
{
	static const char why[] = "a daemon does not start on a configuration with errors";
	char *text = NULL;
	size_t length;
	FILE *errors = open_memstream(&text, &length);
	int error;

	if (!errors) {
		d->failed = true;
		return;
	}
	error = config_check_host(d->config, errors);
	if (fclose(errors)) {
		d->failed = true;
	} else if (error) {
		text[strcspn(text, "\n")] = '\0';
		doctor_add(d, VERDICT_FAIL, "configuration", why, doctor_fix("penstock check %s", d->config->path), "%s", text);
	} else {
		doctor_add(d, VERDICT_OK, "configuration", why, NULL, "%s", d->config->path);
	}
	free(text);
}

// Two looks at penstockd, a second apart, for rates. It need not run, and then nothing is said here. False when one runs
// and does not answer, said.
static bool ask_penstockd(const struct cli *cli, struct message answers[2])
{
	struct client client;
	json_t *request = json_pack("{s:s}", "op", "status");
	int error = 0;

	if (!client_find_socket(cli, client.socket) && (client.fd = protocol_connect(client.socket)) >= 0) {
		for (int i = 0; request && i < 2; i++) {
			if (i)
				sleep(1);
			error = message_send(client.fd, request, NULL, 0);
			if (!error)
				error = client_receive(&client, CLIENT_IDLE_MS, &answers[i]);
			if (error)
				break;
		}
		if (error == -ETIMEDOUT)
			client_say_broken(&client, error);
		client_close(&client);
	}
	json_decref(request);
	return error != -ETIMEDOUT;
}

static void print(const struct doctor *d)
{
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[1;31m"};
	bool colour = table_colours(stdout);
	unsigned counts[3] = {0};

	for (unsigned i = 0; i < d->count; i++) {
		const struct finding *f = &d->findings[i];

		counts[f->verdict]++;
		printf("%s%-4s%s  %-21s  %s\n", colour ? colours[f->verdict] : "", verdicts[f->verdict], colour ? "\033[0m" : "", f->check,
		       f->found);
		if (f->verdict == VERDICT_OK)
			continue;
		printf("      %-21s  why: %s\n", "", f->why);
		if (*f->fix)
			printf("      %-21s  fix: %s\n", "", f->fix);
	}
	printf("%u ok, %u to look at, %u wrong\n", counts[VERDICT_OK], counts[VERDICT_WARN], counts[VERDICT_FAIL]);
}

static int print_json(const struct doctor *d, bool ok)
{
	json_t *findings = json_array(), *answer = json_pack("{s:b, s:o}", "ok", ok, "findings", findings);
	int status;

	for (unsigned i = 0; i < d->count; i++) {
		const struct finding *f = &d->findings[i];

		json_array_append_new(findings, json_pack("{s:s, s:s, s:s, s:s, s:s}", "check", f->check, "verdict",
							  verdicts[f->verdict], "found", f->found, "why", f->why, "fix", f->fix));
	}
	status = client_print_json(answer, false);
	json_decref(answer);
	return status;
}

static int doctor(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct message answers[2] = {{0}};
	struct doctor d = {.root = "", .filesystem = statfs};
	struct config *config = NULL;
	bool json = false, ok = true;
	struct arguments a;
	int option, status;

	arguments_start(&a, cli, self, argc, argv);
	while ((option = arguments_next(&a)) > 0)
		json |= option == OPTION_JSON;
	if (option == 0)
		return a.status;
	status = arguments_operands(&a, 0, 1);
	if (status)
		return status;
	if (optind < argc)
		cli->config = argv[optind];
	else if (!cli->config && !access(CLIENT_CONFIG_DEFAULT, R_OK))
		cli->config = CLIENT_CONFIG_DEFAULT;
	if (cli->config && config_load(cli->config, stderr, &config))
		return 1;
	d.config = config;
	ok = ask_penstockd(cli, answers);
	d.earlier = answers[0].json;
	d.status = answers[1].json;
	if (config)
		check_configuration(&d);
	doctor_check_memory(&d);
	doctor_check_cores(&d);
	doctor_check_ports(&d);
	doctor_check_store(&d);
	for (unsigned i = 0; i < d.count; i++)
		ok &= d.findings[i].verdict != VERDICT_FAIL;
	if (d.failed)
		fputs("penstock doctor: out of memory: findings are missing\n", stderr);
	if (json) {
		status = print_json(&d, ok);
	} else {
		print(&d);
		status = client_finish_output();
	}
	ok &= !d.failed;
	doctor_free(&d);
	for (int i = 0; i < 2; i++) {
		if (answers[i].json)
			message_free(&answers[i]);
	}
	if (config)
		config_free(config);
	return status ? status : ok ? 0 : 1;
}

const struct command command_doctor = {
	"doctor", "[CONFIG] [--json]", "What on this host will cost packets, and how to fix it",
	"Works without penstockd and without a configuration; with them it looks at the ports, cores and streams in use. Exit\n"
	"status 1 when something is wrong (not when there is only something to look at).",
	options, doctor, NULL};
