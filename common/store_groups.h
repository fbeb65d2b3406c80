#pragma once

/* Pending keys by their beginnings, for the overlay only (store_overlay.c).
 *
 * Keys of a table whose first GROUP_KEEP bytes are the same are a group: in the ledger's tables those of one
 * owner, elsewhere those of one slot that begin alike. Groups are found by their hash, which is seeded,
 * because strangers choose JIDs, and are in no order; the keys of a group are an array in order. So what
 * is done with one key or within one group costs the same however much is pending. A group lives as
 * long as it has keys. */

#include "store_inner.h"

enum { GROUP_KEEP = 6 };

/* In the array of its group. Most are told apart without a look at the key itself. */
struct pending_key {
    uint64_t         order;            /* 8 bytes of the key behind the group's, as a number */
    struct store_op *latest;           /* counts; those before it by `older` */
};

struct pending_group {
    struct pending_group *next;        /* in its bucket, or among the spare ones */
    uint64_t              name;
    struct buf            keys;        /* struct pending_key */
};

struct pending_groups {
    struct pending_group **buckets;
    size_t                 bucket_count;   /* a power of two */
    size_t                 count, count_of[STORE_TABLES_MAX];
    struct pending_group  *spare;          /* kept to be used again */
    size_t                 spares;
};

void groups_init(struct pending_groups *all);
void groups_end(struct pending_groups *all);

/* The key's first bytes, how many these are, the table: within a table in the order of the keys, as a
 * group of less than GROUP_KEEP bytes is a single key. */
uint64_t group_name(unsigned table, struct slice key);
/* Of the same table, and may have keys that begin with that prefix. */
bool group_name_starts(uint64_t name, uint64_t prefix);

/* The group this key is in or would be; NULL. */
struct pending_group *group_of(const struct pending_groups *all, unsigned table, struct slice key);
/* The same, made when there is none: a key has to follow. */
struct pending_group *group_make(struct pending_groups *all, unsigned table, struct slice key);
/* The last key has gone. */
void group_drop(struct pending_groups *all, struct pending_group *g);

static inline struct pending_key *keys_of(const struct pending_group *g)
{
    return (struct pending_key *)(void *)(g->keys.bytes + g->keys.start);
}

static inline size_t key_count(const struct pending_group *g)
{
    return buf_len(&g->keys) / sizeof(struct pending_key);
}

/* The place of the first key that is not below this one, which has to be of this group. */
size_t key_place(const struct pending_group *g, struct slice key);
bool   key_is_at(const struct pending_group *g, size_t place, struct slice key);
void   key_insert(struct pending_group *g, size_t place, struct store_op *op);
void   key_erase(struct pending_group *g, size_t place);
