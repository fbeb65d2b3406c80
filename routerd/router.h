#pragma once

/* What the parts of routerd share. One struct router a process. */

#include "daemon.h"
#include "routes.h"

enum { LISTENERS = 4, PEER_INDEX = 1024 };

struct peer;
struct listener;
struct shutdown;

struct router_counts {
    uint64_t frames, bytes;         /* passed on */
    uint64_t refused;               /* frames */
    uint64_t dropped;               /* frames for who was not there: their sender keeps them */
};

struct router {
    struct daemon       *d;
    struct address       self;
    struct routes       *routes;
    struct list          peers;                 /* every connection, greeted or not */
    size_t               peers_greeted;
    struct peer         *index[PEER_INDEX];     /* greeted ones by instance key, open addressing */
    struct listener     *listeners[LISTENERS];
    uint64_t             table;                 /* counts changes of the table */
    bool                 releasing;             /* for members it is settled already (members.c) */
    struct deferred      publish;               /* it changed in this turn */
    size_t               queue_max;             /* bytes waiting for one peer */
    struct router_counts counts;
    struct shutdown     *shutdown;              /* shutdown.h */
};

/* ---- route_table.c: what is recorded and who is there ---- */
/* Builds the table from the settings, keeping who is up and which components are bound. */
void route_table_build(struct router *r);
/* The table is sent to all at the end of this turn; or now, before something that relies on it. */
void route_table_changed(struct router *r);
void route_table_publish(struct router *r);
/* To one peer, now; it is not told the same again. */
void route_table_say(struct router *r, struct peer *p);
/* Domains of ROUTE_BIND. ZE_FORBIDDEN: not this daemon's by the configuration; ZE_CONFLICT: bound by
 * another. */
enum zerr route_table_bind(struct router *r, const struct peer *p, struct slice domain);
void      route_table_unbind(struct router *r, const struct peer *p, struct slice domain);
void      route_table_unbind_all(struct router *r, const struct peer *p);
/* True: a component of the configuration, bound or not. */
bool route_table_is_component(const struct router *r, struct slice domain);

/* ---- verbs.c ---- */
extern const struct ctl_verb router_verbs[];
void router_status(void *self, struct ctl_reply *reply);
void router_register_stats(struct router *r);
