/* Frames of a link on their way out (link_priv.h): kept until they are confirmed, written when they may be, and
 * what comes back to ourselves. The decisions are channel.c's. */

#include <stdlib.h>

#include "link_priv.h"
#include "log.h"
#include "mem.h"

enum {
    WIRE_FULL = 1 << 20,            /* bytes: more is written when these have left */
    TICK_MS = 1000,
};

struct link_counts link_counts;

/* ---- out ---- */

struct frame link_own_frame(const struct link *l, const struct link_peer *p, enum frame_kind kind)
{
    struct frame f = frame_make(kind);

    f.origin = l->self;
    f.dest = (struct address){ p->role, p->instance, 0 };
    f.trace = trace_new();
    return f;
}

static void write_sync(struct link *l, struct link_peer *p, const struct channel_step *step)
{
    struct frame f = link_own_frame(l, p, FRAME_SYNC);
    struct buf   body = { 0 };

    sync_write(&body, step->first, step->last);
    f.body = buf_slice(&body);
    frame_encode(wire_out(l->wire), &f);
    buf_free(&body);
}

static void write_void(struct link *l, struct link_peer *p, const struct channel_step *step)
{
    struct frame f = link_own_frame(l, p, FRAME_VOID);
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

void link_let_go(struct link *l, struct link_peer *p, struct kept *chain)
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
