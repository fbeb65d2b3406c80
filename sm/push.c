/* Registrations of push services, and who is told of what (push.h). */

#include "push_inner.h"

#include "archive.h"
#include "archive_rules.h"
#include "carbons.h"
#include "cursor.h"
#include "data_form.h"
#include "jid.h"
#include "ns.h"
#include "resume_inner.h"

enum { FORMAT = 1, NODE_MAX = 1023 };

#define PUBLISH_OPTIONS NS_PUBSUB "#publish-options"

uint64_t push_sent, push_accepted, push_failed, push_dropped;

static const struct stat_row stats[] = {
    { "push_sent", "notifications sent to push services", &push_sent },
    { "push_accepted", "of them, accepted", &push_accepted },
    { "push_failed", "of them, refused for a while or never answered", &push_failed },
    { "push_dropped", "registrations dropped because their service refused for good", &push_dropped },
    { 0 },
};

/* ---- rows ---- */

static struct slice key_of(const struct sm *sm, struct slice owner, struct slice service, struct slice node)
{
    uint8_t *rest = arena_alloc(sm->arena, service.len + 1 + node.len);

    memcpy(rest, service.p, service.len);
    rest[service.len] = 0;
    if (node.len)
        memcpy(rest + service.len + 1, node.p, node.len);
    return sm_key(sm, owner, slice_of(rest, service.len + 1 + node.len));
}

struct walk {
    struct sm   *sm;
    struct slice prefix;
    void       (*each)(void *arg, const struct registration *r);
    void        *arg;
};

static int walk_row(void *arg, struct slice key, struct slice value)
{
    struct walk   *w = arg;
    struct arena  *arena = w->sm->arena;
    struct slice   rest = arena_copy(arena, sm_key_rest(key, w->prefix));
    struct cursor  c = { value, false };
    const uint8_t *nul = memchr(rest.p, 0, rest.len);
    unsigned       format = take_u8(&c);
    struct slice   resource = take_sized(&c), options = take_sized(&c);

    take_u64(&c);
    if (!nul || format != FORMAT || !cursor_done(&c))
        return 0;
    struct registration r = {
        slice_of(rest.p, (size_t)(nul - rest.p)), slice_of(nul + 1, (size_t)(rest.p + rest.len - nul - 1)),
        arena_copy(arena, resource), arena_copy(arena, options),
    };
    w->each(w->arg, &r);
    return 0;
}

void push_each(struct sm *sm, struct slice owner, void (*each)(void *arg, const struct registration *r), void *arg)
{
    struct walk        w = { sm, sm_key_prefix(sm, owner), each, arg };
    struct store_view *view = store_view(sm->store.accounts);

    store_each(view, T_PUSH, w.prefix, slice_of(NULL, 0), false, walk_row, &w);
    store_view_end(&view);
}

/* ---- enabling (XEP-0357 5) ---- */

struct count {
    const struct registration *wanted;
    size_t                     others;
};

static void count_other(void *arg, const struct registration *r)
{
    struct count *c = arg;

    c->others += !(slice_eq(r->service, c->wanted->service) && slice_eq(r->node, c->wanted->node));
}

static enum zerr take_address(struct iq *iq, struct registration *r)
{
    struct slice jid = element_attr(iq->payload, "jid");
    struct jid  *parsed = arena_alloc(iq->p->sm->arena, sizeof(*parsed));

    r->node = element_attr(iq->payload, "node");
    if (!jid.len || r->node.len > NODE_MAX || (r->node.len && memchr(r->node.p, 0, r->node.len)))
        return ZE_BAD_REQUEST;
    if (jid_parse(jid, parsed))
        return ZE_BAD_JID;
    r->service = jid_slice(parsed);
    return ZE_OK;
}

/* The form goes back to the service as it came. */
static enum zerr take_options(struct iq *iq, struct registration *r)
{
    const struct element *form;
    struct buf            xml = { 0 };
    struct xml_writer     w;
    enum zerr             err = form_take(iq->p->sm->arena, iq->payload, PUBLISH_OPTIONS, &form, NULL);

