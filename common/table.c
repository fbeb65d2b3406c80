/* Hash table with chains, keys inline (table.h). 24 bytes and the key an entry, 8 bytes a bucket.
 *
 * The hash is SipHash-2-4 (Aumasson, Bernstein 2012), written here because none of our libraries
 * offers a keyed short hash; GnuTLS's HMACs cost twenty times as much. */

#include "table.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>

#include "encode.h"
#include "mem.h"

enum { FIRST_BUCKETS = 16 };

struct table_entry {
    struct table_entry *next;
    void               *value;
    uint32_t            hash;
    uint32_t            len;
    uint8_t             key[];
};

struct table {
    struct table_entry **buckets;
    size_t               bucket_count;    /* a power of two */
    size_t               count;
    size_t               entry_bytes;
};

#define ROTATE(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))

static void sip_rounds(uint64_t v[4], int rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1], v[1] = ROTATE(v[1], 13) ^ v[0], v[0] = ROTATE(v[0], 32);
        v[2] += v[3], v[3] = ROTATE(v[3], 16) ^ v[2];
        v[0] += v[3], v[3] = ROTATE(v[3], 21) ^ v[0];
        v[2] += v[1], v[1] = ROTATE(v[1], 17) ^ v[2], v[2] = ROTATE(v[2], 32);
    }
}

static uint64_t word_le(const uint8_t *p, size_t bytes)
{
    uint64_t word = 0;

    memcpy(&word, p, bytes);
    return le64toh(word);
}

uint64_t hash_keyed(const uint8_t key[16], struct slice s)
{
    uint64_t k0 = word_le(key, 8), k1 = word_le(key + 8, 8);
    uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                      k1 ^ 0x7465646279746573 };
    size_t   at = 0;

    for (; s.len - at >= 8; at += 8) {
        uint64_t word = word_le(s.p + at, 8);

        v[3] ^= word;
        sip_rounds(v, 2);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)s.len << 56 | (s.len > at ? word_le(s.p + at, s.len - at) : 0);
    v[3] ^= last;
    sip_rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint8_t seed[16];

static void seed_once(void)
{
    random_bytes(seed, sizeof(seed));
}

uint64_t hash_bytes(struct slice s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, seed_once);
    return hash_keyed(seed, s);
}

struct table *table_new(void)
{
    struct table *t = xcalloc(1, sizeof(*t));

    t->bucket_count = FIRST_BUCKETS;
    t->buckets = xcalloc(t->bucket_count, sizeof(*t->buckets));
    return t;
}

void table_free(struct table **t)
{
    if (!*t)
        return;
    for (size_t i = 0; i < (*t)->bucket_count; i++)
        for (struct table_entry *e = (*t)->buckets[i], *next; e; e = next) {
            next = e->next;
            free(e);
        }
    free((*t)->buckets);
    free(*t);
    *t = NULL;
}

void table_free_values(struct table **t, void (*value_free)(void *value))
{
    for (struct table_iter i = { 0 }; *t && table_next(*t, &i);)
        value_free(i.value);
    table_free(t);
}

/* Where the pointer to that entry is, or the NULL at the end of its chain. */
static struct table_entry **find(const struct table *t, struct slice key, uint32_t hash)
{
    struct table_entry **at = &t->buckets[hash & (t->bucket_count - 1)];

    while (*at && ((*at)->hash != hash || !slice_eq(slice_of((*at)->key, (*at)->len), key)))
        at = &(*at)->next;
    return at;
}

static void grow(struct table *t)
{
    size_t               more = t->bucket_count * 2;
    struct table_entry **buckets = xcalloc(more, sizeof(*buckets));

    for (size_t i = 0; i < t->bucket_count; i++)
        for (struct table_entry *e = t->buckets[i], *next; e; e = next) {
            struct table_entry **at = &buckets[e->hash & (more - 1)];

            next = e->next;
            e->next = *at;
            *at = e;
        }
    free(t->buckets);
    t->buckets = buckets;
    t->bucket_count = more;
}

void *table_get(const struct table *t, struct slice key)
{
    const struct table_entry *e = *find(t, key, (uint32_t)hash_bytes(key));

    return e ? e->value : NULL;
}

void *table_put(struct table *t, struct slice key, void *value)
{
    uint32_t             hash = (uint32_t)hash_bytes(key);
    struct table_entry **at = find(t, key, hash);

    if (*at) {
        void *old = (*at)->value;

        (*at)->value = value;
        return old;
    }
    struct table_entry *e = xmalloc(sizeof(*e) + key.len);
    *e = (struct table_entry){ .value = value, .hash = hash, .len = (uint32_t)key.len };
    if (key.len)
        memcpy(e->key, key.p, key.len);
    *at = e;
    t->entry_bytes += sizeof(*e) + key.len;
    if (++t->count > t->bucket_count && t->bucket_count < UINT32_MAX / 2)
        grow(t);
    return NULL;
}

void *table_remove(struct table *t, struct slice key)
{
    struct table_entry **at = find(t, key, (uint32_t)hash_bytes(key)), *e = *at;

    if (!e)
        return NULL;
    void *value = e->value;
    *at = e->next;
    t->count--;
    t->entry_bytes -= sizeof(*e) + e->len;
    free(e);
    return value;
}

size_t table_count(const struct table *t)
{
    return t->count;
}

size_t table_size(const struct table *t)
{
    return sizeof(*t) + t->bucket_count * sizeof(*t->buckets) + t->entry_bytes;
}

bool table_next(const struct table *t, struct table_iter *i)
{
    struct table_entry *e = i->next;

    while (!e && i->place < t->bucket_count)
        e = t->buckets[i->place++];
    if (!e)
        return false;
    i->next = e->next;
    i->key = slice_of(e->key, e->len);
    i->value = e->value;
    return true;
}
