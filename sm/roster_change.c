/* Changes of rosters: the rows, the next version, and the push to every interested session (RFC 6121 2.1.6). */

#include "roster_inner.h"

#include "encode.h"
#include "feature.h"
#include "ns.h"
#include "spread.h"

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

void roster_item_write(struct xml_writer *w, const struct roster_item *item, bool removed)
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

void roster_query_open(struct xml_writer *w, bool versioned, uint64_t version)
{
    xml_open(w, "query", NS_ROSTER);
    if (versioned)
        xml_attr_num(w, "ver", (int64_t)version);
}

struct stanza roster_push_make(struct outcome *o, struct sm *sm, struct slice owner,
                               const struct roster_item *item, bool removed, uint64_t version)
{
    struct buf        content = { 0 };
    struct xml_writer w;
    char             *id = arena_alloc(sm->arena, RANDOM_ID);

    xml_begin(&w, &content, NS_CLIENT);
    roster_query_open(&w, true, version);
    roster_item_write(&w, item, removed);
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
    *s = roster_push_make(o, sm, owner, item, removed, version);
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
    struct roster_state st = roster_state_get(sm, view, owner);
    struct slice        key = sm_key(sm, owner, item->contact);

    if (!store_get(view, T_ROSTER, key).p) {
        if (!(item->flags & ROSTER_SHARED) && st.items >= (unsigned long)sm->settings->limits.roster_items_max)
            return ZE_FULL;
        st.items++;
    }
    roster_state_step(&st);
    roster_removals_change(sm, &st, item->contact, NULL);
    store_put(outcome_accounts(o), T_ROSTER, key, roster_item_value(sm, item, st.version));
    roster_state_put(o, sm, owner, &st);
    push(o, sm, owner, item, false, st.version);
    outcome_after(o, AFTER_CONTACT_CHANGED, owner, item->contact);
    return ZE_OK;
}

enum zerr roster_remove(struct outcome *o, struct sm *sm, struct store_view *view, struct slice owner,
                        struct slice contact)
{
    struct roster_state st = roster_state_get(sm, view, owner);
    struct slice        key = sm_key(sm, owner, contact);
    struct roster_item  gone = { .contact = contact };

    if (!store_get(view, T_ROSTER, key).p)
        return ZE_NOT_FOUND;
    roster_state_step(&st);
    gone.version = st.version;
    roster_removals_change(sm, &st, contact, &gone);
    st.items -= st.items > 0;
    store_delete(outcome_accounts(o), T_ROSTER, key);
    roster_state_put(o, sm, owner, &st);
    push(o, sm, owner, &gone, true, st.version);
    outcome_after(o, AFTER_CONTACT_CHANGED, owner, contact);
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
        item->own = item->flags & ROSTER_SUBSCRIPTION;
    item->flags &= ~(unsigned)(ROSTER_SUBSCRIPTION | ROSTER_SHARED);
    item->flags |= item->shared.len ? ROSTER_SHARED | ROSTER_TO | ROSTER_FROM : item->own;
    roster_put(o, sm, view, owner, item);
    return item->flags & ROSTER_FROM;
}
