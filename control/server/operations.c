#include "control/server/operations.h"

#include <string.h>

static const struct {
	const char *name;
	operation *run;
} operations[] = {
	{"status", operate_status},
	{"ledger", operate_ledger},
	{"reload", operate_reload},
	{"stream.create", operate_stream_create},
	{"stream.list", operate_stream_list},
	{"stream.describe", operate_stream_describe},
	{"stream.delete", operate_stream_delete},
	{"stream.gone", operate_stream_gone},
	{"position", operate_position},
	{"read", operate_read},
	{"cursor.get", operate_cursor_get},
	{"cursor.put", operate_cursor_put},
	{"cursor.list", operate_cursor_list},
	{"cursor.delete", operate_cursor_delete},
	{"replay", operate_replay},
	{"template.list", operate_template_list},
	{"delivery.list", operate_delivery_list},
	{"delivery.show", operate_delivery_show},
	{"delivery.dead", operate_delivery_dead},
	{"delivery.redrive", operate_delivery_redrive},
};

operation *operation_find(const char *name)
{
	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
		if (strcmp(operations[i].name, name) == 0)
			return operations[i].run;
	return NULL;
}
