#pragma once

/* What an outcome leaves in live memory (sm_live.h) while it waits for a commit, so that a process that
 * comes back after kill -9 ends what the one before had begun: its batches are decided by their numbers
 * (common/store.h), and its frames leave once. */

#include "buf.h"
#include "frame.h"
#include "slice.h"
#include "sm.h"

enum { DOOMED_ACCOUNTS = 1, DOOMED_ARCHIVE = 2 };

/* Outcomes of one loop turn share a row: it is put once, and deleted once when they are decided together. */
struct waiting_rows;
struct shared_row;
struct waiting_place {
    struct shared_row *row;
    uint32_t           at;             /* where the outcome's part begins in it */
};

struct waiting_row {
    uint64_t     accounts, archive;    /* numbers of the batches; 0: none */
    uint64_t     session;              /* whose stanza is owed (resume.h), and its number; 0: none */
    uint32_t     number;
    uint8_t      doomed;               /* batches that fail unless they are committed: built on one that failed */
    struct slice owner;
    struct slice accounts_bytes, archive_bytes;
    struct slice ahead, after;         /* encoded frames */
    struct slice request;              /* whose sender hears of a failure: a frame with its stanza; empty: nobody's. In
                                          rows of an older version the answer itself, of type error */
    struct slice afters;               /* afters.h */
};

/* They write at the end of each turn (live.h). */
struct waiting_rows *waiting_rows_new(struct sm *sm);
/* After the last place was given back. */
void waiting_rows_free(struct waiting_rows **rows);
/* The batches' numbers are not known yet: they follow in the same turn. */
struct waiting_place waiting_row_add(struct waiting_rows *rows, const struct waiting_row *w);
void waiting_row_number(struct waiting_rows *rows, const struct waiting_place *p, uint64_t accounts, uint64_t archive);
/* Its outcome is over. */
void waiting_row_end(struct waiting_rows *rows, const struct waiting_place *p);
/* The place is given back, and its outcome stays in live memory. */
void waiting_row_leave(struct waiting_rows *rows, const struct waiting_place *p);
void waiting_row_doom(struct waiting_rows *rows, const struct waiting_place *p, uint8_t doomed);
/* As it was given to waiting_row_add. Borrowed until the next put. */
struct slice waiting_row_request(struct waiting_rows *rows, const struct waiting_place *p);
/* Of an earlier process, in order. Slices are good until the next put. */
void waiting_rows_each(struct waiting_rows *rows,
                       void (*each)(struct sm *sm, const struct waiting_place *p, const struct waiting_row *w));

/* ---- promises: an answer that is given if this process dies before it gives its own ---- */
/* f: the answer, with its destination. 0 is none and may be kept. */
uint64_t promise_make(struct sm *sm, const struct frame *f);
void     promise_kept(struct sm *sm, uint64_t *serial);
/* Those of an earlier process, which are forgotten with this. `frames`: encoded, one behind the other. */
void     promises_take(struct sm *sm, struct buf *frames);
