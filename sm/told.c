/* What has been told of (told.h). Row: u32 count, then u64 trace and u8 who of each, oldest first. */

#include "told.h"

#include <stdlib.h>

#include "mem.h"

struct one {
    uint64_t trace;
    uint8_t  who;
};

struct told {
    unsigned   count, room;
    struct one list[];             /* oldest first */
};

static struct one *find(struct told *t, uint64_t trace)
{
    for (unsigned i = t ? t->count : 0; i > 0; i--)
        if (t->list[i - 1].trace == trace)
            return &t->list[i - 1];
    return NULL;
}

static void make_room(struct told **tp)
{
    struct told *t = *tp;
    unsigned     room = t ? t->room * 2 : 4;

    if (t && t->count == TOLD_MAX)
        memmove(t->list, t->list + 1, --t->count * sizeof(t->list[0]));
    if (t && t->count < t->room)
        return;
    *tp = xrealloc(t, sizeof(*t) + room * sizeof(t->list[0]));
    if (!t)
        (*tp)->count = 0;
    (*tp)->room = room;
}

void told_add(struct told **tp, uint64_t trace, enum told_who who)
{
    struct one *known = find(*tp, trace);

    if (!trace)
        return;
    if (known) {
        known->who = known->who > who ? known->who : (uint8_t)who;
        return;
    }
    make_room(tp);
    (*tp)->list[(*tp)->count++] = (struct one){ trace, (uint8_t)who };
}

enum told_who told_of(const struct told *t, uint64_t trace)
{
    const struct one *known = find((struct told *)t, trace);

    return known ? (enum told_who)known->who : TOLD_NOBODY;
}

void told_free(struct told **tp)
{
    free(*tp);
    *tp = NULL;
}

void told_row_put(struct buf *out, const struct told *t)
{
    buf_put_u32(out, t ? t->count : 0);
    for (unsigned i = 0; t && i < t->count; i++) {
        buf_put_u64(out, t->list[i].trace);
        buf_put_u8(out, t->list[i].who);
    }
}

enum zerr told_row_take(struct cursor *c, struct told **tp)
{
    for (uint32_t left = take_u32(c); left && !c->bad; left--) {
        uint64_t trace = take_u64(c);
        uint8_t  who = take_u8(c);
        if (c->bad || who > TOLD_EVERYBODY)
            return ZE_STORE;
        told_add(tp, trace, (enum told_who)who);
    }
    return c->bad ? ZE_STORE : ZE_OK;
}
