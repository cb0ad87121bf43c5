/* SPDX-License-Identifier: MIT */
/*
 * Something that can be loaded and measured: a yardstick, or a way to the service or engine.
 * Owner: bench. One thread.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include "bench/drive.h"

struct target {
	const char *name;
	/* Ready to be driven. 0; or -errno after a message to stderr, and there is nothing to close. */
	int (*open)(struct target **out, const struct options *o, uint64_t items);
	void (*close)(struct target *t);
	/* One round. 0 or -errno. */
	int (*run)(struct target *t, const struct load *load, struct result *out);
	/* Doorbells since open; NULL: it has none. */
	uint64_t (*doorbells)(struct target *t);
	/* Optional, both or none. Do at once all that is otherwise done in pauses. */
	void (*pack)(struct target *t);
	/* Bytes of values for each that they take. */
	double (*stored_ratio)(struct target *t);
};

extern const struct target target_floor;  /* floor.c */
extern const struct target target_lmdb;	  /* lmdb.c */
extern const struct target target_direct; /* direct.c: an engine, called by the client itself */
extern const struct target target_thread; /* thread.c */
extern const struct target target_utmem;  /* library.c: libutmem over any of its transports */

#endif /* BENCH_TARGET_H */
