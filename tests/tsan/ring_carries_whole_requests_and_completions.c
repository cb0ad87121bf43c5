// SPDX-License-Identifier: MIT
// Two threads on one queue, from every start index of small rings: each request, completion
// and value arrives whole, in order, once. Each ring also runs alone: then nothing but its own
// pair of barriers orders the two threads, and TSan reports a race when A, B, C or D is weak.
// Owner: guest/ring.

#include "tests/tsan/pair.h"

#define ROUNDS 6u /* times around the ring, per start index */
#define WORDS 8u  /* of a value */

struct test {
	struct ring ring;
	uint32_t entries, total;
	int guest_error, host_error; /* line of the first thing that was wrong */
};

#define EXPECT(cond, error)                 \
	do {                                \
		if (!(cond) && !(error))    \
			(error) = __LINE__; \
	} while (0)

/* Entries are written and read field by field here: gcc hides a memset or memcpy of a whole entry from TSan. */
static void fill_request(struct utmem_sqe *sqe, uint32_t id)
{
	sqe->opcode = (uint8_t)id;
	sqe->len = id;
	sqe->user_data = id;
	sqe->arg = ~(uint64_t)id;
	sqe->key_resv[6] = id;
}

static void check_request(struct test *t, uint32_t i, uint32_t id)
{
	const struct utmem_sq_reader *r = &t->ring.reader;
	const struct utmem_sqe *slot = &r->sqes[utmem_slot(&r->end, r->end.own + i)];
	struct utmem_sqe copy;

	EXPECT(slot->user_data == id && slot->key_resv[6] == id, t->host_error);
	utmem_sq_copy(r, i, &copy);
	EXPECT(copy.opcode == (uint8_t)id && copy.len == id, t->host_error);
	EXPECT(copy.user_data == id && copy.arg == ~(uint64_t)id, t->host_error);
	EXPECT(copy.key_resv[6] == id, t->host_error);
}

static uint32_t peek(struct test *t)
{
	uint32_t n = 0;

	if (utmem_sq_peek(&t->ring.reader, &n))
		t->host_error = __LINE__;
	return n;
}

static uint32_t peek_completions(struct test *t, uint32_t id)
{
	uint32_t n = 0;

	if (utmem_cq_peek(&t->ring.cq, &n))
		t->guest_error = __LINE__;
	for (uint32_t i = 0; i < n; i++) {
		const struct utmem_cqe *cqe = utmem_cq_at(&t->ring.cq, i);

		EXPECT(cqe->user_data == id + i && cqe->res == (int32_t)(id + i) &&
			       cqe->flags == ~(id + i),
		       t->guest_error);
	}
	return n;
}

static void fill_completion(struct test *t, uint32_t id)
{
	utmem_cq_fill(&t->ring.writer, id, (int32_t)id, ~id);
}

/* ---- the submission ring alone: A and B ---- */

static void *submits(void *arg)
{
	struct test *t = arg;
	uint32_t sent = 0;

	while (sent < t->total && !t->ring.sq.end.broken) {
		struct utmem_sqe *sqe = utmem_sq_reserve(&t->ring.sq);

		if (sqe)
			fill_request(sqe, sent++);
		/* publish one by one, or all that fit */
		if (!sqe || sent % 3 == 0 || sent == t->total)
			utmem_sq_publish(&t->ring.sq);
		if (!sqe)
			sched_yield();
	}
	return NULL;
}

static void *consumes(void *arg)
{
	struct test *t = arg;

	for (uint32_t done = 0, n; done < t->total && !t->host_error; done += n) {
		n = peek(t);
		for (uint32_t i = 0; i < n; i++)
			check_request(t, i, done + i);
		if (n)
			utmem_sq_release(&t->ring.reader, n);
		else
			sched_yield();
	}
	return NULL;
}

/* ---- the completion ring alone: C and D ---- */

static void *completes(void *arg)
{
	struct test *t = arg;
	uint32_t done = 0, room;

	while (done < t->total) {
		if (utmem_cq_room(&t->ring.writer, &room)) {
			t->host_error = __LINE__;
			break;
		}
		if (!room)
			sched_yield();
		for (; room && done < t->total; room--)
			fill_completion(t, done++);
		utmem_cq_publish(&t->ring.writer);
	}
	return NULL;
}

