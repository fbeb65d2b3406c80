/* RFC 6121 2: get, set, remove, versions (2.6). Subscription states are subscription.c's. */

#include "roster_inner.h"

#include <stdlib.h>

#include "jid.h"
#include "ns.h"
#include "subscription.h"

enum { CHANGES_MAX = 64 };

/* ---- get ---- */

static int write_each(void *arg, const struct roster_item *item)
{
    roster_item_write(arg, item, false);
    return 0;
}

struct change {
    struct roster_item item;
    bool               removed;
};

struct changes {
    struct sm     *sm;
    uint64_t       since;
    size_t         count;
    struct change  change[CHANGES_MAX];
};

/* 1: they are too many. */
static int collect(struct changes *ch, const struct roster_item *item, bool removed)
{
    struct change *c = &ch->change[ch->count];

    if (item->version <= ch->since)
        return 0;
    if (ch->count == CHANGES_MAX)
        return 1;
    *c = (struct change){ *item, removed };
    c->item.contact = arena_copy(ch->sm->arena, item->contact);
    ch->count++;
    return 0;
}

static int collect_each(void *arg, const struct roster_item *item)
{
    return collect(arg, item, false);
}

static int collect_removals(struct changes *ch, const struct roster_state *st)
{
    struct cursor      c = { st->removals, false };
    struct roster_item gone;

    while (roster_next_removal(&c, &gone))
        if (collect(ch, &gone, true))
            return 1;
    return 0;
}

static int by_version(const void *a, const void *b)
{
    const struct change *x = a, *y = b;

    return (x->item.version > y->item.version) - (x->item.version < y->item.version);
}

/* 2.6.3: an empty result, then a push for each item that changed since, oldest change first. */
static bool send_changes(struct iq *iq, struct store_view *view, const struct roster_state *st, uint64_t since)
{
    struct passage *p = iq->p;
    struct changes *ch = arena_alloc(p->sm->arena, sizeof(*ch));

    ch->sm = p->sm;
    ch->since = since;
    ch->count = 0;
    if (collect_removals(ch, st) || roster_each(p->sm, view, p->owner, collect_each, ch))
        return false;
    if (ch->count)
        qsort(ch->change, ch->count, sizeof(ch->change[0]), by_version);
    struct stanza empty = {
        .name = STANZA_IQ, .type = TYPE_RESULT, .id = p->stanza->id, .from = p->owner,
    };
    outcome_session(p->out, AFTER_COMMIT, p->session, &empty);
    for (size_t i = 0; i < ch->count; i++) {
        const struct change *c = &ch->change[i];
        struct stanza        one = roster_push_make(p->out, p->sm, p->owner, &c->item, c->removed, c->item.version);
        outcome_session(p->out, AFTER_COMMIT, p->session, &one);
    }
    return true;
}

/* A version we gave out, since when all removals are remembered: number, else 0. */
static uint64_t version_known(struct slice ver, const struct roster_state *st)
{
    uint64_t n = 0;

    if (!ver.len || ver.len > 19)
        return 0;
    for (size_t i = 0; i < ver.len; i++) {
        if (ver.p[i] < '0' || ver.p[i] > '9')
            return 0;
        n = n * 10 + (uint64_t)(ver.p[i] - '0');
    }
    return n >= st->forgotten && n <= st->version ? n : 0;
}

static int get(struct iq *iq)
{
    struct passage     *p = iq->p;
    struct slice        ver = element_attr(iq->payload, "ver");
    struct store_view  *view = store_view(p->sm->store.accounts);
    struct roster_state st = roster_state_get(p->sm, view, p->owner);
    uint64_t            since = version_known(ver, &st);
    int                 err;

    p->session->interested = true;
    session_changed(p->session);
    if (since && send_changes(iq, view, &st, since)) {
        store_view_end(&view);
        return LATER;                /* the answer was recorded above */
    }
    roster_query_open(iq->reply, ver.p != NULL, st.version);
    err = roster_each(p->sm, view, p->owner, write_each, iq->reply);
    xml_close(iq->reply);
    store_view_end(&view);
    return err;
}

/* ---- set ---- */

/* 2.3.3: a group twice is a bad request; too long, too many or without a name are not acceptable. */
static enum zerr read_groups(struct sm *sm, const struct element *item, struct buf *groups)
{
    const struct element *g = element_child(item, NULL, "group");
    size_t                most = (size_t)sm->settings->limits.roster_groups_max, count = 0;
    struct slice         *seen = arena_alloc(sm->arena, most * sizeof(*seen));

