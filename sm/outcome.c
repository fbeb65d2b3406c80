/* Outcomes: the only place of sm that sends and commits (outcome.h). */

#include "outcome.h"

#include <stdlib.h>

#include "cursor.h"
#include "jid.h"
#include "log.h"
#include "outbox.h"
#include "outcome_live.h"
#include "resume.h"
#include "stanza_error.h"
#include "stats.h"
#include "table.h"

static uint64_t frames_sent, frames_refused, frames_delayed, commits_failed;

static const struct stat_row rows[] = {
    { "sm_frames_sent", "frames handed to the link", &frames_sent },
    { "sm_frames_refused", "frames the link could not take", &frames_refused },
    { "sm_frames_delayed", "frames that waited for a commit", &frames_delayed },
    { "sm_commits_failed", "outcomes whose batch failed", &commits_failed },
    { 0 },
};

struct then {
    struct then *next;
    void       (*run)(void *arg, enum zerr err);
    void        *arg;
};

/* Bytes that a handler made (outcome_keep). */
struct made {
    struct made *next;
    struct buf   bytes;
};

struct item {
    struct item *next;
    enum when    when;
    struct frame frame;
};

struct outcome {
    struct sm           *sm;
    uint64_t             trace;
    struct slice         owner;
    const struct stanza *request;
    struct debt          debt;
    struct store_batch  *accounts, *archive;
    struct item         *items, **items_end;
    struct then         *thens, **thens_end;
};

/* All outcomes of one owner that wait, oldest first. */
struct lane {
    struct list waiting;
    unsigned    held;                 /* of them, those that hold frames back */
};

/* An outcome that outlives its dispatch: its frames are encoded. */
struct waiting {
    struct list  link;
    struct sm   *sm;
    char        *owner;
    size_t       owner_len;
    uint64_t     serial;              /* of its row in live memory */
    uint8_t      batches, refused;    /* DOOMED_ bits: in which environments it has one; which was refused
                                         before this process began */
    unsigned     commits_left;
    enum zerr    err;
    struct debt  debt;
    struct buf   ahead, after, failure;
    bool         holds;               /* ahead or after is not empty */
    struct then *thens;
};

struct local {
    struct local *next;
    struct frame  frame;
};

struct ways {
    struct outlet  outlet;
    void         (*local)(struct sm *sm, const struct frame *f);
    struct table  *lanes;             /* owner -> struct lane */
    size_t         waiting;
    struct local  *locals, **locals_end;
    struct made   *made;
    unsigned       open;              /* outcomes being recorded or released: nothing is delivered yet */
    bool           draining;
    bool           ready;             /* frames may leave: there has been a route table, and it is not the end */
};

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

static void thens_run(struct then *t, enum zerr err)
{
    while (t) {
        struct then *next = t->next;
        t->run(t->arg, err);
        free(t);
        t = next;
    }
}

static void waiting_free(struct waiting *w)
{
    buf_free(&w->ahead);
    buf_free(&w->after);
    buf_free(&w->failure);
    free(w->owner);
    free(w);
}

/* What still waits at the end is in live memory: the next process ends it. */
static void lane_drop(struct lane *lane)
{
    LIST_EACH(&lane->waiting, node) {
        struct waiting *w = LIST_OWNER(node, struct waiting, link);
        thens_run(w->thens, w->err);
        waiting_free(w);
    }
    free(lane);
}

