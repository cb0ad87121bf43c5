/* SPDX-License-Identifier: MIT */
/*
 * Room for queues in a window: which pages are taken, and which still hold what
 * an earlier queue left there. Owner: room.c; callers: window.c, admin.c. All of
 * it is private memory. Draining thread.
 */
#ifndef UTMEM_SERVICE_ROOM_H
#define UTMEM_SERVICE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

struct room_extent {
	uint64_t off, len; /* bytes in the window, whole pages */
};

struct room {
	uint64_t first; /* room is [first, end) */
	uint64_t end;
	uint64_t free_len;
	struct room_extent *taken; /* sorted by off; the gaps between them are free */
	uint32_t nr_taken, max_taken;
	uint64_t *dirty; /* a bit for each page of the window: handed out since it was zero */
};

/* [first, end) of whole pages, for at most @max_taken queues at once. -ENOMEM. */
int utsvc_room_init(struct room *room, uint64_t first, uint64_t end, uint32_t max_taken);
void utsvc_room_exit(struct room *room);

/* The first gap of @len bytes. Nothing is taken yet. -ENOSPC. */
int utsvc_room_find(const struct room *room, uint64_t len, uint64_t *off);
/* Take what utsvc_room_find() gave. Its pages count as dirty from here on. */
void utsvc_room_take(struct room *room, uint64_t off, uint64_t len);
/* Is that range inside, whole pages, and free? */
bool utsvc_room_is_free(const struct room *room, uint64_t off, uint64_t len);
/* Nobody knows any more what was handed out: every page counts as dirty. */
void utsvc_room_forget(struct room *room);
void utsvc_room_release(struct room *room, uint64_t off);

/*
 * Zero the dirty pages of a free range, at most @budget bytes of them.
 * Return: true when none is left. Pages never handed out are not touched.
 */
bool utsvc_room_scrub(struct room *room, uint8_t *base, uint64_t off, uint64_t len,
		      uint64_t budget);

#endif /* UTMEM_SERVICE_ROOM_H */
