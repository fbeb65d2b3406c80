/* Frames of a link, out and in (link_priv.h): kept frames to the wire, SYNC and CONFIRM, receipts, and what
 * comes back to ourselves. The decisions are channel.c's and intake.c's. */

#include <stdlib.h>

#include "link_priv.h"
#include "log.h"
#include "mem.h"

enum {
    WIRE_FULL = 1 << 20,            /* bytes: more is written when these have left */
    DUE_FRAMES = 1000, DUE_BYTES = 256 * 1024,
    DUE_MS = 2,                     /* what is done and not confirmed is done again if we are killed */
    TICK_MS = 1000,
};

struct link_counts link_counts;

/* ---- out ---- */

static struct frame own_frame(const struct link *l, const struct link_peer *p, enum frame_kind kind)
{
    struct frame f = frame_make(kind);

    f.origin = l->self;
    f.dest = (struct address){ p->role, p->instance, 0 };
    f.trace = trace_new();
    return f;
}

static void write_sync(struct link *l, struct link_peer *p, const struct channel_step *step)
{
    struct frame f = own_frame(l, p, FRAME_SYNC);
    struct buf   body = { 0 };

    sync_write(&body, step->first, step->last);
    f.body = buf_slice(&body);
    frame_encode(wire_out(l->wire), &f);
    buf_free(&body);
}

static void write_void(struct link *l, struct link_peer *p, const struct channel_step *step)
{
    struct frame f = own_frame(l, p, FRAME_VOID);
    struct buf   body = { 0 };

    buf_put_u64(&body, step->last);
    f.number = step->first;
    f.body = buf_slice(&body);
    frame_encode(wire_out(l->wire), &f);
    buf_free(&body);
}

static void write_frame(struct link *l, const struct channel_step *step)
{
    link_counts.sent += !step->again;
    link_counts.again += step->again;
    buf_put(wire_out(l->wire), step->kept->bytes, step->kept->len);
}

static void write_step(struct link *l, struct link_peer *p, const struct channel_step *step)
{
    if (step->kind == STEP_FRAME)
        write_frame(l, step);
    else if (step->kind == STEP_SYNC)
        write_sync(l, p, step);
    else
        write_void(l, p, step);
}

void link_pump(struct link *l, struct link_peer *p)
{
    struct channel_step step;

    if (l->state != UP || !p->up || p->paused || !channel_has_unsent(&p->out))
        return;
    while (wire_waiting(l->wire) < WIRE_FULL && channel_step(&p->out, &step))
        write_step(l, p, &step);
    p->talked = true;
    link_live_peer_changed(l, p);
    if (!timer_armed(&l->tick))
        timer_arm(l->loop, &l->tick, TICK_MS);
}

/* Who had to stop at a full wire goes last next time. */
void link_pump_all(struct link *l)
{
    LIST_EACH(&l->peers, node) {
        struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        link_pump(l, p);
        if (l->wire && wire_waiting(l->wire) >= WIRE_FULL) {
            list_remove(&p->link);
            list_append(&l->peers, &p->link);
            return;
        }
    }
}

/* The safety net: whatever went wrong, a frame that is never confirmed is asked after. */
void link_on_tick(void *arg)
{
    struct link        *l = arg;
    struct channel_step step;
    bool                waiting = false;

    LIST_EACH(&l->peers, node) {
        struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        if (l->state == UP && p->up && channel_tick(&p->out, &step))
            write_sync(l, p, &step);
        waiting |= p->out.count > 0;
    }
    if (waiting)
        timer_arm(l->loop, &l->tick, TICK_MS);
}

/* ---- confirms ---- */