    if (err || !form)
        return err;
    xml_begin(&w, &xml, NS_CLIENT);
    xml_element(&w, form);
    r->options = outcome_keep(iq->p->out, &xml);
    return r->options.len > (size_t)iq->p->sm->settings->limits.push_options_bytes ? ZE_NOT_ACCEPTABLE : ZE_OK;
}

static int enable(struct iq *iq)
{
    struct passage     *p = iq->p;
    struct registration r = { 0 };
    struct count        c = { &r, 0 };
    struct buf          row = { 0 };
    enum zerr           err;

    if (!p->session)
        return ZE_FORBIDDEN;
    err = take_address(iq, &r);
    if (!err)
        err = take_options(iq, &r);
    if (err)
        return err;
    push_each(p->sm, p->owner, count_other, &c);
    if (c.others >= (size_t)p->sm->settings->limits.push_registrations)
        return ZE_FULL;
    buf_put_u8(&row, FORMAT);
    buf_put_sized(&row, session_resource(p->session));
    buf_put_sized(&row, r.options);
    buf_put_u64(&row, wall_us());
    store_put(outcome_accounts(p->out), T_PUSH, key_of(p->sm, p->owner, r.service, r.node), buf_slice(&row));
    buf_free(&row);
    push_forget(p->sm, p->owner, &r);
    push_note(p->sm, p->owner, &r, "enabled", "by the client");
    return ZE_OK;
}

/* ---- disabling (6) ---- */

void push_drop(struct outcome *o, const struct registration *r)
{
    struct sm   *sm = outcome_sm(o);
    struct slice owner = outcome_owner(o);

    store_delete(outcome_accounts(o), T_PUSH, key_of(sm, owner, r->service, r->node));
    push_forget(sm, owner, r);
}

struct removal {
    struct passage *p;
    struct slice    service, node;     /* p NULL: any */
    const char     *why;
};

static void remove_one(void *arg, const struct registration *r)
{
    struct removal *rm = arg;

    if ((rm->service.p && !slice_eq(r->service, rm->service)) || (rm->node.p && !slice_eq(r->node, rm->node)))
        return;
    push_drop(rm->p->out, r);
    if (rm->why)
        push_note(rm->p->sm, rm->p->owner, r, "disabled", rm->why);
}

static int disable(struct iq *iq)
{
    struct registration r = { 0 };
    enum zerr           err = iq->p->session ? take_address(iq, &r) : ZE_FORBIDDEN;
    struct removal      rm = { iq->p, r.service, r.node, "by the client" };

    if (!err)
        push_each(iq->p->sm, iq->p->owner, remove_one, &rm);
    return err;
}

static void push_removed(struct passage *p)
{
    struct removal rm = { .p = p };

    push_each(p->sm, p->owner, remove_one, &rm);
}

/* 8: the service takes the right to publish away. */
static bool remote_disabled(struct passage *p)
{
    const struct element *root, *pubsub, *affiliation;

    if (p->stanza->name != STANZA_MESSAGE || !slice_is(p->stanza->payload_ns, NS_PUBSUB))
        return false;
    root = passage_content(p);
    pubsub = root ? element_child(root, NS_PUBSUB, "pubsub") : NULL;
    affiliation = pubsub ? element_child(pubsub, NULL, "affiliation") : NULL;
    if (!affiliation || !slice_is(element_attr(affiliation, "affiliation"), "none"))
        return false;
    struct removal rm = { p, p->stanza->from, element_attr(pubsub, "node"), "by the service" };
    if (!rm.node.p)
        return false;
    push_each(p->sm, p->owner, remove_one, &rm);
    return true;
}

static int push_incoming(struct passage *p)
{
    if (!p->exists || !jid_is_bare(p->stanza->to))
        return GO_ON;
    return push_answered(p) || remote_disabled(p) ? TAKEN : GO_ON;
}

/* ---- who is told ---- */

static bool sleeps(const struct session *s)
{
    return s->inactive || resume_hibernates(s);
}

