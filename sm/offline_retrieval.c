/* XEP-0013 Flexible Offline Message Retrieval: the offline view of the ledger read by its owner, message by
 * message. The node of a message is the text of its record's id. What was viewed goes on waiting until its
 * owner removes it (2.4). */

#include <stdlib.h>

#include "data_form.h"
#include "disco.h"
#include "ns.h"
#include "offline.h"
#include "xml_write.h"

enum { ITEMS_MOST = 1000 };            /* named in one request */

/* ---- the node ---- */

static int node_info(struct iq *iq, struct slice node)
{
    struct store_view *view;
    struct ledger      l;
    enum zerr          err = offline_open(iq->p, &l, &view);

    (void)node;
    store_view_end(&view);
    if (err || !iq->p->session)
        return err ? err : ZE_FORBIDDEN;
    offline_by_hand(iq->p->session);
    disco_identity_write(iq->reply, "automation", "message-list", NULL);
    disco_feature_write(iq->reply, NS_OFFLINE);
    form_open(iq->reply, "result", NS_OFFLINE);
    form_put_num(iq->reply, "number_of_messages", NULL, NULL, l.offline_count);
    xml_close(iq->reply);
    return ZE_OK;
}

static int header_write(void *arg, struct ledger_record *r)
{
    struct iq *iq = arg;
    char       id[LEDGER_ID_TEXT];

    if (ledger_unpack(r, iq->p->sm->arena))
        return 0;
    ledger_id_write(id, r->id);
    disco_item_write(iq->reply, iq->p->owner, slice_str(id), r->stanza.from);
    return 0;
}

static int node_items(struct iq *iq, struct slice node)
{
    struct store_view *view;
    struct ledger      l;
    int                err = offline_open(iq->p, &l, &view);

    (void)node;
    if (!err && iq->p->session) {
        offline_by_hand(iq->p->session);
        err = ledger_offline_each(&l, (struct ledger_id){ 0 }, header_write, iq);
    }
    store_view_end(&view);
    return iq->p->session ? err : ZE_FORBIDDEN;
}

static const struct disco_node nodes[] = {
    { TO_OWN_ACCOUNT, NS_OFFLINE, NULL, node_info, node_items },
    { 0 },
};

/* ---- handing out ---- */

struct giving {
    struct passage *p;
    struct ledger  *l;
};

/* The record borrows from the view, which ends before what is sent. */
static struct stanza stanza_of(const struct ledger_record *r, struct arena *arena)
{
    struct stanza s = r->stanza;

    s.from = arena_copy(arena, s.from);
    s.to = arena_copy(arena, s.to);
    s.id = arena_copy(arena, s.id);
    s.lang = arena_copy(arena, s.lang);
    s.flags |= STANZA_HAS_DELAY;
    return s;
}

static int give(void *arg, struct ledger_record *r)
{
    struct passage   *p = ((struct giving *)arg)->p;
    struct buf        content = { 0 };
    struct xml_writer w;
    struct stanza     s;
    char              id[LEDGER_ID_TEXT];

    if (ledger_unpack(r, p->sm->arena))
        return 0;
    ledger_id_write(id, r->id);
    offline_content(&content, r, p->owner);
    xml_begin(&w, &content, NS_CLIENT);
    xml_open(&w, "offline", NS_OFFLINE);
    xml_open(&w, "item", NULL);
    xml_attr(&w, "node", id);
    xml_close(&w);
    xml_close(&w);
    s = stanza_of(r, p->sm->arena);
    s.content = outcome_keep(p->out, &content);
    outcome_session(p->out, AFTER_COMMIT, p->session, &s);
    return 0;
}

static enum zerr give_one(struct giving *g, struct ledger_id id)
{
    struct ledger_record r;
    enum zerr            err = ledger_get(g->l, id, &r);

    if (!err)
        give(g, &r);
    return err;
}

static enum zerr take_one(struct giving *g, struct ledger_id id)
{
    return ledger_offline_take(g->l, outcome_archive(g->p->out), id);
}

/* ---- the messages a request names ---- */

struct named {
    uint64_t ids[ITEMS_MOST];          /* ledger_id_pack */
    size_t   count;
};

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* All of them exist, or nothing is done (2.3, 2.4). */
static enum zerr name(struct ledger *l, const struct element *offline, const char *action, struct named *out)
{
    struct ledger_id id;

    out->count = 0;
    for (const struct element *e = element_child(offline, NULL, "item"); e; e = element_next(e, NULL, "item")) {
        if (!slice_is(element_attr(e, "action"), action))
            return ZE_BAD_REQUEST;
        if (out->count == ITEMS_MOST)
            return ZE_FULL;
        if (ledger_id_parse(element_attr(e, "node"), &id) || !ledger_offline_waits(l, id))
            return ZE_NOT_FOUND;
        out->ids[out->count++] = ledger_id_pack(id);
    }
    qsort(out->ids, out->count, sizeof(out->ids[0]), by_number);
    return out->count ? ZE_OK : ZE_BAD_REQUEST;
}

static enum zerr each_named(struct giving *g, const struct iq *iq, const char *action,
                            enum zerr (*act)(struct giving *g, struct ledger_id id))
{
    struct named *named = arena_alloc(g->p->sm->arena, sizeof(*named));
    enum zerr     err = name(g->l, iq->payload, action, named);

    for (size_t i = 0; i < named->count && !err; i++)
        if (!i || named->ids[i] != named->ids[i - 1])
            err = act(g, ledger_id_unpack(named->ids[i]));
    return err;
}

/* ---- requests ---- */

static enum zerr view(struct giving *g, struct iq *iq)
{
    if (!element_child(iq->payload, NULL, "fetch"))
        return each_named(g, iq, "view", give_one);
    offline_by_hand(g->p->session);
    return ledger_offline_each(g->l, (struct ledger_id){ 0 }, give, g) < 0 ? ZE_STORE : ZE_OK;
}

static enum zerr take_away(struct giving *g, struct iq *iq)
{
    if (!element_child(iq->payload, NULL, "purge"))
        return each_named(g, iq, "remove", take_one);
    return ledger_offline_clear(g->l, outcome_archive(g->p->out), (struct ledger_id){ UINT64_MAX, UINT16_MAX });
}

static int serve(struct iq *iq, enum zerr (*act)(struct giving *g, struct iq *iq))
{
    struct store_view *v;
    struct ledger      l;
    struct giving      g = { iq->p, &l };
    enum zerr          err;

    if (iq->target != TO_OWN_ACCOUNT || !iq->p->session)
        return ZE_FORBIDDEN;
    err = offline_open(iq->p, &l, &v);
    if (!err)
        err = act(&g, iq);
    store_view_end(&v);
    return err;
}

static int get(struct iq *iq)
{
    return serve(iq, view);
}

static int set(struct iq *iq)
{
    return serve(iq, take_away);
}

static const struct iq_row iqs[] = {
    { IQ_GET, NS_OFFLINE, "offline", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, get },
    { IQ_SET, NS_OFFLINE, "offline", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, set },
    { 0 },
};

static const char *const disco[] = { NS_OFFLINE, NULL };

const struct sm_feature sm_offline_retrieval = {
    .name = "offline_retrieval", .spec = "XEP-0013", .disco_server = disco, .disco_nodes = nodes, .iqs = iqs,
};