static void say_confirm(struct link *l, struct link_peer *p)
{
    struct frame f = own_frame(l, p, FRAME_CONFIRM);
    struct buf   body = { 0 };
    bool         more;

    do {
        buf_reset(&body, SIZE_MAX);
        more = intake_confirm(&p->in, &body);
        f.body = buf_slice(&body);
        frame_encode(wire_out(l->wire), &f);
    } while (more);
    buf_free(&body);
    p->owed = p->due = false;
    p->owed_frames = p->owed_bytes = 0;
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
        if (p->owed && p->up && (p->due || p->talked))
            say_confirm(l, p);
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
        if (p->owed && p->up)
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

/* ---- kept frames ---- */

struct kept *kept_ref(struct kept *k)
{
    k->refs++;
    return k;
}

void kept_unref(struct link *l, struct kept **k)
{
    if (*k && --(*k)->refs == 0) {
        link_live_forget(l, *k);
        free(*k);
    }
    *k = NULL;
}

uint64_t kept_serial(const struct kept *k)
{
    return k->serial;
}

uint64_t kept_tag(const struct kept *k)
{
    return k->tag;
}

struct slice kept_bytes(const struct kept *k)
{
    return slice_of(k->bytes, k->len);
}

bool kept_confirmed(const struct kept *k)
{
    return !k->in_channel;
}

/* The channel's reference. Whoever still holds it shall not find it in the channel after a restart: what
 * lies below the base is known not to be there. */
static void drop_reference(struct link *l, const struct link_peer *p, struct kept *k)
{
    if (k->refs > 1 && k->number >= p->out.base)
        link_live_put(l, k);
    kept_unref(l, &k);
}

static void let_go(struct link *l, struct link_peer *p, struct kept *chain)
{
    while (chain) {
        struct kept *k = chain;
        chain = k->next;
        l->kept_bytes -= k->len;
        link_counts.confirmed++;
        if (l->spec.on_confirmed)
            l->spec.on_confirmed(l->spec.daemon, k);
        drop_reference(l, p, k);
    }
    link_live_peer_changed(l, p);
}

/* ---- what comes back to ourselves ---- */

void link_deliver(struct link *l, const struct frame *f)
{
    frame_handler *handle = l->spec.handlers[f->kind];

    if (handle) {
        handle(l->spec.daemon, f);
        return;
    }
    log_warn("frame_refused", "kind", frame_kinds[f->kind].name, "peer", role_name(f->origin.role), "why",
             "no handler", "trace", log_hex(f->trace), NULL);
    link_bounce(l, f, ZE_NO_SUCH);
}

void link_bounce_to_self(struct link *l, const struct kept *k, enum zerr why)
{
    struct frame original, f;
    struct buf   body = { 0 };

    if (l->spec.handlers[FRAME_BOUNCE] && frame_decode(kept_bytes(k), &original) > 0
        && bounce_make(&original, kept_bytes(k), why, &body, &f)) {
        f.origin = (struct address){ ROLE_ROUTERD, instance_key("routerd"), routes_router(l->routes) };
        f.number = k->tag;
        link_deliver(l, &f);
    }
    buf_free(&body);
}

void link_enter_anew(struct link *l, struct kept *k, struct frame *f)
{
    struct link_peer *to = link_get_peer(l, f->dest.instance);

    f->number = to->out.next;
    frame_readdress(k->bytes, f);
    link_enter(l, to, k);
}

/* By the table of now, in another channel; the serial stays. False: nobody serves it. */
static bool by_another_way(struct link *l, const struct link_peer *from, struct kept *k)
{
    struct frame f;

    if (frame_decode(kept_bytes(k), &f) <= 0 || !f.generation || f.dest.incarnation || !f.stanza.to.len
        || routes_find(l->routes, f.stanza.to, &f.dest, &f.generation) || f.dest.instance == from->instance)
        return false;
    link_enter_anew(l, kept_ref(k), &f);
    return true;
}

/* The frames are taken out before a handler runs: it may send, to the same channel too. */
void link_take_out(struct link *l, struct link_peer *p, channel_verdict *verdict, uint64_t life, enum zerr why)
{
    struct kept *chain = channel_take(&p->out, verdict, life);

    while (chain) {
        struct kept *k = chain;
        chain = k->next;
        l->kept_bytes -= k->len;
        if (verdict == channel_is_any && by_another_way(l, p, k)) {
            kept_unref(l, &k);
        } else {
            link_bounce_to_self(l, k, why);
            drop_reference(l, p, k);
        }
    }
    link_live_peer_changed(l, p);
    link_pump(l, p);
}

void link_enter(struct link *l, struct link_peer *p, struct kept *k)
{
    k->instance = p->instance;
    channel_enter(&p->out, k);
    l->kept_bytes += k->len;
    link_live_put(l, k);
    link_live_peer_changed(l, p);
    link_pump(l, p);
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
    let_go(l, p, channel_confirm(&p->out, &said, f->origin.incarnation == p->life));
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