struct audience {
    struct outcome       *out;
    struct slice          owner;
    const struct online  *account;     /* NULL: nobody is here */
    const struct session *only;        /* its client alone; NULL: everybody's */
    enum deliver_action   action;
    const struct session *match;
    bool                  copies, awake;
    struct push_news      news;
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

static const struct session *session_of(const struct audience *a, struct slice resource)
{
    if (a->account)
        ONLINE_EACH(a->account, node, s)
            if (slice_eq(session_resource(s), resource))
                return s;
    return NULL;
}

static void decide(void *arg, const struct registration *r)
{
    struct audience      *a = arg;
    const struct session *s = session_of(a, r->resource);
    enum push_client      client = !s ? CLIENT_AWAY : sleeps(s) ? CLIENT_ASLEEP : CLIENT_AWAKE;
    struct push_verdict   v = push_verdict(client, s && is_told(a, s), a->awake);

    if (a->only && s != a->only)
        return;
    if (v.push)
        push_notify(a->out, a->owner, r, &a->news, v.why);
    else
        push_note(outcome_sm(a->out), a->owner, r, "not sent", v.why);
}

static struct slice body_of(const struct sm *sm, const struct stanza *s)
{
    struct xml_limits     limits = sm_xml_limits(sm);
    const struct element *root;

    if (!sm->settings->server.push_body || !(s->flags & STANZA_HAS_BODY))
        return slice_of(NULL, 0);
    root = xml_parse_content(sm->arena, s->content, NS_CLIENT, &limits);
    return root ? element_child_text(sm->arena, root, "body") : slice_of(NULL, 0);
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
    };

    /* What a room says is for who is there. */
    if (s->type == TYPE_GROUPCHAT)
        a.only = match;
    if (!p->exists || s->name != STANZA_MESSAGE || !push_worthy(s) || slice_eq(jid_bare(s->from), p->owner) ||
        !is_kept(p, action))
        return;
    a.awake = anybody_awake(&a);
    if (a.awake && !anybody_asleep(&a))
        return;
    a.news = (struct push_news){ s->from, body_of(p->sm, s), 1 };
    push_each(p->sm, p->owner, decide, &a);
}

void push_fanned(struct outcome *o, const struct session *s, const struct stanza *stanza)
{
    struct audience a = {
        .out = o, .owner = session_bare(s), .account = s->account, .only = s, .action = ACT_DROP,
        .news = { stanza->from, slice_of(NULL, 0), 1 },
    };

    if (!sleeps(s) || !push_worthy(stanza))
        return;
    a.news.body = body_of(outcome_sm(o), stanza);
    push_each(outcome_sm(o), a.owner, decide, &a);
}

void push_sleeps(struct sm *sm, struct session *s)
{
    const struct resume *r = s->resume;
    struct audience      a = { .account = s->account, .only = s, .action = ACT_DROP };
    struct stanza        stanza, last = { 0 };
    struct frame         f;

    for (uint32_t i = 0; i < r->queue_count; i++)
        if (resume_stanza(&r->queue[r->queue_first + i], session_jid(s), &stanza, &f) && push_worthy(&stanza) &&
            !slice_eq(jid_bare(stanza.from), session_bare(s))) {
            last = stanza;
            a.news.count++;
        }
    if (!a.news.count)
        return;
    a.owner = arena_copy(sm->arena, session_bare(s));
    a.out = outcome_new(sm, a.owner, 0);
    a.news.sender = last.from;
    a.news.body = body_of(sm, &last);
    push_each(sm, a.owner, decide, &a);
    outcome_settle(&a.out);
}

/* ---- for the operator ---- */

struct report {
    struct sm        *sm;
    struct slice      owner;
    struct ctl_reply *r;
};

static void report_one(void *arg, const struct registration *r)
{
    struct report *to = arg;

    push_fares(to->sm, to->owner, r, to->r);
}

void push_report(struct sm *sm, struct slice owner, struct ctl_reply *r)
{
    struct report to = { sm, owner, r };

    push_each(sm, owner, report_one, &to);
    push_notes(sm, owner, r);
}

static const char *const disco[] = { NS_PUSH, NULL };

static const struct iq_row iqs[] = {
    { IQ_SET, NS_PUSH, "enable", TO_OWN_ACCOUNT, enable },
    { IQ_SET, NS_PUSH, "disable", TO_OWN_ACCOUNT, disable },
    { 0 },
};

const struct sm_feature sm_push = {
    .name = "push", .spec = "XEP-0357", .disco_account = disco, .iqs = iqs, .stats = stats, .incoming = push_incoming,
    .removed = push_removed,
};
