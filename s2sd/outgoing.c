/* Streams to other servers (outgoing.h). What comes after the features is the first row of `steps` that
 * fits. SASL EXTERNAL is none yet: a peer that insists on it is not reached. */

#include "outgoing.h"

#include <stdlib.h>

#include "log.h"
#include "ns.h"
#include "pair.h"

/* ---- negotiation ---- */

struct offer {
    bool starttls, dialback;
};

struct step {
    const char *name;
    bool (*fits)(const struct stream *st, const struct offer *offer);
    void (*begin)(struct stream *st);
};

static bool needs_tls(const struct stream *st)
{
    return s2sd_settings(st->s2sd)->server.s2s_require_tls && !st->secure;
}

static bool starttls_fits(const struct stream *st, const struct offer *offer)
{
    return offer->starttls && !st->secure;
}

static void starttls_begin(struct stream *st)
{
    buf_put_str(stream_out(st), "<starttls xmlns='" NS_TLS "'/>");
    stream_enter(st, STREAM_STARTTLS);
}

static bool clear_is_forbidden(const struct stream *st, const struct offer *offer)
{
    return needs_tls(st);
}

static void refuse_clear(struct stream *st)
{
    stream_fail(st, SE_POLICY_VIOLATION, "TLS is required");
}

/* XEP-0220 2.4: told by the feature, or by the namespace in the header; not telling is common too, and a
 * server that has no other way will take it. */
static bool dialback_fits(const struct stream *st, const struct offer *offer)
{
    return offer->dialback || st->dialback;
}

static void dialback_begin(struct stream *st)
{
    stream_enter(st, STREAM_READY);
    st->s2sd->counters.streams_out++;
    log_info("stream_ready", "conn", log_hex(st->handle), "kind", st->kind->name, "domain", st->theirs,
             "state", st->certified ? "certified" : stream_tls(st), NULL);
    remote_stream_ready(st->remote);
}

static bool nothing_fits(const struct stream *st, const struct offer *offer)
{
    return true;
}

static void give_up(struct stream *st)
{
    stream_close(st, "no common way to authenticate");
}

static const struct step steps[] = {
    { "starttls", starttls_fits,      starttls_begin },
    { "policy",   clear_is_forbidden, refuse_clear },
    { "dialback", dialback_fits,      dialback_begin },
    { "none",     nothing_fits,       give_up },
};

static void next_step(struct stream *st, const struct offer *offer)
{
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (!steps[i].fits(st, offer))
            continue;
        log_debug("stream_step", "conn", log_hex(st->handle), "kind", steps[i].name, NULL);
        steps[i].begin(st);
        return;
    }
}

static void opened(struct stream *st, const struct xml_open *open)
{
    static const struct offer nothing = { 0 };

    free(st->id);
    st->id = xstrndup(open->id);
    st->dialback = open->dialback;
    if (open->id.len == 0 || open->id.len > DIALBACK_KEY_MAX) {
        stream_fail(st, SE_BAD_FORMAT, "no stream id");
        return;
    }
    stream_enter(st, STREAM_FEATURES);
    if (open->version.len == 0)         /* RFC 6120 4.7.5: before 1.0 there were no features */
        next_step(st, &nothing);
}

static void on_features(struct stream *st, const struct element *e)
{
    struct offer offer = {
        .starttls = element_child(e, NS_TLS, "starttls") != NULL,
        .dialback = element_child(e, NS_DIALBACK_F, "dialback") != NULL,
    };
    struct stream_limits limits = { 0 };

    stream_limits_read(st->s2sd->arena, e, &limits);
    stream_announced(st, &limits);
    next_step(st, &offer);
}

/* Some say it again when something has changed: their limits, once dialback is done. */
static void on_more_features(struct stream *st, const struct element *e)
{
    struct stream_limits limits;

    if (stream_limits_read(st->s2sd->arena, e, &limits))
        stream_announced(st, &limits);
}

/* ---- TLS ---- */

static bool start_tls(struct stream *st)
{
    char        name[DNS_NAME_MAX];
    bool        named = resolve_ascii(st->theirs, name);
    struct tls *tls = tls_new(st->s2sd->certs, TLS_CLIENT, TLS_FOR_S2S, named ? name : NULL,
                              st->direct_tls ? "xmpp-server" : NULL);

    if (st->s2sd->certs)
        tls_show(tls, st->ours);
    return transport_secure_first(&st->transport, tls) == ZE_OK;
}

static void on_proceed(struct stream *st, const struct element *e)
{
    (void)e;
    stream_enter(st, STREAM_TLS);
    if (!start_tls(st))
        stream_kill(st, "TLS cannot begin");
}

static void on_tls_failure(struct stream *st, const struct element *e)
{
    (void)e;
    stream_close(st, "TLS refused");
}

static void secured(struct stream *st)
{
    st->certified = tls_peer_is(st->transport.tls, st->theirs);
    stream_send_header(st);
}

/* ---- dialback ---- */

static void on_dialback(struct stream *st, const struct element *e)
{
    struct dialback_said said;

    if (!st->remote)
        return;
    if (dialback_read(st->s2sd->arena, e, &said) != ZE_OK || said.type == DIALBACK_REQUEST)
        stream_fail(st, SE_BAD_FORMAT, "not an answer to dialback");
    else if (said.verify)
        remote_on_verified(st->remote, &said);
    else
        pair_on_result(st->remote, &said);
}

/* Stanzas come on a stream of their own (XEP-0220 2.3). */
static void stanza(struct stream *st, struct xml_item *item)
{
    (void)item;
    stream_fail(st, SE_NOT_AUTHORIZED, "this stream has one direction");
}

static const struct element_rule rules[] = {
    { S(STREAM_FEATURES), NEEDS_NOTHING, NS_STREAM,   "features", on_features },
    { S(STREAM_READY),    NEEDS_NOTHING, NS_STREAM,   "features", on_more_features },
    { S(STREAM_STARTTLS), NEEDS_NOTHING, NS_TLS,      "proceed",  on_proceed },
    { S(STREAM_STARTTLS), NEEDS_NOTHING, NS_TLS,      "failure",  on_tls_failure },
    { S(STREAM_READY),    NEEDS_NOTHING, NS_DIALBACK, "result",   on_dialback },
    { S(STREAM_READY),    NEEDS_NOTHING, NS_DIALBACK, "verify",   on_dialback },
    { 0 },
};

/* ---- life ---- */

static void ended(struct stream *st)
{
    if (st->was_ready)
        st->s2sd->counters.streams_out--;
    pairs_take_back(st);
    if (st->remote)
        remote_stream_ended(st->remote, st);
}

static void taken(struct stream *st)
{
    if (st->remote && pairs_waiting(st->remote))
        pairs_flush(st->remote);
}

const struct stream_kind outgoing_kind = {
    .name = "out", .ns = NS_SERVER, .rules = rules, .opened = opened, .stanza = stanza, .secured = secured,
    .ended = ended, .taken = taken,
};

void outgoing_new(struct remote *r, const char *ours, int fd, const struct sockaddr_storage *at,
                  bool direct_tls)
{
    struct stream *st = stream_adopt(r->s2sd, fd, at, direct_tls);

    if (!st) {
        connect_next(r->connect);
        return;
    }
    r->stream = st;
    st->remote = r;
    st->ours = xstrdup(ours);
    st->theirs = xstrdup(r->domain);
    if (!direct_tls)
        stream_send_header(st);
    else if (!start_tls(st))
        stream_kill(st, "TLS cannot begin");
}
