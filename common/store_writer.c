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

/* ---- failed owners; the mutex is held ---- */

static struct failed_owner *failing_find(struct writer *w, struct slice owner)
{
    LIST_EACH(&w->failed, node)
        if (slice_eq(LIST_OWNER(node, struct failed_owner, link)->owner, owner))
            return LIST_OWNER(node, struct failed_owner, link);
    return NULL;
}

static void failing_add(struct writer *w, struct slice owner)
{
    struct failed_owner *f = failing_find(w, owner);

    if (!f) {
        f = xcalloc(1, sizeof *f + owner.len);
        if (owner.len)
            memcpy(f + 1, owner.p, owner.len);
        f->owner = slice_of(f + 1, owner.len);
        list_append(&w->failed, &f->link);
    }
    f->untold++;
}

static void failing_purge(struct writer *w)
{
    LIST_EACH(&w->failed, node) {
        struct failed_owner *f = LIST_OWNER(node, struct failed_owner, link);

        if (f->untold > 0 || f->until > w->seen_seq)
            continue;
        list_remove(node);
        free(f);
    }
}

/* The owner is about to hear of it: what he handed in until now was built on what has failed. */
static void failing_told(struct store *store, const struct store_batch *b)
{
    struct writer *w = &store->writer;

    pthread_mutex_lock(&w->mutex);
    struct failed_owner *f = failing_find(w, b->owner);
    if (f) {
        f->untold--;
        f->until = store->seq;
    }
    failing_purge(w);
    pthread_mutex_unlock(&w->mutex);
}

static bool owner_failed(struct store *store, const struct store_batch *group, const struct store_batch *b)
{
    struct writer *w = &store->writer;

    for (const struct store_batch *earlier = group; earlier != b; earlier = earlier->next)
        if (earlier->err != ZE_OK && slice_eq(earlier->owner, b->owner))
            return true;
    pthread_mutex_lock(&w->mutex);
    const struct failed_owner *f = failing_find(w, b->owner);
    bool                  failed = f && (f->untold > 0 || b->seq <= f->until);
    pthread_mutex_unlock(&w->mutex);
    return failed;
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
        return mdb_put(txn, table, &k, &v, 0);
    struct buf row = { 0 };
    buf_put_sized(&row, op->key);
    buf_put_slice(&row, op->value);
    v = (MDB_val){ buf_len(&row), (void *)buf_slice(&row).p };
    int rc = mdb_put(txn, table, &k, &v, 0);
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

static int transact(struct store *store, struct store_batch *group)
{
    MDB_txn *txn;
    int      rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (rc != 0)
        return rc;
    for (struct store_batch *b = group; b && rc == 0; b = b->next) {
        b->err = b->bad ? ZE_STORE : owner_failed(store, group, b) ? ZE_CONFLICT : ZE_OK;
        if (b->err == ZE_OK)
            rc = apply(store, txn, b);
    }
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
    for (struct store_batch *b = group; b; b = b->next) {
        w->seen_seq = b->seq;
        if (b->err != ZE_OK)
            failing_add(w, b->owner);
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

static struct store_batch *take_finished(struct writer *w)
{
    pthread_mutex_lock(&w->mutex);
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
    if (b->code == MDB_PANIC)
        fatal("store_broken", "peer", store->path, "why", mdb_strerror(b->code), NULL);
    if (b->err != ZE_OK && b->err != ZE_CONFLICT)
        log_error("commit_failed", "peer", store->path, "jid", log_slice(b->owner), "err", err_name(b->err),
                  "why", b->code ? mdb_strerror(b->code) : b->bad ? "a key or table out of range" : NULL,
                  NULL);
}

static bool deliver(struct store *store)
{
    struct store_batch *first = take_finished(&store->writer);

    if (first && store->view.depth > 0)
        fatal("store_view_left_open", "peer", store->path, NULL);
    for (struct store_batch *b = first; b; b = b->next)
        retire(store, b);
    for (struct store_batch *b = first, *next; b; b = next) {
        next = b->next;
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

void store_commit(struct store *store, struct store_batch **b, void (*done)(void *arg, enum zerr err),
                  void *arg)
{
    struct writer      *w = &store->writer;
    struct store_batch *batch = *b;

    *b = NULL;
    batch_seal(batch, store->table_count);
    batch->done = done;
    batch->arg = arg;
    batch->seq = ++store->seq;
    store->pending_batches++;
    store->pending_bytes += buf_len(&batch->bytes);
    if (!batch->bad)
        overlay_add(store->overlay, batch);
    if (store->closing) {
        batch->err = ZE_STORE;
        finish(w, batch);
        return;
    }
    pthread_mutex_lock(&w->mutex);
    *w->queue_end = batch;
    w->queue_end = &batch->next;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
}

/* ---- start and stop ---- */

bool writer_start(struct store *store)
{
    struct writer *w = &store->writer;
    sigset_t       all, before;

    w->queue_end = &w->queue;
    w->finished_end = &w->finished;
    list_init(&w->failed);
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

void writer_stop(struct store *store)
{
    struct writer *w = &store->writer;

    if (!w->async)
        return;
    pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    if (w->started)
        pthread_join(w->thread, NULL);
    store->closing = true;
    while (deliver(store))
        ;
    w->seen_seq = UINT64_MAX;
    failing_purge(w);
    uv_close((uv_handle_t *)w->async, async_closed);
    pthread_mutex_destroy(&w->mutex);
    pthread_cond_destroy(&w->wake);
}
