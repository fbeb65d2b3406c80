/* The writer thread: group commit, preconditions, failed owners, and the way back to the loop.
 *
 * An idle writer commits at once; what is handed in meanwhile forms the next group. Preconditions of a
 * batch are checked before its first write, so a batch that fails leaves nothing in the transaction.
 * Callbacks run on the loop's thread only, all of a group in one turn, in the order of the commits. */

#include "store_inner.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "log.h"
#include "mem.h"

enum { GROUP_BYTES = 16 << 20 };
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

/* Takes from the queue what fits into one transaction; NULL: stopping and nothing left. */
static struct store_batch *take_group(struct writer *w)
{
    struct store_batch *group, **end = &w->queue;
    size_t              bytes = 0;

    pthread_mutex_lock(&w->mutex);
    while (!w->queue && !w->stopping)
        pthread_cond_wait(&w->wake, &w->mutex);
    group = w->queue;
    while (*end && bytes < GROUP_BYTES) {
        bytes += buf_len(&(*end)->bytes);
        end = &(*end)->next;
    }
    w->queue = *end;
    if (!w->queue)
        w->queue_end = &w->queue;
    if (group)
        *end = NULL;
    pthread_mutex_unlock(&w->mutex);
    return group;
}

static void finish(struct writer *w, struct store_batch *group)
{
    pthread_mutex_lock(&w->mutex);
    *w->finished_end = group;
    while (*w->finished_end)
        w->finished_end = &(*w->finished_end)->next;
    failing_purge(w);
    pthread_mutex_unlock(&w->mutex);
}

static void *writer_main(void *arg)
{
    struct store       *store = arg;
    struct store_batch *group;

    while ((group = take_group(&store->writer))) {
        write_group(store, group);
        finish(&store->writer, group);
        uv_async_send(store->writer.async);
    }
    return NULL;
}

/* ---- the loop's side ---- */

static struct store_batch *take_finished(struct store *store)
{
    struct writer *w = &store->writer;

    pthread_mutex_lock(&w->mutex);
    w->told_seq = store->delivered_seq;
    struct store_batch *first = w->finished;
    w->finished = NULL;
    w->finished_end = &w->finished;
    pthread_mutex_unlock(&w->mutex);
    return first;
}

static void retire(struct store *store, struct store_batch *b)
{
    overlay_remove(store->overlay, b);
    store->pending_batches--;
    store->pending_bytes -= buf_len(&b->bytes);
    store->batches++;
    store->failed += b->err != ZE_OK;
    if (b->err == ZE_OK && !store->recorded)
        record_make(store);
    if (b->code == MDB_PANIC)
        fatal("store_broken", "peer", store->path, "why", mdb_strerror(b->code), NULL);
    if (b->err != ZE_OK && b->err != ZE_CONFLICT)
        log_error("commit_failed", "peer", store->path, "jid", log_slice(b->owner), "err", err_name(b->err),
                  "why", b->code ? mdb_strerror(b->code) : b->bad ? "a key or table out of range" : NULL,
                  NULL);
}

static bool deliver(struct store *store)
{
    struct store_batch *first = take_finished(store);

    if (first && store->view.depth > 0)
        fatal("store_view_left_open", "peer", store->path, NULL);
    for (struct store_batch *b = first; b; b = b->next)
        retire(store, b);
    for (struct store_batch *b = first, *next; b; b = next) {
        next = b->next;
        store->delivered_seq = b->seq;
        if (b->err != ZE_OK)
            failing_told(store, b);
        if (b->done)
            b->done(b->arg, b->err);
        store_batch_free(&b);
    }
    return first != NULL;
}

static void on_async(uv_async_t *async)
{
    deliver(async->data);
}

/* What was handed in during a turn goes to the thread when the turn is true (store_spec.live). */
static void release_held(void *arg)
{
    struct store  *store = arg;
    struct writer *w = &store->writer;

    if (!store->held)
        return;
    pthread_mutex_lock(&w->mutex);
    *w->queue_end = store->held;
    w->queue_end = store->held_end;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    store->held = NULL;
    store->held_end = &store->held;
}

static void hand_in(struct store *store, struct store_batch *batch)
{
    store->pending_batches++;
    store->pending_bytes += buf_len(&batch->bytes);
    if (!batch->bad)
        overlay_add(store->overlay, batch);
    if (store->closing) {
        batch->err = ZE_STORE;
        finish(&store->writer, batch);
        return;
    }
    *store->held_end = batch;
    store->held_end = &batch->next;
    if (store->live)
        live_dirty(store->live);
    else
        release_held(store);
}

void store_commit_again(struct store *store, struct store_batch **b, uint64_t number,
                        void (*done)(void *arg, enum zerr err), void *arg)
{
    struct store_batch *batch = *b;

    *b = NULL;
    batch_seal(batch, store->table_count);
    batch->done = done;
    batch->arg = arg;
    batch->seq = number;
    if (number > store->seq)
        store->seq = number;
    hand_in(store, batch);
}

uint64_t store_commit(struct store *store, struct store_batch **b, void (*done)(void *arg, enum zerr err),
                      void *arg)
{
    store_commit_again(store, b, store->seq + 1, done, arg);
    return store->seq;
}

/* ---- start and stop ---- */

bool writer_start(struct store *store)
{
    struct writer *w = &store->writer;
    sigset_t       all, before;

    w->queue_end = &w->queue;
    w->finished_end = &w->finished;
    list_init(&w->failed);
    store->held_end = &store->held;
    store->seq = w->decided.last = store->found.last;
    for (size_t i = 0; i < store->found.count; i++)
        decided_refuse(&w->decided, store->found.refused[i]);
    store->turn_over = (struct live_hook){ .run = release_held, .arg = store };
    if (store->live)
        live_after_commit(store->live, &store->turn_over);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->wake, NULL);
    w->async = xcalloc(1, sizeof *w->async);
    uv_async_init(loop_uv(store->loop), w->async, on_async);
    w->async->data = store;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    w->started = pthread_create(&w->thread, NULL, writer_main, store) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return w->started;
}

static void async_closed(uv_handle_t *handle)
{
    free(handle);
}

static void thread_end(struct store *store)
{
    struct writer *w = &store->writer;

    list_remove(&store->turn_over.link);
    release_held(store);
    pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    if (w->started)
        pthread_join(w->thread, NULL);
    store->closing = true;
}

bool store_finish(struct store *store)
{
    bool told = false;

    if (!store->closing)
        thread_end(store);
    while (deliver(store))
        told = true;
    return told;
}

void writer_stop(struct store *store)
{
    struct writer *w = &store->writer;

    if (!w->async)
        return;
    store_finish(store);
    w->seen_seq = UINT64_MAX;
    failing_purge(w);
    uv_close((uv_handle_t *)w->async, async_closed);
    pthread_mutex_destroy(&w->mutex);
    pthread_cond_destroy(&w->wake);
}
