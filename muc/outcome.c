/* Frames and batch of one handled frame: sent after the commit, in order within a room. */

#include "outcome.h"

#include <stdlib.h>

#include "fan.h"
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

static void add_list(struct outcome *o, struct recipients *list)
{
    if (o->list_count == o->list_room) {
        o->list_room = o->list_room ? 2 * o->list_room : 2;
        o->lists = xrealloc(o->lists, o->list_room * sizeof(*o->lists));
    }
    o->lists[o->list_count++] = recipients_ref(list);
}

void outcome_fanout(struct outcome *o, const struct frame *f, struct recipients *list)
{
    struct frame copy = *f;

    copy.trace = o->trace;
    copy.list = (struct slice){ 0 };
    if (frame_encode(&o->frames, &copy)) {
        log_warn("frame_too_long", "trace", log_hex(o->trace), "from", log_slice(f->stanza.from), NULL);
        return;
    }
    add_list(o, list);
}

bool outcome_send(struct outcome *o, const struct stanza *s)
{
    const struct routes *routes = o->muc->outlet.routes(o->muc->outlet.arg);
    struct frame         f = frame_make(FRAME_STANZA);

    /* Without a table yet it is looked up when it leaves. */
    if (o->muc->linked && routes_find(routes, s->to, &f.dest, &f.generation)) {
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

static void forget_frames(struct outcome *o)
{
    for (size_t i = 0; i < o->list_count; i++)
        recipients_unref(&o->lists[i]);
    o->list_count = 0;
    buf_reset(&o->frames, 0);
}

static void outcome_free(struct outcome *o)
{
    if (o->then)
        o->then(o->then_arg, o->failed);
    list_remove(&o->link);
    keep_drop(o->muc, &o->keep);
    forget_frames(o);
    free(o->lists);
    buf_free(&o->frames);
    buf_free(&o->asked);
    buf_free(&o->handed_in);
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
    forget_frames(o);
    if (buf_len(&o->asked) && frame_decode(buf_slice(&o->asked), &f) > 0)
        outcome_error(o, &f.stanza, o->failed == ZE_FULL ? ZE_FULL : ZE_INTERNAL, NULL, false);
    if (!o->room->gone)
        room_reload(o->room);
}

static void send_frame(struct outcome *o, struct frame *f)
{
    struct muc *m = o->muc;
    int         err = ZE_OK;

    if (f->dest.role == ROLE_NONE)
        err = routes_find(m->outlet.routes(m->outlet.arg), f->stanza.to, &f->dest, &f->generation);
    if (!err)
        err = m->outlet.send(m->outlet.arg, f);
    if (err)
        log_warn("frame_unsent", "trace", log_hex(o->trace), "to", log_slice(f->stanza.to), "err", err_name(err),
                 NULL);
}

static void send_frames(struct outcome *o)
{
    struct slice in = buf_slice(&o->frames);
    struct frame f;
    ssize_t      took;
    size_t       list = 0;

    while (in.len && (took = frame_decode(in, &f)) > 0) {
        if (f.kind == FRAME_FANOUT && list < o->list_count)
            f.list = buf_slice(&o->lists[list++]->list);
        send_frame(o, &f);
        in = slice_cut(in, (size_t)took, in.len);
    }
}

/* Sends what is ready at the head of the room's queue. */
static void flush(struct room *room)
{
    if (!room->muc->linked)
        return;
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
    struct muc     *m = o->muc;

    o->waiting = false;
    o->failed = err;
    m->outcomes_waiting--;
    if (err)
        keep_mark(m, &o->keep, KEEP_OUTCOME);
    flush(o->room);
    if (!m->outcomes_waiting && m->when_settled)
        m->when_settled(m);
}

/* It stays beyond this turn's end, and so do the lists it waits with. */
static void stays(struct outcome *o)
{
    keep_mark(o->muc, &o->keep, KEEP_OUTCOME);
    for (size_t i = 0; i < o->list_count; i++)
        if (!o->lists[i]->keep.written)
            keep_mark(o->muc, &o->lists[i]->keep, KEEP_RECIPIENTS);
    if (o->room && !o->room->keep.written)
        room_changed(o->room);
}

static void hand_in(struct outcome *o)
{
    o->waiting = true;
    o->muc->outcomes_waiting++;
    if (o->muc->live)
        buf_put_slice(&o->handed_in, store_batch_bytes(o->batch));
    o->batch_number = store_commit(o->muc->store, &o->batch, committed, o);
}

/* After a restart: what became of its batch? */
static void hand_in_again(struct outcome *o)
{
    enum store_fate fate = o->batch_number ? store_fate(o->muc->store, o->batch_number) : STORE_COMMITTED;

    if (fate == STORE_COMMITTED || o->failed)
        return;
    if (fate == STORE_UNDECIDED)
        o->batch = store_batch_from(buf_slice(&o->handed_in));
    if (!o->batch) {
        o->failed = ZE_STORE;
        return;
    }
    o->waiting = true;
    o->muc->outcomes_waiting++;
    store_commit_again(o->muc->store, &o->batch, o->batch_number, committed, o);
}

void outcome_end(struct outcome **end)
{
    struct outcome *o = *end;

    *end = NULL;
    if (!o->room && o->muc->linked) {
        send_frames(o);
        outcome_free(o);
        return;
    }
    list_append(o->room ? &o->room->outcomes : &o->muc->loose, &o->link);
    if (o->batch && !store_batch_empty(o->batch))
        hand_in(o);
    if (!o->muc->linked || o->waiting || o->link.prev != &o->room->outcomes)
        stays(o);
    else
        flush(o->room);
}

void outcomes_linked(struct muc *m)
{
    LIST_EACH(&m->loose, node) {
        struct outcome *o = LIST_OWNER(node, struct outcome, link);

        send_frames(o);
        outcome_free(o);
    }
    muc_each_room(m, flush);
}

static void forget_all(struct list *outcomes)
{
    LIST_EACH(outcomes, node)
        outcome_free(LIST_OWNER(node, struct outcome, link));
}

void outcomes_forget(struct room *room)
{
    forget_all(&room->outcomes);
}

void outcomes_forget_loose(struct muc *m)
{
    forget_all(&m->loose);
}

/* ---- the row: u8 format, u64 room (0: none), u64 trace, i32 err of a commit that failed, sized asked, sized
 * frames, u64 batch number (0: none), sized batch, then u64 number of each list ---- */

enum { ROW_FORMAT = 1 };

static bool outcome_row(const struct keep *k, struct buf *row)
{
    const struct outcome *o = LIST_OWNER(k, struct outcome, keep);

    buf_put_u8(row, ROW_FORMAT);
    buf_put_u64(row, o->room ? o->room->keep.number : 0);
    buf_put_u64(row, o->trace);
    buf_put_u32(row, (uint32_t)o->failed);
    buf_put_sized(row, buf_slice(&o->asked));
    buf_put_sized(row, buf_slice(&o->frames));
    buf_put_u64(row, o->batch_number);
    buf_put_sized(row, buf_slice(&o->handed_in));
    for (size_t i = 0; i < o->list_count; i++)
        buf_put_u64(row, o->lists[i]->keep.number);
    return true;
}

static bool take_lists(struct outcome *o, struct cursor *c)
{
    while (c->rest.len && !c->bad) {
        struct keep *k = keep_find(o->muc, KEEP_RECIPIENTS, take_u64(c));

        if (!k)
            return false;
        add_list(o, LIST_OWNER(k, struct recipients, keep));
    }
    return cursor_done(c);
}

static bool outcome_again(struct muc *m, uint64_t number, struct cursor *c)
{
    uint8_t         format = take_u8(c);
    uint64_t        room_number = take_u64(c);
    struct keep    *room = keep_find(m, KEEP_ROOM, room_number);
    struct outcome *o = outcome_begin(m, room ? LIST_OWNER(room, struct room, keep) : NULL, take_u64(c));

    o->failed = (enum zerr)take_u32(c);
    buf_put_slice(&o->asked, take_sized(c));
    buf_put_slice(&o->frames, take_sized(c));
    o->batch_number = take_u64(c);
    buf_put_slice(&o->handed_in, take_sized(c));
    if (c->bad || format != ROW_FORMAT || (room_number && !room) || !take_lists(o, c)) {
        outcome_free(o);
        return room_number && !room;   /* its service is no more */
    }
    keep_again(m, &o->keep, KEEP_OUTCOME, number);
    list_append(o->room ? &o->room->outcomes : &m->loose, &o->link);
    hand_in_again(o);
    return true;
}

const struct keep_row keep_outcome = { outcome_row, outcome_again };
