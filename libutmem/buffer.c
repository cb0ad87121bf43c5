// SPDX-License-Identifier: MIT
/*
 * The allocator of the data area: where values lie while a request is in flight.
 * Called by applications and blocking.c, on the queue's thread.
 *
 * Two-level segregated fit over 64-byte units: a block's length in units selects
 * a row (its power of two) and a column (one of 16 steps within). Two bit maps
 * find the next list that must have a block long enough, so alloc and free are
 * O(1), neighbours that are free merge at once, and at most 1/16 of a block is
 * lost to rounding the search up. Chosen over a buddy system because values of
 * 4 KiB + a little are common and a buddy gives each of them 8 KiB.
 *
 * All bookkeeping is in private memory, one record for each unit (touched only
 * where blocks begin and end): the host can write on every byte of the area.
 */
#include <sys/mman.h>

#include "libutmem/internal.h"

#define NONE UINT32_MAX
#define COL_BITS 4u /* log2(UTMEM_BUF_COLS) */
#define SCAN_MAX 32 /* blocks of the request's own list looked at when no longer list has any */

enum { UNIT_INSIDE, UNIT_FREE, UNIT_USED };

struct utmem_buf_unit {
	uint32_t
		tag; /* length and state of a block, at its first unit; the length also at its last */
	uint32_t next, prev; /* of a free block, at its first unit */
};

static uint32_t tag(uint32_t len, uint32_t state)
{
	return len << 2 | state;
}

static uint32_t len_of(const struct utmem_buffers *b, uint32_t i)
{
	return b->units[i].tag >> 2;
}

static uint32_t state_of(const struct utmem_buffers *b, uint32_t i)
{
	return b->units[i].tag & 3;
}

UTMEM_STATIC_ASSERT(UTMEM_DATA_LEN_MAX / UTMEM_BUF_UNIT < 1u << (UTMEM_BUF_ROWS + COL_BITS - 1),
		    "a row for every length");

struct cell {
	uint32_t row, col;
};

/* The list that a block of @len units belongs to. */
static struct cell cell_of(uint32_t len)
{
	uint32_t log = 31 - (uint32_t)__builtin_clz(len);

	if (log < COL_BITS)
		return (struct cell){0, len};
	return (struct cell){log - COL_BITS + 1, len >> (log - COL_BITS) & (UTMEM_BUF_COLS - 1)};
}

/* The first list whose every block has @len units or more. */
static struct cell cell_above(uint32_t len)
{
	uint32_t log = 31 - (uint32_t)__builtin_clz(len);

	if (log > COL_BITS)
		len += (1u << (log - COL_BITS)) - 1;
	return cell_of(len);
}

static void list_push(struct utmem_buffers *b, uint32_t i)
{
	struct cell c = cell_of(len_of(b, i));
	uint32_t *head = &b->head[c.row][c.col];

	b->units[i].prev = NONE;
	b->units[i].next = *head;
	if (*head != NONE)
		b->units[*head].prev = i;
	*head = i;
	b->col_map[c.row] |= (uint16_t)(1u << c.col);
	b->row_map |= 1u << c.row;
}

static void list_remove(struct utmem_buffers *b, uint32_t i)
{
	struct cell c = cell_of(len_of(b, i));
	struct utmem_buf_unit *u = &b->units[i];

	if (u->next != NONE)
		b->units[u->next].prev = u->prev;
	if (u->prev != NONE) {
		b->units[u->prev].next = u->next;
		return;
	}
	b->head[c.row][c.col] = u->next;
	if (u->next != NONE)
		return;
	b->col_map[c.row] &= (uint16_t) ~(1u << c.col);
	if (!b->col_map[c.row])
		b->row_map &= ~(1u << c.row);
}

/* Write the block [i, i + len) as one. */
static void block_set(struct utmem_buffers *b, uint32_t i, uint32_t len, uint32_t state)
{
	b->units[i + len - 1].tag = tag(len, UNIT_INSIDE);
	b->units[i].tag = tag(len, state);
}

