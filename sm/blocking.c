/* XEP-0191 Blocking Command: what a blocked JID sends goes nowhere, nor does anything to it. Blocking is
 * polite (4): subscriptions stay as they are. First in features.c: nothing of a blocked JID is stored,
 * copied or counted. Fan-outs ask blocked() as well (deliver.c, spread.c), presence its own (presence.c). */

#include "blocked.h"
#include "encode.h"
#include "feature.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "presence.h"
#include "reports.h"
#include "roster.h"
#include "spread.h"
#include "table.h"

static uint64_t stanzas_blocked;

static const struct stat_row stats[] = {
    { "stanzas_blocked", "stanzas from JIDs that their addressee blocks", &stanzas_blocked },
    { 0 },
};

/* ---- what a request names ---- */

/* Collects the items' JIDs, canonical, each once. The table is the caller's. */
static enum zerr read_items(struct iq *iq, struct table *named)
{
    struct jid   j;
    struct slice raw_jid;

    for (const struct element *e = element_child(iq->payload, NS_BLOCKING, "item"); e;
         e = element_next(e, NS_BLOCKING, "item")) {
        raw_jid = element_attr(e, "jid");
        if (!raw_jid.len)
            return ZE_BAD_REQUEST;
        if (jid_parse(raw_jid, &j))
            return ZE_BAD_JID;
        table_put(named, jid_slice(&j), named);
    }
    return ZE_OK;
}

static void items_write(struct xml_writer *w, const struct table *named)
{
    for (struct table_iter i = { 0 }; table_next(named, &i);) {
        xml_open(w, "item", NULL);
        xml_attr_slice(w, "jid", i.key);
        xml_close(w);
    }
}

/* 3.3, 3.4: to all resources that have asked for the list. */
static void push(struct passage *p, const char *command, const struct table *named)
{
    const struct online *account = session_online(p->sm->sessions, p->owner);
    struct stanza       *s = arena_alloc(p->sm->arena, sizeof(*s));
    char                *id = arena_alloc(p->sm->arena, RANDOM_ID);
    struct buf           content = { 0 };
    struct xml_writer    w;
    struct spread        spread;

    xml_begin(&w, &content, NS_CLIENT);
    xml_open(&w, command, NS_BLOCKING);
    items_write(&w, named);
    xml_close(&w);
    random_id(id);
    *s = (struct stanza){
        .name = STANZA_IQ, .type = TYPE_SET, .from = p->owner, .id = slice_of(id, RANDOM_ID - 1),
        .content = outcome_keep(p->out, &content),
    };
    spread_begin(&spread, p->sm, p->out, AFTER_COMMIT, s);
    ONLINE_EACH(account, node, session)
        if (session->blocklist)
            spread_session(&spread, session);
    spread_end(&spread);
}

/* ---- what a change tells others (3.3, 3.4: those who may see the presence) ---- */

struct telling {
    struct passage     *p;
    struct store_view  *view;
    const struct table *named;
    bool                show;          /* they may see the owner again; else not any more */
};

/* One who was subscribed to a resource's presence, or to all. */
static void tell(struct telling *t, struct slice jid)
{
    if (!blocked(t->p->sm, t->p->owner, jid))
        presence_show(t->p, arena_copy(t->p->sm->arena, jid), t->show);
}

static int tell_contact(void *arg, const struct roster_item *item)
{
    struct telling *t = arg;

    if (!blocked_by(t->named, item->contact) || blocked(t->p->sm, t->p->owner, item->contact))
        return 0;
    if (item->flags & ROSTER_FROM)
        tell(t, item->contact);
    if (t->show && item->flags & ROSTER_TO)
        presence_ask(t->p, arena_copy(t->p->sm->arena, item->contact));
    return 0;
}

/* An item that names one resource of a contact. */
static void tell_resources(struct telling *t)
{
    struct roster_item item;

    for (struct table_iter i = { 0 }; table_next(t->named, &i);)
        if (!jid_is_bare(i.key) && !table_get(t->named, jid_bare(i.key)) &&
            roster_find(t->p->sm, t->view, t->p->owner, jid_bare(i.key), &item) && item.flags & ROSTER_FROM)
            tell(t, i.key);
}

/* While those named are not blocked: before they are, and after they have been. */
static void tell_all(struct passage *p, const struct table *named, bool show)
{
    struct telling t = { p, store_view(p->sm->store.accounts), named, show };

    roster_each(p->sm, t.view, p->owner, tell_contact, &t);
    tell_resources(&t);
    store_view_end(&t.view);
}

/* Rooms and strangers that know of a session by directed presence (RFC 6121 4.6.3). */
static void undirect(struct passage *p, const struct table *named)
{
    const struct online *account = session_online(p->sm->sessions, p->owner);

    ONLINE_EACH(account, node, s)
        for (struct directed *d = s->directed, *next; d; d = next) {
            struct slice jid = arena_copy(p->sm->arena, slice_of(d->jid, d->len));
            next = d->next;
            if (!blocked_by(named, jid))
                continue;
            presence_leave(p, s, jid);
            session_undirect(s, jid);
        }
}

/* ---- changes ---- */

static void watch(struct passage *p)
{
    outcome_after(p->out, AFTER_BLOCKLIST_CHANGED, p->owner, slice_of(NULL, 0));
}

static int count_one(void *arg, struct slice jid)
{
    (void)jid;
    ++*(size_t *)arg;
    return 0;
}

