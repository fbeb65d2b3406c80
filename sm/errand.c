/* Verbs for other instances (errand.h). A verb resets the arena, so it never runs within a dispatch. */

#include "errand.h"

#include <stdlib.h>

#include "cursor.h"
#include "encode.h"
#include "handles.h"
#include "link.h"
#include "log.h"
#include "outcome.h"
#include "verbs.h"

enum { WORDS_MAX = 8, PATIENCE_MS = 20000, ROWS_MAX = 4 << 20 };

/* One that this instance asked for, or one that another instance asked of it. */
struct errand {
    struct sm      *sm;
    struct deferred begin;
    struct timer    patience;
    uint64_t        handle;          /* here while another instance works on it */
    struct address  asker;           /* role 0: asked here */
    uint64_t        asker_handle, trace;
    errand_done    *done;
    void           *arg;
    int             count;
    char           *words[WORDS_MAX];
};

struct errands {
    struct handles *all;
    struct link    *link;
};

struct errands *errands_new(struct link *link)
{
    struct errands *e = xcalloc(1, sizeof(*e));

    e->link = link;
    e->all = handles_new_unguessed();
    return e;
}

static void errand_free(struct errand *e)
{
    handles_remove(e->sm->errands->all, e->handle);
    timer_disarm(&e->patience);
    loop_undefer(&e->begin);
    for (int i = 0; i < e->count; i++) {
        wipe(e->words[i], strlen(e->words[i]));      /* may be a password */
        free(e->words[i]);
    }
    free(e);
}

void errands_free(struct errands **ep)
{
    size_t place = 0;

    if (!*ep)
        return;
    for (struct errand *e; (e = handles_next((*ep)->all, &place));)
        errand_free(e);
    handles_free(&(*ep)->all);
    free(*ep);
    *ep = NULL;
}

static struct errand *errand_new(struct sm *sm, int count, const struct slice *words)
{
    struct errand *e = xcalloc(1, sizeof(*e));

    e->sm = sm;
    e->count = count < WORDS_MAX ? count : WORDS_MAX;
    for (int i = 0; i < e->count; i++)
        e->words[i] = xstrndup(words[i]);
    e->handle = handles_put(sm->errands->all, e);
    return e;
}

/* ---- here ---- */

static void tell_asker(struct errand *e, struct slice rows, enum zerr err, const char *reason)
{
    struct outcome *o = outcome_new(e->sm, slice_of(NULL, 0), e->trace);
    struct frame    f = frame_make(FRAME_ERRAND_DONE);
    struct buf      body = { 0 };

    if (rows.len > ROWS_MAX) {
        rows.len = 0;
        err = ZE_FULL;
    }
    buf_put_u32(&body, (uint32_t)err);
    buf_put_sized(&body, slice_str(reason));
    buf_put_slice(&body, rows);
    f.dest = e->asker;
    f.handle = e->asker_handle;
    f.body = outcome_keep(o, &body);
    outcome_frame(o, AHEAD, &f);
    outcome_settle(&o);
}

static void on_answered(void *arg, struct slice rows, enum zerr err, const char *reason)
{
    struct errand *e = arg;

    if (e->asker.role)
        tell_asker(e, rows, err, reason);
    else
        e->done(e->arg, rows, err, reason);
    errand_free(e);
}

static void begin(void *arg)
{
    struct errand *e = arg;

    ctl_run(sm_verbs, e->sm, e->count, e->words, on_answered, e);
}

static void begin_soon(struct errand *e)
{
    e->begin = (struct deferred){ .run = begin, .arg = e };
    loop_defer(e->sm->loop, &e->begin);
}

/* ---- elsewhere ---- */

static void absent(void *arg)
{
    on_answered(arg, slice_of("", 0), ZE_UNAVAILABLE, "the instance that has it is not there");
}

static void no_answer(void *arg)
{
    on_answered(arg, slice_of("", 0), ZE_TIMEOUT, "the instance that has it did not answer; it may have been done");
}

