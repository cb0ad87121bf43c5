// SPDX-License-Identifier: MIT
/*
 * Owns how the registry's files are read and replaced. Called by registry_load.c at
 * start, by registry.c on commands, and by its writer's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#include "host/utmemd/registry_file.h"

#define HEAD_FORMAT "utmem-registry %u "
#define HEAD_MAX 64u

static uint64_t checksum(const char *head, size_t head_len, const char *text, size_t len)
{
	return XXH3_64bits_withSeed(text, len, XXH3_64bits(head, head_len));
}

/* The line in front of @text. Return: its length. */
static size_t make_head(char head[HEAD_MAX], unsigned int version, const char *text, size_t len)
{
	int n = snprintf(head, HEAD_MAX, HEAD_FORMAT, version);

	n += snprintf(head + n, HEAD_MAX - (size_t)n, "%016" PRIx64 "\n",
		      checksum(head, (size_t)n, text, len));
	return (size_t)n;
}

/* ---- reading ---- */

static int read_all(int fd, char *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = read(fd, buf + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

/* The whole file, and a NUL. */
static int slurp(int fd, char **out, size_t *len, char *why)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)(REGISTRY_TEXT_MAX + HEAD_MAX)) {
		snprintf(why, REGISTRY_WHY_LEN, "is no file of at most %u MiB",
			 REGISTRY_TEXT_MAX >> 20);
		return -EBADMSG;
	}
	*len = (size_t)st.st_size;
	*out = malloc(*len + 1);
	if (!*out)
		return -ENOMEM;
	err = read_all(fd, *out, *len);
	(*out)[*len] = '\0';
	if (err)
		free(*out);
	return err == -EIO ? -EBADMSG : err;
}

/* Return: length of the head, or -errno. It is compared as text: every bit of it counts. */
static ssize_t check_head(const char *file, size_t len, char *why)
{
	const char *end = memchr(file, '\n', len < HEAD_MAX ? len : HEAD_MAX);
	char head[HEAD_MAX];
	unsigned int version;
	size_t head_len;

	if (!end || sscanf(file, HEAD_FORMAT, &version) != 1)
		goto err_damaged;
	head_len = (size_t)(end - file) + 1;
	if (make_head(head, version, file + head_len, len - head_len) != head_len ||
	    memcmp(head, file, head_len))
		goto err_damaged;
	if (version && version <= REGISTRY_VERSION)
		return (ssize_t)head_len;
	snprintf(why, REGISTRY_WHY_LEN, "is of version %u, and this utmemd knows %u", version,
		 REGISTRY_VERSION);
	return -EPROTONOSUPPORT;

err_damaged:
	snprintf(why, REGISTRY_WHY_LEN, "is damaged: %zu bytes do not match their checksum", len);
	return -EBADMSG;
}

int registry_file_read(int dir_fd, const char *name, char **text, size_t *len, char *why)
{
	ssize_t head_len;
	int err, fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	err = fd < 0 ? -errno : 0;
	snprintf(why, REGISTRY_WHY_LEN, "is damaged: it cannot be read");
	if (!err) {
		err = slurp(fd, text, len, why);
		close(fd);
	}
	if (err) {
		if (err != -EBADMSG)
			snprintf(why, REGISTRY_WHY_LEN, "%s", strerror(-err));
		return err;
	}
	head_len = check_head(*text, *len, why);
	if (head_len < 0) {
		free(*text);
		return (int)head_len;
	}
	*len -= (size_t)head_len;
	memmove(*text, *text + head_len, *len + 1);
	return 0;
}

/* ---- replacing ---- */

static int write_all(int fd, const char *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, buf, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

/* registry.new, whole and on stable storage; or no such file. */
static int write_new(int dir_fd, const char *text, size_t len)
{
	char head[HEAD_MAX];
	size_t head_len = make_head(head, REGISTRY_VERSION, text, len);
	int err, fd;

	unlinkat(dir_fd, REGISTRY_NEW, 0);
	fd = openat(dir_fd, REGISTRY_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, head, head_len);
	if (!err)
		err = write_all(fd, text, len);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (err)
		unlinkat(dir_fd, REGISTRY_NEW, 0);
	return err;
}

/*
 * The registry keeps its name until another takes it, and the previous one too: at no moment is
 * there less than before. A registry that is not there has nothing to keep.
 */
static int keep_old(int dir_fd, const char *as)
{
	int err = 0;

	unlinkat(dir_fd, REGISTRY_KEPT, 0);
	if (linkat(dir_fd, REGISTRY_NAME, dir_fd, REGISTRY_KEPT, 0))
		return errno == ENOENT ? 0 : -errno;
	if (renameat(dir_fd, REGISTRY_KEPT, dir_fd, as))
		err = -errno;
	/* Still there when both were names of one file */
	unlinkat(dir_fd, REGISTRY_KEPT, 0);
	return err;
}

/* The new one has the name, and nobody knows whether that is on the disk: the old one gets it back. */
static void take_back(int dir_fd, const char *kept_as)
{
	if (renameat(dir_fd, kept_as, dir_fd, REGISTRY_NAME) && errno == ENOENT)
		unlinkat(dir_fd, REGISTRY_NAME, 0);
}

int registry_file_replace(int dir_fd, const char *text, size_t len, bool is_damaged)
{
	const char *kept_as = is_damaged ? REGISTRY_DAMAGED : REGISTRY_PREVIOUS;
	int err;

	if (len > REGISTRY_TEXT_MAX)
		return -EFBIG;
	err = write_new(dir_fd, text, len);
	if (err)
		return err;
	err = keep_old(dir_fd, kept_as);
	if (!err && renameat(dir_fd, REGISTRY_NEW, dir_fd, REGISTRY_NAME))
		err = -errno;
	if (err) {
		unlinkat(dir_fd, REGISTRY_NEW, 0);
		return err;
	}
	if (!fsync(dir_fd))
		return 0;
	err = -errno;
	take_back(dir_fd, kept_as);
	return err;
}

void registry_file_remove(int dir_fd)
{
	static const char *const names[] = {REGISTRY_NEW, REGISTRY_KEPT, REGISTRY_PREVIOUS,
					    REGISTRY_NAME};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(dir_fd, names[i], 0);
}
