/* The pending writes of this process, in groups (store_groups.h). A range over several groups, of a whole
 * slot or table, looks at all of them and sorts its own: these are rare.
 *
 * A key keeps all its pending operations, because the latest may fail and the one before it counts again. */

#include "store_groups.h"

#include <stdlib.h>

#include "mem.h"

struct overlay {
    struct pending_groups groups;
    uint64_t              changes;         /* counts the keys that came */
};

struct overlay *overlay_new(void)
{
    struct overlay *o = xcalloc(1, sizeof *o);

    groups_init(&o->groups);
    return o;
}

void overlay_free(struct overlay **o)
{
    if (!*o)
        return;
    groups_end(&(*o)->groups);
    free(*o);
    *o = NULL;
}

/* ---- operations ---- */

static void add(struct overlay *o, struct store_op *op)
{
    struct pending_group *g = group_make(&o->groups, op->table, op->disk_key);
    size_t                place = key_place(g, op->disk_key);

    op->group = g;
    if (!key_is_at(g, place, op->disk_key)) {
        key_insert(g, place, op);
        o->changes++;
        return;
    }
    struct pending_key *k = &keys_of(g)[place];
    op->older = k->latest;
    k->latest->newer = op;
    k->latest = op;
}

void overlay_add(struct overlay *o, struct store_batch *b)
{
    for (size_t i = 0; i < b->op_count; i++)
        if (b->ops[i].kind == OP_PUT || b->ops[i].kind == OP_DELETE)
            add(o, &b->ops[i]);
}

/* Mostly what goes is the first in order as well. */
static void remove_latest(struct overlay *o, struct store_op *op)
{
    struct pending_group *g = op->group;
    size_t                place = keys_of(g)->latest == op ? 0 : key_place(g, op->disk_key);

    if (op->older)
        keys_of(g)[place].latest = op->older;
    else
        key_erase(g, place);
    if (key_count(g) == 0)
        group_drop(&o->groups, g);
}

void overlay_remove(struct overlay *o, struct store_batch *b)
{
    for (size_t i = 0; i < b->op_count; i++) {
        struct store_op *op = &b->ops[i];

        if (!op->group)
            continue;
        if (op->newer)
            op->newer->older = op->older;
        else
            remove_latest(o, op);
        if (op->older)
            op->older->newer = op->newer;
        op->group = NULL;
        op->older = op->newer = NULL;
    }
}

const struct store_op *overlay_get(const struct overlay *o, unsigned table, struct slice disk_key)
{
    const struct pending_group *g = group_of(&o->groups, table, disk_key);
    size_t                      place = g ? key_place(g, disk_key) : 0;

    return g && key_is_at(g, place, disk_key) ? keys_of(g)[place].latest : NULL;
}

/* ---- walks ---- */

static int by_name(const void *a, const void *b)
{
    uint64_t left = (*(struct pending_group *const *)a)->name, right = (*(struct pending_group *const *)b)->name;

    return (left > right) - (left < right);
}

/* The groups of a prefix that is shorter than theirs, in order. */
static void collect(struct overlay_walk *w)
{
    const struct pending_groups *all = &w->overlay->groups;
    uint64_t                     prefix = group_name(w->table, w->prefix);
    size_t                       most = all->count_of[w->table];

    overlay_walk_end(w);
    w->group_count = 0;
    if (most == 0)
        return;
    w->groups = xmalloc(most * sizeof *w->groups);
    for (size_t i = 0; i < all->bucket_count; i++)
        for (struct pending_group *g = all->buckets[i]; g; g = g->next)
            if (group_name_starts(g->name, prefix))
                w->groups[w->group_count++] = g;
    qsort(w->groups, w->group_count, sizeof *w->groups, by_name);
}

static void find_groups(struct overlay_walk *w)
{
    if (w->prefix.len < GROUP_KEEP) {
        collect(w);
        return;
    }
    w->only = group_of(&w->overlay->groups, w->table, w->prefix);
    w->groups = &w->only;
    w->group_count = w->only != NULL;
}

/* To the first key not below this one (backwards with p NULL: behind the last). */
static void locate(struct overlay_walk *w, struct slice key)
{
    uint64_t name = group_name(w->table, key);

    find_groups(w);
    w->changes = w->overlay->changes;
    w->group_at = w->backwards && !key.p ? w->group_count : 0;
    w->key_at = 0;
    while (w->group_at < w->group_count && w->groups[w->group_at]->name < name)
        w->group_at++;
    if (w->group_at < w->group_count && w->groups[w->group_at]->name == name)
        w->key_at = key_place(w->groups[w->group_at], key);
}

static void settle(struct overlay_walk *w)
{
    w->op = NULL;
    if (w->group_at < w->group_count && w->key_at == key_count(w->groups[w->group_at])) {
        w->group_at++;
        w->key_at = 0;
    }
    if (w->group_at >= w->group_count)
        return;
    const struct store_op *op = keys_of(w->groups[w->group_at])[w->key_at].latest;
    if (slice_starts(op->disk_key, w->prefix))
        w->op = op;
}

static void step_back(struct overlay_walk *w)
{
    if (w->key_at > 0) {
        w->key_at--;
    } else if (w->group_at > 0) {
        w->group_at--;
        w->key_at = key_count(w->groups[w->group_at]) - 1;
    } else {
        w->group_at = w->group_count;
    }
    settle(w);
}

void overlay_walk(struct overlay_walk *w, const struct overlay *o, unsigned table, struct slice prefix,
                  struct slice from, bool backwards)
{
    *w = (struct overlay_walk){ .overlay = o, .table = table, .prefix = prefix, .backwards = backwards };
    if (o->groups.count_of[table] == 0)
        return;
    locate(w, from);
    (backwards ? step_back : settle)(w);
}

void overlay_walk_step(struct overlay_walk *w)
{
    if (w->changes != w->overlay->changes)
        locate(w, w->op->disk_key);
    w->key_at += !w->backwards;
    (w->backwards ? step_back : settle)(w);
}

void overlay_walk_end(struct overlay_walk *w)
{
    if (w->groups != &w->only)
        free(w->groups);
    w->groups = NULL;
}

const struct store_op *overlay_walk_op(const struct overlay_walk *w)
{
    const struct store_op *op = w->op;

    while (op && op->newer)
        op = op->newer;
    return op;
}
