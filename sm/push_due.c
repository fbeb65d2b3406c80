/* What is due to push services, over a restart: A_PUSH_DUE (push.h). A row is there from the batch with the message
 * until the service has accepted, or the registration ends; it is found again by whoever owns the slot. */

#include "push_inner.h"

#include "cursor.h"
#include "log.h"
#include "table.h"
#include "walk.h"

enum { FORMAT = 1, LOOKED_AT_A_SECOND = 100, LONGEST_MS = 24 * 3600 * 1000 };
enum { ON_ITS_WAY = 1, MORE = 2, ASKED = 4 };

uint64_t push_found;

/* ---- the row ---- */

static struct slice key_of(const struct pushing *t)
{
    return sm_key(t->sm, t->owner, slice_cut(buf_slice(&t->key), t->owner.len + 1, buf_len(&t->key)));
}

static uint8_t flags_of(const struct pushing *t)
{
    return (uint8_t)((t->on_its_way ? ON_ITS_WAY : 0) | (t->more ? MORE : 0) | (t->asked ? ASKED : 0));
}

void due_put(struct outcome *o, const struct pushing *t)
{
    struct buf row = { 0 };

    buf_put_u8(&row, FORMAT);
    buf_put_u8(&row, flags_of(t));
    buf_put_u32(&row, t->failures);
    buf_put_u32(&row, t->waiting);
    buf_put_u32(&row, t->told);
    buf_put_u32(&row, t->requests);
    buf_put_u64(&row, t->failing_ms);
    buf_put_u64(&row, t->due_us);
    buf_put(&row, t->id, sizeof(t->id));
    buf_put_sized(&row, buf_slice(&t->sender));
    buf_put_sized(&row, buf_slice(&t->body));
    store_put(outcome_archive(o), A_PUSH_DUE, key_of(t), buf_slice(&row));
    buf_free(&row);
}

void due_delete(struct outcome *o, const struct pushing *t)
{
    store_delete(outcome_archive(o), A_PUSH_DUE, key_of(t));
}

static bool take_row(struct pushing *t, struct slice value)
{
    struct cursor c = { value, false };
    uint8_t       format = take_u8(&c), flags = take_u8(&c);
    struct slice  id;

    t->on_its_way = flags & ON_ITS_WAY;
    t->more = flags & MORE;
    t->asked = flags & ASKED;
    t->failures = take_u32(&c);
    t->waiting = take_u32(&c);
    t->told = take_u32(&c);
    t->requests = take_u32(&c);
    t->failing_ms = take_u64(&c);
    t->due_us = take_u64(&c);
    id = take_bytes(&c, sizeof(t->id));
    buf_put_slice(&t->sender, take_sized(&c));
    buf_put_slice(&t->body, take_sized(&c));
    if (!cursor_done(&c) || format != FORMAT || id.p[sizeof(t->id) - 1])
        return false;
    memcpy(t->id, id.p, sizeof(t->id));
    return true;
}

/* ---- found again ---- */

/* The clock may have been put back meanwhile. */
static uint64_t left_ms(const struct pushing *t)
{
    uint64_t now = wall_us(), left = t->due_us > now ? (t->due_us - now) / 1000 : 0;

    return left < LONGEST_MS ? left : LONGEST_MS;
}

/* What a process that died had sent still leaves, or is answered, under the same id: only when the machine died
 * it may be lost. */
static void go_on(struct pushing *t, uint64_t pace_ms)
{
    struct push *all = t->sm->push;
    uint64_t     left = left_ms(t);

    if (t->on_its_way && all->live_was_void) {
        t->on_its_way = false;
        left = 0;
    }
    if (t->on_its_way)
        table_put(all->by_id, slice_str(t->id), t);
    timer_arm(t->sm->loop, &t->timer, left + pace_ms);
}

