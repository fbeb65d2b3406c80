/* Kept DNS answers (dns_cache.h). Bounds: a found answer 10 s to 1 h, a negative one 5 s to 5 min
 * (RFC 2308 5 allows three hours; a server that has just been set up should be found sooner). */

#include "dns_cache.h"

#include <stdio.h>
#include <stdlib.h>

#include "mem.h"
#include "table.h"

enum { FOUND_MIN = 10, FOUND_MAX = 3600, NOTHING_MIN = 5, NOTHING_MAX = 300 };
enum { KEY_MAX = DNS_NAME_MAX + 8 };

struct kept {
    uint64_t           until_ms;
    struct dns_answer *answer;
};

struct dns_cache {
    struct table *kept;
    size_t        most;
};

struct dns_cache *dns_cache_new(size_t most)
{
    struct dns_cache *c = xcalloc(1, sizeof(*c));

    c->kept = table_new();
    c->most = most;
    return c;
}

static void drop(struct dns_cache *c, struct slice key)
{
    struct kept *k = table_remove(c->kept, key);

    if (k)
        free(k->answer);
    free(k);
}

void dns_cache_forget(struct dns_cache *c)
{
    for (struct table_iter i = { 0 }; table_next(c->kept, &i);)
        drop(c, i.key);
}

void dns_cache_free(struct dns_cache **cache)
{
    if (!*cache)
        return;
    dns_cache_forget(*cache);
    table_free(&(*cache)->kept);
    free(*cache);
    *cache = NULL;
}

static struct slice key_of(const char *name, unsigned type, char key[KEY_MAX])
{
    int len = snprintf(key, KEY_MAX, "%u ", type);

    for (size_t i = 0; name[i] && len < KEY_MAX - 1; i++, len++)
        key[len] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    return slice_of(key, (size_t)len);
}

const struct dns_answer *dns_cache_get(struct dns_cache *c, const char *name, unsigned type, uint64_t now_ms)
{
    char         text[KEY_MAX];
    struct slice key = key_of(name, type, text);
    struct kept *k = table_get(c->kept, key);

    if (k && k->until_ms <= now_ms) {
        drop(c, key);
        k = NULL;
    }
    return k ? k->answer : NULL;
}

/* Room for one more: what is over goes first, then whatever comes. */
static void make_room(struct dns_cache *c, uint64_t now_ms)
{
    if (table_count(c->kept) < c->most)
        return;
    for (struct table_iter i = { 0 }; table_next(c->kept, &i);)
        if (((struct kept *)i.value)->until_ms <= now_ms)
            drop(c, i.key);
    for (struct table_iter i = { 0 }; table_count(c->kept) >= c->most && table_next(c->kept, &i);)
        drop(c, i.key);
}

static uint64_t within(uint64_t ttl, uint64_t min, uint64_t max)
{
    return ttl < min ? min : ttl > max ? max : ttl;
}

void dns_cache_put(struct dns_cache *c, const char *name, unsigned type, const struct dns_answer *answer,
                   uint64_t now_ms)
{
    char         text[KEY_MAX];
    struct slice key = key_of(name, type, text);
    bool         found = answer->outcome == DNS_FOUND;

    if (!found && answer->outcome != DNS_NOTHING)
        return;
    drop(c, key);
    make_room(c, now_ms);
    struct kept *k = xcalloc(1, sizeof(*k));
    size_t       size = sizeof(*answer) + answer->count * sizeof(answer->record[0]);
    k->answer = xmalloc(size);
    memcpy(k->answer, answer, size);
    k->until_ms = now_ms + 1000 * (found ? within(answer->ttl, FOUND_MIN, FOUND_MAX)
                                         : within(answer->ttl, NOTHING_MIN, NOTHING_MAX));
    table_put(c->kept, key, k);
}

size_t dns_cache_count(const struct dns_cache *c)
{
    return table_count(c->kept);
}
