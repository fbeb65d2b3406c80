#pragma once

/* What the files resume*.c share. */

#include "buf.h"
#include "encode.h"
#include "link.h"
#include "loop.h"
#include "resume.h"
#include "told.h"

struct queued {
    struct kept *kept;
    uint32_t     bytes;
    bool         answered;         /* an IQ that the client has answered */
};

struct resume {
    struct sm      *sm;
    uint64_t        session;       /* its handle */
    struct timer    timer;         /* for an answer that is owed, or the end of the hibernation */
    struct queued  *queue;         /* from queue_first on, oldest first */
    uint32_t        queue_first, queue_count, queue_room;
    size_t          queue_bytes;
    uint64_t        acked;         /* stanzas that the client acknowledged; h is the low half */
    uint64_t        acked_serial;  /* of the last frame that is in the queue no more */
    uint16_t       *owed;          /* what has to happen yet for each stanza from `paid` + 1 on */
    uint32_t        owed_first, owed_count, owed_room;
    uint32_t        paid;          /* h: the last one before the first that is owed */
    uint32_t        asked_from, asked_to;   /* <r/> came when so many were taken */
    uint32_t        max;           /* seconds */
    uint64_t        until_us;      /* end of the hibernation, wall clock */
    struct told    *told;          /* what is in the queue and push services know of */
    struct blob    *address;       /* of the client that resumed it, or NULL */
    bool            resumable, hibernating;
    bool            resuming;      /* accepted; RESUMED waits for what is owed */
    bool            asked;         /* an <r/> waits for what is owed */
    bool            speaking;      /* in resumes->speaking */
    bool            doomed;        /* ends with this turn */
    char            id[RANDOM_ID];
};

/* ---- resume.c ---- */

struct resume *resume_new(struct sm *sm, struct session *s);
/* At the end of this turn: an answer may be due; the session ends (over its limits, or unreachable). */
void resume_speak(struct resume *r);
void resume_doom(struct resume *r);

void           resume_say_too_high(struct resume *r, const struct address *c2sd, uint64_t conn, uint32_t h);

/* ---- resume_at.c ---- */

/* RESUMED, and the queue behind it, to the connection that took the session over. */
void resume_finish(struct resume *r, struct session *s);

/* ---- resume_queue.c ---- */

/* What an h of the client means when `acked` of `sent` stanzas were acknowledged: wraps at 2^32. Pure. */
enum h_means { H_OLD, H_GOOD, H_TOO_HIGH };
enum h_means resume_h(uint64_t acked, uint64_t sent, uint32_t h, uint64_t *total);
/* The oldest stanzas up to this total are handled. */
void resume_trim(struct resume *r, uint64_t total);
/* The queue leaves again for a new connection, delay stamped; what cannot leave is kept. */
void resume_send_again(struct resume *r, struct session *s);
void resume_queue_free(struct resume *r);
/* Stanza of a queued frame as its session gets it; slices borrow from the frame and from `full`. False:
 * unreadable. */
bool resume_stanza(const struct queued *q, struct slice full, struct stanza *out, struct frame *f);

/* ---- resume_end.c ---- */

struct passage;
/* A stanza that its session, `full`, did not get, when it is worth it: to other resources, offline, or back.
 * told: of what its queue holds. */
void resume_another_way(struct passage *p, const struct queued *q, struct slice full, const struct told *told);

/* Tags of frames to clients: when it was sent and at which epoch. */
uint64_t resume_tag(uint64_t us, uint32_t epoch);
uint64_t resume_tag_us(uint64_t tag);

/* ---- resume_ended.c ---- */

struct ended;
struct live;
struct ended *ended_new(struct live *live);      /* and those of an earlier life */
void ended_free(struct ended **e);
/* At most `max` are remembered: the oldest go first. No id comes twice. */
void ended_put(struct ended *e, struct slice id, struct slice owner, uint32_t h, size_t max);
/* False: unknown, or another account's. */
bool ended_get(const struct ended *e, struct slice id, struct slice owner, uint32_t *h);

struct resumes {
    struct sm      *sm;
    struct buf      speaking, doomed;      /* u64 session handles */
    struct deferred turn;
    struct ended   *ended;
    struct table   *by_conn;               /* while kept frames come in after a start, or NULL */
};

extern uint64_t resume_bytes_queued, resume_stanzas_again, resume_hibernating_now, resume_done, resume_failed;
