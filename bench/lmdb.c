// SPDX-License-Identifier: MIT
/*
 * The yardstick of engines: LMDB on tmpfs, NOSYNC and WRITEMAP, a transaction for each
 * batch (a reader's where it only reads); values are copied out, as the engine does. One thread.
 */
#include <lmdb.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/calls.h"
#include "bench/stack.h"
#include "bench/target.h"

struct lmdb {
	struct target base;
	MDB_env *env;
	MDB_txn *reader; /* reset between batches */
	MDB_dbi dbi;
	struct calls calls;
};

/* LMDB's own errors are below -30000; its others are an errno. */
static int as_errno(int rc)
{
	if (rc == MDB_MAP_FULL)
		return -ENOSPC;
	return rc < 0 ? -EIO : -rc;
}

static int lmdb_fill(void *ctx, uint32_t slot, enum bench_op op, const struct bench_key *key)
{
	return calls_fill(&((struct lmdb *)ctx)->calls, slot, op, key);
}

static int lmdb_reap(void *ctx, uint32_t max)
{
	return calls_reap(&((struct lmdb *)ctx)->calls, max);
}

static int get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, const struct call *c, uint32_t len)
{
	MDB_val value;
	int rc = mdb_get(txn, dbi, key, &value);

	if (!rc)
		memcpy(c->buf, value.mv_data, value.mv_size < len ? value.mv_size : len);
	return rc;
}

static int call(struct lmdb *l, MDB_txn *txn, struct call *c)
{
	MDB_val key = {.mv_size = sizeof(c->key), .mv_data = &c->key};
	MDB_val value = {.mv_size = l->calls.value_len, .mv_data = c->buf};

	switch (c->op) {
	case BENCH_PUT:
		return mdb_put(txn, l->dbi, &key, &value, 0);
	case BENCH_DEL:
		return mdb_del(txn, l->dbi, &key, NULL);
	default:
		return get(txn, l->dbi, &key, c, l->calls.value_len);
	}
}

static int do_calls(struct lmdb *l, MDB_txn *txn)
{
	int rc = 0;

	for (uint32_t i = 0; i < l->calls.nr && !rc; i++) {
		rc = call(l, txn, &l->calls.call[i]);
		if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	calls_end(&l->calls);
	return rc;
}

static bool only_reads(const struct calls *c)
{
	for (uint32_t i = 0; i < c->nr; i++)
		if (c->call[i].op != BENCH_GET)
			return false;
	return true;
}

static int read_batch(struct lmdb *l)
{
	int rc = mdb_txn_renew(l->reader);

	if (rc)
		return rc;
	rc = do_calls(l, l->reader);
	mdb_txn_reset(l->reader);
	return rc;
}

static int write_batch(struct lmdb *l)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->env, NULL, 0, &txn);

	if (rc)
		return rc;
	rc = do_calls(l, txn);
	if (!rc)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int lmdb_submit(void *ctx)
{
	struct lmdb *l = ctx;

	return as_errno(only_reads(&l->calls) ? read_batch(l) : write_batch(l));
}

static const struct port lmdb_port = {.fill = lmdb_fill, .submit = lmdb_submit, .reap = lmdb_reap};

/* The files go at once: what is open stays, and nothing is left behind however this ends. */
static int open_files(MDB_env *env)
{
	static const char *const files[] = {"data.mdb", "lock.mdb"};
	char dir[] = "/dev/shm/utmem-bench-XXXXXX", path[64];
	int rc;

	if (!mkdtemp(dir))
		return errno;
	rc = mdb_env_open(env, dir, MDB_NOSYNC | MDB_WRITEMAP, 0600);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
	return rc;
}

static int open_database(struct lmdb *l)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->env, NULL, 0, &txn);

	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &l->dbi);
	if (!rc)
		rc = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	if (!rc)
		rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->reader);
	if (!rc)
		mdb_txn_reset(l->reader);
	return rc;
}

static int open_env(struct lmdb *l, uint64_t map_len)
{
	int rc = mdb_env_create(&l->env);

	if (rc)
		return rc;
	rc = mdb_env_set_mapsize(l->env, map_len);
	if (!rc)
		rc = open_files(l->env);
	if (!rc)
		rc = open_database(l);
	if (rc)
		mdb_env_close(l->env);
	return rc;
}

static int lmdb_open(struct target **out, const struct options *o, uint64_t items)
{
	struct lmdb *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (!l)
		return err;
	l->base = target_lmdb;
	err = calls_init(&l->calls, o);
	if (err)
		goto free_lmdb;
	/* pages are freed a transaction or two late: twice an engine's arena is ample */
	err = as_errno(open_env(l, 2 * stack_arena_len(items, o->value)));
	if (err)
		goto exit_calls;
	*out = &l->base;
	return 0;

exit_calls:
	calls_exit(&l->calls);
free_lmdb:
	free(l);
	fprintf(stderr, "utmem-bench: LMDB in /dev/shm: %s\n", strerror(-err));
	return err;
}

static void lmdb_close(struct target *t)
{
	struct lmdb *l = (struct lmdb *)t;

	mdb_txn_abort(l->reader);
	mdb_env_close(l->env);
	calls_exit(&l->calls);
	free(l);
}

static int lmdb_run(struct target *t, const struct load *load, struct result *out)
{
	return drive(&lmdb_port, t, load, out);
}

const struct target target_lmdb = {
	.name = "lmdb",
	.open = lmdb_open,
	.close = lmdb_close,
	.run = lmdb_run,
};
