/* SPDX-License-Identifier: MIT */
/*
 * The registry's files, whatever their text says. A file is a line
 *
 *   utmem-registry VERSION CHECKSUM
 *
 * and the text; the checksum (XXH3, 64 bits, 16 hex digits) is of the line up to it
 * and of the text. This holds for every version, so that a newer one is told from
 * a damaged one. "registry" is the one in force, "registry.previous" the one before,
 * "registry.new" and "registry.kept" of a replacement that was never finished.
 * Callers: registry*.c.
 */
#ifndef UTMEMD_REGISTRY_FILE_H
#define UTMEMD_REGISTRY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define REGISTRY_VERSION 2u	      /* since 2, pools have options; older ones are read */
#define REGISTRY_TEXT_MAX (64u << 20) /* bytes */
#define REGISTRY_WHY_LEN 512u

#define REGISTRY_NAME "registry"
#define REGISTRY_PREVIOUS REGISTRY_NAME ".previous"
#define REGISTRY_NEW REGISTRY_NAME ".new"
#define REGISTRY_KEPT REGISTRY_NAME ".kept"
#define REGISTRY_DAMAGED REGISTRY_NAME ".damaged"

/*
 * 0 and *text is the caller's, *len bytes and a NUL. -ENOENT; -EBADMSG: damaged; -EPROTONOSUPPORT: of a
 * newer version; or as the file system says. @why then says it (REGISTRY_WHY_LEN).
 */
int registry_file_read(int dir_fd, const char *name, char **text, size_t *len, char *why);

/*
 * @text becomes the registry, and what was the registry becomes the previous one, or, when it
 * @is_damaged, registry.damaged. On stable storage when it returns 0. On failure (-errno, -EFBIG:
 * longer than REGISTRY_TEXT_MAX) the registry is what it was. Whenever the process or the host dies,
 * the registry is the old one or the new one, whole.
 */
int registry_file_replace(int dir_fd, const char *text, size_t len, bool is_damaged);

/* Every file of it, but for a damaged one that was put aside. */
void registry_file_remove(int dir_fd);

#endif /* UTMEMD_REGISTRY_FILE_H */
