#pragma once

/* Recipient lists by next instance: one FANOUT frame each (DESIGN.md 2.5). A list is built once, and then
 * shared by all the frames that go to the same recipients. */

#include "keep.h"
#include "outcome.h"

/* A finished list (proto/fanout.h), counted. Has a row of its own while an outcome waits with it. */
struct recipients {
    struct keep keep;
    struct list link;                  /* muc->restored_lists, while restoring */
    unsigned    refs;
    struct muc *muc;
    struct buf  list;
};

struct recipients *recipients_ref(struct recipients *r);
void               recipients_unref(struct recipients **r);
/* Everything is restored: lists that nobody waits with go. */
void               recipients_restored(struct muc *m);

struct fan_dest {
    struct address     dest;
    uint32_t           generation;
    size_t             count;
    struct buf         list;           /* while it is built */
    struct recipients *ready;          /* then; NULL: still being built */
};

struct fan {
    struct fan_dest *dest;
    size_t           count, room;
};

/* Where a JID lives now, kept with it until the route table changes. */
struct whereabouts {
    struct address dest;
    uint32_t       generation;         /* of the table, + 1; 0 = not asked yet */
    bool           known;
};

/* False: nobody serves it; it is left out (and counted). Nothing is added any more once it was sent. */
bool fan_add(struct fan *fan, struct muc *m, struct whereabouts *at, struct slice full_jid);
void fan_send(struct fan *fan, struct outcome *o, const struct stanza *s);
/* True: one of its instances cannot take more just now. */
bool fan_congested(const struct fan *fan, const struct muc *m);
/* Empties it, keeping the memory. */
void fan_reset(struct fan *fan);
void fan_free(struct fan *fan);
