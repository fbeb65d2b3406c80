#pragma once

/* The hand-over of slots when the members of sm or muc change (DESIGN.md 2.3). routerd publishes a table
 * that says who the members were and who they are; a slot whose owner differs is moving. Then:
 *
 *   everybody    holds what is routed to a moving slot (the link does), and sends SLOT_FENCE to each old
 *                member: all that was sent by the older table has gone before it
 *   old members  take what still comes for their slots; when every instance has sent its fence (but for those that
 *                are down and will send nothing more, and those of the other role that have been down for 10 s),
 *                nothing of those slots waits any more (quiet), and what was sent has arrived, they hand their
 *                live state to the new owners, SLOT_STATE frame by frame, forgetting it in the same turn, and
 *                end with an empty one
 *   new members  load what comes; after the last empty one they say SLOT_READY to routerd
 *   routerd      publishes the table as settled to old and new members when all new ones are ready: what they
 *                held flows; when it has arrived they say SLOT_READY once more
 *   routerd      publishes the table as settled to everybody: what was held elsewhere flows
 *
 * So whoever speaks for an entity of a slot that moved finds all that was said for it before in the hands of
 * those it was said to, or before his own words on the same way: order between two entities holds.
 * SLOT_STATE body: u32 generation, then one item of the daemon's (empty: that was all).
 * Nothing depends on a clock, and everybody may die in between: fences are sent again to a member that
 * came back, states are kept frames, who has ended is a row of live memory. What has been moved by a
 * member that is gone for good (evicted) is not waited for. */

#include "frame.h"
#include "live.h"
#include "loop.h"
#include "routes.h"

struct slots;

/* Where frames leave: the link, or a test. */
struct slots_ways {
    void *arg;
    enum zerr (*send)(void *arg, struct frame *f);             /* reliable and in order, as link_send */
    void (*ready)(void *arg, uint32_t generation, bool released);   /* SLOT_READY to routerd */
    uint64_t (*serial)(void *arg);                             /* link_serial */
    bool (*arrived)(void *arg, unsigned roles, uint64_t serial);    /* link_arrived */
    bool (*absent)(void *arg, uint32_t instance);              /* link_absent */
};

/* Of sm and muc; {0} for those who own nothing. */
struct slots_spec {
    void *daemon;
    /* True: nothing of the slots that leave (slots_leaves) waits for a commit or an answer; what was held back for
     * their clients has been sent. Asked again every few milliseconds. */
    bool (*quiet)(void *daemon, const struct slots *s);
    /* Calls slots_give for everything alive in slots that leave, and forgets it. */
    void (*hand_over)(void *daemon, struct slots *s);
    /* One item that another member gave. ZE_PROTOCOL: cannot be read. */
    enum zerr (*take)(void *daemon, struct slice item);
    struct live *live;             /* may be NULL (tests) */
    unsigned     live_table;
};

struct slots *slots_new(struct loop *loop, const struct slots_ways *ways, const struct address *self,
                        const struct slots_spec *spec);
void          slots_free(struct slots **s);
/* What spec.daemon is, when it was not known before. */
void          slots_daemon(struct slots *s, void *daemon);
/* Each new table, and each time a peer came back. */
void slots_on_routes(struct slots *s, const struct routes *routes);
void slots_on_peer_back(struct slots *s, const struct address *peer);
/* Frames SLOT_FENCE and SLOT_STATE. */
void slots_on_frame(struct slots *s, const struct frame *f);

/* Is this instance the one that handles the slot at this moment? An old owner until it has handed over, a
 * new one when everything has come. */
bool slots_owns(const struct slots *s, unsigned slot);
/* This instance handles it still and another one will. */
bool slots_leaves(const struct slots *s, unsigned slot);
/* Inside hand_over: `item` goes to the slot's new owner. */
void slots_give(struct slots *s, unsigned slot, struct slice item);
