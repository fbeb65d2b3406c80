#pragma once

/* A daemon's link to routerd: HELLO, incarnation, numbering, byte-bounded queue, PAUSE, non-blocking
 * reconnect, one output buffer flushed once a loop turn. Never stops reading. */

#include "bounce.h"
#include "frame.h"
#include "loop.h"
#include "routes.h"

struct link;

/* f's slices are good until the handler returns. When it has returned, f counts as done and is confirmed
 * after the end of the loop turn (and after live_commit), unless the handler took a receipt. */
typedef void frame_handler(void *daemon, const struct frame *f);

/* ---- channels (proto/channel.h): every ROUTED frame but SYNC and CONFIRM is numbered, kept here until its
 * receiver confirms it, sent again after either end or routerd came back, and dropped when seen before ---- */

/* A frame that this process is responsible for. Counted: the channel holds one reference until the
 * receiver has confirmed it, others may hold more (a resume queue); with the last one it is forgotten.
 * With live memory it is a row there from the end of the turn on, and survives the process. */
struct kept;
struct kept *kept_ref(struct kept *k);
void         kept_unref(struct link *link, struct kept **k);
uint64_t     kept_serial(const struct kept *k);      /* order of all kept frames of this instance; from 1 */
uint64_t     kept_tag(const struct kept *k);         /* what the daemon wrote on it; the number of its BOUNCE
                                                        when it comes back without having been received */
struct slice kept_bytes(const struct kept *k);       /* the encoded frame (frame_decode) */
bool         kept_confirmed(const struct kept *k);   /* the channel has let go (or never had it) */

/* The confirm of one received frame, taken over by its handler: it is confirmed with the last reference,
 * out of order if need be. Lost with the process: then the frame comes again. */
struct receipt;
struct receipt *link_receipt(struct link *link, const struct frame *f);   /* only inside the handler */
struct receipt *receipt_ref(struct receipt *r);
void            receipt_unref(struct receipt **r);
/* Gives the reference back, and the frame is never confirmed, whoever else holds one: this process ends
 * without having done it, and it comes again to the next. */
void            receipt_abandon(struct receipt **r);

/* Tables of the link in the daemon's live environment, the first ones of its list. */
#define LINK_LIVE_TABLES "link_out", "link_mark", "link_meta", "slots"
enum { LINK_LIVE_OUT, LINK_LIVE_MARK, LINK_LIVE_META, LINK_LIVE_SLOTS, LINK_LIVE_COUNT };

/* Of each store of the daemon the number given last (store_last). */
enum { LINK_STORES = 4 };
struct stored_mark { uint64_t last[LINK_STORES]; };

struct link_spec {
    const char          *socket_path;     /* <run>/router/<role>.sock */
    const char          *instance;        /* "sm-1" */
    frame_handler *const *handlers;       /* by kind; a missing one is refused and logged */
    void                *daemon;
    long                 queue_bytes;     /* limit of the wire, and of what waits for each destination that
                                             cannot take it now; four times that for all of these */
    long                 away_ms;         /* after which questions to a peer that is down are returned, and
                                             a peer without live memory (c2sd, s2sd) is lost; 0: 10 s */
    struct live         *live;            /* NULL: nothing survives, each start is a new incarnation. Else an
                                             instance comes back with the incarnation, numbers, marks and
                                             kept frames of its last life, and its handles stay good */
    /* Both or neither. What has been handed to the stores so far, and whether all of that is decided. What sm and
     * muc send is confirmed only then: hearing it they tell a client that its message cannot be lost any more, or
     * cross out their own row of it. */
    void (*handed_in)(void *daemon, struct stored_mark *mark);
    bool (*stored)(void *daemon, const struct stored_mark *mark);
    /* May be NULL. After a start with live memory, before the first connect: each kept frame, in order of
     * serial. Who needs it takes a reference; what no channel and nobody holds is forgotten. */
    void (*on_kept)(void *daemon, struct kept *k);
    /* May be NULL. The receiver confirmed it (its effect is true). */
    void (*on_confirmed)(void *daemon, const struct kept *k);
    /* May be NULL. That peer has a link again, with the same incarnation as before or a new one (then
     * on_peer_lost came first); what is unconfirmed has been sent again. */
    void (*on_peer_back)(void *daemon, const struct address *peer);
    /* May be NULL. The table changed (also the first one). */
    void (*on_routes)(void *daemon, const struct routes *routes);
    /* May be NULL. An instance's earlier life is over for good: it came back with another
     * incarnation, was evicted, or is a c2sd or s2sd that stayed away for 10 s. Everything bound to that
     * life is void; frames for that life alone come back as BOUNCE. */
    void (*on_peer_lost)(void *daemon, const struct address *life);
};

/* Connects in the next loop turn. NULL: the path is too long for a socket (logged). */
struct link *link_new(struct loop *loop, const struct link_spec *spec);
/* At an orderly end, when live memory is frozen: writes what was made true, as far as the socket takes it, and hangs up.
 * What is sent from now on leaves no more: nobody would know later that its number was given. */
void         link_seal(struct link *link);
void         link_free(struct link **link);
bool         link_up(const struct link *link);              /* HELLO answered by a table */
uint64_t     link_incarnation(const struct link *link);     /* of this process */
const struct routes *link_routes(const struct link *link);  /* never NULL; empty before the first */

/* Sends f to f->dest (role, instance, maybe incarnation); fills origin and number; a trace of 0 is
 * replaced by a new one. Copies everything. ZE_FULL: the queue is at its limit. ZE_POLICY: a part is
 * longer than FRAME_PART_MAX. ZE_NO_ROUTE: no such instance in the table, or that life of it is over. ZE_TIMEOUT: an IQ get or set for an instance that
 * has been away for 10 s (what else is sent to it waits, within the limit). While routerd is away
 * frames wait in the queue. A frame sent by an old generation that comes back ZE_STALE is routed again
 * here, once, by its stanza's `to`. */
enum zerr link_send(struct link *link, struct frame *f);
/* The same; `tag` is kept with it, and *kept (may be NULL) is a reference for the caller. */
enum zerr link_send_kept(struct link *link, struct frame *f, uint64_t tag, struct kept **kept);
/* Keeps f without sending it (f->dest is not used): for a session that has no socket just now. */
struct kept *link_keep(struct link *link, struct frame *f, uint64_t tag);
/* Of kept frames: the serial given last; and whether nothing that is sent from now on, from anywhere, can overtake a
 * frame to these roles with a serial up to this one: it is confirmed, or s2sd, which confirms when another server has it, has seen it.
 * Who has been away for 10 s is not waited for, and what waits for slots to move does not count. */
uint64_t link_serial(const struct link *link);
bool     link_absent(const struct link *link, uint32_t instance);     /* away for 10 s */
bool     link_arrived(const struct link *link, unsigned roles, uint64_t serial);
/* A LINK kind to routerd, now. False: there is no link, and it was not said. Like all that routerd and its
 * daemons say to each other it is not numbered: it is lost with the link. */
bool     link_tell_router(struct link *link, struct frame *f);
/* SLOT_READY (slots.h), when there is a link; who says it says it again after each new table. */
void     link_say_ready(struct link *link, uint32_t generation, bool released);
/* Restores kept frames through spec.on_kept; call it once, when the daemon has restored what refers to them. */
void link_restore(struct link *link);
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
