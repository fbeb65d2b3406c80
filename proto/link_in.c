/* Frames of a link on their way in (link_priv.h): what is taken, receipts of it, and confirms: a turn is made
 * true, then it is said. The decisions are intake.c's. */

#include <stdlib.h>

#include "link_priv.h"
#include "log.h"
#include "mem.h"

enum {
    DUE_FRAMES = 1000, DUE_BYTES = 256 * 1024,
    DUE_MS = 2,                     /* what is done and not confirmed is done again if we are killed */
};

/* ---- confirms ---- */

static void encode_confirm(struct link *l, struct link_peer *p, struct buf *out)
{
    struct frame f = link_own_frame(l, p, FRAME_CONFIRM);
    struct buf   body = { 0 };
    bool         more;

    do {
        buf_reset(&body, SIZE_MAX);
        more = intake_confirm(&p->in, &body);
        f.body = buf_slice(&body);
        frame_encode(out, &f);
    } while (more);
    buf_free(&body);
    p->owed = p->due = false;
    p->owed_frames = p->owed_bytes = 0;
}

static bool waits_for_stores(const struct link *l, const struct link_peer *p)
{
    return l->spec.handed_in && (p->role == ROLE_SM || p->role == ROLE_MUC);
}

static void say_when_stored(struct link *l, struct link_peer *p)
{
    if (!buf_len(&p->unsaid) || !l->spec.stored(l->spec.daemon, &p->unsaid_mark))
        return;
    buf_put_slice(wire_out(l->wire), buf_slice(&p->unsaid));
    buf_free(&p->unsaid);
}

/* One at a time: what is done meanwhile is the next one's. */
static void confirm(struct link *l, struct link_peer *p)
{
    if (!waits_for_stores(l, p)) {
        encode_confirm(l, p, wire_out(l->wire));
    } else if (!buf_len(&p->unsaid)) {
        l->spec.handed_in(l->spec.daemon, &p->unsaid_mark);
        encode_confirm(l, p, &p->unsaid);
        say_when_stored(l, p);
    }
}

static void owe(struct link *l, struct link_peer *p, size_t bytes, bool due)
{
    p->owed = true;
    p->owed_frames++;
    p->owed_bytes += bytes;
    p->due |= due || p->owed_frames >= DUE_FRAMES || p->owed_bytes >= DUE_BYTES;
    loop_defer(l->loop, &l->turn_end);
}

/* Nothing is confirmed that is not committed: no handler is running now. */
void link_settle(struct link *l)
{
    if (l->spec.live)
        live_commit(l->spec.live);
    if (l->state != UP)
        return;
    LIST_EACH(&l->peers, node) {
        struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        if (p->up)
            say_when_stored(l, p);
        if (p->owed && p->up && (p->due || p->talked))
            confirm(l, p);
        p->talked = false;
    }
}

void link_turn_end(void *arg)
{
    struct link *l = arg;

    link_settle(l);
    if (l->state != UP || uv_is_active((uv_handle_t *)&l->confirm))
        return;
    LIST_EACH(&l->peers, node) {
        const struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        if ((p->owed || buf_len(&p->unsaid)) && p->up)
            uv_timer_start(&l->confirm, link_on_confirm_timer, DUE_MS, 0);
    }
}

void link_on_confirm_timer(uv_timer_t *timer)
{
    struct link *l = timer->data;

    LIST_EACH(&l->peers, node) {
        struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        p->due |= p->owed;
    }
    loop_defer(l->loop, &l->turn_end);
}

/* ---- in ---- */

struct receipt {
    unsigned          refs;
    struct link      *link;
    struct link_peer *peer;         /* NULL: there is nothing to confirm */
    uint64_t          life, number;
};

struct handling {
    struct link_peer *peer;
    struct receipt   *receipt;      /* while somebody holds it */
    bool              taken;
};

struct receipt *link_receipt(struct link *l, const struct frame *f)
{
    struct handling *h = l->handling;

    if (h && h->receipt)
        return receipt_ref(h->receipt);
    struct receipt *r = xcalloc(1, sizeof(*r));
    *r = (struct receipt){ 1, l, h ? h->peer : NULL, f->origin.incarnation, f->number };
    if (h) {
        h->receipt = r;
        h->taken = true;
    }
    return r;
}

struct receipt *receipt_ref(struct receipt *r)
{
    r->refs++;
    return r;
}

static void done(struct link *l, struct link_peer *p, uint64_t life, uint64_t number, size_t bytes)
{
    intake_done(&p->in, life, number);
    link_live_mark_changed(l, p);
    owe(l, p, bytes, false);
}

