#include "dataplane/record/rows.h"

#include <stdio.h>
#include <string.h>

/* An input whose port is not open takes nothing: it needs no row. */
static bool left_out(const struct config_input *input)
{
	return input->port_index == UINT32_MAX;
}

static void give(struct rows *rows, uint64_t *taken, uint32_t input, uint32_t row)
{
	rows->of[input] = (uint8_t)row;
	*taken |= 1ull << row;
	if (row >= rows->count)
		rows->count = row + 1;
}

void rows_assign(struct rows *rows, const struct region_input *described, uint32_t count, const struct config *config)
{
	uint64_t taken = 0;

	memset(rows, 0, sizeof *rows);
	memset(rows->of, ROW_NONE, sizeof rows->of);
	rows->count = count < INPUTS_MAX ? count : INPUTS_MAX;
	for (uint32_t i = 0; i < config->inputs_count; i++)
		for (uint32_t row = 0; row < rows->count && !left_out(&config->inputs[i]); row++)
			if (strncmp(described[row].name, config->inputs[i].name, NAME_MAX_BYTES) == 0)
				give(rows, &taken, i, row);
	count = rows->count;
	for (uint32_t i = 0; i < config->inputs_count; i++) {
		uint32_t row = rows->count;

		if (rows->of[i] != ROW_NONE || left_out(&config->inputs[i]))
			continue;
		if (row == INPUTS_MAX)
			for (row = 0; taken >> row & 1; row++)
				;
		if (row < count) /* what it was used for, only its name would tell */
			rows->fresh |= 1ull << row;
		give(rows, &taken, i, row);
	}
}

void rows_describe(struct region_input *described, const struct rows *rows, const struct config *config, uint64_t hidden)
{
	for (uint32_t row = 0; row < rows->count; row++) {
		struct region_input *to = &described[row];
		const struct config_input *input = NULL;

		for (uint32_t i = 0; i < config->inputs_count && !input; i++)
			if (rows->of[i] == row)
				input = &config->inputs[i];
		if (hidden >> row & 1) {
			memset(to, 0, sizeof *to);
		} else if (input) {
			memset(to, 0, sizeof *to);
			snprintf(to->name, sizeof to->name, "%s", input->name);
			snprintf(to->stream, sizeof to->stream, "%s", input->stream);
		} else {
			to->removed = 1;
		}
	}
}
