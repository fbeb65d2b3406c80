/* Who is told of what (push.h): registrations by the state of their client, each message once. */

#include "push_inner.h"

#include "archive_rules.h"
#include "carbons.h"
#include "jid.h"
#include "ns.h"
#include "resume_inner.h"

static bool sleeps(const struct session *s)
{
    return s->inactive || resume_hibernates(s);
}

struct audience {
    struct outcome       *out;         /* of the owner */
    struct slice          owner;
    const struct online  *account;     /* NULL: nobody is here */
    const struct session *only;        /* its client alone; NULL: everybody's */
    enum deliver_action   action;
    const struct session *match;
    bool                  copies, awake;
    enum told_who         told;        /* before: the registrations of told_client, or all */
    struct slice          told_client;
    struct push_news      news;
    unsigned              pushed;      /* registrations */
};

static bool is_told(const struct audience *a, const struct session *s)
{
    return s == a->only || deliver_reaches(s, a->action, a->match) || (a->copies && s->carbons);
}

static bool anybody_awake(const struct audience *a)
{
    if (a->account)
        ONLINE_EACH(a->account, node, s)
            if (is_told(a, s) && !sleeps(s))
                return true;
    return false;
}

static bool anybody_asleep(const struct audience *a)
{
    if (a->account)
        ONLINE_EACH(a->account, node, s)
            if (is_told(a, s) && sleeps(s))
                return true;
    return false;
}

static const struct session *session_of(const struct online *account, struct slice resource)
{
    if (account)
        ONLINE_EACH(account, node, s)
            if (slice_eq(session_resource(s), resource))
                return s;
    return NULL;
}

bool push_client_awake(const struct sm *sm, struct slice owner, const struct registration *r)
{
    const struct session *s = session_of(session_online(sm->sessions, owner), r->resource);

    return s && !sleeps(s);
}

static void decide(void *arg, const struct registration *r)
{
    struct audience      *a = arg;
    const struct session *s = session_of(a->account, r->resource);
    enum push_client      client = !s ? CLIENT_AWAY : sleeps(s) ? CLIENT_ASLEEP : CLIENT_AWAKE;
    struct push_verdict   v = push_verdict(client, s && is_told(a, s), a->awake);

    if (a->only && s != a->only)
        return;
    if (a->told == TOLD_CLIENT && slice_eq(r->resource, a->told_client))
        v = (struct push_verdict){ false, "told before" };
    if (v.push) {
        a->pushed++;
        push_notify(a->out, r, &a->news, v.why);
    } else {
        push_note(outcome_sm(a->out), a->owner, r, "not sent", v.why);
    }
}

/* What is in a queue from now on (told.h). */
static void mark(struct session *s, uint64_t trace, enum told_who who)
{
    if (!s->resume)
        return;
    told_add(&s->resume->told, trace, who);
    session_changed(s);
}

static void mark_all(const struct audience *a)
{
    if (a->account && a->pushed)
        ONLINE_EACH(a->account, node, s)
            if (is_told(a, s) && sleeps(s))
                mark(s, outcome_trace(a->out), a->awake || a->only ? TOLD_CLIENT : TOLD_EVERYBODY);
}

/* To those of one client, in an outcome of their own. */
static void tell_client(struct sm *sm, struct audience *a, uint64_t trace)
{
    a->owner = arena_copy(sm->arena, session_bare(a->only));
    a->out = outcome_new(sm, a->owner, trace);
    push_each(sm, a->owner, decide, a);
    outcome_settle(&a->out);
}

static struct push_news news_of(const struct sm *sm, const struct stanza *s)
{
    struct xml_limits     limits = sm_xml_limits(sm);
    struct push_news      news = { .sender = s->from, .count = 1 };
    const struct element *root = NULL;

    if (sm->settings->server.push_body && s->flags & STANZA_HAS_BODY && !(s->flags & STANZA_ENCRYPTED))
        root = xml_parse_content(sm->arena, s->content, NS_CLIENT, &limits);
    if (root)
        news.body = element_child_text(sm->arena, root, "body");
    return news;
}

