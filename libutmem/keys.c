// SPDX-License-Identifier: MIT
/*
 * Long keys in flight: bytes in a ring at the end of the data area, and in
 * private memory which request each belongs to. Called by prep.c and queue.c, on
 * the queue's thread.
 *
 * Requests complete in order, so the oldest key is always the first to go. A
 * request may be prepared twice, or after one that was reserved later: its key is
 * then booked on the later one and lives a little longer than it must, so that
 * there are never more bookings than requests in flight.
 */
#include <stdlib.h>

#include "libutmem/internal.h"

#define BYTES_PER_REQUEST 64u /* keys of that length never limit what is in flight */
#define LEN_MIN \
	UTMEM_PAGE /* with one of the longest keys in flight there is always room for a second */
#define LEN_MAX (256u << 10)
#define ALIGN 8u

/* How much of @data_len bytes (two pages or more) the ring takes: a power of two, at most half. */
uint32_t utmem_keys_len(uint32_t cq_entries, uint64_t data_len)
{
	uint32_t len = LEN_MIN;

	while (len < cq_entries * BYTES_PER_REQUEST && len < LEN_MAX)
		len *= 2;
	while (len > LEN_MIN && len > data_len / 2)
		len /= 2;
	return len;
}

int utmem_keys_init(struct utmem_keys *k, char *data, uint32_t off, uint32_t len,
		    uint32_t cq_entries)
{
	*k = (struct utmem_keys){
		.base = data + off, .off = off, .len = len, .span_mask = cq_entries - 1};
	k->spans = malloc(cq_entries * sizeof(*k->spans));
	return k->spans ? 0 : -ENOMEM;
}

void utmem_keys_exit(struct utmem_keys *k)
{
	free(k->spans);
}

/* Where @len bytes in one piece would begin. */
static uint32_t place(const struct utmem_keys *k, uint32_t len)
{
	uint32_t slot = k->head & (k->len - 1);

	return slot + len > k->len ? k->head + k->len - slot : k->head;
}

static bool fits(const struct utmem_keys *k, uint32_t len)
{
	return place(k, len) + len - k->tail <= k->len;
}

static void book(struct utmem_keys *k, uint32_t idx)
{
	struct utmem_key_span *last = &k->spans[(k->span_head - 1) & k->span_mask];

	/* idx - last->idx as signed: was it reserved before the last one booked? */
	if (k->span_head == k->span_tail || (int32_t)(idx - last->idx) > 0) {
		last = &k->spans[k->span_head++ & k->span_mask];
		last->idx = idx;
	}
	last->end = k->head;
}

/* Copy a key for request @idx. @off: out, in the data area. -EAGAIN: no room until some complete. */
int utmem_keys_put(struct utmem_keys *k, uint32_t idx, const void *key, uint32_t len, uint32_t *off)
{
	uint32_t start, rounded = (len + ALIGN - 1) & ~(ALIGN - 1);

	if (k->span_head == k->span_tail)
		k->head = k->tail = 0;
	if (!fits(k, rounded))
		return -EAGAIN;
	start = place(k, rounded);
	*off = k->off + (start & (k->len - 1));
	memcpy(k->base + (start & (k->len - 1)), key, len);
	k->head = start + rounded;
	k->full = !fits(k, UTMEM_KEY_MAX);
	book(k, idx);
	return 0;
}

/* Every request before @before has completed. */
void utmem_keys_release(struct utmem_keys *k, uint32_t before)
{
	while (k->span_tail != k->span_head) {
		const struct utmem_key_span *first = &k->spans[k->span_tail & k->span_mask];

		if ((int32_t)(first->idx - before) >= 0)
			break;
		k->tail = first->end;
		k->span_tail++;
	}
	k->full = k->span_tail != k->span_head && !fits(k, UTMEM_KEY_MAX);
}
