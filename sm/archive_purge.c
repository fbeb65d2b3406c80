/* archive_purge.h. */

#include "archive_purge.h"

#include <stdio.h>
#include <stdlib.h>

#include "datetime.h"
#include "outcome.h"

enum { STEP_ROWS = 500 };

bool archive_date(struct slice text, uint64_t *us)
{
    char whole[64];

    if (text.len != strlen("2026-11-21"))
        return datetime_parse(text, us) == ZE_OK;
    snprintf(whole, sizeof(whole), "%.*sT00:00:00Z", SLICE_FMT(text));
    return datetime_parse(slice_str(whole), us) == ZE_OK;
}

struct purge {
    struct deferred step;
    struct sm      *sm;
    char           *owner;
    uint64_t        before_us, count;
    unsigned        rows;              /* of the step under way */
    void          (*done)(void *arg, enum zerr err, uint64_t count);
    void           *arg;
};

static void on_committed(void *arg, enum zerr err)
{
    struct purge *p = arg;

    p->count += err ? 0 : p->rows;
    if (!err && p->rows == STEP_ROWS) {
        loop_defer_next(p->sm->loop, &p->step);
        return;
    }
    p->done(p->arg, err, p->count);
    free(p->owner);
    free(p);
}

static void step(void *arg)
{
    struct purge      *p = arg;
    struct sm         *sm = p->sm;
    struct store_view *view = store_view(sm->store.archive);
    struct outcome    *o = outcome_new(sm, slice_str(p->owner), 0);
    struct ledger      l;

    p->rows = 0;
    outcome_then(o, on_committed, p);
    if (!ledger_open(&l, sm_ledger(&sm->store), view, slice_str(p->owner)))
        p->rows = ledger_expire(&l, outcome_archive(o), p->before_us, STEP_ROWS);
    store_view_end(&view);
    outcome_settle(&o);
    arena_reset(sm->arena);
}

void archive_purge(struct sm *sm, struct slice owner, uint64_t before_us,
                   void (*done)(void *arg, enum zerr err, uint64_t count), void *arg)
{
    struct purge *p = xcalloc(1, sizeof(*p));

    *p = (struct purge){
        .step = { .run = step, .arg = p }, .sm = sm, .owner = xstrndup(owner), .before_us = before_us, .done = done,
        .arg = arg,
    };
    loop_defer(sm->loop, &p->step);
}
