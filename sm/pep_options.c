/* XEP-0060 6.3, 6.4: what a subscriber may say of its subscription. */

#include "data_form.h"
#include "jid.h"
#include "ns.h"
#include "pep_request.h"

#define OPTIONS NS_PUBSUB "#subscribe_options"

enum zerr pep_options_take(struct pep_request *r, const struct element *parent, struct pep_options *o)
{
    const struct element *form = NULL;

    if (form_take(r->p->sm->arena, parent, OPTIONS, &form, NULL) || !pep_options_read(r->p->sm->arena, form, o))
        return pep_fail(r->p, PEP_E_INVALID_OPTIONS);
    return ZE_OK;
}

void pep_options_form(struct pep_request *r, struct xml_writer *w, const struct pep_options *o, const char *type)
{
    form_open(w, type, OPTIONS);
    pep_options_write(w, r->p->sm->arena, o, strcmp(type, "form") == 0);
    xml_close(w);
}

/* 6.3.4: whose subscription it is. */
static enum zerr subscription_of(struct pep_request *r, struct pep_sub *sub)
{
    struct slice jid = pep_attr_jid(r, r->action, "jid");

    if (!element_attr(r->action, "jid").len)
        return pep_fail(r->p, PEP_E_JID_REQUIRED);
    if (!jid.len || !jid_same_bare(jid, r->p->stanza->from))
        return ZE_FORBIDDEN;
    *sub = pep_sub_get(r->p->sm, r->view, r->p->owner, r->node, jid);
    if (!sub->subscription)
        return pep_fail(r->p, PEP_E_NOT_SUBSCRIBED);
    return element_attr(r->action, "subid").p ? pep_fail(r->p, PEP_E_INVALID_SUBID) : ZE_OK;
}

int pep_get_options(struct pep_request *r)
{
    struct pep_sub sub;
    enum zerr      err = subscription_of(r, &sub);

    if (err)
        return err;
    pep_reply_open(r, NS_PUBSUB, "options");
    xml_attr_slice(r->iq->reply, "jid", sub.jid);
    pep_options_form(r, r->iq->reply, &sub.options, "form");
    xml_close(r->iq->reply);
    xml_close(r->iq->reply);
    return ZE_OK;
}

int pep_set_options(struct pep_request *r)
{
    struct pep_sub before, sub;
    enum zerr      err = subscription_of(r, &before);

    sub = before;
    if (!err)
        err = pep_options_take(r, r->action, &sub.options);
    if (err)
        return err;
    pep_change_sub(r->p, r->open, &before, &sub);
    pep_keep(r->p, r->open);
    return ZE_OK;
}

/* 6.4; the same for every node. */
int pep_default_options(struct pep_request *r)
{
    struct pep_options preset;

    pep_options_preset(&preset);
    pep_reply_open(r, NS_PUBSUB, "default");
    pep_options_form(r, r->iq->reply, &preset, "form");
    xml_close(r->iq->reply);
    xml_close(r->iq->reply);
    return ZE_OK;
}
