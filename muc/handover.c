/* Rooms to another muc and from it (handover.h). */

#include "handover.h"

#include "invite.h"
#include "log.h"
#include "rooms.h"

enum { ITEM_FORMAT = 1 };

static bool leaves(const struct slots *slots, const struct room *room)
{
    return slots_leaves(slots, room->slot);
}

bool handover_quiet(struct muc *m, const struct slots *slots)
{
    LIST_EACH(&m->all_rooms, node) {
        const struct room *room = LIST_OWNER(node, struct room, link);
        if (leaves(slots, room) && !list_empty(&room->outcomes))
            return false;
    }
    return true;
}

/* ---- giving ---- */

static void put(void *arg, const struct keep *k)
{
    struct buf *item = arg, row = { 0 };

    if (k->number && keep_encode(k, &row)) {
        buf_put_u8(item, (uint8_t)k->kind);
        buf_put_u64(item, k->number);
        buf_put_sized(item, buf_slice(&row));
    }
    buf_free(&row);
}

static void put_occupant(struct buf *item, const struct occupant *who)
{
    put(item, &who->keep);
    LIST_EACH(&who->sessions, node)
        put(item, &LIST_OWNER(node, struct session, link)->keep);
}

/* What is referred to comes first, as in enum keep_kind. */
static void put_room(struct buf *item, const struct room *room)
{
    put(item, &room->keep);
    for (struct table_iter i = { 0 }; table_next(room->affiliations, &i);)
        put(item, &((struct affiliated *)i.value)->keep);
    LIST_EACH(&room->occupants, node)
        put_occupant(item, LIST_OWNER(node, struct occupant, link));
    invite_each_keep(room, put, item);
    LIST_EACH(&room->history.items, node)
        put(item, &LIST_OWNER(node, struct history_item, link)->keep);
}

static void give(struct slots *slots, struct room *room)
{
    struct buf item = { 0 };

    buf_put_u8(&item, ITEM_FORMAT);
    put_room(&item, room);
    if (buf_len(&item) > 1) {
        slots_give(slots, room->slot, buf_slice(&item));
        log_info("room_given", "jid", log_slice(room->jid), "count", log_num((int64_t)room_occupants(room)), NULL);
    }
    buf_free(&item);
    rooms_drop(room);
}

void handover_give(struct muc *m, struct slots *slots)
{
    LIST_EACH(&m->all_rooms, node) {
        struct room *room = LIST_OWNER(node, struct room, link);
        if (leaves(slots, room))
            give(slots, room);
    }
}

/* ---- taking ---- */

static enum zerr take_rows(struct muc *m, struct cursor *c)
{
    while (c->rest.len && !c->bad) {
        unsigned      kind = take_u8(c);
        uint64_t      number = take_u64(c);
        struct cursor row = { take_sized(c), false };

        if (c->bad || !keep_take(m, kind, number, &row))
            return ZE_PROTOCOL;
    }
    return c->bad ? ZE_PROTOCOL : ZE_OK;
}

enum zerr handover_take(struct muc *m, struct slice item)
{
    struct cursor c = { item, false };
    enum zerr     err;

    if (take_u8(&c) != ITEM_FORMAT || c.bad)
        return ZE_PROTOCOL;
    keep_take_begin(m);
    err = take_rows(m, &c);
    keep_take_end(m);
    if (m->taken && m->taken->stored)
        room_fill(m->taken);
    if (m->taken)
        log_info("room_taken", "jid", log_slice(m->taken->jid), "count", log_num((int64_t)room_occupants(m->taken)),
                 NULL);
    m->taken = NULL;
    return err;
}

/* ---- homes ---- */

static void follow_home(struct muc *m, struct session *s)
{
    const struct routes         *routes = m->outlet.routes(m->outlet.arg);
    const struct route_instance *it;
    struct address               now;
    uint32_t                     generation;

    if (s->home.role != ROLE_SM || routes_find(routes, s->jid, &now, &generation) || now.role != ROLE_SM
        || now.instance == s->home.instance)
        return;
    it = routes_instance(routes, now.instance);
    s->home = (struct address){ ROLE_SM, now.instance, it->incarnation };
    keep_mark(m, &s->keep, KEEP_SESSION);
}

void handover_follow_homes(struct muc *m)
{
    LIST_EACH(&m->all_rooms, node)
        for (struct table_iter i = { 0 }; table_next(LIST_OWNER(node, struct room, link)->sessions, &i);)
            follow_home(m, i.value);
}
