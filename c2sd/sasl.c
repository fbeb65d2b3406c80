/* SASL between client and sm (sasl.h): what both profiles share. Nothing here understands a mechanism:
 * bytes pass, and the outcome is sm's. After limits.auth_failures_max failures the stream ends
 * (RFC 6120 6.4.5). */

#include "log.h"
#include "negotiate.h"
#include "ns.h"
#include "sasl_inner.h"

static void count_failure(struct conn *c, const char *condition, const char *mechanism)
{
    char ip[ADDRESS_MAX];

    c->c2sd->counters.logins_failed++;
    log_info("auth_failed", "conn", log_hex(c->handle), "peer", conn_address(c, ip), "domain", c->domain,
             "jid", c->login->hint, "kind", mechanism, "why", condition, NULL);
    if (++c->login->failures >= (unsigned)c2sd_settings(c->c2sd)->limits.auth_failures_max)
        conn_fail(c, SE_POLICY_VIOLATION, "too many failed logins");
}

/* Back to the features. */
static void refuse(struct conn *c, const struct sasl_profile *profile, const char *condition, struct slice text,
                   struct slice content)
{
    profile->failure(c, condition, text, content);
    sasl_done(c);
    if (c->state == CONN_SASL)
        conn_enter(c, CONN_FEATURES);
}

void sasl_fail(struct conn *c, const struct sasl_profile *profile, const char *condition, const char *text,
               const char *mechanism)
{
    refuse(c, profile, condition, slice_str(text), slice_of(NULL, 0));
    count_failure(c, condition, mechanism);
}

/* Not the client's fault, so it does not count against it. */
static void try_later(struct conn *c)
{
    log_warn("auth_unanswered", "conn", log_hex(c->handle), "domain", c->domain, NULL);
    refuse(c, c->login->profile, "temporary-auth-failure", slice_of(NULL, 0), slice_of(NULL, 0));
}

void sasl_wipe(struct buf *bytes)
{
    if (bytes->bytes)
        wipe(bytes->bytes, bytes->room);
    buf_free(bytes);
}

void sasl_done(struct conn *c)
{
    c->login->sm = (struct address){ 0 };
    c->login->exchange = 0;
    sasl_wipe(&c->login->start);
}

/* ---- what is offered ---- */

static bool takes_anonymous(const struct conn *c)
{
    const struct settings_domain *d = c->domain ? settings_domain(c2sd_settings(c->c2sd), c->domain) : NULL;

    return d && strcmp(d->anonymous, "off") != 0;
}

void sasl_offer_take(const struct conn *c, struct sasl_offer *offer)
{
    *offer = (struct sasl_offer){ .stream = {
        .secure = c->secure, .clear_allowed = !c2sd_settings(c->c2sd)->server.require_tls,
        .certificate = c->login && buf_len(&c->login->certified) > 0, .anonymous = takes_anonymous(c),
    } };
    for (unsigned i = 0; c->secure && tls_binding_names[i]; i++) {
        struct buf *data = &offer->data[offer->bindings];

        if (!tls_channel_binding(c->transport.tls, tls_binding_names[i], data))
            continue;
        offer->binding[offer->bindings++] =
            (struct auth_binding){ slice_str(tls_binding_names[i]), buf_slice(data) };
    }
    offer->stream.binding = offer->bindings > 0;
}

void sasl_offer_free(struct sasl_offer *offer)
{
    for (unsigned i = 0; i < offer->bindings; i++)
        buf_free(&offer->data[i]);
}

void sasl_offer_mechanisms(const struct sasl_offer *offer, struct buf *out)
{
    for (const struct sasl_mechanism *m = sasl_list; m->name; m++)
        if (sasl_may(m, &offer->stream))
            buf_printf(out, "<mechanism>%s</mechanism>", m->name);
}

/* XEP-0440 2: the bindings that a -PLUS mechanism can use here. */
void sasl_binding_features(struct conn *c, struct buf *out)
{
    struct sasl_offer offer;

    sasl_offer_take(c, &offer);
    if (offer.bindings) {
        buf_put_str(out, "<sasl-channel-binding xmlns='" NS_SASL_CB "'>");
        for (unsigned i = 0; i < offer.bindings; i++)
            buf_printf(out, "<channel-binding type='%.*s'/>", SLICE_FMT(offer.binding[i].name));
        buf_put_str(out, "</sasl-channel-binding>");
    }
    sasl_offer_free(&offer);
}

