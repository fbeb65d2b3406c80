/* RFC 6121 3 and appendix A: the state machine as one table, and what surrounds each change: routing,
 * roster push, the waiting request, presence that begins or ends. */

#include "subscription.h"

#include "blocked.h"
#include "cursor.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "presence.h"
#include "spread.h"

enum { FORMAT = 1, PENDING_MAX = 500, PENDING_CONTENT_MAX = 4096 };

/* ---- the table ---- */

struct edge {
    uint8_t next;
    bool    pass;
};

#define PASS(state) { SUB_##state, true }
#define STOP(state) { SUB_##state, false }

static const struct edge edges[SUB_DIRECTIONS][4][SUB_STATES] = {
    [SUB_OUTBOUND] = {
        [TYPE_SUBSCRIBE - TYPE_SUBSCRIBE] = {         /* A.2.1 */
            [SUB_NONE]        = PASS(NONE_OUT),
            [SUB_NONE_OUT]    = PASS(NONE_OUT),
            [SUB_NONE_IN]     = PASS(NONE_OUT_IN),
            [SUB_NONE_OUT_IN] = PASS(NONE_OUT_IN),
            [SUB_TO]          = PASS(TO),
            [SUB_TO_IN]       = PASS(TO_IN),
            [SUB_FROM]        = PASS(FROM_OUT),
            [SUB_FROM_OUT]    = PASS(FROM_OUT),
            [SUB_BOTH]        = PASS(BOTH),
        },
        [TYPE_SUBSCRIBED - TYPE_SUBSCRIBE] = {        /* A.2.3; STOP may be a pre-approval (3.4) */
            [SUB_NONE]        = STOP(NONE),
            [SUB_NONE_OUT]    = STOP(NONE_OUT),
            [SUB_NONE_IN]     = PASS(FROM),
            [SUB_NONE_OUT_IN] = PASS(FROM_OUT),
            [SUB_TO]          = STOP(TO),
            [SUB_TO_IN]       = PASS(BOTH),
            [SUB_FROM]        = STOP(FROM),
            [SUB_FROM_OUT]    = STOP(FROM_OUT),
            [SUB_BOTH]        = STOP(BOTH),
        },
        [TYPE_UNSUBSCRIBE - TYPE_SUBSCRIBE] = {       /* A.2.2 */
            [SUB_NONE]        = PASS(NONE),
            [SUB_NONE_OUT]    = PASS(NONE),
            [SUB_NONE_IN]     = PASS(NONE_IN),
            [SUB_NONE_OUT_IN] = PASS(NONE_IN),
            [SUB_TO]          = PASS(NONE),
            [SUB_TO_IN]       = PASS(NONE_IN),
            [SUB_FROM]        = PASS(FROM),
            [SUB_FROM_OUT]    = PASS(FROM),
            [SUB_BOTH]        = PASS(FROM),
        },
        [TYPE_UNSUBSCRIBED - TYPE_SUBSCRIBE] = {      /* A.2.4; STOP may cancel a pre-approval (3.4.2) */
            [SUB_NONE]        = STOP(NONE),
            [SUB_NONE_OUT]    = STOP(NONE_OUT),
            [SUB_NONE_IN]     = PASS(NONE),
            [SUB_NONE_OUT_IN] = PASS(NONE_OUT),
            [SUB_TO]          = STOP(TO),
            [SUB_TO_IN]       = PASS(TO),
            [SUB_FROM]        = PASS(NONE),
            [SUB_FROM_OUT]    = PASS(NONE_OUT),
            [SUB_BOTH]        = PASS(TO),
        },
    },
    [SUB_INBOUND] = {
        [TYPE_SUBSCRIBE - TYPE_SUBSCRIBE] = {         /* A.3.1 */
            [SUB_NONE]        = PASS(NONE_IN),
            [SUB_NONE_OUT]    = PASS(NONE_OUT_IN),
            [SUB_NONE_IN]     = STOP(NONE_IN),
            [SUB_NONE_OUT_IN] = STOP(NONE_OUT_IN),
            [SUB_TO]          = PASS(TO_IN),
            [SUB_TO_IN]       = STOP(TO_IN),
            [SUB_FROM]        = STOP(FROM),
            [SUB_FROM_OUT]    = STOP(FROM_OUT),
            [SUB_BOTH]        = STOP(BOTH),
        },
        [TYPE_SUBSCRIBED - TYPE_SUBSCRIBE] = {        /* A.3.3 */
            [SUB_NONE]        = STOP(NONE),
            [SUB_NONE_OUT]    = PASS(TO),
            [SUB_NONE_IN]     = STOP(NONE_IN),
            [SUB_NONE_OUT_IN] = PASS(TO_IN),
            [SUB_TO]          = STOP(TO),
            [SUB_TO_IN]       = STOP(TO_IN),
            [SUB_FROM]        = STOP(FROM),
            [SUB_FROM_OUT]    = PASS(BOTH),
            [SUB_BOTH]        = STOP(BOTH),
        },
        [TYPE_UNSUBSCRIBE - TYPE_SUBSCRIBE] = {       /* A.3.2 */
            [SUB_NONE]        = STOP(NONE),
            [SUB_NONE_OUT]    = STOP(NONE_OUT),
            [SUB_NONE_IN]     = PASS(NONE),
            [SUB_NONE_OUT_IN] = PASS(NONE_OUT),
            [SUB_TO]          = STOP(TO),
            [SUB_TO_IN]       = PASS(TO),
            [SUB_FROM]        = PASS(NONE),
            [SUB_FROM_OUT]    = PASS(NONE_OUT),
            [SUB_BOTH]        = PASS(TO),
        },
        [TYPE_UNSUBSCRIBED - TYPE_SUBSCRIBE] = {      /* A.3.4 */
            [SUB_NONE]        = STOP(NONE),
            [SUB_NONE_OUT]    = PASS(NONE),
            [SUB_NONE_IN]     = STOP(NONE_IN),
            [SUB_NONE_OUT_IN] = PASS(NONE_IN),
            [SUB_TO]          = PASS(NONE),
            [SUB_TO_IN]       = PASS(NONE_IN),
            [SUB_FROM]        = STOP(FROM),
            [SUB_FROM_OUT]    = PASS(FROM),
            [SUB_BOTH]        = PASS(FROM),
        },
    },
};

