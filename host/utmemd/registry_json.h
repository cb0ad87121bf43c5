/* SPDX-License-Identifier: MIT */
/*
 * The registry as text: one JSON object. Numbers up to 2^53 are numbers, larger ones
 * strings of digits. Every member is required and no other is taken, so that nothing
 * is dropped in silence; a new member is a new REGISTRY_VERSION, and that of an older one may
 * be missing. Callers: registry*.c.
 */
#ifndef UTMEMD_REGISTRY_JSON_H
#define UTMEMD_REGISTRY_JSON_H

#include "host/utmemd/registry_list.h"

/* The caller's, to be freed; NULL: no memory. */
char *registry_encode(const struct registry_list *list);

/*
 * 0 and *list is the caller's; or *list is empty and @why says where in the text it is wrong, or
 * which rule it breaks: -EINVAL, -ENOMEM.
 */
int registry_decode(struct registry_list *list, const char *text, size_t len, char *why,
		    size_t why_len);

#endif /* UTMEMD_REGISTRY_JSON_H */
