/* What was sent to a session and its client has not acknowledged (resume.h). */

#include "resume_inner.h"

#include <stdlib.h>

#include "delay.h"
#include "fanout.h"
#include "jid.h"
#include "log.h"
#include "logins.h"
#include "offline.h"
#include "outcome.h"
#include "push.h"

/* An answer is looked for among so many, newest first: a long queue must not make answers dear. */
enum { QUEUE_ROOM = 8, ANSWERS_LOOK = 64 };

uint64_t resume_bytes_queued, resume_stanzas_again;

uint64_t resume_tag(uint64_t us, uint32_t epoch)
{
    return us / 1000000 << 32 | epoch;
}

uint64_t resume_tag_us(uint64_t tag)
{
    return (tag >> 32) * 1000000;
}

uint64_t resume_oldest_us(const struct session *s)
{
    const struct resume *r = s->resume;

    return r && r->queue_count ? resume_tag_us(kept_tag(r->queue[r->queue_first].kept)) : UINT64_MAX;
}

/* ---- h of the client ---- */

/* Of the totals with this low half, the one within reach; else what the nearest one is. */
enum h_means resume_h(uint64_t acked, uint64_t sent, uint32_t h, uint64_t *total)
{
    const int64_t whole = 1ll << 32;
    int64_t       above = INT64_MAX, below = INT64_MAX;

    for (int64_t t = (int64_t)(acked & ~(uint64_t)(whole - 1)) - whole + h, n = 0; n < 3; n++, t += whole) {
        if (t < 0)
            continue;
        if ((uint64_t)t >= acked && (uint64_t)t <= sent) {
            *total = (uint64_t)t;
            return H_GOOD;
        }
        if ((uint64_t)t > sent && t - (int64_t)sent < above)
            above = t - (int64_t)sent;
        if ((uint64_t)t < acked && (int64_t)acked - t < below)
            below = (int64_t)acked - t;
    }
    return above < below ? H_TOO_HIGH : H_OLD;
}

/* ---- the queue ---- */

static void make_room(struct resume *r)
{
    if (r->queue_first + r->queue_count < r->queue_room)
        return;
    if (r->queue_first > r->queue_room / 2) {
        memmove(r->queue, r->queue + r->queue_first, r->queue_count * sizeof(*r->queue));
        r->queue_first = 0;
        return;
    }
    r->queue_room = r->queue_room ? r->queue_room * 2 : QUEUE_ROOM;
    r->queue = xrealloc(r->queue, r->queue_room * sizeof(*r->queue));
}

void resume_queue_free(struct resume *r)
{
    for (uint32_t i = 0; i < r->queue_count; i++)
        ways_unref(r->sm->ways, &r->queue[r->queue_first + i].kept);
    resume_bytes_queued -= r->queue_bytes;
    free(r->queue);
    r->queue = NULL;
    r->queue_first = r->queue_count = r->queue_room = 0;
    r->queue_bytes = 0;
}

/* One session's part of a fan-out is not the list. */
static uint32_t bytes_of(struct kept *k)
{
    struct frame f;

    return frame_decode(kept_bytes(k), &f) > 0 ? (uint32_t)(kept_bytes(k).len - f.list.len) : 0;
}

void resume_sent(struct sm *sm, struct session *s, struct kept *k)
{
    struct resume *r = s->resume;
    struct queued  q = { .kept = kept_ref(k), .bytes = bytes_of(k) };

    make_room(r);
    r->queue[r->queue_first + r->queue_count++] = q;
    r->queue_bytes += q.bytes;
    resume_bytes_queued += q.bytes;
    session_changed(s);
    if (r->queue_bytes > (size_t)sm->settings->limits.resume_queue_bytes ||
        r->queue_count > (size_t)sm->settings->limits.resume_queue_stanzas)
        resume_doom(r);
}

/* A message that waited offline waits no longer. */
static void received(struct sm *sm, const struct kept *k)
{
    struct frame f;

    if (frame_decode(kept_bytes(k), &f) > 0)
        offline_received(sm, &f);
}

