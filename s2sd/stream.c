/* Streams from open to close (stream.h): RFC 6120 4.3, 4.4, 4.9. What arrives is read in stream_in.c. */

#include "stream_inner.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "encode.h"
#include "flight.h"
#include "log.h"
#include "ns.h"
#include "xml_write.h"

enum { LINGER_MS = 2000, KEEPALIVE_S = 120 };

static const unsigned edges[STREAM_STATES] = {
    [STREAM_OPENING] = S(STREAM_FEATURES) | S(STREAM_READY) | S(STREAM_CLOSING) | S(STREAM_CLOSED),
    [STREAM_FEATURES] =
        S(STREAM_STARTTLS) | S(STREAM_TLS) | S(STREAM_READY) | S(STREAM_CLOSING) | S(STREAM_CLOSED),
    [STREAM_STARTTLS] = S(STREAM_TLS) | S(STREAM_CLOSING) | S(STREAM_CLOSED),
    [STREAM_TLS] = S(STREAM_OPENING) | S(STREAM_CLOSED),
    [STREAM_READY] = S(STREAM_CLOSING) | S(STREAM_CLOSED),
    [STREAM_CLOSING] = S(STREAM_CLOSED),
};

/* 0: limits.s2s_idle_seconds, or less, since what is sent while the peer closes is lost: nine tenths of what it
 * announced (XEP-0478). */
static const unsigned patience_ms[STREAM_STATES] = {
    [STREAM_OPENING] = 15000, [STREAM_FEATURES] = 60000, [STREAM_STARTTLS] = 15000, [STREAM_TLS] = 15000,
    [STREAM_CLOSING] = 5000, [STREAM_CLOSED] = LINGER_MS,
};

static const char *const state_names[STREAM_STATES] = {
    "opening", "features", "starttls", "tls", "ready", "closing", "closed",
};

const char *stream_state_name(enum stream_state state)
{
    return state < STREAM_STATES ? state_names[state] : "unknown";
}

static uint64_t patience(const struct stream *st)
{
    uint64_t ms = patience_ms[st->state];
    uint64_t ours = (uint64_t)s2sd_settings(st->s2sd)->limits.s2s_idle_seconds * 1000;
    uint64_t theirs = (uint64_t)st->limits.idle_seconds * 1000 / 10 * 9;

    if (ms)
        return ms;
    return theirs && theirs < ours ? theirs : ours;
}

bool stream_may_enter(enum stream_state from, enum stream_state to)
{
    return edges[from] & S(to);
}

void stream_enter(struct stream *st, enum stream_state next)
{
    if (!stream_may_enter(st->state, next))
        fatal("stream_bad_edge", "from", stream_state_name(st->state), "to", stream_state_name(next), NULL);
    log_debug("stream_entered", "conn", log_hex(st->handle), "from", stream_state_name(st->state), "to",
              stream_state_name(next), NULL);
    st->state = (uint8_t)next;
    st->was_ready |= next == STREAM_READY;
    if (next == STREAM_OPENING)
        st->header_sent = false;        /* a new stream begins, inside TLS */
    timer_arm(st->s2sd->daemon->loop, &st->patience, patience(st));
}

void stream_announced(struct stream *st, const struct stream_limits *limits)
{
    st->limits = *limits;
    if (st->state == STREAM_READY)
        timer_arm(st->s2sd->daemon->loop, &st->patience, patience(st));
}

struct buf *stream_out(struct stream *st)
{
    return transport_out(&st->transport);
}

void stream_used(struct stream *st)
{
    st->heard_ms = s2sd_now(st->s2sd);
}

const char *stream_address(const struct stream *st, char out[ADDRESS_MAX])
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    bool                 v4 = memcmp(st->ip.bytes, mapped, sizeof(mapped)) == 0;

    if (uv_inet_ntop(v4 ? AF_INET : AF_INET6, st->ip.bytes + (v4 ? 12 : 0), out, ADDRESS_MAX) < 0)
        out[0] = 0;
    return out;
}

const char *stream_tls(const struct stream *st)
{
    return st->secure && st->transport.tls ? tls_version(st->transport.tls) : "";
}

static struct slice handle_key(const uint64_t *handle)
{
    return slice_of((const uint8_t *)handle, sizeof(*handle));
}

struct stream *stream_find(const struct s2sd *s, uint64_t handle)
{
    struct stream *st = table_get(s->by_handle, handle_key(&handle));

    return st && st->state != STREAM_CLOSED ? st : NULL;
}

void stream_limit(struct stream *st, bool trusted)
{
    const struct settings *set = s2sd_settings(st->s2sd);
    struct xml_limits      limits = {
        .element_max = (size_t)(trusted ? set->limits.stanza_max : set->limits.stanza_max_early),
        .depth_max = (size_t)set->limits.depth_max,
        .attributes_max = (size_t)set->limits.attributes_max,
        .name_max = (size_t)set->limits.name_max,
    };

    if (st->xml)
        xml_stream_limits(st->xml, &limits);
    else
        st->xml = xml_stream_new(st->kind->ns, &limits);
}

