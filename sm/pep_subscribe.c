/* XEP-0060 6.1, 6.2, 6.3.7, 5.6, 5.7: subscribing, and what somebody is to the nodes. */

#include "jid.h"
#include "ns.h"
#include "pep_authorize.h"
#include "pep_notify.h"
#include "pep_request.h"

static void subscription_write(struct xml_writer *w, struct slice node, const struct pep_sub *sub)
{
    xml_open(w, "subscription", NULL);
    xml_attr_slice(w, "node", node);
    xml_attr_slice(w, "jid", sub->jid);
    xml_attr(w, "subscription", pep_subscription_name(sub->subscription));
    xml_close(w);
}

/* What it said in the same stanza, if it said anything (6.3.7). */
static void options_write(struct pep_request *r, struct xml_writer *w, const struct pep_sub *sub)
{
    if (!element_child(r->pubsub, NULL, "options"))
        return;
    xml_open(w, "options", NULL);
    pep_options_form(r, w, &sub->options, "result");
    xml_close(w);
}

/* The result first: what comes of the subscription follows it. */
static int answer(struct pep_request *r, const struct pep_sub *sub)
{
    struct buf        content = { 0 };
    struct xml_writer w;

    xml_begin(&w, &content, NS_CLIENT);
    xml_open(&w, "pubsub", NS_PUBSUB);
    subscription_write(&w, r->node, sub);
    options_write(r, &w, sub);
    xml_close(&w);
    iq_reply_with(r->p, outcome_keep(r->p->out, &content));
    return LATER;
}

static void keep(struct pep_request *r, const struct pep_sub *before, const struct pep_sub *sub)
{
    pep_change_sub(r->p, r->open, before, sub);
    pep_keep(r->p, r->open);
}

static enum pep_error may_subscribe(struct pep_request *r, struct slice jid, const struct pep_sub *before)
{
    const struct pep_config *c = &pep_open_node(r->open)->config;
    enum pep_error           e;

    if (!jid.len || !jid_same_bare(jid, r->p->stanza->from))
        return PEP_E_INVALID_JID;
    e = pep_access_rule(c->access, PEP_ACT_SUBSCRIBE, pep_asker(r));
    if (e)
        return e;
    if (!c->subscribe)
        return PEP_E_NO_SUBSCRIBE;
    if (before->subscription == PEP_SUB_PENDING)
        return PEP_E_PENDING;
    return !before->stored && pep_subs_full(r->p, r->view, r->open) ? PEP_E_TOO_MANY : PEP_OK;
}

/* 6.3.7: <options/> after <subscribe/>, without attributes of its own. */
static enum zerr options_beside(struct pep_request *r, struct pep_options *o)
{
    const struct element *e = element_child(r->pubsub, NULL, "options");

    if (!e)
        return ZE_OK;
    if (e != r->action->next || element_attr(e, "node").p || element_attr(e, "jid").p)
        return ZE_BAD_REQUEST;
    return pep_options_take(r, e, o);
}

static void subscribed(struct pep_request *r, const struct pep_sub *sub)
{
    const struct pep_node *node = pep_open_node(r->open);

    if (sub->subscription == PEP_SUB_PENDING)
        pep_authorize_ask(r->p, node, sub);
    else if (node->config.send_last != PEP_LAST_NEVER && sub->options.deliver)
        pep_notify_last(r->p, r->view, node, sub->jid);
}

int pep_subscribe(struct pep_request *r)
{
    struct slice   jid = pep_attr_jid(r, r->action, "jid");
    struct pep_sub before = pep_sub_get(r->p->sm, r->view, r->p->owner, r->node, jid), sub = before;
    enum zerr      err = pep_fail(r->p, may_subscribe(r, jid, &before));
    bool           asks = pep_open_node(r->open)->config.access == PEP_AUTHORIZE && r->iq->target != TO_OWN_ACCOUNT;

    if (!err)
        err = options_beside(r, &sub.options);
    if (err)
        return err;
    if (before.subscription != PEP_SUBSCRIBED)            /* 6.1.6: else as if it had just been approved */
        sub.subscription = asks ? PEP_SUB_PENDING : PEP_SUBSCRIBED;
    keep(r, &before, &sub);
    answer(r, &sub);
    if (before.subscription != PEP_SUBSCRIBED)
        subscribed(r, &sub);
    return LATER;
}

