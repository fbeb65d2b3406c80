#pragma once

/* Token bucket for rate limits; time is an argument. rate 0 means no limit. */

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    double   tokens;
    uint64_t last_ms;
    bool     started;
};

/* Takes `cost` when there is enough. rate: tokens a second; burst: the most it holds. */
bool bucket_take(struct bucket *b, uint64_t now_ms, double cost, double rate, double burst);
/* Takes `cost` in any case (may go below zero); returns ms until the balance is positive again. */
uint64_t bucket_charge(struct bucket *b, uint64_t now_ms, double cost, double rate, double burst);
