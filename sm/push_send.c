/* Notifications on their way to push services (XEP-0357 7), and what became of them. They come from the bare
 * JID of the account, which the document allows for, so that the answer finds the account's owner; only the
 * service itself can answer, by an id that nobody else knows. One is on its way for each registration at a
 * time; what comes meanwhile, or while a failed one waits, is told of by the next. What is due is stored
 * (push_due.c) whenever more of it becomes true than the row tells. */

#include "push_inner.h"

#include <stdlib.h>

#include "jid.h"
#include "log.h"
#include "ns.h"
#include "table.h"

enum { BODY_MAX = 1000 };

struct push *push_new(struct sm *sm, bool live_was_void)
{
    struct push *all = xcalloc(1, sizeof(*all));

    (void)sm;
    all->targets = table_new();
    all->by_id = table_new();
    all->notes = table_new();
    all->live_was_void = live_was_void;
    return all;
}

static void pushing_free(struct pushing *t)
{
    timer_disarm(&t->timer);
    buf_free(&t->key);
    buf_free(&t->sender);
    buf_free(&t->body);
    free(t);
}

void push_free(struct push **ap)
{
    struct push *all = *ap;

    if (!all)
        return;
    for (struct table_iter i = { 0 }; table_next(all->targets, &i);)
        pushing_free(i.value);
    push_notes_free(all);
    table_free(&all->targets);
    table_free(&all->by_id);
    buf_free(&all->at);
    free(all);
    *ap = NULL;
}

/* ---- targets ---- */

static struct slice key_of(struct buf *key, struct slice owner, const struct registration *r)
{
    buf_put_slice(key, owner);
    buf_put_u8(key, 0);
    buf_put_slice(key, r->service);
    buf_put_u8(key, 0);
    buf_put_slice(key, r->node);
    return buf_slice(key);
}

struct pushing *push_known(const struct sm *sm, struct slice owner, const struct registration *r)
{
    struct buf      key = { 0 };
    struct pushing *t = table_get(sm->push->targets, key_of(&key, owner, r));

    buf_free(&key);
    return t;
}

struct pushing *push_find(struct sm *sm, struct slice owner, const struct registration *r)
{
    due_read(sm, owner);
    return push_known(sm, owner, r);
}

static void on_time(void *arg);

struct pushing *push_enter(struct sm *sm, struct slice owner, const struct registration *r)
{
    struct pushing *t = push_known(sm, owner, r);
    struct slice    key;

    if (t)
        return t;
    t = xcalloc(1, sizeof(*t));
    t->sm = sm;
    t->timer = (struct timer){ .fire = on_time, .arg = t };
    key = key_of(&t->key, owner, r);
    t->owner = slice_cut(key, 0, owner.len);
    t->service = slice_cut(key, owner.len + 1, owner.len + 1 + r->service.len);
    t->node = slice_cut(key, key.len - r->node.len, key.len);
    table_put(sm->push->targets, key, t);
    return t;
}

static void landed(struct pushing *t)
{
    if (t->on_its_way)
        table_remove(t->sm->push->by_id, slice_str(t->id));
    t->on_its_way = false;
    timer_disarm(&t->timer);
}

void push_let_go(struct pushing *t)
{
    landed(t);
    table_remove(t->sm->push->targets, buf_slice(&t->key));
    pushing_free(t);
}

static void forget(struct outcome *o, struct pushing *t)
{
    due_delete(o, t);
    push_let_go(t);
}

void push_forget(struct outcome *o, const struct registration *r)
{
    struct pushing *t = push_find(outcome_sm(o), outcome_owner(o), r);

    if (t)
        forget(o, t);
}

static struct registration registration_of(const struct pushing *t)
{
    struct arena *arena = t->sm->arena;

    return (struct registration){ .service = arena_copy(arena, t->service), .node = arena_copy(arena, t->node) };
}

/* ---- on its way ---- */

