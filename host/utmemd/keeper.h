/* SPDX-License-Identifier: MIT */
/*
 * What the worker and the supervisor say to each other, over one SOCK_SEQPACKET pair:
 * fixed messages, some with descriptors. Owner: keeper.c; callers: supervisor.c on one
 * side, deposit.c on the other.
 *
 *	worker			supervisor
 *	HELLO(version)	->
 *			<-	KEPT(key, meta) + fds, for each that is kept
 *			<-	START(life)
 *	KEEP(key, meta) + fds, DROP(key), whenever something comes or goes
 *	READY		->			peers are served
 *	UPGRADE		->
 *			<-	REFUSED(text)	or LEAVE
 *			<-	STOP		end in good order
 *
 * What was sent is kept: a message that is in the socket when the worker dies is still read.
 * The supervisor looks into no descriptor and into no meta.
 *
 * Version: HELLO's type and version stay where they are for ever. A worker of another
 * version is not given anything.
 */
#ifndef UTMEMD_KEEPER_H
#define UTMEMD_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#define KEEPER_VERSION 1u
#define KEEPER_KEY_MAX 128u  /* bytes, the NUL included */
#define KEEPER_META_MAX 256u /* bytes */
#define KEEPER_FDS_MAX 40u   /* under one key: a VM has 32 vectors and four more */
/* The supervisor may have this many more descriptors than the worker: what that has, this can keep. */
#define KEEPER_FDS_SPARE 8u
#define KEEPER_WHY_MAX 256u

enum keeper_type {
	KEEPER_HELLO = 1,
	KEEPER_KEEP,
	KEEPER_DROP,
	KEEPER_READY,
	KEEPER_UPGRADE,
	KEEPER_KEPT,
	KEEPER_START,
	KEEPER_STOP,
	KEEPER_LEAVE,
	KEEPER_REFUSED,
};

enum keeper_upgrade {
	UPGRADE_NONE,
	UPGRADE_DONE,	/* this worker is of the binary that was asked for */
	UPGRADE_FAILED, /* life.why; this worker is of the binary from before */
};

/* What a worker is told of those before it. Times of CLOCK_MONOTONIC are the machine's, not a process'. */
struct keeper_life {
	uint64_t nr_starts;  /* workers that were started, this one too */
	uint64_t nr_deaths;  /* that nobody had asked for */
	int32_t last_status; /* of the last death, as wait(2) gives it */
	int32_t upgrade;     /* enum keeper_upgrade */
	int64_t last_death;  /* seconds since 1970, 0 = none */
	uint64_t ended_ns; /* CLOCK_MONOTONIC when the worker before this one had ended, 0 = none */
	uint32_t resumed;  /* 0: there was nobody before, and nothing is kept */
	uint32_t resv;
	char why[KEEPER_WHY_MAX];
};

struct keeper_msg {
	uint32_t type;	  /* enum keeper_type */
	uint32_t version; /* HELLO */
	uint32_t meta_len;
	uint32_t resv;
	char key[KEEPER_KEY_MAX];
	union {
		uint8_t meta[KEEPER_META_MAX];
		struct keeper_life life;  /* START */
		char why[KEEPER_WHY_MAX]; /* REFUSED */
	};
};

/* Waits until there is room. 0 or -errno (-EAGAIN: not within the socket's timeout). */
int keeper_send(int link, const struct keeper_msg *m, const int *fds, uint32_t nr_fds);
int keeper_say(int link, enum keeper_type type);

/*
 * One message, and its descriptors, which are the caller's. fds: room for KEEPER_FDS_MAX.
 * Return: 1; 0 when there is none and @wait is false; -ECONNRESET at the end; -EMFILE when
 * descriptors were lost for want of room (*m is there); -EPROTO when it is no message.
 */
int keeper_recv(int link, struct keeper_msg *m, int *fds, uint32_t *nr_fds, bool wait);

#endif /* UTMEMD_KEEPER_H */
