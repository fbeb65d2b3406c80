/* XEP-0060 8.6 (pep_authorize.h). */

#include "pep_authorize.h"

#include "data_form.h"
#include "encode.h"
#include "jid.h"
#include "ns.h"
#include "pep_change.h"
#include "pep_notify.h"

void pep_authorize_ask(struct passage *p, const struct pep_node *node, const struct pep_sub *sub)
{
    char             *id = arena_alloc(p->sm->arena, RANDOM_ID);
    struct buf        content = { 0 };
    struct xml_writer w;
    struct stanza     s = { .name = STANZA_MESSAGE, .type = TYPE_NORMAL, .from = p->owner, .to = p->owner };

    random_id(id);
    xml_begin(&w, &content, NS_CLIENT);
    form_open(&w, "form", PEP_AUTHORIZATION);
    form_put(&w, "pubsub#node", "text-single", "Node", node->name);
    form_put(&w, "pubsub#subscriber_jid", "jid-single", "Who wants to subscribe", sub->jid);
    form_put_str(&w, "pubsub#allow", "boolean", "Allow it?", "0");
    xml_close(&w);
    xml_simple(&w, "body", NULL, slice_str(arena_printf(p->sm->arena, "%.*s asks to subscribe to %.*s",
                                                        SLICE_FMT(sub->jid), SLICE_FMT(node->name))));
    s.id = slice_of(id, RANDOM_ID - 1);
    s.flags = STANZA_HAS_BODY | STANZA_MANY;
    s.payload_ns = SLICE(NS_DATA);
    s.payload_name = SLICE("x");
    s.content = outcome_keep(p->out, &content);
    outcome_route(p->out, AFTER_COMMIT, &s);
}

static void decide(struct passage *p, struct store_view *view, const struct element *form, bool allow)
{
    struct arena    *arena = p->sm->arena;
    struct pep_open *n = pep_open(p, view, form_value(arena, form, "pubsub#node"));
    struct slice     jid = form_value(arena, form, "pubsub#subscriber_jid");
    struct pep_sub   before, sub;

    if (!n || !jid.len)
        return;
    before = sub = pep_sub_get(p->sm, view, p->owner, pep_open_node(n)->name, jid);
    if (sub.subscription != PEP_SUB_PENDING)
        return;
    sub.subscription = allow ? PEP_SUBSCRIBED : PEP_SUB_NONE;
    pep_change_sub(p, n, &before, &sub);
    pep_keep(p, n);
    pep_notify_subscription(p, pep_open_node(n), &sub);
    if (allow && sub.options.deliver && pep_open_node(n)->config.send_last != PEP_LAST_NEVER)
        pep_notify_last(p, view, pep_open_node(n), sub.jid);
}

int pep_authorize_answer(struct passage *p)
{
    const struct stanza  *s = p->stanza;
    const struct element *root, *form;
    struct store_view    *view;
    bool                  allow, cancelled;

    if (s->name != STANZA_MESSAGE || s->type == TYPE_ERROR || !slice_is(s->payload_ns, NS_DATA) ||
        (s->to.len && !slice_eq(s->to, p->owner)))
        return GO_ON;
    root = passage_content(p);
    if (!root || form_take(p->sm->arena, root, PEP_AUTHORIZATION, &form, &cancelled))
        return GO_ON;
    if (!form)                             /* a cancelled one leaves it waiting */
        return cancelled ? TAKEN : GO_ON;
    if (!form_bool(form_value(p->sm->arena, form, "pubsub#allow"), &allow))
        return ZE_BAD_REQUEST;
    view = store_view(p->sm->store.accounts);
    decide(p, view, form, allow);
    store_view_end(&view);
    return TAKEN;
}
