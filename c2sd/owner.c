/* Streams and the sm that holds their sessions (owner.h). An sm that dies and comes back in place (the same
 * incarnation) costs a stream nothing: frames for it wait in the channel, questions that cannot wait come
 * back as errors, and the announcement tells it which sockets are still here. What was only under way there
 * and is not kept by it, an exchange of SASL, begins again elsewhere or fails at once (sasl.c). */

#include "owner.h"

#include "encode.h"
#include "log.h"
#include "login.h"
#include "manage.h"
#include "sasl.h"

enum { ANNOUNCED_MAX = 1000 };      /* connections a frame */

/* ---- sessions on the move (proto/slots.h): what the client says waits until MOVED has come, and what others said for it
 * before has arrived ---- */

static uint32_t owner_by_table(const struct conn *c)
{
    const struct routes *routes = link_routes(c->c2sd->daemon->link);
    struct address       to;
    uint32_t             generation;

    return routes_find(routes, jid_bare(conn_jid(c)), &to, &generation) ? 0 : to.instance;
}

static void halt_if_moving(struct conn *c)
{
    if (c->moving || !c->session || !routes_moving(link_routes(c->c2sd->daemon->link), conn_jid(c))
        || owner_by_table(c) == c->owner.instance)
        return;
    c->moving = true;
    transport_pause(&c->transport, PAUSE_MOVE);
}

static void go_on(struct conn *c)
{
    if (!c->moving)
        return;
    c->moving = false;
    transport_resume(&c->transport, PAUSE_MOVE);
}

/* Everything has arrived where it belongs; what has not was held by an sm that is gone. */
static void settle(struct conn *c)
{
    if (c->moving && owner_by_table(c) != c->owner.instance)
        conn_fail(c, SE_RESET, NULL);
    else
        go_on(c);
}

void owner_set(struct conn *c, const struct frame *f, struct slice secret)
{
    c->owner = f->origin;
    c->session = f->sender;
    memcpy(c->secret, secret.p, sizeof(c->secret));
    halt_if_moving(c);
}

bool owner_sent(const struct conn *c, const struct frame *f)
{
    return same_life(&c->owner, &f->origin);
}

/* ---- back-pressure (DESIGN.md 3) ---- */

static size_t unconfirmed_max(const struct conn *c)
{
    return (size_t)c2sd_settings(c->c2sd)->limits.unconfirmed_max;
}

enum zerr owner_send_stanza(struct conn *c, struct frame *f)
{
    struct link *link = c->c2sd->daemon->link;
    struct kept *kept;

    f->dest = c->owner;
    f->handle = c->session;
    f->sender = c->handle;
    enum zerr err = link_send_kept(link, f, c->handle, &kept);
    if (err)
        return err;
    c->unconfirmed += (uint32_t)kept_bytes(kept).len;
    kept_unref(link, &kept);
    if (c->unconfirmed >= unconfirmed_max(c))
        transport_pause(&c->transport, PAUSE_CONFIRM);
    return ZE_OK;
}

void owner_stanza_returned(struct conn *c, size_t bytes)
{
    c->unconfirmed -= bytes < c->unconfirmed ? (uint32_t)bytes : c->unconfirmed;
    if (c->unconfirmed < unconfirmed_max(c) / 2)
        transport_resume(&c->transport, PAUSE_CONFIRM);
}

void owner_confirmed(void *self, const struct kept *k)
{
    struct conn *c = kept_tag(k) ? conn_find(self, kept_tag(k)) : NULL;

    if (c)
        owner_stanza_returned(c, kept_bytes(k).len);
}

/* ---- a new owner ---- */

/* Its end went to the old owner, who had handed the session over. */
static void tell_it_is_gone(struct c2sd *s, const struct frame *f)
{
    struct frame       end = frame_make(FRAME_SESSION_END);
    struct session_end what = { .broken = true };
    struct buf         body = { 0 };

    session_end_put(&body, &what);
    end.dest = f->origin;
    end.handle = f->sender;
    end.sender = f->handle;
    end.body = buf_slice(&body);
    enum zerr err = link_send(s->daemon->link, &end);
    if (err)
        log_warn("session_end_unsent", "conn", log_hex(f->handle), "err", err_name(err), NULL);
    buf_free(&body);
}

