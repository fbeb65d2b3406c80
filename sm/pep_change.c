/* Changes of nodes (pep_change.h), and what other features use of them (pep.h). */

#include "pep_change.h"

#include "encode.h"
#include "pep_notify.h"

enum { NAME_MAX_BYTES = 1023, TRIM_MAX = 64, SECOND_US = 1000000 };

/* An item written or removed in this outcome; order 0: it is gone. */
struct touched {
    struct touched *next;
    struct slice    id;
    uint64_t        order;
    uint64_t        before;            /* where the view shows it; 0: it does not */
    size_t          bytes;
};

struct pep_open {
    struct pep_open *next;
    struct pep_node  node;
    struct touched  *touched;
    uint64_t         trimmed;          /* what the view shows up to this order is gone */
};

/* ---- nodes ---- */

struct pep_open *pep_open(struct passage *p, struct store_view *view, struct slice name)
{
    struct pep_open *n = *outcome_nodes(p->out);
    struct pep_node  node;

    while (n && !slice_eq(n->node.name, name))
        n = n->next;
    if (n || !pep_node_find(p->sm, view, p->owner, name, &node))
        return n;
    n = arena_alloc(p->sm->arena, sizeof(*n));
    *n = (struct pep_open){ .next = *outcome_nodes(p->out), .node = node };
    *outcome_nodes(p->out) = n;
    return n;
}

struct pep_node *pep_open_node(struct pep_open *n)
{
    return &n->node;
}

void pep_keep(struct passage *p, const struct pep_open *n)
{
    pep_node_put(p->sm, outcome_accounts(p->out), p->owner, &n->node);
}

struct sums {
    struct slice except;
    uint64_t     nodes, bytes;
};

static int sum_row(void *arg, const struct pep_node *node)
{
    struct sums *s = arg;

    s->nodes++;
    s->bytes += slice_eq(node->name, s->except) ? 0 : node->bytes;
    return 0;
}

static struct sums sums_of(struct passage *p, struct store_view *view, struct slice except)
{
    struct sums s = { .except = except };

    pep_nodes_each(p->sm, view, p->owner, sum_row, &s);
    return s;
}

static bool nodes_full(struct passage *p, struct store_view *view, struct slice name)
{
    return sums_of(p, view, name).nodes >= (uint64_t)p->sm->settings->limits.pep_nodes_max;
}

enum zerr pep_make(struct passage *p, struct store_view *view, struct slice name, const struct pep_config *config,
                   struct pep_open **out)
{
    struct pep_open *n;

    if (!name.len)
        return pep_fail(p, PEP_E_NODEID_REQUIRED);
    if (name.len > NAME_MAX_BYTES)
        return pep_fail(p, PEP_E_LONG_ID);
    if (nodes_full(p, view, name))
        return pep_fail(p, PEP_E_MAX_NODES);
    n = arena_alloc(p->sm->arena, sizeof(*n));
    *n = (struct pep_open){
        .next = *outcome_nodes(p->out),
        .node = { .name = name, .made_us = wall_us(), .config = *config },
    };
    *outcome_nodes(p->out) = n;
    pep_keep(p, n);
    *out = n;
    return ZE_OK;
}

void pep_delete(struct passage *p, struct store_view *view, struct pep_open *n)
{
    struct pep_open **at = (struct pep_open **)outcome_nodes(p->out);

    if (n->node.config.notify_delete)
        pep_notify_deleted(p, view, &n->node);
    pep_node_remove(p->sm, view, outcome_accounts(p->out), p->owner, n->node.name);
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
}

/* ---- items ---- */

static struct touched *touched_find(const struct pep_open *n, struct slice id)
{
    struct touched *t = n->touched;

    while (t && !slice_eq(t->id, id))
        t = t->next;
    return t;
}

/* What is known of an item before it is changed; made from the view when it was not touched yet. */
static struct touched *touch(struct passage *p, struct store_view *view, struct pep_open *n, struct slice id)
{
    struct touched *t = touched_find(n, id);
    struct pep_item item;

    if (t)
        return t;
    t = arena_alloc(p->sm->arena, sizeof(*t));
    *t = (struct touched){ .next = n->touched, .id = arena_copy(p->sm->arena, id) };
    t->order = pep_item_order(p->sm, view, p->owner, n->node.name, id);
    if (t->order && t->order > n->trimmed && pep_item_at(p->sm, view, p->owner, n->node.name, t->order, &item))
        t->bytes = pep_item_bytes(&item);
    else
        t->order = 0;
    t->before = t->order;
    n->touched = t;
    return t;
}

