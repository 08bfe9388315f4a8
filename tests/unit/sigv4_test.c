#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/delivery/sigv4.h"

/* The examples of "Authenticating Requests: Using the Authorization Header", Amazon S3 API reference. */
#define ACCESS_KEY "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define HOST                                                                                                           \
	{                                                                                                              \
		"Host", "examplebucket.s3.amazonaws.com"                                                               \
	}

static const struct sigv4_scope scope = {"20130524T000000Z", "us-east-1", "s3"};

static const char *signed_text(const struct sigv4_request *request)
{
	static char text[1024];
	uint8_t key[SIGV4_KEY_BYTES];

	assert_int_equal(sigv4_key(SECRET, &scope, key), 0);
	assert_int_equal(sigv4_authorization(request, &scope, ACCESS_KEY, key, text, sizeof text), 0);
	return text;
}

static void the_get_example_is_signed_as_published(void **state)
{
	const struct sigv4_field headers[] = {HOST,
					      {"Range", "bytes=0-9"},
					      {"x-amz-content-sha256", SIGV4_EMPTY_HASH},
					      {"x-amz-date", "20130524T000000Z"}};
	const struct sigv4_request r = {"GET", "/test.txt", false, NULL, 0, headers, 4, SIGV4_EMPTY_HASH};
	char canonical[1024], names[200];

	(void)state;
	assert_int_equal(sigv4_canonical(&r, canonical, sizeof canonical, names, sizeof names), 0);
	assert_string_equal(
		canonical,
		"GET\n/"
		"test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\nx-amz-content-"
		"sha256:" SIGV4_EMPTY_HASH
		"\nx-amz-date:20130524T000000Z\n\nhost;range;x-amz-content-sha256;x-amz-date\n" SIGV4_EMPTY_HASH);
	assert_string_equal(signed_text(&r),
			    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
			    "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
			    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void the_put_example_is_signed_as_published(void **state)
{
	const char *hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
	const struct sigv4_field headers[] = {HOST,
					      {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
					      {"x-amz-content-sha256", hash},
					      {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
					      {"x-amz-date", "20130524T000000Z"}};
	const struct sigv4_request r = {"PUT", "/test$file.text", false, NULL, 0, headers, 5, hash};
	char own[SIGV4_HEX_BYTES];

	(void)state;
	assert_int_equal(sigv4_hash_bytes("Welcome to Amazon S3.", 21, own), 0);
	assert_string_equal(own, hash);
	assert_non_null(
		strstr(signed_text(&r), "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

static void the_lifecycle_and_list_examples_are_signed_as_published(void **state)
{
	const struct sigv4_field headers[] = {
		HOST, {"x-amz-date", "20130524T000000Z"}, {"x-amz-content-sha256", SIGV4_EMPTY_HASH}};
	const struct sigv4_field lifecycle[] = {{"lifecycle", ""}}, list[] = {{"prefix", "J"}, {"max-keys", "2"}};
	struct sigv4_request r = {"GET", "/", false, lifecycle, 1, headers, 3, SIGV4_EMPTY_HASH};

	(void)state;
	assert_non_null(
		strstr(signed_text(&r), "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
	r.query = list;
	r.query_count = 2;
	assert_non_null(
		strstr(signed_text(&r), "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

static void values_are_trimmed_and_repeated_headers_joined(void **state)
{
	const struct sigv4_field headers[] = {
		{"X-B", "  two   words\t "}, {"x-a", "second"}, {"X-A", "  "}, {"x-b", "z"}};
	const struct sigv4_request r = {"GET", "/a b/\xc3\xa9", true, NULL, 0, headers, 4, "UNSIGNED-PAYLOAD"};
	char canonical[256], names[64];

	(void)state;
	assert_int_equal(sigv4_canonical(&r, canonical, sizeof canonical, names, sizeof names), 0);
	assert_string_equal(canonical,
			    "GET\n/a%2520b/%25C3%25A9\n\nx-a:second,\nx-b:two words,z\n\nx-a;x-b\nUNSIGNED-PAYLOAD");
}

static void queries_are_sorted_by_what_is_sent(void **state)
{
	const struct sigv4_field query[] = {{"a-", "1"}, {"a", "2"},      {"a", "10"},
					    {"A", ""},   {"b/=&", "+ ~"}, {"\xc3\xa9", ""}};
	char text[128];

	(void)state;
	assert_int_equal(sigv4_query(query, 6, text, sizeof text), 0);
	assert_string_equal(text, "%C3%A9=&A=&a=10&a=2&a-=1&b%2F%3D%26=%2B%20~");
	assert_int_equal(sigv4_query(query, 0, text, sizeof text), 0);
	assert_string_equal(text, "");
}

static void too_little_room_is_an_error_at_every_size(void **state)
{
	const struct sigv4_field headers[] = {HOST}, query[] = {{"prefix", "a/b"}};
	const struct sigv4_request r = {"GET", "/key", true, query, 1, headers, 1, SIGV4_EMPTY_HASH};
	char canonical[512], names[64];
	size_t need;

	(void)state;
	assert_int_equal(sigv4_canonical(&r, canonical, sizeof canonical, names, sizeof names), 0);
	need = strlen(canonical) + 1;
	for (size_t room = 0; room < need; room++)
		assert_int_equal(sigv4_canonical(&r, canonical, room, names, sizeof names), -ENOSPC);
	assert_int_equal(sigv4_canonical(&r, canonical, need, names, sizeof names), 0);
	assert_int_equal(sigv4_canonical(&r, canonical, need, names, 4), -ENOSPC);
}

/* botocore signs the same request with its own code. */
static void botocore_comes_to_the_same_signature(void **state)
{
	static const char script[] =
		"import datetime, botocore.auth as a, botocore.awsrequest as q, botocore.credentials as c\n"
		"class D(datetime.datetime):\n"
		"    @classmethod\n"
		"    def utcnow(cls): return cls(2013, 5, 24)\n"
		"class M: datetime = D\n"
		"a.datetime = M\n"
		"r = q.AWSRequest(method='PUT', "
		"url='http://127.0.0.1:7480/bucket/a%20b/%C3%A9%2B%2A~.gz?uploadId=2~x%2Fy&partNumber=3',"
		" data=b'hello', headers={'X-Amz-Meta-Z': '  a   b '})\n"
		"a.S3SigV4Auth(c.Credentials('" ACCESS_KEY "', '" SECRET "', 'TOKEN'), 's3', 'us-east-1').add_auth(r)\n"
		"print(r.headers['Authorization'].split('Signature=')[1])\n";
	const char *hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
	const struct sigv4_field headers[] = {{"host", "127.0.0.1:7480"},
					      {"x-amz-content-sha256", hash},
					      {"x-amz-date", "20130524T000000Z"},
					      {"x-amz-security-token", "TOKEN"},
					      {"x-amz-meta-z", "  a   b "}};
	const struct sigv4_field query[] = {{"partNumber", "3"}, {"uploadId", "2~x/y"}};
	const struct sigv4_request r = {"PUT", "/bucket/a b/\xc3\xa9+*~.gz", false, query, 2, headers, 5, hash};
	char command[2048], line[128] = "";
	FILE *pipe;

	(void)state;
	if (system("/usr/bin/python3 -c 'import botocore.auth' 2>/dev/null") != 0)
		skip();
	snprintf(command, sizeof command, "/usr/bin/python3 - <<'END'\n%s\nEND\n", script);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(line, sizeof line, pipe));
	assert_int_equal(pclose(pipe), 0);
	line[strcspn(line, "\n")] = '\0';
	assert_int_equal(strlen(line), 64);
	assert_string_equal(strstr(signed_text(&r), "Signature=") + 10, line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_get_example_is_signed_as_published),
		cmocka_unit_test(the_put_example_is_signed_as_published),
		cmocka_unit_test(the_lifecycle_and_list_examples_are_signed_as_published),
		cmocka_unit_test(values_are_trimmed_and_repeated_headers_joined),
		cmocka_unit_test(queries_are_sorted_by_what_is_sent),
		cmocka_unit_test(too_little_room_is_an_error_at_every_size),
		cmocka_unit_test(botocore_comes_to_the_same_signature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
