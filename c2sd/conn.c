/* A client's stream from accept to close (conn.h): RFC 6120 4.3 as edges, patience by state.
 * Quiet clients are not cut: a phone may be silent for hours. After limits.idle_ping of silence they
 * get white space (RFC 6120 4.6.1), and TCP_USER_TIMEOUT of the same length ends the connection when
 * the kernel gets no acknowledgement for it: dead peers go, living ones need not answer. */

#include "conn_inner.h"

#include <stdlib.h>

#include "bind.h"
#include "encode.h"
#include "inline.h"
#include "log.h"
#include "login.h"
#include "management.h"
#include "newcomers.h"
#include "ns.h"
#include "register.h"
#include "sasl.h"
#include "xml_write.h"

enum { LINGER_MS = 2000, DRAIN_LINGER_MS = 500 };

static const unsigned conn_edges[CONN_STATES] = {
    [CONN_OPENING]  = S(CONN_FEATURES) | S(CONN_CLOSED),
    [CONN_FEATURES] = S(CONN_TLS) | S(CONN_SASL) | S(CONN_BINDING) | S(CONN_RESUMING) | S(CONN_CLOSED),
    [CONN_TLS]      = S(CONN_OPENING) | S(CONN_CLOSED),
    [CONN_SASL]     = S(CONN_FEATURES) | S(CONN_OPENING) | S(CONN_RESUMING) | S(CONN_BINDING) | S(CONN_CLOSED),
    [CONN_BINDING]  = S(CONN_ACTIVE) | S(CONN_FEATURES) | S(CONN_CLOSED),
    [CONN_RESUMING] = S(CONN_ACTIVE) | S(CONN_FEATURES) | S(CONN_BINDING) | S(CONN_CLOSED),
    [CONN_ACTIVE]   = S(CONN_CLOSED),
};

/* 0: the idle ping instead. */
static const unsigned patience_ms[CONN_STATES] = {
    [CONN_OPENING] = 15000, [CONN_FEATURES] = 60000, [CONN_TLS] = 15000,
    [CONN_SASL] = 60000, [CONN_BINDING] = ANSWER_MS, [CONN_RESUMING] = ANSWER_MS,
    [CONN_CLOSED] = LINGER_MS,
};

static const char *const state_names[CONN_STATES] = {
    "opening", "features", "tls", "sasl", "binding", "resuming", "active", "closed",
};

const char *conn_state_name(enum conn_state state)
{
    return state < CONN_STATES ? state_names[state] : "unknown";
}

bool conn_may_enter(enum conn_state from, enum conn_state to)
{
    return conn_edges[from] & S(to);
}

unsigned conn_patience(const struct conn *c)
{
    unsigned ms = patience_ms[c->state];

    if (c->state == CONN_CLOSED && c->c2sd->draining)
        return DRAIN_LINGER_MS;
    return ms ? ms : (unsigned)c2sd_settings(c->c2sd)->limits.idle_ping * 1000;
}

void conn_enter(struct conn *c, enum conn_state next)
{
    if (!conn_may_enter(c->state, next))
        fatal("conn_bad_edge", "from", conn_state_name(c->state), "to", conn_state_name(next), NULL);
    log_debug("conn_entered", "conn", log_hex(c->handle), "from", conn_state_name(c->state), "to",
              conn_state_name(next), NULL);
    c->state = (uint8_t)next;
    if (next == CONN_OPENING)
        c->header_sent = false;         /* a new stream: the answer needs its own header */
    timer_arm(c->c2sd->daemon->loop, &c->patience, conn_patience(c));
}

void conn_wait(struct conn *c)
{
    c->waiting = true;
    transport_pause(&c->transport, PAUSE_ANSWER);
    timer_arm(c->c2sd->daemon->loop, &c->patience, ANSWER_MS);
}

void conn_answered(struct conn *c)
{
    if (!c->waiting)
        return;
    c->waiting = false;
    transport_resume(&c->transport, PAUSE_ANSWER);
    timer_arm(c->c2sd->daemon->loop, &c->patience, conn_patience(c));
}

/* ---- what others ask ---- */

const char *conn_address(const struct conn *c, char out[ADDRESS_MAX])
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    bool                 v4 = memcmp(c->ip.bytes, mapped, sizeof(mapped)) == 0;

    if (uv_inet_ntop(v4 ? AF_INET : AF_INET6, c->ip.bytes + (v4 ? 12 : 0), out, ADDRESS_MAX) < 0)
        out[0] = 0;
    return out;
}

struct slice conn_jid(const struct conn *c)
{
    return slice_str(c->jid);
}

struct xml_limits conn_limits(const struct conn *c)
{
    const struct settings *s = c2sd_settings(c->c2sd);

    return (struct xml_limits){
        .element_max = (size_t)(c->authenticated ? s->limits.stanza_max : s->limits.stanza_max_early),
        .depth_max = (size_t)s->limits.depth_max,
        .attributes_max = (size_t)s->limits.attributes_max,
        .name_max = (size_t)s->limits.name_max,
    };
}

struct buf *conn_out(struct conn *c)
{
    return transport_out(&c->transport);
}

enum zerr conn_send_frame(struct conn *c, struct frame *f)
{
    f->sender = c->handle;
    return link_send(c->c2sd->daemon->link, f);
}

static void put_attribute(struct buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(out, " %s='", name);
    xml_escape(out, slice_str(value));
    buf_put_str(out, "'");
}

