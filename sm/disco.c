/* XEP-0030 Service Discovery of the server and of accounts, printed from the feature table. Nodes are
 * not used. An account shows itself to its owner and to those subscribed to its presence; anybody else
 * gets what an account that does not exist would answer (8, RFC 6121 8.5.2.1.3). */

#include "feature.h"
#include "jid.h"
#include "ns.h"
#include "roster.h"

static void feature_write(struct xml_writer *w, const char *var)
{
    xml_open(w, "feature", NULL);
    xml_attr(w, "var", var);
    xml_close(w);
}

static void identity_write(struct xml_writer *w, const char *category, const char *type, const char *name)
{
    xml_open(w, "identity", NULL);
    xml_attr(w, "category", category);
    xml_attr(w, "type", type);
    xml_attr(w, "name", name);
    xml_close(w);
}

static void item_write(struct xml_writer *w, struct slice jid, const char *name)
{
    xml_open(w, "item", NULL);
    xml_attr_slice(w, "jid", jid);
    xml_attr(w, "name", name);
    xml_close(w);
}

static void features_write(struct xml_writer *w, const struct sm *sm, bool server)
{
    feature_write(w, NS_DISCO_INFO);
    feature_write(w, NS_DISCO_ITEMS);
    for (size_t i = 0; i < sm_feature_count; i++) {
        const char *const *vars = server ? sm_features[i]->disco_server : sm_features[i]->disco_account;
        for (; vars && *vars && feature_on(sm_features[i], sm); vars++)
            feature_write(w, *vars);
    }
}

static bool may_look(struct iq *iq)
{
    struct passage    *p = iq->p;
    struct roster_item item;
    struct store_view *view;
    bool               may;

    if (iq->target == TO_OWN_ACCOUNT)
        return true;
    view = store_view(p->sm->store.accounts);
    may = roster_find(p->sm, view, p->owner, jid_bare(p->stanza->from), &item) && item.flags & ROSTER_FROM;
    store_view_end(&view);
    return may;
}

static int may_answer(struct iq *iq)
{
    if (iq->target != TO_SERVER && !may_look(iq))
        return ZE_NO_SUCH;
    return element_attr(iq->payload, "node").len ? ZE_NOT_FOUND : ZE_OK;
}

static int info(struct iq *iq)
{
    bool server = iq->target == TO_SERVER;
    int  err = may_answer(iq);

    if (err)
        return err;
    xml_open(iq->reply, "query", NS_DISCO_INFO);
    if (server)
        identity_write(iq->reply, "server", "im", "Zubr");
    else
        identity_write(iq->reply, "account", "registered", NULL);
    features_write(iq->reply, iq->p->sm, server);
    xml_close(iq->reply);
    return ZE_OK;
}

static void server_items(struct iq *iq)
{
    const struct settings *settings = iq->p->sm->settings;

    for (size_t i = 0; i < settings->rooms_count; i++)
        item_write(iq->reply, slice_str(settings->rooms[i].name), "Rooms");
    for (size_t i = 0; i < settings->component_count; i++)
        item_write(iq->reply, slice_str(settings->component[i].name), NULL);
}

static void account_items(struct iq *iq)
{
    const struct online *account = session_online(iq->p->sm->sessions, iq->p->owner);

    if (!account)
        return;
    ONLINE_EACH(account, node, s)
        if (s->available)
            item_write(iq->reply, session_jid(s), NULL);
}

static int items(struct iq *iq)
{
    int err = may_answer(iq);

    if (err)
        return err;
    xml_open(iq->reply, "query", NS_DISCO_ITEMS);
    if (iq->target == TO_SERVER)
        server_items(iq);
    else
        account_items(iq);
    xml_close(iq->reply);
    return ZE_OK;
}

static const struct iq_row disco_iqs[] = {
    { IQ_GET, NS_DISCO_INFO, "query", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT | TO_SERVER, info },
    { IQ_GET, NS_DISCO_ITEMS, "query", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT | TO_SERVER, items },
    { 0 },
};

const struct sm_feature sm_disco = {
    .name = "disco", .spec = "XEP-0030", .iqs = disco_iqs,
};
