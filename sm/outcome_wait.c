/* Outcomes that wait for a commit, by owner and in order; each is a row of live memory meanwhile
 * (outcome_live.h), of which the next process makes it again. */

#include "outcome_inner.h"

#include <stdlib.h>

#include "cursor.h"
#include "log.h"
#include "mem.h"
#include "outbox.h"
#include "stanza_error.h"
#include "table.h"

/* Of the buffer for requests. */
enum { REQUEST_ROOM = 8192 };

static void waiting_free(struct waiting *w)
{
    buf_free(&w->ahead);
    buf_free(&w->after);
    buf_free(&w->afters);
    buf_free(&w->answer);
    free(w);
}

/* What still waits at the end is in live memory: the next process ends it. */
void lane_drop(struct lane *lane)
{
    LIST_EACH(&lane->waiting, node) {
        struct waiting *w = LIST_OWNER(node, struct waiting, link);
        waiting_row_leave(lane->sm->ways->rows, &w->place);
        waiting_free(w);
    }
    free(lane);
}

struct lane *lane_of(const struct sm *sm, struct slice owner)
{
    return owner.len ? table_get(sm->ways->lanes, owner) : NULL;
}

bool outcome_waits(const struct sm *sm, struct slice owner)
{
    return lane_of(sm, owner) != NULL;
}

static struct waiting *lane_pop(struct lane *lane)
{
    struct ways    *ways = lane->sm->ways;
    struct waiting *w = LIST_OWNER(lane->waiting.next, struct waiting, link);

    if (!ways->ready || w->commits_left)
        return NULL;
    list_remove(&w->link);
    lane->held -= w->holds;
    ways->waiting--;
    return w;
}

/* Whoever asked gets the error. */
static void answer_request(struct waiting *w)
{
    struct sm    *sm = w->lane->sm;
    struct slice  request = waiting_row_request(sm->ways->rows, &w->place);
    struct frame  asked, f;
    struct stanza reply;
    struct buf    bytes = { 0 };
    enum zerr     err;

    if (frame_decode(request, &asked) <= 0)
        return;
    if (asked.stanza.type == TYPE_ERROR) {          /* of an older version */
        buf_put_slice(&w->answer, request);
    } else if (stanza_error_reply(&asked.stanza, ZE_STORE, NULL, &bytes, &reply) &&
               outcome_stanza_frame(sm, &reply, &f, &err)) {
        f.trace = asked.trace;
        frame_encode(&w->answer, &f);
    }
    buf_free(&bytes);
}

/* What the owner has handed in behind it was built on it, and fails as well, in this process or the next. */
static void failed(struct waiting *w)
{
    struct lane *lane = w->lane;

    outcome_commits_failed++;
    answer_request(w);
    log_warn("commit_failed", "jid", log_slice(lane->owner), "err", err_name(w->err), NULL);
    LIST_EACH(&lane->waiting, node) {
        const struct waiting *behind = LIST_OWNER(node, struct waiting, link);
        if (behind->batches & w->batches)
            waiting_row_doom(lane->sm->ways->rows, &behind->place, behind->batches & w->batches);
    }
}

static void waiting_release(struct waiting *w)
{
    struct sm *sm = w->lane->sm;

    if (w->err)
        failed(w);
    waiting_row_end(sm->ways->rows, &w->place);
    sm->ways->open++;
    outcome_release_encoded(sm, &w->ahead);
    outcome_release_encoded(sm, w->err ? &w->answer : &w->after);
    sm->ways->open--;
    outcome_drain(sm);
    afters_run(sm, buf_slice(&w->afters), w->err);
    outcome_thens_run(w->thens, w->err);
    resume_paid(sm, w->debt.session, w->debt.number);
}

/* What the last one brings about does not wait behind it: the lane is over before. */
static void lane_release(struct lane *lane)
{
    struct sm *sm = lane->sm;
    bool       over = false;

    for (struct waiting *w; !over && (w = lane_pop(lane));) {
        over = list_empty(&lane->waiting);
        if (over)
            table_remove(sm->ways->lanes, lane->owner);
        waiting_release(w);
        waiting_free(w);
    }
    if (over)
        free(lane);
    arena_reset(sm->arena);
}

static void on_commit(void *arg, enum zerr err)
{
    struct waiting *w = arg;

    if (err && !w->err)
        w->err = err;
    if (--w->commits_left == 0)
        lane_release(w->lane);
}

static void encode(struct buf *out, const struct frame *f)
{
    enum zerr err = frame_encode(out, f);

    if (err)
        log_warn("frame_too_long", "to", log_slice(f->stanza.to), "err", err_name(err), NULL);
    outcome_frames_delayed++;
}

/* What the reply takes for whoever asked, should the commit fail. */
static void encode_request(const struct outcome *o, struct buf *out)
{
    struct frame f = frame_make(FRAME_STANZA);

    if (!o->request || !stanza_error_answers(o->request, ZE_STORE))
        return;
    f.trace = o->trace;
    f.stanza = *o->request;
    if (f.stanza.content.len <= STANZA_ERROR_PAYLOAD_MAX)
        f.body = f.stanza.content;
    else
        f.stanza.flags |= STANZA_EMPTY;
    frame_encode(out, &f);
}

static struct lane *lane_enter(struct sm *sm, struct slice owner)
{
    struct lane *lane = lane_of(sm, owner);

