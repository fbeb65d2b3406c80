#pragma once

/* The instance: what every file of muc/ works on. Time is an argument here: now_us and now_ms are set
 * by whoever hands a frame in. */

#include "ctl.h"
#include "frame.h"
#include "loop.h"
#include "mem.h"
#include "pending.h"
#include "routes.h"
#include "settings.h"
#include "store.h"
#include "table.h"
#include "xml_stream.h"

/* Rooms environment, <data>/rooms. Keys: slot of the room's bare JID, then
 *   ROOM         room JID                         -> configuration, subject (room_store.c)
 *   AFFILIATION  room JID NUL bare JID            -> affiliation, reason
 *   HISTORY      room JID NUL time (8) tie (2)    -> one message (history.c); big-endian
 *   ROOMS_META   whole-environment facts */
#define ROOM_TABLES(X) X(ROOM) X(AFFILIATION) X(HISTORY) X(ROOMS_META)

enum room_table {
#define X(name) R_##name,
    ROOM_TABLES(X)
#undef X
};
extern const char *const room_tables[];
enum { ROOMS_SCHEMA = 1 };

/* Where frames leave: the link, or a test. */
struct outlet {
    void *arg;
    int (*send)(void *arg, struct frame *f);                 /* as link_send */
    const struct routes *(*routes)(void *arg);
};

struct muc_figures {
    uint64_t messages, private_messages, presences, entered, left, refused, ghosts, fanouts, recipients,
        commits_failed, bad_origin, bad_content, no_route;
};

struct muc {
    struct daemon         *daemon;         /* NULL in tests */
    struct stat_row       *stats;          /* of main.c */
    const struct settings *settings;
    struct outlet          outlet;
    struct loop           *loop;
    struct arena          *arena;          /* of the frame being handled */
    struct store          *store;
    struct table          *rooms;          /* bare JID -> struct room, those in memory */
    struct pending        *forwarded;      /* IQs between occupants */
    struct table          *questions;      /* number -> the same (forward.c) */
    struct xml_limits      limits;
    uint64_t               now_us, now_ms;
    long                   stored_rooms;   /* -1: not counted yet */
    struct muc_figures     figures;
};

/* `loop` and `settings` stay the caller's; `store` becomes the instance's. */
struct muc *muc_new(struct loop *loop, const struct settings *settings, struct store *store, struct arena *arena,
                    struct outlet outlet);
void        muc_free(struct muc **m);
void        muc_settings(struct muc *m, const struct settings *settings);
/* NULL: not a service of ours. */
const struct settings_rooms *muc_service(const struct muc *m, struct slice domain);
bool                         muc_is_admin(const struct settings_rooms *service, struct slice bare_jid);

/* In memory now. */
struct muc_census { size_t rooms, occupants; };
struct muc_census muc_census(const struct muc *m);

/* One frame each (dispatch.c). */
void muc_on_stanza(struct muc *m, const struct frame *f);
/* One stanza to several rooms; a malformed list ends where it is malformed. */
void muc_on_fanout(struct muc *m, const struct frame *f);
/* `original`: what could not be passed on, and why. */
void muc_on_bounce(struct muc *m, const struct frame *original, enum zerr why);
/* That life of an sm is over: its sessions left every room. */
void muc_on_peer_lost(struct muc *m, const struct address *life);
/* 332 to everybody (XEP-0045 11.2). */
void muc_say_goodbye(struct muc *m);

extern const struct ctl_verb muc_verbs[];