/* All is acknowledged, and nothing that was told of is still on its way into the queue. */
static void forget_told(struct resume *r)
{
    const struct session *s = r->told ? session_by_handle(r->sm->sessions, r->session) : NULL;

    if (s && !outcome_waits(r->sm, session_bare(s)))
        told_free(&r->told);
}

void resume_trim(struct resume *r, uint64_t total)
{
    for (; r->acked < total; r->acked++) {
        struct queued *q = &r->queue[r->queue_first++];
        r->queue_count--;
        r->queue_bytes -= q->bytes;
        resume_bytes_queued -= q->bytes;
        r->acked_serial = kept_serial(q->kept);
        received(r->sm, q->kept);
        ways_unref(r->sm->ways, &q->kept);
    }
    if (r->queue_count)
        return;
    forget_told(r);
    r->queue_first = 0;
    if (r->queue_room > QUEUE_ROOM)
        resume_queue_free(r);
}

bool resume_stanza(const struct queued *q, struct slice full, struct stanza *out, struct frame *f)
{
    if (frame_decode(kept_bytes(q->kept), f) <= 0)
        return false;
    *out = f->stanza;
    out->content = f->body;
    /* What is fanned out to sessions, and is no room's and no carbon, was for the account (RFC 6121 8.5.2). */
    if (!out->to.len)
        out->to = out->name == STANZA_MESSAGE && out->type != TYPE_GROUPCHAT && !(out->flags & STANZA_COPY)
                      ? jid_bare(full) : full;
    return true;
}

void resume_answered(struct session *s, const struct stanza *reply)
{
    struct resume *r = s->resume;
    struct frame   f;
    struct stanza  asked;

    for (uint32_t i = 1; i <= r->queue_count && i <= ANSWERS_LOOK; i++) {
        struct queued *q = &r->queue[r->queue_first + r->queue_count - i];
        if (resume_stanza(q, session_jid(s), &asked, &f) && asked.name == STANZA_IQ &&
            (asked.type == TYPE_GET || asked.type == TYPE_SET) && slice_eq(asked.id, reply->id) &&
            slice_eq(asked.from, reply->to))
            q->answered = true;
    }
}

/* ---- leaving ---- */

/* The link is full, or that life of c2sd is over: what the client does not get now it gets when it comes
 * back. Should its stream stand, what it says next is answered with a reset (dispatch_stale). */
static void cut_off(struct sm *sm, struct session *s, enum zerr why)
{
    struct session_end end = { .condition = SLICE("resource-constraint") };
    struct address     c2sd = s->c2sd;
    struct outcome    *o;

    log_info("session_unreachable", "jid", log_slice(session_jid(s)), "err", err_name(why), NULL);
    if (!resume_lost_socket(sm, s)) {
        resume_doom(s->resume);
        return;
    }
    o = outcome_new(sm, slice_of(NULL, 0), 0);
    login_end_stream(o, AHEAD, &c2sd, s->conn, &end);
    outcome_settle(&o);
}

static void send_managed(struct sm *sm, struct session *s, struct frame *f, uint64_t tag)
{
    struct kept *k = NULL;
    enum zerr    err = ZE_OK;

    f->flags |= FRAME_MANAGED;
    f->sender = s->handle;
    f->dest = s->c2sd;
    f->handle = s->conn;
    if (!s->resume->hibernating)
        err = ways_send(sm->ways, f, tag, &k);
    if (err)
        cut_off(sm, s, err);
    if (!k)
        k = ways_keep(sm->ways, f, tag);
    resume_sent(sm, s, k);
    ways_unref(sm->ways, &k);
    if (s->resume->hibernating)
        push_slept(sm, s, f);
}

static bool release_one(struct sm *sm, const struct frame *f)
{
    struct session *s = session_by_handle(sm->sessions, f->sender);
    struct frame    copy = *f;

    if (!s || !s->resume)
        return false;
    send_managed(sm, s, &copy, resume_tag(wall_us(), (uint32_t)f->number));
    return true;
}

/* Reached with the others: its connection is where the frame goes. */
static bool goes_along(const struct session *s, const struct frame *f)
{
    return same_life(&s->c2sd, &f->dest) && !(s->resume && s->resume->hibernating);
}

