/* XEP-0060 6.5: items by id, the newest ones, or a page (XEP-0059), newest first. One answer holds as much as a
 * stanza of a client may; what is left is told by the page. */

#include "data_form.h"
#include "loop.h"
#include "ns.h"
#include "pep_request.h"
#include "rsm.h"

struct page {
    struct pep_request *r;
    struct pep_item    *items;         /* in the order they were met */
    size_t              count, most, bytes, bytes_most;
    bool                all_ids;
};

/* 1: the page is full. */
static int page_add(void *arg, const struct pep_item *item)
{
    struct page *pg = arg;

    if (pg->count == pg->most || (pg->count && pg->bytes + pep_item_bytes(item) > pg->bytes_most))
        return 1;
    pg->items[pg->count++] = *item;
    pg->bytes += pep_item_bytes(item);
    return 0;
}

static bool fresh(const struct page *pg, const struct pep_item *item)
{
    uint32_t expire = pep_open_node(pg->r->open)->config.expire;

    return expire == PEP_MAX || item->time_us + (uint64_t)expire * 1000000 >= wall_us();
}

static int page_row(void *arg, const struct pep_item *item)
{
    return fresh(arg, item) ? page_add(arg, item) : 0;
}

static void page_reverse(struct page *pg)
{
    for (size_t i = 0; i < pg->count / 2; i++) {
        struct pep_item swapped = pg->items[i];
        pg->items[i] = pg->items[pg->count - 1 - i];
        pg->items[pg->count - 1 - i] = swapped;
    }
}

/* ---- answers ---- */

/* 7.1.2.3: an account has one publisher, itself. */
static void item_write(const struct pep_request *r, const struct pep_item *item)
{
    struct xml_writer *w = r->iq->reply;

    xml_open(w, "item", NULL);
    xml_attr_slice(w, "id", item->id);
    if (pep_open_node(r->open)->config.item_reply == PEP_REPLY_PUBLISHER)
        xml_attr_slice(w, "publisher", r->p->owner);
    if (item->payload.len)
        xml_raw(w, item->payload);
    xml_close(w);
}

static void page_write(struct page *pg, bool told)
{
    struct pep_request *r = pg->r;
    struct rsm_answer   a = { .has_count = true, .count = pep_open_node(r->open)->items };

    pep_reply_open(r, NS_PUBSUB, "items");
    for (size_t i = 0; i < pg->count; i++)
        item_write(r, &pg->items[i]);
    xml_close(r->iq->reply);
    if (pg->count) {
        a.first = pg->items[0].id;
        a.last = pg->items[pg->count - 1].id;
    }
    if (told)
        rsm_write(r->iq->reply, &a);
    xml_close(r->iq->reply);
}

/* ---- requests ---- */

/* 6.5.8: what is not there is left out. */
static int by_id(struct page *pg, const struct element *item)
{
    struct pep_request *r = pg->r;
    struct pep_item     found;

    for (; item; item = element_next(item, NULL, "item"))
        if (pep_item_get(r->p->sm, r->view, r->p->owner, r->node, element_attr(item, "id"), &found) &&
            element_attr(item, "id").len)
            page_add(pg, &found);
    page_write(pg, false);
    return ZE_OK;
}

/* Where the page begins; ZE_NOT_FOUND (XEP-0059 2.2). */
static enum zerr walk_for(const struct pep_request *r, const struct rsm_request *rsm, struct pep_walk *walk)
{
    struct slice id = rsm->has_before ? rsm->before : rsm->after;
    uint64_t     order = id.len ? pep_item_order(r->p->sm, r->view, r->p->owner, r->node, id) : 0;

    *walk = (struct pep_walk){ .newest_first = !rsm->has_before, .from = order + (order && rsm->has_before) };
    return id.len && !order ? ZE_NOT_FOUND : ZE_OK;
}

static int by_page(struct page *pg, const struct rsm_request *rsm)
{
    struct pep_request *r = pg->r;
    struct pep_walk     walk;
    enum zerr           err = walk_for(r, rsm, &walk);
    int                 full;

    if (err)
        return err;
    if (rsm->has_max && rsm->max < pg->most)
        pg->most = rsm->max;
    full = pep_items_walk(r->p->sm, r->view, r->p->owner, r->node, &walk, page_row, pg);
    if (full < 0)
        return full;
    if (rsm->has_before)
        page_reverse(pg);
    /* 6.5.4: what was left out without having been asked to be is told. */
    page_write(pg, rsm->has_max || rsm->has_before || rsm->has_after || full);
    return ZE_OK;
}

static enum zerr most_of(const struct pep_request *r, size_t *most)
{
    struct slice asked = element_attr(r->action, "max_items");
    uint64_t     n = 0;

    *most = (size_t)pep_open_node(r->open)->items;
    if (asked.p && !form_number(asked, UINT32_MAX, &n))
        return ZE_BAD_REQUEST;
    if (asked.p && n < *most)
        *most = (size_t)n;
    return ZE_OK;
}

int pep_items_request(struct pep_request *r)
{
    const struct pep_node *node = pep_open_node(r->open);
    const struct element  *item = element_child(r->action, NULL, "item");
    struct page            pg = { .r = r, .bytes_most = (size_t)r->p->sm->settings->limits.stanza_max };
    struct rsm_request     rsm;
    enum zerr              err = pep_fail(r->p, pep_access_rule(node->config.access, PEP_ACT_RETRIEVE, pep_asker(r)));

    if (err)
        return err;
    if (!node->config.persist)
        return pep_fail(r->p, PEP_E_NO_PERSISTENT_ITEMS);
    err = most_of(r, &pg.most);
    if (!err)
        err = rsm_parse(r->p->sm->arena, r->pubsub, &rsm);
    if (err)
        return err;
    pg.items = arena_alloc(r->p->sm->arena, (pg.most + 1) * sizeof(*pg.items));
    return item ? by_id(&pg, item) : by_page(&pg, &rsm);
}