static const struct { uint8_t flags; bool pending_in; } states[SUB_STATES] = {
    [SUB_NONE]        = { 0, false },
    [SUB_NONE_OUT]    = { ROSTER_ASK, false },
    [SUB_NONE_IN]     = { 0, true },
    [SUB_NONE_OUT_IN] = { ROSTER_ASK, true },
    [SUB_TO]          = { ROSTER_TO, false },
    [SUB_TO_IN]       = { ROSTER_TO, true },
    [SUB_FROM]        = { ROSTER_FROM, false },
    [SUB_FROM_OUT]    = { ROSTER_FROM | ROSTER_ASK, false },
    [SUB_BOTH]        = { ROSTER_TO | ROSTER_FROM, false },
};

unsigned sub_flags(enum sub_state state)
{
    return states[state].flags;
}

bool sub_pending_in(enum sub_state state)
{
    return states[state].pending_in;
}

enum sub_state sub_state_of(unsigned flags, bool pending_in)
{
    bool to = flags & ROSTER_TO, from = flags & ROSTER_FROM, ask = flags & ROSTER_ASK;

    if (to)
        return from ? SUB_BOTH : pending_in ? SUB_TO_IN : SUB_TO;
    if (from)
        return ask ? SUB_FROM_OUT : SUB_FROM;
    if (ask)
        return pending_in ? SUB_NONE_OUT_IN : SUB_NONE_OUT;
    return pending_in ? SUB_NONE_IN : SUB_NONE;
}

static bool has_from(enum sub_state state)
{
    return states[state].flags & ROSTER_FROM;
}

/* 3.4: the mark is set by `subscribed` that answers nothing, taken back by `unsubscribed`, and used up
 * by nothing: a contact that unsubscribes and asks again is still approved. */
static bool mark_after(enum sub_direction direction, unsigned type, enum sub_state state, bool approved)
{
    if (direction == SUB_OUTBOUND && type == TYPE_SUBSCRIBED)
        return approved || (!has_from(state) && !sub_pending_in(state));
    if (direction == SUB_OUTBOUND && type == TYPE_UNSUBSCRIBED)
        return false;
    return approved;
}

struct sub_result sub_rule(enum sub_direction direction, unsigned type, enum sub_state state, bool approved)
{
    const struct edge *e = &edges[direction][type - TYPE_SUBSCRIBE][state];
    struct sub_result  r = { .next = e->next, .pass = e->pass };

    r.approved = mark_after(direction, type, state, approved);
    if (direction != SUB_INBOUND || type != TYPE_SUBSCRIBE)
        return r;
    if (has_from(state))                                   /* A.3.1 note 2 */
        r.reply = true;
    else if (approved) {                                   /* A.3.1 note 1: as if approved now */
        r.next = edges[SUB_OUTBOUND][TYPE_SUBSCRIBED - TYPE_SUBSCRIBE]
                      [sub_pending_in(state) ? state : e->next].next;
        r.pass = false;
        r.reply = true;
    }
    return r;
}

/* ---- around the table ---- */

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
    size_t *count = arg;

    (void)key;
    (void)value;
    return ++*count >= PENDING_MAX;
}

/* 3.1.3: the whole stanza is kept and shown again at each login until it is answered. Content over the
 * limit is dropped, more requests than the limit are ignored: strangers fill this. */
static bool keep_request(struct change *c)
{
    struct passage      *p = c->p;
    const struct stanza *s = p->stanza;
    struct buf           value = { 0 };
    size_t               count = 0;

    store_each(c->view, T_PENDING, sm_key_prefix(p->sm, p->owner), slice_of(NULL, 0), false, count_row,
               &count);
    if (count >= PENDING_MAX)
        return false;
    buf_put_u8(&value, FORMAT);
    buf_put_u64(&value, wall_us());
    buf_put_sized(&value, s->id.len <= 256 ? s->id : slice_of(NULL, 0));
    buf_put_sized(&value, s->lang.len <= 64 ? s->lang : slice_of(NULL, 0));
    if (s->content.len <= PENDING_CONTENT_MAX)
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
    if (has_from(c->after.next) && !has_from(c->before))
        presence_show(p, c->contact, true);               /* 3.1.5 */
    if (!has_from(c->after.next) && has_from(c->before))
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
    enum zerr       err;

    if (sub_pending_in(c->after.next) && !sub_pending_in(c->before) && !keep_request(c))
        return ZE_FULL;
    err = write_item(c);
    if (err)
        return err;
    forget_request(c);
    if (c->after.pass)
        deliver_inbound(p);
    if (c->after.reply)
        reply_subscribed(c);
    if (has_from(c->after.next) && !has_from(c->before))
        presence_show(p, c->contact, true);
    if (!has_from(c->after.next) && has_from(c->before))
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
