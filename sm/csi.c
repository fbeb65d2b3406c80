/* What waits for an inactive client (csi.h). */

#include "csi.h"

#include <stdlib.h>

#include "delay.h"
#include "fanout.h"
#include "feature.h"
#include "jid.h"
#include "outcome.h"
#include "resume_inner.h"
#include "slots.h"
#include "stats.h"
#include "table.h"

static uint64_t kept_back, collapsed, let_go;

static const struct stat_row stats[] = {
    { "csi_held", "stanzas held back for inactive clients", &kept_back },
    { "csi_collapsed", "of them, replaced by a later one", &collapsed },
    { "csi_sent", "of them, sent later", &let_go },
    { 0 },
};

/* ---- the list ---- */

struct held {
    struct queued    item;
    struct csi_place place;
    bool             message;
};

struct held_list {
    struct sm  *sm;
    struct held *items;
    unsigned    count, room;
    size_t      bytes;
};

static struct held_list *list_of(struct sm *sm, struct session *s)
{
    if (!s->held) {
        s->held = xcalloc(1, sizeof(*s->held));
        s->held->sm = sm;
    }
    return s->held;
}

static void list_free(struct held_list *l)
{
    for (unsigned i = 0; l && i < l->count; i++)
        ways_unref(l->sm->ways, &l->items[i].item.kept);
    if (l)
        free(l->items);
    free(l);
}

static void drop(struct held_list *l, unsigned i)
{
    l->bytes -= l->items[i].item.bytes;
    ways_unref(l->sm->ways, &l->items[i].item.kept);
    l->count--;
    memmove(&l->items[i], &l->items[i + 1], (l->count - i) * sizeof(*l->items));
}

static bool same_sender(const struct held *h, const struct stanza *s)
{
    struct frame f;

    return frame_decode(kept_bytes(h->item.kept), &f) > 0 && slice_eq(f.stanza.from, s->from);
}

static void collapse(struct held_list *l, const struct stanza *s, const struct csi_place *place)
{
    for (unsigned i = 0; place->key && i < l->count;)
        if (csi_takes(place, &l->items[i].place) && same_sender(&l->items[i], s)) {
            drop(l, i);
            collapsed++;
        } else {
            i++;
        }
}

/* Takes a reference. f: what is in k. */
static void append(struct sm *sm, struct session *s, struct kept *k, const struct frame *f, const struct csi_place *place)
{
    struct held_list *l = list_of(sm, s);
    struct held       h = {
        .item = { .kept = kept_ref(k), .bytes = (uint32_t)(kept_bytes(k).len - f->list.len) },
        .place = *place, .message = f->stanza.name == STANZA_MESSAGE,
    };

    collapse(l, &f->stanza, place);
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 16;
        l->items = xrealloc(l->items, l->room * sizeof(*l->items));
    }
    l->items[l->count++] = h;
    l->bytes += h.item.bytes;
    kept_back++;
}

static bool is_full(const struct sm *sm, const struct held_list *l, size_t more)
{
    return l && (l->count >= (size_t)sm->settings->limits.csi_stanzas ||
                 l->bytes + more > (size_t)sm->settings->limits.csi_bytes);
}

/* What leaves this instance is flushed and no more held (handover.h). */
static bool holds(const struct sm *sm, const struct session *s)
{
    return s->inactive && sm->settings->limits.csi_stanzas > 0 &&
           !(sm->slots && slots_leaves(sm->slots, slot_of(session_bare(s))));
}

/* ---- leaving ---- */

/* XEP-0203: when it came. */
static void stamp(struct stanza *s, struct slice full, uint64_t us, struct buf *content)
{
    if (s->flags & STANZA_HAS_DELAY || wall_us() < us + 2000000)
        return;
    buf_put_slice(content, s->content);
    delay_write(content, jid_domain(full), us);
    s->content = buf_slice(content);
    s->flags = (s->flags & ~(uint32_t)STANZA_EMPTY) | STANZA_HAS_DELAY;
}

static void send_held(struct sm *sm, struct session *s, const struct held *h)
{
    struct frame  old, f = frame_make(FRAME_STANZA);
    struct buf    content = { 0 };
    struct stanza stanza;

    if (!resume_stanza(&h->item, session_jid(s), &stanza, &old))
        return;
    stamp(&stanza, session_jid(s), resume_tag_us(kept_tag(h->item.kept)), &content);
    f.trace = old.trace;
    f.dest = s->c2sd;
    f.handle = s->conn;
    f.sender = s->handle;
    f.number = (uint32_t)kept_tag(h->item.kept);
    f.stanza = stanza;
    f.body = stanza.content;
    outcome_release(sm, &f);
    let_go++;
    buf_free(&content);
}

/* A frame held for several may come back after a restart: held_serial says what this session is done with. */
void csi_flush(struct sm *sm, struct session *s)
{
    struct held_list *l = s->held;

    if (!l)
        return;
    s->held = NULL;
    s->held_serial = ways_serial(sm->ways);
    session_changed(s);
    for (unsigned i = 0; i < l->count; i++)
        send_held(sm, s, &l->items[i]);
    list_free(l);
}

void csi_set(struct sm *sm, struct session *s, bool inactive)
{
    if (s->inactive != inactive)
        session_set_inactive(s, inactive);
    if (!inactive)
        csi_flush(sm, s);
}

