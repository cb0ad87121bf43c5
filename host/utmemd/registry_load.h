/* SPDX-License-Identifier: MIT */
/* The newest registry that is whole. Caller: registry.c, at start. */
#ifndef UTMEMD_REGISTRY_LOAD_H
#define UTMEMD_REGISTRY_LOAD_H

#include "host/utmemd/registry_file.h"
#include "host/utmemd/registry_list.h"

enum registry_found {
	REGISTRY_NONE,	   /* there is none: an empty list */
	REGISTRY_CURRENT,  /* as it was saved last */
	REGISTRY_FALLBACK, /* the previous one, and @why says what is wrong with the last */
};

/*
 * 0, *found, and *list is the caller's. Or -errno, and @why (REGISTRY_WHY_LEN) says it: both are damaged
 * (-EBADMSG), one is of a newer version (-EPROTONOSUPPORT), or it cannot be read. Changes no file.
 */
int registry_load(int dir_fd, struct registry_list *list, enum registry_found *found, char *why);

#endif /* UTMEMD_REGISTRY_LOAD_H */