void ways_free(struct ways **wp)
{
    struct ways *w = *wp;

    if (!w)
        return;
    for (struct table_iter i = { 0 }; table_next(w->lanes, &i);)
        lane_drop(i.value);
    table_free(&w->lanes);
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

uint64_t outcome_trace(const struct outcome *o)
{
    return o->trace;
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

/* For this instance itself, and not for a slot that has yet to come here: that waits in the link. */
static bool is_local(const struct sm *sm, const struct frame *f)
{
    bool self = f->dest.role == sm->self.role && f->dest.instance == sm->self.instance;

    return self && (routes_settled(sm->routes) || (f->stanza.to.len && sm_owns(sm, jid_bare(f->stanza.to))));
}

static bool stanza_frame(const struct sm *sm, const struct stanza *stanza, struct frame *f, enum zerr *err)
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

    if (stanza_error_reply(s, err, text, &bytes, &reply) && stanza_frame(o->sm, &reply, &f, &no_way))
        outcome_frame(o, when, &f);
    outcome_keep(o, &bytes);
}

void outcome_route(struct outcome *o, enum when when, const struct stanza *stanza)
{
    struct frame f;
    enum zerr    err;

    if (stanza_frame(o->sm, stanza, &f, &err))
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

void outcome_undeliverable(struct sm *sm, const struct frame *f, enum zerr why)
{
    struct stanza  s = f->stanza;
    struct outcome *o;

    s.content = f->body;
    log_debug("stanza_returned", "trace", log_hex(f->trace), "to", log_slice(s.to), "why", err_name(why),
              NULL);
    if (f->kind != FRAME_STANZA || s.name == STANZA_NONE || !s.from.len)
        return;
    o = outcome_new(sm, jid_bare(s.from), f->trace);
    outcome_refuse(o, AHEAD, &s, why, NULL);
    outcome_settle(&o);
}

static void release_local(struct sm *sm, const struct frame *f)
{
    struct local *local = arena_alloc(sm->arena, sizeof(*local));

    *local = (struct local){ .frame = *f };
    local->frame.origin = sm->self;
    *sm->ways->locals_end = local;
    sm->ways->locals_end = &local->next;
}

/* The frame carries what it owes until the link gives it its number. */
static void release_away(struct sm *sm, const struct frame *f)
{
    struct frame copy = *f;
    struct debt  debt = resume_debt_of(f);
    enum zerr    err = ways_send(sm->ways, &copy, f->dest.role == ROLE_C2SD ? 0 : f->number, NULL);

    if (err) {
        outbox_done(sm, f->number, f->stanza.from);
        outcome_undeliverable(sm, f, err);
    } else if (debt.session)
        resume_owe_again(session_by_handle(sm->sessions, debt.session), debt.number);
}

static void release(struct sm *sm, const struct frame *f)
{
    struct debt debt = resume_debt_of(f);

    if (is_local(sm, f)) {
        if (debt.session)
            resume_owe_again(session_by_handle(sm->sessions, debt.session), debt.number);
        release_local(sm, f);
    } else if (!resume_release(sm, f)) {
        release_away(sm, f);
    }
}

static void release_items(struct outcome *o, bool all)
{
    for (struct item *i = o->items; i; i = i->next)
        if (all || i->when == AHEAD)
            release(o->sm, &i->frame);
}

static void release_encoded(struct sm *sm, const struct buf *frames)
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
static void drain(struct sm *sm)
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

/* ---- waiting for a commit ---- */

static struct lane *lane_of(const struct sm *sm, struct slice owner)
{
    return owner.len ? table_get(sm->ways->lanes, owner) : NULL;
}

bool outcome_waits(const struct sm *sm, struct slice owner)
{
    return lane_of(sm, owner) != NULL;
}

static struct waiting *lane_pop(struct sm *sm, struct slice owner)
{
    struct lane    *lane = lane_of(sm, owner);
    struct waiting *w;

    if (!lane || !sm->ways->ready)
        return NULL;
    w = LIST_OWNER(lane->waiting.next, struct waiting, link);
    if (w->commits_left)
        return NULL;
    list_remove(&w->link);
    lane->held -= w->holds;
    sm->ways->waiting--;
    if (list_empty(&lane->waiting)) {
        table_remove(sm->ways->lanes, owner);
        free(lane);
    }
    return w;
}

/* What the owner has handed in behind it was built on it, and fails as well, in this process or the next. */
static void failed(struct waiting *w)
{
    struct slice owner = slice_of(w->owner, w->owner_len);
    struct lane *lane = lane_of(w->sm, owner);

    commits_failed++;
    log_warn("commit_failed", "jid", log_slice(owner), "err", err_name(w->err), NULL);
    if (!lane)
        return;
    LIST_EACH(&lane->waiting, node) {
        const struct waiting *behind = LIST_OWNER(node, struct waiting, link);
        if (behind->batches & w->batches)
            waiting_row_doom(w->sm, behind->serial, behind->batches & w->batches);
    }
}

static void waiting_release(struct waiting *w)
{
    struct sm *sm = w->sm;

    waiting_row_delete(sm, w->serial);
    if (w->err)
        failed(w);
    sm->ways->open++;
    release_encoded(sm, &w->ahead);
    release_encoded(sm, w->err ? &w->failure : &w->after);
    sm->ways->open--;
    drain(sm);
    thens_run(w->thens, w->err);
    resume_paid(sm, w->debt.session, w->debt.number);
}

static void lane_release(struct sm *sm, struct slice owner)
{
    for (struct waiting *w; (w = lane_pop(sm, owner));) {
        waiting_release(w);
        waiting_free(w);
    }
    arena_reset(sm->arena);
}

static void on_commit(void *arg, enum zerr err)
{
    struct waiting *w = arg;
    struct sm      *sm = w->sm;

    if (err && !w->err)
        w->err = err;
    if (--w->commits_left)
        return;
    char *owner = xstrndup(slice_of(w->owner, w->owner_len));
    lane_release(sm, slice_of(owner, w->owner_len));
    free(owner);
}

static void encode(struct buf *out, const struct frame *f)
{
    enum zerr err = frame_encode(out, f);

    if (err)
        log_warn("frame_too_long", "to", log_slice(f->stanza.to), "err", err_name(err), NULL);
    frames_delayed++;
}

/* The reply for whoever asked, should the commit fail: written now, while the request is in hand. */
static void encode_failure(struct outcome *o, struct buf *out)
{
    struct buf    bytes = { 0 };
    struct stanza reply;
    struct frame  f;
    enum zerr     err;

    if (o->request && stanza_error_reply(o->request, ZE_STORE, NULL, &bytes, &reply) &&
        stanza_frame(o->sm, &reply, &f, &err)) {
        f.trace = o->trace;
        encode(out, &f);
    }
    buf_free(&bytes);
}

static struct lane *lane_enter(struct sm *sm, struct slice owner)
{
    struct lane *lane = lane_of(sm, owner);

    if (lane)
        return lane;
    lane = xcalloc(1, sizeof(*lane));
    list_init(&lane->waiting);
    table_put(sm->ways->lanes, owner, lane);
    return lane;
}

static struct waiting *waiting_new(struct sm *sm, struct slice owner)
{
    struct waiting *w = xcalloc(1, sizeof(*w));

    w->sm = sm;
    w->owner = xstrndup(owner);
    w->owner_len = owner.len;
    list_append(&lane_enter(sm, owner)->waiting, &w->link);
    sm->ways->waiting++;
    return w;
}

static struct slice bytes_of(const struct store_batch *b)
{
    return b ? store_batch_bytes(b) : slice_of(NULL, 0);
}

/* The row is written in the turn that hands the batches in: both are true, or neither. */
static void hand_in(struct waiting *w, struct outcome *o)
{
    struct sm         *sm = w->sm;
    struct buf         row = { 0 };
    uint64_t           accounts = 0, archive = 0;
    struct waiting_row what = {
        .session = w->debt.session, .number = w->debt.number, .owner = o->owner,
        .accounts_bytes = bytes_of(o->accounts), .archive_bytes = bytes_of(o->archive),
        .ahead = buf_slice(&w->ahead), .after = buf_slice(&w->after), .failure = buf_slice(&w->failure),
    };

    waiting_row_begin(&row, &what);
    if (o->accounts)
        accounts = store_commit(sm->store.accounts, &o->accounts, on_commit, w);
    if (o->archive)
        archive = store_commit(sm->store.archive, &o->archive, on_commit, w);
    w->serial = waiting_row_put(sm, &row, accounts, archive);
    buf_free(&row);
}

/* Only behind frames that wait must later ones of the owner wait (RFC 6120 10.1): a message is delivered
 * though the record of the one before is not on disk yet. */
static void hold(struct waiting *w)
{
    w->holds = buf_len(&w->ahead) || buf_len(&w->after);
    lane_of(w->sm, slice_of(w->owner, w->owner_len))->held += w->holds;
}

static void wait_for_commit(struct outcome *o, bool behind)
{
    struct waiting *w = waiting_new(o->sm, o->owner);

    w->thens = o->thens;
    w->debt = o->debt;
    w->batches = (o->accounts ? DOOMED_ACCOUNTS : 0) | (o->archive ? DOOMED_ARCHIVE : 0);
    for (struct item *i = o->items; i; i = i->next)
        if (i->when == AFTER_COMMIT)
            encode(&w->after, &i->frame);
        else if (behind)
            encode(&w->ahead, &i->frame);
    hold(w);
    if (o->accounts || o->archive)
        encode_failure(o, &w->failure);
    w->commits_left = (o->accounts != NULL) + (o->archive != NULL);
    hand_in(w, o);
}

static void drop_empty_batch(struct store_batch **b)
{
    if (*b && store_batch_empty(*b))
        store_batch_free(b);
}

/* What is stored and has still to be handed on by another daemon. */
static void note_leaving(struct outcome *o)
{
    for (struct item *i = o->items; i; i = i->next)
        outbox_put(o->sm, o->archive, &i->frame);
}

void outcome_settle(struct outcome **op)
{
    struct outcome *o = *op;
    struct sm      *sm = o->sm;
    struct lane    *lane = lane_of(sm, o->owner);
    bool            behind = lane && lane->held, waits;

    *op = NULL;
    drop_empty_batch(&o->accounts);
    drop_empty_batch(&o->archive);
    if (o->archive)
        note_leaving(o);
    waits = lane || o->accounts || o->archive;
    if (!behind)
        release_items(o, !waits);
    if (waits)
        wait_for_commit(o, behind);
    sm->ways->open--;
    drain(sm);
    if (!waits) {
        thens_run(o->thens, ZE_OK);
        resume_paid(sm, o->debt.session, o->debt.number);
    }
}

/* ---- after a restart ---- */

/* Did an earlier one of its owner fail there? Then it was built on what is not true. */
static bool lane_refused(const struct waiting *w, uint8_t environment)
{
    const struct lane *lane = lane_of(w->sm, slice_of(w->owner, w->owner_len));

    LIST_EACH(&lane->waiting, node)
        if (LIST_OWNER(node, struct waiting, link)->refused & environment)
            return true;
    return false;
}

static void decide(struct waiting *w, uint8_t environment, uint64_t number, struct slice bytes, uint8_t doomed)
{
    struct store *store = environment == DOOMED_ACCOUNTS ? w->sm->store.accounts : w->sm->store.archive;
    enum store_fate fate = number ? store_fate(store, number) : STORE_COMMITTED;

    w->batches |= number ? environment : 0;
    if (fate == STORE_COMMITTED)
        return;
    struct store_batch *batch = NULL;
    if (fate == STORE_UNDECIDED && !(doomed & environment) && !lane_refused(w, environment))
        batch = store_batch_from(bytes);
    if (batch) {
        w->commits_left++;
        store_commit_again(store, &batch, number, on_commit, w);
        return;
    }
    w->refused |= environment;
    w->err = ZE_CONFLICT;
}

static void note_tags(struct sm *sm, struct slice frames)
{
    struct frame f;
    ssize_t      used;

    for (; frames.len && (used = frame_decode(frames, &f)) > 0; frames = slice_cut(frames, (size_t)used, frames.len))
        outbox_found(sm, f.number);
}

static void restore(struct sm *sm, uint64_t serial, const struct waiting_row *row)
{
    struct waiting *w = waiting_new(sm, row->owner);

    w->serial = serial;
    w->debt = (struct debt){ row->session, row->number };
    buf_put_slice(&w->ahead, row->ahead);
    buf_put_slice(&w->after, row->after);
    buf_put_slice(&w->failure, row->failure);
    hold(w);
    note_tags(sm, row->ahead);
    note_tags(sm, row->after);
    if (row->session)
        resume_owe_again(session_by_handle(sm->sessions, row->session), row->number);
    decide(w, DOOMED_ACCOUNTS, row->accounts, row->accounts_bytes, row->doomed);
    decide(w, DOOMED_ARCHIVE, row->archive, row->archive_bytes, row->doomed);
}

void ways_restore(struct sm *sm)
{
    waiting_rows_each(sm, restore);
    if (sm->ways->waiting)
        log_info("outcomes_found", "instance", sm->instance, "count", log_num((int64_t)sm->ways->waiting), NULL);
}

void ways_begin(struct sm *sm)
{
    struct buf owners = { 0 }, promised = { 0 };

    if (sm->ways->ready)
        return;
    sm->ways->ready = true;
    for (struct table_iter i = { 0 }; table_next(sm->ways->lanes, &i);)
        buf_put_sized(&owners, i.key);
    for (struct cursor c = { buf_slice(&owners), false }; c.rest.len;)
        lane_release(sm, take_sized(&c));
    promises_take(sm, &promised);
    sm->ways->open++;
    release_encoded(sm, &promised);
    sm->ways->open--;
    drain(sm);
    outbox_begin(sm);
    arena_reset(sm->arena);
    buf_free(&owners);
    buf_free(&promised);
}

void ways_end(struct sm *sm)
{
    sm->ways->ready = false;
}
