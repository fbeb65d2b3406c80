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

/* One cursor a table for all of it: what is looked up next often lies where it stands, and LMDB then need not search
 * from the root. */
struct pass {
    struct store          *store;
    MDB_txn               *txn;
    MDB_cursor            *cursors[STORE_TABLES_MAX];
    const struct store_op *absent[STORE_TABLES_MAX];    /* the cursor stands at the first row behind its key; or NULL */
    struct claim           claim;
};

/* For anything but going on from where it stands. */
static int cursor_of(struct pass *pass, unsigned table, MDB_cursor **out)
{
    MDB_cursor **cursor = &pass->cursors[table];
    int          rc = *cursor ? 0 : mdb_cursor_open(pass->txn, pass->store->tables[table], cursor);

    pass->absent[table] = NULL;
    *out = *cursor;
    return rc;
}

static void cursors_close(struct pass *pass)
{
    for (size_t i = 0; i < pass->store->table_count; i++)
        if (pass->cursors[i])
            mdb_cursor_close(pass->cursors[i]);
}

static int is_absent(struct pass *pass, const struct store_op *op, bool *absent)
{
    MDB_val     k = { op->disk_key.len, (void *)op->disk_key.p }, v;
    MDB_cursor *cursor;
    int         rc = cursor_of(pass, op->table, &cursor);

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    *absent = rc == MDB_NOTFOUND || (rc == 0 && !slice_eq(slice_of(k.mv_data, k.mv_size), op->disk_key));
    if (rc == 0 && *absent)
        pass->absent[op->table] = op;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int has_value(struct pass *pass, const struct store_op *op, bool *has)
{
    MDB_val      k = { op->disk_key.len, (void *)op->disk_key.p }, v;
    MDB_cursor  *cursor;
    struct slice key, value;
    int          rc = cursor_of(pass, op->table, &cursor);

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);
    *has = rc == 0 && unfold(op->disk_key, slice_of(v.mv_data, v.mv_size), &key, &value) &&
           slice_eq(key, op->key) && slice_eq(value, op->value);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* `behind`: the cursor stands at the first row behind the key. */
static int put_row(const struct store *store, const struct store_op *op, MDB_cursor *cursor, bool behind, struct slice value)
{
    MDB_val k = { op->disk_key.len, (void *)op->disk_key.p };
    MDB_val v = { value.len, (void *)value.p };

    return store->runs >> op->table & 1 ? store_put_run(cursor, &k, &v, behind) : mdb_cursor_put(cursor, &k, &v, 0);
}

static int delete_row(const struct store_op *op, MDB_cursor *cursor)
{
    MDB_val k = { op->disk_key.len, (void *)op->disk_key.p }, v;
    int     rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);

    return rc == MDB_NOTFOUND ? 0 : rc ? rc : mdb_cursor_del(cursor, 0);
}

static int write_op(struct pass *pass, const struct store_op *op)
{
    const struct store_op *absent = pass->absent[op->table];
    MDB_cursor            *cursor;
    struct buf             row = { 0 };
    bool                   behind = absent && slice_eq(absent->disk_key, op->disk_key);
    int                    rc = cursor_of(pass, op->table, &cursor);

    if (rc != 0)
        return rc;
    if (op->kind == OP_DELETE)
        return delete_row(op, cursor);
    if (!op->folded)
        return put_row(pass->store, op, cursor, behind, op->value);
    buf_put_sized(&row, op->key);
    buf_put_slice(&row, op->value);
    rc = put_row(pass->store, op, cursor, behind, buf_slice(&row));
    buf_free(&row);
    return rc;
}

/* Sets b->err; a code other than 0 spoils the whole transaction. */
static int apply(struct pass *pass, struct store_batch *b)
{
    bool yes = true;
    int  rc = 0;

    for (size_t i = 0; i < b->op_count && rc == 0 && yes; i++)
        if (b->ops[i].kind == OP_ABSENT)
            rc = is_absent(pass, &b->ops[i], &yes);
        else if (b->ops[i].kind == OP_VALUE)
            rc = has_value(pass, &b->ops[i], &yes);
    if (rc == 0 && !yes)
        b->err = ZE_CONFLICT;
    for (size_t i = 0; i < b->op_count && rc == 0 && yes; i++)
        if (b->ops[i].kind == OP_PUT || b->ops[i].kind == OP_DELETE)
            rc = write_op(pass, &b->ops[i]);
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

/* Each batch gets its b->err; a code other than 0 spoils the whole transaction. */
static int apply_group(struct pass *pass, struct store_batch *group)
{
    struct store       *store = pass->store;
    struct store_batch *failed = NULL;
    bool                any = failed_any(store);
    int                 rc = claim_check(store, pass->txn, &pass->claim);

    for (struct store_batch *b = group; b && rc == 0; b = b->next) {
        b->err = b->bad ? ZE_STORE : owner_failed(store, any, failed, b) ? ZE_CONFLICT
                 : claim_allows(store, &pass->claim, b) ? ZE_OK : ZE_STALE;
        if (b->err == ZE_OK)
            rc = apply(pass, b);
        if (b->err != ZE_OK) {
            b->failed_before = failed;
            failed = b;
        }
    }
    return rc;
}

static int transact(struct store *store, struct store_batch *group)
{
    struct pass pass = { .store = store };
    int         rc = mdb_txn_begin(store->env, NULL, 0, &pass.txn);

    if (rc != 0)
        return rc;
    rc = apply_group(&pass, group);
    cursors_close(&pass);
    if (rc == 0)
        rc = put_numbers(store, pass.txn, group);
    if (rc == 0)
        return mdb_txn_commit(pass.txn);
    mdb_txn_abort(pass.txn);
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
