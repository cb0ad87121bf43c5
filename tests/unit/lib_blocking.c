// SPDX-License-Identifier: MIT
/* Blocking calls: values of every size from and to any memory. */
#include <sys/mman.h>

#include "tests/unit/lib_fake.h"
#include "tests/unit/lib_local.h"

#define MIB ((size_t)1 << 20)
#define PARTS_MAX 64 /* data areas full in one value: more of them prove nothing new */

/* Differs at every offset, and from seed to seed. */
static char *value_make(size_t len, uint32_t seed)
{
	uint32_t x = seed * 2654435761u + 1;
	char *v = malloc(len + 1);

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		v[i] = (char)(x >> 24);
	}
	return v;
}

/* put, exists, get whole, get short, getdel: all of them agree on the value. */
static void round_trip(struct local *l, size_t len, const char *key, size_t key_len)
{
	char *in = value_make(len, (uint32_t)len), *out = malloc(len + 100);
	size_t half = len / 2;

	memset(out, 0x5a, len + 100);
	assert_int_equal(utmem_put(l->q, l->pool, key, key_len, in, len, 0), 0);
	assert_int_equal(utmem_exists(l->q, l->pool, key, key_len), len);
	assert_int_equal(utmem_get(l->q, l->pool, key, key_len, out, len + 50), len);
	assert_memory_equal(in, out, len);
	for (size_t i = len; i < len + 100; i++)
		assert_int_equal(out[i], 0x5a);
	memset(out, 0x5a, len);
	assert_int_equal(utmem_get(l->q, l->pool, key, key_len, out, half), len);
	assert_memory_equal(in, out, half);
	assert_true(half == len || out[half] == 0x5a);
	assert_int_equal(utmem_get(l->q, l->pool, key, key_len, NULL, 0), len);
	assert_int_equal(utmem_inflight(l->q), 0);
	free(in);
	free(out);
}

static void values_of_many_sizes_come_back(void **state)
{
	const size_t lens[] = {0,      1,	31,	 64,	   4095,    4096,    65535,
			       65536,  65537,	131072,	 MIB - 1,  MIB,	    MIB + 1, 3 * MIB,
			       777777, 5 * MIB, 8 * MIB, 10485763, 16 * MIB};
	const size_t data_lens[] = {1, 65536, MIB, 8 * MIB};
	const uint32_t entries[] = {2, 256};
	char key[UTMEM_KEY_MAX];

	(void)state;
	memset(key, 'k', sizeof(key));
	for (size_t d = 0; d < 4; d++) {
		for (size_t e = 0; e < 2; e++) {
			struct utmem_queue_params params = {.sq_entries = entries[e],
							    .data_len = data_lens[d]};
			struct local l;

			local_open(&l, "local:64m", &params);
			for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
				if (lens[i] > PARTS_MAX * utmem_buf_max(l.q))
					break;
				round_trip(&l, lens[i], key, e ? 5 : sizeof(key));
				assert_int_equal(utmem_del(l.q, l.pool, key, e ? 5 : sizeof(key)),
						 0);
			}
			assert_non_null(utmem_buf_alloc(l.q, utmem_buf_max(l.q)));
			local_close(&l);
		}
	}
}

static void a_value_of_64_mib_comes_back(void **state)
{
	struct local l;

	(void)state;
	local_open(&l, "local:128m", NULL);
	round_trip(&l, 64 * MIB, "large", 5);
	local_close(&l);
}

static void the_longest_value_is_stored_and_one_byte_more_is_e2big(void **state)
{
	size_t len = UTMEM_VALUE_MAX;
	char *zeros =
		mmap(NULL, len + 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char tail[4];
	struct local l;

	(void)state;
	assert_true(zeros != MAP_FAILED);
	local_open(&l, "local:640m", NULL);
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, zeros, len, 0), 0);
	assert_int_equal(utmem_get(l.q, l.pool, "k", 1, tail, sizeof(tail)), len);
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, zeros, len + 1, 0), -E2BIG);
	assert_int_equal(utmem_exists(l.q, l.pool, "k", 1), len);
	local_close(&l);
	munmap(zeros, len + 1);
}

static void conditions_hold_for_short_and_long_values(void **state)
{
	const size_t lens[] = {100, 3 * MIB};
	struct local l;

	(void)state;
	local_open(&l, "local:", NULL);
	for (size_t i = 0; i < 2; i++) {
		char *v = value_make(lens[i], 1);

		assert_int_equal(utmem_put(l.q, l.pool, "c", 1, v, lens[i], UTMEM_SQE_IF_PRESENT),
				 -ENOENT);
		assert_int_equal(utmem_exists(l.q, l.pool, "c", 1), -ENOENT);
		assert_int_equal(utmem_put(l.q, l.pool, "c", 1, v, lens[i], UTMEM_SQE_IF_ABSENT),
				 0);
		assert_int_equal(utmem_put(l.q, l.pool, "c", 1, "", 0, UTMEM_SQE_IF_ABSENT),
				 -EEXIST);
		assert_int_equal(utmem_put(l.q, l.pool, "c", 1, v, lens[i], UTMEM_SQE_IF_ABSENT),
				 -EEXIST);
		assert_int_equal(utmem_exists(l.q, l.pool, "c", 1), lens[i]);
		assert_int_equal(utmem_put(l.q, l.pool, "c", 1, v, lens[i], UTMEM_SQE_IF_PRESENT),
				 0);
		assert_int_equal(utmem_put(l.q, l.pool, "c", 1, v, lens[i], 0x80), -EOPNOTSUPP);
		assert_int_equal(utmem_del(l.q, l.pool, "c", 1), 0);
		free(v);
	}
	local_close(&l);
}

