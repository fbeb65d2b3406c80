/* SASL exchanges between c2sd, which carries the bytes, and sasl.c, which understands them. One
 * exchange for each connection; only the life of c2sd that began it may go on with it. */

#include "logins.h"

#include <stdlib.h>

#include "anonymous.h"
#include "caps.h"
#include "dispatch.h"
#include "handles.h"
#include "jid.h"
#include "log.h"
#include "login_inline.h"
#include "logins_inner.h"
#include "ns.h"
#include "resume.h"
#include "sasl.h"
#include "stats.h"
#include "upgrade.h"

static uint64_t logins_begun, logins_done, logins_failed;

static const struct stat_row rows[] = {
    { "logins_begun", "SASL exchanges begun", &logins_begun },
    { "logins_done", "SASL exchanges that succeeded", &logins_done },
    { "logins_failed", "SASL exchanges that failed", &logins_failed },
    { 0 },
};

struct logins *logins_new(void)
{
    static bool    registered;
    struct logins *l = xcalloc(1, sizeof(*l));

    if (!registered)
        stats_register(rows);
    registered = true;
    l->exchanges = handles_new_unguessed();
    return l;
}

void login_free(struct login *login)
{
    if (login->exchange)
        sasl_abort(&login->exchange);
    handles_remove(login->sm->logins->exchanges, login->handle);
    timer_disarm(&login->patience);
    upgrade_free(&login->upgrade);
    buf_free(&login->start_bytes);
    free(login->jid);
    free(login->address);
    free(login);
}

void logins_free(struct logins **lp)
{
    size_t place = 0;

    if (!*lp)
        return;
    for (struct login *login; (login = handles_next((*lp)->exchanges, &place));)
        login_free(login);
    handles_free(&(*lp)->exchanges);
    free(*lp);
    *lp = NULL;
}

size_t logins_count(const struct logins *l)
{
    return handles_count(l->exchanges);
}

static void answer_frame(struct sm *sm, const struct login *login, enum frame_kind kind, struct slice body)
{
    struct outcome *o = outcome_new(sm, slice_of(NULL, 0), login->trace);
    struct frame    f = frame_make(kind);

    f.dest = login->c2sd;
    f.handle = login->conn;
    f.sender = login->handle;
    f.body = body;
    outcome_frame(o, AHEAD, &f);
    outcome_settle(&o);
}

static void done_send(struct login *login, const struct auth_done *done)
{
    struct buf body = { 0 };

    auth_done_put(&body, done);
    answer_frame(login->sm, login, FRAME_AUTH_DONE, buf_slice(&body));
    wipe(body.bytes, body.end);
    buf_free(&body);
}

void login_fail(struct login *login, const char *condition, const char *text)
{
    struct auth_done done = { .condition = slice_str(condition ? condition : "not-authorized"),
                              .text = slice_str(text) };

    logins_failed++;
    log_info("login_failed", "conn", log_hex(login->conn), "from", login->address, "why", condition, NULL);
    done_send(login, &done);
}

/* AUTH_DONE that waits for a commit. */
struct waiting {
    struct sm *sm;
    uint64_t   login;
    struct buf body;
};

static void login_end(struct login *login)
{
    login->over = true;
    if (!login->beginning)
        login_free(login);
}

static void committed(void *arg, enum zerr err)
{
    struct waiting *w = arg;
    struct login   *login = handles_get(w->sm->logins->exchanges, w->login);

    if (login && err)
        login_fail(login, "temporary-auth-failure", NULL);
    else if (login)
        answer_frame(w->sm, login, FRAME_AUTH_DONE, buf_slice(&w->body));
    if (login)
        login_end(login);
    wipe(w->body.bytes, w->body.room);
    buf_free(&w->body);
    free(w);
}

static void put_done(struct login *login, struct slice data, struct slice content, struct buf *body)
{
    struct buf          ticket = { 0 };
    struct ticket_claim claim = { slice_str(login->jid), login->c2sd.instance, login->c2sd.incarnation, login->conn };
    struct auth_done    done = { .ok = true, .jid = claim.jid, .has_data = data.len > 0, .data = data,
                                 .content = content,
                                 .caps = caps_server(login->sm, jid_domain(claim.jid)) };

    ticket_make(&login->sm->store, &claim, wall_us(), &ticket);
    done.ticket = buf_slice(&ticket);
    auth_done_put(body, &done);
    wipe(ticket.bytes, ticket.end);
    buf_free(&ticket);
}

/* All is proven: what the rows of login_inline.c do comes before AUTH_DONE. */
void login_finish(struct login *login, struct slice data)
{
    struct sm           *sm = login->sm;
    struct slice         jid = slice_str(login->jid);
    struct buf           content = { 0 };
    struct xml_writer    reply;
    struct login_success l = { .sm = sm, .start = &login->start, .jid = jid, .token = login->token,
                               .reply = &reply };
    struct waiting      *w = xcalloc(1, sizeof(*w));

    l.owned = sm_owns(sm, jid);
    l.out = outcome_new(sm, jid, login->trace);
    xml_begin(&reply, &content, NS_SASL2);
    if (!anonymous_is(&sm->store, jid))
        login_inlines_run(&l);
    w->sm = sm;
    w->login = login->handle;
    put_done(login, data, buf_slice(&content), &w->body);
    wipe(content.bytes, content.end);
    buf_free(&content);
    logins_done++;
    log_info("login_done", "jid", log_slice(jid), "conn", log_hex(login->conn), "from", login->address, NULL);
    if (l.stored)
        outcome_then(l.out, committed, w);
    outcome_settle(&l.out);
    if (!l.stored)
        committed(w, ZE_OK);
}

