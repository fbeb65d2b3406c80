/* ANNOUNCE (proto/manage.h): after a broken link or a restart c2sd names the connections whose sessions are
 * here. It only proves or denies what is there: it never makes a session. Within one announcement sessions
 * that begin meanwhile count as named. */

#include "dispatch.h"
#include "encode.h"
#include "log.h"
#include "logins.h"
#include "manage.h"
#include "resume.h"
#include "table.h"

static void forget_names(struct sm *sm, const struct address *life)
{
    size_t place = 0;

    for (struct session *s; (s = sessions_next(sm->sessions, &place));)
        if (same_life(&s->c2sd, life))
            s->named = false;
}

static void reset_connection(struct sm *sm, const struct frame *f, uint64_t conn)
{
    struct outcome    *o = outcome_new(sm, slice_of(NULL, 0), f->trace);
    struct session_end end = { .condition = SLICE("reset"), .text = SLICE("session is gone") };

    log_info("connection_unknown", "conn", log_hex(conn), "peer", log_hex(f->origin.instance), NULL);
    login_end_stream(o, AHEAD, &f->origin, conn, &end);
    outcome_settle(&o);
}

/* Session 0: it is being bound or resumed. What the request made is known by its connection; when it made
 * nothing, the answer to the request says so. */
static void name_pending(struct sm *sm, const struct frame *f, const struct table *pending)
{
    size_t place = 0;

    for (struct session *s; table_count(pending) && (s = sessions_next(sm->sessions, &place));)
        if (same_life(&s->c2sd, &f->origin) && table_get(pending, slice_of(&s->conn, sizeof(s->conn))))
            s->named = true;
}

static void name(struct sm *sm, const struct frame *f, const struct announced *a)
{
    struct session *s = session_by_handle(sm->sessions, a->session);

    if (!s || !session_bound_by(s, &f->origin, a->conn) ||
        !same_secret(slice_of(s->secret, sizeof(s->secret)), a->secret)) {
        if (routes_settled(sm->routes))     /* else it may have been given away: c2sd will hear where it is (MOVED) */
            reset_connection(sm, f, a->conn);
        return;
    }
    s->named = true;
    if (s->moved) {
        s->moved = false;
        session_changed(s);
    }
}

/* Their sockets are gone without a word. One that came from another sm may not have been known to be here; when its socket
 * is gone, c2sd answers MOVED so. */
static void lose_unnamed(struct sm *sm, const struct frame *f)
{
    size_t place = 0;

    for (struct session *s; (s = sessions_next(sm->sessions, &place));)
        if (same_life(&s->c2sd, &f->origin) && !s->named && !s->moved && !resume_hibernates(s)) {
            log_info("session_unannounced", "jid", log_slice(session_jid(s)), "conn", log_hex(s->conn), NULL);
            if (!resume_lost_socket(sm, s))
                dispatch_end_session(sm, &s, NULL, NULL, f->trace);
        }
}

void on_announce(void *self, const struct frame *f)
{
    struct sm       *sm = self;
    struct announced a;
    struct cursor    c;
    bool             first, last;
    struct table    *pending;

    if (f->origin.role != ROLE_C2SD || announce_open(f->body, &c, &first, &last)) {
        log_warn("frame_refused", "kind", "ANNOUNCE", "why", "malformed", "trace", log_hex(f->trace), NULL);
        return;
    }
    pending = table_new();
    if (first)
        forget_names(sm, &f->origin);
    while (announce_next(&c, &a))
        if (a.session)
            name(sm, f, &a);
        else
            table_put(pending, slice_of(&a.conn, sizeof(a.conn)), sm);
    name_pending(sm, f, pending);
    table_free(&pending);
    if (last && !c.bad)
        lose_unnamed(sm, f);
}
