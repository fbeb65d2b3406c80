#pragma once

/* One room: configuration, affiliations, subject, occupants. A stored (persistent) room leaves memory
 * some time after its last occupant has left; a temporary one ends then. */

#include "blob.h"
#include "bucket.h"
#include "config.h"
#include "fan.h"
#include "history.h"
#include "keep.h"
#include "privileges.h"

/* One client of an occupant (several of one account may share a nick, XEP-0045 7.2.8). */
struct session {
    struct list        link;           /* occupant->sessions */
    struct keep        keep;
    struct occupant   *occupant;
    struct slice       jid;            /* full; owned */
    struct address     home;           /* the life of the daemon it came through */
    struct whereabouts at;
    struct blob       *presence;       /* last payload, without what only the room may say; or NULL */
};

struct occupant {
    struct list      link;             /* room->occupants, in order of entry */
    struct keep      keep;
    struct room     *room;
    struct slice     nick, bare;       /* owned */
    struct slice     jid;              /* room/nick; owned */
    enum muc_role    role;
    enum affiliation affiliation;
    uint64_t         since_us;
    struct list      sessions;
    struct session  *main;             /* the one that spoke its presence last */
    uint64_t         main_number;      /* while restoring */
    struct bucket    messages;         /* rate */
};

struct affiliated {
    enum affiliation affiliation;
    struct slice     jid;              /* bare, or a domain (bans); owned */
    struct slice     reason;           /* owned */
    struct keep      keep;
    struct room     *room;
};

struct room {
    struct list        link;           /* muc->all_rooms */
    struct keep        keep;
    struct muc        *muc;
    char              *service;        /* its domain; owned */
    struct slice       jid;            /* bare; owned */
    unsigned           slot;
    struct config      config;
    struct slice       creator;        /* bare; owned */
    uint64_t           created_us;
    bool               locked;         /* 10.1: not yet configured by its creator */
    bool               stored;         /* has rows in the store */
    bool               gone;           /* destroyed; only its outcomes are still on their way */
    struct slice       subject, subject_nick;   /* owned */
    uint64_t           subject_us;     /* 0: never set */
    struct table      *affiliations;   /* JID -> struct affiliated; none = no row */
    size_t             owners;
    struct table      *nicks;          /* nick -> struct occupant */
    struct table      *sessions;       /* full JID -> struct session */
    struct list        occupants;
    struct history     history;
    struct list        invited;        /* invite.c: who may decline */
    size_t             invited_count;
    struct list        outcomes;       /* not yet sent, in order */
    struct fan         everybody;      /* prepared list of all sessions */
    bool               everybody_stale;
    uint32_t           everybody_generation;
    struct timer       idle;           /* armed while nobody is in a stored room */
};

/* Configuration, subject or standing of the room are other ones now. */
void room_changed(struct room *room);
/* It became stored, or is so no longer: what the rooms environment holds needs no rows here, and the other
 * way round. */
void room_store_changed(struct room *room);

/* In memory only; not yet in the registry. */
struct room *room_new(struct muc *m, struct slice bare_jid, const char *service);
void         room_free(struct room **room);

/* An owned copy in place of *to. */
void slice_own(struct slice *to, struct slice from);

/* Of a bare JID; admins of the service own every room; a ban of the domain counts. */
enum affiliation room_affiliation(const struct room *room, struct slice bare_jid);
/* NULL: none. */
const struct affiliated *room_affiliated(const struct room *room, struct slice jid);
/* AFF_NONE removes the row. Queues the change for the store when the room is stored. */
void room_set_affiliation(struct room *room, struct outcome *o, struct slice jid, enum affiliation affiliation,
                          struct slice reason);

/* The same without storing or keeping it: what is already in the store or in a row. Not AFF_NONE. */
struct keep *room_take_affiliation(struct room *room, struct slice jid, enum affiliation affiliation,
                                   struct slice reason);

void room_forget_affiliations(struct room *room);

struct occupant *room_occupant(const struct room *room, struct slice nick);
struct session  *room_session(const struct room *room, struct slice full_jid);
/* Any occupant of that account, NULL. */
struct occupant *room_occupant_of(const struct room *room, struct slice bare_jid);
size_t           room_occupants(const struct room *room);
bool             room_shows_jids_to(const struct room *room, const struct occupant *viewer);

struct occupant *occupant_new(struct room *room, struct slice nick, struct slice bare_jid);
/* The same for one who was there before a restart: his row is there already. */
struct occupant *occupant_make(struct room *room, struct slice nick, struct slice bare_jid);
/* Frees it with its sessions. */
void            occupant_free(struct occupant **occupant);
void            occupant_rename(struct occupant *occupant, struct slice nick);
/* Role or affiliation are other ones now. */
void            occupant_changed(struct occupant *occupant);
struct session *session_new(struct occupant *occupant, struct slice full_jid, const struct address *home);
struct session *session_make(struct occupant *occupant, struct slice full_jid, const struct address *home);
void            session_free(struct session **session);
void            session_presence(struct session *session, struct slice payload);

/* To all sessions: s without `to`. */
void room_fan_out(struct room *room, struct outcome *o, const struct stanza *s);
/* True: a daemon behind which occupants live cannot take more just now. */
bool room_congested(struct room *room);

/* ---- store (room_store.c) ---- */
/* NULL: not in the store (or unreadable: logged). */
struct room *room_load(struct muc *m, struct slice bare_jid, const char *service);
/* A room that was restored: what the store has of it. */
void room_fill(struct room *room);
/* After a failed commit: configuration, affiliations, subject and history as the store has them. */
void room_reload(struct room *room);
/* Configuration, creator, subject: the ROOM row, behind its format byte. */
void      room_encode(const struct room *room, struct buf *out);
enum zerr room_decode(struct room *room, struct cursor *in);
void room_save(struct room *room, struct outcome *o);                    /* the ROOM row */
void room_save_affiliation(struct room *room, struct outcome *o, const struct affiliated *a);
void room_store_all(struct room *room, struct outcome *o);               /* it became persistent */
void room_unstore(struct room *room, struct outcome *o);                 /* every row of it */
/* Calls each() with every stored room that is listed: JID, name. Stops at its first non-zero. */
int rooms_each_stored(struct muc *m, int (*each)(void *arg, struct slice jid, const struct config *config),
                      void *arg);
