/* Frame -> stanza -> checks -> features -> delivery -> outcome. Who may say what is a row by the role
 * of the frame's origin, which routerd stamped. */

#include "dispatch.h"

#include "account.h"
#include "anonymous.h"
#include "archive.h"
#include "caps.h"
#include "csi.h"
#include "deliver.h"
#include "fanout.h"
#include "jid.h"
#include "bounce.h"
#include "log.h"
#include "logins.h"
#include "ns.h"
#include "outbox.h"
#include "resume.h"
#include "stanza_error.h"
#include "stats.h"

static uint64_t stanzas_out, stanzas_in, stanzas_refused, frames_forged;

const struct stat_row dispatch_stats[] = {
    { "stanzas_from_sessions", "stanzas that our sessions sent", &stanzas_out },
    { "stanzas_to_accounts", "stanzas for our accounts", &stanzas_in },
    { "stanzas_refused", "stanzas answered with an error", &stanzas_refused },
    { "frames_forged", "frames that claimed what their origin may not", &frames_forged },
    { 0 },
};

/* ---- checks ---- */

static bool canonical(struct slice raw_jid)
{
    struct jid j;

    return jid_parse(raw_jid, &j) == ZE_OK && slice_eq(jid_slice(&j), raw_jid);
}

/* The border daemon parsed and prepared all this; it may have been taken over (DESIGN.md 2.4). Content
 * that is not proven is dropped: not even an error reply may carry it. */
static enum zerr check(struct sm *sm, struct stanza *s)
{
    struct xml_limits limits = sm_xml_limits(sm);
    bool              asks = s->name == STANZA_IQ && (s->type == TYPE_GET || s->type == TYPE_SET);

    if (s->name == STANZA_NONE || xml_check_content(sm->arena, s, &limits)) {
        s->content = slice_of("", 0);
        return ZE_BAD_REQUEST;
    }
    if (s->to.len && !canonical(s->to))
        return ZE_BAD_JID;
    /* RFC 6120 8.2.3: a get or set has exactly one child element. */
    if (asks && s->flags & (STANZA_EMPTY | STANZA_MANY))
        return ZE_BAD_REQUEST;
    return ZE_OK;
}

static struct stanza stanza_of(const struct frame *f)
{
    struct stanza s = f->stanza;

    s.content = f->body;
    return s;
}

static void log_fate(const struct passage *p, const char *pass, int err)
{
    const struct stanza *s = p->stanza;

    log_debug("stanza_done", "trace", log_hex(outcome_trace(p->out)), "kind", stanza_name_text(s->name),
              "state", pass, "from", log_slice(s->from), "to", log_slice(s->to),
              "err", err < 0 ? err_name(err) : "ok", NULL);
}

/* XEP-0191 3.3: what tells the error of a blocked addressee from others. */
static const struct error_detail *detail_of(enum zerr err)
{
    static const struct error_detail none, blocked = { .ns = NS_BLOCKING_E, .condition = "blocked" };

    return err == ZE_BLOCKED ? &blocked : &none;
}

/* Presence of strangers is not answered with errors (RFC 6121 8.5.1), but our own client hears why its
 * presence went nowhere (4.7.2.3: a priority out of range). */
static void refuse_own_presence(struct passage *p, enum zerr err)
{
    const struct stanza *s = p->stanza;
    struct buf           content = { 0 };
    struct stanza        error = {
        .name = STANZA_PRESENCE, .type = TYPE_ERROR, .id = s->id, .from = s->to.len ? s->to : p->owner,
    };

    stanza_error_detailed(&content, err, detail_of(err), slice_of(NULL, 0));
    error.content = outcome_keep(p->out, &content);
    outcome_session(p->out, AHEAD, p->session, &error);
}

/* The error comes from whom the stanza was for, and is not taken for something that he sent: he may be blocked. */
static void refuse_blocked(struct passage *p)
{
    struct stanza error;
    struct buf    bytes = { 0 };

    if (stanza_error_reply_detailed(p->stanza, ZE_BLOCKED, detail_of(ZE_BLOCKED), &bytes, &error))
        outcome_session(p->out, AHEAD, p->session, &error);
    outcome_keep(p->out, &bytes);
}

static void finish(struct passage *p, const char *pass, int err)
{
    if (err < 0) {
        stanzas_refused++;
        outcome_abandon(p->out);
        if (p->session && p->stanza->name == STANZA_PRESENCE && p->stanza->type != TYPE_ERROR)
            refuse_own_presence(p, (enum zerr)err);
        else if (err == ZE_BLOCKED)
            refuse_blocked(p);
        else
            outcome_refuse(p->out, AHEAD, p->stanza, (enum zerr)err, NULL);
    }
    log_fate(p, pass, err);
}

