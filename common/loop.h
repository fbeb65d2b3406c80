#pragma once

/* libuv: the only loop and the only clock of a daemon. Pure modules take times as arguments. */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "list.h"
#include "pace.h"

struct loop;

struct loop *loop_new(void);
/* Frees it; handles of others must be closed before. */
void       loop_free(struct loop **loop);
uv_loop_t *loop_uv(struct loop *loop);
/* Runs until loop_stop; then what is deferred still runs (output buffers), unless it has no end. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Under load the loop looks for work this often, in microseconds (pace.h); 0, as it is made: it never waits. */
void loop_look_every(struct loop *loop, unsigned us);
/* A frame, or what one read of a connection gave, is being taken. */
void loop_unit(struct loop *loop);

/* Milliseconds of a monotonic clock, constant within one loop turn. */
uint64_t loop_now_ms(const struct loop *loop);
/* Microseconds since 1970 (wall clock), read anew each call. */
uint64_t wall_us(void);

/* Runs once at the end of this loop turn, before the loop sleeps: that is where output buffers are
 * flushed, once a turn. `{0}` with run and arg set; adding it again in the same turn does nothing. */
struct deferred {
    struct list link;
    void      (*run)(void *arg);
    void       *arg;
};
void loop_defer(struct loop *loop, struct deferred *d);
/* The same at the end of the next turn, after what is deferred there: what is ready to be read is read first,
 * and the loop does not sleep before. For long work in steps, which defers its next step so: all others have their
 * turn between two. */
void loop_defer_next(struct loop *loop, struct deferred *d);
void loop_undefer(struct deferred *d);

/* Coarse timers (100 ms, never early) on one wheel: 40 bytes each, no libuv handle. One shot.
 * `{0}` with fire and arg set; arming an armed one moves it. */
struct timer {
    struct list link;
    uint64_t    due_ms;
    void      (*fire)(void *arg);
    void       *arg;
};
void timer_arm(struct loop *loop, struct timer *t, uint64_t ms);
void timer_disarm(struct timer *t);
bool timer_armed(const struct timer *t);
