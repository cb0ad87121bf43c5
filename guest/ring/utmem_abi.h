/* SPDX-License-Identifier: MIT */
/*
 * utmem shared-memory contract: every byte that guest and host both see.
 *
 * Owner: this directory. Readers: utmem.ko, utmemd, libutmem, tests. The header
 * stands alone in the Linux kernel, in C11 and in C++17; it holds layouts and
 * constants only (the code that moves indices is utmem_ring.h).
 *
 * Rules of change
 *   - All integers are little-endian and fixed-width. There is no implicit
 *     padding; `resv` fields are written as zero and refused when they are not.
 *   - abi_major changes when an old peer would misread a new one: a peer refuses
 *     a major it does not know. abi_minor counts additions an old peer may
 *     ignore. What must be negotiated is a feature bit: the host offers in
 *     utmem_window_hdr.features, the guest accepts a subset in
 *     utmem_control.guest.features, and a bit not accepted is not used.
 *   - A new opcode or flag needs no bit where -EOPNOTSUPP is answer enough.
 *
 * Changelog
 *   1.0  first contract: window, control page, admin queue, queues, 12 data
 *        opcodes, 6 admin opcodes.
 *
 * ABI.md beside this file has the drawing and the reasons.
 */
#ifndef UTMEM_ABI_H
#define UTMEM_ABI_H

#include <linux/types.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "utmem: the contract is little-endian and has only been built for such machines"
#endif

#ifdef __cplusplus
#define UTMEM_STATIC_ASSERT(cond, msg) static_assert(cond, msg)
#else
#define UTMEM_STATIC_ASSERT(cond, msg) _Static_assert(cond, msg)
#endif

#define UTMEM_MAGIC 0x6e69776d656d7475ULL /* "utmemwin" as bytes in memory */
#define UTMEM_ABI_MAJOR 1
#define UTMEM_ABI_MINOR 0

/* ---- limits: compile-time ceilings; a host may announce less in its header ---- */

#define UTMEM_PAGE 4096u	/* unit of every region in the window */
#define UTMEM_LINE 128u		/* stride of index words: a cache line and its prefetch neighbour */
#define UTMEM_SVC_MAX 16u	/* service threads per window, hence NEED_KICK words */
#define UTMEM_QUEUES_MAX 1024u	/* queues per window, the admin queue included */
#define UTMEM_SQ_ENTRIES_MIN 2u /* power of two */
#define UTMEM_SQ_ENTRIES_MAX 32768u    /* power of two */
#define UTMEM_CQ_ENTRIES_MAX 65536u    /* power of two, >= sq_entries */
#define UTMEM_DATA_LEN_MAX (1u << 30)  /* bytes of data area per queue, a multiple of UTMEM_PAGE */
#define UTMEM_KEY_INLINE 32u	       /* longest key that lies in the SQE */
#define UTMEM_KEY_MAX 1024u	       /* longest key, in the data area */
#define UTMEM_VALUE_MAX (512ull << 20) /* longest value, bytes */
#define UTMEM_POOLS_PER_QUEUE 64u      /* handles 0 .. 63 */
#define UTMEM_STREAMS_PER_QUEUE 16u    /* multi-part PUTs open at once, ids 0 .. 15 */
#define UTMEM_NAME_LEN 64u /* pool and tenant names: 1 .. 63 of [A-Za-z0-9._-], NUL-padded */
#define UTMEM_WINDOW_LEN_MIN (256u << 10) /* bytes, power of two */

/* ---- features (utmem_window_hdr.features, utmem_control.guest.features) ---- */

#define UTMEM_FEAT_DOORBELL_MMIO (1ull << 0) /* ivshmem doorbell register, vector = service slot */
#define UTMEM_FEAT_DOORBELL_HYPERCALL (1ull << 1) /* KVM hypercall with doorbell_token is live */
#define UTMEM_FEAT_DOORBELL_EVENTFD (1ull << 2)	  /* unix socket: eventfd per service slot */
#define UTMEM_FEAT_RESERVE (1ull << 3)		  /* UTMEM_OP_RESERVE is implemented */
#define UTMEM_FEAT_SOCK_SERIAL (1ull << 4) /* unix socket: requests are numbered, in HELLO alone */

/*
 * The doorbell hypercall: this number, then utmem_window_hdr.doorbell_token, then the service slot.
 * It rings where FEAT_DOORBELL_HYPERCALL stands in the header *now*. What it returns says nothing:
 * an unchanged KVM answers -KVM_ENOSYS, although the doorbell has rung.
 */
#define UTMEM_HC_DOORBELL 0x75746d65u /* "utme": far from the numbers that KVM counts up */