/* ---- the two passes ---- */

/* To a domain of ours. RFC 6120 10.4.? leaves it to the server: IQs are answered, messages refused,
 * presence is nobody's. */
static int to_server(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (s->name == STANZA_PRESENCE)
        return TAKEN;
    if (s->name == STANZA_MESSAGE)
        return s->type == TYPE_ERROR || s->type == TYPE_HEADLINE ? TAKEN : ZE_NO_SUCH;
    return iq_serve(p, jid_is_domain(s->to) ? TO_SERVER : 0);
}

static int outgoing_hooks(struct passage *p)
{
    int did = GO_ON;

    for (size_t i = 0; i < sm_feature_count && did == GO_ON; i++)
        if (sm_features[i]->outgoing && feature_sees(sm_features[i], p))
            did = sm_features[i]->outgoing(p);
    return did;
}

static int outgoing(struct passage *p)
{
    struct stanza *s = p->stanza;
    int            did = outgoing_hooks(p);

    if (did != GO_ON)
        return did;
    /* RFC 6120 10.3: without `to` it is for the own account. */
    if (s->name == STANZA_IQ && (!s->to.len || slice_eq(s->to, p->owner)))
        return iq_serve(p, TO_OWN_ACCOUNT);
    if (!s->to.len)
        s->to = p->owner;
    if (!jid_local(s->to).len && sm_serves(p->sm, jid_domain(s->to)))
        return to_server(p);
    outcome_route(p->out, AHEAD, s);
    return TAKEN;
}

static int incoming_hooks(struct passage *p)
{
    int did = GO_ON;

    for (size_t i = 0; i < sm_feature_count && did == GO_ON; i++)
        if (sm_features[i]->incoming && feature_sees(sm_features[i], p))
            did = sm_features[i]->incoming(p);
    return did;
}

static bool account_exists(struct sm *sm, struct slice bare)
{
    return session_online(sm->sessions, bare) || account_look(sm->store.accounts, bare, NULL);
}

static int incoming(struct passage *p)
{
    const struct stanza *s = p->stanza;
    int                  did;

    if (!jid_local(s->to).len)
        return to_server(p);
    p->exists = account_exists(p->sm, p->owner);
    p->guest = anonymous_is(&p->sm->store, p->owner);
    did = incoming_hooks(p);
    if (did != GO_ON)
        return did;
    if (s->name == STANZA_IQ && jid_is_bare(s->to))
        return iq_serve(p, slice_eq(jid_bare(s->from), p->owner) ? TO_OWN_ACCOUNT : TO_OTHER_ACCOUNT);
    return deliver(p);
}

void dispatch_incoming(struct sm *sm, struct outcome *out, struct stanza *s)
{
    struct passage p = { .sm = sm, .out = out, .owner = jid_bare(s->to), .stanza = s };

    stanzas_in++;
    finish(&p, "incoming", archive_settle(&p, incoming(&p)));
}

/* ---- origins ---- */

static void forged(const struct frame *f, const char *why)
{
    frames_forged++;
    log_warn("frame_refused", "trace", log_hex(f->trace), "peer", log_num(f->origin.instance), "from",
             log_slice(f->stanza.from), "why", why, NULL);
}

void dispatch_stale(struct sm *sm, const struct frame *f)
{
    struct outcome    *o = outcome_new(sm, slice_of(NULL, 0), f->trace);
    struct session_end end = { .condition = SLICE("reset"), .text = SLICE("session is gone") };

    log_debug("session_unknown", "trace", log_hex(f->trace), "conn", log_hex(f->sender), NULL);
    login_end_stream(o, AHEAD, &f->origin, f->sender, &end);
    outcome_settle(&o);
}

static void from_client(struct sm *sm, const struct frame *f)
{
    struct session *session = session_by_handle(sm->sessions, f->handle);
    struct stanza   s = stanza_of(f);
    struct passage  p = { .sm = sm, .session = session, .stanza = &s };
    int             err;

    if (!session || !session_bound_by(session, &f->origin, f->sender) || resume_hibernates(session)) {
        dispatch_stale(sm, f);
        return;
    }
    stanzas_out++;
    /* The session may end inside; its JID must not. */
    s.from = arena_copy(sm->arena, session_jid(session));
    p.owner = jid_bare(s.from);
    p.guest = session->guest;
    p.out = outcome_new(sm, p.owner, f->trace);
    outcome_request(p.out, &s);
    if (session->resume)
        outcome_owes(p.out, session->handle, resume_took(session));
    if (session->resume && s.name == STANZA_IQ && s.type != TYPE_GET && s.type != TYPE_SET)
        resume_answered(session, &s);
    err = check(sm, &s);
    finish(&p, "outgoing", err ? err : outgoing(&p));
    outcome_settle(&p.out);
}

