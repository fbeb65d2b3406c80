/* Stream management of sessions (resume.h): enabling and acknowledgements (XEP-0198 3, 4). */

#include "resume_inner.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "csi.h"
#include "dispatch.h"
#include "jid.h"
#include "log.h"
#include "manage.h"
#include "outcome.h"
#include "stanza_error.h"
#include "stats.h"
#include "table.h"

enum { ANSWER_MS = 250 };       /* an <a/> waits that long for what is owed */

static uint64_t enabled, expired, cut_short, h_wrong;
uint64_t        resume_hibernating_now;

static const struct stat_row rows[] = {
    { "resume_enabled", "sessions that enabled stream management", &enabled },
    { "resume_done", "sessions resumed by another connection", &resume_done },
    { "resume_failed", "resumptions refused", &resume_failed },
    { "resume_hibernating", "sessions without a socket now", &resume_hibernating_now },
    { "resume_expired", "sessions that nobody resumed in time", &expired },
    { "resume_cut", "sessions ended because too much was unacknowledged", &cut_short },
    { "resume_too_high", "clients that acknowledged more than they were sent", &h_wrong },
    { "resume_queue_bytes", "bytes sent and not acknowledged", &resume_bytes_queued },
    { "resume_sent_again", "stanzas sent again after a resumption", &resume_stanzas_again },
    { 0 },
};

/* ---- end of a turn ---- */

static struct session *session_of(const struct resume *r)
{
    return session_by_handle(r->sm->sessions, r->session);
}

static void note(struct resumes *all, struct buf *list, const struct resume *r)
{
    buf_put_u64(list, r->session);
    loop_defer(all->sm->loop, &all->turn);
}

void resume_speak(struct resume *r)
{
    if (r->speaking)
        return;
    r->speaking = true;
    note(r->sm->resumes, &r->sm->resumes->speaking, r);
}

void resume_doom(struct resume *r)
{
    if (r->doomed)
        return;
    r->doomed = true;
    note(r->sm->resumes, &r->sm->resumes->doomed, r);
}

static void speak(struct sm *sm, struct session *s);

static void end_doomed(struct sm *sm, struct session *s)
{
    cut_short++;
    log_info("session_cut", "jid", log_slice(session_jid(s)), "count", log_num(s->resume->queue_count),
             "bytes", log_num((int64_t)s->resume->queue_bytes), NULL);
    dispatch_end_session(sm, &s, "resource-constraint", "Too much is unacknowledged", 0);
}

static void each_noted(struct resumes *all, struct buf *list, void (*act)(struct sm *sm, struct session *s))
{
    struct buf    taken = *list;
    struct cursor c = { buf_slice(&taken), false };

    *list = (struct buf){ 0 };
    while (c.rest.len) {
        struct session *s = session_by_handle(all->sm->sessions, take_u64(&c));
        if (s && s->resume)
            act(all->sm, s);
    }
    buf_free(&taken);
}

static void turn_ends(void *arg)
{
    struct resumes *all = arg;

    table_free(&all->by_conn);
    each_noted(all, &all->speaking, speak);
    each_noted(all, &all->doomed, end_doomed);
    arena_reset(all->sm->arena);
}

struct resumes *resumes_new(struct sm *sm)
{
    static bool     registered;
    struct resumes *all = xcalloc(1, sizeof(*all));

    if (!registered)
        stats_register(rows);
    registered = true;
    all->sm = sm;
    all->turn = (struct deferred){ .run = turn_ends, .arg = all };
    all->ended = ended_new(sm->live);
    return all;
}

void resumes_free(struct resumes **ap)
{
    struct resumes *all = *ap;
    size_t          place = 0;

    if (!all)
        return;
    for (struct session *s; (s = sessions_next(all->sm->sessions, &place));) {
        resume_free(all->sm, &s->resume);
        csi_forget(all->sm, s);
    }
    loop_undefer(&all->turn);
    buf_free(&all->speaking);
    buf_free(&all->doomed);
    table_free(&all->by_conn);
    ended_free(&all->ended);
    free(all);
    *ap = NULL;
}

/* ---- what others ask ---- */

bool resume_hibernates(const struct session *s)
{
    return s->resume && s->resume->hibernating;
}

struct slice resume_address(const struct session *s)
{
    return s->resume && s->resume->address ? blob_slice(s->resume->address) : slice_of(NULL, 0);
}

const char *resume_state(const struct session *s)
{
    if (!s->resume)
        return "";
    return s->resume->hibernating ? "hibernating" : s->resume->resumable ? "resumable" : "on";
}

unsigned resume_queued(const struct session *s)
{
    return s->resume ? s->resume->queue_count : 0;
}

/* ---- frames to the stream ---- */