/* RFC 6120 4.7: `to` is the peer when it said who it is. */
void conn_send_header(struct conn *c)
{
    struct buf *out = conn_out(c);
    char        id[RANDOM_ID];

    random_id(id);
    c->header_sent = true;
    buf_put_str(out, "<?xml version='1.0'?><stream:stream xmlns='" NS_CLIENT "' xmlns:stream='" NS_STREAM
                     "'");
    put_attribute(out, "id", id);
    put_attribute(out, "from", c->domain ? c->domain : c2sd_settings(c->c2sd)->domain[0].name);
    put_attribute(out, "to", c->jid ? c->jid : c->login ? c->login->hint : NULL);
    buf_put_str(out, " version='1.0' xml:lang='en'>");
}

/* ---- the end ---- */

static void tell_sm(struct conn *c, const char *condition, const char *text, bool broken)
{
    struct session_end end = { .broken = broken, .condition = slice_str(condition), .text = slice_str(text) };
    struct frame       f = frame_make(FRAME_SESSION_END);
    struct buf         body = { 0 };

    if (!c->session)
        return;
    management_flush(c);        /* XEP-0198 4: clients acknowledge right before they close */
    session_end_put(&body, &end);
    f.dest = c->owner;
    f.handle = c->session;
    f.body = buf_slice(&body);
    enum zerr err = conn_send_frame(c, &f);
    if (err)
        log_warn("session_end_unsent", "conn", log_hex(c->handle), "err", err_name(err), NULL);
    buf_free(&body);
    c->session = 0;
}

void conn_login_done(struct conn *c)
{
    if (!c->login)
        return;
    newcomer_leaves(c);
    free(c->login->hint);
    sasl_done(c);
    if (buf_len(&c->login->ticket))
        wipe(c->login->ticket.bytes, c->login->ticket.room);
    buf_free(&c->login->ticket);
    buf_free(&c->login->client);
    buf_free(&c->login->certified);
    inlines_free(&c->login->inlines);
    buf_free(&c->login->iq_id);
    free(c->login);
    c->login = NULL;
}

void conn_leave(struct conn *c, const char *condition, const char *why, bool broken)
{
    char ip[ADDRESS_MAX];

    if (c->state == CONN_SASL)
        sasl_forget(c);
    tell_sm(c, condition, why, broken);
    log_info(c->state == CONN_ACTIVE ? "session_closed" : "stream_closed", "conn", log_hex(c->handle), "peer",
             conn_address(c, ip), "jid", c->jid, "state", conn_state_name(c->state), "kind", condition,
             "why", why, NULL);
    c->waiting = false;
    newcomer_leaves(c);
    conn_enter(c, CONN_CLOSED);
    transport_end(&c->transport);
    list_remove(&c->slowed);
}

void conn_fail(struct conn *c, enum stream_error error, const char *text)
{
    conn_fail_with(c, error, text, NULL);
}

void conn_fail_with(struct conn *c, enum stream_error error, const char *text, const char *element)
{
    if (c->state == CONN_CLOSED)
        return;
    if (!c->header_sent)
        conn_send_header(c);
    stream_error_write_with(conn_out(c), error, text, element);
    conn_leave(c, stream_error_name(error), text, error == SE_SYSTEM_SHUTDOWN || error == SE_RESOURCE_CONSTRAINT);
}

void conn_close(struct conn *c, const char *why)
{
    if (c->state == CONN_CLOSED)
        return;
    if (c->header_sent)
        buf_put_str(conn_out(c), "</stream:stream>");
    conn_leave(c, "", why, false);
}

/* ---- time ---- */

static void unanswered(struct conn *c)
{
    if (c->state == CONN_SASL)
        sasl_unanswered(c);
    else if (c->state == CONN_BINDING)
        bind_unanswered(c, ZE_TIMEOUT);
    else if (c->state == CONN_RESUMING)
        management_unanswered(c, ZE_TIMEOUT);
    else
        register_unanswered(c, ZE_TIMEOUT);
}

static void ping_idle(struct conn *c)
{
    uint64_t silent = c2sd_now(c->c2sd) - c->heard_ms;
    uint64_t patience = conn_patience(c);

    if (silent >= patience) {
        buf_put_str(conn_out(c), " ");
        silent = 0;
    }
    timer_arm(c->c2sd->daemon->loop, &c->patience, patience - silent);
}

void conn_patience_ended(void *arg)
{
    struct conn *c = arg;

    if (c->state == CONN_CLOSED)
        transport_kill(&c->transport);
    else if (c->waiting)
        unanswered(c);
    else if (c->state == CONN_ACTIVE)
        ping_idle(c);
    else
        conn_fail(c, SE_CONNECTION_TIMEOUT, NULL);
}

static void slowed_tick(void *arg)
{
    struct c2sd *s = arg;
    uint64_t     now = c2sd_now(s);

    LIST_EACH(&s->slowed, node) {
        struct conn *c = LIST_OWNER(node, struct conn, slowed);

        if (now < c->slowed_until_ms || (c->session && link_congested(s->daemon->link, c->owner.instance)))
            continue;
        list_remove(node);
        transport_resume(&c->transport, PAUSE_RATE);
    }
    if (!list_empty(&s->slowed))
        timer_arm(s->daemon->loop, &s->slowed_timer, SLOWED_TICK_MS);
}

void conn_slow(struct conn *c, uint64_t ms)
{
    struct c2sd *s = c->c2sd;
    uint64_t     until = c2sd_now(s) + ms;

    if (until > c->slowed_until_ms)
        c->slowed_until_ms = until;
    if (c->slowed.next || c->state == CONN_CLOSED)
        return;
    list_append(&s->slowed, &c->slowed);
    transport_pause(&c->transport, PAUSE_RATE);
    s->slowed_timer.fire = slowed_tick;
    s->slowed_timer.arg = s;
    if (!timer_armed(&s->slowed_timer))
        timer_arm(s->daemon->loop, &s->slowed_timer, SLOWED_TICK_MS);
}