static bool plus_offered(const struct sasl_stream *stream)
{
    for (const struct sasl_mechanism *m = sasl_list; m->name; m++)
        if (m->binds && sasl_may(m, stream))
            return true;
    return false;
}

/* ---- to sm ---- */

/* The owner of the account when the client said who it is, so that login and session usually meet in
 * one process; else the one that counts for his address. False: no sm is up. */
static bool choose_sm(struct conn *c, struct frame *f)
{
    const struct routes         *routes = link_routes(c->c2sd->daemon->link);
    const struct route_instance *sm = NULL;
    bool                         anonymous = c->login->mechanism && c->login->mechanism->anonymous;

    f->stanza.to = slice_str(c->login->hint && !anonymous ? c->login->hint : c->domain);
    if (c->login->hint && !anonymous && routes_find(routes, f->stanza.to, &f->dest, &f->generation) == ZE_OK)
        sm = routes_instance(routes, f->dest.instance);
    if (!sm || !sm->up || sm->role != ROLE_SM) {
        sm = routes_any(routes, ROLE_SM, slot_of(limits_key(&c->ip)));
        f->generation = 0;
    }
    if (!sm || !sm->up)
        return false;
    f->dest = (struct address){ .role = ROLE_SM, .instance = sm->key };
    return true;
}

/* What was said at the start is kept until the first answer: it may have to be said to another sm. */
static enum zerr send_start(struct conn *c)
{
    struct frame f = frame_make(FRAME_AUTH_START);

    if (!choose_sm(c, &f))
        return ZE_NO_ROUTE;
    f.body = buf_slice(&c->login->start);
    f.trace = c->login->trace = trace_new();
    c->login->sm = (struct address){ .instance = f.dest.instance };
    return conn_send_frame(c, &f);
}

static void start(struct conn *c, const struct sasl_offer *offer, struct auth_start *a)
{
    struct buf advertised = { 0 };
    char       ip[ADDRESS_MAX];

    sasl_advertised(&advertised, offer->stream, offer->binding, offer->bindings);
    a->domain = slice_str(c->domain);
    a->from = slice_str(c->login->hint);
    a->sasl2 = c->login->profile == &sasl2;
    memcpy(a->binding, offer->binding, sizeof(a->binding));
    a->bindings = offer->bindings;
    a->advertised = buf_slice(&advertised);
    a->plus_offered = plus_offered(&offer->stream);
    a->secure = c->secure;
    a->address = slice_str(conn_address(c, ip));
    a->certified = buf_slice(&c->login->certified);
    auth_start_put(&c->login->start, a);
    buf_free(&advertised);
    conn_enter(c, CONN_SASL);
    if (send_start(c) == ZE_OK)
        conn_wait(c);
    else
        try_later(c);
}

void sasl_begin(struct conn *c, const struct sasl_profile *profile, struct auth_start *a)
{
    struct sasl_offer offer;

    sasl_offer_take(c, &offer);
    c->login->profile = profile;
    c->login->mechanism = sasl_find(a->mechanism, &offer.stream);
    if (!a->client.id.len)
        buf_reset(&c->login->client, 0);    /* said in an earlier attempt */
    if (c->login->mechanism || sasl_offers_token(&offer, profile, a->mechanism))
        start(c, &offer, a);
    else
        sasl_fail(c, profile, "invalid-mechanism", NULL, NULL);
    sasl_offer_free(&offer);
}

void sasl_say(struct conn *c, const struct auth_step *step)
{
    struct frame f = frame_make(FRAME_AUTH_STEP);
    struct buf   body = { 0 };

    if (!c->login->exchange) {
        try_later(c);                       /* sm died while the client was thinking */
        return;
    }
    auth_step_put(&body, step);
    f.dest = c->login->sm;
    f.handle = c->login->exchange;
    f.trace = c->login->trace;
    f.body = buf_slice(&body);
    if (conn_send_frame(c, &f) == ZE_OK)
        conn_wait(c);
    else
        try_later(c);
    sasl_wipe(&body);
}

void sasl_aborted(struct conn *c, const char *condition)
{
    sasl_forget(c);
    sasl_fail(c, c->login->profile, condition, NULL, NULL);
}

void sasl_forget(struct conn *c)
{
    struct frame f = frame_make(FRAME_AUTH_ABORT);

    if (!c->login || !c->login->exchange)
        return;
    f.dest = c->login->sm;
    f.handle = c->login->exchange;
    f.trace = c->login->trace;
    conn_send_frame(c, &f);         /* when it cannot be sent, sm's own deadline ends the exchange */
    c->login->exchange = 0;
}

