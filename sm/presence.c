/* RFC 6121 4: initial, subsequent, unavailable, directed presence; probes. Contacts are read from the
 * store at each broadcast; contacts of this instance are looked up, all others get one frame for each
 * next daemon (spread.h). */

#include "presence.h"

#include "blocked.h"
#include "caps.h"
#include "jid.h"
#include "ns.h"
#include "presence_bus.h"
#include "roster.h"
#include "spread.h"

/* ---- priority ---- */

enum zerr presence_priority(struct arena *arena, const struct element *root, int *priority)
{
    const struct element *e = element_child(root, NS_CLIENT, "priority");
    struct slice          text;
    bool                  negative;
    size_t                i;
    int                   n = 0;

    *priority = 0;
    if (!e)
        return ZE_OK;
    if (element_next(e, NS_CLIENT, "priority"))
        return ZE_BAD_REQUEST;
    text = element_text(arena, e);
    while (text.len && strchr(" \t\r\n", text.p[0]))                      /* xs:byte collapses white space */
        text = slice_cut(text, 1, text.len);
    while (text.len && strchr(" \t\r\n", text.p[text.len - 1]))
        text = slice_cut(text, 0, text.len - 1);
    negative = text.len && text.p[0] == '-';
    i = negative || (text.len && text.p[0] == '+') ? 1 : 0;
    if (i == text.len || text.len - i > 3)
        return ZE_BAD_REQUEST;
    for (; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return ZE_BAD_REQUEST;
        n = n * 10 + (text.p[i] - '0');
    }
    n = negative ? -n : n;
    if (n < -128 || n > 127)
        return ZE_BAD_REQUEST;
    *priority = n;
    return ZE_OK;
}

/* ---- stanzas ---- */

static struct stanza *available_of(struct passage *p, const struct session *s)
{
    struct stanza *stanza = arena_alloc(p->sm->arena, sizeof(*stanza));

    *stanza = (struct stanza){
        .name = STANZA_PRESENCE, .from = arena_copy(p->sm->arena, session_jid(s)),
        .content = arena_copy(p->sm->arena, blob_slice(s->presence)),
    };
    if (s->lang)
        stanza->lang = arena_copy(p->sm->arena, blob_slice(s->lang));
    return stanza;
}

static struct stanza *unavailable_of(struct passage *p, const struct session *s)
{
    struct stanza *stanza = arena_alloc(p->sm->arena, sizeof(*stanza));

    *stanza = (struct stanza){
        .name = STANZA_PRESENCE, .type = TYPE_UNAVAILABLE, .from = arena_copy(p->sm->arena, session_jid(s)),
    };
    return stanza;
}

void presence_show(struct passage *p, struct slice to, bool available)
{
    const struct online *account = session_online(p->sm->sessions, p->owner);

    if (!account || blocked(p->sm, p->owner, to))
        return;
    ONLINE_EACH(account, node, s)
        if (s->available) {
            struct stanza *shown = available ? available_of(p, s) : unavailable_of(p, s);
            shown->to = to;
            outcome_route(p->out, AFTER_COMMIT, shown);
        }
}

void presence_leave(struct passage *p, const struct session *s, struct slice to)
{
    struct stanza *gone = unavailable_of(p, s);

    gone->to = to;
    outcome_route(p->out, AFTER_COMMIT, gone);
}

void presence_ask(struct passage *p, struct slice to)
{
    const struct online *account = session_online(p->sm->sessions, p->owner);
    struct stanza        probe = { .name = STANZA_PRESENCE, .type = TYPE_PROBE, .from = p->owner, .to = to };

    if (account && online_available(account))
        outcome_route(p->out, AFTER_COMMIT, &probe);
}

/* ---- broadcast ---- */

struct audience {
    struct spread *spread;
    struct slice   owner;
    struct online *account;                  /* NULL: nobody of it is online any more */
};

static bool audience_blocks(const struct audience *a, struct slice contact)
{
    const struct sm *sm = a->spread->sm;

    return a->account ? blocked_for(sm, a->account, contact) : blocked(sm, a->owner, contact);
}

static int spread_contact(void *arg, const struct roster_item *item)
{
    struct audience *a = arg;

    if (item->flags & ROSTER_FROM && !audience_blocks(a, item->contact))
        spread_jid(a->spread, item->contact);
    return 0;
}

/* To contacts with from or both, to the account's other available resources, and back to itself (4.2.2,
 * 4.4.2, 4.5.2). */