void csi_wake(struct sm *sm, struct session *s)
{
    csi_set(sm, s, false);
}

/* ---- a frame on its way ---- */

/* NULL: too long a frame, which the link refuses as well. */
static struct kept *keep(struct sm *sm, const struct frame *f, struct slice list)
{
    struct frame copy = *f;

    copy.flags |= FRAME_HELD;
    copy.list = list;
    return ways_keep(sm->ways, &copy, resume_tag(wall_us(), (uint32_t)f->number));
}

/* False: it is not held, and everything before it has left. */
static bool may_hold(struct sm *sm, struct session *s, const struct frame *f, bool important)
{
    if (!important && holds(sm, s) && !is_full(sm, s->held, f->body.len))
        return true;
    csi_flush(sm, s);
    return false;
}

static void append_one(struct sm *sm, struct session *s, struct kept *k, const struct frame *f)
{
    struct csi_place place = csi_place(sm, &f->stanza);

    append(sm, s, k, f, &place);
}

static bool release_one(struct sm *sm, const struct frame *f)
{
    struct session *s = session_by_handle(sm->sessions, f->sender);
    struct kept    *k;

    if (!s || !s->inactive || !may_hold(sm, s, f, csi_important(&f->stanza)))
        return false;
    k = keep(sm, f, f->list);
    if (k) {
        append_one(sm, s, k, f);
        ways_unref(sm->ways, &k);
    }
    return true;
}

static bool anybody_inactive(const struct sm *sm, const struct frame *f)
{
    struct cursor       c = { f->list, false };
    struct fanout_entry e;

    while (fanout_next(&c, &e)) {
        const struct session *s = session_by_handle(sm->sessions, e.handle);
        if (s && s->inactive)
            return true;
    }
    return false;
}

/* Those who get it now to one list, the others to the other. */
static void split(struct sm *sm, const struct frame *f, struct buf *now, struct buf *later)
{
    bool                important = csi_important(&f->stanza);
    struct cursor       c = { f->list, false };
    struct fanout_entry e;

    while (fanout_next(&c, &e)) {
        struct session *s = session_by_handle(sm->sessions, e.handle);
        bool            held = s && s->inactive && may_hold(sm, s, f, important);
        fanout_put(held ? later : now, e.handle, e.jid);
    }
}

static void hold_many(struct sm *sm, const struct frame *f, struct kept *k)
{
    struct csi_place    place = csi_place(sm, &f->stanza);
    struct cursor       c = { f->list, false };
    struct fanout_entry e;

    while (fanout_next(&c, &e)) {
        struct session *s = session_by_handle(sm->sessions, e.handle);
        if (s && s->inactive && kept_serial(k) > s->held_serial)
            append(sm, s, k, f, &place);
    }
}

static bool release_many(struct sm *sm, const struct frame *f)
{
    struct buf   now = { 0 }, later = { 0 };
    struct frame rest = *f;
    struct kept *k;

    if (!anybody_inactive(sm, f))
        return false;
    split(sm, f, &now, &later);
    if (buf_len(&later)) {
        rest.list = buf_slice(&later);
        k = keep(sm, f, rest.list);
        if (k) {
            hold_many(sm, &rest, k);
            ways_unref(sm->ways, &k);
        }
        rest.list = buf_slice(&now);
        if (rest.list.len)
            outcome_release(sm, &rest);
    }
    bool seen_to = buf_len(&later) > 0;
    buf_free(&now);
    buf_free(&later);
    return seen_to;
}

bool csi_release(struct sm *sm, const struct frame *f)
{
    if (f->dest.role != ROLE_C2SD)
        return false;
    return f->kind == FRAME_STANZA ? release_one(sm, f) : f->kind == FRAME_FANOUT && release_many(sm, f);
}

/* ---- ends and beginnings ---- */

uint64_t csi_oldest_us(const struct session *s)
{
    for (unsigned i = 0; s->held && i < s->held->count; i++)
        if (s->held->items[i].message)
            return resume_tag_us(kept_tag(s->held->items[i].item.kept));
    return UINT64_MAX;
}

unsigned csi_held(const struct session *s)
{
    return s->held ? s->held->count : 0;
}

struct held_list *csi_leave(struct session *s)
{
    struct held_list *l = s->held;

    s->held = NULL;
    return l;
}

void csi_end(struct passage *p, struct held_list **left, struct slice full)
{
    for (unsigned i = 0; *left && i < (*left)->count; i++)
        resume_another_way(p, &(*left)->items[i].item, full, NULL);
    list_free(*left);
    *left = NULL;
}

void csi_forget(struct sm *sm, struct session *s)
{
    (void)sm;
    list_free(csi_leave(s));
}

bool csi_on_kept(struct sm *sm, struct kept *k)
{
    struct session *s;
    struct frame    f;

    if (frame_decode(kept_bytes(k), &f) <= 0 || !(f.flags & FRAME_HELD))
        return false;
    if (f.kind == FRAME_FANOUT) {
        hold_many(sm, &f, k);
        return true;
    }
    s = session_by_handle(sm->sessions, f.sender);
    if (s && s->inactive && kept_serial(k) > s->held_serial)
        append_one(sm, s, k, &f);
    return true;
}

const struct sm_feature sm_csi = { .name = "csi", .spec = "XEP-0352", .stats = stats };
