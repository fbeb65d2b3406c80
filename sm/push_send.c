/* Notifications on their way to push services (XEP-0357 7), and what became of them. They come from the bare
 * JID of the account, which the document allows for, so that the answer finds the account's owner; only the
 * service itself can answer, by an id that nobody else knows. One is on its way for each registration at a
 * time; what comes meanwhile, or while a failed one waits, is told of by the next. */

#include "push_inner.h"

#include <stdlib.h>

#include "data_form.h"
#include "datetime.h"
#include "encode.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "table.h"

enum { ANSWER_MS = 60000, NOTES = 16, NOTE_TEXT = 64, BODY_MAX = 1000, NOTED_ACCOUNTS = 10000 };

/* How one registration fares. */
struct pushing {
    struct sm   *sm;
    struct timer timer;            /* for the answer, or the next attempt */
    bool         on_its_way;
    unsigned     failures, waiting;          /* messages not told of yet */
    unsigned     told;             /* by the one on its way */
    char         id[RANDOM_ID];
    struct buf   key, sender, body;          /* owner NUL service NUL node; of the last message */
    struct slice owner, service, node;       /* in key */
};

struct note {
    uint64_t    us;
    const char *what;
    char        why[NOTE_TEXT];
    char       *about;             /* service, blank, node */
};

struct notes {
    unsigned    next;
    struct note list[NOTES];
};

struct push {
    struct table *targets;         /* by key */
    struct table *by_id;           /* the same, of the one on its way */
    struct table *notes;           /* by owner */
};

struct push *push_new(struct sm *sm)
{
    struct push *all = xcalloc(1, sizeof(*all));

