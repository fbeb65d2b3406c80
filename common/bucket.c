/* Token bucket (bucket.h). */

#include "bucket.h"

static void refill(struct bucket *b, uint64_t now_ms, double rate, double burst)
{
    if (!b->started) {
        b->started = true;
        b->tokens = burst;
    } else if (now_ms > b->last_ms) {
        b->tokens += (double)(now_ms - b->last_ms) / 1000.0 * rate;
    }
    if (b->tokens > burst)
        b->tokens = burst;
    b->last_ms = now_ms;
}

bool bucket_take(struct bucket *b, uint64_t now_ms, double cost, double rate, double burst)
{
    if (rate <= 0)
        return true;
    refill(b, now_ms, rate, burst);
    if (b->tokens < cost)
        return false;
    b->tokens -= cost;
    return true;
}

uint64_t bucket_charge(struct bucket *b, uint64_t now_ms, double cost, double rate, double burst)
{
    if (rate <= 0)
        return 0;
    refill(b, now_ms, rate, burst);
    b->tokens -= cost;
    return b->tokens > 0 ? 0 : (uint64_t)(-b->tokens * 1000.0 / rate) + 1;
}
