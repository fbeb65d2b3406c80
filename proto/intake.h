#pragma once

/* The receiving end of one channel (DESIGN.md 3): which frame of one sender is new, and what to confirm.
 * Pure, as channel.h.
 *
 * SYNC body:    u64 first number that the sender still keeps, u64 last number it has sent over this link;
 *               the next frame has the number after that.
 * CONFIRM body: u64 incarnation of the sender it speaks to, u64 done (this one and all before), u64 seen,
 *               u8 flags (1: something is missing after `seen`, send it again), u16 count, count times u64
 *               first, u64 last: done out of order; only what was not told before, or all after a SYNC. */

#include "buf.h"
#include "cursor.h"

struct done_range { uint64_t first, last; };

struct intake {
    uint64_t           life;            /* of the sender; 0: none known */
    uint64_t           seen, done;
    bool               asked;           /* to send again, and nothing new has come since */
    bool               ask;             /* the next CONFIRM asks for it */
    bool               all;             /* the next CONFIRM tells all of `ranges` */
    struct done_range *ranges;          /* done out of order: above done, ascending, apart */
    size_t             count, room;
    struct done_range *news;            /* of them, not told yet; unordered */
    size_t             news_count, news_room;
};

void intake_free(struct intake *i);

enum intake_verdict { INTAKE_NEW, INTAKE_DUPLICATE, INTAKE_GAP };
enum intake_verdict intake_take(struct intake *i, uint64_t life, uint64_t number);
/* The numbers of a VOID: seen and done at once. */
enum intake_verdict intake_void(struct intake *i, uint64_t life, uint64_t first, uint64_t last);
void intake_sync(struct intake *i, uint64_t life, uint64_t first, uint64_t sent);
/* The effect of that frame is true. Of another life: nothing. */
void intake_done(struct intake *i, uint64_t life, uint64_t number);
/* After a restart: what was seen and not done comes again. */
void intake_restore(struct intake *i, uint64_t life, uint64_t done);
void intake_restore_range(struct intake *i, uint64_t first, uint64_t last);

/* Appends a CONFIRM body. True: there is more to say, call it again for the next frame. */
bool intake_confirm(struct intake *i, struct buf *body);

/* ---- the bodies as the sender reads them ---- */
struct confirm {
    uint64_t     life, done, seen;
    bool         resend;
    struct slice ranges;
};
struct confirmed { const struct confirm *said; size_t at; };
/* False: malformed. Borrows from body. */
bool confirm_read(struct slice body, struct confirm *out);
/* The ranges, one after the other; begin with { said }. */
bool confirm_next(struct confirmed *each, uint64_t *first, uint64_t *last);
void sync_write(struct buf *body, uint64_t first, uint64_t sent);
bool sync_read(struct slice body, uint64_t *first, uint64_t *sent);
