/* Streams of other servers (incoming.h). A stanza is taken when dialback has proved its pair of domains
 * on this very stream, and not otherwise. */

#include "incoming.h"

#include <stdlib.h>

#include "deliver.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "remote.h"
#include "stream_limits.h"

enum { PAIRS_MAX = 200 };

static bool tls_required(const struct stream *st)
{
    return s2sd_settings(st->s2sd)->server.s2s_require_tls && !st->secure;
}

/* ---- opening ---- */

/* <required/>: RFC 6120 5.3.1. Dialback is offered as soon as it would be taken; these are the last features,
 * and the limits those of stanzas (XEP-0478 3.1). */
static void send_features(struct stream *st)
{
    const struct settings *set = s2sd_settings(st->s2sd);
    struct buf            *out = stream_out(st);

    buf_put_str(out, "<stream:features>");
    if (!st->secure && st->s2sd->certs)
        buf_put_str(out, tls_required(st) ? "<starttls xmlns='" NS_TLS "'><required/></starttls>"
                                          : "<starttls xmlns='" NS_TLS "'/>");
    if (!tls_required(st)) {
        buf_put_str(out, "<dialback xmlns='" NS_DIALBACK_F "'><errors/></dialback>");
        stream_limits_write(out, set->limits.stanza_max, set->limits.s2s_idle_seconds);
    }
    buf_put_str(out, "</stream:features>");
}

static bool is_domain(struct slice raw_jid, struct jid *out)
{
    return raw_jid.len && jid_parse(raw_jid, out) == ZE_OK && jid_is_domain(jid_slice(out));
}

static void keep_text(char **to, const struct jid *jid)
{
    free(*to);
    *to = xstrdup(jid->text);
}

static void opened(struct stream *st, const struct xml_open *open)
{
    struct jid to, from;

    if (is_domain(open->from, &from))
        keep_text(&st->theirs, &from);
    if (!is_domain(open->to, &to) || !s2sd_is_ours(st->s2sd, jid_slice(&to))) {
        stream_fail(st, SE_HOST_UNKNOWN, NULL);
        return;
    }
    keep_text(&st->ours, &to);
    if (st->theirs && s2sd_is_ours(st->s2sd, slice_str(st->theirs))) {
        stream_fail(st, SE_INVALID_FROM, "that is one of our own domains"); /* perhaps we found ourselves */
        return;
    }
    st->dialback = open->dialback;
    stream_send_header(st);
    stream_enter(st, STREAM_FEATURES);
    if (open->version.len)          /* RFC 6120 4.7.5: before 1.0 there were no features */
        send_features(st);
}

static void on_starttls(struct stream *st, const struct element *e)
{
    (void)e;
    if (st->secure || !st->s2sd->certs) {
        buf_put_str(stream_out(st), "<failure xmlns='" NS_TLS "'/>");       /* RFC 6120 5.4.2.2 */
        stream_close(st, "TLS cannot begin");
        return;
    }
    buf_put_str(stream_out(st), "<proceed xmlns='" NS_TLS "'/>");
    stream_enter(st, STREAM_TLS);
    transport_secure(&st->transport, tls_new(st->s2sd->certs, TLS_SERVER, TLS_FOR_S2S, NULL, NULL));
}

static void secured(struct stream *st)
{
    (void)st;           /* the peer opens the new stream */
}

/* ---- pairs ---- */

static struct allowed *find(const struct stream *st, struct slice ours, struct slice theirs)
{
    LIST_EACH(&st->allowed, node) {
        struct allowed *a = LIST_OWNER(node, struct allowed, link);
        if (slice_is(ours, a->ours) && slice_is(theirs, a->theirs))
            return a;
    }
    return NULL;
}

static void forget(struct stream *st, struct allowed *a)
{
    list_remove(&a->link);
    st->allowed_count--;
    free(a->ours);
    free(a->theirs);
    free(a);
}

static void add(struct stream *st, struct slice ours, struct slice theirs)
{
    struct allowed *a = xcalloc(1, sizeof(*a));

    a->ours = xstrndup(ours);
    a->theirs = xstrndup(theirs);
    list_append(&st->allowed, &a->link);
    st->allowed_count++;
}

/* Answers swap the addresses (XEP-0220 2.2). */
static void answer(struct stream *st, const struct dialback_said *asked, enum dialback_type type,
                   enum zerr why)
{
    struct dialback_said said = { .verify = asked->verify, .type = type, .from = asked->to, .to = asked->from,
                                  .id = asked->verify ? asked->id : (struct slice){ 0 }, .err = why };

