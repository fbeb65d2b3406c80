/* Outcomes: the only place of sm that sends and commits (outcome.h). */

#include "outcome_inner.h"

#include <stdlib.h>

#include "bounce.h"
#include "csi.h"
#include "jid.h"
#include "log.h"
#include "outbox.h"
#include "stanza_error.h"
#include "stats.h"
#include "table.h"

static uint64_t frames_sent, frames_refused;
uint64_t outcome_frames_delayed, outcome_commits_failed;

static const struct stat_row rows[] = {
    { "sm_frames_sent", "frames handed to the link", &frames_sent },
    { "sm_frames_refused", "frames the link could not take", &frames_refused },
    { "sm_frames_delayed", "frames that waited for a commit", &outcome_frames_delayed },
    { "sm_commits_failed", "outcomes whose batch failed", &outcome_commits_failed },
    { 0 },
};

void outcome_thens_run(struct then *t, enum zerr err)
{
    while (t) {
        struct then *next = t->next;
        t->run(t->arg, err);
        free(t);
        t = next;
    }
}

struct ways *ways_new(const struct outlet *outlet, void (*local)(struct sm *sm, const struct frame *f))
{
    static bool  registered;
    struct ways *w = xcalloc(1, sizeof(*w));

    if (!registered)
        stats_register(rows);
    registered = true;
    w->outlet = *outlet;
    w->local = local;
    w->lanes = table_new();
    w->locals_end = &w->locals;
    return w;
}

void ways_free(struct ways **wp)
{
    struct ways *w = *wp;

    if (!w)
        return;
    for (struct table_iter i = { 0 }; table_next(w->lanes, &i);)
        lane_drop(i.value);
    table_free(&w->lanes);
    waiting_rows_free(&w->rows);
    buf_free(&w->request);
    free(w);
    *wp = NULL;
}

size_t ways_waiting(const struct ways *w)
{
    return w->waiting;
}

bool ways_wait_for(const struct sm *sm, bool (*which)(void *arg, struct slice owner), void *arg)
{
    for (struct table_iter i = { 0 }; table_next(sm->ways->lanes, &i);)
        if (which(arg, i.key))
            return true;
    return false;
}

uint64_t ways_recorded(const struct sm *sm)
{
    return sm->ways->recorded;
}

bool ways_wait_up_to(const struct sm *sm, uint64_t number)
{
    for (struct table_iter i = { 0 }; table_next(sm->ways->lanes, &i);) {
        const struct lane *lane = i.value;
        if (LIST_OWNER(lane->waiting.next, struct waiting, link)->number <= number)
            return true;
    }
    return false;
}

/* ---- recording ---- */

struct outcome *outcome_new(struct sm *sm, struct slice owner, uint64_t trace)
{
    struct outcome *o = arena_alloc(sm->arena, sizeof(*o));

    *o = (struct outcome){ .sm = sm, .trace = trace, .owner = owner };
    o->items_end = &o->items;
    o->thens_end = &o->thens;
    sm->ways->open++;
    return o;
}

void outcome_request(struct outcome *o, const struct stanza *s)
{
    o->request = s;
}

void outcome_owes(struct outcome *o, uint64_t session, uint32_t number)
{
    o->debt = (struct debt){ session, number };
}

void **outcome_nodes(struct outcome *o)
{
    return &o->nodes;
}

uint64_t outcome_trace(const struct outcome *o)
{
    return o->trace;
}

struct sm *outcome_sm(const struct outcome *o)
{
    return o->sm;
}

struct slice outcome_owner(const struct outcome *o)
{
    return o->owner;
}

struct store_batch *outcome_accounts(struct outcome *o)
{
    if (!o->accounts)
        o->accounts = store_batch(o->owner);
    return o->accounts;
}

struct store_batch *outcome_archive(struct outcome *o)
{
    if (!o->archive)
        o->archive = store_batch(o->owner);
    return o->archive;
}