static void broadcast(struct passage *p, struct session *session, const struct stanza *s, bool directed)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct spread      spread;
    struct audience    contacts = { &spread, p->owner, session->account };

    spread_begin(&spread, p->sm, p->out, AHEAD, s);
    roster_each(p->sm, view, p->owner, spread_contact, &contacts);
    ONLINE_EACH(session->account, node, other)
        if (other->available || (other == session && p->session == session))
            spread_session(&spread, other);
    for (struct directed *d = directed ? session->directed : NULL; d; d = d->next) {
        struct slice       jid = slice_of(d->jid, d->len);
        struct roster_item item;
        /* 4.5.2: whoever has it through the subscription does not get it twice. */
        if (!(jid_is_bare(jid) && roster_find(p->sm, view, p->owner, jid, &item) && item.flags & ROSTER_FROM))
            spread_jid(&spread, jid);
    }
    spread_end(&spread);
    store_view_end(&view);
}

/* ---- initial presence (4.2) ---- */

struct probing {
    struct passage    *p;
    struct session    *session;
    struct store_view *view;
    struct spread      remote, own;          /* contacts of other servers; of other instances of ours */
};

/* A contact of this instance is not asked: what it would answer is sent at once (4.3.2). */
static void probe_here(struct probing *pr, struct slice contact)
{
    struct passage      *p = pr->p;
    const struct online *account = session_online(p->sm->sessions, contact);
    struct roster_item   item;

    if (!account || !roster_find(p->sm, pr->view, contact, p->owner, &item) || !(item.flags & ROSTER_FROM) ||
        blocked(p->sm, contact, p->stanza->from))
        return;
    ONLINE_EACH(account, node, s)
        if (s->available)
            outcome_session(p->out, AHEAD, pr->session, available_of(p, s));
}

static int probe_contact(void *arg, const struct roster_item *item)
{
    struct probing *pr = arg;
    struct sm      *sm = pr->p->sm;

    if (!(item->flags & ROSTER_TO) || blocked(sm, pr->p->owner, item->contact))
        return 0;
    if (!sm_serves(sm, jid_domain(item->contact)))
        spread_jid(&pr->remote, item->contact);
    else if (sm_owns(sm, item->contact))
        probe_here(pr, arena_copy(sm->arena, item->contact));
    else
        spread_jid(&pr->own, item->contact);
    return 0;
}

static struct stanza *probe_of(struct passage *p, struct slice from)
{
    struct stanza *probe = arena_alloc(p->sm->arena, sizeof(*probe));

    *probe = (struct stanza){ .name = STANZA_PRESENCE, .type = TYPE_PROBE, .from = from };
    return probe;
}

/* 4.3: from the bare JID; among ourselves from the full one, so that no other resource gets the answers as well. */
static void probe_contacts(struct passage *p, struct session *session)
{
    struct probing pr = { .p = p, .session = session, .view = store_view(p->sm->store.accounts) };

    spread_begin(&pr.remote, p->sm, p->out, AHEAD, probe_of(p, p->owner));
    spread_begin(&pr.own, p->sm, p->out, AHEAD, probe_of(p, p->stanza->from));
    roster_each(p->sm, pr.view, p->owner, probe_contact, &pr);
    spread_end(&pr.remote);
    spread_end(&pr.own);
    store_view_end(&pr.view);
}

static void show_own_resources(struct passage *p, struct session *session)
{
    ONLINE_EACH(session->account, node, other)
        if (other != session && other->available)
            outcome_session(p->out, AHEAD, session, available_of(p, other));
}

static int available(struct passage *p)
{
    struct session       *s = p->session;
    const struct element *root = passage_content(p);
    bool                  initial = !s->available;
    bool                  could = s->available && s->priority >= 0;
    int                   priority;

    if (!root || presence_priority(p->sm->arena, root, &priority))
        return ZE_BAD_REQUEST;
    if (!p->guest)
        caps_shown(p, root);
    session_present(s, p->stanza->content, p->stanza->lang, priority);
    presence_bus_shown(p->sm->bus, s);
    broadcast(p, s, p->stanza, false);
    if (initial) {
        show_own_resources(p, s);
        probe_contacts(p, s);
        features_online(p, s);
    }
    if (priority >= 0 && !could) {
        s->receptive = ++p->sm->epoch;
        features_receptive(p, s);
    }
    return TAKEN;
}

/* ---- the end (4.5) ---- */

static void unavailable(struct passage *p, struct session *s, const struct stanza *stanza)
{
    bool was = s->available;

    session_absent(s);
    if (was) {
        presence_bus_shown(p->sm->bus, s);
        broadcast(p, s, stanza, true);
    } else if (s->directed) {
        struct spread spread;
        spread_begin(&spread, p->sm, p->out, AHEAD, stanza);
        for (struct directed *d = s->directed; d; d = d->next)
            spread_jid(&spread, slice_of(d->jid, d->len));
        spread_end(&spread);
    }
    session_undirect_all(s);
}