    dialback_write(stream_out(st), &said);
    stream_used(st);
}

static void refuse(struct stream *st, const struct dialback_said *asked, enum zerr why)
{
    st->s2sd->counters.dialbacks_failed++;
    log_info("dialback_refused", "conn", log_hex(st->handle), "from", log_slice(asked->from), "to",
             log_slice(asked->to), "err", err_name(why), NULL);
    answer(st, asked, DIALBACK_ERROR, why);
}

/* ---- XEP-0220 2.2.1: they want to send ---- */

static enum zerr fault_of_request(const struct stream *st, const struct dialback_said *said)
{
    if (tls_required(st))
        return ZE_POLICY;
    if (!s2sd_is_ours(st->s2sd, said->to))
        return ZE_NOT_FOUND;
    if (s2sd_is_ours(st->s2sd, said->from))
        return ZE_NOT_ACCEPTABLE;
    return st->allowed_count >= PAIRS_MAX ? ZE_FULL : ZE_OK;
}

static void on_key(struct stream *st, const struct dialback_said *said)
{
    struct allowed *a = find(st, said->to, said->from);

    if (a && a->valid)
        answer(st, said, DIALBACK_VALID, ZE_OK);
    if (a)
        return;             /* else the answer is on its way */
    enum zerr err = fault_of_request(st, said);
    if (!err) {
        add(st, said->to, said->from);
        err = remote_verify(st->s2sd, st, said);
        a = find(st, said->to, said->from);
        if (err && a)
            forget(st, a);
    }
    if (err)
        refuse(st, said, err);
}

/* RFC 7590 3.4: said for the log and `streams`; dialback has proved the domain either way. */
static void look_at_certificate(struct stream *st, const char *theirs)
{
    if (!st->verified_count && st->secure) {
        free(st->theirs);
        st->theirs = xstrdup(theirs);
        st->certified = tls_peer_is(st->transport.tls, theirs);
    }
}

static void on_valid(struct stream *st, struct allowed *a)
{
    a->valid = true;
    look_at_certificate(st, a->theirs);
    st->verified_count++;
    st->s2sd->counters.dialbacks_valid++;
    remote_seen(st->s2sd, slice_str(a->theirs));
    log_info("pair_verified", "conn", log_hex(st->handle), "from", a->theirs, "to", a->ours, "state",
             st->certified ? "certified" : stream_tls(st), NULL);
    if (st->state != STREAM_FEATURES)
        return;
    stream_enter(st, STREAM_READY);
    st->s2sd->counters.streams_in++;
    stream_limit(st, true);
}

/* XEP-0220 2.2.1: an invalid key ends a stream that has proved nothing; else it is <forbidden/>, and
 * whatever went wrong behind us is <remote-server-not-found/> (2.5). */
void incoming_verified(struct s2sd *s, uint64_t stream, struct slice ours, struct slice theirs,
                       enum dialback_type result, enum zerr why)
{
    struct stream       *st = stream_find(s, stream);
    struct allowed      *a = st ? find(st, ours, theirs) : NULL;
    struct dialback_said asked = { .from = theirs, .to = ours };

    if (!a || a->valid)
        return;
    if (result == DIALBACK_VALID) {
        on_valid(st, a);
        answer(st, &asked, DIALBACK_VALID, ZE_OK);
        return;
    }
    forget(st, a);
    if (result != DIALBACK_INVALID) {
        refuse(st, &asked, why == ZE_FULL ? ZE_FULL : ZE_REMOTE);
        return;
    }
    log_warn("dialback_forged", "conn", log_hex(st->handle), "from", log_slice(theirs), "to", log_slice(ours),
             NULL);
    if (st->verified_count) {
        refuse(st, &asked, ZE_FORBIDDEN);
    } else {
        s->counters.dialbacks_failed++;
        answer(st, &asked, DIALBACK_INVALID, ZE_OK);
        stream_close(st, "its key is invalid");
    }
}

/* ---- XEP-0220 2.2.2: they ask whether a key is ours ---- */

