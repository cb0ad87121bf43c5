/* SPDX-License-Identifier: MIT */
/* Commands that move whole pools. Caller: commands.c's table; exit codes as there. */
#ifndef UTMEMCTL_POOLS_H
#define UTMEMCTL_POOLS_H

struct arguments;
struct cJSON;

int pool_save(const struct arguments *a);
int pool_restore(const struct arguments *a);
int pool_verify(const struct arguments *a);

/* "-" is stdin. -1 and the reason is on stderr. */
int pool_open_file(const char *path);
/* {"tenant": ..., "pool": ...} of TENANT/POOL; NULL and the reason is on stderr. */
struct cJSON *pool_args(char *word);

#endif /* UTMEMCTL_POOLS_H */
