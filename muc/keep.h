#pragma once

/* What of this instance outlives its process (DESIGN.md 2.8): each object below is one row of the live
 * environment, written at the end of the loop turn in which it changed, however often it changed; a room
 * message touches none of the occupants. After kill -9 or a planned restart the rooms stand as they stood
 * at the end of the last turn.
 *
 * Rows refer to each other by number; numbers are given out once in the life of an instance, in ascending
 * order, so that the order of rows is the order in which things came. A row is opaque to everything but
 * the file that owns the object: it gives encode and restore (enum keep_kind says which). */

#include "buf.h"
#include "cursor.h"
#include "link.h"
#include "list.h"
#include "live.h"

/* X(NAME, table), with the file that owns the objects; the order is that of restoring: what is referred to comes first. */
#define KEEP_KINDS(X)                                                                                      \
    X(ROOM,       muc_room)         /* room_live.c */                                                      \
    X(AFFILIATED, muc_affiliated)   /* room_live.c: of a temporary room; a stored one's are in the store */ \
    X(OCCUPANT,   muc_occupant)     /* room_live.c */                                                      \
    X(SESSION,    muc_session)      /* room_live.c */                                                      \
    X(INVITED,    muc_invited)      /* invite.c */                                                         \
    X(HISTORY,    muc_history)      /* history.c: of a temporary room */                                   \
    X(QUESTION,   muc_question)     /* forward.c */                                                        \
    X(RECIPIENTS, muc_recipients)   /* fan.c: lists that outcomes wait with */                             \
    X(OUTCOME,    muc_outcome)      /* outcome.c: what waits for a commit */                               \
    X(SEARCH,     muc_search)       /* mam.c: questions to an archive that take several turns */

enum keep_kind {
#define X(name, table) KEEP_##name,
    KEEP_KINDS(X)
#undef X
    KEEP_COUNT,
};

/* Tables of muc's live environment behind those of the link, in the order of enum keep_kind. */
#define KEEP_LIVE_TABLES                                                                                   \
    "muc_room", "muc_affiliated", "muc_occupant", "muc_session", "muc_invited", "muc_history", "muc_question", \
        "muc_recipients", "muc_outcome", "muc_search"

struct muc;

/* Inside each object that has a row. {0}: not known here yet. */
struct keep {
    struct list    link;         /* of what changed in this turn */
    uint64_t       number;       /* 0: none yet */
    enum keep_kind kind;
    bool           written;
};

struct keep_row {
    /* Fills `row` (empty before); false: the object needs no row now. */
    bool (*encode)(const struct keep *k, struct buf *row);
    /* Makes the object again; its keep is restored by keep_again. False: the row is damaged. */
    bool (*restore)(struct muc *m, uint64_t number, struct cursor *row);
};

extern const struct keep_row keep_room, keep_affiliated, keep_occupant, keep_session, keep_invited, keep_history,
    keep_question, keep_recipients, keep_outcome, keep_search;

/* The object is new or has changed: its row is written at the end of this turn. */
void keep_mark(struct muc *m, struct keep *k, enum keep_kind kind);
/* The object ends. Nothing for {0}. */
void keep_drop(struct muc *m, struct keep *k);

/* Once, after muc_new and before the first frame: everything as it was. Damaged rows are logged and left
 * out. Without live memory: nothing. */
void keep_restore(struct muc *m);
/* ---- a room from another instance (handover.h): its rows have that instance's numbers ---- */
bool keep_encode(const struct keep *k, struct buf *row);
void keep_take_begin(struct muc *m);
/* False: damaged, or of a kind that is not handed over. */
bool keep_take(struct muc *m, unsigned kind, uint64_t number, struct cursor *row);
void keep_take_end(struct muc *m);

/* In restore(): binds the object to the row it was made of. */
void keep_again(struct muc *m, struct keep *k, enum keep_kind kind, uint64_t number);
/* In restore(): the object made of the row of this kind and number; NULL: there is none. */
struct keep *keep_find(const struct muc *m, enum keep_kind kind, uint64_t number);
