#pragma once

/* Recipient lists by next instance: one FANOUT frame each (DESIGN.md 2.5). */

#include "outcome.h"

struct fan_dest {
    struct address dest;
    uint32_t       generation;
    size_t         count;
    struct buf     list;
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

/* False: nobody serves it; it is left out (and counted). */
bool fan_add(struct fan *fan, struct muc *m, struct whereabouts *at, struct slice full_jid);
void fan_send(const struct fan *fan, struct outcome *o, const struct stanza *s);
/* Empties it, keeping the memory. */
void fan_reset(struct fan *fan);
void fan_free(struct fan *fan);
