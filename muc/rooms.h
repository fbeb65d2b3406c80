#pragma once

/* The registry: rooms in memory, and how they get there. */

#include "room.h"

/* In memory, else loaded; NULL: there is none. */
struct room *rooms_find(struct muc *m, struct slice bare_jid, const char *service);
/* A fresh, locked room owned by `creator`. ZE_NOT_ALLOWED: policy (settings rooms.create); ZE_FULL:
 * limits.rooms_max or rooms_per_creator. */
enum zerr rooms_create(struct muc *m, const struct settings_rooms *service, struct slice bare_jid,
                       struct slice creator, struct room **out);
/* It is no more: out of the registry at once, freed when its outcomes are sent. */
void rooms_forget(struct room *room);
/* Out of memory without a word; its rows in live memory too. Nothing of it waits. */
void rooms_drop(struct room *room);
/* Called when something may have ended: a room with nobody in it leaves memory. */
void rooms_settle(struct room *room);
/* All rooms of the service that are known here: each() gets what disco needs. Stops at non-zero. */
struct room_summary {
    struct slice         jid;
    const struct config *config;
    size_t               occupants;
    bool                 locked;
    struct slice         subject;
};
int rooms_each(struct muc *m, const char *service, int (*each)(void *arg, const struct room_summary *room),
               void *arg);
