/* The libuv loop: end-of-turn work and the timer wheel (loop.h). */

#include "loop.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "log.h"
#include "mem.h"
#include "stats.h"

/* The wheel: a slot holds the timers due in [slot * 100 - 99, slot * 100] ms, and those of later
 * revolutions. 1,024 slots are 102 s; an idle ping of 300 s is looked at three times. */
enum { TICK_MS = 100, SLOTS = 1024, WORDS = SLOTS / 64, DEFER_ROUNDS = 16, LAST_TURNS = 1024 };

static uint64_t turns, units, waits;
static bool     registered;

static const struct stat_row stats[] = {
    { "loop_turns", "turns of the loop", &turns },
    { "loop_units", "frames and reads they took", &units },
    { "loop_waits", "turns that were put off a little, so that more comes together (under load)", &waits },
    { 0 },
};

struct loop {
    uv_loop_t    uv;
    uv_prepare_t before_sleep;
    uv_idle_t    stay_awake;        /* runs only while deferred work was left for the next turn */
    uv_timer_t   tick;
    struct list  deferred;
    struct list  deferred_next;     /* to the turn after this one */
    struct list  slots[SLOTS];
    uint64_t     maybe[WORDS];      /* a set bit: the slot may hold something */
    uint64_t     passed;            /* every slot number up to this one was looked at */
    uint64_t     wake;              /* slot number the tick is set for; UINT64_MAX: not running */
    struct pace  pace;
};

static void tick(uv_timer_t *handle);

/* One round runs what was deferred before it; what these defer again is the next round's. */
static void run_deferred(struct loop *loop)
{
    for (int round = 0; round < DEFER_ROUNDS && !list_empty(&loop->deferred); round++) {
        struct list now = loop->deferred;

        now.next->prev = now.prev->next = &now;
        list_init(&loop->deferred);
        while (!list_empty(&now)) {
            struct deferred *d = LIST_OWNER(now.next, struct deferred, link);

            list_remove(&d->link);
            d->run(d->arg);
        }
    }
}

static void take_deferred_next(struct loop *loop)
{
    while (!list_empty(&loop->deferred_next)) {
        struct list *node = loop->deferred_next.next;

        list_remove(node);
        list_append(&loop->deferred, node);
    }
}

static void nothing(uv_idle_t *handle)
{
    (void)handle;
}

/* A signal that comes meanwhile ends it. */
static void wait_for_more(struct loop *loop)
{
    unsigned        us = pace_wait(&loop->pace, uv_hrtime() / 1000);
    struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

    if (!us)
        return;
    waits++;
    nanosleep(&time, NULL);
}

static void before_sleep(uv_prepare_t *handle)
{
    struct loop *loop = handle->data;

    turns++;
    take_deferred_next(loop);
    run_deferred(loop);
    if (!list_empty(&loop->deferred) || !list_empty(&loop->deferred_next)) {
        uv_idle_start(&loop->stay_awake, nothing);
        return;
    }
    uv_idle_stop(&loop->stay_awake);
    if (loop->pace.every_us)
        wait_for_more(loop);
}

void loop_look_every(struct loop *loop, unsigned us)
{
    loop->pace.every_us = us;
    if (!registered)
        stats_register(stats);
    registered = true;
}

void loop_unit(struct loop *loop)
{
    loop->pace.units++;
    units++;
}

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));

    signal(SIGPIPE, SIG_IGN);       /* a peer that hung up is an error of write, nothing more */
    int err = uv_loop_init(&loop->uv);
    if (err)
        fatal("loop_failed", "err", uv_strerror(err), NULL);
    uv_prepare_init(&loop->uv, &loop->before_sleep);
    uv_idle_init(&loop->uv, &loop->stay_awake);
    uv_timer_init(&loop->uv, &loop->tick);
    loop->uv.data = loop->before_sleep.data = loop->tick.data = loop;
    list_init(&loop->deferred);
    list_init(&loop->deferred_next);
    for (size_t i = 0; i < SLOTS; i++)
        list_init(&loop->slots[i]);
    loop->passed = uv_now(&loop->uv) / TICK_MS;
    loop->wake = UINT64_MAX;
    uv_prepare_start(&loop->before_sleep, before_sleep);
    return loop;
}

static void name_leftover(uv_handle_t *handle, void *arg)
{
    (void)arg;
    log_error("loop_handle_left", "kind", uv_handle_type_name(handle->type), NULL);
}