static void take_in(struct sm *sm, const struct frame *f, struct stanza *s)
{
    struct outcome *o;
    enum zerr       err;

    if (!s->to.len || !s->from.len || !canonical(s->from)) {
        forged(f, "no address");
        return;
    }
    if (!sm_serves(sm, jid_domain(s->to))) {
        outcome_bounce(sm, f, ZE_NO_ROUTE);
        return;
    }
    if (jid_local(s->to).len && !sm_owns(sm, jid_bare(s->to))) {
        outcome_bounce(sm, f, ZE_STALE);
        return;
    }
    o = outcome_new(sm, jid_bare(s->to), f->trace);
    outcome_request(o, s);
    err = check(sm, s);
    if (err) {
        stanzas_refused++;
        outcome_refuse(o, AHEAD, s, err, NULL);
    } else {
        dispatch_incoming(sm, o, s);
    }
    outcome_settle(&o);
}

static void from_outside(struct sm *sm, const struct frame *f)
{
    struct stanza s = stanza_of(f);

    if (sm_serves(sm, jid_domain(s.from)))
        forged(f, "speaks for a local account");
    else
        take_in(sm, f, &s);
}

static void from_sm(struct sm *sm, const struct frame *f)
{
    struct stanza s = stanza_of(f);

    if (!sm_serves(sm, jid_domain(s.from)))
        forged(f, "speaks for a foreign account");
    else
        take_in(sm, f, &s);
}

static const struct {
    unsigned role;
    void   (*take)(struct sm *sm, const struct frame *f);
} origins[] = {
    { ROLE_C2SD, from_client },
    { ROLE_S2SD, from_outside },
    { ROLE_MUC, from_outside },
    { ROLE_SM, from_sm },
};

void on_stanza(void *self, const struct frame *f)
{
    if (sm_is_self(self, &f->origin)) {     /* it waited in the link for its slot to come here */
        dispatch_local(self, f);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(origins); i++)
        if (origins[i].role == f->origin.role) {
            origins[i].take(self, f);
            return;
        }
    forged(f, "no stanzas from this role");
}

/* ---- FANOUT: one content for many of our sessions ---- */

static bool fanout_allowed(struct sm *sm, const struct frame *f)
{
    bool local = sm_serves(sm, jid_domain(f->stanza.from));

    return f->origin.role == ROLE_SM ? local : f->origin.role == ROLE_MUC && !local;
}

static void fanout_entries(struct sm *sm, const struct frame *f, struct stanza *s, struct spread *spread)
{
    struct caps_arrival arrival;
    struct cursor       c = { f->list, false };
    struct fanout_entry entry;

    caps_arrival_begin(&arrival, sm, s);
    while (fanout_next(&c, &entry)) {
        if (!entry.jid.len || !canonical(entry.jid) || !sm_serves(sm, jid_domain(entry.jid)))
            continue;
        log_debug("stanza_fanned", "trace", log_hex(f->trace), "kind", stanza_name_text(s->name), "from",
                  log_slice(s->from), "to", log_slice(entry.jid), NULL);
        if (f->origin.role == ROLE_SM && !sm_owns(sm, jid_bare(entry.jid))) {    /* it has moved since this was made */
            spread_jid(spread, entry.jid);
            continue;
        }
        caps_arrival_for(&arrival, entry.jid);
        /* Who waits for a commit (a subscription just granted) must not be overtaken. */
        if (!outcome_waits(sm, jid_bare(entry.jid)) && deliver_spread(spread, s, entry.jid))
            continue;
        struct stanza   one = *s;
        struct outcome *o = outcome_new(sm, jid_bare(entry.jid), f->trace);
        one.to = entry.jid;
        dispatch_incoming(sm, o, &one);
        outcome_settle(&o);
    }
    if (c.bad)
        forged(f, "malformed recipient list");
}

