#pragma once

/* Hash table keyed by bytes (copied), seeded at random so that strangers cannot aim collisions
 * (SipHash-class or better). Values are the caller's pointers, never NULL. */

#include "slice.h"

struct table;

struct table *table_new(void);
/* Frees the table and its keys, not the values. */
void   table_free(struct table **t);
/* Frees them too, each with value_free. */
void   table_free_values(struct table **t, void (*value_free)(void *value));
void  *table_get(const struct table *t, struct slice key);
/* Returns the value it replaced, or NULL. */
void  *table_put(struct table *t, struct slice key, void *value);
/* Returns the value removed, or NULL. */
void  *table_remove(struct table *t, struct slice key);
size_t table_count(const struct table *t);
/* Bytes held by the table itself. */
size_t table_size(const struct table *t);

/* Walks all entries in no order. Removing the entry just returned is allowed, adding is not.
 *     for (struct table_iter i = { 0 }; table_next(t, &i);) use(i.key, i.value); */
struct table_iter {
    size_t              place;
    struct table_entry *next;
    struct slice        key;
    void               *value;
};
bool table_next(const struct table *t, struct table_iter *i);

/* The keyed 64-bit hash used by the table (process-local: never on disk, never on the wire). */
uint64_t hash_bytes(struct slice s);
/* The same with a key of one's own: SipHash-2-4. */
uint64_t hash_keyed(const uint8_t key[16], struct slice s);