static void presence_offline(struct passage *p, struct session *s)
{
    unavailable(p, s, unavailable_of(p, s));
}

void presence_gone(struct sm *sm, struct slice full)
{
    struct slice       from = arena_copy(sm->arena, full), owner = jid_bare(from);
    struct stanza      stanza = { .name = STANZA_PRESENCE, .type = TYPE_UNAVAILABLE, .from = from };
    struct outcome    *out = outcome_new(sm, owner, 0);
    struct store_view *view = store_view(sm->store.accounts);
    struct spread      spread;
    struct audience    contacts = { &spread, owner, NULL };

    spread_begin(&spread, sm, out, AHEAD, &stanza);
    roster_each(sm, view, owner, spread_contact, &contacts);
    spread_jid(&spread, owner);
    spread_end(&spread);
    store_view_end(&view);
    outcome_settle(&out);
}

/* ---- directed (4.6) ---- */

static int directed(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (s->type == TYPE_UNAVAILABLE)
        session_undirect(p->session, s->to);
    else if (!session_direct(p->session, s->to, (unsigned)p->sm->settings->limits.directed_max))
        return ZE_FULL;
    return GO_ON;
}

static int presence_outgoing(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (s->name != STANZA_PRESENCE)
        return GO_ON;
    if (s->type == TYPE_ERROR || s->type == TYPE_PROBE)
        return s->to.len ? GO_ON : TAKEN;    /* 4.3: a client need not probe, but its probe goes its way */
    if (s->to.len)
        return directed(p);
    if (s->type == TYPE_NONE)
        return available(p);
    unavailable(p, p->session, s);
    return TAKEN;
}

/* ---- probes of others (4.3.2) ---- */

bool presence_may_see(const struct sm *sm, struct slice owner, struct slice who)
{
    struct roster_item item;
    struct store_view *view;
    bool               may;

    if (slice_eq(who, owner))
        return true;
    view = store_view(sm->store.accounts);
    may = roster_find(sm, view, owner, who, &item) && item.flags & ROSTER_FROM;
    store_view_end(&view);
    return may;
}

static bool directed_to(const struct session *s, struct slice who)
{
    for (const struct directed *d = s->directed; d; d = d->next)
        if (jid_same_bare(slice_of(d->jid, d->len), who))
            return true;
    return false;
}

bool presence_is_shown(const struct sm *sm, const struct session *s, struct slice who)
{
    return presence_may_see(sm, session_bare(s), jid_bare(who)) || directed_to(s, who);
}

static void answer_bare(struct passage *p, unsigned type)
{
    struct stanza s = {
        .name = STANZA_PRESENCE, .type = (uint8_t)type, .id = p->stanza->id, .from = p->owner,
        .to = p->stanza->from,
    };

    if (type == TYPE_UNSUBSCRIBED)
        s.to = jid_bare(s.to);
    outcome_route(p->out, AHEAD, &s);
}

/* 4.6.5: a room asks whether its occupant is still there, and hears that and nothing else. To all others an
 * account that does not exist answers as a stranger's (8.5.1): it must not show which it is. */
static void answer_stranger(struct passage *p)
{
    const struct session *s = session_by_jid(p->sm->sessions, p->stanza->to);
    struct stanza         mere = {
        .name = STANZA_PRESENCE, .id = p->stanza->id, .from = p->stanza->to, .to = p->stanza->from,
    };

    if (s && directed_to(s, p->stanza->from))
        outcome_route(p->out, AHEAD, &mere);
    else
        answer_bare(p, TYPE_UNSUBSCRIBED);
}

static void answer_probe(struct passage *p)
{
    const struct online *account = session_online(p->sm->sessions, p->owner);

    if (!p->exists || !presence_may_see(p->sm, p->owner, jid_bare(p->stanza->from))) {
        answer_stranger(p);
        return;
    }
    if (!account || !online_available(account)) {
        answer_bare(p, TYPE_UNAVAILABLE);
        return;
    }
    ONLINE_EACH(account, node, s)
        if (s->available) {
            struct stanza *shown = available_of(p, s);
            shown->to = p->stanza->from;
            outcome_route(p->out, AHEAD, shown);
        }
}

static int presence_incoming(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (s->name != STANZA_PRESENCE || s->type != TYPE_PROBE)
        return GO_ON;
    answer_probe(p);
    return TAKEN;
}

const struct sm_feature sm_presence = {
    .name = "presence", .spec = "RFC 6121 4", .outgoing = presence_outgoing, .incoming = presence_incoming,
    .offline = presence_offline, .guests = true,
};
