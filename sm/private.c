/* XEP-0049 Private XML Storage: one element for each namespace and name, its owner's only.
 *
 * T_PRIVATE  slot, owner NUL namespace NUL name -> u8 format 1, the element as XML */

#include "private.h"

#include "bookmarks.h"
#include "ns.h"

enum { FORMAT = 1 };

static struct slice key_named(const struct sm *sm, struct slice owner, struct slice ns, struct slice name)
{
    char *rest = arena_alloc(sm->arena, ns.len + 1 + name.len);

    memcpy(rest, ns.p, ns.len);
    rest[ns.len] = 0;
    memcpy(rest + ns.len + 1, name.p, name.len);
    return sm_key(sm, owner, slice_of(rest, ns.len + 1 + name.len));
}

static struct slice key_of(struct passage *p, const struct element *e)
{
    return key_named(p->sm, p->owner, e->ns, e->name);
}

struct slice private_get(const struct sm *sm, struct store_view *view, struct slice owner, const char *ns,
                         const char *name)
{
    struct slice row = store_get(view, T_PRIVATE, key_named(sm, owner, slice_str(ns), slice_str(name)));

    return row.len > 1 && row.p[0] == FORMAT ? slice_cut(row, 1, row.len) : slice_of(NULL, 0);
}

enum zerr private_put(struct passage *p, const char *ns, const char *name, struct slice xml)
{
    struct buf row = { 0 };

    if (xml.len + 1 > (size_t)p->sm->settings->limits.private_max)
        return ZE_NOT_ACCEPTABLE;
    buf_put_u8(&row, FORMAT);
    buf_put_slice(&row, xml);
    store_put(outcome_accounts(p->out), T_PRIVATE, key_named(p->sm, p->owner, slice_str(ns), slice_str(name)),
              buf_slice(&row));
    buf_free(&row);
    return ZE_OK;
}

/* 2.1: the element must be in a namespace of its own. */
static bool usable(const struct element *e)
{
    return e && e->ns.len && e->ns.len <= 300 && e->name.len <= 100 && !slice_is(e->ns, NS_PRIVATE) &&
           !slice_is(e->ns, NS_CLIENT) && !slice_is(e->ns, NS_SERVER);
}

static const struct element *first_child(const struct element *query)
{
    return query->children;
}

static int get(struct iq *iq)
{
    struct passage       *p = iq->p;
    const struct element *asked = first_child(iq->payload);
    struct store_view    *view;
    struct slice          row;

    if (!usable(asked) || asked->next)
        return ZE_BAD_REQUEST;
    view = store_view(p->sm->store.accounts);
    row = store_get(view, T_PRIVATE, key_of(p, asked));
    xml_open(iq->reply, "query", NS_PRIVATE);
    if (row.len > 1 && row.p[0] == FORMAT) {
        xml_raw(iq->reply, slice_cut(row, 1, row.len));
    } else {
        xml_open_slice(iq->reply, asked->name, asked->ns);      /* 2.2: what was asked, empty */
        xml_close(iq->reply);
    }
    xml_close(iq->reply);
    store_view_end(&view);
    return ZE_OK;
}

struct tally {
    size_t items;
};

static int count_row(void *arg, struct slice key, struct slice value)
{
    struct tally *t = arg;

    (void)key;
    (void)value;
    t->items++;
    return 0;
}

static enum zerr put(struct passage *p, const struct element *e)
{
    struct buf        row = { 0 };
    struct xml_writer w;
    enum zerr         err = ZE_OK;

    buf_put_u8(&row, FORMAT);
    xml_begin(&w, &row, NS_CLIENT);
    xml_element(&w, e);
    if (buf_len(&row) > (size_t)p->sm->settings->limits.private_max)
        err = ZE_NOT_ACCEPTABLE;
    else
        store_put(outcome_accounts(p->out), T_PRIVATE, key_of(p, e), buf_slice(&row));
    buf_free(&row);
    return err;
}

/* All elements or none: an outcome that ends in an error is settled without its batch (iq.c drops it). */
static enum zerr check_all(struct passage *p, const struct element *query)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct tally       t = { 0 };
    enum zerr          err = query->children ? ZE_OK : ZE_BAD_REQUEST;

    store_each(view, T_PRIVATE, sm_key_prefix(p->sm, p->owner), slice_of(NULL, 0), false, count_row, &t);
    for (const struct element *e = query->children; e && !err; e = e->next) {
        if (!usable(e))
            err = ZE_BAD_REQUEST;
        else if (!store_get(view, T_PRIVATE, key_of(p, e)).p &&
                 ++t.items > (size_t)p->sm->settings->limits.private_items_max)
            err = ZE_FULL;
    }
    store_view_end(&view);
    return err;
}

static int set(struct iq *iq)
{
    enum zerr err = check_all(iq->p, iq->payload);

    for (const struct element *e = iq->payload->children; e && !err; e = e->next) {
        err = put(iq->p, e);
        if (!err && element_is(e, NS_BOOKMARKS, "storage"))
            err = bookmarks_from_private(iq->p, e);
    }
    return err;
}

static int private_iq(struct iq *iq)
{
    if (!iq->p->session)
        return ZE_FORBIDDEN;
    return iq->type == IQ_GET ? get(iq) : set(iq);
}

static int sweep_row(void *arg, struct slice key, struct slice value)
{
    (void)value;
    store_delete(arg, T_PRIVATE, key);
    return 0;
}

static void private_removed(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.accounts);

    store_each(view, T_PRIVATE, sm_key_prefix(p->sm, p->owner), slice_of(NULL, 0), false, sweep_row,
               outcome_accounts(p->out));
    store_view_end(&view);
}

static const char *const private_disco[] = { NS_PRIVATE, NULL };

static const struct iq_row private_iqs[] = {
    { IQ_GET | IQ_SET, NS_PRIVATE, "query", TO_OWN_ACCOUNT, private_iq },
    { 0 },
};

const struct sm_feature sm_private = {
    .name = "private", .spec = "XEP-0049", .disco_server = private_disco, .iqs = private_iqs,
    .removed = private_removed,
};