/* ---- shape of one queue, agreed in CREATE_QUEUE ---- */

/*
 * Where a queue lies. off and len are bytes in the window, page-aligned; the
 * *_off below are bytes from the queue's first byte. Computed by
 * utmem_geometry_init() on both sides and compared: neither takes the other's
 * word for it.
 */
struct utmem_geometry {
	__u64 off;
	__u64 len;
	__u32 sq_entries;
	__u32 cq_entries;
	__u32 sq_off;
	__u32 cq_off;
	__u32 data_off;
	__u32 data_len;
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_geometry) == 40, "geometry");

/* ---- page 0 of the window ---- */

/*
 * Written by the host before anybody may map the window, then never again but
 * for epoch and features (a restarted worker may have gained or lost the
 * hypercall doorbell). The guest may scribble on it and harms only itself: the
 * host never reads it back.
 */
struct utmem_window_hdr {
	__u64 magic;
	__u16 abi_major;
	__u16 abi_minor;
	__u32 hdr_len;	      /* sizeof(struct utmem_window_hdr) of the writer */
	__u64 features;	      /* UTMEM_FEAT_*, offered */
	__u64 window_len;     /* bytes, power of two */
	__u64 doorbell_token; /* secret of this window, first hypercall argument */
	__u32 epoch;	      /* changes when the worker restarts */
	__u32 control_off;    /* bytes in the window of struct utmem_control */
	__u32 nr_svc;	      /* service slots in use, 1 .. UTMEM_SVC_MAX */
	__u32 host_peer;      /* ivshmem peer id to ring */
	__u32 heartbeat_ms;   /* period of utmem_control.host.heartbeat; 0 = none is kept */
	__u32 max_queues;     /* the admin queue included */
	__u32 max_sq_entries;
	__u32 max_data_len;  /* bytes per queue */
	__u32 max_key_len;   /* bytes */
	__u32 max_pools;     /* per queue */
	__u64 max_value_len; /* bytes */
	struct utmem_geometry
		admin; /* where the admin queue lies; len 0 = control travels elsewhere (unix socket) */
	__u64 resv[16];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_window_hdr) == 256, "window header");

/* ---- control page ---- */

/*
 * utmem_svc_line.flags: written by the host alone, read by submitters; a hint that may be
 * stale, never trusted for safety. NEED_KICK: the host sleeps, or is about to. Above it the
 * number of this sleep, another one each time: once it has been rung for, it need not be again.
 */
#define UTMEM_SVC_NEED_KICK (1u << 0)
#define UTMEM_SVC_SLEEP_SHIFT 1 /* bits 1..31 */

/* One service thread's word, alone on its line. */
struct utmem_svc_line {
	__u32 flags; /* 0, or NEED_KICK and the sleep's number, stored as one */
	__u32 resv[UTMEM_LINE / 4 - 1];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_svc_line) == UTMEM_LINE, "service line");

#define UTMEM_HOST_RUNNING 1u /* requests are served */
#define UTMEM_HOST_DRAINING \
	2u /* the daemon ends: what is in the rings is served, new queues are refused */
#define UTMEM_HOST_STOPPED 3u /* the daemon ended in good order; nothing will be served */

/* Written by the host. */
struct utmem_host_line {
	__u32 heartbeat; /* counts up every heartbeat_ms while the host lives */
	__u32 state;	 /* UTMEM_HOST_* */
	__u64 hello_ack; /* the generation whose admin queue is live; released last */
	__u32 resv[UTMEM_LINE / 4 - 4];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_host_line) == UTMEM_LINE, "host line");

/*
 * Written by the driver. A guest reset is invisible to the host, so every life
 * of a driver announces itself: features first, then hello = old hello + 1, then
 * a doorbell on slot 0. The host drops the queues of the life before, empties
 * the admin queue (all four indices 0) and answers in hello_ack.
 */
struct utmem_guest_line {
	__u64 hello;	/* generation */
	__u64 features; /* UTMEM_FEAT_*, accepted */
	__u32 resv[UTMEM_LINE / 4 - 4];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_guest_line) == UTMEM_LINE, "guest line");

struct utmem_control {
	struct utmem_host_line host;
	struct utmem_guest_line guest;
	struct utmem_svc_line svc[UTMEM_SVC_MAX];
	__u8 resv[UTMEM_PAGE - (2 + UTMEM_SVC_MAX) * UTMEM_LINE];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_control) == UTMEM_PAGE, "control page");

/* ---- first page of a queue ---- */

#define UTMEM_QUEUE_LIVE 1u /* drained by the host */
#define UTMEM_QUEUE_BROKEN \
	2u /* ended by the host; error says why (-EPROTO: this side broke the contract; -EIO: ABI.md 10) */
