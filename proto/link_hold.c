/* Frames whose destination is on the move (link_priv.h, slots.h): what is routed to a role whose members
 * change is kept here, in order, and enters the channels of the new owners when the table is settled, or, when the
 * new owner is this instance, is done. Not
 * only what is for slots that move: between two entities nothing may overtake a fan-out that waits. */

#include "link_priv.h"
#include "log.h"

/* Chained through kept->next; the reference is the hold's. */
static void append(struct link *l, struct kept *k)
{
    k->held = true;
    k->next = NULL;
    *l->held_end = k;
    l->held_end = &k->next;
    l->kept_bytes += k->len;
}

bool link_must_hold(const struct link *l, const struct frame *f)
{
    return f->generation && routes_changing(l->routes, f->dest.role);
}

enum zerr link_hold(struct link *l, struct frame *f, uint64_t tag, struct kept **kept)
{
    struct kept *k;

    if (l->kept_bytes + frame_length(f) > WHOLE_LINK * (size_t)l->spec.queue_bytes)
        return ZE_FULL;
    k = link_keep(l, f, tag);
    if (!k)
        return ZE_POLICY;
    if (kept)
        *kept = kept_ref(k);
    append(l, k);
    link_live_put(l, k);
    return ZE_OK;
}

void link_hold_restored(struct link *l, struct kept *k)
{
    append(l, kept_ref(k));
}

/* ---- the move is over ---- */

static void returned(struct link *l, struct kept *k, enum zerr why)
{
    link_bounce_to_self(l, k, why);
    kept_unref(l, &k);
}

/* A fan-out was split by the table of the change: its destination is right unless that one was evicted. */
static bool find_anew(const struct link *l, const struct kept *k, struct frame *f)
{
    if (frame_decode(kept_bytes(k), f) <= 0)
        return false;
    if (f->stanza.to.len)
        return routes_find(l->routes, f->stanza.to, &f->dest, &f->generation) == ZE_OK;
    const struct route_instance *it = routes_instance(l->routes, f->dest.instance);
    return it && it->member & MEMBER_NOW;
}

static struct kept *take_first(struct link *l, struct kept **chain)
{
    struct kept *k = *chain;

    *chain = k->next;
    k->held = false;
    k->next = NULL;
    l->kept_bytes -= k->len;
    return k;
}

/* What lives here now is spoken to without a link (sm): by the time that happens, what was held for it is done. */
static void do_here(struct link *l, struct kept *k)
{
    struct frame f;

    if (frame_decode(kept_bytes(k), &f) > 0) {
        f.origin = l->self;
        f.number = 0;
        link_deliver(l, &f);
    }
    if (l->spec.on_confirmed)
        l->spec.on_confirmed(l->spec.daemon, k);
    kept_unref(l, &k);
}

void link_release_held(struct link *l)
{
    struct kept *chain = l->held, *here = NULL, **here_end = &here;

    if (!chain || !routes_settled(l->routes))
        return;
    l->held = NULL;
    l->held_end = &l->held;
    while (chain) {
        struct kept *k = take_first(l, &chain);
        struct frame f;
        if (!find_anew(l, k, &f)) {
            returned(l, k, ZE_STALE);
        } else if (f.dest.instance == l->self.instance) {
            *here_end = k;
            here_end = &k->next;
        } else {
            link_enter_anew(l, k, &f);
        }
    }
    while (here) {
        struct kept *k = here;
        here = k->next;
        k->next = NULL;
        do_here(l, k);
    }
}

void link_free_held(struct link *l)
{
    while (l->held) {
        struct kept *k = l->held;
        l->held = k->next;
        kept_unref(l, &k);
    }
}
