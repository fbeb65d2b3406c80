/* The writer thread: group commit, preconditions, failed owners. What the loop does around it is in
 * store_commit.c.
 *
 * An idle writer commits at once; what is handed in meanwhile forms the next group. Preconditions of a
 * batch are checked before its first write, so a batch that fails leaves nothing in the transaction. */

#include "store_inner.h"

#include <errno.h>

#define MAP_MOST ((size_t)1 << 42)

static enum zerr err_of(int code)
{
    bool full = code == MDB_MAP_FULL || code == MDB_TXN_FULL || code == ENOSPC || code == EDQUOT;

    return full ? ZE_FULL : ZE_STORE;
}

/* ---- one transaction ---- */

static int holds(struct store *store, MDB_txn *txn, const struct store_op *op, bool *holds)
{
    MDB_val      k = { op->disk_key.len, (void *)op->disk_key.p }, v;
    int          rc = mdb_get(txn, store->tables[op->table], &k, &v);
    struct slice key, value;

    *holds = false;
    if (rc == MDB_NOTFOUND) {
        *holds = op->kind == OP_ABSENT;
        return 0;
    }
    if (rc == 0 && op->kind == OP_VALUE)
        *holds = unfold(op->disk_key, slice_of(v.mv_data, v.mv_size), &key, &value) &&
                 slice_eq(key, op->key) && slice_eq(value, op->value);
    return rc;
}

static int put_row(struct store *store, unsigned table, MDB_txn *txn, MDB_val *k, MDB_val *v)
{
    return store->runs >> table & 1 ? store_put_run(txn, store->tables[table], k, v)
                                    : mdb_put(txn, store->tables[table], k, v, 0);
}

static int write_op(struct store *store, MDB_txn *txn, const struct store_op *op)
{
    MDB_val k = { op->disk_key.len, (void *)op->disk_key.p };
    MDB_val v = { op->value.len, (void *)op->value.p };
    MDB_dbi table = store->tables[op->table];

    if (op->kind == OP_DELETE) {
        int rc = mdb_del(txn, table, &k, NULL);
        return rc == MDB_NOTFOUND ? 0 : rc;
    }
    if (!op->folded)
        return put_row(store, op->table, txn, &k, &v);
    struct buf row = { 0 };
    buf_put_sized(&row, op->key);
    buf_put_slice(&row, op->value);
    v = (MDB_val){ buf_len(&row), (void *)buf_slice(&row).p };
    int rc = put_row(store, op->table, txn, &k, &v);
    buf_free(&row);
    return rc;
}

/* Sets b->err; a code other than 0 spoils the whole transaction. */
static int apply(struct store *store, MDB_txn *txn, struct store_batch *b)
{
    bool yes = true;
    int  rc = 0;

    for (size_t i = 0; i < b->op_count && rc == 0 && yes; i++)
        if (b->ops[i].kind == OP_ABSENT || b->ops[i].kind == OP_VALUE)
            rc = holds(store, txn, &b->ops[i], &yes);
    if (rc == 0 && !yes)
        b->err = ZE_CONFLICT;
    for (size_t i = 0; i < b->op_count && rc == 0 && yes; i++)
        if (b->ops[i].kind == OP_PUT || b->ops[i].kind == OP_DELETE)
            rc = write_op(store, txn, &b->ops[i]);
    return rc;
}

/* In the transaction that decides: what is decided with it. The list is as it was when it fails. */
static int put_numbers(struct store *store, MDB_txn *txn, const struct store_batch *group)
{
    struct decided *d = &store->writer.decided;
    size_t          before = d->count;

    for (const struct store_batch *b = group; b; b = b->next) {
        d->last = b->seq;
        if (b->err != ZE_OK)
            decided_refuse(d, b->seq);
    }
    int rc = numbers_put(store, txn, d);
    d->count = before;
    return rc;
}

static int transact(struct store *store, struct store_batch *group)
{
    struct store_batch *failed = NULL;
    struct store_members claim;
    MDB_txn *txn;
    int      rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (rc != 0)
        return rc;
    rc = claim_check(store, txn, &claim);
    for (struct store_batch *b = group; b && rc == 0; b = b->next) {
        b->err = b->bad ? ZE_STORE : owner_failed(store, failed, b) ? ZE_CONFLICT
                 : claim_allows(store, &claim, b) ? ZE_OK : ZE_STALE;
        if (b->err == ZE_OK)
            rc = apply(store, txn, b);
        if (b->err != ZE_OK) {
            b->failed_before = failed;
            failed = b;
        }
    }
    if (rc == 0)
        rc = put_numbers(store, txn, group);
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

static int grow(struct store *store)
{
    MDB_envinfo info;
    int         rc = mdb_env_info(store->env, &info);

    if (rc == 0 && info.me_mapsize >= MAP_MOST)
        return MDB_MAP_FULL;
    return rc ? rc : store_remap(store, info.me_mapsize * 2);
}

static int try_group(struct store *store, struct store_batch *group)
{
    for (;;) {
        pthread_mutex_lock(&store->txn_gate);
        int rc = transact(store, group);
        pthread_mutex_unlock(&store->txn_gate);
        if (rc == MDB_MAP_FULL)
            rc = grow(store);
        else if (rc == MDB_MAP_RESIZED)
            rc = store_remap(store, 0);
        else
            return rc;
        if (rc != 0)
            return rc;
    }
}

static void note_failures(struct store *store, struct store_batch *group)
{
    struct writer *w = &store->writer;

    pthread_mutex_lock(&w->mutex);
    w->commits++;
    decided_told(&w->decided, w->told_seq);
    for (struct store_batch *b = group; b; b = b->next) {
        w->seen_seq = b->seq;
        if (b->err == ZE_OK)
            continue;
        failing_add(w, b->owner);
        decided_refuse(&w->decided, b->seq);
    }
    pthread_mutex_unlock(&w->mutex);
}

/* A group that fails as a whole is tried batch by batch: on a full disk the deletes still go through. */
static void write_group(struct store *store, struct store_batch *group)
{
    int rc = try_group(store, group);

    if (rc != 0 && group->next) {
        for (struct store_batch *b = group, *next; b; b = next) {
            next = b->next;
            b->next = NULL;
            write_group(store, b);
            b->next = next;
        }
        return;
    }
    if (rc != 0) {
        group->err = err_of(rc);
        group->code = rc;
    }
    note_failures(store, group);
}

/* ---- the thread ---- */

void writer_finished(struct writer *w, struct store_batch *group)
{
    pthread_mutex_lock(&w->mutex);
    *w->finished_end = group;
    while (*w->finished_end)
        w->finished_end = &(*w->finished_end)->next;
    failing_purge(w);
    pthread_mutex_unlock(&w->mutex);
}

void *writer_main(void *arg)
{
    struct store       *store = arg;
    struct store_batch *group;

    while ((group = gather_group(&store->writer))) {
        write_group(store, group);
        writer_finished(&store->writer, group);
        uv_async_send(store->writer.async);
    }
    return NULL;
}
