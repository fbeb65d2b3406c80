/* IQs that the server answers itself: the row, the handler, exactly one reply (RFC 6120 8.2.3). */

#include <stdlib.h>

#include "feature.h"
#include "jid.h"
#include "ns.h"
#include "outcome_live.h"
#include "stanza_error.h"

const struct element *passage_content(const struct passage *p)
{
    struct xml_limits limits = sm_xml_limits(p->sm);

    return xml_parse_content(p->sm->arena, p->stanza->content, NS_CLIENT, &limits);
}

const struct element *passage_element(const struct passage *p, struct slice xml)
{
    struct xml_limits     limits = sm_xml_limits(p->sm);
    const struct element *root =
        xml.len ? xml_parse_content(p->sm->arena, arena_copy(p->sm->arena, xml), NS_CLIENT, &limits) : NULL;

    return root ? root->children : NULL;
}

static bool row_takes(const struct iq_row *row, const struct stanza *s, unsigned type, unsigned target)
{
    return row->types & type && row->targets & target && slice_is(s->payload_ns, row->ns) &&
           (!row->element || slice_is(s->payload_name, row->element));
}

static const struct iq_row *iq_find(const struct sm *sm, const struct stanza *s, unsigned type, unsigned target)
{
    for (size_t i = 0; i < sm_feature_count; i++)
        for (const struct iq_row *row = sm_features[i]->iqs; row && row->types; row++)
            if (row_takes(row, s, type, target) && feature_on(sm_features[i], sm))
                return row;
    return NULL;
}

/* The result: from whom it was asked; an IQ without `to` was for the own account (RFC 6120 8.1.2.1). */
static void result_send(struct passage *p, struct slice content)
{
    struct stanza s = {
        .name = STANZA_IQ, .type = TYPE_RESULT, .id = p->stanza->id, .to = p->stanza->from,
        .from = p->stanza->to.len ? p->stanza->to : p->owner, .content = content,
    };

    if (p->session)
        outcome_session(p->out, AFTER_COMMIT, p->session, &s);
    else
        outcome_route(p->out, AFTER_COMMIT, &s);
}

void iq_reply_now(struct passage *p)
{
    result_send(p, slice_of("", 0));
}

void iq_reply_with(struct passage *p, struct slice content)
{
    result_send(p, content);
}

static int handle(struct passage *p, const struct iq_row *row, unsigned type, unsigned target)
{
    const struct element *root = passage_content(p);
    struct buf            content = { 0 };
    struct xml_writer     reply;
    struct iq             iq = { p, type, target, NULL, &reply };
    int                   err;

    iq.payload = root ? element_child(root, row->ns, row->element) : NULL;
    if (!iq.payload)
        return ZE_BAD_REQUEST;
    xml_begin(&reply, &content, NS_CLIENT);
    err = row->handle(&iq);
    if (err == ZE_OK)
        result_send(p, outcome_keep(p->out, &content));
    buf_free(&content);
    return err < 0 ? err : TAKEN;
}

int iq_serve(struct passage *p, unsigned target)
{
    const struct stanza *s = p->stanza;
    unsigned             type = s->type == TYPE_GET ? IQ_GET : s->type == TYPE_SET ? IQ_SET : 0;
    const struct iq_row *row;

    if (!type)
        return TAKEN;                /* nothing here waits for an answer */
    row = iq_find(p->sm, s, type, target);
    return row ? handle(p, row, type, target) : ZE_NO_SUCH;
}

/* ---- later ---- */

static size_t deferred;

size_t iq_deferred(void)
{
    return deferred;
}

struct iq_later {
    struct sm *sm;
    uint64_t   trace;
    uint64_t   promise;              /* an error, should this process die meanwhile */
    char      *owner, *from, *to, *id;
};

/* RFC 6120 8.2.3: exactly one answer, also when the one who was to give it is killed. */
static uint64_t promise_answer(struct sm *sm, const struct stanza *asked, uint64_t trace)
{
    struct buf    content = { 0 };
    struct stanza reply;
    struct frame  f = frame_make(FRAME_STANZA);
    uint64_t      promise = 0;

    f.trace = trace;
    if (stanza_error_reply(asked, ZE_INTERNAL, "The server was restarted; try again", &content, &reply)) {
        f.stanza = reply;
        f.body = reply.content;
        if (routes_find(sm->routes, reply.to, &f.dest, &f.generation) == ZE_OK)
            promise = promise_make(sm, &f);
    }
    buf_free(&content);
    return promise;
}

struct iq_later *iq_defer(const struct iq *iq)
{
    struct iq_later     *later = xcalloc(1, sizeof(*later));
    const struct stanza *s = iq->p->stanza;

    deferred++;
    later->sm = iq->p->sm;
    later->trace = outcome_trace(iq->p->out);
    later->owner = xstrndup(iq->p->owner);
    later->from = xstrndup(s->from);
    later->to = xstrndup(s->to.len ? s->to : iq->p->owner);
    later->id = xstrndup(s->id);
    later->promise = promise_answer(later->sm, s, later->trace);
    return later;
}

int iq_error(const struct iq *iq, enum zerr err, const char *ns, const char *condition)
{
    outcome_detail(iq->p->out, &(struct error_detail){ .ns = ns, .condition = condition });
    return err;
}

static void answer(struct iq_later **lp, enum zerr err, const struct error_detail *detail, struct slice content)
{
    struct iq_later *l = *lp;
    struct outcome  *o = outcome_new(l->sm, slice_str(l->owner), l->trace);
    struct stanza    s = {
        .name = STANZA_IQ, .type = TYPE_RESULT, .id = slice_str(l->id),
        .to = slice_str(l->from), .from = slice_str(l->to), .content = content,
    };
    struct stanza    asked = {
        .name = STANZA_IQ, .type = TYPE_SET, .id = s.id, .from = s.to, .to = s.from,
    };

    outcome_detail(o, detail);
    if (err)
        outcome_refuse(o, AFTER_COMMIT, &asked, err, NULL);
    else
        outcome_route(o, AFTER_COMMIT, &s);
    outcome_settle(&o);
    promise_kept(l->sm, &l->promise);
    deferred--;
    free(l->owner);
    free(l->from);
    free(l->to);
    free(l->id);
    free(l);
    *lp = NULL;
}

void iq_answer(struct iq_later **later, enum zerr err, struct slice content)
{
    answer(later, err, &(struct error_detail){ 0 }, content);
}

void iq_answer_error(struct iq_later **later, enum zerr err, const struct error_detail *detail)
{
    answer(later, err, detail, slice_of("", 0));
}
