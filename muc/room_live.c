/* Rows of rooms, affiliations, occupants and sessions in live memory (keep.h). All begin with a format byte.
 * ROOM:       sized JID, sized service, u8 flags; of a temporary room also what room_encode gives.
 * AFFILIATED: u64 room, u8 affiliation, sized JID, sized reason.
 * OCCUPANT:   u64 room, u8 role, u8 affiliation, u64 since_us, u64 main session, sized nick, sized bare JID.
 * SESSION:    u64 occupant, u8 role, u32 instance, u64 incarnation of its home, sized JID, sized presence. */

#include <stdlib.h>

#include "log.h"
#include "rooms.h"

enum { ROW_FORMAT = 1 };
enum { FLAG_LOCKED = 1, FLAG_STORED = 2, FLAG_GONE = 4 };

/* ---- rooms ---- */

static bool room_row(const struct keep *k, struct buf *row)
{
    const struct room *room = LIST_OWNER(k, struct room, keep);

    buf_put_u8(row, ROW_FORMAT);
    buf_put_sized(row, room->jid);
    buf_put_sized(row, slice_str(room->service));
    buf_put_u8(row, (uint8_t)((room->locked ? FLAG_LOCKED : 0) | (room->stored ? FLAG_STORED : 0) |
                              (room->gone ? FLAG_GONE : 0)));
    if (!room->stored)
        room_encode(room, row);
    return true;
}

static bool room_again(struct muc *m, uint64_t number, struct cursor *c)
{
    uint8_t      format = take_u8(c);
    struct slice jid = take_sized(c), service = take_sized(c);
    uint8_t      flags = take_u8(c);
    char        *name;
    struct room *room;

    if (c->bad || format != ROW_FORMAT || !jid.len)
        return false;
    if (!muc_service(m, service)) {
        log_warn("room_left_out", "jid", log_slice(jid), "why", "the configuration has its service no longer", NULL);
        return true;
    }
    room = table_get(m->rooms, jid);
    if (room)
        rooms_drop(room);              /* nobody is in it here */
    name = xstrndup(service);
    room = room_new(m, jid, name);
    free(name);
    keep_again(m, &room->keep, KEEP_ROOM, number);
    room->locked = flags & FLAG_LOCKED;
    room->stored = flags & FLAG_STORED;
    room->gone = flags & FLAG_GONE;
    if (!room->gone)
        table_put(m->rooms, room->jid, room);
    m->taken = m->taking ? room : NULL;
    return room->stored || (room_decode(room, c) == ZE_OK && cursor_done(c));
}

const struct keep_row keep_room = { room_row, room_again };

static struct room *room_numbered(const struct muc *m, uint64_t number)
{
    struct keep *k = keep_find(m, KEEP_ROOM, number);

    return k ? LIST_OWNER(k, struct room, keep) : NULL;
}

/* ---- affiliations ---- */

static bool affiliated_row(const struct keep *k, struct buf *row)
{
    const struct affiliated *a = LIST_OWNER(k, struct affiliated, keep);

    if (a->room->stored || a->room->gone)
        return false;
    buf_put_u8(row, ROW_FORMAT);
    buf_put_u64(row, a->room->keep.number);
    buf_put_u8(row, (uint8_t)a->affiliation);
    buf_put_sized(row, a->jid);
    buf_put_sized(row, a->reason);
    return true;
}

static bool affiliated_again(struct muc *m, uint64_t number, struct cursor *c)
{
    uint8_t      format = take_u8(c);
    struct room *room = room_numbered(m, take_u64(c));
    uint8_t      affiliation = take_u8(c);
    struct slice jid = take_sized(c), reason = take_sized(c);

    if (!cursor_done(c) || format != ROW_FORMAT || affiliation >= AFFILIATIONS)
        return false;
    if (room)
        keep_again(m, room_take_affiliation(room, jid, (enum affiliation)affiliation, reason), KEEP_AFFILIATED,
                   number);
    return true;
}

const struct keep_row keep_affiliated = { affiliated_row, affiliated_again };

/* ---- occupants ---- */

static bool occupant_row(const struct keep *k, struct buf *row)
{
    const struct occupant *who = LIST_OWNER(k, struct occupant, keep);

    buf_put_u8(row, ROW_FORMAT);
    buf_put_u64(row, who->room->keep.number);
    buf_put_u8(row, (uint8_t)who->role);
    buf_put_u8(row, (uint8_t)who->affiliation);
    buf_put_u64(row, who->since_us);
    buf_put_u64(row, who->main ? who->main->keep.number : 0);
    buf_put_sized(row, who->nick);
    buf_put_sized(row, who->bare);
    return true;
}

static bool occupant_again(struct muc *m, uint64_t number, struct cursor *c)
{
    uint8_t      format = take_u8(c);
    struct room *room = room_numbered(m, take_u64(c));
    uint8_t      role = take_u8(c), affiliation = take_u8(c);
    uint64_t     since_us = take_u64(c), main = take_u64(c);
    struct slice nick = take_sized(c), bare = take_sized(c);

    if (!cursor_done(c) || format != ROW_FORMAT || role >= MUC_ROLES || affiliation >= AFFILIATIONS)
        return false;
    if (!room)
        return true;

    struct occupant *who = occupant_make(room, nick, bare);

    who->role = (enum muc_role)role;
    who->affiliation = (enum affiliation)affiliation;
    who->since_us = since_us;
    who->main_number = main;
    keep_again(m, &who->keep, KEEP_OCCUPANT, number);
    return true;
}

const struct keep_row keep_occupant = { occupant_row, occupant_again };

/* ---- sessions ---- */

static bool session_row(const struct keep *k, struct buf *row)
{
    const struct session *session = LIST_OWNER(k, struct session, keep);

    buf_put_u8(row, ROW_FORMAT);
    buf_put_u64(row, session->occupant->keep.number);
    buf_put_u8(row, session->home.role);
    buf_put_u32(row, session->home.instance);
    buf_put_u64(row, session->home.incarnation);
    buf_put_sized(row, session->jid);
    buf_put_sized(row, session->presence ? blob_slice(session->presence) : (struct slice){ 0 });
    return true;
}

static bool session_again(struct muc *m, uint64_t number, struct cursor *c)
{
    uint8_t         format = take_u8(c);
    struct keep    *k = keep_find(m, KEEP_OCCUPANT, take_u64(c));
    struct address  home = { .role = take_u8(c) };
    struct slice    jid, presence;
    struct session *before, *session;

    home.instance = take_u32(c);
    home.incarnation = take_u64(c);
    jid = take_sized(c);
    presence = take_sized(c);
    if (!cursor_done(c) || format != ROW_FORMAT)
        return false;
    if (!k)
        return true;

    struct occupant *who = LIST_OWNER(k, struct occupant, keep);

    before = who->main;
    session = session_make(who, jid, &home);
    if (presence.len)
        session->presence = blob_copy(presence);
    if (before && keep_find(m, KEEP_SESSION, who->main_number) == &before->keep)
        who->main = before;            /* it spoke last, though it came earlier */
    keep_again(m, &session->keep, KEEP_SESSION, number);
    return true;
}

const struct keep_row keep_session = { session_row, session_again };