/* ---- headers ---- */

static void put_attribute(struct buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(out, " %s='", name);
    xml_escape(out, slice_str(value));
    buf_put_u8(out, '\'');
}

static void make_id(struct stream *st)
{
    char id[RANDOM_ID];

    random_id(id);
    free(st->id);
    st->id = xstrdup(id);
}

/* RFC 6120 4.7; no language on streams of ours, since every stanza without one would get it; the dialback
 * namespace as XEP-0220 2.4.1 wants it; XEP-0114 3 has only from and id. */
void stream_send_header(struct stream *st)
{
    bool        component = st->kind == &component_kind;
    struct buf *out = stream_out(st);

    if (st->kind != &outgoing_kind)
        make_id(st);
    st->header_sent = true;
    buf_printf(out, "<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='" NS_STREAM "'",
               st->kind->ns);
    if (component) {
        put_attribute(out, "from", st->theirs ? st->theirs : s2sd_settings(st->s2sd)->domain[0].name);
    } else {
        buf_put_str(out, " xmlns:db='" NS_DIALBACK "'");
        put_attribute(out, "from", st->ours ? st->ours : s2sd_settings(st->s2sd)->domain[0].name);
        put_attribute(out, "to", st->theirs);
    }
    if (st->kind != &outgoing_kind)
        put_attribute(out, "id", st->id);
    if (!component)
        put_attribute(out, "version", "1.0");
    if (st->kind == &incoming_kind)
        put_attribute(out, "xml:lang", "en");
    buf_put_u8(out, '>');
}

/* ---- the end ---- */

void stream_end(struct stream *st, const char *why)
{
    char ip[ADDRESS_MAX];

    if (st->ended)
        return;
    st->ended = true;
    st->why = xstrdup(why ? why : "closed");
    log_info("stream_ended", "conn", log_hex(st->handle), "kind", st->kind->name, "domain", st->theirs,
             "peer", stream_address(st, ip), "why", st->why, NULL);
    if (st->kind->ended)
        st->kind->ended(st);
}

void stream_leave(struct stream *st)
{
    stream_enter(st, STREAM_CLOSED);
    transport_end(&st->transport);
}

void stream_kill(struct stream *st, const char *why)
{
    stream_end(st, why);
    if (st->state != STREAM_CLOSED)
        stream_enter(st, STREAM_CLOSED);
    transport_kill(&st->transport);
}

/* No header was exchanged inside TLS that is still being agreed on: nothing can be said there. */
static bool is_mute(const struct stream *st)
{
    return st->state == STREAM_TLS;
}

void stream_fail(struct stream *st, enum stream_error error, const char *text)
{
    if (st->state == STREAM_CLOSED)
        return;
    if (is_mute(st)) {
        stream_kill(st, text ? text : stream_error_name(error));
        return;
    }
    log_info("stream_failed", "conn", log_hex(st->handle), "kind", st->kind->name, "domain", st->theirs,
             "err", stream_error_name(error), "why", text, NULL);
    if (!st->header_sent)
        stream_send_header(st);          /* RFC 6120 4.9.1.2 */
    if (st->state != STREAM_CLOSING)
        stream_error_write(stream_out(st), error, text);
    stream_end(st, stream_error_name(error));
    stream_leave(st);
}

void stream_close(struct stream *st, const char *why)
{
    if (st->state == STREAM_CLOSED || st->state == STREAM_CLOSING)
        return;
    if (is_mute(st) || !st->header_sent) {
        stream_kill(st, why);
        return;
    }
    buf_put_str(stream_out(st), "</stream:stream>");
    stream_end(st, why);
    stream_enter(st, STREAM_CLOSING);
}

static void patience_ended(void *arg)
{
    struct stream *st = arg;
    uint64_t       idle = s2sd_now(st->s2sd) - st->heard_ms;

    if (st->state == STREAM_CLOSED || st->state == STREAM_TLS)
        stream_kill(st, "no answer in time");
    else if (st->state == STREAM_CLOSING)
        stream_leave(st);
    else if (st->state != STREAM_READY)
        stream_fail(st, SE_CONNECTION_TIMEOUT, NULL);
    else if (idle >= patience(st) && !st->kind->stays)
        stream_close(st, "idle");
    else
        timer_arm(st->s2sd->daemon->loop, &st->patience,
                  idle < patience(st) ? patience(st) - idle : patience(st));
}

void stream_free(struct stream *st)
{
    struct s2sd *s = st->s2sd;

    if (st->counted)
        limits_release(s->limits, &st->ip, s2sd_now(s));
    if (st->kind != &outgoing_kind)
        s->incoming--;
    if (st->kind->freed)
        st->kind->freed(st);
    list_remove(&st->link);
    table_remove(s->by_handle, handle_key(&st->handle));
    timer_disarm(&st->patience);
    timer_disarm(&st->slow);
    xml_stream_free(&st->xml);
    free(st->id);
    free(st->ours);
    free(st->theirs);
    free(st->why);
    free(st);
    if (s->draining && list_empty(&s->streams))
        daemon_drained(s->daemon);
}

