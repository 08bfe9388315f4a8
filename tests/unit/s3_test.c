// The S3 client where no server is needed, and, started as "s3_test deliver NAME=VALUE...", a delivery to a real one
// for tests/e2e/s3_rgw.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/delivery/dead_letters.h"
#include "control/delivery/s3_request.h"
#include "tests/support/delivery_rig.h"

#define SECRET "aSecretNobodyMaySee"

static struct rig rig;
static char key_file[128];

static int set_up(void **state)
{
	(void)state;
	rig_init(&rig, NULL);
	snprintf(key_file, sizeof key_file, "%s/key", rig.directory);
	rig.config.destination = DESTINATION_S3;
	snprintf(rig.config.s3.endpoint, sizeof rig.config.s3.endpoint, "http://127.0.0.1:9");
	snprintf(rig.config.s3.bucket, sizeof rig.config.s3.bucket, "bucket");
	snprintf(rig.config.s3.region, sizeof rig.config.s3.region, "us-east-1");
	snprintf(rig.config.s3.access_key_file, sizeof rig.config.s3.access_key_file, "%s", key_file);
	rig.config.s3.part_bytes = 8 << 20;
	rig.config.s3.concurrency = 4;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_end(&rig);
	return 0;
}

static void write_key(const char *text, mode_t mode)
{
	FILE *file = fopen(key_file, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(key_file, mode), 0);
}

static int try_open(char error[512])
{
	struct s3 *s3;
	int result = s3_open(&rig.config.s3, &s3, error, 512);

	if (result == 0)
		s3_close(s3);
	return result;
}

static void credentials_are_two_lines_that_nobody_else_reads(void **state)
{
	char error[512];

	(void)state;
	assert_int_equal(try_open(error), -ENOENT);
	assert_non_null(strstr(error, key_file));
	write_key("KEY\n" SECRET "\n", 0640);
	assert_int_equal(try_open(error), -EACCES);
	assert_non_null(strstr(error, "chmod 600"));
	write_key("KEY\n" SECRET "\n", 0604);
	assert_int_equal(try_open(error), -EACCES);
	write_key("KEY\n" SECRET "\n", 0600);
	assert_int_equal(try_open(error), 0);
	write_key("KEY\r\n" SECRET, 0400);
	assert_int_equal(try_open(error), 0);
	write_key("KEY\n" SECRET "\nTOKEN\n", 0600);
	assert_int_equal(try_open(error), 0);
	write_key("KEY\n", 0600);
	assert_int_equal(try_open(error), -EBADMSG);
	write_key("KEY " SECRET "\n", 0600);
	assert_int_equal(try_open(error), -EBADMSG);
	assert_non_null(strstr(error, "first line"));
	assert_null(strstr(error, SECRET));
	write_key("", 0600);
	assert_int_equal(try_open(error), -EBADMSG);
}

static void an_endpoint_is_a_scheme_and_a_host_and_nothing_else(void **state)
{
	static const char *const bad[] = {"",
					  "host:80",
					  "ftp://host",
					  "http://",
					  "https:///x",
					  "http://host/path",
					  "http://key:secret@host",
					  "http://host?x",
					  "http://ho st"};
	static const struct {
		const char *endpoint, *host, *path;
		bool virtual_host;
	} good[] = {
		{"http://localhost:7480", "localhost:7480", "/bucket/", false},
		{"http://s3.example/", "s3.example", "/bucket/", false},
		{"https://s3.example:443", "s3.example", "/bucket/", false},
		{"http://s3.example:443", "s3.example:443", "/bucket/", false},
		{"https://s3.example", "bucket.s3.example", "/", true},
		{"http://[::1]:7480", "[::1]:7480", "/bucket/", false},
	};
	char error[512];
	struct s3 *s3;

	(void)state;
	write_key("KEY\n" SECRET "\n", 0600);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(rig.config.s3.endpoint, sizeof rig.config.s3.endpoint, "%s", bad[i]);
		assert_int_equal(try_open(error), -EINVAL);
		assert_non_null(strstr(error, "write http://host:port"));
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		snprintf(rig.config.s3.endpoint, sizeof rig.config.s3.endpoint, "%s", good[i].endpoint);
		rig.config.s3.virtual_host = good[i].virtual_host;
		assert_int_equal(s3_open(&rig.config.s3, &s3, error, sizeof error), 0);
		assert_string_equal(s3->host, good[i].host);
		assert_string_equal(s3->path, good[i].path);
		s3_close(s3);
	}
	rig.config.s3.bucket[0] = '\0';
	assert_int_equal(try_open(error), -EINVAL);
}

static void parts_are_neither_too_small_nor_too_many(void **state)
{
	struct s3 s3 = {.config = {.part_bytes = 1}};

	(void)state;
	assert_int_equal(s3_part_bytes(&s3, 100), 5 << 20);
	s3.config.part_bytes = 8 << 20;
	assert_int_equal(s3_part_bytes(&s3, 40 << 20), 8 << 20);
	assert_true(s3_part_bytes(&s3, 5ull << 40) * 10000 >= 5ull << 40);
}

static void elements_are_found_and_decoded_and_never_overrun(void **state)
{
	const char *xml = "<a><Key>x&amp;&lt;&gt;&quot;&apos;&#65;&#x42;&bogus;</Key><Key>two</Key><Open>never closed";
	const char *at = xml;
	char text[64], small[4];

	(void)state;
	assert_true(s3_element(&at, "Key", text, sizeof text));
	assert_string_equal(text, "x&<>\"'AB&bogus;");
	assert_true(s3_element(&at, "Key", text, sizeof text));
	assert_string_equal(text, "two");
	assert_false(s3_element(&at, "Key", text, sizeof text));
	assert_string_equal(text, "");
	at = xml;
	assert_false(s3_element(&at, "Open", text, sizeof text));
	assert_false(s3_element(&at, "Key", small, sizeof small));
	assert_string_equal(small, "x&<");
}