/* Stored means for a message to nobody who is here: one that waits, or is in the archive. */
static bool is_kept(const struct passage *p, enum deliver_action action)
{
    return action != ACT_STORE || p->note || archive_verdict(ARCHIVE_OF_ACCOUNT, p->stanza).offline;
}

void push_consider(struct passage *p, enum deliver_action action, const struct session *match)
{
    const struct stanza *s = p->stanza;
    struct audience      a = {
        .out = p->out, .owner = p->owner, .account = session_online(p->sm->sessions, p->owner),
        .action = action, .match = match, .copies = carbon_verdict(CARBON_RECEIVED, s) == CARBON_YES,
        .told = p->told, .told_client = p->told_client,
    };

    /* What a room says is for who is there. */
    if (s->type == TYPE_GROUPCHAT)
        a.only = match;
    if (!p->exists || s->name != STANZA_MESSAGE || !push_worthy(s) || slice_eq(jid_bare(s->from), p->owner) ||
        !is_kept(p, action) || p->told == TOLD_EVERYBODY)
        return;
    a.awake = anybody_awake(&a);
    if (a.awake && !anybody_asleep(&a))
        return;
    a.news = news_of(p->sm, s);
    push_each(p->sm, p->owner, decide, &a);
    mark_all(&a);
}

void push_fanned(struct outcome *o, struct session *s, const struct stanza *stanza)
{
    struct audience a = { .account = s->account, .only = s, .action = ACT_DROP };

    if (!sleeps(s) || !push_worthy(stanza))
        return;
    a.news = news_of(outcome_sm(o), stanza);
    tell_client(outcome_sm(o), &a, outcome_trace(o));
    if (a.pushed)
        mark(s, outcome_trace(o), TOLD_CLIENT);
}

/* From somebody else, and not told of yet. */
static bool is_news(const struct session *s, const struct stanza *stanza, uint64_t trace)
{
    return push_worthy(stanza) && !slice_eq(jid_bare(stanza->from), session_bare(s)) &&
           told_of(s->resume->told, trace) == TOLD_NOBODY;
}

/* Of `count` messages, to those of the client of a session. */
static bool tell_of(struct sm *sm, struct session *s, const struct stanza *last, unsigned count)
{
    struct audience a = { .account = s->account, .only = s, .action = ACT_DROP };

    a.news = news_of(sm, last);
    a.news.count = count;
    tell_client(sm, &a, 0);
    return a.pushed > 0;
}

void push_sleeps(struct sm *sm, struct session *s)
{
    const struct resume *r = s->resume;
    struct stanza        stanza, last = { 0 };
    struct buf           traces = { 0 };
    struct frame         f;
    unsigned             count = 0;

    for (uint32_t i = 0; i < r->queue_count; i++)
        if (resume_stanza(&r->queue[r->queue_first + i], session_jid(s), &stanza, &f) && is_news(s, &stanza, f.trace)) {
            buf_put_u64(&traces, f.trace);
            last = stanza;
            count++;
        }
    if (count && tell_of(sm, s, &last, count))
        for (struct cursor c = { buf_slice(&traces), false }; c.rest.len;)
            mark(s, take_u64(&c), TOLD_CLIENT);
    buf_free(&traces);
}

void push_slept(struct sm *sm, struct session *s, const struct frame *f)
{
    struct stanza stanza = f->stanza;

    stanza.content = f->body;
    if (is_news(s, &stanza, f->trace) && tell_of(sm, s, &stanza, 1))
        mark(s, f->trace, TOLD_CLIENT);
}

/* It goes to those who are available (RFC 6121 3.1.3), and to nobody's disadvantage if some of them sleep. */
void push_requested(struct passage *p, unsigned waiting)
{
    struct audience a = {
        .out = p->out, .owner = p->owner, .account = session_online(p->sm->sessions, p->owner),
        .action = ACT_AVAILABLE, .news = { .requests = waiting },
    };

    a.awake = anybody_awake(&a);
    if (!a.awake || anybody_asleep(&a))
        push_each(p->sm, p->owner, decide, &a);
}
