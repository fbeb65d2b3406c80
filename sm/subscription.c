/* RFC 6121 3: what surrounds each change of a subscription (its table: subscription_table.c): routing, roster push,
 * the waiting request, presence that begins or ends. */

#include "subscription.h"

#include "blocked.h"
#include "cursor.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "presence.h"
#include "push.h"
#include "spread.h"

enum { FORMAT = 1 };

struct change {
    struct passage    *p;
    struct store_view *view;
    struct slice       contact;
    struct roster_item item;
    bool               listed;        /* the roster has such an item */
    enum sub_state     before;
    struct sub_result  after;
};

static void change_begin(struct change *c, struct passage *p, enum sub_direction direction,
                         struct slice contact)
{
    struct sm *sm = p->sm;
    bool       waiting;

    *c = (struct change){ .p = p, .view = store_view(sm->store.accounts), .contact = contact };
    c->listed = roster_find(sm, c->view, p->owner, contact, &c->item);
    waiting = store_get(c->view, T_PENDING, sm_key(sm, p->owner, contact)).p != NULL;
    c->before = sub_state_of(c->item.flags, waiting);
    c->after = sub_rule(direction, p->stanza->type, c->before, c->item.flags & ROSTER_APPROVED);
}

/* Of a shared group (groups.h): nothing that the two say changes what they see of each other. That one takes back
 * what he had granted or asked for himself is remembered for when the group is gone. */
static bool is_shared(struct change *c, enum sub_direction direction)
{
    unsigned       type = c->p->stanza->type;
    enum sub_state own;

    if (!(c->item.flags & ROSTER_SHARED))
        return false;
    own = sub_rule(direction, type, sub_state_of(c->item.own, false), false).next;
    if (direction == SUB_INBOUND && type >= TYPE_UNSUBSCRIBE && sub_flags(own) != c->item.own) {
        c->item.own = sub_flags(own);
        roster_put(c->p->out, c->p->sm, c->view, c->p->owner, &c->item);
    }
    return true;
}

/* The item as the table wants it. A contact that is only "Pending In" is none. */
static enum zerr write_item(struct change *c)
{
    unsigned flags = sub_flags(c->after.next) | (c->after.approved ? ROSTER_APPROVED : 0);

    if (flags == c->item.flags)
        return ZE_OK;
    c->item.flags = flags;
    return roster_put(c->p->out, c->p->sm, c->view, c->p->owner, &c->item);
}

static void forget_request(struct change *c)
{
    struct passage *p = c->p;

    if (sub_pending_in(c->before) && !sub_pending_in(c->after.next))
        store_delete(outcome_accounts(p->out), T_PENDING, sm_key(p->sm, p->owner, c->contact));
}

static int count_row(void *arg, struct slice key, struct slice value)
{
    size_t *left = arg;

    (void)key;
    (void)value;
    return --*left == 0;
}

/* 3.1.3: the whole stanza is kept and shown again at each login until it is answered. Content over the
 * limit is dropped, more requests than the limit are ignored: strangers fill this. */
static bool keep_request(struct change *c, unsigned *waiting)
{
    struct passage      *p = c->p;
    const struct stanza *s = p->stanza;
    struct buf           value = { 0 };
    size_t               most = (size_t)p->sm->settings->limits.requests_max, left = most;

    store_each(c->view, T_PENDING, sm_key_prefix(p->sm, p->owner), slice_of(NULL, 0), false, count_row,
               &left);
    *waiting = (unsigned)(most - left) + 1;
    if (!left)
        return false;
    buf_put_u8(&value, FORMAT);
    buf_put_u64(&value, wall_us());
    buf_put_sized(&value, s->id.len <= 256 ? s->id : slice_of(NULL, 0));
    buf_put_sized(&value, s->lang.len <= 64 ? s->lang : slice_of(NULL, 0));
    if (s->content.len <= (size_t)p->sm->settings->limits.request_size)
        buf_put_slice(&value, s->content);
    store_put(outcome_accounts(p->out), T_PENDING, sm_key(p->sm, p->owner, c->contact), buf_slice(&value));
    buf_free(&value);
    return true;
}

/* ---- outbound: our account says something ---- */

static enum zerr outbound_apply(struct change *c)
{
    struct passage *p = c->p;
    enum zerr       err = write_item(c);

    if (err)
        return err;
    forget_request(c);
    if (c->after.pass)
        outcome_route(p->out, AFTER_COMMIT, p->stanza);
    if (sub_has_from(c->after.next) && !sub_has_from(c->before))
        presence_show(p, c->contact, true);               /* 3.1.5 */
    if (!sub_has_from(c->after.next) && sub_has_from(c->before))
        presence_show(p, c->contact, false);              /* 3.2.2 */
    return ZE_OK;
}

static int outbound(struct passage *p)
{
    struct stanza *s = p->stanza;
    struct change  c;
    enum zerr      err;

    if (!s->to.len)
        return ZE_BAD_REQUEST;
    s->to = jid_bare(s->to);                              /* 3.1.2: bare to bare */
    s->from = p->owner;
    if (slice_eq(s->to, p->owner))
        return TAKEN;                                     /* one is always subscribed to oneself */
    change_begin(&c, p, SUB_OUTBOUND, s->to);
    err = is_shared(&c, SUB_OUTBOUND) ? ZE_OK : outbound_apply(&c);
    store_view_end(&c.view);
    return err ? (int)err : TAKEN;
}

static int subscription_outgoing(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (s->name != STANZA_PRESENCE || s->type < TYPE_SUBSCRIBE || s->type > TYPE_UNSUBSCRIBED)
        return GO_ON;
    return outbound(p);
}

