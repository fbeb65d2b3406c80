#pragma once

/* What the files of outcomes share (outcome.h is the outside): outcome.c records and sends, outcome_wait.c
 * keeps what waits for a commit, over a restart too. */

#include "list.h"
#include "outcome.h"
#include "outcome_live.h"
#include "resume.h"
#include "stanza_error.h"

struct then {
    struct then *next;
    void       (*run)(void *arg, enum zerr err);
    void        *arg;
};

/* Bytes that a handler made (outcome_keep). */
struct made {
    struct made *next;
    struct buf   bytes;
};

struct item {
    struct item *next;
    enum when    when;
    struct frame frame;
};

struct outcome {
    struct sm           *sm;
    uint64_t             trace;
    struct slice         owner;
    const struct stanza *request;
    struct debt          debt;
    struct store_batch  *accounts, *archive;
    void                *nodes;           /* outcome_nodes */
    struct item         *items, **items_end;
    struct then         *thens, **thens_end;
    struct buf           afters;          /* outcome_after, encoded */
    struct error_detail  detail;          /* outcome_detail */
};

/* All outcomes of one owner that wait, oldest first. */
struct lane {
    struct sm   *sm;
    struct list  waiting;
    unsigned     held;                /* of them, those that hold frames back */
    struct slice owner;               /* behind the struct */
};

/* An outcome that outlives its dispatch: its frames are encoded. */
struct waiting {
    struct list  link;
    struct lane *lane;
    struct waiting_place place;       /* in live memory */
    uint64_t     number;              /* in the order of this process */
    uint8_t      batches, refused;    /* DOOMED_ bits: in which environments it has one; which was refused
                                         before this process began */
    unsigned     commits_left;
    enum zerr    err;
    struct debt  debt;
    struct buf   ahead, after, afters;
    struct buf   answer;              /* after a failure: to whoever asked */
    bool         holds;               /* ahead or after is not empty */
    struct then *thens;
};

struct local {
    struct local *next;
    struct frame  frame;
};

struct ways {
    struct outlet  outlet;
    void         (*local)(struct sm *sm, const struct frame *f);
    struct table  *lanes;             /* owner -> struct lane */
    struct waiting_rows *rows;        /* from ways_restore on */
    struct buf     request;           /* of the outcome that begins to wait */
    size_t         waiting;
    uint64_t       recorded;          /* number of the last one that waited */
    struct local  *locals, **locals_end;
    struct made   *made;
    unsigned       open;              /* outcomes being recorded or released: nothing is delivered yet */
    bool           draining;
    bool           ready;             /* frames may leave: there has been a route table, and it is not the end */
};

extern uint64_t outcome_frames_delayed, outcome_commits_failed;

/* ---- outcome.c ---- */
/* False: nobody serves stanza->to; *err says why. */
bool outcome_stanza_frame(const struct sm *sm, const struct stanza *stanza, struct frame *f, enum zerr *err);
void outcome_release_encoded(struct sm *sm, const struct buf *frames);
/* Runs what was addressed to this instance itself, in order, until nothing is left. */
void outcome_drain(struct sm *sm);
void outcome_thens_run(struct then *t, enum zerr err);

/* ---- outcome_wait.c ---- */
/* NULL: nothing of that owner waits. */
struct lane *lane_of(const struct sm *sm, struct slice owner);
void         lane_drop(struct lane *lane);
/* Takes batches and what leaves after them; `behind`: others of the owner wait before it. */
void         outcome_wait(struct outcome *o, bool behind);
