/* SPDX-License-Identifier: MIT */
/*
 * A process on the host, over unix:RUN_DIR/NAME.sock, as guest/ring/utmem_sock.h
 * says. Caller: tenant.c. The connection owns one window.
 */
#ifndef UTMEMD_CLIENT_H
#define UTMEMD_CLIENT_H

#define CLIENT_KEY "client/" /* and its number: where it is kept */

struct client;
struct daemon;
struct tenant;
struct window;

/* Takes @fd; beyond opt->max_clients it is closed at once. */
void client_accept(struct tenant *t, int fd);
/*
 * One of a worker before this, by its key. One that cannot be had again is let go; an error
 * means that it could, by another worker.
 */
int client_resume(struct daemon *d, const char *key);
void client_close(struct client *c);

struct client *client_next(struct client *c);
/* NULL before HELLO. */
struct window *client_window(struct client *c);

#endif /* UTMEMD_CLIENT_H */
