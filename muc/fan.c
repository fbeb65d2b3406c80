/* Recipient lists by next instance. A row of recipients: the list as it is. */

#include "fan.h"

#include <stdlib.h>

#include "fanout.h"

/* ---- finished lists ---- */

struct recipients *recipients_ref(struct recipients *r)
{
    r->refs++;
    return r;
}

void recipients_unref(struct recipients **end)
{
    struct recipients *r = *end;

    *end = NULL;
    if (!r || --r->refs)
        return;
    list_remove(&r->link);
    keep_drop(r->muc, &r->keep);
    buf_free(&r->list);
    free(r);
}

/* Takes the bytes over. */
static struct recipients *recipients_new(struct muc *m, struct buf *list)
{
    struct recipients *r = xcalloc(1, sizeof(*r));

    r->refs = 1;
    r->muc = m;
    r->list = *list;
    *list = (struct buf){ 0 };
    return r;
}

static bool recipients_encode(const struct keep *k, struct buf *row)
{
    buf_put_slice(row, buf_slice(&LIST_OWNER(k, struct recipients, keep)->list));
    return true;
}

/* The reference is that of muc->restored_lists, given back when the outcomes have theirs. */
static bool recipients_restore(struct muc *m, uint64_t number, struct cursor *row)
{
    struct buf         list = { 0 };
    struct recipients *r;

    buf_put_slice(&list, row->rest);
    r = recipients_new(m, &list);
    keep_again(m, &r->keep, KEEP_RECIPIENTS, number);
    list_append(&m->restored_lists, &r->link);
    return true;
}

const struct keep_row keep_recipients = { recipients_encode, recipients_restore };

void recipients_restored(struct muc *m)
{
    LIST_EACH(&m->restored_lists, node) {
        struct recipients *r = LIST_OWNER(node, struct recipients, link);

        list_remove(node);
        recipients_unref(&r);
    }
}

/* ---- building ---- */

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

void fan_send(struct fan *fan, struct outcome *o, const struct stanza *s)
{
    struct frame f = frame_make(FRAME_FANOUT);

    f.stanza = *s;
    f.stanza.to = (struct slice){ 0 };
    f.body = s->content;
    for (size_t i = 0; i < fan->count; i++) {
        struct fan_dest *d = &fan->dest[i];

        if (!d->ready)
            d->ready = recipients_new(o->muc, &d->list);
        f.dest = d->dest;
        f.generation = d->generation;
        outcome_fanout(o, &f, d->ready);
        o->muc->figures.fanouts++;
        o->muc->figures.recipients += d->count;
    }
}

bool fan_congested(const struct fan *fan, const struct muc *m)
{
    for (size_t i = 0; i < fan->count; i++)
        if (m->outlet.congested && m->outlet.congested(m->outlet.arg, fan->dest[i].dest.instance))
            return true;
    return false;
}

void fan_reset(struct fan *fan)
{
    for (size_t i = 0; i < fan->count; i++) {
        buf_reset(&fan->dest[i].list, 65536);
        recipients_unref(&fan->dest[i].ready);
    }
    fan->count = 0;
}

void fan_free(struct fan *fan)
{
    fan_reset(fan);
    for (size_t i = 0; i < fan->room; i++)
        buf_free(&fan->dest[i].list);
    free(fan->dest);
    *fan = (struct fan){ 0 };
}
