/* Questions about capabilities (XEP-0115 5.4, 6.2; XEP-0390 4.4): one disco#info at a time for one
 * verification string, whoever shows it. Who answers something else is believed for itself only, and the
 * next one is asked. Questions die with the process; who waited is asked again with its next presence, or
 * when somebody wants to know (caps_wants). */

#include "caps_inner.h"

#include <stdlib.h>

#include "encode.h"
#include "jid.h"
#include "log.h"
#include "ns.h"

enum { PATIENCE_MS = 30000 };

struct waiter {
    struct waiter *next;
    char          *full, *owner;
};

struct question {
    struct caps      *caps;
    struct caps_text *text;
    struct waiter    *waiters, **end;      /* the first one has been asked */
    struct timer      timer;
    char              id[RANDOM_ID];
};

static void waiter_free(struct caps *c, struct waiter *w)
{
    c->waiting--;
    free(w->full);
    free(w->owner);
    free(w);
}

static void question_free(struct question *q)
{
    struct caps *c = q->caps;

    timer_disarm(&q->timer);
    table_remove(c->questions, q->text->key);
    table_remove(c->ids, slice_str(q->id));
    for (struct waiter *w = q->waiters, *next; w; w = next) {
        next = w->next;
        waiter_free(c, w);
    }
    free(q->text);
    free(q);
}

void caps_ask_free(struct caps *c)
{
    for (struct table_iter i = { 0 }; table_next(c->questions, &i);)
        question_free(i.value);
}

/* ---- asking ---- */

static void ask_first(struct question *q);

/* Takes those of that JID off the list: it has answered, or does not. */
static struct waiter *take_waiters(struct question *q, const char *full)
{
    struct waiter *taken = NULL, **at = &q->waiters;

    while (*at) {
        struct waiter *w = *at;
        if (strcmp(w->full, full) == 0) {
            *at = w->next;
            w->next = taken;
            taken = w;
        } else {
            at = &w->next;
        }
    }
    q->end = at;
    return taken;
}

static void tell(struct question *q, struct waiter *w, struct blob *nodes)
{
    for (struct waiter *next; w; w = next) {
        next = w->next;
        if (nodes)
            caps_told(q->caps->sm, slice_str(w->owner), slice_str(w->full), q->text, nodes);
        waiter_free(q->caps, w);
    }
}

/* The one asked is done with: what it says (nodes, or NULL) counts for itself only. */
static void on_to_next(struct question *q, struct blob *nodes)
{
    struct waiter *done = q->waiters ? take_waiters(q, q->waiters->full) : NULL;

    tell(q, done, nodes);
    if (q->waiters)
        ask_first(q);
    else
        question_free(q);
}

static void no_answer(void *arg)
{
    struct question *q = arg;

    caps_unanswered++;
    arena_reset(q->caps->sm->arena);
    on_to_next(q, NULL);
}

static void ask_first(struct question *q)
{
    struct sm        *sm = q->caps->sm;
    struct slice      owner = arena_copy(sm->arena, slice_str(q->waiters->owner));
    struct slice      full = arena_copy(sm->arena, slice_str(q->waiters->full));
    struct session   *own = session_by_jid(sm->sessions, full);
    struct outcome   *o = outcome_new(sm, owner, 0);
    struct buf        content = { 0 };
    struct xml_writer w;

    caps_asked++;
    table_remove(q->caps->ids, slice_str(q->id));
    random_id(q->id);
    table_put(q->caps->ids, slice_str(q->id), q);
    xml_begin(&w, &content, NS_CLIENT);
    xml_open(&w, "query", NS_DISCO_INFO);
    xml_attr_slice(&w, "node", q->text->said.node);
    xml_close(&w);
    struct stanza s = {
        .name = STANZA_IQ, .type = TYPE_GET, .from = owner, .to = full,
        .id = arena_copy(sm->arena, slice_str(q->id)), .content = outcome_keep(o, &content),
        .payload_ns = SLICE(NS_DISCO_INFO), .payload_name = SLICE("query"),
    };
    timer_arm(sm->loop, &q->timer, PATIENCE_MS);
    if (own)
        outcome_session(o, AHEAD, own, &s);
    else
        outcome_route(o, AHEAD, &s);
    outcome_settle(&o);
}

static struct question *question_new(struct caps *c, const struct caps_said *said, struct slice full)
{
    struct question *q = xcalloc(1, sizeof(*q));

    q->caps = c;
    q->text = caps_text(said, full);
    q->end = &q->waiters;
    q->timer = (struct timer){ .fire = no_answer, .arg = q };
    table_put(c->questions, q->text->key, q);
    return q;
}

static bool waits_already(const struct question *q, struct slice full, struct slice owner)
{
    for (const struct waiter *w = q->waiters; w; w = w->next)
        if (slice_is(full, w->full) && slice_is(owner, w->owner))
            return true;
    return false;
}

void caps_ask(struct sm *sm, const struct caps_said *said, struct slice full, struct slice owner)
{
    struct caps      *c = sm->caps;
    struct caps_text *t = caps_text(said, full);
    struct question  *q = table_get(c->questions, t->key);
    bool              first = !q;
    struct waiter    *w;

    free(t);
    if (q && waits_already(q, full, owner))
        return;
    if (c->waiting >= (unsigned)sm->settings->limits.caps_waiting) {
        caps_over++;
        return;
    }
    if (!q)
        q = question_new(c, said, full);
    w = xcalloc(1, sizeof(*w));
    w->full = xstrndup(full);
    w->owner = xstrndup(owner);
    *q->end = w;
    q->end = &w->next;
    c->waiting++;
    if (first)
        ask_first(q);
}

/* ---- the answer ---- */

/* What it says; *verified: that is what the verification string stands for. NULL: it says nothing. */
static struct blob *answer_of(struct sm *sm, const struct question *q, const struct stanza *s, bool *verified)
{
    struct xml_limits     limits = sm_xml_limits(sm);
    const struct element *root = xml_parse_content(sm->arena, s->content, NS_CLIENT, &limits);
    const struct element *query = root ? element_child(root, NS_DISCO_INFO, "query") : NULL;
    const struct caps_said *said = &q->text->said;
    struct buf            b = { 0 };
    struct blob          *nodes;

    if (s->type == TYPE_ERROR || !query)
        return NULL;
    *verified = said->format == CAPS_UNVERIFIED ||
                (!caps_hash(sm->arena, query, said->format, said->algorithm, s->lang, &b) &&
                 slice_eq(buf_slice(&b), said->ver));
    buf_reset(&b, 65536);
    caps_nodes(query, &b);
    nodes = blob_copy(buf_slice(&b));
    buf_free(&b);
    return nodes;
}

bool caps_reply(struct sm *sm, struct slice owner, const struct stanza *s)
{
    struct question *q = s->id.len ? table_get(sm->caps->ids, s->id) : NULL;
    bool             verified = false;
    struct blob     *nodes;

    if (!q || !q->waiters || !slice_is(s->from, q->waiters->full) || !slice_is(owner, q->waiters->owner))
        return false;
    nodes = answer_of(sm, q, s, &verified);
    if (nodes && verified) {
        struct waiter *all = q->waiters;
        caps_answered++;
        caps_remember(sm, q->text, nodes);
        q->waiters = NULL;
        tell(q, all, nodes);
        question_free(q);
    } else {
        caps_wrong += nodes != NULL;
        caps_unanswered += !nodes;
        on_to_next(q, nodes);
    }
    blob_unref(&nodes);
    return true;
}