static void forget(struct passage *p, struct pep_open *n, struct touched *t)
{
    struct pep_item item = { .node = n->node.name, .id = t->id, .time_us = t->order };

    if (!t->order)
        return;
    pep_item_remove(p->sm, outcome_accounts(p->out), p->owner, &item);
    n->node.items -= n->node.items > 0;
    n->node.bytes -= t->bytes < n->node.bytes ? t->bytes : n->node.bytes;
    t->order = 0;
    t->bytes = 0;
}

struct oldest {
    struct pep_open *n;
    struct pep_item  item;
};

static int oldest_row(void *arg, const struct pep_item *item)
{
    struct oldest *o = arg;

    for (const struct touched *t = o->n->touched; t; t = t->next)
        if (t->before == item->time_us)
            return 0;
    o->item = *item;
    return 1;
}

/* The oldest item that this outcome has left alone. */
static bool oldest_find(struct passage *p, struct store_view *view, struct pep_open *n, struct pep_item *item)
{
    struct oldest   o = { .n = n };
    struct pep_walk walk = { .from = n->trimmed + 1 };

    if (pep_items_walk(p->sm, view, p->owner, n->node.name, &walk, oldest_row, &o) != 1)
        return false;
    *item = o.item;
    return true;
}

static bool expired(const struct pep_config *c, const struct pep_item *item, uint64_t now_us)
{
    return c->expire != PEP_MAX && item->time_us + (uint64_t)c->expire * SECOND_US < now_us;
}

static uint32_t items_limit(const struct passage *p, const struct pep_node *node)
{
    uint64_t limit = (uint64_t)p->sm->settings->limits.pep_items_max;

    return node->config.max_items < limit ? node->config.max_items : (uint32_t)limit;
}

static void drop_oldest(struct passage *p, struct pep_open *n, const struct pep_item *item)
{
    pep_item_remove(p->sm, outcome_accounts(p->out), p->owner, item);
    n->node.items -= n->node.items > 0;
    n->node.bytes -= pep_item_bytes(item) < n->node.bytes ? pep_item_bytes(item) : n->node.bytes;
    n->trimmed = item->time_us;
}

static void drop_expired(struct passage *p, struct store_view *view, struct pep_open *n)
{
    struct pep_item item;

    if (n->node.config.expire == PEP_MAX)
        return;
    for (int i = 0; i < TRIM_MAX && oldest_find(p, view, n, &item) && expired(&n->node.config, &item, wall_us()); i++)
        drop_oldest(p, n, &item);
}

/* Removes the oldest until so many are left; `tell`: its subscribers. */
static void drop_to(struct passage *p, struct store_view *view, struct pep_open *n, uint32_t most, bool tell)
{
    struct slice    gone[TRIM_MAX];
    struct pep_item item;
    size_t          count = 0;

    while (n->node.items > most && oldest_find(p, view, n, &item)) {
        drop_oldest(p, n, &item);
        gone[count++] = item.id;
        if (tell && count == TRIM_MAX)
            pep_notify(p, view, &n->node, pep_event_retract(p->out, &n->node, gone, count), slice_of(NULL, 0));
        count %= TRIM_MAX;
    }
    if (tell && count)
        pep_notify(p, view, &n->node, pep_event_retract(p->out, &n->node, gone, count), slice_of(NULL, 0));
}

void pep_trim(struct passage *p, struct store_view *view, struct pep_open *n)
{
    const struct pep_config *c = &n->node.config;

    drop_expired(p, view, n);
    /* 7.1.2.6. The place of the only item is taken without a word: the new one tells it all. */
    drop_to(p, view, n, items_limit(p, &n->node),
            c->notify_retract && c->node_full == PEP_RETRACT_OLDEST && c->max_items != 1);
    pep_keep(p, n);
}

/* Items over what the owner wants make room by themselves; over what the server lets, nothing is dropped that
 * the owner wanted to keep. */
static bool may_make_room(const struct passage *p, const struct pep_config *c)
{
    return c->node_full != PEP_REJECT && c->max_items <= (uint64_t)p->sm->settings->limits.pep_items_max;
}

/* Is there room for it? `before`: bytes of the item whose place it takes; `more`: it takes none. */
static enum pep_error room_for(struct passage *p, struct store_view *view, const struct pep_node *node, bool more,
                               size_t before, const struct pep_item *item)
{
    uint64_t most = (uint64_t)p->sm->settings->limits.pep_bytes_max;

    if (more && node->items >= items_limit(p, node) && !may_make_room(p, &node->config))
        return PEP_E_NODE_FULL;
    return sums_of(p, view, node->name).bytes + node->bytes - before + pep_item_bytes(item) > most ? PEP_E_NO_ROOM : PEP_OK;
}

static enum zerr store_item(struct passage *p, struct store_view *view, struct pep_open *n, struct pep_item *item)
{
    uint64_t        now = wall_us();
    struct touched *t;
    enum pep_error  e;

