/* Executions of XEP-0133 (admin.h): from the form to questions for one or more instances, and their answers. */

#include <stdio.h>
#include <stdlib.h>

#include "admin.h"
#include "errand.h"
#include "jid.h"
#include "log.h"
#include "ns.h"

enum { JIDS_MAX = 100, WORDS_MAX = 6, LIST_MAX = 1000, LIST_USUAL = 100, DAY_S = 86400 };

/* ---- values ---- */

static struct slice lines_of(struct arena *arena, const struct element *field)
{
    struct buf   text = { 0 };
    struct slice all;

    for (const struct element *v = element_child(field, NS_DATA, "value"); v; v = element_next(v, NS_DATA, "value")) {
        if (buf_len(&text))
            buf_put_u8(&text, '\n');
        buf_put_slice(&text, element_text(arena, v));
    }
    all = arena_copy(arena, buf_slice(&text));
    buf_free(&text);
    return all;
}

bool admin_value(struct arena *arena, const struct element *form, const struct admin_field *field, struct slice *out)
{
    const struct element *given = form_field(form, field->var);

    *out = slice_of("", 0);
    if (given)
        *out = strcmp(field->type, "text-multi") == 0 ? lines_of(arena, given) : form_value(arena, form, field->var);
    return out->len > 0;
}

static const struct admin_field *field_of(const struct admin_spec *spec, const char *var)
{
    const struct admin_field *f = spec->fields;

    while (f && f->var && strcmp(f->var, var) != 0)
        f++;
    return f && f->var ? f : NULL;
}

/* A JID of the domain asked, as it is stored. Sessions may be named too. */
static int read_jid(const struct command_call *call, struct slice raw_jid, bool full_too, struct slice *out)
{
    struct passage *p = call->iq->p;
    struct jid     *jid = arena_alloc(p->sm->arena, sizeof(*jid));

    if (jid_parse(raw_jid, jid) || !jid->local_len || (!full_too && !jid_is_bare(jid_slice(jid))))
        return ZE_BAD_REQUEST;
    if (!slice_eq(jid_domain(jid_slice(jid)), p->stanza->to))
        return ZE_FORBIDDEN;
    *out = jid_slice(jid);
    return ZE_OK;
}

static int read_most(struct slice text, size_t *out)
{
    uint64_t n = LIST_USUAL;

    if (slice_is(text, "none"))
        n = LIST_MAX;
    else if (text.len && (!form_number(text, UINT32_MAX, &n) || !n))
        return ZE_BAD_REQUEST;
    *out = n < LIST_MAX ? n : LIST_MAX;
    return ZE_OK;
}

/* ---- answers ---- */

static void take_rows(struct admin_job *job, struct slice rows)
{
    while (rows.len) {
        const uint8_t *end = memchr(rows.p, '\n', rows.len);
        size_t         len = end ? (size_t)(end - rows.p) : rows.len;
        json_t        *row = json_loadb((const char *)rows.p, len, JSON_ALLOW_NUL, NULL);

        if (json_is_object(row))
            json_array_append(job->rows, row);
        json_decref(row);
        rows = slice_cut(rows, end ? len + 1 : len, rows.len);
    }
}

static void write_result(struct xml_writer *w, void *arg)
{
    struct admin_job *job = arg;
    struct slice      left = buf_slice(&job->failures);

    if (job->spec->report && json_array_size(job->rows))
        job->spec->report(w, job);
    while (left.len) {
        size_t len = (size_t)((const uint8_t *)memchr(left.p, '\n', left.len) - left.p);
        char  *line = xstrndup(slice_cut(left, 0, len));

        command_note(w, "error", line);
        free(line);
        left = slice_cut(left, len + 1, left.len);
    }
    if (!job->failed)
        command_note(w, "info", "Done");
}

/* XEP-0133 6: what failed as a whole is an error; of several, those that failed are told in notes. */
static void job_end(struct admin_job *job)
{
    if (job->failed == job->asked && !json_array_size(job->rows))
        command_fail(&job->later, job->err, job->reason);
    else
        command_complete(&job->later, write_result, job);
    json_decref(job->rows);
    buf_free(&job->failures);
    free(job->reason);
    free(job);
}

struct question {
    struct admin_job *job;
    char             *about;
};

static void on_answer(void *arg, struct slice rows, enum zerr err, const char *reason)
{
    struct question  *q = arg;
    struct admin_job *job = q->job;

    take_rows(job, rows);
    if (err) {
        job->failed++;
        buf_printf(&job->failures, "%s: %s\n", q->about, reason);
        if (!job->err) {
            job->err = err;
            job->reason = xstrdup(reason);
        }
    }
    free(q->about);
    free(q);
    if (--job->waiting == 0)
        job_end(job);
}

/* ---- questions ---- */

static struct question *question_new(struct admin_job *job, struct slice about)
{
    struct question *q = xcalloc(1, sizeof(*q));

    q->job = job;
    q->about = xstrndup(about);
    job->asked++;
    job->waiting++;
    return q;
}

static void ask_one(struct admin_job *job, const struct route_instance *where, struct slice about, int count,
                    const struct slice *words)
{
    errand_run(job->sm, where, count, words, on_answer, question_new(job, about));
}

