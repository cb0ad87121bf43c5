// SPDX-License-Identifier: MIT
// A thread scribbles random numbers over all indices while the other side runs: that side
// sees entries within its own rings, or -EPROTO, and after that nothing but -EPROTO.
// Owner: guest/ring.

#include "tests/tsan/pair.h"

#define ENTRIES 4u
#define LIVES 300u /* views that are broken, each made anew, and as many entries seen */
#define LOOKS 2000u

struct test {
	struct ring ring;
	int stop;
	uint32_t eproto, served; /* how often each was seen */
	int error;		 /* line of the first thing that was wrong */
};

#define EXPECT(t, cond)                        \
	do {                                   \
		if (!(cond) && !(t)->error)    \
			(t)->error = __LINE__; \
	} while (0)

/* Mostly near the truth, so that some lies are believed; it never touches an entry. */
static void *liar(void *arg)
{
	struct test *t = arg;
	uint32_t *words[] = {&t->ring.page->sq_tail, &t->ring.page->sq_head, &t->ring.page->cq_tail,
			     &t->ring.page->cq_head};
	uint32_t random = 1;

	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
		random = random * 1664525 + 1013904223;
		__atomic_store_n(words[random >> 30], random & 1 << 20 ? random >> 21 & 7 : random,
				 __ATOMIC_RELAXED);
		if ((random >> 8 & 15) == 0)
			sched_yield();
	}
	return NULL;
}

/* Return: true when the view is broken. */
static bool host_looks(struct test *t)
{
	struct utmem_sqe sqe;
	uint32_t n = 0, room = 0;

	if (utmem_sq_peek(&t->ring.reader, &n) || utmem_cq_room(&t->ring.writer, &room)) {
		t->eproto++;
		return true;
	}
	EXPECT(t, n <= ENTRIES && room <= ENTRIES);
	n = n < room ? n : room;
	for (uint32_t i = 0; i < n; i++) {
		utmem_sq_copy(&t->ring.reader, i, &sqe);
		EXPECT(t, sqe.opcode == UTMEM_OP_GET);
		utmem_cq_fill(&t->ring.writer, 0, 0, 0);
	}
	if (n) {
		t->served += n;
		utmem_cq_publish(&t->ring.writer);
		utmem_sq_release(&t->ring.reader, n);
	}
	return false;
}

static bool guest_looks(struct test *t)
{
	uint32_t ready = 0, unserved = 0;

	if (utmem_cq_peek(&t->ring.cq, &ready) || utmem_sq_unserved(&t->ring.sq, &unserved)) {
		t->eproto++;
		return true;
	}
	EXPECT(t, ready <= ENTRIES && unserved <= ENTRIES);
	for (uint32_t i = 0; i < ready; i++)
		EXPECT(t, utmem_cq_at(&t->ring.cq, i)->res == 77);
	if (ready) {
		t->served += ready;
		utmem_cq_release(&t->ring.cq, ready);
	}
	utmem_sq_cancel(&t->ring.sq, utmem_sq_reserve(&t->ring.sq) ? 1 : 0);
	return false;
}

static void driver_looks(struct test *t)
{
	struct utmem_watch w;

	utmem_watch_read(&w, t->ring.page, &t->ring.geo);
	EXPECT(t, w.unserved <= ENTRIES && w.ready <= ENTRIES);
}

/* A view's life: until it breaks; then it must stay broken. */
static void live(struct test *t, bool (*looks)(struct test *))
{
	for (uint32_t i = 0; i < LOOKS && !looks(t); i++)
		driver_looks(t);
	if (t->ring.reader.end.broken || t->ring.cq.end.broken)
		EXPECT(t, looks(t) && looks(t));
}

static void survive_liar(bool (*looks)(struct test *))
{
	struct test t = {0};
	pthread_t thread;

	ring_open(&t.ring, ENTRIES, ENTRIES, 0, 0);
	for (uint32_t i = 0; i < ENTRIES; i++) {
		((struct utmem_sqe *)t.ring.sq.sqes)[i].opcode = UTMEM_OP_GET;
		t.ring.writer.cqes[i].res = 77;
	}
	assert_int_equal(pthread_create(&thread, NULL, liar, &t), 0);
	/* the liar never rests, so both numbers are reached */
	for (uint32_t i = 0; t.eproto < LIVES || t.served < LIVES; i++) {
		utmem_sq_init(&t.ring.sq, t.ring.page, &t.ring.geo, i & 7);
		utmem_sq_reader_init(&t.ring.reader, t.ring.page, &t.ring.geo, i & 7);
		utmem_cq_writer_init(&t.ring.writer, t.ring.page, &t.ring.geo, i & 7);
		utmem_cq_init(&t.ring.cq, t.ring.page, &t.ring.geo, i & 7);
		live(&t, looks);
	}
	__atomic_store_n(&t.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(t.error, 0);
	ring_close(&t.ring);
}

static void a_host_under_a_lying_guest_sees_valid_entries_or_eproto(void **state)
{
	(void)state;
	survive_liar(host_looks);
}

static void a_guest_under_a_lying_host_sees_valid_entries_or_eproto(void **state)
{
	(void)state;
	survive_liar(guest_looks);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_under_a_lying_guest_sees_valid_entries_or_eproto),
		cmocka_unit_test(a_guest_under_a_lying_host_sees_valid_entries_or_eproto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
