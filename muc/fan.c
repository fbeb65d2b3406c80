/* Recipient lists by next instance. */

#include "fan.h"

#include <stdlib.h>

#include "fanout.h"

static bool refresh(struct muc *m, struct whereabouts *at, struct slice jid)
{
    const struct routes *routes = m->outlet.routes(m->outlet.arg);
    uint32_t             generation = routes_generation(routes);

    if (at->generation == generation + 1 && at->known)
        return true;
    at->known = routes_find(routes, jid, &at->dest, &generation) == ZE_OK;
    at->generation = routes_generation(routes) + 1;
    return at->known;
}

static struct fan_dest *dest_of(struct fan *fan, const struct address *dest, uint32_t generation)
{
    for (size_t i = 0; i < fan->count; i++)
        if (fan->dest[i].dest.instance == dest->instance && fan->dest[i].dest.role == dest->role)
            return &fan->dest[i];
    if (fan->count == fan->room) {
        fan->room = fan->room ? 2 * fan->room : 2;
        fan->dest = xrealloc(fan->dest, fan->room * sizeof(*fan->dest));
        memset(fan->dest + fan->count, 0, (fan->room - fan->count) * sizeof(*fan->dest));
    }
    struct fan_dest *fresh = &fan->dest[fan->count++];

    fresh->dest = *dest;
    fresh->generation = generation;
    fresh->count = 0;
    return fresh;
}

bool fan_add(struct fan *fan, struct muc *m, struct whereabouts *at, struct slice full_jid)
{
    if (!refresh(m, at, full_jid)) {
        m->figures.no_route++;
        return false;
    }
    struct fan_dest *d = dest_of(fan, &at->dest, at->generation - 1);

    fanout_put(&d->list, 0, full_jid);
    d->count++;
    return true;
}

void fan_send(const struct fan *fan, struct outcome *o, const struct stanza *s)
{
    struct frame f = frame_make(FRAME_FANOUT);

    f.stanza = *s;
    f.stanza.to = (struct slice){ 0 };
    f.body = s->content;
    for (size_t i = 0; i < fan->count; i++) {
        f.dest = fan->dest[i].dest;
        f.generation = fan->dest[i].generation;
        f.list = buf_slice(&fan->dest[i].list);
        outcome_frame(o, &f);
        o->muc->figures.fanouts++;
        o->muc->figures.recipients += fan->dest[i].count;
    }
}

void fan_reset(struct fan *fan)
{
    for (size_t i = 0; i < fan->count; i++)
        buf_reset(&fan->dest[i].list, 65536);
    fan->count = 0;
}

void fan_free(struct fan *fan)
{
    for (size_t i = 0; i < fan->room; i++)
        buf_free(&fan->dest[i].list);
    free(fan->dest);
    *fan = (struct fan){ 0 };
}
