/* SPDX-License-Identifier: MIT */
/*
 * An intrusive, circular, doubly linked list, as in the kernel.
 *
 * Owner: host/pool, for its own use. The thread of the engine that owns the list.
 */
#ifndef UTMEM_POOL_LIST_H
#define UTMEM_POOL_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

#define list_entry(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->prev = l;
	l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_between(struct list *item, struct list *prev, struct list *next)
{
	item->prev = prev;
	item->next = next;
	prev->next = item;
	next->prev = item;
}

static inline void list_add_head(struct list *head, struct list *item)
{
	list_add_between(item, head, head->next);
}

static inline void list_add_tail(struct list *head, struct list *item)
{
	list_add_between(item, head->prev, head);
}

/* Removing an item that is on no list (but initialised) does nothing. */
static inline void list_del(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

/* The item after @item (the first one when @item is NULL), or NULL at the end. */
static inline struct list *list_after(const struct list *head, const struct list *item)
{
	struct list *next = item ? item->next : head->next;

	return next == head ? NULL : next;
}

#endif /* UTMEM_POOL_LIST_H */
