// SPDX-License-Identifier: MIT
/*
 * Room for queues in a window: first fit over a sorted list of what is taken.
 * Called by window.c and admin.c, on the draining thread, never on the hot path.
 */
#include "host/service/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest/ring/utmem_abi.h"

int utsvc_room_init(struct room *room, uint64_t first, uint64_t end, uint32_t max_taken)
{
	room->first = first;
	room->end = end;
	room->free_len = end - first;
	room->nr_taken = 0;
	room->max_taken = max_taken;
	room->taken = calloc(max_taken, sizeof(*room->taken));
	if (!room->taken)
		return -ENOMEM;
	room->dirty = calloc(end / UTMEM_PAGE / 64 + 1, sizeof(*room->dirty));
	if (!room->dirty)
		goto free_taken;
	return 0;

free_taken:
	free(room->taken);
	return -ENOMEM;
}

void utsvc_room_exit(struct room *room)
{
	free(room->dirty);
	free(room->taken);
}

int utsvc_room_find(const struct room *room, uint64_t len, uint64_t *off)
{
	uint64_t at = room->first;
	uint32_t i;

	if (room->nr_taken == room->max_taken)
		return -ENOSPC;
	for (i = 0; i < room->nr_taken; i++) {
		if (room->taken[i].off - at >= len)
			break;
		at = room->taken[i].off + room->taken[i].len;
	}
	if (i == room->nr_taken && room->end - at < len)
		return -ENOSPC;
	*off = at;
	return 0;
}

bool utsvc_room_is_free(const struct room *room, uint64_t off, uint64_t len)
{
	uint32_t i;

	if (off % UTMEM_PAGE || len % UTMEM_PAGE || off < room->first || off > room->end ||
	    len > room->end - off || room->nr_taken == room->max_taken)
		return false;
	for (i = 0; i < room->nr_taken; i++) {
		const struct room_extent *t = &room->taken[i];

		if (off < t->off + t->len && t->off < off + len)
			return false;
	}
	return true;
}

void utsvc_room_forget(struct room *room)
{
	memset(room->dirty, 0xff, (room->end / UTMEM_PAGE / 64 + 1) * sizeof(*room->dirty));
}

static void dirty_set(struct room *room, uint64_t page)
{
	room->dirty[page / 64] |= 1ull << page % 64;
}

static bool dirty_clear(struct room *room, uint64_t page)
{
	uint64_t bit = 1ull << page % 64;
	bool was = room->dirty[page / 64] & bit;

	room->dirty[page / 64] &= ~bit;
	return was;
}

void utsvc_room_take(struct room *room, uint64_t off, uint64_t len)
{
	struct room_extent *at = room->taken;
	struct room_extent *end = room->taken + room->nr_taken;
	uint64_t page;

	while (at < end && at->off < off)
		at++;
	memmove(at + 1, at, (size_t)(end - at) * sizeof(*at));
	at->off = off;
	at->len = len;
	room->nr_taken++;
	room->free_len -= len;
	for (page = off / UTMEM_PAGE; page < (off + len) / UTMEM_PAGE; page++)
		dirty_set(room, page);
}

void utsvc_room_release(struct room *room, uint64_t off)
{
	struct room_extent *at = room->taken;
	struct room_extent *end = room->taken + room->nr_taken;

	while (at < end && at->off != off)
		at++;
	if (at == end)
		return;
	room->free_len += at->len;
	memmove(at, at + 1, (size_t)(end - at - 1) * sizeof(*at));
	room->nr_taken--;
}

bool utsvc_room_scrub(struct room *room, uint8_t *base, uint64_t off, uint64_t len, uint64_t budget)
{
	uint64_t page = off / UTMEM_PAGE;
	uint64_t end = (off + len) / UTMEM_PAGE;

	for (; page < end && budget >= UTMEM_PAGE; page++) {
		if (!dirty_clear(room, page))
			continue;
		memset(base + page * UTMEM_PAGE, 0, UTMEM_PAGE);
		budget -= UTMEM_PAGE;
	}
	return page == end;
}
