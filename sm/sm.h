#pragma once

/* The instance: its settings, routes, store and tables. No feature types, and no way to send: what
 * leaves goes through an outcome (outcome.h). */

#include "err.h"
#include "frame.h"
#include "loop.h"
#include "mem.h"
#include "routes.h"
#include "settings.h"
#include "sm_store.h"
#include "xml_stream.h"

struct caps;
struct commands;
struct errands;
struct groups;
struct live;
struct logins;
struct outbox;
struct offline;
struct retention;
struct presence_bus;
struct push;
struct resumes;
struct sasl;
struct sessions;
struct sessions_live;
struct slots;
struct throttle;
struct ways;

struct sm {
    struct loop           *loop;
    const struct settings *settings;      /* replaced by a reload */
    const struct routes   *routes;        /* replaced when routerd publishes a table; never NULL */
    struct arena          *arena;         /* of the frame or callback being handled */
    uint64_t               live_serial;   /* given out last (outcome_live.c) */
    struct sm_store        store;
    struct live           *live;          /* what outlives this process and not the machine (sm_live.h) */
    struct address         self;          /* role, instance and incarnation of this process */
    const char            *instance;      /* "sm-1" */
    struct outbox         *outbox;        /* outbox.h */
    struct ways           *ways;          /* outcome.c: how frames leave, who waits for a commit */
    struct sessions       *sessions;
    struct sessions_live  *sessions_live; /* session_live.h */
    struct sasl           *sasl;
    struct logins         *logins;
    struct retention      *retention;
    struct offline        *offline;       /* offline.c: what was received in this turn */
    struct throttle       *registrations; /* register.c: by client address */
    struct absent         *absent;        /* offline.c: messages for who is not there */
    struct throttle       *guests;        /* anonymous.c: by client address */
    struct groups         *groups;        /* groups.h */
    struct throttle       *reporters;     /* reports.c: by account */
    struct commands       *commands;      /* forms given out (commands.h) */
    struct list            walks;         /* walk.h */
    struct errands        *errands;       /* verbs asked of other instances (errand.h) */
    struct presence_bus   *bus;           /* presence to other instances (presence_bus.h); NULL: by routerd */
    struct push           *push;          /* push.h: notifications on their way */
    struct resumes        *resumes;       /* resume.h */
    struct caps           *caps;          /* caps.h */
    uint64_t               started_ms;    /* of the loop's clock */
    uint32_t               epoch;         /* counts the sessions that became receptive, over all lives */
    const struct slots    *slots;         /* which slots this instance handles at this moment; NULL: by `routes` */
    uint64_t               quiet_recorded;  /* handover.c */
    bool                   stopping;      /* no new sessions */
};

/* True when accounts of this domain live here (in this or another sm instance). */
bool sm_serves(const struct sm *sm, struct slice domain);
/* NULL: not one of ours. */
const struct settings_domain *sm_domain(const struct sm *sm, struct slice domain);
/* True when this instance owns the slot of that bare JID. */
bool sm_owns(const struct sm *sm, struct slice bare);
bool sm_owns_slot(const struct sm *sm, unsigned slot);
bool sm_is_self(const struct sm *sm, const struct address *dest);
/* What is for that bare JID, which lives at dest by the table, is done here at once. While members change only in a slot
 * that stays: what others say to an account that moves waits until the table is settled, and so does what is said here,
 * in the link. */
bool sm_is_here(const struct sm *sm, const struct address *dest, struct slice bare);
/* Limits for content of a stanza that a border daemon has already let through. */
struct xml_limits sm_xml_limits(const struct sm *sm);
/* Key of a table row: slot of `owner`, owner, and when `rest` is not empty NUL and rest (so a prefix
 * of all rows of one owner is sm_key_prefix). Borrowed from the arena. */
struct slice sm_key(const struct sm *sm, struct slice owner, struct slice rest);
struct slice sm_key_prefix(const struct sm *sm, struct slice owner);
/* What follows the prefix in a key made by sm_key. */
struct slice sm_key_rest(struct slice key, struct slice prefix);
