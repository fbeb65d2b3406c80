/* Which batches go into one transaction (store_spec.gather_ms). A transaction writes whole pages, and those of different
 * owners lie on different pages: under load one transaction of many batches costs half of several of few. So behind a
 * large group the next one is let grow, as long as more keeps coming. Who is alone never waits: the groups of an idle
 * server are small, and what nothing follows is committed a step later. */

#include "store_inner.h"

#include <time.h>

enum {
    GROUP_BYTES = 16 << 20,    /* of one transaction, the last batch excepted */
    LOAD = 64,                 /* batches of a group that is large */
    MOST = 8192,               /* batches that wait for more */
    STEPS = 16,                /* of gather_ms: how often it is looked whether more has come */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void gather_init(struct writer *w, unsigned gather_ms)
{
    pthread_condattr_t attr;

    w->gather_ms = gather_ms;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
}

static bool enough(const struct writer *w)
{
    return w->queued >= MOST || w->queued_bytes >= GROUP_BYTES;
}

/* The thread sleeps for long on an empty queue only; while it gathers it looks by itself. */
void gather_add(struct writer *w, struct store_batch *first)
{
    struct store_batch **end = &first;
    size_t               count = 0, bytes = 0;

    for (; *end; end = &(*end)->next, count++)
        bytes += buf_len(&(*end)->bytes);
    pthread_mutex_lock(&w->mutex);
    bool alone = !w->queue;
    *w->queue_end = first;
    w->queue_end = end;
    w->queued += count;
    w->queued_bytes += bytes;
    if (alone || enough(w))
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
}

static void wait_until(struct writer *w, uint64_t ms)
{
    struct timespec at = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000) };

    pthread_cond_timedwait(&w->wake, &w->mutex, &at);
}

static void let_grow(struct writer *w)
{
    uint64_t due = w->began_ms + w->gather_ms, step = w->gather_ms / STEPS + 1, now = now_ms();
    size_t   seen = 0;

    while (w->queued > seen && now < due && !w->stopping && !enough(w)) {
        seen = w->queued;
        wait_until(w, now + step < due ? now + step : due);
        now = now_ms();
    }
}

static struct store_batch *take(struct writer *w)
{
    struct store_batch *group = w->queue, **end = &w->queue;
    size_t              count = 0, bytes = 0;

    for (; *end && bytes < GROUP_BYTES; end = &(*end)->next, count++)
        bytes += buf_len(&(*end)->bytes);
    w->queue = *end;
    if (!w->queue)
        w->queue_end = &w->queue;
    if (group)
        *end = NULL;
    w->queued -= count;
    w->queued_bytes -= bytes;
    w->large = count >= LOAD;
    return group;
}

struct store_batch *gather_group(struct writer *w)
{
    pthread_mutex_lock(&w->mutex);
    while (!w->queue && !w->stopping)
        pthread_cond_wait(&w->wake, &w->mutex);
    if (w->large)
        let_grow(w);
    struct store_batch *group = take(w);
    if (w->gather_ms)
        w->began_ms = now_ms();
    pthread_mutex_unlock(&w->mutex);
    return group;
}
