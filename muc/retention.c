/* What archives of rooms may hold (rooms.archive_days, rooms.archive_messages), in small steps: one walk
 * over the slots this instance owns, room by room, a bounded number of rows at a time, and never a second
 * step before the first is committed. Rows of rooms that were destroyed go in the same walk. */

#include "jid.h"
#include "log.h"
#include "room.h"
#include "rooms.h"

enum {
    STEP_ROWS = 500,                   /* looked at in one step */
    STEP_SLOTS = 256,                  /* passed in one step when nothing is in them */
    STEP_MS = 100,
    WALK_MS = 3600 * 1000,             /* from the end of one walk to the next */
};
static const uint64_t day_us = UINT64_C(86400) * 1000000;

/* ---- what is over the limit of number: the newest ones are passed, step by step ---- */

/* True: counted; *cut_us: what is older is over the limit. */
static bool count(struct muc *m, struct ledger *l, uint64_t most, uint64_t *cut_us)
{
    struct retention   *w = &m->retention;
    struct ledger_query q = { .before = w->passed_to, .backwards = true, .bytes_max = SIZE_MAX };
    struct ledger_page  page;

    q.max = most - w->passed < STEP_ROWS ? (unsigned)(most - w->passed) : STEP_ROWS;
    if (ledger_query(l, &q, m->arena, &page))
        return true;
    w->passed += page.count;
    w->passed_to = page.count ? page.records[0].id : page.reached;
    if (w->passed >= most)
        *cut_us = w->passed_to.time_us;
    return page.complete || w->passed >= most;
}

/* ---- one room; true: done with it ---- */

static uint64_t too_old_us(const struct settings_rooms *service)
{
    uint64_t days = (uint64_t)service->archive_days, now_us = wall_us();

    return days * day_us < now_us && days ? now_us - days * day_us : 0;
}

static bool expire(struct muc *m, struct ledger *l, struct store_batch *batch)
{
    const struct settings_rooms *service = muc_service(m, jid_domain(l->owner));
    struct retention            *w = &m->retention;
    unsigned                     looked;

    if (!service)
        return true;
    if (!w->counted && service->archive_messages)
        w->counted = count(m, l, (uint64_t)service->archive_messages, &w->cut_us);
    else
        w->counted = true;
    if (!w->counted)
        return false;
    if (w->cut_us < too_old_us(service))
        w->cut_us = too_old_us(service);
    looked = w->cut_us ? ledger_expire(l, batch, w->cut_us, STEP_ROWS) : 0;
    m->figures.archive_expired += looked;
    return looked < STEP_ROWS;
}

static void next_room(struct retention *w, uint32_t owner_id)
{
    w->owner_id = owner_id;
    w->counted = false;
    w->passed = w->cut_us = 0;
    w->passed_to = (struct ledger_id){ 0 };
}

static void next_slot(struct retention *w)
{
    next_room(w, 0);
    w->slot++;
}

/* ---- the walk ---- */

static void committed(void *arg, enum zerr err)
{
    struct muc *m = arg;

    m->retention.committing = false;
    if (err)
        log_warn("archive_not_expired", "why", err_name(err), NULL);
}

static void commit(struct muc *m, struct store_batch **batch)
{
    if (store_batch_empty(*batch)) {
        store_batch_free(batch);
        return;
    }
    m->retention.committing = true;
    store_commit(m->store, batch, committed, m);
}

/* False: no room of this slot is left. */
static bool step_room(struct muc *m, struct store_view *view)
{
    struct retention   *w = &m->retention;
    uint32_t            id = w->owner_id;
    struct store_batch *batch;
    struct slice        owner;
    struct ledger       l;

    if (!ledger_next_owner(&m->ledgers, view, w->slot, &id, &owner))
        return false;
    batch = store_batch(owner);
    if (ledger_open(&l, &m->ledgers, view, owner) || expire(m, &l, batch))
        next_room(w, id);
    commit(m, &batch);
    return true;
}

/* False: nothing to remove in this slot. */
static bool step_dead(struct muc *m, struct store_view *view)
{
    struct store_batch *batch = store_batch(SLICE("archives"));
    bool                some = ledger_sweep_dead(&m->ledgers, view, batch, m->retention.slot, STEP_ROWS) > 0;

    commit(m, &batch);
    return some;
}

static bool is_mine(const struct muc *m, unsigned slot)
{
    const struct route_instance *owner = routes_slot_owner(m->outlet.routes(m->outlet.arg), ROLE_MUC, slot);

    return owner && owner->key == m->instance;
}

bool retention_step(struct muc *m)
{
    struct retention  *w = &m->retention;
    struct store_view *view;
    bool               worked = false;

    if (w->committing)
        return true;
    view = store_view(m->store);
    for (int passed = 0; !worked && w->slot < SLOTS && passed < STEP_SLOTS; passed++) {
        worked = is_mine(m, w->slot) && (step_dead(m, view) || step_room(m, view));
        if (!worked)
            next_slot(w);
    }
    store_view_end(&view);
    arena_reset(m->arena);
    if (w->slot < SLOTS)
        return true;
    w->slot = 0;
    return false;
}

static void tick(void *arg)
{
    struct muc *m = arg;
    bool        more = !m->linked || retention_step(m);    /* without a table no slot is known to be ours */

    timer_arm(m->loop, &m->retention.timer, more ? STEP_MS : WALK_MS);
}

void retention_start(struct muc *m)
{
    m->retention.timer = (struct timer){ .fire = tick, .arg = m };
    timer_arm(m->loop, &m->retention.timer, STEP_MS);
}

void retention_stop(struct muc *m)
{
    timer_disarm(&m->retention.timer);
}
