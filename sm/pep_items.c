/* Reading the items of a node (pep.h): those that have not expired. */

#include "loop.h"
#include "pep_store.h"

enum { SECOND_US = 1000000 };

struct reading {
    const struct pep_config *config;
    uint64_t                 now_us;
    int                    (*each)(void *arg, const struct pep_item *item);
    void                    *arg;
};

static bool fresh(const struct reading *r, const struct pep_item *item)
{
    return r->config->expire == PEP_MAX || item->time_us + (uint64_t)r->config->expire * SECOND_US >= r->now_us;
}

enum { STOP = 1, EXPIRED = 1 << 30 };

/* All that is older has expired too. */
static int read_row(void *arg, const struct pep_item *item)
{
    struct reading *r = arg;

    return fresh(r, item) ? r->each(r->arg, item) : EXPIRED;
}

int pep_items_each(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node,
                   int (*each)(void *arg, const struct pep_item *item), void *arg)
{
    struct pep_node found;
    struct reading  r = { &found.config, wall_us(), each, arg };
    struct pep_walk walk = { .newest_first = true };
    int             did;

    if (!pep_node_find(sm, view, owner, node, &found))
        return 0;
    did = pep_items_walk(sm, view, owner, node, &walk, read_row, &r);
    return did == EXPIRED ? 0 : did;
}

static int take_first(void *arg, const struct pep_item *item)
{
    *(struct pep_item *)arg = *item;
    return STOP;
}

bool pep_item_get(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node, struct slice id,
                  struct pep_item *item)
{
    struct pep_node found;
    struct reading  r = { .config = &found.config, .now_us = wall_us() };
    struct pep_walk walk = { .newest_first = true };
    uint64_t        order;
    bool            there;

    if (!pep_node_find(sm, view, owner, node, &found))
        return false;
    if (!id.len) {
        there = pep_items_walk(sm, view, owner, node, &walk, take_first, item) == STOP;
    } else {
        order = pep_item_order(sm, view, owner, node, id);
        there = order && pep_item_at(sm, view, owner, node, order, item);
    }
    return there && fresh(&r, item);
}
