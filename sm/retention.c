/* Retention of archives (retention.h). */

#include "retention.h"

#include <stdlib.h>

#include "log.h"
#include "outcome.h"
#include "preferences.h"
#include "stats.h"

enum {
    STEP_ROWS = 500,                   /* removed in one step */
    STEP_OWNERS = 200,                 /* looked at in one step when nothing is to be removed, */
    STEP_SLOTS = 512,                  /* and slots */
    STEP_MS = 100,
    WALK_MS = 3600 * 1000,             /* from the end of one walk to the next */
};
static const uint64_t day_us = UINT64_C(86400) * 1000000;

static uint64_t expired, swept;

static const struct stat_row stats[] = {
    { "archive_expired", "records that became too old for archives of accounts", &expired },
    { "archive_swept", "rows removed of accounts that are no more", &swept },
    { 0 },
};

struct retention {
    struct sm   *sm;
    struct timer timer;
    unsigned     slot;
    uint32_t     owner_id;             /* the last one that is done with */
    bool         committing;
};

/* ---- one step writes at most one batch ---- */

static void on_committed(void *arg, enum zerr err)
{
    struct retention *r = arg;

    r->committing = false;
    if (err)
        log_warn("archive_not_expired", "why", err_name(err), NULL);
}

/* True: something was removed. */
static bool sweep(struct retention *r, struct store_view *view)
{
    struct store_batch *batch = store_batch(slice_of(NULL, 0));     /* of nobody who could wait for it */
    unsigned            rows = ledger_sweep_dead(sm_ledger(&r->sm->store), view, batch, r->slot, STEP_ROWS);

    swept += rows;
    if (rows) {
        r->committing = true;
        store_commit(r->sm->store.archive, &batch, on_committed, r);
    } else {
        store_batch_free(&batch);
    }
    return rows > 0;
}

static bool expire(struct retention *r, struct store_view *view, struct slice owner, uint64_t before_us)
{
    struct outcome *o = outcome_new(r->sm, owner, 0);
    struct ledger   l;
    unsigned        rows = 0;

    r->committing = true;
    outcome_then(o, on_committed, r);
    if (!ledger_open(&l, sm_ledger(&r->sm->store), view, owner))
        rows = ledger_expire(&l, outcome_archive(o), before_us, STEP_ROWS);
    expired += rows;
    outcome_settle(&o);
    return rows == STEP_ROWS;
}

/* ---- the walk ---- */

static uint64_t too_old_us(struct sm *sm, struct slice owner, uint64_t now_us)
{
    uint64_t kept_us = (uint64_t)preferences_days(sm, owner) * day_us;

    return kept_us && kept_us < now_us ? now_us - kept_us : 0;
}

/* Accounts of this slot from where we stand; true: the step has done enough. */
static bool step_owners(struct retention *r, struct store_view *view, uint64_t now_us, unsigned *looked)
{
    struct slice owner;
    uint64_t     before_us;
    uint32_t     id = r->owner_id;

    while (ledger_next_owner(sm_ledger(&r->sm->store), view, r->slot, &id, &owner)) {
        if (++*looked > STEP_OWNERS)
            return true;
        owner = arena_copy(r->sm->arena, owner);
        before_us = too_old_us(r->sm, owner, now_us);
        if (before_us && (expire(r, view, owner, before_us) || r->committing))
            return true;               /* the same account again, when there may be more of it */
        r->owner_id = id;
    }
    return false;
}

bool retention_step(struct retention *r, uint64_t now_us)
{
    struct store_view *view;
    unsigned           looked = 0, passed = 0;

    if (r->committing)
        return true;
    view = store_view(r->sm->store.archive);
    for (; r->slot < SLOTS && passed < STEP_SLOTS; r->slot++, passed++, r->owner_id = 0)
        if (sm_owns_slot(r->sm, r->slot) &&
            (sweep(r, view) || step_owners(r, view, now_us, &looked)))
            break;
    store_view_end(&view);
    arena_reset(r->sm->arena);
    if (r->slot < SLOTS)
        return true;
    r->slot = 0;
    return false;
}

static void tick(void *arg)
{
    struct retention *r = arg;

    timer_arm(r->sm->loop, &r->timer, retention_step(r, wall_us()) ? STEP_MS : WALK_MS);
}

struct retention *retention_new(struct sm *sm)
{
    struct retention *r = xcalloc(1, sizeof(*r));
    static bool       registered;

    if (!registered)
        stats_register(stats);
    registered = true;
    r->sm = sm;
    r->timer = (struct timer){ .fire = tick, .arg = r };
    timer_arm(sm->loop, &r->timer, STEP_MS);
    return r;
}

void retention_free(struct retention **r)
{
    if (!*r)
        return;
    timer_disarm(&(*r)->timer);
    free(*r);
    *r = NULL;
}