#define UTMEM_QUEUE_GONE 3u /* destroyed, or lost with an epoch (-ECONNRESET) */

/*
 * One writer per line. Indices are free-running u32, masked only on use. A
 * reader keeps its own copy of everything it acts on.
 */
struct utmem_ring_page {
	/* guest: requests before sq_tail are whole */
	__u32 sq_tail;
	__u32 resv0[UTMEM_LINE / 4 - 1];
	/* host: requests before sq_head have taken effect and have their CQE */
	__u32 sq_head;
	__u32 state; /* UTMEM_QUEUE_* */
	__s32 error; /* -errno when state is not LIVE */
	__u32 resv1[UTMEM_LINE / 4 - 3];
	/* host: completions before cq_tail are whole */
	__u32 cq_tail;
	__u32 resv2[UTMEM_LINE / 4 - 1];
	/* guest: completions before cq_head may be overwritten */
	__u32 cq_head;
	__u32 resv3[UTMEM_LINE / 4 - 1];
	/* guest: "wake me": honoured once, when cq_tail passes or reaches wake_idx */
	__u32 need_wake; /* 0 or 1 */
	__u32 wake_idx;	 /* value of cq_tail that is waited for */
	__u32 resv4[UTMEM_LINE / 4 - 2];
	__u8 resv5[UTMEM_PAGE - 5 * UTMEM_LINE];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_ring_page) == UTMEM_PAGE, "ring page");

/* ---- requests ---- */

enum utmem_op {
	UTMEM_OP_NOP = 0,    /* res 0 */
	UTMEM_OP_PUT = 1,    /* store len bytes at data_off under key */
	UTMEM_OP_GET = 2,    /* copy from byte arg of the value to data_off, at most len */
	UTMEM_OP_DEL = 3,    /* remove; -ENOENT when there is nothing */
	UTMEM_OP_EXISTS = 4, /* res = length of the value */
	UTMEM_OP_GETDEL =
		5, /* GET of the whole value, then DEL; -E2BIG (and no DEL) when len is too small */
	UTMEM_OP_FLUSH = 6, /* drop everything in the pool */
	UTMEM_OP_RESERVE =
		7, /* set this queue's unspent reservation in the tenant's quota to arg bytes */
	/* PART, COMMIT, ABORT: -EINVAL when `stream` is not open; one that fails leaves it as it is */
	UTMEM_OP_PUT_BEGIN =
		8, /* open multi-part PUT `stream` of arg bytes under key; -EBUSY when it is open */
	UTMEM_OP_PUT_PART = 9,	  /* append len bytes at data_off; arg = bytes appended so far */
	UTMEM_OP_PUT_COMMIT = 10, /* make it visible, whole; -EINVAL while bytes are missing */
	UTMEM_OP_PUT_ABORT = 11,  /* forget it; the key's old value stays */
	UTMEM_OP_NR = 12,

	/* admin queue (or the unix socket) only; data_off/len name one struct utmem_admin_* */
	UTMEM_OP_CREATE_QUEUE = 128,
	UTMEM_OP_DESTROY_QUEUE = 129,
	UTMEM_OP_POOL_OPEN = 130,
	UTMEM_OP_POOL_CLOSE = 131,
	UTMEM_OP_POOL_DESTROY = 132,
	UTMEM_OP_POOL_STAT = 133,
};

/* utmem_sqe.flags; written by the submitter, an unknown bit is -EOPNOTSUPP */
#define UTMEM_SQE_IF_ABSENT \
	(1u << 0) /* PUT, PUT_COMMIT: -EEXIST when the key is there, old value stays */
#define UTMEM_SQE_IF_PRESENT (1u << 1) /* PUT, PUT_COMMIT: -ENOENT when it is not */
#define UTMEM_SQE_RESERVED (1u << 2)   /* PUT, PUT_BEGIN: draw on the queue's reservation */

/*
 * One request. Written by the submitter in a slot it has reserved; the host
 * copies it once and uses only the copy. Fields an opcode does not name are zero.
 */
struct utmem_sqe {
	__u8 opcode; /* enum utmem_op */
	__u8 flags;  /* UTMEM_SQE_* */
	__u16 pool;  /* handle from POOL_OPEN on this queue */
	__u32 len;   /* bytes at data_off: the value's, or the buffer's */
	__u64 user_data;
	__u32 data_off; /* bytes from the start of this queue's data area */
	__u16 key_len;	/* 1 .. UTMEM_KEY_MAX */
	__u16 stream;	/* PUT_BEGIN/PART/COMMIT/ABORT: id chosen by the submitter */
	__u64 arg;	/* see enum utmem_op */
	union {
		__u8 key[UTMEM_KEY_INLINE]; /* key_len <= UTMEM_KEY_INLINE; the rest is ignored */
		struct {
			__u32 key_off; /* else: bytes from the start of the data area */
			__u32 key_resv[7];
		};
	};
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_sqe) == 64, "sqe");

