/* The queue of a session on its way to another sm (handover.h). What the row does not tell: u8 1, then for
 * each stanza that the client has not acknowledged u64 tag, u8 answered and the sized frame, as a STANZA to
 * this client alone; u8 0: no stream management. What was owed to `h` counts as done: the outcomes are (or
 * nothing would move), and messages on their way to other daemons are kept where they are until confirmed. */

#include "outcome.h"
#include "resume_inner.h"

void resume_move_put(struct buf *out, const struct session *s)
{
    const struct resume *r = s->resume;

    buf_put_u8(out, r != NULL);
    for (uint32_t i = 0; r && i < r->queue_count; i++) {
        const struct queued *q = &r->queue[r->queue_first + i];
        struct frame         f;
        struct stanza        stanza;
        struct buf           bytes = { 0 };

        if (!resume_stanza(q, session_jid(s), &stanza, &f))
            continue;
        f.kind = FRAME_STANZA;
        f.list = slice_of("", 0);
        f.stanza = stanza;
        f.body = stanza.content;
        if (!frame_encode(&bytes, &f)) {
            buf_put_u64(out, kept_tag(q->kept));
            buf_put_u8(out, q->answered);
            buf_put_sized(out, buf_slice(&bytes));
        }
        buf_free(&bytes);
    }
}

static enum zerr take_one(struct sm *sm, struct session *s, struct cursor *c)
{
    uint64_t     tag = take_u64(c);
    bool         answered = take_u8(c);
    struct slice bytes = take_sized(c);
    struct frame f;
    struct kept *k;

    if (c->bad || frame_decode(bytes, &f) != (ssize_t)bytes.len)
        return ZE_PROTOCOL;
    f.dest = (struct address){ 0 };
    f.number = 0;
    f.sender = s->handle;
    k = ways_keep(sm->ways, &f, tag);
    if (!k)
        return ZE_FULL;
    resume_sent(sm, s, k);
    if (answered && s->resume->queue_count)
        s->resume->queue[s->resume->queue_first + s->resume->queue_count - 1].answered = true;
    ways_unref(sm->ways, &k);
    return ZE_OK;
}

enum zerr resume_move_take(struct sm *sm, struct session *s, struct cursor *c)
{
    enum zerr err = ZE_OK;

    if (take_u8(c) != (s->resume != NULL) || c->bad)
        return ZE_PROTOCOL;
    if (s->resume)
        s->resume->acked_serial = ways_serial(sm->ways);
    while (s->resume && c->rest.len && !err)
        err = take_one(sm, s, c);
    session_changed(s);
    return err ? err : cursor_done(c) ? ZE_OK : ZE_PROTOCOL;
}

void resume_move_leave(struct sm *sm, struct session *s)
{
    resume_free(sm, &s->resume);
}
