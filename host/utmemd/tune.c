// SPDX-License-Identifier: MIT
/*
 * Owns the knobs at run time and how they outlive a worker. Called by daemon.c at start and
 * end, by commands.c when the operator says so; on the worker's main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/fdpass.h"
#include "host/utmemd/log.h"
#include "host/utmemd/tune.h"

#define KEY "knobs"
#define TEXT_LEN 1024u /* of all lines */

/* ---- lines ---- */

static void line_take(struct knobs *k, char *line)
{
	char *value = strchr(line, '=');
	char why[OPTION_WHY_LEN] = "is no line of knobs";

	if (value)
		*value++ = '\0';
	if (!value || options_knob_set(k, line, value, why))
		log_warn("%s: left out, it %s", line, why);
}

/* Those of @k that are not as the options have them. Return: how long the text is. */
static size_t lines_make(const struct daemon *d, const struct knobs *k, char text[TEXT_LEN])
{
	struct knob now, opt;
	size_t i, len = 0;

	for (i = 0; options_knob(k, i, &now) && options_knob(&d->opt->knobs, i, &opt); i++) {
		if (now.value != opt.value)
			len += (size_t)snprintf(text + len, TEXT_LEN - len, "%s=%" PRIu64 "\n",
						now.name, now.value);
	}
	return len;
}

/* ---- what outlives a worker ---- */

/* A descriptor, or -errno. */
static int text_fd(const char *text, size_t len)
{
	int err, fd = memfd_create("utmemd-knobs", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, len) == (ssize_t)len)
		return fd < 0 ? -errno : fd;
	err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

static int keep(struct daemon *d, const struct knobs *k)
{
	char text[TEXT_LEN];
	size_t len = lines_make(d, k, text);
	int fd, err;

	if (!len) {
		tune_close(d);
		return 0;
	}
	fd = text_fd(text, len);
	if (fd < 0)
		return fd;
	err = deposit_keep(&d->deposit, &d->knobs_deposited, KEY, NULL, 0, &fd, 1);
	close(fd);
	return err;
}

void tune_resume(struct daemon *d)
{
	struct kept_item *item = deposit_take(&d->deposit, &d->knobs_deposited, KEY, 0, 1, 1);
	char text[TEXT_LEN], *line, *rest;
	ssize_t n;

	if (!item)
		return;
	n = pread(item->fds[0], text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		line_take(&d->knobs, line);
	fdpass_close(item->fds, 1);
	free(item);
}

void tune_close(struct daemon *d)
{
	deposit_drop(&d->deposit, &d->knobs_deposited, KEY);
}

/* ---- now ---- */

static void log_changes(const struct knobs *before, const struct knobs *now)
{
	struct knob a, b;
	size_t i;

	for (i = 0; options_knob(before, i, &a) && options_knob(now, i, &b); i++) {
		if (a.value != b.value)
			log_info("%s: %" PRIu64 " %s, was %" PRIu64, a.name, b.value, a.unit,
				 a.value);
	}
}

int tune_set(struct daemon *d, const struct knobs *k)
{
	int err = keep(d, k);

	if (err)
		return err;
	log_changes(&d->knobs, k);
	d->knobs = *k;
	crew_tune(&d->crew, k);
	return 0;
}
