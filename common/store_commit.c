/* Batches on the loop's side: handed to the writer (store_writer.c), their outcomes told, and the
 * writer's thread started and ended.
 *
 * Callbacks run on the loop's thread only, all of a group in one turn, in the order of the commits. */

#include "store_inner.h"

#include <signal.h>
#include <stdlib.h>

#include "log.h"
#include "mem.h"

/* ---- outcomes ---- */

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
    if (b->err != ZE_OK)
        epoch_wrote(store, b);
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

/* ---- handing in ---- */

/* What was handed in during a turn goes to the thread when the turn is true (store_spec.live). */
static void release_held(void *arg)
{
    struct store *store = arg;

    if (!store->held)
        return;
    gather_add(&store->writer, store->held);
    store->held = NULL;
    store->held_end = &store->held;
}

static void hand_in(struct store *store, struct store_batch *batch)
{
    store->pending_batches++;
    store->pending_bytes += buf_len(&batch->bytes);
    if (!batch->bad)
        overlay_add(store->overlay, batch);
    epoch_wrote(store, batch);
    if (store->closing) {
        batch->err = ZE_STORE;
        writer_finished(&store->writer, batch);
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

uint64_t store_last(const struct store *store)
{
    return store->seq;
}

bool store_decided(const struct store *store, uint64_t number)
{
    return store->pending_batches == 0 || store->delivered_seq >= number;
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
    gather_init(w, store->gather_ms);
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
