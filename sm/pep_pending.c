/* XEP-0060 8.7: the owner asks for the subscriptions that wait for its decision, as an ad-hoc command: the form names
 * the nodes that have some, and the requests of the node chosen come once more. */

#include "commands.h"
#include "ns.h"
#include "pep_authorize.h"

static bool may(const struct iq *iq)
{
    return iq->p->session != NULL;
}

struct search {
    struct passage        *p;
    struct store_view     *view;
    const struct pep_node *node;
    int                  (*found)(void *arg, const struct pep_sub *sub);
    void                  *arg;
};

static int each_sub(void *arg, const struct pep_sub *sub)
{
    struct search *s = arg;

    return sub->subscription == PEP_SUB_PENDING ? s->found(s, sub) : 0;
}

/* ---- the form ---- */

static int write_option(void *arg, const struct pep_sub *sub)
{
    struct search *s = arg;
    const char    *name = arena_printf(s->p->sm->arena, "%.*s", SLICE_FMT(s->node->name));

    (void)sub;
    form_put_option(s->arg, name, name);
    return 1;                          /* the node once */
}

static int each_node(void *arg, const struct pep_node *node)
{
    struct search *s = arg;

    s->node = node;
    if (node->subscribers)
        pep_subs_each(s->p->sm, s->view, s->p->owner, node->name, each_sub, s);
    return 0;
}

static void ask(struct command_call *call)
{
    struct passage    *p = call->iq->p;
    struct store_view *view = store_view(p->sm->store.accounts);
    struct search      s = { .p = p, .view = view, .found = write_option, .arg = call->w };

    form_open(call->w, "form", PEP_AUTHORIZATION);
    form_field_open(call->w, "pubsub#node", "list-single", "Node");
    pep_nodes_each(p->sm, view, p->owner, each_node, &s);
    xml_close(call->w);
    xml_close(call->w);
    store_view_end(&view);
}

/* ---- the requests ---- */

static int ask_again(void *arg, const struct pep_sub *sub)
{
    struct search *s = arg;
    struct pep_sub kept = *sub;

    kept.jid = arena_copy(s->p->sm->arena, sub->jid);
    pep_authorize_ask(s->p, s->node, &kept);
    return 0;
}

static int run(struct command_call *call)
{
    struct passage    *p = call->iq->p;
    struct slice       name = form_value(p->sm->arena, call->form, "pubsub#node");
    struct store_view *view = store_view(p->sm->store.accounts);
    struct pep_node    node;
    struct search      s = { .p = p, .view = view, .node = &node, .found = ask_again };
    bool               there = name.len && pep_node_find(p->sm, view, p->owner, name, &node);

    if (there)
        pep_subs_each(p->sm, view, p->owner, name, each_sub, &s);
    store_view_end(&view);
    if (!name.len)
        return ZE_BAD_REQUEST;
    return there ? ZE_OK : ZE_NOT_FOUND;
}

const struct command pep_pending_commands[] = {
    { NS_PUBSUB "#get-pending", "Requests to subscribe", TO_OWN_ACCOUNT, PEP_AUTHORIZATION, may, ask, run, NULL },
    { 0 },
};
