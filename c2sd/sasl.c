/* SASL between client and sm (sasl.h), RFC 6120 6.4. Nothing here understands a mechanism: bytes pass,
 * and the outcome is sm's. After limits.auth_failures_max failures the stream ends (6.4.5). */

#include "sasl.h"

#include <stdlib.h>

#include "encode.h"
#include "log.h"
#include "login.h"
#include "ns.h"
#include "sasl_list.h"
#include "xml_write.h"

static void count_failure(struct conn *c, const char *condition, const char *mechanism)
{
    char ip[ADDRESS_MAX];

    c->c2sd->counters.logins_failed++;
    log_info("auth_failed", "conn", log_hex(c->handle), "peer", conn_address(c, ip), "domain", c->domain,
             "jid", c->login->hint, "kind", mechanism, "why", condition, NULL);
    if (++c->login->failures >= (unsigned)c2sd_settings(c->c2sd)->limits.auth_failures_max)
        conn_fail(c, SE_POLICY_VIOLATION, "too many failed logins");
}

/* RFC 6120 6.5. text may be empty. Back to the features. */
static void refuse(struct conn *c, const char *condition, struct slice text)
{
    struct buf *out = conn_out(c);

    buf_printf(out, "<failure xmlns='" NS_SASL "'><%s/>", condition);
    if (text.len) {
        buf_put_str(out, "<text xml:lang='en'>");
        xml_escape(out, text);
        buf_put_str(out, "</text>");
    }
    buf_put_str(out, "</failure>");
    sasl_done(c);
    if (c->state == CONN_SASL)
        conn_enter(c, CONN_FEATURES);
}

static void fail(struct conn *c, const char *condition, struct slice text, const char *mechanism)
{
    refuse(c, condition, text);
    count_failure(c, condition, mechanism);
}

/* Not the client's fault, so it does not count against it. */
static void try_later(struct conn *c)
{
    log_warn("auth_unanswered", "conn", log_hex(c->handle), "domain", c->domain, NULL);
    refuse(c, "temporary-auth-failure", (struct slice){ 0 });
}

static void forget_start(struct conn *c)
{
    if (buf_len(&c->login->start))
        wipe(c->login->start.bytes, c->login->start.room);
    buf_free(&c->login->start);
}

void sasl_done(struct conn *c)
{
    c->login->sm = (struct address){ 0 };
    c->login->exchange = 0;
    forget_start(c);
}

/* ---- what is offered ---- */

/* Fills the binding when there is one; `data` is the caller's. */
static struct sasl_stream stream_of(const struct conn *c, struct buf *data, const char **binding)
{
    struct tls *tls = c->transport.tls;

    *binding = c->secure ? tls_channel_binding(tls, data) : NULL;
    return (struct sasl_stream){
        .secure = c->secure,
        .binding = *binding != NULL,
        .clear_allowed = !c2sd_settings(c->c2sd)->server.require_tls,
    };
}

/* XEP-0440: which binding a -PLUS mechanism can use here. */
static void put_binding(struct buf *out, const char *binding)
{
    if (binding)
        buf_printf(out,
                   "<sasl-channel-binding xmlns='" NS_SASL_CB "'><channel-binding type='%s'/>"
                   "</sasl-channel-binding>",
                   binding);
}

void sasl_features(struct conn *c, struct buf *out)
{
    struct buf         data = { 0 };
    const char        *binding;
    struct sasl_stream stream = stream_of(c, &data, &binding);

    buf_put_str(out, "<mechanisms xmlns='" NS_SASL "'>");
    for (const struct sasl_mechanism *m = sasl_list; m->name; m++)
        if (sasl_may(m, &stream))
            buf_printf(out, "<mechanism>%s</mechanism>", m->name);
    buf_put_str(out, "</mechanisms>");
    put_binding(out, binding);
    buf_free(&data);
}

/* ---- from the client ---- */

/* RFC 6120 6.4.2: "=" is an empty response, no text is none at all. False: not base64. */
static bool take_text(struct conn *c, const struct element *e, struct buf *bytes, bool *present)
{
    struct slice text = element_text(c->c2sd->arena, e);

    *present = text.len > 0;
    return text.len == 0 || slice_is(text, "=") || base64_take(bytes, text);
}

/* The owner of the account when the client said who it is, so that login and session usually meet in
 * one process; else any. False: no sm is up. */
static bool choose_sm(struct conn *c, struct frame *f)
{
    const struct routes         *routes = link_routes(c->c2sd->daemon->link);
    const struct route_instance *sm = NULL;

    f->stanza.to = slice_str(c->login->hint ? c->login->hint : c->domain);
    if (c->login->hint && routes_find(routes, f->stanza.to, &f->dest, &f->generation) == ZE_OK)
        sm = routes_instance(routes, f->dest.instance);
    if (!sm || !sm->up || sm->role != ROLE_SM) {
        sm = routes_any(routes, ROLE_SM, c->handle);
        f->generation = 0;
    }
    if (!sm || !sm->up)
        return false;
    f->dest = (struct address){ .role = ROLE_SM, .instance = sm->key };
    return true;
}

