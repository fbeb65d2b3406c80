/* XEP-0060 7: publishing, with options as preconditions, and retracting. */

#include "data_form.h"
#include "ns.h"
#include "pep_hooks.h"
#include "pep_request.h"

/* ---- what was sent ---- */

/* Stands alone wherever it is put later: it always says its namespace. */
static struct slice payload_of(struct passage *p, const struct element *item)
{
    struct buf        out = { 0 };
    struct xml_writer w;

    if (!item || !item->children)
        return slice_of("", 0);
    xml_begin(&w, &out, "none");
    xml_element(&w, item->children);
    return outcome_keep(p->out, &out);
}

/* 7.1.3.5, 7.1.3.6: what the node wants of an item. */
static enum pep_error item_fits(const struct pep_config *c, const struct element *item)
{
    if (item && item->children && item->children->next)
        return PEP_E_INVALID_PAYLOAD;
    if (c->persist && !item)
        return PEP_E_ITEM_REQUIRED;
    if (c->payloads && (!item || !item->children))
        return PEP_E_PAYLOAD_REQUIRED;
    if (!c->persist && !c->payloads && item)
        return PEP_E_ITEM_FORBIDDEN;
    return PEP_OK;
}

/* ---- the node ---- */

static enum zerr options_fail(struct pep_request *r, enum zerr err, struct slice refused)
{
    if (err == ZE_BAD_REQUEST)
        return pep_fail(r->p, PEP_E_INVALID_OPTIONS);
    if (r->open)
        return pep_fail(r->p, PEP_E_PRECONDITION);
    return pep_fail_field(r->p, err, refused);
}

/* 7.1.5: what the options say of a node that is there must be so already; one that is not there is made so. */
static enum zerr node_for(struct pep_request *r)
{
    struct arena         *arena = r->p->sm->arena;
    const struct element *options = element_child(r->pubsub, NULL, "publish-options"), *form = NULL;
    struct pep_config     wanted;
    struct slice          refused;
    enum zerr             err = ZE_OK;

    r->open = pep_open(r->p, r->view, r->node);
    if (options && form_take(arena, options, NS_PUBSUB "#publish-options", &form, NULL))
        return pep_fail(r->p, PEP_E_INVALID_OPTIONS);
    pep_config_preset(&wanted);
    if (r->open)
        wanted = pep_open_node(r->open)->config;
    err = pep_config_read(arena, form, PEP_FORM_PRECONDITIONS, &wanted, &refused);
    if (err)
        return options_fail(r, err, refused);
    if (!r->open)
        return pep_make(r->p, r->view, r->node, &wanted, &r->open);
    return pep_config_same(arena, &wanted, &pep_open_node(r->open)->config) ? ZE_OK
                                                                           : pep_fail(r->p, PEP_E_PRECONDITION);
}

/* 7.1.2: the result tells the id that was made up, and comes before the events. (After an error it is dropped.) */
static void answer(struct pep_request *r, const struct pep_item *item)
{
    struct buf        content = { 0 };
    struct xml_writer w;

    xml_begin(&w, &content, NS_CLIENT);
    xml_open(&w, "pubsub", NS_PUBSUB);
    xml_open(&w, "publish", NULL);
    xml_attr_slice(&w, "node", r->node);
    if (item->id.len) {
        xml_open(&w, "item", NULL);
        xml_attr_slice(&w, "id", item->id);
        xml_close(&w);
    }
    xml_close(&w);
    xml_close(&w);
    iq_reply_with(r->p, outcome_keep(r->p->out, &content));
}

static int publish_item(struct pep_request *r, const struct element *e)
{
    struct pep_item item = {
        .node = r->node, .payload = payload_of(r->p, e), .publisher = r->p->stanza->from,
        .id = e ? element_attr(e, "id") : slice_of("", 0),
    };
    enum zerr err = pep_fail(r->p, item_fits(&pep_open_node(r->open)->config, e));

    if (err)
        return err;
    if (e && !item.id.len)
        item.id = pep_new_id(r->p);
    answer(r, &item);
    err = pep_publish_into(r->p, r->view, r->open, &item);
    if (!err)
        err = pep_hook_published(r->p, &item);
    return err ? (int)err : LATER;
}

int pep_publish_request(struct pep_request *r)
{
    const struct element *item = element_child(r->action, NULL, "item");
    enum zerr             err;

    if (!r->node.len)
        return pep_fail(r->p, PEP_E_NODEID_REQUIRED);
    if (item && item->next)                      /* 7.1.1: one; batches are no more */
        return ZE_BAD_REQUEST;
    err = node_for(r);
    return err ? err : publish_item(r, item);
}

/* 7.2 */
int pep_retract_request(struct pep_request *r)
{
    const struct pep_config *c = &pep_open_node(r->open)->config;
    const struct element    *item = element_child(r->action, NULL, "item");
    struct slice             id = item ? element_attr(item, "id") : slice_of(NULL, 0);
    bool                     notify;
    enum zerr                err;

    if (!c->persist)
        return pep_fail(r->p, PEP_E_NO_PERSISTENT_ITEMS);
    if (!id.len)
        return pep_fail(r->p, PEP_E_ITEM_REQUIRED);
    if (item->next)
        return ZE_BAD_REQUEST;
    if (!form_bool(element_attr(r->action, "notify"), &notify))
        notify = c->notify_retract;
    err = pep_retract_from(r->p, r->view, r->open, id, notify);
    return err ? err : (int)pep_hook_retracted(r->p, r->node, id);
}