static enum zerr say(struct sm *sm, const struct address *c2sd, uint64_t conn, const struct manage *m,
                     struct kept **kept)
{
    struct frame f = frame_make(FRAME_MANAGE);
    struct buf   body = { 0 };

    manage_put(&body, m);
    f.dest = *c2sd;
    f.handle = conn;
    f.body = buf_slice(&body);
    enum zerr err = ways_send(sm->ways, &f, 0, kept);
    buf_free(&body);
    return err;
}

/* An <a/> that is lost is no harm: the next one says more. */
static void say_h(struct sm *sm, const struct session *s)
{
    say(sm, &s->c2sd, s->conn, &(struct manage){ .op = MANAGE_ACK, .h = s->resume->paid }, NULL);
}

void resume_say_too_high(struct resume *r, const struct address *c2sd, uint64_t conn, uint32_t h)
{
    struct manage m = { .op = MANAGE_TOO_HIGH, .h = h, .max = (uint32_t)(r->acked + r->queue_count) };

    h_wrong++;
    say(r->sm, c2sd, conn, &m, NULL);
}

/* ---- timers ---- */

static void on_time(void *arg)
{
    struct resume  *r = arg;
    struct sm      *sm = r->sm;
    struct session *s = session_of(r);

    if (r->resuming) {
        resume_finish(s->resume, s);
    } else if (r->hibernating) {
        expired++;
        dispatch_end_session(sm, &s, NULL, NULL, 0);
    } else if (r->asked) {
        r->asked = false;
        say_h(sm, s);
    }
    arena_reset(sm->arena);
}

struct resume *resume_new(struct sm *sm, struct session *s)
{
    struct resume *r = xcalloc(1, sizeof(*r));

    r->sm = sm;
    r->session = s->handle;
    r->timer = (struct timer){ .fire = on_time, .arg = r };
    s->resume = r;
    session_changed(s);
    return r;
}

void resume_free(struct sm *sm, struct resume **rp)
{
    struct resume *r = *rp;

    (void)sm;
    if (!r)
        return;
    resume_hibernating_now -= r->hibernating;
    timer_disarm(&r->timer);
    resume_queue_free(r);
    free(r->owed);
    told_free(&r->told);
    blob_unref(&r->address);
    free(r);
    *rp = NULL;
}

/* ---- enabling (XEP-0198 3) ---- */

static uint32_t honoured(const struct sm *sm, uint32_t asked)
{
    uint32_t ours = (uint32_t)sm->settings->limits.resume_seconds;

    return asked && asked < ours ? asked : ours;
}

/* HOST:PORT of a c2sd that has a port of its own; the address when it listens on one, else the domain.
 * Clients of the common port need not be told. */
static void put_location(const struct sm *sm, const struct session *s, struct buf *out)
{
    const struct route_instance    *it = routes_instance(sm->routes, s->c2sd.instance);
    const struct settings_instance *own = it ? settings_instance(sm->settings, it->name) : NULL;
    const struct str_list          *at = &sm->settings->listen.address;
    struct in6_addr                 any;

    if (!own || own->c2s <= 0)
        return;
    if (at->count != 1 || strcmp(at->item[0], "::") == 0 || strcmp(at->item[0], "0.0.0.0") == 0) {
        struct slice domain = jid_domain(session_jid(s));
        buf_printf(out, "%.*s:%ld", SLICE_FMT(domain), own->c2s);
    } else if (inet_pton(AF_INET6, at->item[0], &any) == 1) {
        buf_printf(out, "[%s]:%ld", at->item[0], own->c2s);
    } else {
        buf_printf(out, "%s:%ld", at->item[0], own->c2s);
    }
}

/* `location` holds what the answer borrows. */
static struct resume *begin(struct sm *sm, struct session *s, const struct manage *asked, struct manage *answer,
                            struct buf *location)
{
    struct resume *r = resume_new(sm, s);

    r->max = honoured(sm, asked->max);
    r->resumable = asked->resume && r->max && !s->guest;    /* XEP-0175: nobody can log in as it again */
    random_id(r->id);
    *answer = (struct manage){ .op = MANAGE_ENABLED, .resume = r->resumable };
    if (r->resumable) {
        put_location(sm, s, location);
        answer->max = r->max;
        answer->id = slice_str(r->id);
        answer->location = buf_slice(location);
    }
    enabled++;
    return r;
}

static void enable(struct sm *sm, struct session *s, const struct frame *f, const struct manage *asked)
{
    struct buf     location = { 0 };
    struct kept   *kept = NULL;
    struct resume *r;
    struct manage  answer;

    (void)f;
    if (s->resume) {
        say(sm, &s->c2sd, s->conn, &(struct manage){ .op = MANAGE_FAILED, .err = ZE_UNEXPECTED }, NULL);
        return;
    }
    r = begin(sm, s, asked, &answer, &location);
    if (say(sm, &s->c2sd, s->conn, &answer, &kept))
        resume_doom(r);         /* the stream waits for an answer that cannot come */
    else
        resume_begins(s, &kept);
    buf_free(&location);
}