void receipt_unref(struct receipt **receipt)
{
    struct receipt *r = *receipt;

    *receipt = NULL;
    if (!r || --r->refs)
        return;
    if (r->peer)
        done(r->link, r->peer, r->life, r->number, 0);
    if (r->link->handling && r->link->handling->receipt == r)
        r->link->handling->receipt = NULL;
    free(r);
}

void receipt_abandon(struct receipt **receipt)
{
    if (*receipt)
        (*receipt)->peer = NULL;
    receipt_unref(receipt);
}

/* Sent by an old table to who owns that slot no more: once more by the table we have now (a fan-out, which
 * is to no single JID, to the same instance). True: it is on its way again. */
static bool sent_again(struct link *l, const struct frame *f)
{
    struct frame again;
    enum zerr    why;

    if (f->kind != FRAME_BOUNCE || bounce_decode(f, &why, &again) || why != ZE_STALE || !again.generation
        || again.flags & FRAME_REROUTED)
        return false;
    again.flags |= FRAME_REROUTED;
    again.generation = routes_generation(l->routes);
    return (again.stanza.to.len ? link_route(l, &again) : link_send(l, &again)) == ZE_OK;
}

/* A life of ours that is over may still be meant: what it bound is gone, so nobody here may answer
 * for it. */
static void on_other_life(struct link *l, const struct frame *f)
{
    log_debug("frame_for_old_life", "kind", frame_kinds[f->kind].name, "trace", log_hex(f->trace), NULL);
    if (f->kind == FRAME_STANZA || f->kind == FRAME_FANOUT)
        link_bounce(l, f, ZE_NO_ROUTE);
}

static void take(struct link *l, struct link_peer *p, const struct frame *f, size_t len)
{
    struct handling here = { .peer = p }, *outer = l->handling;

    l->handling = &here;
    if (f->dest.incarnation && f->dest.incarnation != l->self.incarnation)
        on_other_life(l, f);
    else if (!sent_again(l, f))
        link_deliver(l, f);
    l->handling = outer;
    if (!here.taken)
        done(l, p, f->origin.incarnation, f->number, len);
}

static void on_numbered(struct link *l, struct link_peer *p, const struct frame *f, size_t len)
{
    switch (intake_take(&p->in, f->origin.incarnation, f->number)) {
    case INTAKE_NEW:
        take(l, p, f, len);
        return;
    case INTAKE_DUPLICATE:
        link_counts.seen_before++;
        owe(l, p, len, false);
        break;
    case INTAKE_GAP:
        link_counts.missing++;
        owe(l, p, 0, p->in.ask);
        break;
    }
    log_debug("frame_dropped", "why", "seen before, or what goes before it is missing", "kind",
              frame_kinds[f->kind].name, "trace", log_hex(f->trace), NULL);
}

static void refuse(const struct frame *f, const char *why)
{
    log_warn("frame_refused", "kind", frame_kinds[f->kind].name, "peer", role_name(f->origin.role), "why", why,
             "trace", log_hex(f->trace), NULL);
}

static void on_void(struct link *l, struct link_peer *p, const struct frame *f)
{
    struct cursor c = { f->body, false };
    uint64_t      last = f->body.len ? take_u64(&c) : f->number;

    if (!f->number || !cursor_done(&c) || last < f->number || last == UINT64_MAX) {
        refuse(f, "unreadable");
        return;
    }
    intake_void(&p->in, f->origin.incarnation, f->number, last);
    link_live_mark_changed(l, p);
    owe(l, p, 0, p->in.ask);
}

static void on_sync(struct link *l, struct link_peer *p, const struct frame *f)
{
    uint64_t first, sent;

    if (!sync_read(f->body, &first, &sent)) {
        refuse(f, "unreadable");
        return;
    }
    intake_sync(&p->in, f->origin.incarnation, first, sent);
    link_live_mark_changed(l, p);
    owe(l, p, 0, true);
}

static void on_confirm(struct link *l, struct link_peer *p, const struct frame *f)
{
    struct confirm said;

    if (!confirm_read(f->body, &said)) {
        refuse(f, "unreadable");
        return;
    }
    if (said.life != l->self.incarnation)
        return;
    link_let_go(l, p, channel_confirm(&p->out, &said, f->origin.incarnation == p->life));
    link_pump(l, p);
}

void link_on_routed(struct link *l, const struct frame *f, size_t len)
{
    if (f->dest.instance != l->self.instance) {
        link_drop_wire(l, "a frame for somebody else");
        return;
    }
    struct link_peer *p = link_get_peer(l, f->origin.instance);
    if (f->kind == FRAME_SYNC)
        on_sync(l, p, f);
    else if (f->kind == FRAME_CONFIRM)
        on_confirm(l, p, f);
    else if (f->kind == FRAME_VOID)
        on_void(l, p, f);
    else if (!f->number)
        refuse(f, "no number");
    else
        on_numbered(l, p, f, len);
}
