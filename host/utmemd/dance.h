/* SPDX-License-Identifier: MIT */
/*
 * How far the one request of a process' socket has come, in memory that outlives the worker:
 *
 *	peek the request; dance_begin(); execute; reply; take the request off the socket; dance_end()
 *
 * so that a request which is still in the socket after a death is answered again, and executed
 * once: the service knows its serial. The client knows an answer that it has had by the serial
 * in utmem_sock_msg.type. Owner: dance.c; caller: client.c. One thread.
 */
#ifndef UTMEMD_DANCE_H
#define UTMEMD_DANCE_H

#include <stdint.h>

#include "guest/ring/utmem_sock.h"

/* Zeroed when new. */
struct dance {
	uint64_t serial; /* of the latest request: for the service, and never the same for two */
	uint32_t begun;	 /* 1: it may still be in the socket */
	uint32_t resv;
	struct utmem_sock_msg request; /* as it came */
};

/* @m was found in the socket. Return: its serial: a new one, or that of a life before. */
uint64_t dance_begin(struct dance *d, const struct utmem_sock_msg *m);
/* It was taken off the socket. */
void dance_end(struct dance *d);

#endif /* UTMEMD_DANCE_H */
