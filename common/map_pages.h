#pragma once

/* Pages of an LMDB map that this process has touched, unmapped again so that they do not count as its
 * memory. Zeroed at first. */

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_pages {
    uint8_t *at;               /* where LMDB has mapped the file; NULL: not known */
    size_t   len, hand;
    bool     sought;
    bool     touched;          /* since the last round; the owner sets it */
};

static inline bool map_pages_due(const struct map_pages *m)
{
    return m->touched || m->hand > 0;
}
/* Unmaps a part of the environment in directory `dir`; once a second while it is due. The map must not
 * move meanwhile. */
void map_pages_drop(struct map_pages *m, MDB_env *env, const char *dir);
/* The map has moved, or may have. */
void map_pages_moved(struct map_pages *m);