    drop_expired(p, view, n);
    t = touch(p, view, n, item->id);
    e = room_for(p, view, &n->node, !t->order, t->bytes, item);
    if (e)
        return pep_fail(p, e);
    forget(p, n, t);
    item->time_us = now > n->node.newest ? now : n->node.newest + 1;
    t->order = item->time_us;
    t->bytes = pep_item_bytes(item);
    pep_item_put(p->sm, outcome_accounts(p->out), p->owner, item);
    n->node.newest = item->time_us;
    n->node.items++;
    n->node.bytes += t->bytes;
    return ZE_OK;
}

static enum pep_error check_item(const struct passage *p, const struct pep_config *c, const struct pep_item *item)
{
    uint64_t most = (uint64_t)p->sm->settings->limits.pep_item_max;

    if (item->payload.len > (c->max_payload < most ? c->max_payload : most))
        return PEP_E_PAYLOAD_TOO_BIG;
    return item->id.len > NAME_MAX_BYTES ? PEP_E_LONG_ID : PEP_OK;
}

struct slice pep_new_id(struct passage *p)
{
    char *id = arena_alloc(p->sm->arena, RANDOM_ID);

    random_id(id);
    return slice_of(id, RANDOM_ID - 1);
}

enum zerr pep_publish_into(struct passage *p, struct store_view *view, struct pep_open *n, struct pep_item *item)
{
    enum zerr err = pep_fail(p, check_item(p, &n->node.config, item));

    item->node = n->node.name;
    if (!err && n->node.config.persist)
        err = store_item(p, view, n, item);
    if (err)
        return err;
    pep_notify(p, view, &n->node, pep_event_item(p->out, &n->node, item), item->publisher);
    if (n->node.config.persist)
        pep_trim(p, view, n);
    return ZE_OK;
}

enum zerr pep_retract_from(struct passage *p, struct store_view *view, struct pep_open *n, struct slice id,
                           bool notify)
{
    struct touched *t = touch(p, view, n, id);

    if (!t->order)
        return ZE_NOT_FOUND;
    forget(p, n, t);
    pep_keep(p, n);
    if (notify)
        pep_notify(p, view, &n->node, pep_event_retract(p->out, &n->node, &t->id, 1), slice_of(NULL, 0));
    return ZE_OK;
}

/* 8.5.2: one event for all. */
void pep_purge(struct passage *p, struct store_view *view, struct pep_open *n)
{
    for (struct touched *t = n->touched; t; t = t->next)
        forget(p, n, t);
    drop_to(p, view, n, 0, false);
    pep_keep(p, n);
    if (n->node.config.notify_retract)
        pep_notify(p, view, &n->node, pep_event_bare(p->out, &n->node, "purge"), slice_of(NULL, 0));
}

/* ---- for other features ---- */

static enum zerr open_or_make(struct passage *p, struct store_view *view, struct slice name,
                              const struct pep_wanted *wanted, struct pep_open **n)
{
    struct pep_config config;

    *n = pep_open(p, view, name);
    if (*n)
        return ZE_OK;
    pep_config_preset(&config);
    if (wanted) {
        config.access = (uint8_t)wanted->access;
        config.max_items = wanted->max_items;
        config.send_last = (uint8_t)wanted->send_last;
    }
    return pep_make(p, view, name, &config, n);
}

static bool fits(struct passage *p, struct store_view *view, const struct pep_item *item)
{
    struct pep_open *n = pep_open(p, view, item->node);
    struct pep_node  none = { .name = item->node };
    struct touched  *t = n ? touch(p, view, n, item->id) : NULL;

    if (!n) {
        pep_config_preset(&none.config);
        return !nodes_full(p, view, item->node) && !check_item(p, &none.config, item) &&
               !room_for(p, view, &none, false, 0, item);
    }
    return !check_item(p, &n->node.config, item) && !room_for(p, view, &n->node, !t->order, t->bytes, item);
}

bool pep_fits(struct passage *p, const struct pep_item *item)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    bool               does = fits(p, view, item);

    store_view_end(&view);
    return does;
}

enum zerr pep_publish(struct passage *p, const struct pep_item *item, const struct pep_wanted *wanted)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct pep_item    copy = *item;
    struct pep_open   *n;
    enum zerr          err = open_or_make(p, view, item->node, wanted, &n);

    if (!copy.id.len)
        copy.id = pep_new_id(p);
    if (!err)
        err = pep_publish_into(p, view, n, &copy);
    store_view_end(&view);
    return err;
}

enum zerr pep_retract(struct passage *p, struct slice node, struct slice id)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct pep_open   *n = pep_open(p, view, node);
    enum zerr          err = n ? pep_retract_from(p, view, n, id, true) : ZE_NOT_FOUND;

    store_view_end(&view);
    return err;
}