    if (lane)
        return lane;
    lane = xcalloc(1, sizeof(*lane) + owner.len);
    memcpy(lane + 1, owner.p, owner.len);
    lane->sm = sm;
    lane->owner = slice_of(lane + 1, owner.len);
    list_init(&lane->waiting);
    table_put(sm->ways->lanes, owner, lane);
    return lane;
}

static struct waiting *waiting_new(struct sm *sm, struct slice owner)
{
    struct waiting *w = xcalloc(1, sizeof(*w));

    w->lane = lane_enter(sm, owner);
    list_append(&w->lane->waiting, &w->link);
    sm->ways->waiting++;
    w->number = ++sm->ways->recorded;
    return w;
}

static struct slice bytes_of(const struct store_batch *b)
{
    return b ? store_batch_bytes(b) : slice_of(NULL, 0);
}

/* The row is written in the turn that hands the batches in: both are true, or neither. */
static void hand_in(struct waiting *w, struct outcome *o)
{
    struct sm         *sm = o->sm;
    uint64_t           accounts = 0, archive = 0;
    struct waiting_row what = {
        .session = w->debt.session, .number = w->debt.number, .owner = o->owner,
        .accounts_bytes = bytes_of(o->accounts), .archive_bytes = bytes_of(o->archive),
        .ahead = buf_slice(&w->ahead), .after = buf_slice(&w->after), .request = buf_slice(&sm->ways->request),
        .afters = buf_slice(&w->afters),
    };

    w->place = waiting_row_add(sm->ways->rows, &what);
    if (o->accounts)
        accounts = store_commit(sm->store.accounts, &o->accounts, on_commit, w);
    if (o->archive)
        archive = store_commit(sm->store.archive, &o->archive, on_commit, w);
    waiting_row_number(sm->ways->rows, &w->place, accounts, archive);
}

/* Only behind frames that wait must later ones of the owner wait (RFC 6120 10.1): a message is delivered
 * though the record of the one before is not on disk yet. */
static void hold(struct waiting *w)
{
    w->holds = buf_len(&w->ahead) || buf_len(&w->after);
    w->lane->held += w->holds;
}

void outcome_wait(struct outcome *o, bool behind)
{
    struct waiting *w = waiting_new(o->sm, o->owner);

    w->thens = o->thens;
    w->afters = o->afters;
    w->debt = o->debt;
    w->batches = (o->accounts ? DOOMED_ACCOUNTS : 0) | (o->archive ? DOOMED_ARCHIVE : 0);
    for (struct item *i = o->items; i; i = i->next)
        if (i->when == AFTER_COMMIT)
            encode(&w->after, &i->frame);
        else if (behind)
            encode(&w->ahead, &i->frame);
    hold(w);
    buf_reset(&o->sm->ways->request, REQUEST_ROOM);
    if (o->accounts || o->archive)
        encode_request(o, &o->sm->ways->request);
    w->commits_left = (o->accounts != NULL) + (o->archive != NULL);
    hand_in(w, o);
}

/* ---- after a restart ---- */

/* Did an earlier one of its owner fail there? Then it was built on what is not true. */
static bool lane_refused(const struct waiting *w, uint8_t environment)
{
    LIST_EACH(&w->lane->waiting, node)
        if (LIST_OWNER(node, struct waiting, link)->refused & environment)
            return true;
    return false;
}

static void decide(struct waiting *w, uint8_t environment, uint64_t number, struct slice bytes, uint8_t doomed)
{
    struct store *store = environment == DOOMED_ACCOUNTS ? w->lane->sm->store.accounts : w->lane->sm->store.archive;
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

static void restore(struct sm *sm, const struct waiting_place *place, const struct waiting_row *row)
{
    struct waiting *w = waiting_new(sm, row->owner);

    w->place = *place;
    w->debt = (struct debt){ row->session, row->number };
    buf_put_slice(&w->ahead, row->ahead);
    buf_put_slice(&w->after, row->after);
    buf_put_slice(&w->afters, row->afters);
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
    sm->ways->rows = waiting_rows_new(sm);
    waiting_rows_each(sm->ways->rows, restore);
    if (sm->ways->waiting)
        log_info("outcomes_found", "instance", sm->instance, "count", log_num((int64_t)sm->ways->waiting), NULL);
}

static void release_of(struct sm *sm, struct slice owner)
{
    struct lane *lane = lane_of(sm, owner);

    if (lane)
        lane_release(lane);
}

bool ways_begin(struct sm *sm)
{
    struct buf owners = { 0 }, promised = { 0 };

    if (sm->ways->ready)
        return false;
    sm->ways->ready = true;
    for (struct table_iter i = { 0 }; table_next(sm->ways->lanes, &i);)
        buf_put_sized(&owners, i.key);
    for (struct cursor c = { buf_slice(&owners), false }; c.rest.len;)
        release_of(sm, take_sized(&c));
    promises_take(sm, &promised);
    sm->ways->open++;
    outcome_release_encoded(sm, &promised);
    sm->ways->open--;
    outcome_drain(sm);
    outbox_begin(sm);
    arena_reset(sm->arena);
    buf_free(&owners);
    buf_free(&promised);
    return true;
}

void ways_end(struct sm *sm)
{
    sm->ways->ready = false;
    for (struct table_iter i = { 0 }; table_next(sm->ways->lanes, &i);) {
        const struct lane *lane = i.value;

        LIST_EACH(&lane->waiting, node) {
            struct waiting *w = LIST_OWNER(node, struct waiting, link);
            struct then    *thens = w->thens;
            w->thens = NULL;
            outcome_thens_run(thens, w->err ? w->err : ZE_UNAVAILABLE);
        }
    }
}
