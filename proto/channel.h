#pragma once

/* The sending end of one channel (DESIGN.md 3): frames to one instance, numbered from 1 and kept until
 * that instance has confirmed them. Pure: no socket, no clock; link_out.c gives it events and writes
 * what it decides, and tests/model drives the same code through every order of events.
 *
 *     base        first number that is kept
 *     cursor      what goes next over the present link; [base, cursor) waits for its confirm
 *     next        number of the next frame to be entered; [cursor, next) has still to leave
 *
 * A number whose frame is gone (confirmed out of order, withdrawn, meant for a lost life) is a hole, and
 * stays one in every later life of the receiver: a VOID fills it. So no number ever means two frames, and
 * a late CONFIRM can do no harm. */

#include "frame.h"
#include "intake.h"

/* An encoded frame, counted (link.h). */
struct kept {
    unsigned     refs;
    bool         in_channel;    /* one of the references is the channel's */
    bool         has_row;       /* live memory holds it */
    bool         held;          /* waits for a slot to have its new owner (link_hold.c) */
    uint32_t     instance;      /* of the channel; 0: none */
    uint64_t     serial, tag, number;
    struct kept *next;          /* while it is in a chain that was taken out */
    size_t       len;
    uint8_t      bytes[];
};

/* NULL: a part of f is too long. One reference, the caller's; number, serial and tag are 0. */
struct kept *kept_new(const struct frame *f);
struct kept *kept_from_bytes(struct slice frame);

/* Numbers from the first kept to the last given; what is confirmed far out of order costs 8 bytes each. */
enum { CHANNEL_SPAN_MAX = 1 << 20 };

struct channel {
    uint64_t      base, cursor, next;
    uint64_t      left;         /* highest number that ever left, whatever became of it */
    uint64_t      seen;         /* highest number that this join of the receiver said it has seen */
    bool          synced;       /* this join was told where we stand */
    uint64_t      router;       /* the join of the receiver (routes.h) that `cursor` is of */
    uint32_t      joins;
    unsigned      silent;       /* ticks with frames unconfirmed and nothing heard */
    struct kept **ring;         /* [base, next) by number; NULL: a hole */
    size_t        room;         /* a power of two, or 0 */
    size_t        bytes, count; /* kept */
};

void channel_init(struct channel *c);
/* Frees the ring; the frames must have been taken out. */
void channel_free(struct channel *c);

/* The frame's number must be c->next and is written in its bytes. The reference is given. */
void channel_enter(struct channel *c, struct kept *k);
/* After a restart: k had this number (in any order); then next and left as they were. */
void channel_put_back(struct channel *c, struct kept *k);
void channel_put_back_end(struct channel *c, uint64_t next, uint64_t left);

/* The receiver has a link, its `joins`-th to that routerd. True: it is a new one, so what was on the way
 * may be lost: all that is kept goes again. */
bool channel_join(struct channel *c, uint64_t router, uint32_t joins);
/* Our own link broke. */
void channel_cut(struct channel *c);

struct channel_step {
    enum { STEP_SYNC, STEP_VOID, STEP_FRAME } kind;
    uint64_t     first, last;       /* SYNC: body; VOID: the numbers that are void */
    struct kept *kept;              /* FRAME; borrowed */
    bool         again;             /* it has left before */
};
/* What to write next; call it until it says false, and write what it says. */
bool channel_step(struct channel *c, struct channel_step *step);
/* Is anything kept that was entered with this serial or before; and of that, anything the receiver has not seen? */
bool channel_keeps_before(const struct channel *c, uint64_t serial);
bool channel_unseen_before(const struct channel *c, uint64_t serial);
static inline bool channel_has_unsent(const struct channel *c)
{
    return c->cursor != c->next;
}

/* Takes out what is confirmed: a chain by ->next, in order; each with the channel's reference.
 * `same_life`: the receiver that says so is the one we send to. */
struct kept *channel_confirm(struct channel *c, const struct confirm *said, bool same_life);
/* Called at equal times (a second): true when the receiver owes an answer for long; `step` is the SYNC
 * that asks for it. */
bool channel_tick(struct channel *c, struct channel_step *step);

/* Takes out what `verdict` names: a chain as above. */
typedef bool channel_verdict(const struct channel *c, const struct kept *k, uint64_t life);
struct kept *channel_take(struct channel *c, channel_verdict *verdict, uint64_t life);
/* Verdicts: a question (IQ get or set, somebody waits for an answer) that never left; a frame meant for
 * that life alone; any. */
bool channel_is_unsent_question(const struct channel *c, const struct kept *k, uint64_t life);
bool channel_is_for_life(const struct channel *c, const struct kept *k, uint64_t life);
bool channel_is_any(const struct channel *c, const struct kept *k, uint64_t life);
bool frame_is_question(const struct frame *f);