void on_fanout(void *self, const struct frame *f)
{
    struct sm      *sm = self;
    struct stanza   s = stanza_of(f);
    struct spread   spread;
    struct outcome *o;

    s.to = slice_of(NULL, 0);
    if (!fanout_allowed(sm, f) || !canonical(s.from) || check(sm, &s)) {
        forged(f, "fan-out");
        return;
    }
    archive_unforge(sm, &s);
    o = outcome_new(sm, slice_of(NULL, 0), f->trace);
    spread_begin(&spread, sm, o, AHEAD, &s);
    fanout_entries(sm, f, &s, &spread);
    spread_end(&spread);
    outcome_settle(&o);
}

/* ---- for this instance itself ---- */

/* Checked when it came in; from and content are ours. */
static void local_stanza(struct sm *sm, const struct frame *f)
{
    struct stanza   s = stanza_of(f);
    struct debt     debt = resume_debt_of(f);
    struct outcome *o = outcome_new(sm, jid_bare(s.to), f->trace);

    outcome_request(o, &s);
    outcome_owes(o, debt.session, debt.number);
    dispatch_incoming(sm, o, &s);
    if (outbox_is_tag(f->number))
        outbox_taken(sm, outcome_accounts(o), f);
    outcome_settle(&o);
}

/* A fan-out: made before its recipients' slots moved, or while they were on their way here. */
void dispatch_local(struct sm *sm, const struct frame *f)
{
    if (f->kind == FRAME_FANOUT)
        on_fanout(sm, f);
    else
        local_stanza(sm, f);
}

/* ---- BOUNCE: something of ours came back ---- */

/* c2sd has no such connection: the session is over, and what was on its way is delivered anew. */
static void bounced_by_client(struct sm *sm, const struct frame *original)
{
    struct session *session = session_by_handle(sm->sessions, original->sender);
    struct stanza   s = stanza_of(original);

    if (session && session_bound_by(session, &original->dest, original->handle) &&
        !resume_lost_socket(sm, session))
        dispatch_end_session(sm, &session, NULL, NULL, original->trace);
    if (original->flags & FRAME_MANAGED)          /* it waits in a queue, or went its way when that ended */
        return;
    if (original->kind != FRAME_STANZA || !s.to.len || !sm_owns(sm, jid_bare(s.to)))
        return;
    if (!s.content.len && s.flags & STANZA_HAS_BODY) {      /* too large to come back whole */
        outcome_undeliverable(sm, original, ZE_UNAVAILABLE);
        return;
    }
    resume_again(sm, &s, &(struct again){
        .exists = account_exists(sm, jid_bare(s.to)), .sent_us = wall_us(), .trace = original->trace,
    });
}

void on_bounce(void *self, const struct frame *f)
{
    struct sm   *sm = self;
    struct frame original;
    enum zerr    why;

    if (bounce_decode(f, &why, &original)) {
        forged(f, "malformed bounce");
        return;
    }
    resume_returned(sm, f, &original);
    if (original.dest.role == ROLE_C2SD && why != ZE_FULL)
        bounced_by_client(sm, &original);
    else
        outcome_undeliverable(sm, &original, why);
}

/* ---- ends ---- */

void dispatch_close_session(struct passage *p, struct session **sp, enum when when, const char *condition,
                            const char *text)
{
    struct session    *s = *sp;
    struct session_end end = { .condition = slice_str(condition), .text = slice_str(text) };
    struct slice       full = arena_copy(p->sm->arena, session_jid(s));
    struct resume     *left;
    struct held_list  *held;

    log_info("session_ended", "jid", log_slice(session_jid(s)), "conn", log_hex(s->conn), "trace",
             log_hex(outcome_trace(p->out)), "why", condition ? condition : "closed", NULL);
    features_offline(p, s);
    if (condition && !resume_hibernates(s))
        login_end_stream(p->out, when, &s->c2sd, s->conn, &end);
    left = resume_leave(s);
    held = csi_leave(s);
    session_remove(p->sm->sessions, sp);
    resume_end(p, &left, full);
    csi_end(p, &held, full);
}

void dispatch_end_session(struct sm *sm, struct session **sp, const char *condition, const char *text,
                          uint64_t trace)
{
    struct slice   bare = arena_copy(sm->arena, session_bare(*sp));
    struct stanza  none = { .from = arena_copy(sm->arena, session_jid(*sp)) };
    struct passage p = { .sm = sm, .owner = bare, .exists = true, .guest = (*sp)->guest, .stanza = &none };

    p.out = outcome_new(sm, bare, trace);
    dispatch_close_session(&p, sp, AHEAD, condition, text);
    outcome_settle(&p.out);
}