static void release_apart(struct sm *sm, struct session *s, const struct frame *f, uint64_t tag)
{
    struct frame one = *f;

    one.kind = FRAME_STANZA;
    one.list = slice_of(NULL, 0);
    one.stanza.to = arena_copy(sm->arena, session_jid(s));
    send_managed(sm, s, &one, tag);
}

/* The list, from sessions to the connections that hold them; true: one of them manages its stream. */
static bool list_conns(struct sm *sm, const struct frame *f, struct buf *list)
{
    struct cursor       c = { f->list, false };
    struct fanout_entry e;
    bool                managed = false;

    while (fanout_next(&c, &e)) {
        const struct session *s = session_by_handle(sm->sessions, e.handle);
        if (!s || !goes_along(s, f))
            continue;
        fanout_put(list, s->conn, e.jid);
        managed |= s->resume != NULL;
    }
    return managed;
}

/* k: the frame that the others got; NULL: it could not leave. */
static void join_queues(struct sm *sm, const struct frame *f, struct kept *k, uint64_t tag)
{
    struct cursor       c = { f->list, false };
    struct fanout_entry e;

    while (fanout_next(&c, &e)) {
        struct session *s = session_by_handle(sm->sessions, e.handle);
        if (!s || !s->resume)
            continue;
        if (k && goes_along(s, f))
            resume_sent(sm, s, k);
        else
            release_apart(sm, s, f, tag);
    }
}

static void release_many(struct sm *sm, const struct frame *f)
{
    uint64_t     tag = resume_tag(wall_us(), (uint32_t)f->number);
    struct frame copy = *f;
    struct buf   list = { 0 };
    struct kept *k = NULL;
    bool         managed = list_conns(sm, f, &list);

    copy.list = buf_slice(&list);
    if (buf_len(&list))
        ways_send(sm->ways, &copy, tag, managed ? &k : NULL);
    join_queues(sm, f, k, tag);
    if (k)
        ways_unref(sm->ways, &k);
    buf_free(&list);
}

bool resume_release(struct sm *sm, const struct frame *f)
{
    if (f->dest.role != ROLE_C2SD)
        return false;
    if (f->kind == FRAME_STANZA)
        return release_one(sm, f);
    if (f->kind == FRAME_FANOUT)
        release_many(sm, f);
    return f->kind == FRAME_FANOUT;
}

/* XEP-0203: when it was sent first. Never into an IQ, which has one child, and not over the stamp of
 * somebody before us. */
static void stamp(struct stanza *s, struct slice full, uint64_t us, struct buf *content)
{
    if (s->name == STANZA_IQ || s->flags & STANZA_HAS_DELAY)
        return;
    buf_put_slice(content, s->content);
    delay_write(content, jid_domain(full), us);
    s->content = buf_slice(content);
    s->flags = (s->flags & ~(uint32_t)STANZA_EMPTY) | STANZA_HAS_DELAY;
}

/* A fan-out becomes a STANZA of its own. */
static void send_one_again(struct resume *r, struct session *s, const struct queued *q)
{
    struct frame  old, f = frame_make(FRAME_STANZA);
    struct buf    content = { 0 };
    struct stanza stanza;

    if (!resume_stanza(q, session_jid(s), &stanza, &old))
        fatal("kept_frame_unreadable", "jid", log_slice(session_jid(s)), NULL);
    stamp(&stanza, session_jid(s), resume_tag_us(kept_tag(q->kept)), &content);
    f.trace = old.trace;
    f.stanza = stanza;
    f.body = stanza.content;
    send_managed(r->sm, s, &f, kept_tag(q->kept));
    r->queue[r->queue_first + r->queue_count - 1].answered = q->answered;
    buf_free(&content);
}

void resume_send_again(struct resume *r, struct session *s)
{
    struct queued *old = r->queue;
    uint32_t       first = r->queue_first, count = r->queue_count;

    resume_bytes_queued -= r->queue_bytes;
    r->queue = NULL;
    r->queue_first = r->queue_count = r->queue_room = 0;
    r->queue_bytes = 0;
    for (uint32_t i = first; i < first + count; i++) {
        send_one_again(r, s, &old[i]);
        ways_unref(r->sm->ways, &old[i].kept);
    }
    resume_stanzas_again += count;
    free(old);
}
