// SPDX-License-Identifier: MIT
/*
 * The floor: two threads, the bare ring, and a memcpy into or out of a table.
 * Nothing is checked, no key compared, no length stored: what a store over this
 * ring cannot beat. The host thread lives for one round: nobody spins beside the
 * system's rounds.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/rawclient.h"
#include "bench/target.h"

struct floor {
	struct target base;
	struct raw_client client;
	struct utmem_geometry geo;
	char *queue;
	char *table; /* slots of stride bytes, a power of two of them */
	uint64_t table_mask;
	/* the host thread's, while it runs */
	struct utmem_sq_reader sq;
	struct utmem_cq_writer cq;
	int stop;
};

static char *table_slot(const struct floor *f, const struct utmem_sqe *sqe)
{
	uint64_t word[2];

	memcpy(word, sqe->key, sizeof(word));
	word[0] = (word[0] ^ word[1]) * 0x9e3779b97f4a7c15ull;
	return f->table + (word[0] >> 20 & f->table_mask) * f->client.stride;
}

static void serve(struct floor *f, const struct utmem_sqe *sqe, char *data)
{
	if (sqe->opcode == UTMEM_OP_PUT)
		memcpy(table_slot(f, sqe), data + sqe->data_off, sqe->len);
	else
		memcpy(data + sqe->data_off, table_slot(f, sqe), sqe->len);
}

static void serve_batch(struct floor *f, uint32_t n)
{
	struct utmem_sqe sqe;

	for (uint32_t i = 0; i < n; i++) {
		utmem_sq_copy(&f->sq, i, &sqe);
		serve(f, &sqe, f->queue + f->geo.data_off);
		utmem_cq_fill(&f->cq, sqe.user_data, (int32_t)sqe.len, 0);
	}
	utmem_cq_publish(&f->cq);
	utmem_sq_release(&f->sq, n);
}

static void *host_main(void *arg)
{
	struct floor *f = arg;
	uint32_t n, spins = 0;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		if (utmem_sq_peek(&f->sq, &n))
			break;
		if (n)
			serve_batch(f, n);
		else
			spin_pause(&spins);
	}
	return NULL;
}

/* Touched here, so that no page is first touched while it is measured. */
static char *alloc_touched(uint64_t len)
{
	char *p = aligned_alloc(UTMEM_PAGE, (len + UTMEM_PAGE - 1) & ~(uint64_t)(UTMEM_PAGE - 1));

	if (p)
		memset(p, 0, len);
	return p;
}

static int floor_open(struct target **out, const struct options *o, uint64_t items)
{
	struct floor *f = calloc(1, sizeof(*f));
	uint32_t entries = raw_entries(o->depth);
	uint64_t slots = 1;

	while (slots < items)
		slots *= 2;
	if (!f)
		return -ENOMEM;
	f->base = target_floor;
	utmem_geometry_init(&f->geo, 0, entries, entries, raw_data_len(o->value, o->depth));
	f->table_mask = slots - 1;
	f->queue = alloc_touched(f->geo.len);
	f->table = alloc_touched(slots * raw_stride(o->value) + 1);
	if (!f->queue || !f->table)
		goto free_floor;
	raw_client_init(&f->client, f->queue, &f->geo, o->value);
	utmem_sq_reader_init(&f->sq, f->queue, &f->geo, 0);
	utmem_cq_writer_init(&f->cq, f->queue, &f->geo, 0);
	*out = &f->base;
	return 0;

free_floor:
	fprintf(stderr, "utmem-bench: no memory for the floor's table\n");
	free(f->table);
	free(f->queue);
	free(f);
	return -ENOMEM;
}

static void floor_close(struct target *t)
{
	struct floor *f = (struct floor *)t;

	free(f->table);
	free(f->queue);
	free(f);
}

static int floor_run(struct target *t, const struct load *load, struct result *out)
{
	struct floor *f = (struct floor *)t;
	pthread_t host;
	int err;

	f->stop = 0;
	err = pthread_create(&host, NULL, host_main, f);
	if (err)
		return -err;
	err = drive(&raw_port, &f->client, load, out);
	__atomic_store_n(&f->stop, 1, __ATOMIC_RELAXED);
	pthread_join(host, NULL);
	return err;
}

const struct target target_floor = {
	.name = "floor",
	.open = floor_open,
	.close = floor_close,
	.run = floor_run,
};
