#pragma once

/* The archive of a stored room (XEP-0313), on the shared ledger (proto/ledger.h) in the rooms environment. A
 * record is incoming: from = the occupant's JID, to = the room; actor = the real full JID. Temporary rooms
 * have no archive, only their recent history (history.h), whose records and ids are of the same kind. */

#include "ledger.h"
#include "outcome.h"

struct room;

extern const struct ledger_tables archive_tables_of_rooms;

/* True: what is said in this room is archived, and can be asked for. */
bool archive_on(const struct room *room);
/* The ledger of the room within `view`. ZE_STORE: unreadable (logged). */
enum zerr archive_open(struct ledger *l, struct room *room, struct store_view *view);
/* The id for what is said in the room now. */
struct ledger_id archive_next_id(struct room *room);
/* Adds a record (its id is set) to the outcome's batch. ZE_FULL: the disk is low. */
enum zerr archive_add(struct room *room, struct outcome *o, const struct ledger_record *record);
/* XEP-0424: what the account `who` (bare JID) said under this id becomes `tombstone`. ZE_NOT_FOUND: there is
 * no such message of his, or it is a retraction or a tombstone itself. */
enum zerr archive_bury(struct room *room, struct outcome *o, struct ledger_id id, struct slice who,
                       struct slice tombstone);
/* True: the record, unpacked, may become one for `who`. */
bool archive_may_bury(const struct ledger_record *record, struct slice who);
/* The whole archive goes with the outcome's batch. */
void archive_forget(struct room *room, struct outcome *o);
/* The newest records up to `most` that answer yes, oldest first, unpacked, in the arena. They borrow from
 * `view`. */
struct ledger_record *archive_latest(struct room *room, struct store_view *view, uint64_t since_us, size_t most,
                                     bool (*wanted)(const struct ledger_record *r), size_t *count);

/* ---- limits of age and number (retention.c) ---- */

/* Begins to go through all archives from time to time; nothing without a loop's timer. */
void retention_start(struct muc *m);
void retention_stop(struct muc *m);
/* One bounded step; true: there is more to do now. For tests. */
bool retention_step(struct muc *m);