static void *reaps(void *arg)
{
	struct test *t = arg;

	for (uint32_t seen = 0, n; seen < t->total && !t->guest_error; seen += n) {
		n = peek_completions(t, seen);
		if (n)
			utmem_cq_release(&t->ring.cq, n);
		else
			sched_yield();
	}
	return NULL;
}

/* ---- both, with values in the data area that the host answers in place ---- */

static uint64_t *value_of(struct test *t, uint32_t id)
{
	return (uint64_t *)t->ring.data + id % t->entries * WORDS;
}

static void write_value(uint64_t *value, uint64_t seed)
{
	for (uint32_t w = 0; w < WORDS; w++)
		value[w] = seed * 31 + w;
}

static bool is_value(const uint64_t *value, uint64_t seed)
{
	bool same = true;

	for (uint32_t w = 0; w < WORDS; w++)
		same &= value[w] == seed * 31 + w;
	return same;
}

static void *submits_and_reaps(void *arg)
{
	struct test *t = arg;
	uint32_t sent = 0, seen = 0, n;

	while (seen < t->total && !t->guest_error) {
		struct utmem_sqe *sqe;

		/* a value's bytes are ours again when its completion was seen */
		while (sent < t->total && sent - seen < t->entries &&
		       (sqe = utmem_sq_reserve(&t->ring.sq)) != NULL) {
			write_value(value_of(t, sent), sent);
			fill_request(sqe, sent++);
		}
		utmem_sq_publish(&t->ring.sq);
		n = peek_completions(t, seen);
		for (uint32_t i = 0; i < n; i++)
			EXPECT(is_value(value_of(t, seen + i), seen + i + 1), t->guest_error);
		if (n)
			utmem_cq_release(&t->ring.cq, n);
		else
			sched_yield();
		seen += n;
	}
	return NULL;
}

static void *serves(void *arg)
{
	struct test *t = arg;
	uint32_t room = 0;

	for (uint32_t done = 0, n; done < t->total && !t->host_error; done += n) {
		n = peek(t);
		EXPECT(!utmem_cq_room(&t->ring.writer, &room), t->host_error);
		n = n < room ? n : room;
		for (uint32_t i = 0; i < n; i++) {
			check_request(t, i, done + i);
			EXPECT(is_value(value_of(t, done + i), done + i), t->host_error);
			write_value(value_of(t, done + i), done + i + 1);
			fill_completion(t, done + i);
		}
		if (!n) {
			sched_yield();
			continue;
		}
		utmem_cq_publish(&t->ring.writer);
		utmem_sq_release(&t->ring.reader, n);
	}
	return NULL;
}

/* ---- from every start index ---- */

static void from_every_start(void *(*guest)(void *), void *(*host)(void *))
{
	for (uint32_t entries = 2; entries <= 8; entries *= 2) {
		struct test t = {.entries = entries, .total = ROUNDS * entries};

		ring_open(&t.ring, entries, entries, UTMEM_PAGE, 0);
		for (uint32_t i = 0; i < RING_STARTS(entries); i++) {
			ring_reset(&t.ring, ring_start(i, entries));
			run_pair(guest, host, &t);
			assert_int_equal(t.guest_error, 0);
			assert_int_equal(t.host_error, 0);
		}
		ring_close(&t.ring);
	}
}

static void many_times_around(void *(*guest)(void *), void *(*host)(void *))
{
	struct test t = {.entries = 4, .total = 20000};

	ring_open(&t.ring, 4, 4, UTMEM_PAGE, 0u - 10000);
	run_pair(guest, host, &t);
	assert_int_equal(t.guest_error, 0);
	assert_int_equal(t.host_error, 0);
	ring_close(&t.ring);
}

static void requests_alone_arrive_whole_by_barriers_a_and_b(void **state)
{
	(void)state;
	from_every_start(submits, consumes);
	many_times_around(submits, consumes);
}

static void completions_alone_arrive_whole_by_barriers_c_and_d(void **state)
{
	(void)state;
	from_every_start(reaps, completes);
	many_times_around(reaps, completes);
}

static void values_are_whole_for_the_host_and_back_for_the_guest(void **state)
{
	(void)state;
	from_every_start(submits_and_reaps, serves);
	many_times_around(submits_and_reaps, serves);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_alone_arrive_whole_by_barriers_a_and_b),
		cmocka_unit_test(completions_alone_arrive_whole_by_barriers_c_and_d),
		cmocka_unit_test(values_are_whole_for_the_host_and_back_for_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
