// SPDX-License-Identifier: MIT
/*
 * Owns the choice between the registry and the previous one. Called by registry.c,
 * at start; changes nothing on disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/utmemd/registry_json.h"
#include "host/utmemd/registry_load.h"

/* What is whole by its checksum and still makes no sense is damaged all the same: -EBADMSG. */
static int load_one(int dir_fd, const char *name, struct registry_list *list, char *why)
{
	size_t len;
	char *text;
	int err = registry_file_read(dir_fd, name, &text, &len, why);

	if (err)
		return err;
	err = registry_decode(list, text, len, why, REGISTRY_WHY_LEN);
	free(text);
	return err == -EINVAL ? -EBADMSG : err;
}

/* The last one is @lost (why it is damaged, or -ENOENT). */
static int load_previous(int dir_fd, int lost, struct registry_list *list,
			 enum registry_found *found, char *why)
{
	char previous[REGISTRY_WHY_LEN], last[REGISTRY_WHY_LEN];
	int err = load_one(dir_fd, REGISTRY_PREVIOUS, list, previous);

	if (!err) {
		*found = REGISTRY_FALLBACK;
		return 0;
	}
	if (err == -ENOENT && lost == -ENOENT) {
		*found = REGISTRY_NONE;
		return 0;
	}
	snprintf(last, sizeof(last), "%s", why);
	snprintf(why, REGISTRY_WHY_LEN, "%.200s; " REGISTRY_PREVIOUS ": %.200s", last, previous);
	return err == -ENOENT ? lost : err;
}

int registry_load(int dir_fd, struct registry_list *list, enum registry_found *found, char *why)
{
	int err;

	memset(list, 0, sizeof(*list));
	*found = REGISTRY_CURRENT;
	err = load_one(dir_fd, REGISTRY_NAME, list, why);
	if (err == -EBADMSG || err == -ENOENT)
		return load_previous(dir_fd, err, list, found, why);
	return err;
}
