/* The pending writes of this process, ordered by table and disk key: a skip list, so that a get, a
 * range in either direction, an insert and a removal all cost a logarithm. A key keeps all its pending
 * operations, because the latest may fail and the one before it counts again. */

#include "store_inner.h"

#include <stdlib.h>

#include "mem.h"

enum { LEVELS = 16 };

struct overlay {
    struct pending_key *head;          /* LEVELS high, no key */
    size_t              keys;
    uint32_t            dice;
};

static struct pending_key *node_new(unsigned levels, unsigned table, struct slice key)
{
    size_t              links = levels * sizeof(struct pending_key *);
    struct pending_key *node = xcalloc(1, sizeof *node + links + key.len);
    uint8_t            *copy = (uint8_t *)node->next + links;

    list_init(&node->ops);
    node->table = (uint8_t)table;
    node->levels = (uint8_t)levels;
    if (key.len)
        memcpy(copy, key.p, key.len);
    node->key = slice_of(copy, key.len);
    return node;
}

struct overlay *overlay_new(void)
{
    struct overlay *o = xcalloc(1, sizeof *o);

    o->head = node_new(LEVELS, 0, slice_of(NULL, 0));
    o->dice = 0x9E3779B9;
    return o;
}

void overlay_free(struct overlay **o)
{
    if (!*o)
        return;
    for (struct pending_key *node = (*o)->head, *next; node; node = next) {
        next = node->next[0];
        free(node);
    }
    free(*o);
    *o = NULL;
}

bool overlay_empty(const struct overlay *o)
{
    return o->keys == 0;
}

/* xorshift: balance, not secrecy; each level half as likely as the one below. */
static unsigned draw_levels(struct overlay *o)
{
    o->dice ^= o->dice << 13;
    o->dice ^= o->dice >> 17;
    o->dice ^= o->dice << 5;
    return 1 + (unsigned)__builtin_ctz(o->dice | 1u << (LEVELS - 1));
}

static int order(const struct pending_key *node, unsigned table, struct slice key)
{
    return node->table != table ? (int)node->table - (int)table : slice_cmp(node->key, key);
}

/* The last node before (table, key), the head if there is none; the way there in path[]. */
static struct pending_key *find_before(const struct overlay *o, unsigned table, struct slice key,
                                       struct pending_key *path[LEVELS])
{
    struct pending_key *at = o->head;

    for (unsigned level = LEVELS; level-- > 0;) {
        while (at->next[level] && order(at->next[level], table, key) < 0)
            at = at->next[level];
        if (path)
            path[level] = at;
    }
    return at;
}

static struct pending_key *node_get(const struct overlay *o, unsigned table, struct slice key)
{
    struct pending_key *node = find_before(o, table, key, NULL)->next[0];

    return node && order(node, table, key) == 0 ? node : NULL;
}

static struct pending_key *node_make(struct overlay *o, unsigned table, struct slice key)
{
    struct pending_key *path[LEVELS];
    struct pending_key *before = find_before(o, table, key, path);
    struct pending_key *node = before->next[0];

    if (node && order(node, table, key) == 0)
        return node;
    node = node_new(draw_levels(o), table, key);
    for (unsigned level = 0; level < node->levels; level++) {
        node->next[level] = path[level]->next[level];
        path[level]->next[level] = node;
    }
    node->prev = before == o->head ? NULL : before;
    if (node->next[0])
        node->next[0]->prev = node;
    o->keys++;
    return node;
}

static void node_drop(struct overlay *o, struct pending_key *node)
{
    struct pending_key *path[LEVELS];

    find_before(o, node->table, node->key, path);
    for (unsigned level = 0; level < node->levels; level++)
        path[level]->next[level] = node->next[level];
    if (node->next[0])
        node->next[0]->prev = node->prev;
    o->keys--;
    free(node);
}

void overlay_add(struct overlay *o, struct store_batch *b)
{
    for (size_t i = 0; i < b->op_count; i++) {
        struct store_op *op = &b->ops[i];

        if (op->kind != OP_PUT && op->kind != OP_DELETE)
            continue;
        op->pending = node_make(o, op->table, op->disk_key);
        list_append(&op->pending->ops, &op->link);
    }
}

void overlay_remove(struct overlay *o, struct store_batch *b)
{
    for (size_t i = 0; i < b->op_count; i++) {
        struct pending_key *node = b->ops[i].pending;

        if (!node)
            continue;
        list_remove(&b->ops[i].link);
        b->ops[i].pending = NULL;
        if (list_empty(&node->ops))
            node_drop(o, node);
    }
}

const struct store_op *pending_latest(const struct pending_key *key)
{
    return LIST_OWNER(key->ops.prev, struct store_op, link);
}

const struct store_op *overlay_get(const struct overlay *o, unsigned table, struct slice disk_key)
{
    struct pending_key *node = o->keys ? node_get(o, table, disk_key) : NULL;

    return node ? pending_latest(node) : NULL;
}

struct pending_key *overlay_from(const struct overlay *o, unsigned table, struct slice disk_key)
{
    struct pending_key *node = o->keys ? find_before(o, table, disk_key, NULL)->next[0] : NULL;

    return node && node->table == table ? node : NULL;
}

struct pending_key *overlay_below(const struct overlay *o, unsigned table, struct slice disk_key)
{
    struct pending_key *node;

    if (o->keys == 0)
        return NULL;
    node = disk_key.p ? find_before(o, table, disk_key, NULL)
                      : find_before(o, table + 1, slice_of(NULL, 0), NULL);
    return node != o->head && node->table == table ? node : NULL;
}