void resume_enable_bound(struct sm *sm, struct session *s, const struct manage *asked, struct buf *managed)
{
    struct buf    location = { 0 };
    struct manage answer;

    begin(sm, s, asked, &answer, &location);
    manage_put(managed, &answer);
    buf_free(&location);
}

void resume_begins(struct session *s, struct kept **kept)
{
    struct resume *r = s->resume;

    if (!*kept) {
        resume_doom(r);
        return;
    }
    r->acked_serial = kept_serial(*kept);
    ways_unref(r->sm->ways, kept);
}

/* ---- acknowledgements (XEP-0198 4) ---- */

static void request(struct sm *sm, struct session *s, const struct frame *f, const struct manage *m)
{
    struct resume *r = s->resume;

    (void)f;
    (void)m;
    if (!r->owed_count) {
        say_h(sm, s);
        return;
    }
    r->asked_to = r->paid + r->owed_count;
    if (r->asked)
        return;
    r->asked = true;
    r->asked_from = r->asked_to;
    session_changed(s);
    timer_arm(sm->loop, &r->timer, ANSWER_MS);
}

/* One <a/> answers all requests it covers; those that came since wait on. */
static void speak(struct sm *sm, struct session *s)
{
    struct resume *r = s->resume;

    r->speaking = false;
    if (r->resuming && !r->owed_count)
        resume_finish(s->resume, s);
    if (!r->asked || (int32_t)(r->paid - r->asked_from) < 0)
        return;
    say_h(sm, s);
    r->asked = (int32_t)(r->paid - r->asked_to) < 0;
    r->asked_from = r->paid + 1;
    if (r->asked)
        timer_arm(sm->loop, &r->timer, ANSWER_MS);
    else
        timer_disarm(&r->timer);
}

static void acked(struct sm *sm, struct session *s, const struct frame *f, const struct manage *m)
{
    struct resume *r = s->resume;
    uint64_t       total = 0;
    enum h_means   means = resume_h(r->acked, r->acked + r->queue_count, m->h, &total);

    if (means == H_TOO_HIGH) {
        resume_say_too_high(r, &s->c2sd, s->conn, m->h);
        dispatch_end_session(sm, &s, NULL, NULL, f->trace);
    } else if (means == H_GOOD && total != r->acked) {
        resume_trim(r, total);
        session_changed(s);
    }
}

static void active(struct sm *sm, struct session *s, const struct frame *f, const struct manage *m)
{
    (void)f;
    csi_set(sm, s, m->op == MANAGE_INACTIVE);
}

/* c2sd could not pass it on. It counts as any other stanza, and so does the answer. */
static void refused(struct sm *sm, struct session *s, const struct frame *f, const struct manage *m)
{
    struct stanza   asked = f->stanza, reply = { .name = STANZA_IQ, .type = TYPE_RESULT, .id = asked.id };
    struct outcome *o;
    struct buf      content = { 0 };

    asked.from = arena_copy(sm->arena, session_jid(s));
    asked.content = slice_of("", 0);
    o = outcome_new(sm, jid_bare(asked.from), f->trace);
    if (s->resume)
        outcome_owes(o, s->handle, resume_took(s));
    if (!m->err || stanza_error_reply(&asked, m->err, NULL, &content, &reply)) {
        reply.content = outcome_keep(o, &content);
        outcome_session(o, AHEAD, s, &reply);
    }
    buf_free(&content);
    outcome_settle(&o);
}

static const struct {
    void (*take)(struct sm *sm, struct session *s, const struct frame *f, const struct manage *m);
    bool needs_enabled;
} ops[MANAGE_OP_END] = {
    [MANAGE_ENABLE] = { enable, false },   [MANAGE_REQUEST] = { request, true },
    [MANAGE_ACK] = { acked, true },        [MANAGE_REFUSED] = { refused, false },
    [MANAGE_ACTIVE] = { active, false },   [MANAGE_INACTIVE] = { active, false },
};

void on_manage(void *self, const struct frame *f)
{
    struct sm      *sm = self;
    struct session *s = session_by_handle(sm->sessions, f->handle);
    struct manage   m;

    if (f->origin.role != ROLE_C2SD || manage_take(f->body, &m) != ZE_OK || !ops[m.op].take)
        log_warn("frame_refused", "kind", "MANAGE", "conn", log_hex(f->sender), NULL);
    else if (!s || !session_bound_by(s, &f->origin, f->sender) || resume_hibernates(s))
        dispatch_stale(sm, f);
    else if (s->resume || !ops[m.op].needs_enabled)
        ops[m.op].take(sm, s, f, &m);
}
