/* IQs between occupants (XEP-0045 17.4): passed on with occupant JIDs on both sides, the answer routed back;
 * the self-ping of XEP-0410. */

#include <stdlib.h>

#include "jid.h"
#include "ns.h"
#include "request.h"
#include "stanza_error.h"
#include "xml_write.h"

enum { FORWARD_PATIENCE_MS = 120000, FORWARDED_MAX = 10000 };

/* One question on its way. */
struct forwarded {
    struct keep  keep;
    struct muc  *muc;
    struct slice asker;                /* full JID; all owned */
    struct slice asked_jid;            /* the occupant JID he asked */
    struct slice id;
    struct slice target;               /* the real JID that was asked */
    uint64_t     number, trace;
};

static void forwarded_free(struct forwarded *q)
{
    keep_drop(q->muc, &q->keep);
    table_remove(q->muc->questions, slice_of(&q->number, sizeof(q->number)));
    free((void *)q->asker.p);
    free((void *)q->asked_jid.p);
    free((void *)q->id.p);
    free((void *)q->target.p);
    free(q);
}

/* The answer (struct stanza), or nothing in time. */
static void answered(void *owner, const void *answer, enum zerr why)
{
    struct forwarded    *q = owner;
    const struct stanza *from = answer;
    struct stanza        s = { .name = STANZA_IQ, .type = TYPE_ERROR, .from = q->asked_jid, .to = q->asker, .id = q->id };
    struct outcome      *o = outcome_begin(q->muc, NULL, q->trace);
    struct buf           content = { 0 };

    if (from) {
        s.type = from->type;
        s.lang = from->lang;
        s.content = from->content;
    }
    if (!s.content.len && s.type == TYPE_ERROR) {
        stanza_error_write(&content, from ? ZE_UNAVAILABLE : why, NULL, (struct slice){ 0 });
        s.content = buf_slice(&content);
    }
    outcome_send(o, &s);
    outcome_end(&o);
    buf_free(&content);
    forwarded_free(q);
}

/* What the account's server answers, not the client: vCards and PEP. */
static bool answered_by_account(const struct stanza *s)
{
    return slice_is(s->payload_ns, NS_VCARD) || slice_is(s->payload_ns, "http://jabber.org/protocol/pubsub");
}

static void pass_on(struct request *r, const struct occupant *to)
{
    struct forwarded *q = xcalloc(1, sizeof(*q));
    struct stanza     s = r->s;
    struct buf        id = { 0 };

    q->muc = r->muc;
    q->trace = r->out->trace;
    slice_own(&q->asker, r->s.from);
    slice_own(&q->asked_jid, r->s.to);
    slice_own(&q->id, r->s.id);
    slice_own(&q->target, answered_by_account(&s) ? to->bare : to->main->jid);
    q->number = pending_add(r->muc->forwarded, q, answered, FORWARD_PATIENCE_MS);
    table_put(r->muc->questions, slice_of(&q->number, sizeof(q->number)), q);
    keep_mark(r->muc, &q->keep, KEEP_QUESTION);
    buf_printf(&id, "%llu", (unsigned long long)q->number);
    s.id = buf_slice(&id);
    s.from = r->session->occupant->jid;
    s.to = q->target;
    if (!outcome_send(r->out, &s))
        pending_answer(r->muc->forwarded, q->number, &(struct stanza){ .name = STANZA_IQ, .type = TYPE_ERROR });
    buf_free(&id);
}

void forward_forget_all(struct muc *m)
{
    for (struct table_iter i = { 0 }; table_next(m->questions, &i);) {
        pending_forget(m->forwarded, i.value);
        forwarded_free(i.value);
    }
}

enum zerr forward_iq(struct request *r)
{
    struct occupant *to = r->room ? room_occupant(r->room, r->nick) : NULL;
    enum zerr        err = ZE_OK;

    if (!r->session)                   /* 6.6: disco; XEP-0410 3: anything else */
        return slice_is(r->s.payload_ns, NS_DISCO_INFO) || slice_is(r->s.payload_ns, NS_DISCO_ITEMS)
                   ? ZE_BAD_REQUEST
                   : ZE_NOT_ACCEPTABLE;
    if (!to)
        return ZE_NOT_FOUND;
    if (to == r->session->occupant && r->s.type == TYPE_GET && slice_is(r->s.payload_ns, NS_PING)) {
        request_answer(r);             /* XEP-0410 4 */
        return ZE_OK;
    }
    err = request_rate(r, 1);
    if (!err && pending_count(r->muc->forwarded) >= FORWARDED_MAX)
        err = ZE_FULL;
    if (!err)
        pass_on(r, to);
    return err;
}

static bool parse_number(struct slice text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || i == 19)
            return false;
        *out = *out * 10 + (uint64_t)(text.p[i] - '0');
    }
    return text.len > 0;
}

/* An answer, or an error that came back: only from who was asked. */
enum zerr forward_reply(struct request *r)
{
    struct forwarded *q;
    uint64_t          number;

    if (!parse_number(r->s.id, &number))
        return ZE_OK;
    q = table_get(r->muc->questions, slice_of(&number, sizeof(number)));
    if (q && slice_eq(q->target, r->s.from))
        pending_answer(r->muc->forwarded, number, &r->s);
    return ZE_OK;
}

/* ---- the row: u8 format, u64 number, u64 trace, sized asker, asked JID, id, target ---- */

enum { ROW_FORMAT = 1 };

static bool question_row(const struct keep *k, struct buf *row)
{
    const struct forwarded *q = LIST_OWNER(k, struct forwarded, keep);

    buf_put_u8(row, ROW_FORMAT);
    buf_put_u64(row, q->number);
    buf_put_u64(row, q->trace);
    buf_put_sized(row, q->asker);
    buf_put_sized(row, q->asked_jid);
    buf_put_sized(row, q->id);
    buf_put_sized(row, q->target);
    return true;
}

/* The answer has the whole patience once more: how much of it was left nobody knows. */
static bool question_again(struct muc *m, uint64_t number, struct cursor *c)
{
    struct forwarded *q = xcalloc(1, sizeof(*q));
    uint8_t           format = take_u8(c);

    q->muc = m;
    q->number = take_u64(c);
    q->trace = take_u64(c);
    slice_own(&q->asker, take_sized(c));
    slice_own(&q->asked_jid, take_sized(c));
    slice_own(&q->id, take_sized(c));
    slice_own(&q->target, take_sized(c));
    if (!cursor_done(c) || format != ROW_FORMAT || !q->number) {
        forwarded_free(q);
        return false;
    }
    keep_again(m, &q->keep, KEEP_QUESTION, number);
    pending_again(m->forwarded, q->number, q, answered, FORWARD_PATIENCE_MS);
    table_put(m->questions, slice_of(&q->number, sizeof(q->number)), q);
    return true;
}

const struct keep_row keep_question = { question_row, question_again };
