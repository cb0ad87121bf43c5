/* SPDX-License-Identifier: MIT */
/* The daemon's life between start and end. */
#ifndef UTMEMD_SERVE_H
#define UTMEMD_SERVE_H

struct daemon;

/* Serve until d->ending or d->leaving. */
void serve(struct daemon *d);
/* Refuse new queues and serve what is in the rings. */
void serve_out(struct daemon *d);

#endif /* UTMEMD_SERVE_H */