static void a_value_for_which_there_is_no_room_is_enospc_and_the_old_one_gone(void **state)
{
	char *v = value_make(8 * MIB, 3), out[8];
	struct local l;

	(void)state;
	local_open(&l, "local:4m", NULL);
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, "old", 3, 0), 0);
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, v, 8 * MIB, 0), -ENOSPC);
	assert_int_equal(utmem_get(l.q, l.pool, "k", 1, out, sizeof(out)), -ENOENT);
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, "new", 3, 0), 0);
	assert_int_equal(utmem_get(l.q, l.pool, "k", 1, out, sizeof(out)), 3);
	free(v);
	local_close(&l);
}

static void getdel_takes_the_value_and_leaves_it_when_the_buffer_is_short(void **state)
{
	struct utmem_queue_params params = {.data_len = 65536};
	char *v = value_make(MIB, 4), *out = malloc(MIB);
	struct local l;

	(void)state;
	local_open(&l, "local:", &params);
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, v, 5000, 0), 0);
	assert_int_equal(utmem_getdel(l.q, l.pool, "k", 1, out, 4999), -E2BIG);
	assert_int_equal(utmem_exists(l.q, l.pool, "k", 1), 5000);
	assert_int_equal(utmem_getdel(l.q, l.pool, "k", 1, out, 5000), 5000);
	assert_memory_equal(v, out, 5000);
	assert_int_equal(utmem_getdel(l.q, l.pool, "k", 1, out, 5000), -ENOENT);
	/* Longer than the data area: it cannot be taken in one request, so it stays. */
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, v, MIB, 0), 0);
	assert_int_equal(utmem_getdel(l.q, l.pool, "k", 1, out, MIB), -E2BIG);
	assert_int_equal(utmem_exists(l.q, l.pool, "k", 1), MIB);
	free(v);
	free(out);
	local_close(&l);
}

static void misses_and_bad_arguments_are_named(void **state)
{
	char key[UTMEM_KEY_MAX + 1], buf[8];
	struct local l;

	(void)state;
	memset(key, 'k', sizeof(key));
	local_open(&l, "local:", NULL);
	assert_int_equal(utmem_get(l.q, l.pool, "x", 1, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(utmem_del(l.q, l.pool, "x", 1), -ENOENT);
	assert_int_equal(utmem_exists(l.q, l.pool, "x", 1), -ENOENT);
	assert_int_equal(utmem_get(l.q, l.pool, "", 0, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(utmem_put(l.q, l.pool, key, sizeof(key), "v", 1, 0), -E2BIG);
	assert_int_equal(utmem_put(l.q, l.pool, key, sizeof(key) - 1, "v", 1, 0), 0);
	assert_int_equal(utmem_put(l.q, -1, "x", 1, "v", 1, 0), -EINVAL);
	assert_int_equal(utmem_put(l.q, 7, "x", 1, "v", 1, 0), -EACCES);
	assert_int_equal(utmem_inflight(l.q), 0);
	assert_int_equal(utmem_pool_flush(l.q, l.pool), 0);
	assert_int_equal(utmem_exists(l.q, l.pool, key, sizeof(key) - 1), -ENOENT);
	local_close(&l);
}

static void others_completions_outstanding_are_ebusy(void **state)
{
	struct local l;
	char buf[8];

	(void)state;
	local_open(&l, "local:", NULL);
	assert_non_null(utmem_get_sqe(l.q));
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, "v", 1, 0), -EBUSY);
	assert_int_equal(utmem_submit(l.q), 1);
	assert_int_equal(utmem_get(l.q, l.pool, "k", 1, buf, 8), -EBUSY);
	assert_int_equal(utmem_getdel(l.q, l.pool, "k", 1, buf, 8), -EBUSY);
	assert_int_equal(utmem_del(l.q, l.pool, "k", 1), -EBUSY);
	assert_int_equal(utmem_exists(l.q, l.pool, "k", 1), -EBUSY);
	assert_int_equal(utmem_pool_flush(l.q, l.pool), -EBUSY);
	assert_int_equal(local_reap(&l), 0);
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, "v", 1, 0), 0);
	local_close(&l);
}

