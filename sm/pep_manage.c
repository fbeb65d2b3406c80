/* XEP-0060 8.8, 8.9: the owner's lists of subscriptions and affiliations. */

#include "jid.h"
#include "ns.h"
#include "pep_notify.h"
#include "pep_request.h"

/* ---- reading ---- */

static int subscription_row(void *arg, const struct pep_sub *sub)
{
    struct xml_writer *w = arg;

    if (!sub->subscription)
        return 0;
    xml_open(w, "subscription", NULL);
    xml_attr_slice(w, "jid", sub->jid);
    xml_attr(w, "subscription", pep_subscription_name(sub->subscription));
    xml_close(w);
    return 0;
}

static void affiliation_write(struct xml_writer *w, struct slice jid, const char *name)
{
    xml_open(w, "affiliation", NULL);
    xml_attr_slice(w, "jid", jid);
    xml_attr(w, "affiliation", name);
    xml_close(w);
}

static int affiliation_row(void *arg, const struct pep_sub *sub)
{
    if (sub->affiliation)
        affiliation_write(arg, sub->jid, pep_affiliation_name(sub->affiliation));
    return 0;
}

int pep_owner_subscriptions(struct pep_request *r)
{
    pep_reply_open(r, NS_PUBSUB_OWNER, "subscriptions");
    pep_subs_each(r->p->sm, r->view, r->p->owner, r->node, subscription_row, r->iq->reply);
    xml_close(r->iq->reply);
    xml_close(r->iq->reply);
    return ZE_OK;
}

int pep_owner_affiliations(struct pep_request *r)
{
    pep_reply_open(r, NS_PUBSUB_OWNER, "affiliations");
    affiliation_write(r->iq->reply, r->p->owner, "owner");
    pep_subs_each(r->p->sm, r->view, r->p->owner, r->node, affiliation_row, r->iq->reply);
    xml_close(r->iq->reply);
    xml_close(r->iq->reply);
    return ZE_OK;
}

/* ---- changing: all of a request or nothing ---- */

static enum zerr keep(struct pep_request *r, const struct pep_sub *before, const struct pep_sub *sub)
{
    struct pep_node *node = pep_open_node(r->open);
    bool             was = before->subscription || before->affiliation, is = sub->subscription || sub->affiliation;

    if (is && !was && node->subscribers >= (uint64_t)r->p->sm->settings->limits.pep_subscriptions_max)
        return pep_fail(r->p, PEP_E_TOO_MANY);
    node->subscribers += is && !was;
    node->subscribers -= was && !is && node->subscribers;
    pep_sub_put(r->p->sm, outcome_accounts(r->p->out), r->p->owner, r->node, sub);
    return ZE_OK;
}

/* The same JID twice in one request would be changed twice: 8.9.2.5 forbids it. */
static bool named_before(const struct pep_request *r, const struct element *e, struct slice jid)
{
    for (const struct element *other = r->action->children; other != e; other = other->next)
        if (slice_eq(pep_attr_jid(r, other, "jid"), jid))
            return true;
    return false;
}

static enum zerr set_subscription(struct pep_request *r, const struct element *e)
{
    struct slice   jid = pep_attr_jid(r, e, "jid"), name = element_attr(e, "subscription");
    int            wanted = pep_subscription_parse(name);
    struct pep_sub before, sub;
    enum zerr      err;

    if (!jid.len || named_before(r, e, jid))
        return ZE_BAD_REQUEST;
    if (!name.p)                                   /* 8.8.2: not to be changed */
        return ZE_OK;
    before = sub = pep_sub_get(r->p->sm, r->view, r->p->owner, r->node, jid);
    if (wanted < 0 || wanted == PEP_SUB_PENDING)
        return ZE_NOT_ACCEPTABLE;
    if (before.subscription == wanted)
        return ZE_OK;
    sub.subscription = (uint8_t)wanted;
    err = keep(r, &before, &sub);
    if (!err)
        pep_notify_subscription(r->p, pep_open_node(r->open), &sub);
    return err;
}

static enum zerr no_such_affiliation(struct pep_request *r, struct slice name)
{
    if (slice_is(name, "publisher"))
        return pep_fail(r->p, PEP_E_NO_PUBLISHER);
    if (slice_is(name, "publish-only"))
        return pep_fail(r->p, PEP_E_NO_PUBLISH_ONLY);
    return ZE_NOT_ACCEPTABLE;
}

/* Who is thrown out, or off the whitelist, is no subscriber any more (XEP-0163 7.1). */
static void recalculate(struct pep_request *r, struct pep_sub *sub)
{
    struct passage        *p = r->p;
    const struct pep_node *node = pep_open_node(r->open);
    bool                   out = sub->affiliation == PEP_OUTCAST ||
               (node->config.access == PEP_WHITELIST && sub->affiliation != PEP_MEMBER);

    if (!sub->subscription || !out)
        return;
    sub->subscription = PEP_SUB_NONE;
    pep_notify_subscription(p, node, sub);
}

static enum zerr set_affiliation(struct pep_request *r, const struct element *e)
{
    struct slice   jid = jid_bare(pep_attr_jid(r, e, "jid")), name = element_attr(e, "affiliation");
    int            wanted = pep_affiliation_parse(name);
    struct pep_sub before, sub;

    if (!jid.len || named_before(r, e, jid))
        return ZE_BAD_REQUEST;
    if (!name.p)
        return ZE_OK;
    if (slice_eq(jid, r->p->owner))                /* 8.9.2.5: there is one owner, and stays */
        return slice_is(name, "owner") ? ZE_OK : ZE_NOT_ACCEPTABLE;
    if (wanted < 0)
        return no_such_affiliation(r, name);
    before = sub = pep_sub_get(r->p->sm, r->view, r->p->owner, r->node, jid);
    sub.affiliation = (uint8_t)wanted;
    recalculate(r, &sub);
    return keep(r, &before, &sub);
}

static int set_all(struct pep_request *r, const char *element, enum zerr (*set)(struct pep_request *r,
                                                                                const struct element *e))
{
    enum zerr err = r->action->children ? ZE_OK : ZE_BAD_REQUEST;

    for (const struct element *e = r->action->children; e && !err; e = e->next)
        err = slice_is(e->name, element) ? set(r, e) : ZE_BAD_REQUEST;
    if (!err)
        pep_keep(r->p, r->open);
    return err;
}

int pep_owner_set_subscriptions(struct pep_request *r)
{
    return set_all(r, "subscription", set_subscription);
}

int pep_owner_set_affiliations(struct pep_request *r)
{
    return set_all(r, "affiliation", set_affiliation);
}