void sasl_unanswered(struct conn *c)
{
    conn_answered(c);
    sasl_forget(c);
    try_later(c);
}

void sasl_sm_lost(struct conn *c, uint32_t instance)
{
    if (c->login->sm.instance != instance)
        return;
    c->login->exchange = 0;
    if (!c->waiting)
        return;                             /* said when the client's next response comes */
    if (!buf_len(&c->login->start) || send_start(c) != ZE_OK)
        sasl_unanswered(c);
}

/* ---- from sm ---- */

/* The first answer to what was asked last fixes whose exchange it is; from then on nobody else may speak
 * for it. (The trace tells which question: it may have been asked of several.) */
static bool from_our_sm(struct conn *c, const struct frame *f)
{
    struct address *sm = &c->login->sm;

    if (c->state != CONN_SASL || !c->waiting || f->trace != c->login->trace)
        return false;
    if (sm->role == ROLE_NONE)
        *sm = f->origin;
    sasl_wipe(&c->login->start);
    return same_life(sm, &f->origin);
}

static void refuse_frame(struct conn *c, const char *kind)
{
    log_warn("frame_refused", "kind", kind, "conn", log_hex(c->handle), NULL);
    c->login->exchange = 0;
    conn_answered(c);
    try_later(c);
}

void sasl_on_step(struct conn *c, const struct frame *f)
{
    const struct sasl_profile *profile = c->login ? c->login->profile : NULL;
    struct auth_step           step;

    if (!from_our_sm(c, f))
        return;
    if (auth_step_take(f->body, &step) != ZE_OK || step.kind == AUTH_NEXT ||
        (step.kind != AUTH_BYTES && !profile->step)) {
        refuse_frame(c, "AUTH_STEP");
        return;
    }
    c->login->exchange = f->sender;
    if (step.kind == AUTH_BYTES)
        profile->challenge(c, step.data);
    else
        profile->step(c, &step);
    conn_answered(c);
}

/* sm is believed as far as the domain of this stream goes. */
static bool jid_fits(const struct conn *c, struct slice jid)
{
    return jid_is_bare(jid) && jid_local(jid).len && slice_is(jid_domain(jid), c->domain);
}

static void succeed(struct conn *c, const struct auth_done *done)
{
    char ip[ADDRESS_MAX];

    negotiate_caps(c->c2sd, slice_str(c->domain), done->caps);
    c->authenticated = true;
    c->jid = xstrndup(done->jid);
    sasl_done(c);
    buf_put_slice(&c->login->ticket, done->ticket);
    c->c2sd->counters.logins++;
    log_info("auth_succeeded", "conn", log_hex(c->handle), "peer", conn_address(c, ip), "jid", c->jid, NULL);
    c->login->profile->success(c, done);
}

static bool is_condition(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((name.p[i] < 'a' || name.p[i] > 'z') && name.p[i] != '-')
            return false;
    return name.len > 0 && name.len < 64;
}

/* XEP-0178 2 step 11: what a certificate does not prove, a second attempt on this stream would not either. */
static bool is_final(const struct conn *c, const char *condition)
{
    return c->login->mechanism && c->login->mechanism->certified &&
           (strcmp(condition, "not-authorized") == 0 || strcmp(condition, "invalid-authzid") == 0);
}

static void refused(struct conn *c, const char *condition, const struct auth_done *done)
{
    const struct sasl_mechanism *m = c->login->mechanism;

    refuse(c, c->login->profile, condition, done->text, done->content);
    count_failure(c, condition, m ? m->name : NULL);
    if (is_final(c, condition))
        conn_close(c, "login by certificate failed");
}

void sasl_on_done(struct conn *c, const struct frame *f)
{
    struct auth_done done;
    char             condition[64] = "not-authorized";

    if (!from_our_sm(c, f))
        return;
    if (auth_done_take(f->body, &done) != ZE_OK || (done.ok && !jid_fits(c, done.jid))) {
        refuse_frame(c, "AUTH_DONE");
        return;
    }
    conn_answered(c);
    if (done.ok) {
        succeed(c, &done);
        return;
    }
    if (is_condition(done.condition)) {
        memcpy(condition, done.condition.p, done.condition.len);
        condition[done.condition.len] = 0;
    }
    refused(c, condition, &done);
}