static void words_write(struct buf *body, const struct errand *e)
{
    buf_put_u8(body, (uint8_t)e->count);
    for (int i = 0; i < e->count; i++)
        buf_put_sized(body, slice_str(e->words[i]));
}

static void be_patient(struct errand *e)
{
    e->patience = (struct timer){ .fire = no_answer, .arg = e };
    timer_arm(e->sm->loop, &e->patience, PATIENCE_MS);
}

static void errand_send(struct errand *e, const struct route_instance *where)
{
    struct outcome *o = outcome_new(e->sm, slice_of(NULL, 0), random_u64());
    struct frame    f = frame_make(FRAME_ERRAND);
    struct buf      body = { 0 };

    words_write(&body, e);
    f.dest = (struct address){ ROLE_SM, where->key, 0 };
    f.sender = e->handle;
    f.body = outcome_keep(o, &body);
    outcome_frame(o, AHEAD, &f);
    outcome_settle(&o);
    be_patient(e);
}

static bool errand_tell_router(struct errand *e)
{
    struct link *link = e->sm->errands->link;
    struct frame f = frame_make(FRAME_PLAN);
    struct buf   body = { 0 };

    words_write(&body, e);
    f.sender = e->handle;
    f.body = buf_slice(&body);
    bool told = link && link_tell_router(link, &f);
    buf_free(&body);
    return told;
}

static void absent_soon(struct errand *e)
{
    e->begin = (struct deferred){ .run = absent, .arg = e };
    loop_defer(e->sm->loop, &e->begin);
}

void errand_run(struct sm *sm, const struct route_instance *where, int count, const struct slice *words,
                errand_done *done, void *arg)
{
    struct errand *e = errand_new(sm, count, words);

    e->done = done;
    e->arg = arg;
    if (where && where->key == sm->self.instance) {
        begin_soon(e);
    } else if (where && where->up) {
        errand_send(e, where);
    } else {
        absent_soon(e);
    }
}

void errand_run_router(struct sm *sm, int count, const struct slice *words, errand_done *done, void *arg)
{
    struct errand *e = errand_new(sm, count, words);

    e->done = done;
    e->arg = arg;
    if (errand_tell_router(e))
        be_patient(e);
    else
        absent_soon(e);
}

/* ---- frames ---- */

static void malformed(const struct frame *f, const char *kind)
{
    log_warn("frame_refused", "kind", kind, "why", "malformed", "trace", log_hex(f->trace), NULL);
}

void on_errand(void *self, const struct frame *f)
{
    struct cursor  c = { f->body, false };
    unsigned       count = take_u8(&c);
    struct slice   words[WORDS_MAX];
    struct errand *e;

    for (unsigned i = 0; i < count && i < WORDS_MAX; i++)
        words[i] = take_sized(&c);
    if (f->origin.role != ROLE_SM || !cursor_done(&c) || !count || count > WORDS_MAX) {
        malformed(f, "ERRAND");
        return;
    }
    e = errand_new(self, (int)count, words);
    e->asker = f->origin;
    e->asker_handle = f->sender;
    e->trace = f->trace;
    begin_soon(e);
}

static void take_answer(struct sm *sm, const struct frame *f, unsigned by, const char *kind)
{
    struct cursor  c = { f->body, false };
    enum zerr      err = take_err(&c);
    struct slice   reason = take_sized(&c);
    struct errand *e = handles_get(sm->errands->all, f->handle);
    char          *text;

    if (f->origin.role != by || c.bad) {
        malformed(f, kind);
        return;
    }
    if (!e || e->asker.role)
        return;                      /* too late */
    text = xstrndup(reason);
    on_answered(e, c.rest, err, text);
    free(text);
}

void on_errand_done(void *self, const struct frame *f)
{
    take_answer(self, f, ROLE_SM, "ERRAND_DONE");
}

void on_planned(void *self, const struct frame *f)
{
    take_answer(self, f, ROLE_ROUTERD, "PLANNED");
}
