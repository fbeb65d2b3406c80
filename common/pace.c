/* See pace.h. */

#include "pace.h"

enum { ONE = 256, WEIGHT = 16, UNITS_MOST = 4096 };

static void note_turn(struct pace *p)
{
    unsigned units = p->units < UNITS_MOST ? p->units : UNITS_MOST;

    p->mean = (p->mean * (WEIGHT - 1) + units * ONE) / WEIGHT;
    p->units = 0;
}

unsigned pace_wait(struct pace *p, uint64_t now_us)
{
    uint64_t since_us = now_us - p->looked_us;
    unsigned wait_us = 0;

    note_turn(p);
    if (p->mean >= PACE_BUSY * ONE && since_us < p->every_us)
        wait_us = p->every_us - (unsigned)since_us;
    p->looked_us = now_us + wait_us;
    return wait_us;
}
