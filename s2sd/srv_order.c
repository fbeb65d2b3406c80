/* Priority and weight of SRV targets (srv_order.h): RFC 2782, "Usage rules". */

#include "srv_order.h"

#include <stdlib.h>
#include <string.h>

/* "all those with weight 0 are placed at the beginning of the list" of their priority. */
static int by_priority(const void *left, const void *right)
{
    const struct srv_target *a = left, *b = right;

    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    return (a->weight != 0) - (b->weight != 0);
}

static void move_to_front(struct srv_target *targets, size_t chosen)
{
    struct srv_target t = targets[chosen];

    memmove(targets + 1, targets, chosen * sizeof(*targets));
    targets[0] = t;
}

/* The first whose running sum of weights reaches the number drawn. */
static size_t choose(const struct srv_target *targets, size_t count, srv_draw *draw, void *arg)
{
    uint32_t sum = 0, running = 0;

    for (size_t i = 0; i < count; i++)
        sum += targets[i].weight;
    uint32_t drawn = draw(arg, sum);
    for (size_t i = 0; i < count; i++) {
        running += targets[i].weight;
        if (running >= drawn)
            return i;
    }
    return count - 1;
}

static size_t same_priority(const struct srv_target *targets, size_t count)
{
    size_t n = 1;

    while (n < count && targets[n].priority == targets[0].priority)
        n++;
    return n;
}

void srv_order(struct srv_target *targets, size_t count, srv_draw *draw, void *arg)
{
    if (count == 0)
        return;
    qsort(targets, count, sizeof(*targets), by_priority);
    while (count > 1) {
        size_t group = same_priority(targets, count);
        if (group > 1)
            move_to_front(targets, choose(targets, group, draw, arg));
        targets++;
        count--;
    }
}
