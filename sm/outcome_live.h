#pragma once

/* What an outcome leaves in live memory (sm_live.h) while it waits for a commit, so that a process that
 * comes back after kill -9 ends what the one before had begun: its batches are decided by their numbers
 * (common/store.h), and its frames leave once. */

#include "buf.h"
#include "frame.h"
#include "slice.h"
#include "sm.h"

enum { DOOMED_ACCOUNTS = 1, DOOMED_ARCHIVE = 2 };

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

/* Begins the row; the batches' numbers are not known yet. */
void     waiting_row_begin(struct buf *row, const struct waiting_row *w);
/* Ends it and puts it: returns its serial, from 1 in order of the outcomes. */
uint64_t waiting_row_put(struct sm *sm, struct buf *row, uint64_t accounts, uint64_t archive);
void     waiting_row_delete(struct sm *sm, uint64_t serial);
void     waiting_row_doom(struct sm *sm, uint64_t serial, uint8_t doomed);
/* Of an earlier process, in order. Slices are good until the next put. */
void     waiting_rows_each(struct sm *sm, void (*each)(struct sm *sm, uint64_t serial, const struct waiting_row *w));

/* ---- promises: an answer that is given if this process dies before it gives its own ---- */
/* f: the answer, with its destination. 0 is none and may be kept. */
uint64_t promise_make(struct sm *sm, const struct frame *f);
void     promise_kept(struct sm *sm, uint64_t *serial);
/* Those of an earlier process, which are forgotten with this. `frames`: encoded, one behind the other. */
void     promises_take(struct sm *sm, struct buf *frames);
