#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "control/delivery/s3_request.h"

static int refuse(struct s3 *s3, int error, const char *why)
{
	snprintf(s3->error, sizeof s3->error, "access_key_file %.120s: %s", s3->config.access_key_file, why);
	return error;
}

// The next line without its end; false when it does not fit or has a blank or control character in it.
static bool take_line(const char **at, char *out, size_t room)
{
	size_t length = strcspn(*at, "\r\n");

	if (length >= room)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((*at)[i] <= ' ' || (*at)[i] > '~')
			return false;
	memcpy(out, *at, length);
	out[length] = '\0';
	*at += length;
	*at += **at == '\r';
	*at += **at == '\n';
	return true;
}

static int parse(struct s3 *s3, const char *text)
{
	bool fine = take_line(&text, s3->access_key, sizeof s3->access_key) &&
		    take_line(&text, s3->secret, sizeof s3->secret) && take_line(&text, s3->token, sizeof s3->token);

	if (!fine || s3->access_key[0] == '\0' || s3->secret[0] == '\0')
		return refuse(s3, -EBADMSG,
			      "the first line is the access key id, the second the secret (a third a session token), "
			      "nothing else");
	s3->key_date[0] = '\0';
	return 0;
}

int s3_read_credentials(struct s3 *s3)
{
	char text[4096];
	struct stat status;
	ssize_t length;
	int error, fd = open(s3->config.access_key_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &status) < 0) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		return refuse(s3, error, strerror(-error));
	}
	if (!S_ISREG(status.st_mode) || (status.st_mode & 077) != 0) {
		close(fd);
		return refuse(s3, -EACCES, "can be read by others; chmod 600 it");
	}
	length = read(fd, text, sizeof text - 1);
	error = length < 0 ? -errno : 0;
	close(fd);
	if (error)
		return refuse(s3, error, strerror(-error));
	text[length] = '\0';
	error = parse(s3, text);
	OPENSSL_cleanse(text, sizeof text);
	return error;
}