static void count_handle(uv_handle_t *handle, void *count)
{
    (void)handle;
    ++*(unsigned *)count;
}

/* What is on the thread pool has memory of its own, which is freed when it is done. Nothing else keeps a loop without
 * handles alive. */
static void end_work(uv_loop_t *uv)
{
    unsigned handles = 0;

    uv_walk(uv, count_handle, &handles);
    while (!handles && uv_loop_alive(uv))
        uv_run(uv, UV_RUN_ONCE);
}

void loop_free(struct loop **loop)
{
    if (!*loop)
        return;
    uv_close((uv_handle_t *)&(*loop)->before_sleep, NULL);
    uv_close((uv_handle_t *)&(*loop)->stay_awake, NULL);
    uv_close((uv_handle_t *)&(*loop)->tick, NULL);
    uv_run(&(*loop)->uv, UV_RUN_NOWAIT);
    end_work(&(*loop)->uv);
    if (uv_loop_close(&(*loop)->uv) == UV_EBUSY)
        uv_walk(&(*loop)->uv, name_leftover, NULL);
    free(*loop);
    *loop = NULL;
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    for (int turn = 0; turn < LAST_TURNS; turn++) {        /* the first: of the one that said loop_stop */
        take_deferred_next(loop);
        run_deferred(loop);
        if (list_empty(&loop->deferred_next))
            break;
    }
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

uint64_t wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* libuv runs prepare handles after timers and closing callbacks and right before it polls, so
 * whatever a callback deferred is done before the process sleeps; also what was deferred outside
 * of a turn, since the first thing a loop does is one such pass. */
void loop_defer(struct loop *loop, struct deferred *d)
{
    if (!d->link.next)
        list_append(&loop->deferred, &d->link);
}

void loop_defer_next(struct loop *loop, struct deferred *d)
{
    if (!d->link.next)
        list_append(&loop->deferred_next, &d->link);
}

void loop_undefer(struct deferred *d)
{
    list_remove(&d->link);
}

static void wake_at(struct loop *loop, uint64_t slot)
{
    uint64_t now = uv_now(&loop->uv), at = slot * TICK_MS;

    loop->wake = slot;
    uv_timer_start(&loop->tick, tick, at > now ? at - now : 0, 0);
}

/* Sets the tick to the next slot that holds anything; forgets the ones that turn out empty. */
static void wake_at_next(struct loop *loop)
{
    loop->wake = UINT64_MAX;
    for (uint64_t slot = loop->passed + 1; slot <= loop->passed + SLOTS; slot++) {
        uint64_t *word = &loop->maybe[slot % SLOTS / 64], bit = 1ull << slot % 64;

        if (!(*word & bit))
            continue;
        if (!list_empty(&loop->slots[slot % SLOTS])) {
            wake_at(loop, slot);
            return;
        }
        *word &= ~bit;
    }
}

static void collect(struct list *slot, uint64_t now, struct list *due)
{
    LIST_EACH(slot, node) {
        if (LIST_OWNER(node, struct timer, link)->due_ms > now)
            continue;
        list_remove(node);
        list_append(due, node);
    }
}

static void tick(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    uint64_t     now = uv_now(&loop->uv), last = now / TICK_MS, first = loop->passed + 1;
    struct list  due;

    list_init(&due);
    if (last >= first + SLOTS)
        first = last - SLOTS + 1;
    for (uint64_t slot = first; slot <= last; slot++)
        collect(&loop->slots[slot % SLOTS], now, &due);
    loop->passed = last;
    loop->wake = 0;             /* what fires below may arm; one search afterwards serves them all */
    while (!list_empty(&due)) {
        struct timer *t = LIST_OWNER(due.next, struct timer, link);

        list_remove(&t->link);
        t->fire(t->arg);
    }
    wake_at_next(loop);
}

void timer_arm(struct loop *loop, struct timer *t, uint64_t ms)
{
    list_remove(&t->link);
    t->due_ms = uv_now(&loop->uv) + ms;
    uint64_t slot = (t->due_ms + TICK_MS - 1) / TICK_MS;
    if (slot <= loop->passed)
        slot = loop->passed + 1;
    list_append(&loop->slots[slot % SLOTS], &t->link);
    loop->maybe[slot % SLOTS / 64] |= 1ull << slot % 64;
    if (slot < loop->wake)
        wake_at(loop, slot);
}

void timer_disarm(struct timer *t)
{
    list_remove(&t->link);
}

bool timer_armed(const struct timer *t)
{
    return t->link.next != NULL;
}