static void ask_all(struct admin_job *job, int count, const struct slice *words)
{
    const struct route_instance *at;

    for (size_t i = 0; (at = routes_at(job->sm->routes, i)); i++)
        if (at->role == ROLE_SM && at->member & MEMBER_NOW)
            ask_one(job, at, slice_str(at->name), count, words);
}

static void ask_router(struct admin_job *job, int count, const struct slice *words)
{
    errand_run_router(job->sm, count, words, on_answer, question_new(job, SLICE("routerd")));
}

static void ask_owner(struct admin_job *job, struct slice of, int count, const struct slice *words)
{
    ask_one(job, routes_slot_owner(job->sm->routes, ROLE_SM, slot_of(jid_bare(of))), of, count, words);
}

/* What was filled in, checked before anybody is asked. */
struct filled {
    const struct command_call *call;
    const struct admin_spec   *spec;
    struct slice               jid[JIDS_MAX];
    unsigned                   jids;
    size_t                     most;
};

static int read_jids(struct filled *f, const struct admin_field *field)
{
    struct arena         *arena = f->call->iq->p->sm->arena;
    const struct element *given = form_field(f->call->form, field->var), *v;
    int                   err = ZE_OK;

    for (v = given ? element_child(given, NS_DATA, "value") : NULL; v && !err; v = element_next(v, NS_DATA, "value")) {
        if (f->jids == JIDS_MAX)
            return ZE_NOT_ACCEPTABLE;
        err = read_jid(f->call, element_text(arena, v), strcmp(f->spec->words[0], "kick") == 0, &f->jid[f->jids]);
        f->jids++;
    }
    return err ? err : f->jids ? ZE_OK : ZE_BAD_REQUEST;
}

static int read_field(struct filled *f, const struct admin_field *field)
{
    struct slice value, password;
    uint64_t     seconds;

    if (strncmp(field->type, "jid-", 4) == 0)
        return read_jids(f, field);
    if (!admin_value(f->call->iq->p->sm->arena, f->call->form, field, &value) && !field->optional)
        return ZE_BAD_REQUEST;
    if (strcmp(field->var, "max_items") == 0)
        return read_most(value, &f->most);
    if (strcmp(field->var, "delay") == 0 && value.len && !form_number(value, DAY_S, &seconds))
        return ZE_BAD_REQUEST;
    password = form_value(f->call->iq->p->sm->arena, f->call->form, "password");
    if (strcmp(field->var, "password-verify") == 0 && value.len && !slice_eq(value, password))
        return ZE_BAD_REQUEST;
    return ZE_OK;
}

static int read_form(struct filled *f)
{
    int err = f->spec->fields && !f->call->form ? ZE_BAD_REQUEST : ZE_OK;

    for (const struct admin_field *field = f->spec->fields; field && field->var && !err; field++)
        err = read_field(f, field);
    return err;
}

static struct slice word_of(const struct filled *f, const char *word, unsigned n)
{
    struct sm               *sm = f->call->iq->p->sm;
    const struct admin_field *field = field_of(f->spec, word + 1);
    struct slice             value = { 0 };

    if (strcmp(word, "@") == 0)
        return f->call->iq->p->stanza->to;
    if (word[0] == '*' || strcmp(word, "$accountjid") == 0)
        return f->jid[n];
    if (strcmp(word, "$max_items") == 0)
        return slice_str(arena_printf(sm->arena, "%zu", f->most + 1));      /* one more tells that there are more */
    if (word[0] == '$') {
        if (field && !admin_value(sm->arena, f->call->form, field, &value) && field->usual)
            value = slice_str(field->usual);
        return value;
    }
    return slice_str(word);
}

static void ask(struct admin_job *job, const struct filled *f, const char *const *spec, unsigned n)
{
    struct slice words[WORDS_MAX];
    int          count = 0;

    for (; spec[count] && count < WORDS_MAX; count++)
        words[count] = word_of(f, spec[count], n);
    if (job->spec->where == AT_ALL)
        ask_all(job, count, words);
    else if (job->spec->where == AT_ROUTER)
        ask_router(job, count, words);
    else
        ask_owner(job, job->spec->where == AT_OWNER ? f->jid[n] : f->call->iq->p->stanza->to, count, words);
}

int admin_job_start(const struct command_call *call, const struct admin_spec *spec)
{
    struct sm        *sm = call->iq->p->sm;
    struct filled    *f = arena_alloc(sm->arena, sizeof(*f));
    struct admin_job *job;
    int               err;

    *f = (struct filled){ .call = call, .spec = spec, .most = LIST_USUAL };
    err = read_form(f);
    if (err)
        return err;
    log_info("command_executed", "jid", log_slice(call->iq->p->owner), "kind", spec->words[0], "domain",
             log_slice(call->iq->p->stanza->to), NULL);
    job = xcalloc(1, sizeof(*job));
    *job = (struct admin_job){ .sm = sm, .spec = spec, .rows = json_array(), .most = f->most };
    job->later = command_defer(call);
    for (unsigned n = 0; n < (f->jids ? f->jids : 1); n++) {
        ask(job, f, spec->words, n);
        if (spec->second)
            ask(job, f, spec->second, n);
    }
    if (!job->waiting)
        job_end(job);
    return LATER;
}
