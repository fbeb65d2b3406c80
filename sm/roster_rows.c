/* Rosters in the store (roster.h): an item's row, the row of the whole, and what is remembered of removed items. */

#include "roster_inner.h"

#include "log.h"

enum { FORMAT = 2, STATE_FORMAT = 2 };

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
    out->own = out->flags & ROSTER_SUBSCRIPTION;
    if (out->flags & ROSTER_SHARED)
        out->flags = (out->flags & ~(unsigned)ROSTER_ASK) | ROSTER_TO | ROSTER_FROM;
    return (format == FORMAT || format == 1) && !c.bad && sized_all(out->groups) && sized_all(out->shared);
}

struct slice roster_item_value(struct sm *sm, const struct roster_item *item, uint64_t version)
{
    bool         shared = item->flags & ROSTER_SHARED;
    struct buf   b = { 0 };
    struct slice value;

    buf_put_u8(&b, FORMAT);
    buf_put_u8(&b, (uint8_t)(shared ? (item->flags & ~(unsigned)ROSTER_SUBSCRIPTION) | item->own : item->flags));
    buf_put_u64(&b, version);
    buf_put_sized(&b, item->name);
    buf_put_sized(&b, shared ? item->shared : slice_of("", 0));
    buf_put_slice(&b, item->groups);
    value = arena_copy(sm->arena, buf_slice(&b));
    buf_free(&b);
    return value;
}

struct roster_state roster_state_get(struct sm *sm, struct store_view *view, struct slice owner)
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

void roster_state_put(struct outcome *o, struct sm *sm, struct slice owner, const struct roster_state *st)
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

void roster_state_step(struct roster_state *st)
{
    st->version = st->version ? st->version + 1 : wall_us();
}

bool roster_next_removal(struct cursor *c, struct roster_item *gone)
{
    *gone = (struct roster_item){ .version = take_u64(c) };
    gone->contact = take_sized(c);
    return !c->bad;
}

void roster_removals_change(struct sm *sm, struct roster_state *st, struct slice contact,
                            const struct roster_item *added)
{
    struct cursor      c = { st->removals, false };
    struct buf         b = { 0 };
    struct roster_item gone;
    unsigned           count = 0, drop;

    while (roster_next_removal(&c, &gone))
        count += !slice_eq(gone.contact, contact);
    drop = count + (added != NULL) > ROSTER_REMOVALS_MAX ? 1 : 0;
    c = (struct cursor){ st->removals, false };
    while (roster_next_removal(&c, &gone)) {
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
