// SPDX-License-Identifier: MIT
/* The buffers of the data area, against a model that knows every byte's owner. */
#include "tests/unit/lib_local.h"

#define ALIGN 64u

static void open_with(struct local *l, size_t data_len)
{
	struct utmem_queue_params params = {.data_len = data_len};

	local_open(l, "local:", &params);
}

static void the_longest_buffer_is_the_whole_empty_area(void **state)
{
	/* On a step of the size lists, and between two. */
	const size_t data_lens[] = {1 << 20, (1 << 20) + 3 * 4096};
	struct local l;
	size_t max;
	void *buf;

	(void)state;
	for (size_t d = 0; d < 2; d++) {
		open_with(&l, data_lens[d]);
		max = utmem_buf_max(l.q);
		assert_true(max >= data_lens[d]);
		assert_null(utmem_buf_alloc(l.q, max + 1));
		assert_null(utmem_buf_alloc(l.q, SIZE_MAX));
		for (int i = 0; i < 3; i++) {
			buf = utmem_buf_alloc(l.q, max);
			assert_non_null(buf);
			assert_null(utmem_buf_alloc(l.q, 1));
			utmem_buf_free(l.q, buf);
		}
		local_close(&l);
	}
}

static void buffers_are_aligned_even_the_empty_ones(void **state)
{
	struct local l;
	void *a, *b;

	(void)state;
	open_with(&l, 1 << 16);
	a = utmem_buf_alloc(l.q, 0);
	b = utmem_buf_alloc(l.q, 1);
	assert_non_null(a);
	assert_non_null(b);
	assert_ptr_not_equal(a, b);
	assert_int_equal((uintptr_t)a % ALIGN, 0);
	assert_int_equal((uintptr_t)b % ALIGN, 0);
	utmem_buf_free(l.q, a);
	utmem_buf_free(l.q, b);
	utmem_buf_free(l.q, NULL);
	local_close(&l);
}

static void what_is_given_back_in_any_order_merges_again(void **state)
{
	void *bufs[64];
	struct local l;
	size_t max, nr;

	(void)state;
	open_with(&l, 1 << 16);
	max = utmem_buf_max(l.q);
	for (size_t step = 1; step < 64; step += 2) {
		for (nr = 0; nr < 64; nr++) {
			bufs[nr] = utmem_buf_alloc(l.q, max / 64 & ~(size_t)(ALIGN - 1));
			assert_non_null(bufs[nr]);
		}
		for (size_t i = 0; i < nr; i++)
			utmem_buf_free(l.q, bufs[i * step % nr]);
		bufs[0] = utmem_buf_alloc(l.q, max);
		assert_non_null(bufs[0]);
		utmem_buf_free(l.q, bufs[0]);
	}
	local_close(&l);
}

static void a_second_free_and_a_strange_pointer_change_nothing(void **state)
{
	struct local l;
	char *a, *b, *c;

	(void)state;
	open_with(&l, 1 << 16);
	a = utmem_buf_alloc(l.q, 4096);
	b = utmem_buf_alloc(l.q, 4096);
	c = utmem_buf_alloc(l.q, 4096);
	utmem_buf_free(l.q, a);
	utmem_buf_free(l.q, b);
	utmem_buf_free(l.q, b);
	utmem_buf_free(l.q, c + 64);
	utmem_buf_free(l.q, c + 64);
	utmem_buf_free(l.q, &l);
	a = utmem_buf_alloc(l.q, 8192);
	assert_true(a + 8192 <= c || a >= c + 4096);
	utmem_buf_free(l.q, a);
	utmem_buf_free(l.q, c);
	assert_non_null(utmem_buf_alloc(l.q, utmem_buf_max(l.q)));
	local_close(&l);
}

