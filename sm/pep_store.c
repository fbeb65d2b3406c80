/* Nodes and items in the store (pep_store.h). */

#include "pep_store.h"

#include "cursor.h"
#include "log.h"

enum { FORMAT = 1, ORDER_BYTES = 8 };

/* ---- keys ---- */

static struct slice joined(const struct sm *sm, struct slice node, struct slice rest)
{
    uint8_t *text = arena_alloc(sm->arena, node.len + 1 + rest.len);

    if (node.len)
        memcpy(text, node.p, node.len);
    text[node.len] = 0;
    if (rest.len)
        memcpy(text + node.len + 1, rest.p, rest.len);
    return slice_of(text, node.len + 1 + rest.len);
}

struct slice pep_key_in_node(const struct sm *sm, struct slice owner, struct slice node, struct slice rest)
{
    return sm_key(sm, owner, joined(sm, node, rest));
}

static struct slice key_of_order(const struct sm *sm, struct slice owner, struct slice node, uint64_t order)
{
    uint8_t bytes[ORDER_BYTES];

    for (size_t i = 0; i < ORDER_BYTES; i++)
        bytes[i] = (uint8_t)(order >> (8 * (ORDER_BYTES - 1 - i)));
    return pep_key_in_node(sm, owner, node, slice_of(bytes, ORDER_BYTES));
}

static uint64_t order_in(struct slice rest)
{
    uint64_t order = 0;

    for (size_t i = 0; i < ORDER_BYTES && rest.len == ORDER_BYTES; i++)
        order = order << 8 | rest.p[i];
    return order;
}

void pep_unreadable(const char *what, struct slice owner, struct slice node)
{
    log_error("pep_row_unreadable", "kind", what, "jid", log_slice(owner), "name", log_slice(node), NULL);
}

/* ---- nodes ---- */

static bool node_take(struct slice value, struct pep_node *node)
{
    struct cursor c = { value, false };
    uint8_t       format = take_u8(&c);

    node->made_us = take_u64(&c);
    node->newest = take_u64(&c);
    node->items = take_u32(&c);
    node->bytes = take_u64(&c);
    node->subscribers = take_u32(&c);
    return !c.bad && format == FORMAT && pep_config_take(&c, &node->config);
}

bool pep_node_find(const struct sm *sm, struct store_view *view, struct slice owner, struct slice name,
                   struct pep_node *node)
{
    struct slice value = name.len ? store_get(view, T_NODE, sm_key(sm, owner, name)) : slice_of(NULL, 0);

    *node = (struct pep_node){ .name = name };
    if (!value.p)
        return false;
    if (node_take(arena_copy(sm->arena, value), node))
        return true;
    pep_unreadable("node", owner, name);
    return false;
}

void pep_node_put(const struct sm *sm, struct store_batch *b, struct slice owner, const struct pep_node *node)
{
    struct buf row = { 0 };

    buf_put_u8(&row, FORMAT);
    buf_put_u64(&row, node->made_us);
    buf_put_u64(&row, node->newest);
    buf_put_u32(&row, node->items);
    buf_put_u64(&row, node->bytes);
    buf_put_u32(&row, node->subscribers);
    pep_config_put(&row, sm->arena, &node->config);
    store_put(b, T_NODE, sm_key(sm, owner, node->name), buf_slice(&row));
    buf_free(&row);
}

struct node_walk {
    struct slice prefix, owner;
    int        (*each)(void *arg, const struct pep_node *node);
    void        *arg;
};

static int node_row(void *arg, struct slice key, struct slice value)
{
    struct node_walk *w = arg;
    struct pep_node   node = { .name = sm_key_rest(key, w->prefix) };

    if (node_take(value, &node))
        return w->each(w->arg, &node);
    pep_unreadable("node", w->owner, node.name);
    return 0;
}

int pep_nodes_each(const struct sm *sm, struct store_view *view, struct slice owner,
                   int (*each)(void *arg, const struct pep_node *node), void *arg)
{
    struct node_walk w = { sm_key_prefix(sm, owner), owner, each, arg };

    return store_each(view, T_NODE, w.prefix, slice_of(NULL, 0), false, node_row, &w);
}

struct sweep {
    struct store_batch *batch;
    unsigned            table;
};

static int sweep_row(void *arg, struct slice key, struct slice value)
{
    struct sweep *s = arg;

    (void)value;
    store_delete(s->batch, s->table, key);
    return 0;
}

