/* BIND and SESSION_END: a ticket becomes a session (RFC 6120 7, DESIGN.md 4). */

#include "account.h"
#include "anonymous.h"
#include "bind2.h"
#include "dispatch.h"
#include "encode.h"
#include "jid.h"
#include "log.h"
#include "logins.h"
#include "resume.h"
#include "sasl.h"

void login_end_stream(struct outcome *o, enum when when, const struct address *c2sd, uint64_t conn,
                      const struct session_end *end)
{
    struct frame f = frame_make(FRAME_SESSION_END);
    struct buf   body = { 0 };

    session_end_put(&body, end);
    f.dest = *c2sd;
    f.handle = conn;
    f.body = outcome_keep(o, &body);
    outcome_frame(o, when, &f);
}

enum zerr login_may_begin(struct sm *sm, const struct frame *f, struct slice ticket, bool use)
{
    struct slice        bare = f->stanza.to;
    struct ticket_claim claim = { bare, f->origin.instance, f->origin.incarnation, f->sender };
    struct account_info info;
    enum zerr           err = (use ? ticket_check : ticket_look)(&sm->store, ticket, &claim, wall_us());

    if (err)
        return err;
    if (account_look(sm->store.accounts, bare, &info) ? info.disabled : !anonymous_is(&sm->store, bare))
        return ZE_NOT_AUTHORIZED;
    return sm->stopping ? ZE_UNAVAILABLE : ZE_OK;
}

/* The resource asked for, or a random one (RFC 6120 7.6). */
static enum zerr full_jid(struct slice bare, struct slice resource, struct jid *out)
{
    char made[RANDOM_ID];

    if (!resource.len) {
        random_id(made);
        resource = slice_of(made, RANDOM_ID - 1);
    }
    return jid_make(jid_local(bare), jid_domain(bare), resource, out);
}

static enum zerr choose_jid(struct sm *sm, struct slice bare, const struct bind_request *b, struct jid *out)
{
    char made[BIND2_RESOURCE_MAX + 1];

    if (!b->bind2)
        return full_jid(bare, b->resource, out);
    bind2_resource(sm, bare, b, made);
    return full_jid(bare, slice_str(made), out);
}

/* A client that never resumes and takes another resource each time must not lock its account out. */
static struct session *oldest_hibernating(const struct online *account)
{
    struct session *oldest = NULL;

    ONLINE_EACH(account, node, s)
        if (resume_hibernates(s) && (!oldest || s->since_us < oldest->since_us))
            oldest = s;
    return oldest;
}

/* RFC 6120 7.7.2.2 leaves three ways; the new one wins: a client that lost its network comes back under
 * its own name while the dead stream still stands. */
static enum zerr make_room(struct sm *sm, const struct jid *full, uint64_t trace)
{
    struct session *old = session_by_jid(sm->sessions, jid_slice(full));
    struct online  *account = session_online(sm->sessions, jid_bare(jid_slice(full)));

    if (!old && account && account->count >= (unsigned long)sm->settings->limits.sessions_per_account) {
        old = oldest_hibernating(account);
        if (!old)
            return ZE_FULL;
    }
    if (old)
        dispatch_end_session(sm, &old, "conflict", "Replaced by new connection", trace);
    return ZE_OK;
}

static enum zerr bind_session(struct sm *sm, const struct frame *f, const struct bind_request *b,
                              struct session **out)
{
    struct jid full;
    bool       guest = anonymous_is(&sm->store, f->stanza.to);
    enum zerr  err = login_may_begin(sm, f, b->ticket, false);

    if (!err && guest)
        err = anonymous_may_bind(sm, b->address);
    if (!err)
        err = choose_jid(sm, f->stanza.to, b, &full);
    if (!err && b->bind2)
        bind2_replace(sm, f->stanza.to, b->client, f->trace);
    if (!err)
        err = make_room(sm, &full, f->trace);
    if (!err)
        err = login_may_begin(sm, f, b->ticket, true);
    if (err)
        return err;
    struct session_spec spec = {
        .jid = jid_slice(&full), .address = b->address.len > 64 ? slice_cut(b->address, 0, 64) : b->address,
        .c2sd = f->origin, .conn = f->sender, .now_us = wall_us(), .secure = b->secure,
        .guest = guest,
    };
    *out = session_add(sm->sessions, &spec);
    session_set_client(*out, b->client);
    log_info("session_started", "jid", log_slice(spec.jid), "conn", log_hex(f->sender), "from",
             log_slice(spec.address), "trace", log_hex(f->trace), NULL);
    return ZE_OK;
}

/* By the way of stream management, whose queue begins behind this frame. */
static void bound_send(struct sm *sm, const struct frame *asked, struct session *s, const struct bound *bound)
{
    struct frame f = frame_make(FRAME_BOUND);
    struct buf   body = { 0 };
    struct kept *kept = NULL;

    bound_put(&body, bound);
    f.dest = asked->origin;
    f.handle = asked->sender;
    f.sender = s ? s->handle : 0;
    f.trace = asked->trace;
    f.body = buf_slice(&body);
    enum zerr err = ways_send(sm->ways, &f, 0, s && s->resume ? &kept : NULL);
    if (err)
        log_warn("bound_unsent", "conn", log_hex(asked->sender), "err", err_name(err), NULL);
    if (s && s->resume)
        resume_begins(s, &kept);
    buf_free(&body);
}

static void bound_tell(struct sm *sm, const struct frame *f, struct session *s, const struct bind_request *b)
{
    struct bind2_answer more = { 0 };
    struct bound        bound = { .jid = session_jid(s), .secret = slice_of(s->secret, sizeof(s->secret)) };

    if (b->bind2)
        bind2_apply(sm, s, b->inlines, &more);
    bound.managed = buf_slice(&more.managed);
    bound.content = buf_slice(&more.content);
    bound_send(sm, f, s, &bound);
    buf_free(&more.managed);
    buf_free(&more.content);
}

void on_bind(void *self, const struct frame *f)
{
    struct sm          *sm = self;
    struct session     *s = NULL;
    struct bind_request b;
    enum zerr           err = ZE_NOT_AUTHORIZED;

    if (jid_is_bare(f->stanza.to) && sm_serves(sm, jid_domain(f->stanza.to))) {
        if (!sm_owns(sm, f->stanza.to)) {
            outcome_bounce(sm, f, ZE_STALE);
            return;
        }
        err = bind_request_take(f->body, &b);
        if (!err)
            err = bind_session(sm, f, &b, &s);
    }
    if (!err) {
        bound_tell(sm, f, s, &b);
        return;
    }
    log_info("bind_refused", "jid", log_slice(f->stanza.to), "conn", log_hex(f->sender), "err", err_name(err), NULL);
    bound_send(sm, f, NULL, &(struct bound){ .err = err });
}

void on_session_end(void *self, const struct frame *f)
{
    struct sm         *sm = self;
    struct session    *s = session_by_handle(sm->sessions, f->handle);
    struct session_end end;

    if (f->origin.role != ROLE_C2SD || !s || !session_bound_by(s, &f->origin, f->sender))
        return;
    if (session_end_take(f->body, &end) == ZE_OK && end.broken && resume_lost_socket(sm, s))
        return;
    dispatch_end_session(sm, &s, NULL, NULL, f->trace);
}