static void callers_buffers_leave_less_and_less_room(void **state)
{
	struct utmem_queue_params params = {.data_len = 65536};
	char *v = value_make(MIB, 5), *out = malloc(MIB);
	struct local l;

	(void)state;
	local_open(&l, "local:", &params);
	/* Take what there is, in halves: 64 bytes are left, then none. */
	for (size_t len = utmem_buf_max(l.q); len > 64;) {
		if (utmem_buf_max(l.q) - len > 64 || !utmem_buf_alloc(l.q, len - 64))
			len /= 2;
		else
			break;
	}
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, v, 5000, 0), 0);
	assert_int_equal(utmem_get(l.q, l.pool, "k", 1, out, MIB), 5000);
	assert_memory_equal(v, out, 5000);
	while (utmem_buf_alloc(l.q, 1))
		;
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, v, 5000, 0), -ENOMEM);
	assert_int_equal(utmem_get(l.q, l.pool, "k", 1, out, MIB), -ENOMEM);
	assert_int_equal(utmem_getdel(l.q, l.pool, "k", 1, out, MIB), -ENOMEM);
	assert_int_equal(utmem_exists(l.q, l.pool, "k", 1), 5000);
	free(v);
	free(out);
	local_close(&l);
}

/* ---- a value that changes while it is read, over a host in a thread ---- */

struct changing {
	struct fake f;
	uint32_t total;	  /* length of the value */
	uint32_t nr_calm; /* gets until it stops changing; UINT32_MAX = never */
	uint32_t nr_gets;
	bool vanishes; /* the second part finds nothing */
	bool stop;
};

/* Completes one GET after the other; each of them sees another version, until it calms down. */
static void *serve_changing(void *arg)
{
	struct changing *c = arg;
	struct utmem_sqe sqe;
	uint32_t n, version;

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE)) {
		if (utmem_sq_peek(&c->f.sq, &n) || !n) {
			sched_yield();
			continue;
		}
		utmem_sq_copy(&c->f.sq, 0, &sqe);
		version = c->nr_gets < c->nr_calm ? c->nr_gets : c->nr_calm;
		c->nr_gets++;
		if (c->vanishes && c->nr_gets > 1)
			fake_complete(&c->f, -ENOENT, 0, &sqe);
		else
			fake_complete(&c->f, (int32_t)(c->total - sqe.arg),
				      version << UTMEM_CQE_VERSION_SHIFT, &sqe);
	}
	return NULL;
}

static ssize_t get_from(struct changing *c)
{
	struct utmem_queue_params params = {.sq_entries = 4, .data_len = 65536};
	char *out = malloc(c->total);
	struct utmem_queue *q;
	pthread_t thread;
	struct utmem *u;
	ssize_t rc;

	fake_start(&c->f, NULL, F_SEAL_SHRINK);
	assert_int_equal(utmem_connect(&u, c->f.transport), 0);
	assert_int_equal(utmem_queue_init(u, &q, &params), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve_changing, c), 0);
	rc = utmem_get(q, 0, "k", 1, out, c->total);
	assert_int_equal(utmem_inflight(q), 0);
	__atomic_store_n(&c->stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	utmem_queue_exit(q);
	utmem_disconnect(u);
	fake_stop(&c->f);
	free(out);
	return rc;
}

static void a_value_that_changes_under_a_get_is_read_again(void **state)
{
	struct changing c = {.total = 200000, .nr_calm = 9};

	(void)state;
	assert_int_equal(get_from(&c), 200000);
	assert_true(c.nr_gets > 9);
}

static void a_value_that_never_stops_changing_is_eagain(void **state)
{
	struct changing c = {.total = 200000, .nr_calm = UINT32_MAX};

	(void)state;
	assert_int_equal(get_from(&c), -EAGAIN);
	assert_true(c.nr_gets >= 32 && c.nr_gets < 64);
}

static void a_value_that_vanishes_under_a_get_is_enoent(void **state)
{
	struct changing c = {.total = 200000, .vanishes = true};

	(void)state;
	assert_int_equal(get_from(&c), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_many_sizes_come_back),
		cmocka_unit_test(a_value_of_64_mib_comes_back),
		cmocka_unit_test(the_longest_value_is_stored_and_one_byte_more_is_e2big),
		cmocka_unit_test(conditions_hold_for_short_and_long_values),
		cmocka_unit_test(a_value_for_which_there_is_no_room_is_enospc_and_the_old_one_gone),
		cmocka_unit_test(getdel_takes_the_value_and_leaves_it_when_the_buffer_is_short),
		cmocka_unit_test(misses_and_bad_arguments_are_named),
		cmocka_unit_test(others_completions_outstanding_are_ebusy),
		cmocka_unit_test(callers_buffers_leave_less_and_less_room),
		cmocka_unit_test(a_value_that_changes_under_a_get_is_read_again),
		cmocka_unit_test(a_value_that_never_stops_changing_is_eagain),
		cmocka_unit_test(a_value_that_vanishes_under_a_get_is_enoent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
