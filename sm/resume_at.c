/* Sessions without a socket, and how another stream takes them over (resume.h), XEP-0198 5. */

#include "resume_inner.h"

#include "blob.h"
#include "csi.h"
#include "jid.h"
#include "log.h"
#include "logins.h"
#include "manage.h"
#include "outcome.h"
#include "push.h"

/* RESUMED waits that long for what is owed: a client sends again what its h does not tell. */
enum { RESUMED_MS = 5000 };

uint64_t resume_done, resume_failed;

/* ---- hibernation ---- */

bool resume_lost_socket(struct sm *sm, struct session *s)
{
    struct resume *r = s->resume;

    if (!r || !r->resumable || r->doomed)
        return false;
    if (r->hibernating && !r->resuming)
        return true;
    resume_hibernating_now += !r->hibernating;
    r->hibernating = true;
    r->resuming = r->asked = false;
    csi_wake(sm, s);
    r->until_us = wall_us() + r->max * 1000000ull;
    timer_arm(sm->loop, &r->timer, r->max * 1000ull);
    session_changed(s);
    push_sleeps(sm, s);
    log_info("session_hibernates", "jid", log_slice(session_jid(s)), "conn", log_hex(s->conn), "count",
             log_num(r->queue_count), NULL);
    return true;
}

/* ---- resumption ---- */

static enum zerr resumed_send(struct sm *sm, const struct address *c2sd, uint64_t conn, uint64_t session,
                              const struct resumed *answer, struct kept **kept)
{
    struct frame f = frame_make(FRAME_RESUMED);
    struct buf   body = { 0 };

    resumed_put(&body, answer);
    f.dest = *c2sd;
    f.handle = conn;
    f.sender = session;
    f.body = buf_slice(&body);
    enum zerr err = ways_send(sm->ways, &f, 0, kept);
    buf_free(&body);
    return err;
}

static void refuse(struct sm *sm, const struct frame *f, const struct resumed *answer)
{
    resume_failed++;
    log_info("resume_refused", "jid", log_slice(f->stanza.to), "conn", log_hex(f->sender), "err",
             err_name(answer->err), NULL);
    resumed_send(sm, &f->origin, f->sender, 0, answer, NULL);
}

/* What is owed is true now, or took too long: then the client sends it again, as XEP-0198 4 allows for. */
void resume_finish(struct resume *r, struct session *s)
{
    struct sm     *sm = r->sm;
    struct kept   *kept = NULL;
    struct resumed answer = {
        .h = r->paid, .jid = session_jid(s), .previd = slice_str(r->id),
        .secret = slice_of(s->secret, sizeof(s->secret)),
    };

    timer_disarm(&r->timer);
    if (resumed_send(sm, &s->c2sd, s->conn, s->handle, &answer, &kept)) {
        resume_lost_socket(sm, s);
        return;
    }
    r->acked_serial = kept_serial(kept);
    ways_unref(sm->ways, &kept);
    r->resuming = r->hibernating = false;
    resume_hibernating_now--;
    resume_done++;
    session_changed(s);
    log_info("session_resumed", "jid", log_slice(session_jid(s)), "conn", log_hex(s->conn), "from",
             log_slice(session_address(s)), "count", log_num(r->queue_count), NULL);
    resume_send_again(r, s);
}

/* Whoever holds it now: a socket that looks alive, or another stream that waits for RESUMED. */
static void replace_holder(struct sm *sm, struct session *s, uint64_t trace)
{
    struct session_end end = { .condition = SLICE("conflict"), .text = SLICE("Resumed elsewhere") };
    struct outcome    *o;

    if (s->resume->resuming) {
        resumed_send(sm, &s->c2sd, s->conn, 0, &(struct resumed){ .err = ZE_CONFLICT }, NULL);
    } else if (!s->resume->hibernating) {
        o = outcome_new(sm, slice_of(NULL, 0), trace);
        login_end_stream(o, AHEAD, &s->c2sd, s->conn, &end);
        outcome_settle(&o);
    }
}

static void take_over(struct sm *sm, struct session *s, const struct frame *f,
                      const struct resume_request *asked, uint64_t total)
{
    struct resume *r = s->resume;

    csi_wake(sm, s);
    replace_holder(sm, s, f->trace);
    session_rebind(s, &f->origin, f->sender, asked->secure);
    blob_unref(&r->address);
    r->address = blob_copy(asked->address.len > 64 ? slice_cut(asked->address, 0, 64) : asked->address);
    resume_hibernating_now += !r->hibernating;
    r->hibernating = r->resuming = true;
    r->asked = false;
    resume_trim(r, total);
    if (r->owed_count)
        timer_arm(sm->loop, &r->timer, RESUMED_MS);
    else
        resume_finish(r, s);
}

/* All of them are compared: how long it takes tells nothing. */
static struct session *find(struct sm *sm, struct slice bare, struct slice id)
{
    struct online  *account = session_online(sm->sessions, bare);
    struct session *found = NULL;

    if (!account)
        return NULL;
    ONLINE_EACH(account, node, s)
        if (s->resume && s->resume->resumable && !s->resume->doomed &&
            same_secret(slice_str(s->resume->id), id))
            found = s;
    return found;
}

static void resume(struct sm *sm, const struct frame *f, const struct resume_request *asked)
{
    struct session *s = find(sm, f->stanza.to, asked->previd);
    struct resumed  no = { .err = ZE_NOT_FOUND };
    enum h_means    means;
    uint64_t        total;

    if (!s) {
        no.has_h = ended_get(sm->resumes->ended, asked->previd, f->stanza.to, &no.h);
        refuse(sm, f, &no);
        return;
    }
    means = resume_h(s->resume->acked, s->resume->acked + s->resume->queue_count, asked->h, &total);
    if (means == H_TOO_HIGH) {
        resume_say_too_high(s->resume, &f->origin, f->sender, asked->h);
    } else if (means == H_OLD) {        /* it has acknowledged more: what lies between is gone */
        no.has_h = true;
        no.h = s->resume->paid;
        refuse(sm, f, &no);
    } else {
        login_may_begin(sm, f, asked->ticket, true);
        take_over(sm, s, f, asked, total);
    }
}

void on_resume_at(void *self, const struct frame *f)
{
    struct sm            *sm = self;
    struct resume_request asked;
    struct resumed        no = { 0 };
    bool                  ours = jid_is_bare(f->stanza.to) && sm_serves(sm, jid_domain(f->stanza.to));

    if (ours && !sm_owns(sm, f->stanza.to)) {
        outcome_bounce(sm, f, ZE_STALE);
        return;
    }
    if (!ours)
        no.err = ZE_NOT_AUTHORIZED;
    else if (resume_request_take(f->body, &asked))
        no.err = ZE_BAD_REQUEST;
    else
        no.err = login_may_begin(sm, f, asked.ticket, false);
    if (no.err)
        refuse(sm, f, &no);
    else
        resume(sm, f, &asked);
}