/* utmem_cqe.flags; written by the host */
#define UTMEM_CQE_MORE (1u << 0)  /* GET: the value goes on beyond the buffer (res > len) */
#define UTMEM_CQE_VERSION_SHIFT 8 /* GET, EXISTS: bits 8..31 */

/*
 * One completion. Completions come in submission order, one for each request.
 *
 * res of GET is the number of bytes from offset arg to the value's end (0 at or
 * beyond the end); min(res, len) of them were copied. Reads of one value by
 * several GETs are of the same value while the version in flags is the same;
 * when it differs, start again. A version may also differ without cause.
 */
struct utmem_cqe {
	__u64 user_data;
	__s32 res; /* >= 0, or -errno */
	__u32 flags;
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_cqe) == 16, "cqe");

/* ---- admin requests: in and out in one struct ---- */

struct utmem_admin_queue {	   /* CREATE_QUEUE, DESTROY_QUEUE */
	__u32 sq_entries;	   /* in: power of two */
	__u32 cq_entries;	   /* in: power of two >= sq_entries */
	__u32 data_len;		   /* in: bytes, multiple of UTMEM_PAGE, 0 is allowed */
	__u32 irq_vector;	   /* in: ivshmem vector of the guest to signal (VM), else 0 */
	__u32 queue_id;		   /* out of CREATE, in of DESTROY: 1 .. max_queues - 1 */
	__u32 svc_slot;		   /* out: index in utmem_control.svc, and doorbell vector */
	struct utmem_geometry geo; /* out */
	__u64 resv[2];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_admin_queue) == 80, "admin queue request");

/* utmem_admin_pool.flags */
#define UTMEM_POOL_CREATE (1u << 0) /* make it when it is not there */
#define UTMEM_POOL_EXCL (1u << 1)   /* with CREATE: -EEXIST when it is there */
#define UTMEM_POOL_EPHEMERAL \
	(1u << 2) /* kind, checked on attach: the host may drop values at any time */
#define UTMEM_POOL_SHARED (1u << 3) /* kind: other tenants may attach, with the operator's grant */
#define UTMEM_POOL_GUEST_SHARED \
	(1u << 4) /* kind: every uid of the guest may attach, not only the creator's */
#define UTMEM_POOL_READONLY (1u << 5) /* this handle may not change the pool */
#define UTMEM_POOL_ANY_OWNER \
	(1u << 6) /* set by the driver for the privileged, not with CREATE: skip the uid check */
#define UTMEM_POOL_KIND (UTMEM_POOL_EPHEMERAL | UTMEM_POOL_SHARED | UTMEM_POOL_GUEST_SHARED)
#define UTMEM_POOL_FLAGS 0x7fu

struct utmem_admin_pool { /* POOL_OPEN, POOL_CLOSE, POOL_DESTROY */
	__u32 queue_id;	  /* in: the queue that gets (or has) the handle */
	__u32 flags;	  /* in: UTMEM_POOL_* (OPEN) */
	__u32 owner; /* in: uid on whose behalf, filled by the driver or by SO_PEERCRED, never by the process */
	__u16 handle; /* out of OPEN, in of CLOSE and DESTROY */
	__u16 resv0;
	char tenant[UTMEM_NAME_LEN]; /* in of OPEN: all NUL = own; else whose shared pool it is */
	char name[UTMEM_NAME_LEN];   /* in of OPEN */
	__u64 resv[2];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_admin_pool) == 160, "admin pool request");

struct utmem_pool_stat { /* POOL_STAT */
	__u32 queue_id;	 /* in */
	__u16 handle;	 /* in */
	__u16 resv0;
	__u32 flags; /* out: UTMEM_POOL_KIND bits, READONLY */
	__u32 resv1;
	__u64 nr_items;	   /* out: values in the pool */
	__u64 key_bytes;   /* out */
	__u64 value_bytes; /* out */
	__u64 used_bytes;  /* out: what the tenant is charged: keys, values, metadata, rounding */
	__u64 quota_bytes; /* out: the tenant's */
	__u64 tenant_used_bytes; /* out: over all its pools */
	__u64 nr_puts, nr_gets, nr_hits, nr_dels, nr_evicted,
		nr_refused; /* out: since the pool was made */
	__u64 resv[4];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_pool_stat) == 144, "pool stat");

#endif /* UTMEM_ABI_H */
