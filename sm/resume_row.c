/* Stream management in live memory (resume.h): part of a session's row, and the queue from kept frames. */

#include "resume_inner.h"

#include "csi.h"
#include "fanout.h"
#include "log.h"
#include "table.h"

enum { ROW_VERSION = 2, ANSWER_MS = 250 };
enum row_flag { ROW_MANAGED = 1, ROW_RESUMABLE = 2, ROW_HIBERNATING = 4, ROW_RESUMING = 8, ROW_ASKED = 16 };

static uint8_t flags_of(const struct resume *r)
{
    return (uint8_t)(ROW_MANAGED | (r->resumable ? ROW_RESUMABLE : 0) | (r->asked ? ROW_ASKED : 0) |
                     (r->hibernating ? ROW_HIBERNATING : 0) | (r->resuming ? ROW_RESUMING : 0));
}

void resume_row_put(struct buf *out, const struct session *s)
{
    const struct resume *r = s->resume;

    buf_put_u8(out, ROW_VERSION);
    buf_put_u32(out, s->receptive);
    if (!r) {
        buf_put_u8(out, 0);
        return;
    }
    buf_put_u8(out, flags_of(r));
    buf_put(out, r->id, sizeof(r->id));
    buf_put_u32(out, r->max);
    buf_put_u64(out, r->acked);
    buf_put_u64(out, r->acked_serial);
    buf_put_u32(out, r->paid + r->owed_count);
    buf_put_u64(out, r->until_us);
    told_row_put(out, r->told);
}

static void arm(struct resume *r)
{
    uint64_t now = wall_us(), most = r->max * 1000ull;
    uint64_t left = r->until_us > now ? (r->until_us - now) / 1000 : 0;

    resume_hibernating_now += r->hibernating;
    if (r->resuming || r->asked)
        timer_arm(r->sm->loop, &r->timer, ANSWER_MS);
    else if (r->hibernating)
        timer_arm(r->sm->loop, &r->timer, left < most ? left : most);
}

enum zerr resume_row_take(struct sm *sm, struct cursor *c, struct session *s)
{
    uint8_t version = take_u8(c);

    s->receptive = take_u32(c);
    if ((int32_t)(s->receptive - sm->epoch) > 0)
        sm->epoch = s->receptive;
    uint8_t flags = take_u8(c);
    if (c->bad || version != ROW_VERSION)
        return ZE_STORE;
    if (!flags)
        return ZE_OK;
    struct resume *r = resume_new(sm, s);
    struct slice   id = take_bytes(c, sizeof(r->id));
    r->max = take_u32(c);
    r->acked = take_u64(c);
    r->acked_serial = take_u64(c);
    r->paid = take_u32(c);
    r->until_us = take_u64(c);
    r->resumable = flags & ROW_RESUMABLE;
    r->hibernating = flags & ROW_HIBERNATING;
    r->resuming = flags & ROW_RESUMING;
    r->asked = flags & ROW_ASKED;
    r->asked_from = r->asked_to = r->paid;
    if (told_row_take(c, &r->told) || c->bad || id.p[sizeof(r->id) - 1]) {
        resume_free(sm, &s->resume);
        return ZE_STORE;
    }
    memcpy(r->id, id.p, sizeof(r->id));
    arm(r);
    return ZE_OK;
}

/* ---- kept frames ---- */

enum { CONN_KEY = 20 };

static struct slice conn_key(const struct address *c2sd, uint64_t conn, struct buf *out)
{
    buf_reset(out, CONN_KEY);
    buf_put_u32(out, c2sd->instance);
    buf_put_u64(out, c2sd->incarnation);
    buf_put_u64(out, conn);
    return buf_slice(out);
}

/* A fan-out names connections. Only needed now; forgotten with the turn. */
static struct table *by_conn(struct sm *sm)
{
    struct resumes *all = sm->resumes;
    struct buf      key = { 0 };
    size_t          place = 0;

    if (all->by_conn)
        return all->by_conn;
    all->by_conn = table_new();
    for (struct session *s; (s = sessions_next(sm->sessions, &place));)
        if (s->resume)
            table_put(all->by_conn, conn_key(&s->c2sd, s->conn, &key), s);
    buf_free(&key);
    loop_defer(sm->loop, &all->turn);
    return all->by_conn;
}

static void join(struct sm *sm, struct session *s, struct kept *k)
{
    if (s && s->resume && kept_serial(k) > s->resume->acked_serial)
        resume_sent(sm, s, k);
}

static void join_many(struct sm *sm, const struct frame *f, struct kept *k)
{
    struct cursor       c = { f->list, false };
    struct fanout_entry e;
    struct buf          key = { 0 };

    while (fanout_next(&c, &e))
        join(sm, table_get(by_conn(sm), conn_key(&f->dest, e.handle, &key)), k);
    buf_free(&key);
}

void resume_on_kept(struct sm *sm, struct kept *k)
{
    struct frame f;
    struct debt  debt;

    if (csi_on_kept(sm, k) || frame_decode(kept_bytes(k), &f) <= 0)
        return;
    if (f.flags & FRAME_MANAGED)
        join(sm, session_by_handle(sm->sessions, f.sender), k);
    else if (f.kind == FRAME_FANOUT && f.dest.role == ROLE_C2SD)
        join_many(sm, &f, k);
    f.number = kept_tag(k);
    debt = resume_debt_of(&f);
    if (debt.session)
        resume_owe_again(session_by_handle(sm->sessions, debt.session), debt.number);
}
