/* What becomes of stanzas that a client never acknowledged when its session ends (resume.h): XEP-0198 4
 * wants them treated as if they came for a resource that is not there, RFC 6121 8.5.3.2. They have passed
 * the features and the archive: only delivery is done again. */

#include "resume_inner.h"

#include "carbons.h"
#include "delay.h"
#include "deliver.h"
#include "jid.h"
#include "log.h"
#include "stats.h"

struct resume *resume_leave(struct session *s)
{
    struct resume *r = s->resume;

    s->resume = NULL;
    if (r && r->resumable)
        ended_put(r->sm->resumes->ended, slice_str(r->id), session_bare(s), r->paid + r->owed_count,
                  (size_t)r->sm->settings->limits.resume_remembered);
    return r;
}

/* A message to the bare JID went to every session that was receptive then: who is it still has it. */
static bool others_have_it(const struct sm *sm, struct slice owner, uint32_t epoch)
{
    const struct online *account = session_online(sm->sessions, owner);

    if (!account)
        return false;
    ONLINE_EACH(account, node, s)
        if (s->available && s->priority >= 0 && (int32_t)(s->receptive - epoch) <= 0)
            return true;
    return false;
}

static void stamp(struct passage *p)
{
    struct stanza *s = p->stanza;
    struct online *account = session_online(p->sm->sessions, p->owner);
    struct buf     content = { 0 };

    if (s->name != STANZA_MESSAGE || s->flags & STANZA_HAS_DELAY || !account || !online_receptive(account))
        return;             /* what is stored gets its stamp when it is handed out */
    buf_put_slice(&content, s->content);
    delay_write(&content, jid_domain(p->owner), p->again_us);
    s->content = outcome_keep(p->out, &content);
    s->flags |= STANZA_HAS_DELAY;
}

static bool is_done(const struct sm *sm, const struct stanza *s, const struct again *a)
{
    return s->name == STANZA_MESSAGE &&
           (s->flags & STANZA_COPY || (jid_is_bare(s->to) ? others_have_it(sm, jid_bare(s->to), a->epoch)
                                                          : carbons_took(sm, s, a->epoch, a->sent_us)));
}

void resume_again(struct sm *sm, struct stanza *s, const struct again *a)
{
    struct passage p = {
        .sm = sm, .owner = jid_bare(s->to), .exists = a->exists, .stanza = s, .again_us = a->sent_us, .told = a->told,
        .told_client = a->client,
    };
    int did;

    if (is_done(sm, s, a))
        return;
    p.out = outcome_new(sm, p.owner, a->trace);
    outcome_request(p.out, s);
    stamp(&p);
    did = deliver(&p);
    if (did < 0)
        outcome_refuse(p.out, AHEAD, s, (enum zerr)did, NULL);
    log_debug("stanza_again", "trace", log_hex(a->trace), "to", log_slice(s->to), "err",
              did < 0 ? err_name(did) : "ok", NULL);
    outcome_settle(&p.out);
}

/* Presence and answers are of no use to anybody else; what the account asked itself (a roster push) needs
 * no answer; what waited offline still does. */
static bool worth_another_way(const struct stanza *s)
{
    if (s->name == STANZA_MESSAGE)
        return s->type != TYPE_ERROR && !(s->flags & STANZA_WAITS);
    return s->name == STANZA_IQ && (s->type == TYPE_GET || s->type == TYPE_SET) && s->from.len &&
           !slice_eq(s->from, jid_bare(s->to));
}

static struct stanza copy_of(struct arena *arena, const struct stanza *s)
{
    struct stanza c = *s;

    c.from = arena_copy(arena, s->from);
    c.to = arena_copy(arena, s->to);
    c.id = arena_copy(arena, s->id);
    c.lang = arena_copy(arena, s->lang);
    c.payload_ns = arena_copy(arena, s->payload_ns);
    c.payload_name = arena_copy(arena, s->payload_name);
    c.content = arena_copy(arena, s->content);
    return c;
}

void resume_another_way(struct passage *p, const struct queued *q, struct slice full, const struct told *told)
{
    uint64_t       tag = kept_tag(q->kept);
    struct stanza *copy = arena_alloc(p->sm->arena, sizeof(*copy));
    struct frame   f;
    struct stanza  s;

    if (q->answered || !resume_stanza(q, full, &s, &f) || !worth_another_way(&s))
        return;
    *copy = copy_of(p->sm->arena, &s);
    resume_again(p->sm, copy, &(struct again){
        .exists = p->exists, .epoch = (uint32_t)tag, .sent_us = resume_tag_us(tag), .trace = f.trace,
        .told = told_of(told, f.trace), .client = jid_resource(full),
    });
}

void resume_end(struct passage *p, struct resume **left, struct slice full)
{
    struct resume *r = *left;

    for (uint32_t i = 0; r && i < r->queue_count; i++)
        resume_another_way(p, &r->queue[r->queue_first + i], full, r->told);
    resume_free(p->sm, left);
}
