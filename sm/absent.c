/* Stores of nobody (absent.h). */

#include "absent.h"

#include <stdlib.h>

#include "table.h"

struct count {
    uint64_t messages, bytes;
};

struct absent {
    struct table *counts;              /* bare JID -> struct count */
};

struct absent *absent_new(void)
{
    struct absent *a = xcalloc(1, sizeof(*a));

    a->counts = table_new();
    return a;
}

void absent_free(struct absent **ap)
{
    if (!*ap)
        return;
    table_free_values(&(*ap)->counts, free);
    free(*ap);
    *ap = NULL;
}

static struct count *count_of(struct absent *a, struct slice bare)
{
    struct count *c = table_get(a->counts, bare);

    if (c)
        return c;
    if (table_count(a->counts) >= ABSENT_MAX) {
        table_free_values(&a->counts, free);
        a->counts = table_new();
    }
    c = xcalloc(1, sizeof(*c));
    table_put(a->counts, bare, c);
    return c;
}

bool absent_takes(struct absent *a, struct slice bare, size_t bytes, const struct ledger_limits *limits)
{
    struct count *c = count_of(a, bare);

    if (c->messages + 1 > (uint64_t)limits->offline_messages_max || c->bytes + bytes > (uint64_t)limits->offline_bytes_max)
        return false;
    c->messages++;
    c->bytes += bytes;
    return true;
}
