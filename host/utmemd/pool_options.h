/* SPDX-License-Identifier: MIT */
/* The words in which people say how a pool's values are stored. Callers: daemon.c, commands.c, stats.c, registry_json.c, save.c, restore.c. */
#ifndef UTMEMD_POOL_OPTIONS_H
#define UTMEMD_POOL_OPTIONS_H

#include "host/pool/save_format.h"

/* In the order of enum utmem_compress; and of false and true. */
#define POOL_COMPRESS_WORDS "none lz4 zstd"
#define POOL_DEDUP_WORDS "off tenant"

#define POOL_OPTIONS_TEXT_LEN SAVE_OPTIONS_LEN /* with the NUL */

/* 0, or -EINVAL: none of these. */
int pool_options_set_compress(struct utmem_pool_options *o, const char *word);
int pool_options_set_dedup(struct utmem_pool_options *o, const char *word);

const char *pool_options_compress(const struct utmem_pool_options *o);
const char *pool_options_dedup(const struct utmem_pool_options *o);

/* All of them as a text, such as a saved pool has: NAME=VALUE with blanks between. */
void pool_options_write(const struct utmem_pool_options *o, char text[POOL_OPTIONS_TEXT_LEN]);
/* 0, or -EINVAL: some of it is not known here; *o has the others, and what is not there stays. */
int pool_options_read(struct utmem_pool_options *o, const char *text);

#endif /* UTMEMD_POOL_OPTIONS_H */
