/* XEP-0060 8.1 - 8.5: making, configuring, deleting and emptying nodes. */

#include "data_form.h"
#include "ns.h"
#include "pep_hooks.h"
#include "pep_lost.h"
#include "pep_notify.h"
#include "pep_request.h"

#define NODE_CONFIG NS_PUBSUB "#node_config"

/* Reads a <configure/> over *config; e NULL: none. */
static enum zerr configuration_read(struct pep_request *r, const struct element *e, struct pep_config *config,
                                    bool *cancelled)
{
    struct arena         *arena = r->p->sm->arena;
    const struct element *form = NULL;
    struct slice          refused = slice_of("", 0);
    enum zerr             err = ZE_OK;

    *cancelled = false;
    if (e)
        err = form_take(arena, e, NODE_CONFIG, &form, cancelled);
    if (!err)
        err = pep_config_read(arena, form, PEP_FORM_CONFIGURE, config, &refused);
    return pep_fail_field(r->p, err, refused);
}

int pep_create(struct pep_request *r)
{
    const struct element *configure = element_child(r->pubsub, NULL, "configure");
    struct pep_config     config;
    bool                  cancelled;
    enum zerr             err;

    if (configure && (element_attr(configure, "node").p || r->action->next != configure))
        return ZE_BAD_REQUEST;                               /* 8.1.3 */
    if (!r->node.len)                                        /* 8.1.1: an instant node */
        r->node = pep_new_id(r->p);
    if (pep_open(r->p, r->view, r->node))
        return ZE_CONFLICT;
    pep_config_preset(&config);
    err = configuration_read(r, configure, &config, &cancelled);
    if (!err)
        err = pep_make(r->p, r->view, r->node, &config, &r->open);
    if (err)
        return err;
    pep_reply_open(r, NS_PUBSUB, "create");
    xml_close(r->iq->reply);
    xml_close(r->iq->reply);
    return ZE_OK;
}

static int form_reply(struct pep_request *r, const char *action, const struct pep_config *config)
{
    struct xml_writer *w = r->iq->reply;

    pep_reply_open(r, NS_PUBSUB_OWNER, action);
    form_open(w, "form", NODE_CONFIG);
    pep_config_write(w, r->p->sm->arena, config, true);
    for (int i = 0; i < 3; i++)
        xml_close(w);
    return ZE_OK;
}

int pep_configure_form(struct pep_request *r)
{
    return form_reply(r, "configure", &pep_open_node(r->open)->config);
}

int pep_default(struct pep_request *r)
{
    struct pep_config config;

    pep_config_preset(&config);
    return form_reply(r, "default", &config);
}

/* ---- a new configuration ---- */

int pep_configure(struct pep_request *r)
{
    struct pep_node  *node = pep_open_node(r->open);
    struct pep_config config = node->config;
    bool              cancelled;
    enum zerr         err = configuration_read(r, r->action, &config, &cancelled);

    if (err || cancelled)
        return err;
    node->config = config;
    pep_cancel_lost(r->p, r->view, r->open, slice_of(NULL, 0));
    pep_trim(r->p, r->view, r->open);
    if (config.notify_config)
        pep_notify(r->p, r->view, node, pep_event_configuration(r->p, node), slice_of(NULL, 0));
    return ZE_OK;
}

/* ---- ends ---- */

int pep_delete_request(struct pep_request *r)
{
    pep_delete(r->p, r->view, r->open);
    return pep_hook_emptied(r->p, r->node);
}

int pep_purge_request(struct pep_request *r)
{
    if (!pep_open_node(r->open)->config.persist)
        return pep_fail(r->p, PEP_E_NO_PERSISTENT_ITEMS);
    pep_purge(r->p, r->view, r->open);
    return pep_hook_emptied(r->p, r->node);
}