static void on_question(struct stream *st, const struct dialback_said *said)
{
    struct s2sd *s = st->s2sd;

    if (tls_required(st)) {
        refuse(st, said, ZE_POLICY);
    } else if (!s2sd_is_ours(s, said->to)) {
        refuse(st, said, ZE_NOT_FOUND);
    } else {
        bool ours = dialback_key_is(&s->dialback, said->from, said->to, said->id, said->key);
        s->counters.verified_for_others++;
        log_debug("key_verified", "conn", log_hex(st->handle), "from", log_slice(said->from), "to",
                  log_slice(said->to), "state", ours ? "valid" : "invalid", NULL);
        answer(st, said, ours ? DIALBACK_VALID : DIALBACK_INVALID, ZE_OK);
    }
}

/* Answers do not belong on a stream that the peer opened (XEP-0220 2.2, 4). */
static void on_dialback(struct stream *st, const struct element *e)
{
    struct dialback_said said;

    if (dialback_read(st->s2sd->arena, e, &said) != ZE_OK) {
        stream_fail(st, SE_IMPROPER_ADDRESSING, NULL);
    } else if (said.type != DIALBACK_REQUEST) {
        log_warn("dialback_unsolicited", "conn", log_hex(st->handle), "from", log_slice(said.from), "to",
                 log_slice(said.to), NULL);
        stream_fail(st, SE_POLICY_VIOLATION, "nobody asked");
    } else if (said.verify) {
        on_question(st, &said);
    } else {
        on_key(st, &said);
    }
}

/* ---- stanzas ---- */

/* RFC 6120 8.1.1.2 and 8.1.2.2: both addresses are there and belong to a pair proved on this stream. */
static enum stream_error fault_of_stanza(const struct stream *st, const struct stanza *raw, struct jid *from,
                                         struct jid *to, bool *bad_to)
{
    *bad_to = false;
    if (raw->from.len == 0 || raw->to.len == 0)
        return SE_IMPROPER_ADDRESSING;
    if (st->verified_count == 0)
        return SE_NOT_AUTHORIZED;
    if (jid_parse(raw->from, from) != ZE_OK)
        return SE_INVALID_FROM;
    *bad_to = jid_parse(raw->to, to) != ZE_OK;
    if (*bad_to)
        return SE_NONE;
    struct slice ours = jid_domain(jid_slice(to)), theirs = jid_domain(jid_slice(from));
    if (!s2sd_is_ours(st->s2sd, ours))
        return SE_HOST_UNKNOWN;
    const struct allowed *a = find(st, ours, theirs);
    return a && a->valid ? SE_NONE : SE_INVALID_FROM;
}

/* An address that is none must not cost all others the stream: their server may not look at it. */
static void stanza(struct stream *st, struct xml_item *item)
{
    struct jid        from, to;
    bool              bad_to;
    struct stanza     s = item->stanza;
    enum stream_error fault = fault_of_stanza(st, &item->stanza, &from, &to, &bad_to);

    if (fault) {
        st->s2sd->counters.stanzas_refused++;
        stream_fail(st, fault, NULL);
        return;
    }
    stream_used(st);
    st->stanzas_in++;
    st->s2sd->counters.stanzas_in++;
    s.from = jid_slice(&from);
    s.to = bad_to ? slice_str(st->ours) : jid_slice(&to);
    enum zerr err = bad_to ? ZE_BAD_JID : xml_stanza_fault(item);
    if (err)
        deliver_return(st->s2sd, &(struct returned){ &s, s.to, 0, NULL }, err);
    else
        deliver_inward(st, &s);
}

/* ---- life ---- */

static void ended(struct stream *st)
{
    if (st->was_ready)
        st->s2sd->counters.streams_in--;
}

static void freed(struct stream *st)
{
    while (!list_empty(&st->allowed))
        forget(st, LIST_OWNER(st->allowed.next, struct allowed, link));
}

static const struct element_rule rules[] = {
    { S(STREAM_FEATURES),                   NEEDS_NOTHING, NS_TLS,      "starttls", on_starttls },
    { S(STREAM_FEATURES) | S(STREAM_READY), NEEDS_NOTHING, NS_DIALBACK, "result",   on_dialback },
    { S(STREAM_FEATURES) | S(STREAM_READY), NEEDS_NOTHING, NS_DIALBACK, "verify",   on_dialback },
    { 0 },
};

const struct stream_kind incoming_kind = {
    .name = "in", .ns = NS_SERVER, .rules = rules, .opened = opened, .stanza = stanza, .secured = secured,
    .ended = ended, .freed = freed,
};
