/* XEP-0424 in rooms (retraction.h). */

#include "retraction.h"

#include "feature.h"
#include "ns.h"
#include "retract.h"

static bool retraction_on(const struct muc *m)
{
    return m->settings->limits.retraction_search > 0;
}

/* 5.1: a message of a room is named by the id that the room gave it. 4: its tombstone names the retraction by the
 * id of that message. */
void retraction_apply(struct request *r, const struct stanza *s)
{
    struct slice     who = r->session->occupant->bare;
    struct buf       tombstone = { 0 };
    struct ledger_id id;
    enum zerr        err;

    if (!(s->flags & STANZA_RETRACTS) || !s->id.len || !retraction_on(r->muc) ||
        ledger_id_parse(retract_target(r->muc->arena, s->content, &r->muc->limits), &id))
        return;
    tombstone_write(&tombstone, s->id, r->muc->now_us);
    err = archive_on(r->room) ? archive_bury(r->room, r->out, id, who, buf_slice(&tombstone))
                              : history_bury(r->room, id, who);
    buf_free(&tombstone);
    r->muc->figures.archive_retracted += !err;
}

static bool retracts(const struct room *room)
{
    return retraction_on(room->muc);
}

static bool has_tombstones(const struct room *room)
{
    return retraction_on(room->muc) && archive_on(room);
}

static const char *const disco[] = { NS_RETRACT, NULL };
static const char *const tombstones_disco[] = { NS_RETRACT_TOMB, NULL };

const struct muc_feature muc_retraction = {
    .name = "retraction", .spec = "XEP-0424", .room_disco = disco, .in_room = retracts,
};

const struct muc_feature muc_tombstones = {
    .name = "tombstones", .spec = "XEP-0424 4", .room_disco = tombstones_disco, .in_room = has_tombstones,
};