int pep_unsubscribe(struct pep_request *r)
{
    struct slice   jid = pep_attr_jid(r, r->action, "jid");
    struct pep_sub before = pep_sub_get(r->p->sm, r->view, r->p->owner, r->node, jid), sub = before;

    if (!jid.len || !jid_same_bare(jid, r->p->stanza->from))
        return ZE_FORBIDDEN;
    if (!before.subscription)
        return pep_fail(r->p, PEP_E_NOT_SUBSCRIBED);
    if (element_attr(r->action, "subid").p)
        return pep_fail(r->p, PEP_E_INVALID_SUBID);
    sub.subscription = PEP_SUB_NONE;
    keep(r, &before, &sub);
    return answer(r, &sub);
}

/* ---- lists ---- */

struct listing {
    struct pep_request    *r;
    const struct pep_node *node;
    struct slice           bare;       /* of who asks */
};

/* Who has lost access is no subscriber any more (XEP-0163 7.1). */
static bool still(const struct listing *l, const struct pep_sub *sub)
{
    struct passage *p = l->r->p;
    unsigned        relation = pep_relation_of(p->sm, l->r->view, p->owner, l->node, sub->jid);

    return pep_access_rule(l->node->config.access, PEP_ACT_SUBSCRIBE, relation) == PEP_OK;
}

static int subscription_row(void *arg, const struct pep_sub *sub)
{
    struct listing *l = arg;

    if (sub->subscription && slice_eq(jid_bare(sub->jid), l->bare) && still(l, sub))
        subscription_write(l->r->iq->reply, l->node->name, sub);
    return 0;
}

static int subscriptions_node(void *arg, const struct pep_node *node)
{
    struct listing *l = arg;

    l->node = node;
    if (node->subscribers && (!l->r->node.len || slice_eq(l->r->node, node->name)))
        pep_subs_each(l->r->p->sm, l->r->view, l->r->p->owner, node->name, subscription_row, l);
    return 0;
}

static int affiliations_node(void *arg, const struct pep_node *node)
{
    struct listing *l = arg;
    struct passage *p = l->r->p;
    struct pep_sub  sub = pep_sub_get(p->sm, l->r->view, p->owner, node->name, l->bare);
    const char     *name = slice_eq(l->bare, p->owner) ? "owner" : pep_affiliation_name(sub.affiliation);

    if ((l->r->node.len && !slice_eq(l->r->node, node->name)) || slice_is(slice_str(name), "none"))
        return 0;
    xml_open(l->r->iq->reply, "affiliation", NULL);
    xml_attr_slice(l->r->iq->reply, "node", node->name);
    xml_attr(l->r->iq->reply, "affiliation", name);
    xml_close(l->r->iq->reply);
    return 0;
}

static int list(struct pep_request *r, const char *what, int (*each)(void *arg, const struct pep_node *node))
{
    struct listing l = { .r = r, .bare = jid_bare(r->p->stanza->from) };

    pep_reply_open(r, NS_PUBSUB, what);
    pep_nodes_each(r->p->sm, r->view, r->p->owner, each, &l);
    xml_close(r->iq->reply);
    xml_close(r->iq->reply);
    return ZE_OK;
}

int pep_subscriptions(struct pep_request *r)
{
    return list(r, "subscriptions", subscriptions_node);
}

int pep_affiliations(struct pep_request *r)
{
    return list(r, "affiliations", affiliations_node);
}
