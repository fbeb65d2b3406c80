/* RFC 6121 2: get, set, remove, push, versions (2.6). Subscription states are subscription.c's. */

#include "roster.h"

#include <stdlib.h>

#include "cursor.h"
#include "encode.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "spread.h"
#include "subscription.h"

enum { FORMAT = 2, STATE_FORMAT = 2, CHANGES_MAX = 64 };

/* ---- rows ---- */

struct roster_state {
    uint64_t     version, forgotten;
    uint32_t     items;
    struct slice removals;         /* as stored */
};

enum { SUBSCRIPTION = ROSTER_TO | ROSTER_FROM | ROSTER_ASK };

static bool sized_all(struct slice list)
{
    struct cursor c = { list, false };

    while (!c.bad && c.rest.len)
        take_sized(&c);
    return !c.bad;
}

static bool item_take(struct slice value, struct roster_item *out)
{
    struct cursor c = { value, false };
    uint8_t       format = take_u8(&c);

    out->flags = take_u8(&c);
    out->version = take_u64(&c);
    out->name = take_sized(&c);
    out->shared = format == 1 ? slice_of("", 0) : take_sized(&c);
    out->groups = c.rest;
    out->own = out->flags & SUBSCRIPTION;
    if (out->flags & ROSTER_SHARED)
        out->flags = (out->flags & ~(unsigned)ROSTER_ASK) | ROSTER_TO | ROSTER_FROM;
    return (format == FORMAT || format == 1) && !c.bad && sized_all(out->groups) && sized_all(out->shared);
}

static struct slice item_value(struct sm *sm, const struct roster_item *item, uint64_t version)
{
    bool         shared = item->flags & ROSTER_SHARED;
    struct buf   b = { 0 };
    struct slice value;

    buf_put_u8(&b, FORMAT);
    buf_put_u8(&b, (uint8_t)(shared ? (item->flags & ~(unsigned)SUBSCRIPTION) | item->own : item->flags));
    buf_put_u64(&b, version);
    buf_put_sized(&b, item->name);
    buf_put_sized(&b, shared ? item->shared : slice_of("", 0));
    buf_put_slice(&b, item->groups);
    value = arena_copy(sm->arena, buf_slice(&b));
    buf_free(&b);
    return value;
}

static struct roster_state state_get(struct sm *sm, struct store_view *view, struct slice owner)
{
    struct slice        raw = store_get(view, T_ROSTER_VERSION, sm_key(sm, owner, slice_of(NULL, 0)));
    struct cursor       c = { raw, false };
    struct roster_state st = { 0 };

    if (!raw.p)
        return st;
    uint8_t format = take_u8(&c);
    st.version = take_u64(&c);
    st.items = take_u32(&c);
    st.forgotten = take_u64(&c);
    st.removals = c.rest;
    while (!c.bad && c.rest.len) {
        take_u64(&c);
        take_sized(&c);
    }
    if (!cursor_done(&c) || (format != STATE_FORMAT && (format != 1 || st.removals.len)))
        fatal("roster_version_unreadable", "jid", log_slice(owner), NULL);
    return st;
}

static void state_put(struct outcome *o, struct sm *sm, struct slice owner, const struct roster_state *st)
{
    struct buf b = { 0 };

    buf_put_u8(&b, STATE_FORMAT);
    buf_put_u64(&b, st->version);
    buf_put_u32(&b, st->items);
    buf_put_u64(&b, st->forgotten);
    buf_put_slice(&b, st->removals);
    store_put(outcome_accounts(o), T_ROSTER_VERSION, sm_key(sm, owner, slice_of(NULL, 0)), buf_slice(&b));
    buf_free(&b);
}

/* The next version. */
static void state_step(struct roster_state *st)
{
    st->version = st->version ? st->version + 1 : wall_us();
}

static bool next_removal(struct cursor *c, struct roster_item *gone)
{
    *gone = (struct roster_item){ .version = take_u64(c) };
    gone->contact = take_sized(c);
    return !c->bad;
}

