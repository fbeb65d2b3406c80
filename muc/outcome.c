/* Frames and batch of one handled frame: sent after the commit, in order within a room. */

#include "outcome.h"

#include <stdlib.h>

#include "jid.h"
#include "log.h"
#include "ns.h"
#include "rooms.h"
#include "stanza_error.h"
#include "xml_write.h"

struct outcome *outcome_begin(struct muc *m, struct room *room, uint64_t trace)
{
    struct outcome *o = xcalloc(1, sizeof(*o));

    o->muc = m;
    o->room = room;
    o->trace = trace;
    return o;
}

void outcome_asked(struct outcome *o, const struct stanza *s)
{
    struct frame f = frame_make(FRAME_STANZA);

    f.stanza = *s;
    f.stanza.content = (struct slice){ 0 };
    buf_reset(&o->asked, 4096);
    (void)frame_encode(&o->asked, &f);
}

struct store_batch *outcome_batch(struct outcome *o)
{
    if (!o->batch)
        o->batch = store_batch(o->room->jid);
    return o->batch;
}

void outcome_frame(struct outcome *o, const struct frame *f)
{
    struct frame copy = *f;

    copy.trace = o->trace;
    if (frame_encode(&o->frames, &copy))
        log_warn("frame_too_long", "trace", log_hex(o->trace), "to", log_slice(f->stanza.to), NULL);
}

bool outcome_send(struct outcome *o, const struct stanza *s)
{
    struct frame f = frame_make(FRAME_STANZA);

    if (routes_find(o->muc->outlet.routes(o->muc->outlet.arg), s->to, &f.dest, &f.generation)) {
        o->muc->figures.no_route++;
        return false;
    }
    f.stanza = *s;
    f.body = s->content;
    outcome_frame(o, &f);
    return true;
}

void outcome_error(struct outcome *o, const struct stanza *s, enum zerr err, const char *text, bool echo)
{
    struct buf    content = { 0 };
    struct stanza reply = { .name = s->name, .type = TYPE_ERROR, .from = s->to, .to = s->from, .id = s->id };

    /* RFC 6120 8.3.1: an error is never answered, nor a result. */
    if (s->type == TYPE_ERROR || s->type == TYPE_RESULT || !s->from.len)
        return;
    o->muc->figures.refused++;
    if (s->name == STANZA_PRESENCE)
        buf_put_str(&content, "<x xmlns='" NS_MUC "'/>");       /* XEP-0045 7.2.5 and on */
    else if (echo && s->content.len <= 4096)
        buf_put_slice(&content, s->content);
    stanza_error_write(&content, err, text, jid_bare(s->to));
    reply.content = buf_slice(&content);
    outcome_send(o, &reply);
    buf_free(&content);
}

static void outcome_free(struct outcome *o)
{
    if (o->then)
        o->then(o->then_arg, o->failed);
    list_remove(&o->link);
    buf_free(&o->frames);
    buf_free(&o->asked);
    store_batch_free(&o->batch);
    free(o);
}

/* The commit failed: nothing of it happened. */
static void take_back(struct outcome *o)
{
    struct frame f;

    log_warn("commit_failed", "jid", log_slice(o->room->jid), "trace", log_hex(o->trace), "why",
             err_name(o->failed), NULL);
    o->muc->figures.commits_failed++;
    buf_reset(&o->frames, 0);
    if (buf_len(&o->asked) && frame_decode(buf_slice(&o->asked), &f) > 0)
        outcome_error(o, &f.stanza, o->failed == ZE_FULL ? ZE_FULL : ZE_INTERNAL, NULL, false);
    if (!o->room->gone)
        room_reload(o->room);
}

static void send_frames(struct outcome *o)
{
    struct slice in = buf_slice(&o->frames);
    struct frame f;
    ssize_t      took;

    while (in.len && (took = frame_decode(in, &f)) > 0) {
        int err = o->muc->outlet.send(o->muc->outlet.arg, &f);

        if (err)
            log_warn("frame_unsent", "trace", log_hex(o->trace), "to", log_slice(f.stanza.to), "err",
                     err_name(err), NULL);
        in = slice_cut(in, (size_t)took, in.len);
    }
}

/* Sends what is ready at the head of the room's queue. */
static void flush(struct room *room)
{
    LIST_EACH(&room->outcomes, node) {
        struct outcome *o = LIST_OWNER(node, struct outcome, link);

        if (o->waiting)
            return;
        if (o->failed)
            take_back(o);
        send_frames(o);
        outcome_free(o);
    }
    rooms_settle(room);
}

static void committed(void *arg, enum zerr err)
{
    struct outcome *o = arg;

    o->waiting = false;
    o->failed = err;
    flush(o->room);
}

void outcome_end(struct outcome **end)
{
    struct outcome *o = *end;

    *end = NULL;
    if (!o->room) {
        send_frames(o);
        outcome_free(o);
        return;
    }
    list_append(&o->room->outcomes, &o->link);
    if (o->batch && !store_batch_empty(o->batch)) {
        o->waiting = true;
        store_commit(o->muc->store, &o->batch, committed, o);
        return;
    }
    flush(o->room);
}
