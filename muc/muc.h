#pragma once

/* The instance: what every file of muc/ works on. Time is an argument here: now_us and now_ms are set
 * by whoever hands a frame in. */

#include "ctl.h"
#include "frame.h"
#include "ledger.h"
#include "live.h"
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
 *   ROOMS_META   whole-environment facts
 *   the rest     archives (archive.h, proto/ledger.h); no room has anything in OFFLINE and its sums
 * Schema 1 had the last messages of a room in a table of its own and is refused: there was no release with it. */
#define ROOM_TABLES(X) X(ROOM) X(AFFILIATION) X(ROOMS_META) X(INTERN) X(LEDGER) X(CONTACT) X(OFFLINE) X(OFFLINE_SUM) X(OWNER)

enum room_table {
#define X(name) R_##name,
    ROOM_TABLES(X)
#undef X
};
extern const char *const room_tables[];
enum { ROOMS_SCHEMA = 2 };
#define ROOMS_RUNS (UINT64_C(1) << R_LEDGER)      /* store_spec.runs */

/* Where frames leave: the link, or a test. */
struct outlet {
    void *arg;
    int (*send)(void *arg, struct frame *f);                 /* as link_send */
    const struct routes *(*routes)(void *arg);
    bool (*congested)(void *arg, uint32_t instance);         /* as link_congested; may be NULL */
};

/* How far the walk over the archives has come (retention.c). */
struct retention {
    struct timer     timer;
    unsigned         slot;
    uint32_t         owner_id;         /* of the room done last in it */
    bool             counted, committing;
    uint64_t         passed;           /* of the newest ones, which stay, down to passed_to */
    struct ledger_id passed_to;
    uint64_t         cut_us;           /* what is older goes; 0: nothing */
};

struct muc_figures {
    uint64_t messages, private_messages, presences, entered, left, refused, ghosts, fanouts, recipients, archive_pages,
        archive_results, archive_expired, archive_retracted, commits_failed, bad_origin, bad_content, no_route;
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
    struct list            all_rooms;      /* these, and the destroyed ones that wait for their commit */
    struct list            searches;       /* mam.c */
    size_t                 search_count;
    struct list            loose;          /* outcomes of no room, before the first route table */
    size_t                 outcomes_waiting;   /* for their commit */
    void                 (*when_settled)(struct muc *m);     /* called when that becomes 0; may be NULL */
    struct ledger_place    ledgers;        /* the archives of the rooms */
    struct retention       retention;
    uint32_t               instance;       /* key of our name */
    struct pending        *forwarded;      /* IQs between occupants */
    struct table          *questions;      /* number -> the same (forward.c) */
    struct xml_limits      limits;
    uint64_t               now_us, now_ms;
    long                   stored_rooms;   /* -1: not counted yet */
    bool                   linked;         /* has had a route table */
    struct muc_figures     figures;

    struct live           *live;           /* NULL: nothing outlives the process */
    struct live_hook       live_hook;
    struct list            changed;        /* struct keep: rows to be written at the end of the turn */
    uint64_t               kept_last;      /* number given to a row */
    struct table          *restored;       /* number -> struct keep; while restoring */
    bool                   taking;         /* handover.c: what is restored comes from another instance */
    struct room           *taken;          /* the room that did */
    const struct slots    *slots;          /* which rooms are ours at this moment; NULL: all (tests) */
    struct list            restored_lists; /* struct recipients; while restoring */
};

/* `loop` and `settings` stay the caller's, and so does `live` (may be NULL), which has the tables of keep.h;
 * `store` becomes the instance's. What an earlier process left in `live` is there again. */
struct muc *muc_new(struct loop *loop, const struct settings *settings, struct store *store, struct live *live,
                    struct arena *arena, struct outlet outlet);
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
/* The same for a search that goes on (mam.c). */
struct search;
void muc_serve(struct muc *m, const struct frame *f, struct search *search);
/* One stanza to several rooms; a malformed list ends where it is malformed. */
void muc_on_fanout(struct muc *m, const struct frame *f);
/* `original`: what could not be passed on, why, and enum role of who says so. */
void muc_on_bounce(struct muc *m, const struct frame *original, enum zerr why, unsigned by);
/* That life of an sm is over: its sessions left every room. */
void muc_on_peer_lost(struct muc *m, const struct address *life);
/* The route table changed. With the first one of a process what waited leaves. Who came through a life of an
 * sm that is over leaves the rooms. */
void muc_on_routes(struct muc *m);
/* This instance ends for good, not to be started again: 332 to everybody (XEP-0045 11.2), and nobody is in
 * a room any more. */
void muc_say_goodbye(struct muc *m);
/* keep.c: the rows are read; rooms are what they were. */
void muc_restored(struct muc *m);
struct room;
void muc_each_room(struct muc *m, void (*each)(struct room *room));

extern const struct ctl_verb muc_verbs[];