static bool settled(const struct delivery_status *s)
{
	return s->pending_records == 0;
}

static void a_server_that_is_not_there_fills_the_dead_letters_and_tells_no_secret(void **state)
{
	struct delivery_status s;
	char list[1024];
	int temporary;

	(void)state;
	write_key("KEY\n" SECRET "\n", 0600);
	rig.config.retry_seconds = 1;
	rig.config.compression = COMPRESS_GZIP;
	rig_fill(&rig, 0, 0, 20, 50);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, settled));
	s = rig_status(&rig, 0);
	assert_int_equal(s.failed_records, 20);
	assert_int_equal(s.taken_records, 20);
	assert_non_null(strstr(s.error, "is the server up"));
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	assert_int_equal(rig_list(&rig, "dead", list, sizeof list, &temporary), 2);
	assert_non_null(strstr(list, ".raw.gz "));
	assert_int_equal(rig_list(&rig, "spool", list, sizeof list, &temporary), 0);
	assert_null(strstr(rig.said, SECRET));
}

static void a_bad_credentials_file_refuses_the_start(void **state)
{
	(void)state;
	write_key("KEY\n" SECRET "\n", 0644);
	assert_int_equal(delivery_rig_start(&rig), -EACCES);
	assert_non_null(strstr(rig.said, "chmod 600"));
}

/* ---- a delivery to a real server ---- */

static const char *argument(int argc, char **argv, const char *name, const char *fallback)
{
	size_t length = strlen(name);

	for (int i = 2; i < argc; i++)
		if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
			return argv[i] + length + 1;
	return fallback;
}

static uint32_t number(int argc, char **argv, const char *name, const char *fallback)
{
	return (uint32_t)strtoul(argument(argc, argv, name, fallback), NULL, 10);
}

/* Puts every dead object to the bucket after all; 0 or what the first one left over said. */
static int redrive_all(void)
{
	char **names, reason[256] = "";
	uint32_t count;
	int result = dead_letters_list(&rig.config, &names, &count);

	if (result)
		return result;
	for (uint32_t i = 0; i < count && result == 0; i++)
		result = delivery_redrive(rig.delivery, names[i], 10000, reason, sizeof reason);
	printf("redriven %u: %s\n", count, result ? reason : "done");
	dead_letters_free(names, count);
	return result;
}

static int deliver(int argc, char **argv)
{
	struct config_delivery *c = &rig.config;
	uint32_t records = number(argc, argv, "records", "10"), bytes = number(argc, argv, "bytes", "100");
	int result;

	rig_init(&rig, argument(argc, argv, "directory", NULL));
	c->destination = DESTINATION_S3;
	c->retry_seconds = number(argc, argv, "retry", "60");
	c->buffer_bytes = number(argc, argv, "buffer", "1000000");
	c->compression = (enum config_compression)number(argc, argv, "compression", "0");
	c->s3.virtual_host = number(argc, argv, "virtual_host", "0") != 0;
	c->s3.part_bytes = number(argc, argv, "part", "8388608");
	c->s3.concurrency = 4;
	snprintf(c->prefix, sizeof c->prefix, "%s", argument(argc, argv, "prefix", "!{timestamp:yyyy/MM/dd}/"));
	snprintf(c->s3.endpoint, sizeof c->s3.endpoint, "%s", argument(argc, argv, "endpoint", ""));
	snprintf(c->s3.bucket, sizeof c->s3.bucket, "%s", argument(argc, argv, "bucket", ""));
	snprintf(c->s3.ca_file, sizeof c->s3.ca_file, "%s", argument(argc, argv, "ca_file", ""));
	snprintf(c->s3.access_key_file, sizeof c->s3.access_key_file, "%s", argument(argc, argv, "key_file", ""));
	for (uint32_t i = 0; i < RIG_SHARDS; i++)
		rig_fill(&rig, i, 0, records, bytes);
	result = delivery_rig_start(&rig);
	if (result == 0) {
		struct delivery_status s[RIG_SHARDS];

		for (int i = 0; i < 900; i++) {
			s[0] = rig_status(&rig, 0);
			s[1] = rig_status(&rig, 1);
			if (settled(&s[0]) && settled(&s[1]))
				break;
			usleep(100000);
		}
		if (number(argc, argv, "redrive", "0") && redrive_all() == 0)
			for (uint32_t i = 0; i < RIG_SHARDS; i++)
				s[i] = rig_status(&rig, i);
		for (uint32_t i = 0; i < RIG_SHARDS; i++)
			printf("shard %u taken %lu delivered %lu pending %lu failed %lu expired %lu objects %lu error "
			       "%s\n",
			       i, (unsigned long)s[i].taken_records, (unsigned long)s[i].delivered_records,
			       (unsigned long)s[i].pending_records, (unsigned long)s[i].failed_records,
			       (unsigned long)s[i].expired_records, (unsigned long)s[i].delivered_objects, s[i].error);
		result = delivery_rig_stop(&rig, true, 1000);
	}
	printf("%s", rig.said);
	return result == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(credentials_are_two_lines_that_nobody_else_reads),
		TEST(an_endpoint_is_a_scheme_and_a_host_and_nothing_else),
		TEST(parts_are_neither_too_small_nor_too_many),
		TEST(elements_are_found_and_decoded_and_never_overrun),
		TEST(a_server_that_is_not_there_fills_the_dead_letters_and_tells_no_secret),
		TEST(a_bad_credentials_file_refuses_the_start),
	};

	if (argc > 2 && strcmp(argv[1], "deliver") == 0)
		return deliver(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
