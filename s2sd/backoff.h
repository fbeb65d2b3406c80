#pragma once

/* How long a domain that failed is left alone. Pure: time is an argument. */

#include <stdbool.h>
#include <stdint.h>

enum { BACKOFF_FIRST_MS = 30000, BACKOFF_MOST_MS = 600000 };

struct backoff {
    uint64_t until_ms;
    uint32_t failures;        /* in a row */
};

/* Doubles with each failure in a row. */
static inline void backoff_failed(struct backoff *b, uint64_t now_ms)
{
    uint64_t ms = BACKOFF_FIRST_MS;

    for (uint32_t i = 0; i < b->failures && ms < BACKOFF_MOST_MS; i++)
        ms *= 2;
    b->failures++;
    b->until_ms = now_ms + (ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS);
}

static inline void backoff_clear(struct backoff *b)
{
    *b = (struct backoff){ 0 };
}

static inline bool backoff_active(const struct backoff *b, uint64_t now_ms)
{
    return b->failures && now_ms < b->until_ms;
}
