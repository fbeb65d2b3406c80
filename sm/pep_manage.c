/* XEP-0060 8.8, 8.9: the owner's lists of subscriptions and affiliations. */

#include "jid.h"
#include "ns.h"
#include "pep_notify.h"
#include "pep_request.h"

/* ---- reading ---- */

/* <subscription jid='' subscription=''/>, <affiliation jid='' affiliation=''/> */
static void entry_write(struct xml_writer *w, const char *what, struct slice jid, const char *state)
{
    xml_open(w, what, NULL);
    xml_attr_slice(w, "jid", jid);
    xml_attr(w, what, state);
    xml_close(w);
}

static int subscription_row(void *arg, const struct pep_sub *sub)
{
    if (sub->subscription == PEP_SUBSCRIBED)       /* 8.8.1.2: not those that are pending */
        entry_write(arg, "subscription", sub->jid, pep_subscription_name(sub->subscription));
    return 0;
}

static int affiliation_row(void *arg, const struct pep_sub *sub)
{
    if (sub->affiliation)
        entry_write(arg, "affiliation", sub->jid, pep_affiliation_name(sub->affiliation));
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
    entry_write(r->iq->reply, "affiliation", r->p->owner, "owner");
    pep_subs_each(r->p->sm, r->view, r->p->owner, r->node, affiliation_row, r->iq->reply);
    xml_close(r->iq->reply);
    xml_close(r->iq->reply);
    return ZE_OK;
}

/* ---- changing: all of a request or nothing ---- */

static enum zerr keep(struct pep_request *r, const struct pep_sub *before, const struct pep_sub *sub)
{
    bool is = sub->subscription || sub->affiliation;

    if (is && !before->stored && pep_subs_full(r->p, r->view, r->open))
        return pep_fail(r->p, PEP_E_TOO_MANY);
    pep_change_sub(r->p, r->open, before, sub);
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

static const char *subscription_now(struct pep_request *r, struct slice jid)
{
    return pep_subscription_name(pep_sub_get(r->p->sm, r->view, r->p->owner, r->node, jid).subscription);
}

static const char *affiliation_now(struct pep_request *r, struct slice jid)
{
    if (slice_eq(jid_bare(jid), r->p->owner))
        return "owner";
    return pep_affiliation_name(pep_sub_get(r->p->sm, r->view, r->p->owner, r->node, jid_bare(jid)).affiliation);
}

struct edit {
    const char *name, *element;
    enum zerr (*set)(struct pep_request *r, const struct element *e);
    const char *(*now)(struct pep_request *r, struct slice jid);
};

/* 8.8.2.4, 8.9.2.4: what an error does not name has been changed. None has, so all are named, as they are. */
static void name_unchanged(struct pep_request *r, const struct edit *list)
{
    struct buf        content = { 0 };
    struct xml_writer w;

    xml_begin(&w, &content, NS_CLIENT);
    xml_open(&w, "pubsub", NS_PUBSUB_OWNER);
    xml_open(&w, list->name, NULL);
    xml_attr_slice(&w, "node", r->node);
    for (const struct element *e = r->action->children; e; e = e->next) {
        struct slice jid = pep_attr_jid(r, e, "jid");
        if (jid.len && slice_is(e->name, list->element) && !named_before(r, e, jid))
            entry_write(&w, list->element, jid, list->now(r, jid));
    }
    xml_close(&w);
    xml_close(&w);
    outcome_error_payload(r->p->out, outcome_keep(r->p->out, &content));
}

static int set_all(struct pep_request *r, const struct edit *list)
{
    enum zerr err = r->action->children ? ZE_OK : ZE_BAD_REQUEST;

    for (const struct element *e = r->action->children; e && !err; e = e->next)
        err = slice_is(e->name, list->element) ? list->set(r, e) : ZE_BAD_REQUEST;
    if (err)
        name_unchanged(r, list);
    else
        pep_keep(r->p, r->open);
    return err;
}

int pep_owner_set_subscriptions(struct pep_request *r)
{
    return set_all(r, &(const struct edit){ "subscriptions", "subscription", set_subscription, subscription_now });
}

int pep_owner_set_affiliations(struct pep_request *r)
{
    return set_all(r, &(const struct edit){ "affiliations", "affiliation", set_affiliation, affiliation_now });
}
