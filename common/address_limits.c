/* Streams by address (address_limits.h). An address without streams is forgotten after ten seconds, by when
 * its bucket is full again; so the table is bounded by the streams and ten seconds of strangers. */

#include "address_limits.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "bucket.h"
#include "mem.h"
#include "table.h"

enum { FORGET_MS = 10000, SWEEP_MS = 5000 };

struct entry {
    long          count;
    struct bucket bucket;
    uint64_t      used_ms;
};

struct limits {
    struct table *entries;
    uint64_t      swept_ms;
};

struct limits *limits_new(void)
{
    struct limits *l = xcalloc(1, sizeof(*l));

    l->entries = table_new();
    return l;
}

void limits_free(struct limits **l)
{
    if (!*l)
        return;
    table_free_values(&(*l)->entries, free);
    free(*l);
    *l = NULL;
}

struct slice limits_key(const struct client_ip *ip)
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    if (memcmp(ip->bytes, mapped, sizeof(mapped)) == 0)
        return slice_of(ip->bytes, 16);
    return slice_of(ip->bytes, 8);
}

struct slice limits_key_of(struct slice text, struct client_ip *ip)
{
    char address[INET6_ADDRSTRLEN] = "";

    *ip = (struct client_ip){ 0 };
    if (text.len < sizeof(address))
        memcpy(address, text.p, text.len);
    if (inet_pton(AF_INET, address, ip->bytes + 12) == 1)
        ip->bytes[10] = ip->bytes[11] = 0xff;
    else if (inet_pton(AF_INET6, address, ip->bytes) != 1)
        *ip = (struct client_ip){ 0 };
    return limits_key(ip);
}

static void sweep(struct limits *l, uint64_t now_ms)
{
    if (now_ms < l->swept_ms + SWEEP_MS)
        return;
    l->swept_ms = now_ms;
    for (struct table_iter i = { 0 }; table_next(l->entries, &i);) {
        struct entry *e = i.value;

        if (e->count > 0 || now_ms < e->used_ms + FORGET_MS)
            continue;
        table_remove(l->entries, i.key);
        free(e);
    }
}

enum zerr limits_admit(struct limits *l, const struct client_ip *ip, const struct limits_set *set,
                       uint64_t now_ms)
{
    struct slice key = limits_key(ip);

    sweep(l, now_ms);
    struct entry *e = table_get(l->entries, key);
    if (!e) {
        e = xcalloc(1, sizeof(*e));
        table_put(l->entries, key, e);
    }
    e->used_ms = now_ms;
    if (set->per_address && e->count >= set->per_address)
        return ZE_FULL;
    if (!bucket_take(&e->bucket, now_ms, 1, (double)set->rate, (double)set->rate * 10))
        return ZE_POLICY;
    e->count++;
    return ZE_OK;
}

void limits_release(struct limits *l, const struct client_ip *ip, uint64_t now_ms)
{
    struct entry *e = table_get(l->entries, limits_key(ip));

    if (!e)
        return;
    if (e->count > 0)
        e->count--;
    e->used_ms = now_ms;
}

size_t limits_count(const struct limits *l)
{
    return table_count(l->entries);
}
