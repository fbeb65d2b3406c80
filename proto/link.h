#pragma once

/* A daemon's link to routerd: HELLO, incarnation, numbering, byte-bounded queue, PAUSE, non-blocking
 * reconnect, one output buffer flushed once a loop turn. Never stops reading. */

#include "bounce.h"
#include "frame.h"
#include "loop.h"
#include "routes.h"

struct link;

/* f's slices are good until the handler returns. */
typedef void frame_handler(void *daemon, const struct frame *f);

struct link_spec {
    const char          *socket_path;     /* <run>/router/<role>.sock */
    const char          *instance;        /* "sm-1" */
    frame_handler *const *handlers;       /* by kind; a missing one is refused and logged */
    void                *daemon;
    long                 queue_bytes;     /* limit of the wire, and of what waits for each destination that
                                             cannot take it now; four times that for all of these */
    long                 away_ms;         /* after which a peer that is down is lost; 0: 10 s */
    /* May be NULL. The table changed (also the first one). */
    void (*on_routes)(void *daemon, const struct routes *routes);
    /* May be NULL. An instance's earlier life is over for good: it came back with another
     * incarnation, or stayed away for 10 s. Everything bound to that life is void. */
    void (*on_peer_lost)(void *daemon, const struct address *life);
};

/* Connects in the next loop turn. NULL: the path is too long for a socket (logged). */
struct link *link_new(struct loop *loop, const struct link_spec *spec);
void         link_free(struct link **link);
bool         link_up(const struct link *link);              /* HELLO answered by a table */
uint64_t     link_incarnation(const struct link *link);     /* of this process */
const struct routes *link_routes(const struct link *link);  /* never NULL; empty before the first */

/* Sends f to f->dest (role, instance, maybe incarnation); fills origin and number; a trace of 0 is
 * replaced by a new one. Copies everything. ZE_FULL: the queue is at its limit. ZE_NO_ROUTE: no such
 * instance in the table, or that life of it is over. ZE_TIMEOUT: an IQ get or set for an instance that
 * has been away for 10 s (what else is sent to it waits, within the limit). While routerd is away
 * frames wait in the queue. A frame sent by an old generation that comes back ZE_STALE is routed again
 * here, once, by its stanza's `to`. */
enum zerr link_send(struct link *link, struct frame *f);
/* Finds the destination by f->stanza.to (routes_find) and sends. */
enum zerr link_route(struct link *link, struct frame *f);
/* Sends `why` and the frame back to its origin as BOUNCE; nothing for a BOUNCE (never bounce a bounce). */
void link_bounce(struct link *link, const struct frame *f, enum zerr why);

/* LINK kinds: tell routerd that this daemon serves a domain (said again after each reconnect). */
void link_bind_domain(struct link *link, struct slice domain);
void link_unbind_domain(struct link *link, struct slice domain);

uint64_t trace_new(void);
/* Bytes waiting to be written to routerd, and per destination: for back-pressure. */
size_t link_queued(const struct link *link);
/* True when `dest` is paused or the link is over half its limit: stop reading what feeds it. */
bool link_congested(const struct link *link, uint32_t instance);
