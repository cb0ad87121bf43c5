/* SPDX-License-Identifier: MIT */
/* The words in which people say how a pool's values are stored. Callers: daemon.c, commands.c, stats.c, registry_json.c. */
#ifndef UTMEMD_POOL_OPTIONS_H
#define UTMEMD_POOL_OPTIONS_H

#include "host/pool/pool.h"

/* In the order of enum utmem_compress; and of false and true. */
#define POOL_COMPRESS_WORDS "none lz4 zstd"
#define POOL_DEDUP_WORDS "off tenant"

/* 0, or -EINVAL: none of these. */
int pool_options_set_compress(struct utmem_pool_options *o, const char *word);
int pool_options_set_dedup(struct utmem_pool_options *o, const char *word);

const char *pool_options_compress(const struct utmem_pool_options *o);
const char *pool_options_dedup(const struct utmem_pool_options *o);

#endif /* UTMEMD_POOL_OPTIONS_H */