/* s2sd gives back what it could not pass on for that long: its word comes first. */
static uint64_t answer_ms(const struct sm *sm)
{
    return ((uint64_t)sm->settings->limits.s2s_queue_seconds + 60) * 1000;
}

static void wait_for(struct pushing *t, uint64_t ms)
{
    t->due_us = wall_us() + ms * 1000;
    timer_arm(t->sm->loop, &t->timer, ms);
}

static void publish(struct outcome *o, struct pushing *t, struct slice options)
{
    struct buf    content = { 0 };
    struct stanza s = { .name = STANZA_IQ, .type = TYPE_SET };

    random_id(t->id);
    t->on_its_way = true;
    t->more = t->asked = false;
    t->told = t->waiting;
    table_put(t->sm->push->by_id, slice_str(t->id), t);
    wait_for(t, answer_ms(t->sm));
    due_put(o, t);
    s.id = arena_copy(t->sm->arena, slice_str(t->id));
    s.from = arena_copy(t->sm->arena, t->owner);
    s.to = arena_copy(t->sm->arena, t->service);
    push_write(&content, t, options);
    s.content = outcome_keep(o, &content);
    push_sent++;
    outcome_route(o, AFTER_COMMIT, &s);
}

/* At a border of characters. */
static struct slice shortened(struct slice text)
{
    size_t len = text.len < BODY_MAX ? text.len : BODY_MAX;

    while (len < text.len && len > 0 && (text.p[len] & 0xC0) == 0x80)
        len--;
    return slice_of(text.p, len);
}

static void remember(struct pushing *t, const struct push_news *news)
{
    if (news->count) {
        buf_free(&t->sender);
        buf_free(&t->body);
        buf_put_slice(&t->sender, news->sender);
        buf_put_slice(&t->body, shortened(news->body));
        t->waiting += news->count;
    }
    if (news->requests) {
        t->requests = news->requests;
        t->asked = true;
    }
}

/* What the row says already is that there are messages; how many in the end may get lost. */
static void comes_later(struct outcome *o, struct pushing *t, const struct push_news *news)
{
    bool known = !news->requests && (t->more || !t->on_its_way);

    t->more = true;
    if (!known)
        due_put(o, t);
}

void push_notify(struct outcome *o, const struct registration *r, const struct push_news *news, const char *why)
{
    struct sm      *sm = outcome_sm(o);
    struct slice    owner = outcome_owner(o);
    struct pushing *t;

    due_read(sm, owner);
    t = push_enter(sm, owner, r);
    remember(t, news);
    if (t->on_its_way || timer_armed(&t->timer)) {
        push_note(sm, owner, r, t->on_its_way ? "told with the next" : "waits for the next attempt", why);
        comes_later(o, t, news);
        return;
    }
    push_note(sm, owner, r, "sent", why);
    publish(o, t, r->options);
}

/* ---- again ---- */

struct wanted {
    struct pushing *t;
    struct outcome *o;
    bool            found;
};

static void publish_again(void *arg, const struct registration *r)
{
    struct wanted  *w = arg;
    struct pushing *t = w->t;

    if (w->found || !slice_eq(r->service, t->service) || !slice_eq(r->node, t->node))
        return;
    if (push_client_awake(t->sm, t->owner, r)) {
        push_note(t->sm, t->owner, r, "not sent", "the client is back");
        return;
    }
    w->found = true;
    push_note(t->sm, t->owner, r, "sent", t->failures ? "tried again" : "what came meanwhile");
    publish(w->o, t, r->options);
}

/* The registration may have gone, its client have come back. */
static void again(struct outcome *o, struct pushing *t)
{
    struct wanted w = { .t = t, .o = o };

    push_each(t->sm, t->owner, publish_again, &w);
    if (!w.found)
        forget(o, t);
}

