#include <errno.h>

#include "control/server/operations.h"

static json_t *rows_to_json(const struct balance_row *rows, uint32_t count)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(array, json_pack("{s:s, s:I, s:s}", "label", rows[i].label, "value",
						       (json_int_t)rows[i].value, "text", rows[i].text));
	return array;
}

static json_t *section_to_json(const struct balance_section *s)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I}", "title", s->title, "equation", s->equation, "left",
			 rows_to_json(s->rows, s->left_count), "right", rows_to_json(s->rows + s->left_count, s->right_count),
			 "left_sum", (json_int_t)s->left, "right_sum", (json_int_t)s->right, "difference",
			 (json_int_t)s->difference, "unaccounted", (json_int_t)s->unaccounted);
}

void operate_ledger(struct session *session, const json_t *request, struct answer *answer)
{
	struct balance_table table;
	json_t *sections;
	int error = monitor_evaluate(session->daemon->monitor, &table);

	(void)request;
	if (error == -EAGAIN) {
		answer_refuse(answer, "InternalFailure", "the figures change faster than they can be copied: ask again");
		return;
	}
	if (error) {
		answer_errno(answer, error, "evaluate the ledger");
		return;
	}
	sections = json_array();
	for (uint32_t i = 0; i < table.sections_count; i++)
		json_array_append_new(sections, section_to_json(&table.sections[i]));
	answer->json = json_pack("{s:b, s:I, s:o}", "balanced", table.unaccounted == 0, "unaccounted",
				 (json_int_t)table.unaccounted, "sections", sections);
	balance_free_table(&table);
}