/* The bytes themselves are the shared side: nothing of ours may lie there. */
static void scribbling_on_the_area_breaks_no_book(void **state)
{
	struct local l;
	char *all;
	size_t max;

	(void)state;
	open_with(&l, 1 << 16);
	max = utmem_buf_max(l.q);
	all = utmem_buf_alloc(l.q, max);
	memset(all, 0xff, max);
	utmem_buf_free(l.q, all);
	memset(all, 0xa5, max);
	assert_non_null(utmem_buf_alloc(l.q, max / 2));
	assert_non_null(utmem_buf_alloc(l.q, max / 4));
	local_close(&l);
}

/* ---- fuzz ---- */

#define SLOTS 512
#define STEPS 200000

struct model {
	struct {
		char *at;
		size_t len;
	} slot[SLOTS];
	char *base;
	uint16_t *owner; /* of each 64 bytes: slot + 1, or 0 */
	size_t nr_units, used;
	uint64_t seed;
};

static uint64_t rnd(struct model *m)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return m->seed;
}

static size_t units(size_t len)
{
	return len ? (len + ALIGN - 1) / ALIGN : 1;
}

/* The longest run of units that nobody owns. */
static size_t longest_hole(const struct model *m)
{
	size_t best = 0, run = 0;

	for (size_t i = 0; i < m->nr_units; i++) {
		run = m->owner[i] ? 0 : run + 1;
		if (run > best)
			best = run;
	}
	return best;
}

static void model_alloc(struct model *m, struct local *l, unsigned int s)
{
	size_t max = (size_t)1 << (rnd(m) % 16 + 2), len = rnd(m) % max;
	char *at = utmem_buf_alloc(l->q, len);
	size_t first;

	if (!at) {
		/* Only when the longest hole is less than a step above the request. */
		assert_true(longest_hole(m) < units(len) + units(len) / 16 + 2);
		return;
	}
	first = (size_t)(at - m->base) / ALIGN;
	assert_int_equal((size_t)(at - m->base) % ALIGN, 0);
	assert_true(first + units(len) <= m->nr_units);
	for (size_t i = 0; i < units(len); i++) {
		assert_int_equal(m->owner[first + i], 0);
		m->owner[first + i] = (uint16_t)(s + 1);
	}
	m->slot[s].at = at;
	m->slot[s].len = len;
	m->used += units(len);
}

static void model_free(struct model *m, struct local *l, unsigned int s)
{
	size_t first = (size_t)(m->slot[s].at - m->base) / ALIGN;

	memset(m->owner + first, 0, units(m->slot[s].len) * sizeof(*m->owner));
	m->used -= units(m->slot[s].len);
	utmem_buf_free(l->q, m->slot[s].at);
	m->slot[s].at = NULL;
}

static void random_sequences_agree_with_a_model(void **state)
{
	static struct model m;
	struct local l;
	void *all;

	(void)state;
	open_with(&l, 1 << 20);
	m.seed = 88172645463325252u;
	m.nr_units = utmem_buf_max(l.q) / ALIGN;
	m.owner = calloc(m.nr_units, sizeof(*m.owner));
	all = utmem_buf_alloc(l.q, utmem_buf_max(l.q));
	m.base = all;
	utmem_buf_free(l.q, all);
	for (int i = 0; i < STEPS; i++) {
		unsigned int s = (unsigned int)(rnd(&m) % SLOTS);

		if (m.slot[s].at)
			model_free(&m, &l, s);
		else
			model_alloc(&m, &l, s);
	}
	for (unsigned int s = 0; s < SLOTS; s++)
		if (m.slot[s].at)
			model_free(&m, &l, s);
	assert_int_equal(m.used, 0);
	assert_non_null(utmem_buf_alloc(l.q, utmem_buf_max(l.q)));
	free(m.owner);
	local_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_buffer_is_the_whole_empty_area),
		cmocka_unit_test(buffers_are_aligned_even_the_empty_ones),
		cmocka_unit_test(what_is_given_back_in_any_order_merges_again),
		cmocka_unit_test(a_second_free_and_a_strange_pointer_change_nothing),
		cmocka_unit_test(scribbling_on_the_area_breaks_no_book),
		cmocka_unit_test(random_sequences_agree_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