void login_step_send(struct login *login, const struct auth_step *step)
{
    struct buf body = { 0 };

    auth_step_put(&body, step);
    answer_frame(login->sm, login, FRAME_AUTH_STEP, buf_slice(&body));
    buf_free(&body);
}

/* ---- the exchange ---- */

static void succeed(struct login *login, const struct sasl_answer *a)
{
    auth_start_put(&login->start_bytes, a->start);
    login->jid = xstrndup(a->jid);
    login->token = a->token;
    if (auth_start_take(buf_slice(&login->start_bytes), &login->start))
        fatal("login_failed", "why", "a start that cannot be read back", NULL);
    login_go_on(login, a->bytes, a->by_password);
}

static void on_answer(void *arg, const struct sasl_answer *a)
{
    struct login *login = arg;

    if (a->outcome == SASL_CONTINUE) {
        login_step_send(login, &(struct auth_step){ .kind = AUTH_BYTES, .data = a->bytes });
        return;
    }
    login->exchange = NULL;
    if (a->outcome == SASL_OK) {
        succeed(login, a);
    } else {
        login_fail(login, a->condition, a->text);
        login_end(login);
    }
}

static void begin(struct login *login, const struct auth_start *start)
{
    login->beginning = true;
    login->exchange = sasl_begin(login->sm->sasl, start, on_answer, login);
    login->beginning = false;
    if (login->over)
        login_free(login);
}

/* Where certificates let nobody in, a c2sd that says it saw one is not believed. */
static bool takes_certificates(const struct sm *sm, struct slice domain)
{
    const struct settings_domain *d = sm_domain(sm, domain);

    return d && d->client_certificates[0];
}

void on_auth_start(void *self, const struct frame *f)
{
    struct sm        *sm = self;
    struct auth_start start;
    struct login     *login;

    if (auth_start_take(f->body, &start)) {
        log_warn("frame_refused", "kind", "AUTH_START", "conn", log_hex(f->sender), "why", "malformed", NULL);
        return;
    }
    login = xcalloc(1, sizeof(*login));
    login->sm = sm;
    login->conn = f->sender;
    login->trace = f->trace;
    login->c2sd = f->origin;
    login->address = xstrndup(start.address);
    login->handle = handles_put(sm->logins->exchanges, login);
    logins_begun++;
    if (!takes_certificates(sm, start.domain))
        start.certified = slice_of(NULL, 0);
    if (sm_serves(sm, start.domain) && !sm->stopping) {
        begin(login, &start);
        return;
    }
    login_fail(login, sm->stopping ? "temporary-auth-failure" : "not-authorized", NULL);
    login_free(login);
}

/* NULL: over, or another connection's. */
static struct login *login_of(struct sm *sm, const struct frame *f)
{
    struct login *login = handles_get(sm->logins->exchanges, f->handle);

    return login && same_life(&login->c2sd, &f->origin) && login->conn == f->sender ? login : NULL;
}

/* Exchanges do not outlive the process: the client may try again (RFC 6120 6.5.11). */
static void unknown_exchange(struct sm *sm, const struct frame *f)
{
    struct login     asked = { .sm = sm, .c2sd = f->origin, .conn = f->sender, .trace = f->trace };
    struct auth_done done = { .condition = SLICE("temporary-auth-failure") };

    log_debug("exchange_unknown", "trace", log_hex(f->trace), "conn", log_hex(f->sender), NULL);
    done_send(&asked, &done);
}

void on_auth_step(void *self, const struct frame *f)
{
    struct login    *login = login_of(self, f);
    struct auth_step step;

    if (f->origin.role != ROLE_C2SD)
        return;
    if (auth_step_take(f->body, &step)) {
        log_warn("frame_refused", "kind", "AUTH_STEP", "conn", log_hex(f->sender), "why", "malformed", NULL);
        return;
    }
    if (!login) {
        unknown_exchange(self, f);
        return;
    }
    login->trace = f->trace;
    if (!login_take_step(login, &step)) {         /* not what is due, or not as it should be */
        login_fail(login, "malformed-request", NULL);
        login_free(login);
    }
}

void on_auth_abort(void *self, const struct frame *f)
{
    struct login *login = login_of(self, f);

    if (login)
        login_free(login);
}

void login_peer_lost(struct sm *sm, const struct address *life)
{
    size_t place = 0;

    for (struct login *login; (login = handles_next(sm->logins->exchanges, &place));)
        if (same_life(&login->c2sd, life))
            login_free(login);
    place = 0;
    for (struct session *s; (s = sessions_next(sm->sessions, &place));)
        if (same_life(&s->c2sd, life) && !resume_lost_socket(sm, s))
            dispatch_end_session(sm, &s, NULL, NULL, 0);
    arena_reset(sm->arena);
}