/* The removals without the contact's, and with `added` (or NULL) behind; the oldest goes when they are too many. */
static void removals_change(struct sm *sm, struct roster_state *st, struct slice contact,
                            const struct roster_item *added)
{
    struct cursor      c = { st->removals, false };
    struct buf         b = { 0 };
    struct roster_item gone;
    unsigned           count = 0, drop;

    while (next_removal(&c, &gone))
        count += !slice_eq(gone.contact, contact);
    drop = count + (added != NULL) > ROSTER_REMOVALS_MAX ? 1 : 0;
    c = (struct cursor){ st->removals, false };
    while (next_removal(&c, &gone)) {
        if (slice_eq(gone.contact, contact))
            continue;
        if (drop) {
            drop = 0;
            st->forgotten = gone.version;
            continue;
        }
        buf_put_u64(&b, gone.version);
        buf_put_sized(&b, gone.contact);
    }
    if (added) {
        buf_put_u64(&b, added->version);
        buf_put_sized(&b, added->contact);
    }
    st->removals = arena_copy(sm->arena, buf_slice(&b));
    buf_free(&b);
}

struct walk {
    struct slice prefix;
    int        (*each)(void *arg, const struct roster_item *item);
    void        *arg;
};

static int walk_row(void *arg, struct slice key, struct slice value)
{
    struct walk       *w = arg;
    struct roster_item item;

    if (!item_take(value, &item)) {
        log_error("roster_item_unreadable", "jid", log_slice(sm_key_rest(key, w->prefix)), NULL);
        return 0;
    }
    item.contact = sm_key_rest(key, w->prefix);
    return w->each(w->arg, &item);
}

int roster_each(struct sm *sm, struct store_view *view, struct slice owner,
                int (*each)(void *arg, const struct roster_item *item), void *arg)
{
    struct walk w = { sm_key_prefix(sm, owner), each, arg };

    return store_each(view, T_ROSTER, w.prefix, slice_of(NULL, 0), false, walk_row, &w);
}

bool roster_find(const struct sm *sm, struct store_view *view, struct slice owner, struct slice contact,
                 struct roster_item *out)
{
    struct slice value = store_get(view, T_ROSTER, sm_key(sm, owner, contact));

    *out = (struct roster_item){ .contact = contact };
    return value.p && item_take(value, out);
}

/* ---- XML ---- */

static const char *subscription_name(unsigned flags)
{
    static const char *const names[] = { "none", "to", "from", "both" };

    return names[flags & (ROSTER_TO | ROSTER_FROM)];
}

static bool among(struct slice list, struct slice name)
{
    struct cursor c = { list, false };

    while (c.rest.len && !c.bad)
        if (slice_eq(take_sized(&c), name))
            return true;
    return false;
}

/* Of a shared group that the owner gave the contact as well: once. */
static void groups_write(struct xml_writer *w, struct slice list, struct slice without)
{
    struct cursor c = { list, false };

    while (c.rest.len && !c.bad) {
        struct slice name = take_sized(&c);
        if (!among(without, name))
            xml_simple(w, "group", NULL, name);
    }
}

static void item_write(struct xml_writer *w, const struct roster_item *item, bool removed)
{
    xml_open(w, "item", NULL);
    xml_attr_slice(w, "jid", item->contact);
    if (item->name.len && !removed)
        xml_attr_slice(w, "name", item->name);
    xml_attr(w, "subscription", removed ? "remove" : subscription_name(item->flags));
    if (!removed && item->flags & ROSTER_ASK)
        xml_attr(w, "ask", "subscribe");
    if (!removed && item->flags & ROSTER_APPROVED)
        xml_attr(w, "approved", "true");
    if (!removed) {
        groups_write(w, item->groups, slice_of("", 0));
        groups_write(w, item->shared, item->groups);
    }
    xml_close(w);
}

static void query_open(struct xml_writer *w, bool versioned, uint64_t version)
{
    xml_open(w, "query", NS_ROSTER);
    if (versioned)
        xml_attr_num(w, "ver", (int64_t)version);
}

