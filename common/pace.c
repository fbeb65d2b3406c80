/* See pace.h. */

#include "pace.h"

enum { SECOND_US = 1000000 };

static void note_turn(struct pace *p, uint64_t now_us)
{
    uint64_t since_us = now_us - p->window_us;

    p->window_units += p->units;
    p->window_turns++;
    p->units = 0;
    if (since_us < PACE_WINDOW_US)
        return;
    p->busy = p->window_units * SECOND_US >= PACE_RATE * since_us && p->window_units >= PACE_TURN * p->window_turns;
    p->window_us = now_us;
    p->window_units = p->window_turns = 0;
}

unsigned pace_wait(struct pace *p, uint64_t now_us)
{
    uint64_t since_us = now_us - p->looked_us;
    unsigned wait_us = 0;

    note_turn(p, now_us);
    if (p->busy && since_us < p->every_us)
        wait_us = p->every_us - (unsigned)since_us;
    p->looked_us = now_us + wait_us;
    return wait_us;
}
