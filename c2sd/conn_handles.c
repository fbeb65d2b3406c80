/* Streams by handle (conn.h): a serial number and the place in a table, so that a handle is never another stream's. */

#include "conn_inner.h"

#include "mem.h"

void conn_take_handle(struct c2sd *s, struct conn *c)
{
    size_t i = 0;

    if (s->slots_used * 4 >= s->slots_room * 3) {      /* so that a free one is near */
        size_t room = s->slots_room ? s->slots_room * 2 : 64;
        s->slots = xrealloc(s->slots, room * sizeof(*s->slots));
        memset(s->slots + s->slots_room, 0, (room - s->slots_room) * sizeof(*s->slots));
        i = s->slots_room;
        s->slots_room = room;
    } else {
        i = (size_t)(s->serial % s->slots_room);
        while (s->slots[i])
            i = (i + 1) % s->slots_room;
    }
    s->slots[i] = c;
    s->slots_used++;
    c->handle = ++s->serial << HANDLE_BITS | i;
}

void conn_leave_handle(struct c2sd *s, struct conn *c)
{
    size_t i = c->handle & ((1u << HANDLE_BITS) - 1);

    if (i < s->slots_room && s->slots[i] == c) {
        s->slots[i] = NULL;
        s->slots_used--;
    }
}

struct conn *conn_find(struct c2sd *s, uint64_t handle)
{
    size_t       i = handle & ((1u << HANDLE_BITS) - 1);
    struct conn *c = i < s->slots_room ? s->slots[i] : NULL;

    return c && c->handle == handle && c->state != CONN_CLOSED ? c : NULL;
}

struct conn *conn_next(struct c2sd *s, size_t *i)
{
    while (*i < s->slots_room) {
        struct conn *c = s->slots[(*i)++];
        if (c)
            return c;
    }
    return NULL;
}