void outcome_frame(struct outcome *o, enum when when, const struct frame *f)
{
    struct item *item = arena_alloc(o->sm->arena, sizeof(*item));

    *item = (struct item){ .when = when, .frame = *f };
    if (!item->frame.trace)
        item->frame.trace = o->trace;
    if (o->debt.session && f->stanza.name == STANZA_MESSAGE && f->dest.role != ROLE_C2SD)
        resume_debt_mark(&item->frame, &o->debt);
    *o->items_end = item;
    o->items_end = &item->next;
}

void outcome_session(struct outcome *o, enum when when, const struct session *s, const struct stanza *stanza)
{
    struct frame f = frame_make(FRAME_STANZA);

    f.dest = s->c2sd;
    f.handle = s->conn;
    f.sender = s->handle;
    f.number = o->sm->epoch;
    f.stanza = *stanza;
    if (!f.stanza.to.len)
        f.stanza.to = arena_copy(o->sm->arena, session_jid(s));
    f.body = stanza->content;
    outcome_frame(o, when, &f);
}

/* An answer in somebody else's name to an account that has not left yet: no other sm would believe us. */
static bool only_we_can_tell(const struct sm *sm, const struct frame *f)
{
    return f->kind == FRAME_STANZA && f->dest.role == sm->self.role && !sm_is_self(sm, &f->dest) &&
           !sm_serves(sm, jid_domain(f->stanza.from)) && sm_owns(sm, jid_bare(f->stanza.to));
}

/* A fan-out waits for all its recipients. */
static bool is_local(const struct sm *sm, const struct frame *f)
{
    if (routes_settled(sm->routes) || !f->stanza.to.len)
        return routes_settled(sm->routes) && sm_is_self(sm, &f->dest);
    return sm_is_here(sm, &f->dest, jid_bare(f->stanza.to)) || only_we_can_tell(sm, f);
}

bool outcome_stanza_frame(const struct sm *sm, const struct stanza *stanza, struct frame *f, enum zerr *err)
{
    *f = frame_make(FRAME_STANZA);
    f->stanza = *stanza;
    f->body = stanza->content;
    *err = routes_find(sm->routes, stanza->to, &f->dest, &f->generation);
    return *err == ZE_OK;
}

void outcome_refuse(struct outcome *o, enum when when, const struct stanza *s, enum zerr err,
                    const char *text)
{
    struct buf    bytes = { 0 };
    struct stanza reply;
    struct frame  f;
    enum zerr     no_way;
    struct error_detail detail = o->detail;

    if (text)
        detail.text = text;
    if (stanza_error_reply_detailed(s, err, &detail, &bytes, &reply) && outcome_stanza_frame(o->sm, &reply, &f, &no_way))
        outcome_frame(o, when, &f);
    outcome_keep(o, &bytes);
}

void outcome_detail(struct outcome *o, const struct error_detail *detail)
{
    o->detail = *detail;
}

void outcome_error_payload(struct outcome *o, struct slice payload)
{
    o->detail.payload = payload;
}

void outcome_route(struct outcome *o, enum when when, const struct stanza *stanza)
{
    struct frame f;
    enum zerr    err;

    if (outcome_stanza_frame(o->sm, stanza, &f, &err))
        outcome_frame(o, when, &f);
    else
        outcome_refuse(o, when, stanza, err, NULL);
}

struct slice outcome_keep(struct outcome *o, struct buf *bytes)
{
    struct ways *ways = o->sm->ways;
    struct made *made;

    if (buf_len(bytes) == 0) {
        buf_free(bytes);
        return slice_of("", 0);
    }
    made = arena_alloc(o->sm->arena, sizeof(*made));
    *made = (struct made){ .next = ways->made, .bytes = *bytes };
    ways->made = made;
    *bytes = (struct buf){ 0 };
    return buf_slice(&made->bytes);
}