static bool plus_offered(const struct sasl_stream *stream)
{
    for (const struct sasl_mechanism *m = sasl_list; m->name; m++)
        if (m->binds && sasl_may(m, stream))
            return true;
    return false;
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

static void start(struct conn *c, const struct sasl_mechanism *m, const struct sasl_stream *stream,
                  const char *binding, const struct buf *data, const struct element *e)
{
    struct buf initial = { 0 };
    char       ip[ADDRESS_MAX];
    bool       has_initial;

    if (!take_text(c, e, &initial, &has_initial)) {
        fail(c, "incorrect-encoding", (struct slice){ 0 }, m->name);
        buf_free(&initial);
        return;
    }
    struct auth_start a = {
        .domain = slice_str(c->domain),
        .mechanism = slice_str(m->name),
        .binding_name = slice_str(binding),
        .binding_data = buf_slice(data),
        .plus_offered = plus_offered(stream),
        .secure = c->secure,
        .has_initial = has_initial,
        .initial = buf_slice(&initial),
        .address = slice_str(conn_address(c, ip)),
    };
    auth_start_put(&c->login->start, &a);
    conn_enter(c, CONN_SASL);
    if (send_start(c) == ZE_OK)
        conn_wait(c);
    else
        try_later(c);
    if (buf_len(&initial))
        wipe(initial.bytes, initial.room);
    buf_free(&initial);
}

void sasl_auth(struct conn *c, const struct heard *heard)
{
    struct buf                   data = { 0 };
    const char                  *binding;
    struct sasl_stream           stream = stream_of(c, &data, &binding);
    const struct sasl_mechanism *m = sasl_find(element_attr(heard->element, "mechanism"), &stream);

    if (m)
        start(c, m, &stream, binding, &data, heard->element);
    else
        fail(c, "invalid-mechanism", (struct slice){ 0 }, NULL);
    buf_free(&data);
}

void sasl_auth_too_early(struct conn *c, const struct heard *heard)
{
    (void)heard;
    fail(c, "encryption-required", (struct slice){ 0 }, NULL);      /* RFC 6120 6.5.4 */
}

void sasl_response(struct conn *c, const struct heard *heard)
{
    struct frame f = frame_make(FRAME_AUTH_STEP);
    struct buf   bytes = { 0 };
    bool         present;

    if (!take_text(c, heard->element, &bytes, &present)) {
        sasl_forget(c);
        fail(c, "incorrect-encoding", (struct slice){ 0 }, NULL);
    } else if (!c->login->exchange) {
        try_later(c);                       /* sm died while the client was thinking */
    } else {
        f.dest = c->login->sm;
        f.handle = c->login->exchange;
        f.trace = c->login->trace;
        f.body = buf_slice(&bytes);
        if (conn_send_frame(c, &f) == ZE_OK)
            conn_wait(c);
        else
            try_later(c);
    }
    if (buf_len(&bytes))
        wipe(bytes.bytes, bytes.room);
    buf_free(&bytes);
}

void sasl_abort(struct conn *c, const struct heard *heard)
{
    (void)heard;
    sasl_forget(c);
    fail(c, "aborted", (struct slice){ 0 }, NULL);
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
    forget_start(c);
    return sm->role == f->origin.role && sm->instance == f->origin.instance &&
           sm->incarnation == f->origin.incarnation;
}

static void put_base64(struct conn *c, const char *element, struct slice bytes, bool present)
{
    struct buf *out = conn_out(c);

    buf_printf(out, "<%s xmlns='" NS_SASL "'", element);
    if (!present) {
        buf_put_str(out, "/>");
        return;
    }
    buf_put_str(out, ">");
    if (bytes.len)
        base64_put(out, bytes);
    else
        buf_put_str(out, "=");
    buf_printf(out, "</%s>", element);
}

void sasl_on_step(struct conn *c, const struct frame *f)
{
    if (!from_our_sm(c, f))
        return;
    c->login->exchange = f->sender;
    put_base64(c, "challenge", f->body, f->body.len > 0);   /* RFC 6120 6.4.2: an empty one has no text */
    conn_answered(c);
}

/* sm is believed as far as the domain of this stream goes. */
static bool jid_fits(const struct conn *c, struct slice jid)
{
    return jid_is_bare(jid) && jid_local(jid).len && slice_is(jid_domain(jid), c->domain);
}

static void succeed(struct conn *c, const struct auth_done *done)
{
    struct xml_limits limits;
    char              ip[ADDRESS_MAX];

    c->authenticated = true;
    c->jid = xstrndup(done->jid);
    sasl_done(c);
    buf_put_slice(&c->login->ticket, done->ticket);
    put_base64(c, "success", done->data, done->has_data);
    c->c2sd->counters.logins++;
    log_info("auth_succeeded", "conn", log_hex(c->handle), "peer", conn_address(c, ip), "jid", c->jid, NULL);
    limits = conn_limits(c);
    xml_stream_restart(c->xml);
    xml_stream_limits(c->xml, &limits);
    conn_enter(c, CONN_OPENING);
}

static bool is_condition(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((name.p[i] < 'a' || name.p[i] > 'z') && name.p[i] != '-')
            return false;
    return name.len > 0 && name.len < 64;
}

void sasl_on_done(struct conn *c, const struct frame *f)
{
    struct auth_done done;
    char             condition[64] = "not-authorized";

    if (!from_our_sm(c, f))
        return;
    if (auth_done_take(f->body, &done) != ZE_OK || (done.ok && !jid_fits(c, done.jid))) {
        log_warn("frame_refused", "kind", "AUTH_DONE", "conn", log_hex(c->handle), NULL);
        c->login->exchange = 0;
        conn_answered(c);
        try_later(c);
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
    fail(c, condition, done.text, NULL);
}