void owner_on_moved(void *self, const struct frame *f)
{
    struct conn *c = conn_find(self, f->handle);

    if (!c || c->state != CONN_ACTIVE) {
        tell_it_is_gone(self, f);
        return;
    }
    if (f->origin.role != ROLE_SM || !same_secret(slice_of(c->secret, sizeof(c->secret)), f->body)) {
        log_warn("frame_refused", "kind", "MOVED", "conn", log_hex(c->handle), NULL);
        return;
    }
    log_info("session_moved", "conn", log_hex(c->handle), "jid", c->jid, NULL);
    c->owner = f->origin;
    c->session = f->sender;
    if (routes_settled(link_routes(c->c2sd->daemon->link)))
        go_on(c);
}

/* ---- announcing ---- */

struct announcement {
    struct c2sd          *c2sd;
    const struct address *to;
    struct buf            body;
    size_t                count;
    bool                  first;
};

static void send_piece(struct announcement *a, bool last)
{
    struct frame f = frame_make(FRAME_ANNOUNCE);
    struct buf   body = { 0 };

    announce_begin(&body, a->first, last);
    buf_put_slice(&body, buf_slice(&a->body));
    f.dest = *a->to;
    f.body = buf_slice(&body);
    enum zerr err = link_send(a->c2sd->daemon->link, &f);
    if (err)
        log_warn("announcement_unsent", "peer", log_hex(a->to->instance), "err", err_name(err), NULL);
    buf_free(&body);
    buf_reset(&a->body, a->body.room);
    a->first = false;
    a->count = 0;
}

static void add(struct announcement *a, const struct conn *c)
{
    if (a->count == ANNOUNCED_MAX)
        send_piece(a, false);
    announce_put(&a->body, &(struct announced){ .conn = c->handle, .session = c->session,
                                                .secret = slice_of(c->secret, sizeof(c->secret)) });
    a->count++;
}

/* Those whose answer is under way are named to every sm: any of them may be the one that answers. */
static bool is_undecided(const struct conn *c)
{
    return c->state != CONN_CLOSED && c->authenticated && c->waiting && !c->session;
}

void owner_peer_back(void *self, const struct address *peer)
{
    struct announcement a = { .c2sd = self, .to = peer, .first = true };
    struct conn        *c;

    if (peer->role != ROLE_SM)
        return;
    for (size_t i = 0; (c = conn_next(self, &i));)
        if (is_undecided(c) || (c->session && same_life(&c->owner, peer)))
            add(&a, c);
    send_piece(&a, true);
    buf_free(&a.body);
}

/* ---- its end ---- */

/* What that life held is void. */
void owner_peer_lost(void *self, const struct address *life)
{
    struct conn *c;

    for (size_t i = 0; (c = conn_next(self, &i));) {
        if (c->state == CONN_ACTIVE && same_life(&c->owner, life)) {
            c->session = 0;
            conn_fail(c, SE_RESET, NULL);
        } else if (c->state == CONN_SASL) {
            sasl_sm_lost(c, life->instance);
        }
    }
}

static void follow_moves(struct c2sd *s, bool settled)
{
    struct conn *c;

    for (size_t i = 0; (c = conn_next(s, &i));)
        if (c->state == CONN_ACTIVE && settled)
            settle(c);
        else if (c->state == CONN_ACTIVE)
            halt_if_moving(c);
}

void owner_routes(void *self, const struct routes *routes)
{
    struct c2sd                 *s = self;
    const struct route_instance *sm;
    struct conn                 *c;

    if (!routes_settled(routes) || !s->settled)
        follow_moves(s, routes_settled(routes));
    s->settled = routes_settled(routes);
    for (size_t n = 0; (sm = routes_at(routes, n)); n++)
        if (sm->role == ROLE_SM && !sm->up)
            for (size_t i = 0; (c = conn_next(self, &i));)
                if (c->state == CONN_SASL)
                    sasl_sm_lost(c, sm->key);
}