    (void)sm;
    all->targets = table_new();
    all->by_id = table_new();
    all->notes = table_new();
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

static void notes_free(struct notes *n)
{
    for (unsigned i = 0; i < NOTES; i++)
        free(n->list[i].about);
    free(n);
}

static void notes_clear(struct push *all)
{
    for (struct table_iter i = { 0 }; table_next(all->notes, &i);)
        notes_free(i.value);
    table_free(&all->notes);
}

void push_free(struct push **ap)
{
    struct push *all = *ap;

    if (!all)
        return;
    for (struct table_iter i = { 0 }; table_next(all->targets, &i);)
        pushing_free(i.value);
    notes_clear(all);
    table_free(&all->targets);
    table_free(&all->by_id);
    free(all);
    *ap = NULL;
}

/* ---- notes ---- */

void push_note(struct sm *sm, struct slice owner, const struct registration *r, const char *what, const char *why)
{
    struct push  *all = sm->push;
    struct notes *n = table_get(all->notes, owner);
    struct note  *note;

    if (!n && table_count(all->notes) >= NOTED_ACCOUNTS) {
        notes_clear(all);
        all->notes = table_new();
    }
    if (!n) {
        n = xcalloc(1, sizeof(*n));
        table_put(all->notes, owner, n);
    }
    note = &n->list[n->next++ % NOTES];
    free(note->about);
    struct buf about = { 0 };
    buf_put_slice(&about, r->service);
    buf_put_u8(&about, ' ');
    buf_put_slice(&about, r->node);
    *note = (struct note){ .us = wall_us(), .what = what, .about = xstrndup(buf_slice(&about)) };
    snprintf(note->why, sizeof(note->why), "%s", why);
    buf_free(&about);
    log_debug("push_decided", "jid", log_slice(owner), "peer", log_slice(r->service), "state", what, "why", why, NULL);
}

static void put_row(struct ctl_reply *out, const char *when, const char *what, struct slice about, const char *why)
{
    ctl_row(out);
    ctl_str(out, "when", when);
    ctl_str(out, "what", what);
    ctl_slice(out, "service", about);
    ctl_str(out, "why", why);
}

void push_notes(struct sm *sm, struct slice owner, struct ctl_reply *out)
{
    const struct notes *n = table_get(sm->push->notes, owner);
    char                when[DATETIME_MAX];

    for (unsigned i = 0; n && i < NOTES; i++) {
        const struct note *note = &n->list[(n->next + i) % NOTES];
        if (!note->about)
            continue;
        datetime_write(when, note->us / 1000000 * 1000000);
        put_row(out, when, note->what, slice_str(note->about), note->why);
    }
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

static struct pushing *find(struct sm *sm, struct slice owner, const struct registration *r)
{
    struct buf     key = { 0 };
    struct pushing *t = table_get(sm->push->targets, key_of(&key, owner, r));

    buf_free(&key);
    return t;
}

static void on_time(void *arg);

static struct pushing *enter(struct sm *sm, struct slice owner, const struct registration *r)
{
    struct pushing *t = find(sm, owner, r);
    struct slice   key;

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

static void forget(struct pushing *t)
{
    landed(t);
    table_remove(t->sm->push->targets, buf_slice(&t->key));
    pushing_free(t);
}

void push_forget(struct sm *sm, struct slice owner, const struct registration *r)
{
    struct pushing *t = find(sm, owner, r);

    if (t)
        forget(t);
}

void push_fares(struct sm *sm, struct slice owner, const struct registration *r, struct ctl_reply *out)
{
    const struct pushing *t = find(sm, owner, r);
    struct buf           about = { 0 };
    char                 why[NOTE_TEXT];

    buf_put_slice(&about, r->service);
    buf_put_u8(&about, ' ');
    buf_put_slice(&about, r->node);
    snprintf(why, sizeof(why), "failures=%u waiting=%u%s", t ? t->failures : 0, t ? t->waiting : 0,
             t && t->on_its_way ? " on its way" : t && t->failures ? " tried again later" : "");
    put_row(out, "", "registered", buf_slice(&about), why);
    buf_free(&about);
}

/* ---- the notification ---- */

/* At a border of characters. */
static struct slice shortened(struct slice text)
{
    size_t len = text.len < BODY_MAX ? text.len : BODY_MAX;

    while (len < text.len && len > 0 && (text.p[len] & 0xC0) == 0x80)
        len--;
    return slice_of(text.p, len);
}

static void write_summary(struct xml_writer *w, const struct pushing *t)
{
    const struct settings *s = t->sm->settings;

    form_open(w, "result", NS_PUSH_SUMMARY);
    form_put_num(w, "message-count", NULL, NULL, t->waiting);
    if (s->server.push_sender)
        form_put(w, "last-message-sender", NULL, NULL, buf_slice(&t->sender));
    if (s->server.push_body && buf_len(&t->body))
        form_put(w, "last-message-body", NULL, NULL, buf_slice(&t->body));
    xml_close(w);
}

static void write_publish(struct buf *content, const struct pushing *t, struct slice options)
{
    struct xml_writer w;

    xml_begin(&w, content, NS_CLIENT);
    xml_open(&w, "pubsub", NS_PUBSUB);
    xml_open(&w, "publish", NULL);
    if (t->node.len)
        xml_attr_slice(&w, "node", t->node);
    xml_open(&w, "item", NULL);
    xml_open(&w, "notification", NS_PUSH);
    write_summary(&w, t);
    xml_close(&w);
    xml_close(&w);
    xml_close(&w);
    if (options.len) {
        xml_open(&w, "publish-options", NULL);
        xml_raw(&w, options);
        xml_close(&w);
    }
    xml_close(&w);
}

static void publish(struct outcome *o, enum when when, struct pushing *t, struct slice options)
{
    struct buf    content = { 0 };
    struct stanza s = { .name = STANZA_IQ, .type = TYPE_SET };

    random_id(t->id);
    t->on_its_way = true;
    t->told = t->waiting;
    table_put(t->sm->push->by_id, slice_str(t->id), t);
    timer_arm(t->sm->loop, &t->timer, ANSWER_MS);
    s.id = arena_copy(t->sm->arena, slice_str(t->id));
    s.from = arena_copy(t->sm->arena, t->owner);
    s.to = arena_copy(t->sm->arena, t->service);
    write_publish(&content, t, options);
    s.content = outcome_keep(o, &content);
    push_sent++;
    outcome_route(o, when, &s);
}

static void remember(struct pushing *t, const struct push_news *news)
{
    buf_free(&t->sender);
    buf_free(&t->body);
    buf_put_slice(&t->sender, news->sender);
    buf_put_slice(&t->body, shortened(news->body));
    t->waiting += news->count;
}

void push_notify(struct outcome *o, struct slice owner, const struct registration *r, const struct push_news *news,
                 const char *why)
{
    struct sm     *sm = outcome_sm(o);
    struct pushing *t = enter(sm, owner, r);

    remember(t, news);
    if (t->on_its_way || timer_armed(&t->timer)) {
        push_note(sm, owner, r, t->on_its_way ? "told with the next" : "waits for the next attempt", why);
        return;
    }
    push_note(sm, owner, r, "sent", why);
    publish(o, AFTER_COMMIT, t, r->options);
}

/* ---- again ---- */

struct wanted {
    struct pushing  *t;
    struct outcome *o;
    bool            found;
};

static void publish_again(void *arg, const struct registration *r)
{
    struct wanted *w = arg;

    if (w->found || !slice_eq(r->service, w->t->service) || !slice_eq(r->node, w->t->node))
        return;
    w->found = true;
    push_note(w->t->sm, w->t->owner, r, "sent", w->t->failures ? "tried again" : "what came meanwhile");
    publish(w->o, AHEAD, w->t, r->options);
}

/* The registration may have gone, or its account moved to another instance. */
static void again(struct pushing *t)
{
    struct sm    *sm = t->sm;
    struct wanted w = { .t = t };

    if (sm_owns(sm, t->owner)) {
        w.o = outcome_new(sm, arena_copy(sm->arena, t->owner), 0);
        push_each(sm, t->owner, publish_again, &w);
        outcome_settle(&w.o);
    }
    if (!w.found)
        forget(t);
}

static void failed(struct pushing *t, const char *why)
{
    struct registration r = { .service = t->service, .node = t->node };
    uint64_t            ms;

    landed(t);
    push_failed++;
    ms = push_backoff_ms(++t->failures, (unsigned)t->sm->settings->limits.push_retry_seconds);
    timer_arm(t->sm->loop, &t->timer, ms);
    push_note(t->sm, t->owner, &r, "failed", why);
    log_info("push_failed", "jid", log_slice(t->owner), "peer", log_slice(t->service), "why", why, "ms",
             log_num((int64_t)ms), NULL);
}

static void on_time(void *arg)
{
    struct pushing *t = arg;
    struct sm     *sm = t->sm;

    if (t->on_its_way)
        failed(t, "no answer");
    else
        again(t);
    arena_reset(sm->arena);
}

/* ---- the answer ---- */

static void accepted(struct pushing *t)
{
    struct registration r = { .service = t->service, .node = t->node };

    landed(t);
    push_accepted++;
    t->failures = 0;
    t->waiting -= t->told;
    push_note(t->sm, t->owner, &r, "accepted", "by the service");
    if (t->waiting)
        again(t);
    else
        forget(t);
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
    if (push_fate(type, name) == PUSH_RETRY) {
        failed(t, why);
        return;
    }
    struct registration r = { arena_copy(p->sm->arena, t->service), arena_copy(p->sm->arena, t->node), { 0 }, { 0 } };
    push_dropped++;
    push_note(p->sm, p->owner, &r, "dropped", why);
    log_info("push_dropped", "jid", log_slice(p->owner), "peer", log_slice(r.service), "why", why, NULL);
    push_drop(p->out, &r);
}

bool push_answered(struct passage *p)
{
    const struct stanza *s = p->stanza;
    struct pushing       *t;

    if (s->name != STANZA_IQ || (s->type != TYPE_RESULT && s->type != TYPE_ERROR) || !s->id.len)
        return false;
    t = table_get(p->sm->push->by_id, s->id);
    if (!t || !slice_eq(t->owner, p->owner) || !slice_eq(t->service, s->from))
        return false;
    if (s->type == TYPE_RESULT)
        accepted(t);
    else
        refused(p, t);
    return true;
}
