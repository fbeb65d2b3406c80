/* Pending keys by their beginnings (store_groups.h). */

#include "store_groups.h"

#include <endian.h>
#include <stdlib.h>

#include "mem.h"
#include "table.h"

enum { FIRST_BUCKETS = 64, SPARES_MOST = 1024, SPARE_BYTES = 256 };

/* ---- words of a key, in its order ---- */

static uint64_t word_at(struct slice key, size_t at)
{
    uint64_t word = 0;

    if (key.len >= at + sizeof word)
        memcpy(&word, key.p + at, sizeof word);
    else if (key.len > at)
        memcpy(&word, key.p + at, key.len - at);
    return be64toh(word);
}

uint64_t group_name(unsigned table, struct slice key)
{
    uint64_t kept = key.len < GROUP_KEEP ? key.len : GROUP_KEEP;

    return (word_at(key, 0) & ~(uint64_t)0xFFFF) | kept << 8 | table;
}

static unsigned table_of(uint64_t name)
{
    return name & 0xFF;
}

bool group_name_starts(uint64_t name, uint64_t prefix)
{
    unsigned kept = prefix >> 8 & 0xFF;

    return table_of(name) == table_of(prefix) && (name >> 8 & 0xFF) >= kept &&
           (kept == 0 || (name ^ prefix) >> (64 - 8 * kept) == 0);
}

/* ---- groups ---- */

static void chain_free(struct pending_group *first)
{
    for (struct pending_group *g = first, *next; g; g = next) {
        next = g->next;
        buf_free(&g->keys);
        free(g);
    }
}

void groups_init(struct pending_groups *all)
{
    *all = (struct pending_groups){ .bucket_count = FIRST_BUCKETS };
    all->buckets = xcalloc(all->bucket_count, sizeof *all->buckets);
}

void groups_end(struct pending_groups *all)
{
    for (size_t i = 0; i < all->bucket_count; i++)
        chain_free(all->buckets[i]);
    chain_free(all->spare);
    free(all->buckets);
}

/* Where the pointer to the group is, or the NULL at the end of its chain. */
static struct pending_group **group_place(const struct pending_groups *all, uint64_t name)
{
    uint64_t               hash = hash_bytes(slice_of(&name, sizeof name));
    struct pending_group **at = &all->buckets[hash & (all->bucket_count - 1)];

    while (*at && (*at)->name != name)
        at = &(*at)->next;
    return at;
}

struct pending_group *group_of(const struct pending_groups *all, unsigned table, struct slice key)
{
    return all->count ? *group_place(all, group_name(table, key)) : NULL;
}

static void buckets_double(struct pending_groups *all)
{
    struct pending_group **old = all->buckets;
    size_t                 count = all->bucket_count;

    all->bucket_count *= 2;
    all->buckets = xcalloc(all->bucket_count, sizeof *all->buckets);
    for (size_t i = 0; i < count; i++)
        for (struct pending_group *g = old[i], *next; g; g = next) {
            struct pending_group **at = group_place(all, g->name);

            next = g->next;
            g->next = NULL;
            *at = g;
        }
    free(old);
}

struct pending_group *group_make(struct pending_groups *all, unsigned table, struct slice key)
{
    uint64_t               name = group_name(table, key);
    struct pending_group **at = group_place(all, name), *g = *at;

    if (g)
        return g;
    if (all->count == all->bucket_count) {
        buckets_double(all);
        at = group_place(all, name);
    }
    g = all->spare ? all->spare : xcalloc(1, sizeof *g);
    if (all->spare) {
        all->spare = g->next;
        all->spares--;
    }
    g->name = name;
    g->next = NULL;
    all->count++;
    all->count_of[table_of(name)]++;
    return *at = g;
}

void group_drop(struct pending_groups *all, struct pending_group *g)
{
    *group_place(all, g->name) = g->next;
    all->count--;
    all->count_of[table_of(g->name)]--;
    if (all->spares >= SPARES_MOST) {
        g->next = NULL;
        chain_free(g);
        return;
    }
    buf_reset(&g->keys, SPARE_BYTES);
    g->next = all->spare;
    all->spare = g;
    all->spares++;
}

/* ---- keys of a group ---- */

static int order(const struct pending_key *k, uint64_t word, struct slice key)
{
    return k->order != word ? (k->order < word ? -1 : 1) : slice_cmp(k->latest->disk_key, key);
}

/* Mostly the last is asked for when they come, the first when they go. */
size_t key_place(const struct pending_group *g, struct slice key)
{
    const struct pending_key *keys = keys_of(g);
    uint64_t                  word = word_at(key, GROUP_KEEP);
    size_t                    low = 0, high = key_count(g);

    if (high == 0 || order(&keys[high - 1], word, key) < 0)
        return high;
    if (order(&keys[0], word, key) >= 0)
        return 0;
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (order(&keys[middle], word, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool key_is_at(const struct pending_group *g, size_t place, struct slice key)
{
    return place < key_count(g) && slice_eq(keys_of(g)[place].latest->disk_key, key);
}

void key_insert(struct pending_group *g, size_t place, struct store_op *op)
{
    size_t behind = key_count(g) - place;

    buf_reserve(&g->keys, sizeof(struct pending_key));
    buf_added(&g->keys, sizeof(struct pending_key));
    struct pending_key *k = keys_of(g) + place;
    memmove(k + 1, k, behind * sizeof *k);
    *k = (struct pending_key){ word_at(op->disk_key, GROUP_KEEP), op };
}

void key_erase(struct pending_group *g, size_t place)
{
    struct pending_key *k = keys_of(g) + place;
    size_t              behind = key_count(g) - place - 1;

    if (place == 0) {
        buf_consume(&g->keys, sizeof *k);
        return;
    }
    memmove(k, k + 1, behind * sizeof *k);
    buf_cut(&g->keys, buf_len(&g->keys) - sizeof *k);
}
