/* SPDX-License-Identifier: MIT */
/*
 * The control socket: one JSON object a line, {"cmd": ..., "args": {...}}, and for
 * each a line back, {"ok": true, "result": ...} or {"ok": false, "errno": ...,
 * "error": ...}. After the answer to "pool save" and "pool restore" the connection carries a
 * saved pool (transfer.h) and nothing else. Caller: daemon.c. Only root and the daemon's own user get in.
 */
#ifndef UTMEMD_CONTROL_H
#define UTMEMD_CONTROL_H

#include <stdint.h>
#include <sys/queue.h>

#include "host/utmemd/deposit.h"
#include "host/utmemd/listener.h"
#include "host/utmemd/transfer.h"

#define CONTROL_CLIENTS_MAX 16u
#define CONTROL_LINE_MAX 4096u /* bytes of one request, the newline included */
#define CONTROL_SOCKET "control.sock"

struct control_client;
struct daemon;

struct control {
	struct listener socket;
	LIST_HEAD(, control_client) clients;
	uint32_t nr_clients;
	struct transfer_list transfers;
	uint32_t nr_transfers;
	struct deposited deposited;	 /* the socket */
	struct control_client *upgrader; /* waits for an upgrade's end; NULL = nobody does */
	struct deposited upgrader_deposited;
};

int control_open(struct control *ctl, struct daemon *d);
void control_close(struct control *ctl);
/* An upgrade has come to its end: @why it failed, NULL = it did not. Whoever waits for it is told. */
void control_upgraded(struct control *ctl, const char *why);

#endif /* UTMEMD_CONTROL_H */