static struct stanza push_make(struct outcome *o, struct sm *sm, struct slice owner,
                               const struct roster_item *item, bool removed, uint64_t version)
{
    struct buf        content = { 0 };
    struct xml_writer w;
    char             *id = arena_alloc(sm->arena, RANDOM_ID);

    xml_begin(&w, &content, NS_CLIENT);
    query_open(&w, true, version);
    item_write(&w, item, removed);
    xml_close(&w);
    random_id(id);
    return (struct stanza){
        .name = STANZA_IQ, .type = TYPE_SET, .from = owner, .id = slice_of(id, RANDOM_ID - 1),
        .content = outcome_keep(o, &content),
    };
}

/* 2.1.6: to every interested resource, the one that asked for the change included. */
static void push(struct outcome *o, struct sm *sm, struct slice owner, const struct roster_item *item,
                 bool removed, uint64_t version)
{
    const struct online *account = session_online(sm->sessions, owner);
    struct stanza       *s;
    struct spread        spread;

    if (!account)
        return;
    s = arena_alloc(sm->arena, sizeof(*s));
    *s = push_make(o, sm, owner, item, removed, version);
    spread_begin(&spread, sm, o, AFTER_COMMIT, s);
    ONLINE_EACH(account, node, session)
        if (session->interested)
            spread_session(&spread, session);
    spread_end(&spread);
}

/* ---- changes ---- */

enum zerr roster_put(struct outcome *o, struct sm *sm, struct store_view *view, struct slice owner,
                     const struct roster_item *item)
{
    struct roster_state st = state_get(sm, view, owner);
    struct slice        key = sm_key(sm, owner, item->contact);

    if (!store_get(view, T_ROSTER, key).p) {
        if (!(item->flags & ROSTER_SHARED) && st.items >= (unsigned long)sm->settings->limits.roster_items_max)
            return ZE_FULL;
        st.items++;
    }
    state_step(&st);
    removals_change(sm, &st, item->contact, NULL);
    store_put(outcome_accounts(o), T_ROSTER, key, item_value(sm, item, st.version));
    state_put(o, sm, owner, &st);
    push(o, sm, owner, item, false, st.version);
    return ZE_OK;
}

enum zerr roster_remove(struct outcome *o, struct sm *sm, struct store_view *view, struct slice owner,
                        struct slice contact)
{
    struct roster_state st = state_get(sm, view, owner);
    struct slice        key = sm_key(sm, owner, contact);
    struct roster_item  gone = { .contact = contact };

    if (!store_get(view, T_ROSTER, key).p)
        return ZE_NOT_FOUND;
    state_step(&st);
    gone.version = st.version;
    removals_change(sm, &st, contact, &gone);
    st.items -= st.items > 0;
    store_delete(outcome_accounts(o), T_ROSTER, key);
    state_put(o, sm, owner, &st);
    push(o, sm, owner, &gone, true, st.version);
    return ZE_OK;
}

bool roster_share(struct outcome *o, struct sm *sm, struct store_view *view, struct slice owner,
                  struct roster_item *item)
{
    if (!item->shared.len && item->flags & ROSTER_UNLISTED) {
        roster_remove(o, sm, view, owner, item->contact);
        return false;
    }
    if (!(item->flags & ROSTER_SHARED))
        item->own = item->flags & SUBSCRIPTION;
    item->flags &= ~(unsigned)(SUBSCRIPTION | ROSTER_SHARED);
    item->flags |= item->shared.len ? ROSTER_SHARED | ROSTER_TO | ROSTER_FROM : item->own;
    roster_put(o, sm, view, owner, item);
    return item->flags & ROSTER_FROM;
}

/* ---- get ---- */

static int write_each(void *arg, const struct roster_item *item)
{
    item_write(arg, item, false);
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

    while (next_removal(&c, &gone))
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
        struct stanza        one = push_make(p->out, p->sm, p->owner, &c->item, c->removed, c->item.version);
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
    struct roster_state st = state_get(p->sm, view, p->owner);
    uint64_t            since = version_known(ver, &st);
    int                 err;

    p->session->interested = true;
    session_changed(p->session);
    if (since && send_changes(iq, view, &st, since)) {
        store_view_end(&view);
        return LATER;                /* the answer was recorded above */
    }
    query_open(iq->reply, ver.p != NULL, st.version);
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