static void sweep(struct store_view *view, struct store_batch *b, unsigned table, struct slice prefix)
{
    struct sweep s = { b, table };

    store_each(view, table, prefix, slice_of(NULL, 0), false, sweep_row, &s);
}

void pep_node_remove(const struct sm *sm, struct store_view *view, struct store_batch *b, struct slice owner,
                     struct slice name)
{
    static const uint8_t inner[] = { T_ITEM, T_ITEM_ID, T_NODE_SUB };
    struct slice         prefix = pep_key_in_node(sm, owner, name, slice_of(NULL, 0));

    for (size_t i = 0; i < COUNT_OF(inner); i++)
        sweep(view, b, inner[i], prefix);
    store_delete(b, T_NODE, sm_key(sm, owner, name));
}

void pep_store_removed(const struct sm *sm, struct store_view *view, struct store_batch *b, struct slice owner)
{
    static const uint8_t tables[] = { T_NODE, T_ITEM, T_ITEM_ID, T_NODE_SUB };

    for (size_t i = 0; i < COUNT_OF(tables); i++)
        sweep(view, b, tables[i], sm_key_prefix(sm, owner));
}

/* ---- items ---- */

static bool item_take(struct slice value, struct pep_item *item)
{
    struct cursor c = { value, false };
    uint8_t       format = take_u8(&c);

    item->id = take_sized(&c);
    item->publisher = take_sized(&c);
    item->payload = c.rest;
    return !c.bad && format == FORMAT;
}

struct item_walk {
    struct slice prefix, owner, node;
    int        (*each)(void *arg, const struct pep_item *item);
    void        *arg;
};

static int item_row(void *arg, struct slice key, struct slice value)
{
    struct item_walk *w = arg;
    struct pep_item   item = { .node = w->node, .time_us = order_in(sm_key_rest(key, w->prefix)) };

    if (item.time_us && item_take(value, &item))
        return w->each(w->arg, &item);
    pep_unreadable("item", w->owner, w->node);
    return 0;
}

int pep_items_walk(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node,
                   const struct pep_walk *walk, int (*each)(void *arg, const struct pep_item *item), void *arg)
{
    struct item_walk w = { pep_key_in_node(sm, owner, node, slice_of(NULL, 0)), owner, node, each, arg };
    struct slice     from = walk->from ? key_of_order(sm, owner, node, walk->from) : slice_of(NULL, 0);

    return store_each(view, T_ITEM, w.prefix, from, walk->newest_first, item_row, &w);
}

uint64_t pep_item_order(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node,
                        struct slice id)
{
    struct slice  value = store_get(view, T_ITEM_ID, pep_key_in_node(sm, owner, node, id));
    struct cursor c = { value, false };
    uint8_t       format;
    uint64_t      order;

    if (!value.p)
        return 0;
    format = take_u8(&c);
    order = take_u64(&c);
    if (cursor_done(&c) && format == FORMAT)
        return order;
    pep_unreadable("item_id", owner, node);
    return 0;
}

bool pep_item_at(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node, uint64_t order,
                 struct pep_item *item)
{
    struct slice value = store_get(view, T_ITEM, key_of_order(sm, owner, node, order));

    *item = (struct pep_item){ .node = node, .time_us = order };
    return value.p && item_take(value, item);
}

static void item_row_write(struct buf *row, const struct pep_item *item)
{
    buf_put_u8(row, FORMAT);
    buf_put_sized(row, item->id);
    buf_put_sized(row, item->publisher);
    buf_put_slice(row, item->payload);
}

size_t pep_item_bytes(const struct pep_item *item)
{
    return 1 + 4 + item->id.len + 4 + item->publisher.len + item->payload.len;
}

void pep_item_put(const struct sm *sm, struct store_batch *b, struct slice owner, const struct pep_item *item)
{
    struct buf row = { 0 };

    item_row_write(&row, item);
    store_put(b, T_ITEM, key_of_order(sm, owner, item->node, item->time_us), buf_slice(&row));
    buf_reset(&row, SIZE_MAX);
    buf_put_u8(&row, FORMAT);
    buf_put_u64(&row, item->time_us);
    store_put(b, T_ITEM_ID, pep_key_in_node(sm, owner, item->node, item->id), buf_slice(&row));
    buf_free(&row);
}

void pep_item_remove(const struct sm *sm, struct store_batch *b, struct slice owner, const struct pep_item *item)
{
    store_delete(b, T_ITEM, key_of_order(sm, owner, item->node, item->time_us));
    store_delete(b, T_ITEM_ID, pep_key_in_node(sm, owner, item->node, item->id));
}
