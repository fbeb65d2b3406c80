#pragma once

/* What the parts of a link share: link.c (the interface), link_connect.c (socket, HELLO), link_table.c (who
 * is there, who is lost), link_out.c and link_in.c (frames), link_hold.c (those to slots on the move), link_live.c (rows in
 * live memory). */

#include "bounce.h"
#include "channel.h"
#include "link.h"
#include "live.h"
#include "wire.h"

enum {
    AWAY_MS = 10000,
    CONTROL_RESERVE = 1 << 20,      /* bytes above the limit for what is not a stanza */
    WHOLE_LINK = 4,                 /* times queue_bytes may be kept in all channels together */
};

enum link_state { DOWN, GREETING, UP };     /* no socket; HELLO said; table received */

struct binding {
    struct list link;
    char       *domain;
};

/* One other instance: the channel to it and the one from it. */
struct link_peer {
    struct list    link;
    struct link   *owner;
    uint8_t        role;
    uint32_t       instance;
    uint64_t       life;            /* its incarnation as last seen; 0: never seen, or lost */
    bool           up, paused;
    bool           absent;          /* away for so long that questions are not kept for it */
    struct timer   away;
    struct channel out;
    struct intake  in;
    uint64_t       restored_base;   /* kept rows below it were confirmed in the last life */
    bool           out_changed, mark_changed;   /* rows in live memory to be written this turn */
    /* confirms */
    bool           owed, due;       /* something to confirm; and not to be put off */
    bool           talked;          /* frames for it leave with the next flush */
    size_t         owed_frames, owed_bytes;
    struct buf     unsaid;          /* a confirm, encoded, that waits for the stores */
    struct stored_mark unsaid_mark;
};

struct link {
    uv_timer_t        retry;
    uv_timer_t        confirm;      /* runs while something is owed */
    unsigned          handles;      /* of the two, not closed yet */
    struct loop      *loop;
    struct link_spec  spec;
    struct sockaddr_un path;
    struct address    self;
    enum link_state   state;
    bool              complained;   /* that routerd is not there: said once */
    unsigned          backoff_ms;
    struct wire      *wire;         /* NULL while DOWN */
    struct routes    *routes;
    struct list       peers;
    struct list       bindings;
    size_t            kept_bytes;   /* in all channels, and held */
    struct kept      *held, **held_end;   /* link_hold.c */
    uint64_t          serial;       /* of the last kept frame */
    uint64_t          saved_serial; /* as live memory has it */
    uint64_t          found_serial; /* the last one of an earlier life */
    struct buf        scratch;      /* for rows */
    struct deferred   turn_end;
    struct timer      tick;         /* runs while something is unconfirmed */
    struct handling  *handling;     /* the frame whose handler runs */
    struct live_hook  before_commit;
};

/* For `stats`; there is one link a process. */
struct link_counts {
    uint64_t sent, again, seen_before, missing, confirmed, returned;
};
extern struct link_counts link_counts;

/* ---- link_connect.c ---- */
void link_connect_first(struct link *l);
void link_is_up(struct link *l);
/* `why` NULL: it has been logged. Does nothing without a wire. */
void link_drop_wire(struct link *l, const char *why);
/* A LINK kind to routerd, its body one sized text. */
void link_say(struct link *l, enum frame_kind kind, struct slice text);

/* ---- link_table.c ---- */
struct link_peer *link_find_peer(const struct link *l, uint32_t instance);
struct link_peer *link_get_peer(struct link *l, uint32_t instance);
void link_peer_free(struct link_peer *p);
void link_on_routes(struct link *l, const struct frame *f);
void link_on_pause_or_resume(struct link *l, const struct frame *f);
/* The wire broke: nobody counts as away while we are the ones cut off. */
void link_all_cut(struct link *l);

/* ---- link_out.c ---- */
/* To that instance, without a payload. */
struct frame link_own_frame(const struct link *l, const struct link_peer *p, enum frame_kind kind);
/* Writes what may leave now. */
void link_pump(struct link *l, struct link_peer *p);
void link_pump_all(struct link *l);
void link_deliver(struct link *l, const struct frame *f);
/* Into its channel, whose reference it becomes; k's bytes hold the number already. */
void link_enter(struct link *l, struct link_peer *p, struct kept *k);
/* k, in no channel now, goes to f->dest, whatever it was addressed to; its serial stays. */
void link_enter_anew(struct link *l, struct kept *k, struct frame *f);
void link_bounce_to_self(struct link *l, const struct kept *k, enum zerr why);
/* What `verdict` names comes back as BOUNCE; of any (channel_is_any), what is to a JID goes another way. */
void link_take_out(struct link *l, struct link_peer *p, channel_verdict *verdict, uint64_t life, enum zerr why);
/* These left their channel, because they are confirmed. */
void link_let_go(struct link *l, struct link_peer *p, struct kept *chain);
void link_on_tick(void *link);

/* ---- link_in.c ---- */
/* A frame for this instance. */
void link_on_routed(struct link *l, const struct frame *f, size_t len);
/* Makes the turn true and says what is owed: before anything leaves. */
void link_settle(struct link *l);
void link_turn_end(void *link);
void link_on_confirm_timer(uv_timer_t *timer);

/* ---- link_hold.c: frames to slots that are on the move ---- */
bool      link_must_hold(const struct link *l, const struct frame *f);
enum zerr link_hold(struct link *l, struct frame *f, uint64_t tag, struct kept **kept);
void      link_hold_restored(struct link *l, struct kept *k);
/* When the table is settled. */
void      link_release_held(struct link *l);
void      link_free_held(struct link *l);

/* ---- link_live.c: all of it nothing without live memory ---- */
void link_live_start(struct link *l);           /* finds the incarnation and numbers of the last life */
void link_live_end(struct link *l);
void link_live_put(struct link *l, struct kept *k);
void link_live_forget(struct link *l, struct kept *k);
void link_live_peer_changed(struct link *l, struct link_peer *p);
void link_live_mark_changed(struct link *l, struct link_peer *p);
void link_live_routes(struct link *l, struct slice body);
