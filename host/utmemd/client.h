/* SPDX-License-Identifier: MIT */
/*
 * A process on the host, over unix:RUN_DIR/NAME.sock, as guest/ring/utmem_sock.h
 * says. Caller: tenant.c. The connection owns one window.
 */
#ifndef UTMEMD_CLIENT_H
#define UTMEMD_CLIENT_H

struct client;
struct tenant;
struct window;

/* Takes @fd; beyond opt->max_clients it is closed at once. */
void client_accept(struct tenant *t, int fd);
void client_close(struct client *c);

struct client *client_next(struct client *c);
/* NULL before HELLO. */
struct window *client_window(struct client *c);

#endif /* UTMEMD_CLIENT_H */