void outcome_then(struct outcome *o, void (*run)(void *arg, enum zerr err), void *arg)
{
    struct then *t = xcalloc(1, sizeof(*t));

    t->run = run;
    t->arg = arg;
    *o->thens_end = t;
    o->thens_end = &t->next;
}

void outcome_after(struct outcome *o, enum after what, struct slice a, struct slice b)
{
    afters_put(&o->afters, what, a, b);
}

void outcome_abandon(struct outcome *o)
{
    struct item **at = &o->items;

    store_batch_free(&o->accounts);
    store_batch_free(&o->archive);
    while (*at)
        if ((*at)->when == AFTER_COMMIT)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    o->items_end = at;
}

/* ---- leaving ---- */

enum zerr ways_send(struct ways *w, struct frame *f, uint64_t tag, struct kept **kept)
{
    enum zerr err = w->outlet.send(w->outlet.arg, f, tag, kept);

    frames_sent++;
    frames_refused += err != ZE_OK;
    return err;
}

struct kept *ways_keep(struct ways *w, struct frame *f, uint64_t tag)
{
    return w->outlet.keep(w->outlet.arg, f, tag);
}

void ways_unref(struct ways *w, struct kept **kept)
{
    w->outlet.unref(w->outlet.arg, kept);
}

uint64_t ways_serial(const struct ways *w)
{
    return w->outlet.serial(w->outlet.arg);
}

void outcome_bounce(struct sm *sm, const struct frame *f, enum zerr why)
{
    sm->ways->outlet.bounce(sm->ways->outlet.arg, f, why);
}

/* The account that sent it lives elsewhere by now: its owner tells it, since nobody else of us may say what comes
 * from others. */
static bool passed_to_owner(struct sm *sm, const struct frame *f, enum zerr why)
{
    struct frame original = *f, bounce;
    struct slice bare = jid_bare(f->stanza.from);
    struct buf   bytes = { 0 }, body = { 0 };

    if (!jid_local(bare).len || !sm_serves(sm, jid_domain(bare)) || sm_owns(sm, bare))
        return false;
    original.origin = sm->self;
    original.number = 0;
    if (frame_encode(&bytes, &original) == ZE_OK && bounce_make(&original, buf_slice(&bytes), why, &body, &bounce)) {
        bounce.stanza.to = bare;
        if (routes_find(sm->routes, bare, &bounce.dest, &bounce.generation) == ZE_OK)
            ways_send(sm->ways, &bounce, 0, NULL);
    }
    buf_free(&bytes);
    buf_free(&body);
    return true;
}

static void release_local(struct sm *sm, const struct frame *f)
{
    struct local *local = arena_alloc(sm->arena, sizeof(*local));

    *local = (struct local){ .frame = *f };
    local->frame.origin = sm->self;
    *sm->ways->locals_end = local;
    sm->ways->locals_end = &local->next;
}

/* A fan-out that was split by an older table: its recipients may live with somebody else now. It is split anew, here
 * (dispatch.c). */
static bool is_outdated(const struct sm *sm, const struct frame *f)
{
    return f->kind == FRAME_FANOUT && f->dest.role == ROLE_SM && f->generation != routes_generation(sm->routes);
}

void outcome_undeliverable(struct sm *sm, const struct frame *f, enum zerr why)
{
    struct stanza  s = f->stanza;
    struct outcome *o;

    s.content = f->body;
    log_debug("stanza_returned", "trace", log_hex(f->trace), "to", log_slice(s.to), "why", err_name(why),
              NULL);
    if (is_outdated(sm, f)) {
        release_local(sm, f);
        outcome_drain(sm);
        return;
    }
    if (f->kind != FRAME_STANZA || s.name == STANZA_NONE || !s.from.len || passed_to_owner(sm, f, why))
        return;
    o = outcome_new(sm, jid_bare(s.from), f->trace);
    outcome_refuse(o, AHEAD, &s, why, NULL);
    outcome_settle(&o);
}

