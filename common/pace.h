#pragma once

/* How long a loop waits before it looks for work again. A process that sleeps is woken by the first frame that
 * comes: when frames come from everywhere all the time, each is a wake-up and a write of its own in each daemon on its
 * way, which costs more than the frame. So a loop that has had much to do of late, in many turns of several frames,
 * looks at intervals, and what has come meanwhile is one turn. Otherwise one turn follows the other at once: a lone
 * pair, however quickly it talks, waits for nothing. Pure; times in microseconds of one monotonic clock. */

#include <stdbool.h>
#include <stdint.h>

struct pace {
    unsigned every_us;      /* from one look to the next; 0: never waits */
    unsigned units;         /* frames and reads of this turn: whoever takes one counts it */
    uint64_t looked_us;
    bool     busy;
    uint64_t window_us;     /* when the window began that is being counted */
    uint64_t window_units, window_turns;
};

/* What is much: in a window of PACE_WINDOW_US or more PACE_RATE units a second, and PACE_TURN for each turn. */
enum { PACE_WINDOW_US = 2000, PACE_RATE = 40000, PACE_TURN = 3 };

/* At the end of a turn, when nothing is left to do: how long to wait before the next look, at most every_us. Begins the
 * count of the next turn. */
unsigned pace_wait(struct pace *p, uint64_t now_us);
