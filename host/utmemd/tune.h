/* SPDX-License-Identifier: MIT */
/*
 * The knobs (options.h) while the daemon runs: d->knobs. Callers: daemon.c, commands.c, on the
 * main thread.
 *
 * What was set is deposited with the supervisor, as "knobs": one memfd with a line NAME=VALUE for
 * each that is not what the options say. So the next worker goes on with it, be it of another
 * binary with other knobs, and it ends with the daemon.
 */
#ifndef UTMEMD_TUNE_H
#define UTMEMD_TUNE_H

struct daemon;
struct knobs;

/* What the worker before this one had. A line that makes no sense here is logged and left out. */
void tune_resume(struct daemon *d);
/* In force when it returns, and for the next worker. 0 or -errno: everything is as before. */
int tune_set(struct daemon *d, const struct knobs *k);
/* The daemon ends. */
void tune_close(struct daemon *d);

#endif /* UTMEMD_TUNE_H */