    for (; g; g = element_next(g, NULL, "group")) {
        struct slice name = element_text(sm->arena, g);
        if (!name.len || name.len > (size_t)sm->settings->limits.roster_name_max || count == most)
            return ZE_NOT_ACCEPTABLE;
        for (size_t i = 0; i < count; i++)
            if (slice_eq(seen[i], name))
                return ZE_BAD_REQUEST;
        seen[count++] = name;
        buf_put_sized(groups, name);
    }
    return ZE_OK;
}

/* 2.3.1: one item; 2.1.2.4: its jid is a bare one. */
static enum zerr read_item(struct iq *iq, const struct element **item, struct slice *contact)
{
    struct jid   j;
    struct slice raw_jid;

    *item = element_child(iq->payload, NULL, "item");
    if (!*item || element_next(*item, NULL, NULL))
        return ZE_BAD_REQUEST;
    raw_jid = element_attr(*item, "jid");
    if (!raw_jid.len)
        return ZE_BAD_REQUEST;
    if (jid_parse(raw_jid, &j))
        return ZE_BAD_JID;
    *contact = arena_copy(iq->p->sm->arena, jid_bare(jid_slice(&j)));
    return slice_eq(*contact, iq->p->owner) ? ZE_NOT_ALLOWED : ZE_OK;
}

static enum zerr set_item(struct passage *p, struct store_view *view, const struct element *e,
                          struct slice contact)
{
    struct roster_item item;
    struct buf         groups = { 0 };
    enum zerr          err;

    roster_find(p->sm, view, p->owner, contact, &item);
    item.flags &= ~(unsigned)ROSTER_UNLISTED;
    item.name = element_attr(e, "name");
    if (item.name.len > (size_t)p->sm->settings->limits.roster_name_max)
        return ZE_NOT_ACCEPTABLE;
    err = read_groups(p->sm, e, &groups);
    item.groups = outcome_keep(p->out, &groups);
    return err ? err : roster_put(p->out, p->sm, view, p->owner, &item);
}

/* 2.5.2: the contact hears what the removal means for both directions. */
static enum zerr remove_item(struct passage *p, struct store_view *view, struct slice contact)
{
    struct roster_item item;
    enum zerr          err;

    if (!roster_find(p->sm, view, p->owner, contact, &item))
        return ZE_NOT_FOUND;
    if (item.flags & ROSTER_SHARED)
        return ZE_NOT_ALLOWED;              /* it is the operator's */
    err = roster_remove(p->out, p->sm, view, p->owner, contact);
    if (!err)
        subscription_cancel(p, &item);
    return err;
}

static int set(struct iq *iq)
{
    struct passage       *p = iq->p;
    const struct element *item;
    struct slice          contact;
    enum zerr             err = read_item(iq, &item, &contact);
    struct store_view    *view;

    if (err)
        return err;
    view = store_view(p->sm->store.accounts);
    if (slice_is(element_attr(item, "subscription"), "remove"))
        err = remove_item(p, view, contact);
    else
        err = set_item(p, view, item, contact);
    store_view_end(&view);
    return err;
}

static int roster_iq(struct iq *iq)
{
    if (!iq->p->session)
        return ZE_FORBIDDEN;         /* 2.3.3: only the account's own resources */
    return iq->type == IQ_GET ? get(iq) : set(iq);
}

/* ---- the account goes ---- */

static int cancel_each(void *arg, const struct roster_item *item)
{
    struct passage *p = arg;

    subscription_cancel(p, item);
    store_delete(outcome_accounts(p->out), T_ROSTER, sm_key(p->sm, p->owner, item->contact));
    return 0;
}

static void roster_removed(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.accounts);

    roster_each(p->sm, view, p->owner, cancel_each, p);
    store_delete(outcome_accounts(p->out), T_ROSTER_VERSION, sm_key(p->sm, p->owner, slice_of(NULL, 0)));
    store_view_end(&view);
}

static const struct iq_row roster_iqs[] = {
    { IQ_GET | IQ_SET, NS_ROSTER, "query", TO_OWN_ACCOUNT, roster_iq },
    { 0 },
};

static const char *const roster_disco[] = { NS_ROSTER, NULL };

const struct sm_feature sm_roster = {
    .name = "roster", .spec = "RFC 6121 2", .disco_server = roster_disco, .iqs = roster_iqs,
    .removed = roster_removed,
};