/* The row's key: slot, owner NUL service NUL node. */
static bool take_key(struct slice key, struct slice *owner, struct registration *r)
{
    struct slice   rest = slice_cut(key, 2, key.len);
    const uint8_t *nul = memchr(rest.p, 0, rest.len), *second;

    if (!nul)
        return false;
    *owner = slice_of(rest.p, (size_t)(nul - rest.p));
    rest = slice_cut(rest, owner->len + 1, rest.len);
    second = memchr(rest.p, 0, rest.len);
    if (!second)
        return false;
    *r = (struct registration){ .service = slice_of(rest.p, (size_t)(second - rest.p)) };
    r->node = slice_cut(rest, r->service.len + 1, rest.len);
    return true;
}

static void look(struct sm *sm, struct slice key, struct slice value, uint64_t pace_ms)
{
    struct slice        owner;
    struct registration r;
    struct pushing     *t;

    if (!take_key(key, &owner, &r) || !sm_owns(sm, owner) || push_known(sm, owner, &r))
        return;
    t = push_enter(sm, owner, &r);
    if (take_row(t, value)) {
        push_found++;
        sm->push->found++;
        go_on(t, pace_ms);
    } else {
        log_error("push_row_unreadable", "jid", log_slice(owner), NULL);
        push_let_go(t);
    }
}

static int look_at_one(void *arg, struct slice key, struct slice value)
{
    look(arg, key, value, 0);
    return 0;
}

void due_read(struct sm *sm, struct slice owner)
{
    const struct push *all = sm->push;
    struct store_view *view;

    if (all->looked && all->generation == routes_generation(sm->routes))
        return;
    view = store_view(sm->store.archive);
    store_each(view, A_PUSH_DUE, sm_key_prefix(sm, owner), slice_of(NULL, 0), false, look_at_one, sm);
    store_view_end(&view);
}

/* ---- all of them, in steps ---- */

struct looking {
    struct sm *sm;
    unsigned   rows;
    bool       more;
};

static int look_at_some(void *arg, struct slice key, struct slice value)
{
    struct looking *l = arg;

    if (l->rows++ == DUE_STEP) {
        buf_put_slice(&l->sm->push->at, key);
        l->more = true;
        return 1;
    }
    look(l->sm, key, value, (uint64_t)l->sm->push->found * 1000 / LOOKED_AT_A_SECOND);
    return 0;
}

static int look_on(void *arg)
{
    struct looking     l = { .sm = arg };
    struct push       *all = l.sm->push;
    struct buf         from = all->at;
    struct store_view *view = store_view(l.sm->store.archive);
    int                err;

    all->at = (struct buf){ 0 };
    err = store_each(view, A_PUSH_DUE, slice_of(NULL, 0), buf_slice(&from), false, look_at_some, &l);
    store_view_end(&view);
    buf_free(&from);
    return err < 0 ? err : l.more;
}

static void looked(void *arg, enum zerr err)
{
    struct sm   *sm = arg;
    struct push *all = sm->push;

    all->walking = false;
    if (err) {
        if (err != ZE_UNAVAILABLE)
            log_error("push_due_unread", "instance", sm->instance, "err", err_name(err), NULL);
        return;
    }
    all->looked = true;
    all->live_was_void = false;
    if (all->found)
        log_info("push_due_found", "instance", sm->instance, "count", log_num(all->found), NULL);
    all->found = 0;
}

static void leave_others(struct sm *sm)
{
    struct buf gone = { 0 };

    for (struct table_iter i = { 0 }; table_next(sm->push->targets, &i);)
        if (!sm_owns(sm, ((const struct pushing *)i.value)->owner))
            buf_put_sized(&gone, i.key);
    for (struct cursor c = { buf_slice(&gone), false }; c.rest.len;)
        push_let_go(table_get(sm->push->targets, take_sized(&c)));
    buf_free(&gone);
}

/* While a walk is under way another table comes: it begins anew. */
void push_routes(struct sm *sm)
{
    struct push *all = sm->push;

    if (!routes_settled(sm->routes) || (all->looking && all->generation == routes_generation(sm->routes)))
        return;
    leave_others(sm);
    all->looking = true;
    all->looked = false;
    all->generation = routes_generation(sm->routes);
    buf_free(&all->at);
    if (!all->walking)
        walk_begin(sm, &(struct walk_spec){ look_on, looked, sm });
    all->walking = true;
}