/* Of those named, which are not on the list yet. */
static enum zerr find_new(struct passage *p, const struct table *named, struct table *new)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    size_t             count = 0;

    for (struct table_iter i = { 0 }; table_next(named, &i);)
        if (!store_get(view, T_BLOCK, sm_key(p->sm, p->owner, i.key)).p)
            table_put(new, i.key, new);
    blocked_each(p->sm, view, p->owner, count_one, &count);
    store_view_end(&view);
    return count + table_count(new) > (size_t)p->sm->settings->limits.blocklist_max ? ZE_FULL : ZE_OK;
}

static void block_all(struct passage *p, const struct table *new)
{
    tell_all(p, new, false);
    undirect(p, new);
    for (struct table_iter i = { 0 }; table_next(new, &i);) {
        blocked_put(p->sm, outcome_accounts(p->out), p->owner, i.key);
        blocked_add(p->sm, p->owner, i.key);
    }
    watch(p);
}

static enum zerr block(struct iq *iq, struct table *named)
{
    struct table *new = table_new();
    enum zerr     err = table_count(named) ? find_new(iq->p, named, new) : ZE_BAD_REQUEST;     /* 3.3 */

    if (!err) {
        block_all(iq->p, new);
        reports_take(iq);
        push(iq->p, "block", named);
    }
    table_free(&new);
    return err;
}

static int name_one(void *arg, struct slice jid)
{
    table_put(arg, jid, arg);
    return 0;
}

static enum zerr unblock(struct iq *iq, struct table *named)
{
    struct passage    *p = iq->p;
    bool               all = !table_count(named);
    struct store_view *view = store_view(p->sm->store.accounts);
    struct table      *none = table_new();

    if (all)                                               /* 3.5 */
        blocked_each(p->sm, view, p->owner, name_one, named);
    store_view_end(&view);
    for (struct table_iter i = { 0 }; table_next(named, &i);) {
        blocked_delete(p->sm, outcome_accounts(p->out), p->owner, i.key);
        blocked_remove(p->sm, p->owner, i.key);
    }
    tell_all(p, named, true);
    watch(p);
    push(p, "unblock", all ? none : named);
    table_free(&none);
    return ZE_OK;
}

/* ---- IQs ---- */

static int write_one(void *arg, struct slice jid)
{
    xml_open(arg, "item", NULL);
    xml_attr_slice(arg, "jid", jid);
    xml_close(arg);
    return 0;
}

static int get_list(struct iq *iq)
{
    struct passage    *p = iq->p;
    struct store_view *view;

    if (!p->session)
        return ZE_FORBIDDEN;
    p->session->blocklist = true;
    session_changed(p->session);
    view = store_view(p->sm->store.accounts);
    xml_open(iq->reply, "blocklist", NS_BLOCKING);
    blocked_each(p->sm, view, p->owner, write_one, iq->reply);
    xml_close(iq->reply);
    store_view_end(&view);
    return ZE_OK;
}

static int change(struct iq *iq, enum zerr (*make)(struct iq *iq, struct table *named))
{
    struct table *named = table_new();
    enum zerr     err = iq->p->session ? read_items(iq, named) : ZE_FORBIDDEN;

    if (!err)
        err = make(iq, named);
    table_free(&named);
    return err;
}

static int block_iq(struct iq *iq)
{
    return change(iq, block);
}

static int unblock_iq(struct iq *iq)
{
    return change(iq, unblock);
}

/* ---- stanzas on their way ---- */

/* One of the account's sessions is in that room: an error from it would throw it out (XEP-0045 18.1.3). */
static bool is_occupant(const struct passage *p)
{
    const struct online *account = session_online(p->sm->sessions, p->owner);

    if (!account)
        return false;
    ONLINE_EACH(account, node, s)
        for (const struct directed *d = s->directed; d; d = d->next)
            if (jid_same_bare(slice_of(d->jid, d->len), p->stanza->from))
                return true;
    return false;
}

/* 3.3: to the one who is blocked the account looks as if nobody were there. */
static int blocking_incoming(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (!p->exists || !blocked(p->sm, p->owner, s->from))
        return GO_ON;
    stanzas_blocked++;
    if (s->name == STANZA_MESSAGE)
        return s->type == TYPE_ERROR || s->type == TYPE_GROUPCHAT || is_occupant(p) ? TAKEN : ZE_NO_SUCH;
    return s->name == STANZA_IQ && (s->type == TYPE_GET || s->type == TYPE_SET) ? ZE_NO_SUCH : TAKEN;
}

static int blocking_outgoing(struct passage *p)
{
    return blocked(p->sm, p->owner, p->stanza->to) ? ZE_BLOCKED : GO_ON;
}

/* ---- the account goes ---- */

static int forget_one(void *arg, struct slice jid)
{
    struct passage *p = arg;

    blocked_delete(p->sm, outcome_accounts(p->out), p->owner, jid);
    return 0;
}

static void blocking_removed(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.accounts);

    blocked_each(p->sm, view, p->owner, forget_one, p);
    store_view_end(&view);
}

static const struct iq_row blocking_iqs[] = {
    { IQ_GET, NS_BLOCKING, "blocklist", TO_OWN_ACCOUNT, get_list },
    { IQ_SET, NS_BLOCKING, "block", TO_OWN_ACCOUNT, block_iq },
    { IQ_SET, NS_BLOCKING, "unblock", TO_OWN_ACCOUNT, unblock_iq },
    { 0 },
};

static const char *const blocking_disco[] = { NS_BLOCKING, NULL };

const struct sm_feature sm_blocking = {
    .name = "blocking", .spec = "XEP-0191", .disco_server = blocking_disco, .iqs = blocking_iqs, .stats = stats,
    .outgoing = blocking_outgoing, .incoming = blocking_incoming, .removed = blocking_removed,
};
