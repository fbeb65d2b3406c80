#pragma once

/* What handling one frame leads to: frames and a store batch. Nothing leaves before the batch is
 * committed (DESIGN.md 2.6), and the outcomes of one room leave in the order in which they were made,
 * so that all occupants see the same order. When a commit fails the frames are dropped, who asked is
 * told, and the room is read anew from the store.
 *
 * An outcome that waits is a row (keep.h): after a restart its batch is handed in again if it had not
 * been committed, and its frames leave in their turn. Before the first route table of a process nothing
 * leaves. */

#include "keep.h"
#include "muc.h"
#include "stanza.h"

struct recipients;
struct room;

struct outcome {
    struct list         link;              /* room->outcomes, or muc->loose */
    struct keep         keep;
    struct muc         *muc;
    struct room        *room;              /* NULL: nothing of a room */
    struct buf          frames;            /* encoded, one after the other */
    struct recipients **lists;             /* one for each FANOUT in it, which has none itself */
    size_t              list_count, list_room;
    struct store_batch *batch;             /* NULL: nothing to write */
    uint64_t            batch_number;      /* once handed in; 0: none */
    struct buf          handed_in;         /* its bytes, for the row */
    struct buf          asked;             /* encoded header of the stanza that asked; may be empty */
    uint64_t            trace;
    bool                waiting;           /* for its commit */
    enum zerr           failed;
    void              (*then)(void *arg, enum zerr err);    /* when all of it is done; may be NULL. Lost with
                                                               the process: for who asks through a socket */
    void               *then_arg;
};

struct outcome *outcome_begin(struct muc *m, struct room *room, uint64_t trace);
/* Who gets an error when the commit fails. */
void outcome_asked(struct outcome *o, const struct stanza *s);
/* The batch of this outcome; made when there is none. Only with a room. */
struct store_batch *outcome_batch(struct outcome *o);
/* To s->to, by the route table. False: no route (nothing is queued). */
bool outcome_send(struct outcome *o, const struct stanza *s);
void outcome_frame(struct outcome *o, const struct frame *f);
/* f is a FANOUT without a list; takes a reference to `list`. */
void outcome_fanout(struct outcome *o, const struct frame *f, struct recipients *list);
/* Commits and sends as soon as it may; *o is NULL afterwards. The room may be gone too when nobody is
 * left in it. */
void outcome_end(struct outcome **o);
/* The first route table came: what is ready leaves. */
void outcomes_linked(struct muc *m);
/* The room leaves memory with the process: what still waits is forgotten, the rows stay. */
void outcomes_forget(struct room *room);
void outcomes_forget_loose(struct muc *m);

/* Queues the error reply to s (none for errors and results). `by`: who made it. echo: the payload of s
 * is known to be well-formed. */
void outcome_error(struct outcome *o, const struct stanza *s, enum zerr err, const char *text, bool echo);