/* The frame carries what it owes until the link gives it its number. */
static void release_away(struct sm *sm, const struct frame *f)
{
    struct frame copy = *f;
    struct debt  debt = resume_debt_of(f);
    enum zerr    err = ways_send(sm->ways, &copy, f->dest.role == ROLE_C2SD ? 0 : f->number, NULL);

    if (err) {
        outbox_done(sm, f);
        outcome_undeliverable(sm, f, err);
    } else if (debt.session)
        resume_owe_again(session_by_handle(sm->sessions, debt.session), debt.number);
}

void outcome_release(struct sm *sm, const struct frame *f)
{
    if (!resume_release(sm, f))
        release_away(sm, f);
}

static void release(struct sm *sm, const struct frame *f)
{
    struct debt debt = resume_debt_of(f);

    if (is_local(sm, f) || is_outdated(sm, f)) {
        if (debt.session)
            resume_owe_again(session_by_handle(sm->sessions, debt.session), debt.number);
        release_local(sm, f);
    } else if (!csi_release(sm, f)) {
        outcome_release(sm, f);
    }
}

static void release_items(struct outcome *o, bool all)
{
    for (struct item *i = o->items; i; i = i->next)
        if (all || i->when == AHEAD)
            release(o->sm, &i->frame);
}

void outcome_release_encoded(struct sm *sm, const struct buf *frames)
{
    struct slice rest = buf_slice(frames);
    struct frame f;
    ssize_t      used;

    while (rest.len && (used = frame_decode(rest, &f)) > 0) {
        rest = slice_cut(rest, (size_t)used, rest.len);
        release(sm, &f);
    }
}

/* Runs what was addressed to this instance itself, in order, until nothing is left. */
void outcome_drain(struct sm *sm)
{
    struct ways *ways = sm->ways;

    if (ways->draining || ways->open)
        return;
    ways->draining = true;
    while (ways->locals) {
        struct local *local = ways->locals;
        ways->locals = local->next;
        if (!ways->locals)
            ways->locals_end = &ways->locals;
        ways->local(sm, &local->frame);
    }
    ways->draining = false;
    for (struct made *m = ways->made; m; m = m->next)
        buf_free(&m->bytes);
    ways->made = NULL;
}

bool outcome_held(const struct outcome *o)
{
    const struct lane *lane = lane_of(o->sm, o->owner);

    return lane && lane->held;
}

static void drop_empty_batch(struct store_batch **b)
{
    if (*b && store_batch_empty(*b))
        store_batch_free(b);
}

/* What is stored and has still to be handed on by another daemon, or stored by another account. */
static void note_leaving(struct outcome *o)
{
    for (struct item *i = o->items; i; i = i->next) {
        if (o->archive && outbox_put(o->sm, OUTBOX_ARCHIVE, o->archive, &i->frame))
            continue;
        if (o->accounts && i->when == AFTER_COMMIT)
            outbox_put(o->sm, OUTBOX_ACCOUNTS, o->accounts, &i->frame);
    }
}

void outcome_settle(struct outcome **op)
{
    struct outcome *o = *op;
    struct sm      *sm = o->sm;
    struct lane    *lane = lane_of(sm, o->owner);
    bool            behind = outcome_held(o), waits;

    *op = NULL;
    drop_empty_batch(&o->accounts);
    drop_empty_batch(&o->archive);
    note_leaving(o);
    waits = lane || o->accounts || o->archive;
    if (!behind)
        release_items(o, !waits);
    if (waits)
        outcome_wait(o, behind);
    sm->ways->open--;
    outcome_drain(sm);
    if (!waits) {
        afters_run(sm, buf_slice(&o->afters), ZE_OK);
        buf_free(&o->afters);
        outcome_thens_run(o->thens, ZE_OK);
        resume_paid(sm, o->debt.session, o->debt.number);
    }
}
