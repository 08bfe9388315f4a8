#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/cli/reports.h"

static void reports_become_objects_and_source_lines_are_passed_over(void **state)
{
	static const char text[] = "run/penstock.yaml:12:8: error: there is no knob \"colour\" here\n"
				   "    colour: blue: error: x\n"
				   "    ^\n"
				   "run/conf.d/a:b.yaml:3:1: warning: core 9 is isolated: error: or so\n"
				   "/etc/x.yaml: error: cannot be read: Permission denied\n"
				   "/etc/y.yaml:7: error: at a line\n"
				   "1 error\n";
	json_t *array = reports_parse(text), *expected;

	(void)state;
	expected = json_loads("[{\"file\": \"run/penstock.yaml\", \"line\": 12, \"column\": 8, \"severity\": \"error\","
			      "  \"message\": \"there is no knob \\\"colour\\\" here\"},"
			      " {\"file\": \"run/conf.d/a:b.yaml\", \"line\": 3, \"column\": 1, \"severity\": \"warning\","
			      "  \"message\": \"core 9 is isolated: error: or so\"},"
			      " {\"file\": \"/etc/x.yaml\", \"line\": 0, \"column\": 0, \"severity\": \"error\","
			      "  \"message\": \"cannot be read: Permission denied\"},"
			      " {\"file\": \"/etc/y.yaml\", \"line\": 7, \"column\": 0, \"severity\": \"error\", \"message\": \"at a line\"}]",
			      0, NULL);
	assert_non_null(expected);
	if (!json_equal(array, expected))
		fail_msg("%s", json_dumps(array, 0));
	json_decref(array);
	json_decref(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_become_objects_and_source_lines_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
