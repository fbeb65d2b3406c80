/* What goes to another sm and comes from it (handover.h). An item: u8 enum handover_item; a session: sized
 * row (session_live.h), then what resume_move_put adds: the queue; contacts: caps.h. */

#include "handover.h"

#include "caps.h"
#include "csi.h"
#include "feature.h"
#include "log.h"
#include "resume.h"
#include "session_live.h"

static bool leaves(const struct slots *slots, struct slice bare)
{
    return slots_leaves(slots, slot_of(bare));
}

static bool owner_leaves(void *arg, struct slice owner)
{
    return leaves(arg, owner);
}

/* Before the queues go: held stanzas are part of them then. */
static void flush_leaving(struct sm *sm, const struct slots *slots)
{
    size_t place = 0;

    for (struct session *s; (s = sessions_next(sm->sessions, &place));)
        if (csi_held(s) && leaves(slots, session_bare(s)))
            csi_flush(sm, s);
}

/* What leaves waits, or somebody else's outcome of before the move, which may name clients of it (an event for a contact
 * that lived here); of later ones nothing goes to them from here. */
static bool something_waits(struct sm *sm, const struct slots *slots)
{
    if (!sm->quiet_recorded)
        sm->quiet_recorded = ways_recorded(sm) + 1;
    return ways_wait_up_to(sm, sm->quiet_recorded - 1) || ways_wait_for(sm, owner_leaves, (void *)slots) || iq_deferred();
}

bool handover_quiet(struct sm *sm, const struct slots *slots)
{
    if (something_waits(sm, slots))
        return false;
    flush_leaving(sm, slots);
    return true;
}

static void give(struct sm *sm, struct slots *slots, struct session *s)
{
    struct buf item = { 0 }, row = { 0 };

    s->held_serial = 0;         /* of this instance's frames */
    session_row_put(&row, s);
    buf_put_u8(&item, ITEM_SESSION);
    buf_put_sized(&item, buf_slice(&row));
    resume_move_put(&item, s);
    slots_give(slots, slot_of(session_bare(s)), buf_slice(&item));
    log_info("session_given", "jid", log_slice(session_jid(s)), "conn", log_hex(s->conn), NULL);
    resume_move_leave(sm, s);
    session_remove(sm->sessions, &s);
    buf_free(&item);
    buf_free(&row);
}

void handover_give(struct sm *sm, struct slots *slots)
{
    size_t place = 0;

    caps_give(sm, slots);
    for (struct session *s; (s = sessions_next(sm->sessions, &place));)
        if (leaves(slots, session_bare(s)))
            give(sm, slots, s);
    sm->quiet_recorded = 0;
}

/* First of all: what follows for this client comes from here. */
static void tell_c2sd(struct sm *sm, const struct session *s)
{
    struct outcome *o = outcome_new(sm, slice_of(NULL, 0), 0);
    struct frame    f = frame_make(FRAME_MOVED);

    f.dest = s->c2sd;
    f.handle = s->conn;
    f.sender = s->handle;
    f.body = slice_of(s->secret, sizeof(s->secret));
    outcome_frame(o, AHEAD, &f);
    outcome_settle(&o);
}

static enum zerr take_session(struct sm *sm, struct cursor *c)
{
    struct cursor   row = { take_sized(c), false };
    struct session *s;

    if (c->bad)
        return ZE_PROTOCOL;
    s = session_row_take(sm, 0, &row);
    if (!s)
        return ZE_PROTOCOL;
    log_info("session_taken", "jid", log_slice(session_jid(s)), "conn", log_hex(s->conn), NULL);
    s->moved = !resume_hibernates(s);
    if (s->moved)
        tell_c2sd(sm, s);
    return resume_move_take(sm, s, c);
}

enum zerr handover_take(struct sm *sm, struct slice item)
{
    struct cursor c = { item, false };

    switch (take_u8(&c)) {
    case ITEM_SESSION:
        return take_session(sm, &c);
    case ITEM_CONTACTS:
        return caps_take(sm, &c);
    default:
        return ZE_PROTOCOL;
    }
}