static void drop(struct outcome *o, struct pushing *t, const char *why)
{
    struct registration r = registration_of(t);

    push_dropped++;
    push_note(t->sm, t->owner, &r, "dropped", why);
    log_info("push_dropped", "jid", log_slice(t->owner), "peer", log_slice(t->service), "why", why, NULL);
    push_drop(o, &r);
}

/* So that what failed together is not tried together again. */
static uint64_t spread_out(uint64_t ms)
{
    return ms + random_u64() % (ms / 4 + 1);
}

static void try_later(struct outcome *o, struct pushing *t, const char *why)
{
    struct registration r = registration_of(t);
    unsigned            first = (unsigned)t->sm->settings->limits.push_retry_seconds;
    uint64_t            ms = spread_out(push_backoff_ms(t->failures, first));

    t->failing_ms += ms;
    t->more = false;
    wait_for(t, ms);
    due_put(o, t);
    push_note(t->sm, t->owner, &r, "failed", why);
    log_info("push_failed", "jid", log_slice(t->owner), "peer", log_slice(t->service), "why", why, "ms",
             log_num((int64_t)ms), NULL);
}

/* XEP-0357 7.1: kept "until a sufficient number of errors have been received in a row". */
static void failed(struct outcome *o, struct pushing *t, uint64_t waited_ms, const char *why)
{
    landed(t);
    push_failed++;
    t->failures++;
    t->failing_ms += waited_ms;
    if (t->failing_ms > (uint64_t)t->sm->settings->limits.push_failing_hours * 3600 * 1000)
        drop(o, t, "it failed for too long");
    else
        try_later(o, t, why);
}

/* Of an account that has moved, another instance sees to it. */
static void on_time(void *arg)
{
    struct pushing *t = arg;
    struct sm      *sm = t->sm;
    struct outcome *o;

    if (!sm_owns(sm, t->owner)) {
        push_let_go(t);
        return;
    }
    o = outcome_new(sm, arena_copy(sm->arena, t->owner), 0);
    if (t->on_its_way)
        failed(o, t, answer_ms(sm), "no answer");
    else
        again(o, t);
    outcome_settle(&o);
    arena_reset(sm->arena);
}

/* ---- the answer ---- */

static void accepted(struct passage *p, struct pushing *t)
{
    struct registration r = registration_of(t);

    landed(t);
    push_accepted++;
    t->failures = 0;
    t->failing_ms = 0;
    t->waiting -= t->told;
    if (!t->asked)
        t->requests = 0;
    if (!t->waiting) {
        buf_free(&t->sender);
        buf_free(&t->body);
    }
    push_note(t->sm, t->owner, &r, "accepted", "by the service");
    if (t->more)
        again(p->out, t);
    else
        forget(p->out, t);
}

static void refused(struct passage *p, struct pushing *t)
{
    const struct element *root = passage_content(p);
    const struct element *error = root ? element_child(root, NULL, "error") : NULL;
    const struct element *condition = error ? element_child(error, NS_STANZAS, NULL) : NULL;
    struct slice          type = error ? element_attr(error, "type") : slice_of(NULL, 0);
    struct slice          name = condition ? condition->name : SLICE("error");
    char                  why[NOTE_TEXT];

    snprintf(why, sizeof(why), "%.*s", (int)(name.len < 60 ? name.len : 60), (const char *)name.p);
    if (push_fate(type, name) == PUSH_RETRY)
        failed(p->out, t, 0, why);
    else
        drop(p->out, t, why);
}

bool push_answered(struct passage *p)
{
    const struct stanza *s = p->stanza;
    struct pushing      *t;

    if (s->name != STANZA_IQ || (s->type != TYPE_RESULT && s->type != TYPE_ERROR) || !s->id.len)
        return false;
    due_read(p->sm, p->owner);
    t = table_get(p->sm->push->by_id, s->id);
    if (!t || !slice_eq(t->owner, p->owner) || !slice_eq(t->service, s->from))
        return false;
    if (s->type == TYPE_RESULT)
        accepted(p, t);
    else
        refused(p, t);
    return true;
}
