/* Frames whose destination is on the move (link_priv.h, slots.h): what is routed to a role whose members
 * change is kept here, in order, and enters the channels of the new owners when the table is settled. Not
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

void link_release_held(struct link *l)
{
    struct kept *chain = l->held;

    if (!chain || !routes_settled(l->routes))
        return;
    l->held = NULL;
    l->held_end = &l->held;
    while (chain) {
        struct kept *k = chain;
        struct frame f;
        chain = k->next;
        k->held = false;
        k->next = NULL;
        l->kept_bytes -= k->len;
        if (find_anew(l, k, &f))
            link_enter_anew(l, k, &f);
        else
            returned(l, k, ZE_STALE);
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