/* A block of at least @len units by the bit maps alone. */
static uint32_t find_above(const struct utmem_buffers *b, uint32_t len)
{
	struct cell c = cell_above(len);
	uint32_t cols, rows;

	if (c.row >= UTMEM_BUF_ROWS)
		return NONE;
	cols = b->col_map[c.row] & (uint32_t)(0xffffu << c.col);
	if (!cols) {
		rows = c.row + 1 < UTMEM_BUF_ROWS ? b->row_map & (UINT32_MAX << (c.row + 1)) : 0;
		if (!rows)
			return NONE;
		c.row = (uint32_t)__builtin_ctz(rows);
		cols = b->col_map[c.row];
	}
	return b->head[c.row][__builtin_ctz(cols)];
}

/* The list that @len itself is in may have one that is just long enough. */
static uint32_t find_within(const struct utmem_buffers *b, uint32_t len)
{
	struct cell c = cell_of(len);
	uint32_t i = b->head[c.row][c.col];

	for (int n = 0; i != NONE && n < SCAN_MAX; n++, i = b->units[i].next)
		if (len_of(b, i) >= len)
			return i;
	return NONE;
}

/* A free block becomes longer or shorter. It keeps its first unit, so mostly its place in its list, too. */
static void block_resize(struct utmem_buffers *b, uint32_t i, uint32_t len)
{
	struct cell before = cell_of(len_of(b, i)), after = cell_of(len);

	if (before.row == after.row && before.col == after.col) {
		block_set(b, i, len, UNIT_FREE);
		return;
	}
	list_remove(b, i);
	block_set(b, i, len, UNIT_FREE);
	list_push(b, i);
}

/* From the end of a free block, which costs it nothing but length. */
static uint32_t take(struct utmem_buffers *b, uint32_t len)
{
	uint32_t i = find_above(b, len), rest;

	if (i == NONE)
		i = find_within(b, len);
	if (i == NONE)
		return NONE;
	rest = len_of(b, i) - len;
	if (rest)
		block_resize(b, i, rest);
	else
		list_remove(b, i);
	block_set(b, i + rest, len, UNIT_USED);
	return i + rest;
}

/* A block that was used is free, and one with its neighbours. */
static void give(struct utmem_buffers *b, uint32_t i)
{
	uint32_t len = len_of(b, i), next = i + len, prev;

	if (next < b->nr_units && state_of(b, next) == UNIT_FREE) {
		list_remove(b, next);
		len += len_of(b, next);
	}
	prev = i ? i - len_of(b, i - 1) : 0;
	if (prev != i && state_of(b, prev) == UNIT_FREE) {
		b->units[i].tag = tag(len, UNIT_INSIDE);
		block_resize(b, prev, i - prev + len);
		return;
	}
	block_set(b, i, len, UNIT_FREE);
	list_push(b, i);
}

int utmem_buffers_init(struct utmem_buffers *b, void *base, size_t len)
{
	b->base = base;
	b->nr_units = (uint32_t)(len / UTMEM_BUF_UNIT);
	b->row_map = 0;
	memset(b->col_map, 0, sizeof(b->col_map));
	memset(b->head, 0xff, sizeof(b->head));
	/* Sparse: a unit inside a block is never touched. */
	b->units_len = b->nr_units * sizeof(*b->units);
	b->units = mmap(NULL, b->units_len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->units == MAP_FAILED)
		return -ENOMEM;
	block_set(b, 0, b->nr_units, UNIT_FREE);
	list_push(b, 0);
	return 0;
}

void utmem_buffers_exit(struct utmem_buffers *b)
{
	munmap(b->units, b->units_len);
}

void *utmem_buf_alloc(struct utmem_queue *q, size_t len)
{
	struct utmem_buffers *b = &q->bufs;
	uint32_t i;

	if (len > utmem_buf_max(q))
		return NULL;
	i = take(b, len ? (uint32_t)((len + UTMEM_BUF_UNIT - 1) / UTMEM_BUF_UNIT) : 1);
	return i == NONE ? NULL : b->base + (size_t)i * UTMEM_BUF_UNIT;
}

void utmem_buf_free(struct utmem_queue *q, void *buf)
{
	struct utmem_buffers *b = &q->bufs;
	uint32_t i;

	if (!buf)
		return;
	i = (uint32_t)((size_t)((char *)buf - b->base) / UTMEM_BUF_UNIT);
	/* Nothing that alloc gave, or given back already: ignored rather than corrupting the lists. */
	if (i < b->nr_units && state_of(b, i) == UNIT_USED)
		give(b, i);
}

size_t utmem_buf_max(const struct utmem_queue *q)
{
	return (size_t)q->bufs.nr_units * UTMEM_BUF_UNIT;
}
