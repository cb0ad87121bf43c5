/* SPDX-License-Identifier: MIT */
/*
 * What a process on the host says to utmemd over unix:/run/utmem/NAME.sock, a
 * SOCK_SEQPACKET socket: one message a packet, one reply to each request, in
 * order. Owner: host/utmemd; caller: libutmem's unix: transport.
 *
 *	client				server
 *	HELLO(window_len)	->
 *				<-	HELLO + fds [window, doorbell of slot 0 .. nr_svc-1]
 *	CREATE_QUEUE		->
 *				<-	CREATE_QUEUE + fd [wake-up of that queue]
 *	POOL_OPEN ...		->
 *				<-	POOL_OPEN ...
 *
 * The connection is the owner of its window: when it closes, its queues are
 * drained and freed. A message of the wrong length, with non-zero resv, or with
 * fds attached (which are closed unread) is answered with an error, and the
 * connection ends after a HELLO that fails.
 */
#ifndef UTMEM_SOCK_H
#define UTMEM_SOCK_H

#include <linux/types.h>

#include "utmem_abi.h"

#define UTMEM_SOCK_HELLO \
	1u /* every other type is the number of an admin opcode, UTMEM_OP_CREATE_QUEUE .. */

/*
 * When the server offers UTMEM_FEAT_SOCK_SERIAL, a client may number its requests in the upper
 * bits of `type`, 0 = not numbered; the answer has the same. A server that was interrupted may
 * answer a request twice, and executes it once: an answer with another number than that of
 * the latest request is an old one's second copy, to be dropped with its fds. HELLO is never numbered.
 */
#define UTMEM_SOCK_SERIAL_SHIFT 8
#define UTMEM_SOCK_SERIAL_MAX 0xffffffu
#define UTMEM_SOCK_OP(type) ((type)&0xffu)

struct utmem_sock_hello {
	__u64 magic; /* UTMEM_MAGIC */
	__u16 abi_major;
	__u16 abi_minor;
	__u32 resv0;
	__u64 features;	  /* in: understood by the client; out: offered */
	__u64 window_len; /* in: wanted, power of two, 0 = the server's default; out: given */
	__u64 resv[2];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_sock_hello) == 48, "hello");

struct utmem_sock_msg {
	__u32 type;  /* UTMEM_SOCK_HELLO or UTMEM_OP_*; see UTMEM_SOCK_SERIAL_SHIFT */
	__s32 error; /* in: 0; out: 0 or -errno */
	union {
		struct utmem_sock_hello hello;
		struct utmem_admin_queue queue;
		struct utmem_admin_pool pool; /* owner is filled by the server from SO_PEERCRED */
		struct utmem_pool_stat stat;
	};
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_sock_msg) == 168, "socket message");

#endif /* UTMEM_SOCK_H */
