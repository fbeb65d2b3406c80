/* What is due to push services, over a restart: A_PUSH_DUE (push.h). A row is there from the batch with the message
 * until the service has accepted, or the registration ends; it is found again by whoever owns the slot. */

#include "push_inner.h"

#include "cursor.h"
#include "log.h"
#include "table.h"

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

struct found {
    struct sm *sm;
    unsigned   count;
};

/* The clock may have been put back meanwhile. */
static uint64_t left_ms(const struct pushing *t)
{
    uint64_t now = wall_us(), left = t->due_us > now ? (t->due_us - now) / 1000 : 0;

    return left < LONGEST_MS ? left : LONGEST_MS;
}

/* What a process that died had sent still leaves, or is answered, under the same id: only when the machine died
 * it may be lost. */
static void go_on(struct pushing *t, unsigned place)
{
    struct push *all = t->sm->push;
    uint64_t     pace = place * 1000 / LOOKED_AT_A_SECOND, left = left_ms(t);

    if (t->on_its_way && all->live_was_void) {
        t->on_its_way = false;
        left = 0;
    }
    if (t->on_its_way)
        table_put(all->by_id, slice_str(t->id), t);
    timer_arm(t->sm->loop, &t->timer, left + pace);
}

static int look(void *arg, struct slice key, struct slice value)
{
    struct found       *f = arg;
    struct slice        rest = slice_cut(key, 2, key.len), owner, service;
    const uint8_t      *nul = memchr(rest.p, 0, rest.len), *second;
    struct registration r;

    if (!nul)
        return 0;
    owner = slice_of(rest.p, (size_t)(nul - rest.p));
    service = slice_cut(rest, owner.len + 1, rest.len);
    second = memchr(service.p, 0, service.len);
    if (!second || !sm_owns(f->sm, owner))
        return 0;
    r = (struct registration){ .service = slice_of(service.p, (size_t)(second - service.p)) };
    r.node = slice_cut(service, r.service.len + 1, service.len);
    if (push_find(f->sm, owner, &r))
        return 0;
    struct pushing *t = push_enter(f->sm, owner, &r);
    if (take_row(t, value)) {
        go_on(t, f->count++);
    } else {
        log_error("push_row_unreadable", "jid", log_slice(owner), NULL);
        push_let_go(t);
    }
    return 0;
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

void push_routes(struct sm *sm)
{
    struct push       *all = sm->push;
    struct found       f = { sm, 0 };
    struct store_view *view;

    if (!routes_settled(sm->routes) || (all->looked && all->generation == routes_generation(sm->routes)))
        return;
    leave_others(sm);
    view = store_view(sm->store.archive);
    store_each(view, A_PUSH_DUE, slice_of(NULL, 0), slice_of(NULL, 0), false, look, &f);
    store_view_end(&view);
    all->looked = true;
    all->live_was_void = false;
    all->generation = routes_generation(sm->routes);
    push_found += f.count;
    if (f.count)
        log_info("push_due_found", "instance", sm->instance, "count", log_num(f.count), NULL);
}
