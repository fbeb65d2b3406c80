#pragma once

/* The sending end of one channel (DESIGN.md 3): what waits here for one instance. Pure: no socket, no
 * clock. Used by link.c alone. */

#include "frame.h"
#include "loop.h"

struct channel {
    struct list  link;
    void        *owner;       /* the struct link */
    uint32_t     instance;    /* key of the destination */
    uint64_t     life;        /* its incarnation as last seen; 0 = never seen, or lost */
    uint64_t     number;      /* of the last frame numbered */
    bool         up, paused;
    bool         absent;      /* away for so long that questions are not kept waiting for it */
    struct buf   held;        /* whole frames, oldest first */
    struct buf   returned;    /* frames that had left for a wire that broke; go before `held` */
    struct timer away;
};

/* What waits in it, in bytes. */
size_t channel_held(const struct channel *c);
/* Moves what waits to `out`, oldest first. */
void channel_release(struct channel *c, struct buf *out);
/* Puts `returned` before what is held. */
void channel_restore(struct channel *c);
/* True: this frame shall wait no longer. */
typedef bool channel_verdict(const struct frame *f, uint64_t life);
/* Takes the frames out that `verdict` names and appends them to `taken`. */
void channel_sift(struct channel *c, channel_verdict *verdict, uint64_t life, struct buf *taken);
/* Verdicts: an IQ get or set (somebody waits for an answer); a frame meant for that life alone; any. */
bool channel_is_question(const struct frame *f, uint64_t life);
bool channel_is_for_life(const struct frame *f, uint64_t life);
bool channel_is_any(const struct frame *f, uint64_t life);