/* ---- inbound: somebody says something to our account ---- */

/* Requests go to available resources (3.1.3), the three answers to interested ones (3.1.6, 3.2.3, 3.3.3). */
static void deliver_inbound(struct passage *p)
{
    const struct online *account = session_online(p->sm->sessions, p->owner);
    bool                 request = p->stanza->type == TYPE_SUBSCRIBE;
    struct spread        spread;

    if (!account)
        return;
    spread_begin(&spread, p->sm, p->out, AFTER_COMMIT, p->stanza);
    ONLINE_EACH(account, node, s)
        if (request ? s->available : s->interested)
            spread_session(&spread, s);
    spread_end(&spread);
}

static void reply_subscribed(struct change *c)
{
    struct passage *p = c->p;
    struct stanza   s = {
        .name = STANZA_PRESENCE, .type = TYPE_SUBSCRIBED, .from = p->owner, .to = c->contact,
        .id = p->stanza->id,
    };

    outcome_route(p->out, AFTER_COMMIT, &s);
}

static enum zerr inbound_apply(struct change *c)
{
    struct passage *p = c->p;
    bool            asks = sub_pending_in(c->after.next) && !sub_pending_in(c->before);
    unsigned        waiting = 0;
    enum zerr       err;

    if (asks && !keep_request(c, &waiting))
        return ZE_FULL;
    err = write_item(c);
    if (err)
        return err;
    forget_request(c);
    if (c->after.pass)
        deliver_inbound(p);
    if (asks)
        push_requested(p, waiting);
    if (c->after.reply)
        reply_subscribed(c);
    if (sub_has_from(c->after.next) && !sub_has_from(c->before))
        presence_show(p, c->contact, true);
    if (!sub_has_from(c->after.next) && sub_has_from(c->before))
        presence_show(p, c->contact, false);              /* 3.3.3 */
    return ZE_OK;
}

static int subscription_incoming(struct passage *p)
{
    struct stanza *s = p->stanza;
    struct change  c;
    enum zerr      err;

    if (s->name != STANZA_PRESENCE || s->type < TYPE_SUBSCRIBE || s->type > TYPE_UNSUBSCRIBED)
        return GO_ON;
    if (!p->exists)
        return TAKEN;                                     /* 8.5.1: silently ignored */
    s->from = jid_bare(s->from);
    s->to = p->owner;
    change_begin(&c, p, SUB_INBOUND, s->from);
    err = is_shared(&c, SUB_INBOUND) ? ZE_OK : inbound_apply(&c);
    store_view_end(&c.view);
    if (err)
        log_info("subscription_ignored", "jid", log_slice(p->owner), "from", log_slice(s->from),
                 "err", err_name(err), NULL);
    return TAKEN;
}

/* ---- waiting requests at login (3.1.3) ---- */

struct replay {
    struct passage *p;
    struct session *session;
    struct slice    prefix;
};

static int replay_row(void *arg, struct slice key, struct slice value)
{
    struct replay *r = arg;
    struct arena  *arena = r->p->sm->arena;
    struct cursor  c = { value, false };
    struct stanza  s = { .name = STANZA_PRESENCE, .type = TYPE_SUBSCRIBE, .to = r->p->owner };

    if (take_u8(&c) != FORMAT)
        return 0;
    take_u64(&c);
    s.id = arena_copy(arena, take_sized(&c));
    s.lang = arena_copy(arena, take_sized(&c));
    s.content = arena_copy(arena, c.rest);
    s.from = arena_copy(arena, sm_key_rest(key, r->prefix));
    if (!c.bad && !blocked(r->p->sm, r->p->owner, s.from))
        outcome_session(r->p->out, AHEAD, r->session, &s);
    return 0;
}

static void subscription_online(struct passage *p, struct session *session)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct replay      r = { p, session, sm_key_prefix(p->sm, p->owner) };

    store_each(view, T_PENDING, r.prefix, slice_of(NULL, 0), false, replay_row, &r);
    store_view_end(&view);
}

/* ---- ends ---- */

void subscription_cancel(struct passage *p, const struct roster_item *item)
{
    struct stanza s = {
        .name = STANZA_PRESENCE, .from = p->owner, .to = arena_copy(p->sm->arena, item->contact),
    };

    if (item->flags & (ROSTER_TO | ROSTER_ASK)) {
        s.type = TYPE_UNSUBSCRIBE;
        outcome_route(p->out, AFTER_COMMIT, &s);
    }
    if (item->flags & ROSTER_FROM) {
        s.type = TYPE_UNSUBSCRIBED;
        outcome_route(p->out, AFTER_COMMIT, &s);
        presence_show(p, s.to, false);
    }
}

struct sweep {
    struct passage *p;
};

static int sweep_row(void *arg, struct slice key, struct slice value)
{
    struct sweep *sweep = arg;

    (void)value;
    store_delete(outcome_accounts(sweep->p->out), T_PENDING, key);
    return 0;
}

static void subscription_removed(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct sweep       sweep = { p };

    store_each(view, T_PENDING, sm_key_prefix(p->sm, p->owner), slice_of(NULL, 0), false, sweep_row, &sweep);
    store_view_end(&view);
}

static const char *const subscription_disco[] = { NS_PREAPPROVAL, NULL };

const struct sm_feature sm_subscription = {
    .name = "subscription", .spec = "RFC 6121 3", .disco_server = subscription_disco,
    .outgoing = subscription_outgoing, .incoming = subscription_incoming,
    .online = subscription_online, .removed = subscription_removed,
};
