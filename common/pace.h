#pragma once

/* How long a loop waits before it looks for work again. A process that sleeps is woken by the first frame that
 * comes: when frames come from everywhere all the time, each is a wake-up and a write of its own in each daemon on its
 * way, which costs more than the frame. So a loop that has had much to do in each turn of late looks at intervals, and
 * what has come meanwhile is one turn. A turn with little to do is followed by the next at once, whatever the number of
 * turns: a lone pair waits for nothing. Pure; times in microseconds of one monotonic clock. */

#include <stdint.h>

struct pace {
    unsigned every_us;      /* from one look to the next; 0: never waits */
    unsigned units;         /* frames and reads of this turn: whoever takes one counts it */
    unsigned mean;          /* of the last turns, in 1/256 */
    uint64_t looked_us;
};

/* What a turn must hold on the average for the loop to wait: PACE_BUSY units. */
enum { PACE_BUSY = 3 };

/* At the end of a turn, when nothing is left to do: how long to wait before the next look, at most every_us. Begins the
 * count of the next turn. */
unsigned pace_wait(struct pace *p, uint64_t now_us);