/* ---- pace ---- */

static void resume(void *arg)
{
    struct stream *st = arg;

    transport_resume(&st->transport, PAUSE_RATE);
}

void stream_slow(struct stream *st, uint64_t ms)
{
    transport_pause(&st->transport, PAUSE_RATE);
    st->slowed++;
    timer_arm(st->s2sd->daemon->loop, &st->slow, ms);
}

void stream_passed(struct stream *st, size_t bytes)
{
    st->unconfirmed += (uint32_t)bytes;
    if (st->unconfirmed >= (size_t)s2sd_settings(st->s2sd)->limits.unconfirmed_max)
        transport_pause(&st->transport, PAUSE_CONFIRM);
}

void stream_confirmed(struct stream *st, size_t bytes)
{
    st->unconfirmed -= bytes < st->unconfirmed ? (uint32_t)bytes : st->unconfirmed;
    if (st->unconfirmed < (size_t)s2sd_settings(st->s2sd)->limits.unconfirmed_max / 2)
        transport_resume(&st->transport, PAUSE_CONFIRM);
}

/* ---- the beginning ---- */

static void set_address(struct stream *st, const struct sockaddr_storage *at)
{
    if (at->ss_family == AF_INET6) {
        memcpy(st->ip.bytes, &((const struct sockaddr_in6 *)at)->sin6_addr, 16);
        return;
    }
    st->ip.bytes[10] = st->ip.bytes[11] = 0xff;
    memcpy(st->ip.bytes + 12, &((const struct sockaddr_in *)at)->sin_addr, 4);
}

static struct stream *stream_new(struct s2sd *s, const struct stream_kind *kind)
{
    struct stream *st = xcalloc(1, sizeof(*st));

    st->s2sd = s;
    st->kind = kind;
    st->handle = ++s->serial;
    st->since_us = wall_us();
    st->heard_ms = s2sd_now(s);
    st->patience = (struct timer){ .fire = patience_ended, .arg = st };
    st->slow = (struct timer){ .fire = resume, .arg = st };
    list_init(&st->allowed);
    list_append(&s->streams, &st->link);
    table_put(s->by_handle, handle_key(&st->handle), st);
    queue_init(&st->flying);
    if (kind != &outgoing_kind)
        s->incoming++;
    stream_limit(st, kind == &outgoing_kind);
    return st;
}

static enum zerr admit(struct stream *st)
{
    struct s2sd           *s = st->s2sd;
    const struct settings *set = s2sd_settings(s);
    const char            *self = s->daemon->instance;
    struct limits_set      limits = { settings_share(set, self, set->limits.connections_per_address),
                                      settings_share(set, self, set->limits.connect_rate) };

    if (s->draining || s->incoming > (size_t)set->limits.connections_max)
        return ZE_FULL;
    enum zerr err = limits_admit(s->limits, &st->ip, &limits, s2sd_now(s));
    st->counted = err == ZE_OK;
    return err;
}

void stream_accept(struct s2sd *s, uv_stream_t *listener, const struct stream_kind *kind)
{
    struct stream          *st = stream_new(s, kind);
    struct sockaddr_storage from = { 0 };
    int                     len = sizeof(from);
    char                    ip[ADDRESS_MAX];

    if (transport_accept(&st->transport, s->transports, &stream_transport_events, listener) != ZE_OK) {
        st->state = STREAM_CLOSED;
        st->ended = true;
        return;
    }
    uv_tcp_getpeername(&st->transport.tcp, (struct sockaddr *)&from, &len);
    set_address(st, &from);
    timer_arm(s->daemon->loop, &st->patience, patience_ms[STREAM_OPENING]);
    enum zerr err = admit(st);
    if (err) {
        s->counters.refused++;
        log_info("connection_refused", "peer", stream_address(st, ip), "err", err_name(err), NULL);
        stream_fail(st, err == ZE_FULL ? SE_RESOURCE_CONSTRAINT : SE_POLICY_VIOLATION,
                    "too many connections");
        return;
    }
    transport_watch(&st->transport, KEEPALIVE_S);
    transport_start(&st->transport);
}

struct stream *stream_adopt(struct s2sd *s, int fd, const struct sockaddr_storage *at, bool direct_tls)
{
    struct stream *st = stream_new(s, &outgoing_kind);

    st->direct_tls = direct_tls;
    if (direct_tls)
        st->state = STREAM_TLS;
    set_address(st, at);
    if (transport_adopt(&st->transport, s->transports, &stream_transport_events, fd) != ZE_OK) {
        st->state = STREAM_CLOSED;
        st->ended = true;
        return NULL;
    }
    timer_arm(s->daemon->loop, &st->patience, patience_ms[st->state]);
    transport_watch(&st->transport, KEEPALIVE_S);
    transport_start(&st->transport);
    return st;
}
