/* Registrations of push services (push.h). */

#include "push_inner.h"

#include "cursor.h"
#include "data_form.h"
#include "jid.h"
#include "ns.h"

enum { FORMAT = 1, NODE_MAX = 1023 };

#define PUBLISH_OPTIONS NS_PUBSUB "#publish-options"

uint64_t push_sent, push_accepted, push_failed, push_dropped;

static const struct stat_row stats[] = {
    { "push_sent", "notifications sent to push services", &push_sent },
    { "push_accepted", "of them, accepted", &push_accepted },
    { "push_failed", "of them, refused for a while or never answered", &push_failed },
    { "push_dropped", "registrations dropped because their service refused for good", &push_dropped },
    { "push_due_found", "notifications that were due when this instance began, or came with slots", &push_found },
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
    push_forget(p->out, &r);
    push_note(p->sm, p->owner, &r, "enabled", "by the client");
    return ZE_OK;
}

/* ---- disabling (6) ---- */

void push_drop(struct outcome *o, const struct registration *r)
{
    store_delete(outcome_accounts(o), T_PUSH, key_of(outcome_sm(o), outcome_owner(o), r->service, r->node));
    push_forget(o, r);
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
