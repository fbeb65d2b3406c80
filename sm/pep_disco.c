/* XEP-0060 5.1 - 5.5: what service discovery tells of nodes. A node shows itself to who may subscribe to it or
 * read it (XEP-0163 6.2); to others it is not there. */

#include "pep_disco.h"

#include "data_form.h"
#include "datetime.h"
#include "disco.h"
#include "ns.h"
#include "pep_access.h"

static bool shows(struct iq *iq, struct store_view *view, const struct pep_node *node)
{
    struct passage *p = iq->p;
    unsigned        relation = pep_relation_of(p->sm, view, p->owner, node, p->stanza->from);

    return pep_access_rule(node->config.access, PEP_ACT_SUBSCRIBE, relation) == PEP_OK ||
           pep_access_rule(node->config.access, PEP_ACT_RETRIEVE, relation) == PEP_OK;
}

bool pep_disco_is(struct iq *iq, struct slice name)
{
    struct store_view *view;
    struct pep_node    node;
    bool               is;

    if (iq->target == TO_SERVER)
        return false;
    view = store_view(iq->p->sm->store.accounts);
    is = pep_node_find(iq->p->sm, view, iq->p->owner, name, &node) && shows(iq, view, &node);
    store_view_end(&view);
    return is;
}

/* 5.4: the configuration, and what comes of itself. */
static void meta_data_write(struct iq *iq, const struct pep_node *node)
{
    char made[DATETIME_MAX];

    datetime_write(made, node->made_us);
    form_open(iq->reply, "result", NS_PUBSUB "#meta-data");
    pep_config_write(iq->reply, iq->p->sm->arena, &node->config, false);
    form_put_str(iq->reply, "pubsub#creation_date", "text-single", NULL, made);
    form_put(iq->reply, "pubsub#creator", "jid-single", NULL, iq->p->owner);
    form_put(iq->reply, "pubsub#owner", "jid-multi", NULL, iq->p->owner);
    form_put_num(iq->reply, "pubsub#num_items", "text-single", NULL, node->items);
    xml_close(iq->reply);
}

int pep_disco_info(struct iq *iq, struct slice name)
{
    struct store_view *view = store_view(iq->p->sm->store.accounts);
    struct pep_node    node;

    disco_identity_write(iq->reply, "pubsub", "leaf", NULL);
    disco_feature_write(iq->reply, NS_PUBSUB);
    if (pep_node_find(iq->p->sm, view, iq->p->owner, name, &node))
        meta_data_write(iq, &node);
    store_view_end(&view);
    return ZE_OK;
}

struct listing {
    struct iq         *iq;
    struct store_view *view;
    int                count;
};

static int item_row(void *arg, const struct pep_item *item)
{
    struct listing *l = arg;
    struct passage *p = l->iq->p;

    if (buf_len(l->iq->reply->out) > (size_t)p->sm->settings->limits.stanza_max)
        return 1;
    disco_item_write(l->iq->reply, p->owner, slice_of(NULL, 0), item->id);
    return 0;
}

/* 5.5 */
int pep_disco_items(struct iq *iq, struct slice name)
{
    struct passage *p = iq->p;
    struct listing  l = { iq, store_view(p->sm->store.accounts), 0 };
    struct pep_node node;
    unsigned        relation;

    if (pep_node_find(p->sm, l.view, p->owner, name, &node)) {
        relation = pep_relation_of(p->sm, l.view, p->owner, &node, p->stanza->from);
        if (pep_access_rule(node.config.access, PEP_ACT_RETRIEVE, relation) == PEP_OK)
            pep_items_each(p->sm, l.view, p->owner, name, item_row, &l);
    }
    store_view_end(&l.view);
    return ZE_OK;
}

static int node_row(void *arg, const struct pep_node *node)
{
    struct listing *l = arg;

    if (!shows(l->iq, l->view, node))
        return 0;
    disco_item_write(l->iq->reply, l->iq->p->owner, node->name,
                     node->config.title.len ? node->config.title : slice_of(NULL, 0));
    l->count++;
    return 0;
}

int pep_disco_nodes(struct iq *iq)
{
    struct listing l = { iq, store_view(iq->p->sm->store.accounts), 0 };

    pep_nodes_each(iq->p->sm, l.view, iq->p->owner, node_row, &l);
    store_view_end(&l.view);
    return l.count;
}
