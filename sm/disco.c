/* XEP-0030 Service Discovery of the server and of accounts, printed from the feature table; nodes are rows of
 * the features that have some. An account shows itself to its owner and to those subscribed to its presence; anybody else
 * gets what an account that does not exist would answer (8, RFC 6121 8.5.2.1.3). */

#include "disco.h"

#include "jid.h"
#include "ns.h"
#include "roster.h"

void disco_feature_write(struct xml_writer *w, const char *var)
{
    xml_open(w, "feature", NULL);
    xml_attr(w, "var", var);
    xml_close(w);
}

void disco_identity_write(struct xml_writer *w, const char *category, const char *type, const char *name)
{
    xml_open(w, "identity", NULL);
    xml_attr(w, "category", category);
    xml_attr(w, "type", type);
    xml_attr(w, "name", name);
    xml_close(w);
}

void disco_item_write(struct xml_writer *w, struct slice jid, struct slice node, struct slice name)
{
    xml_open(w, "item", NULL);
    xml_attr_slice(w, "jid", jid);
    xml_attr_slice(w, "node", node);
    xml_attr_slice(w, "name", name);
    xml_close(w);
}

/* ---- nodes ---- */

typedef int node_part(struct iq *iq, struct slice node);

static const struct disco_node *node_in(const struct disco_node *row, struct iq *iq, struct slice node)
{
    for (; row && row->targets; row++)
        if (row->name ? slice_is(node, row->name) : row->is(iq, node))
            return row;
    return NULL;
}

static const struct disco_node *node_find(struct iq *iq, struct slice node)
{
    const struct disco_node *found = NULL;

    for (size_t i = 0; i < sm_feature_count && !found; i++)
        if (feature_on(sm_features[i], iq->p->sm))
            found = node_in(sm_features[i]->disco_nodes, iq, node);
    return found;
}

static int node_answer(struct iq *iq, const char *ns, const struct disco_node *row, node_part *part)
{
    struct slice node = element_attr(iq->payload, "node");
    int          err = ZE_OK;

    if (!(row->targets & iq->target))
        return iq->target == TO_OTHER_ACCOUNT ? ZE_FORBIDDEN : ZE_NOT_FOUND;
    xml_open(iq->reply, "query", ns);
    xml_attr_slice(iq->reply, "node", node);
    if (part)
        err = part(iq, node);
    xml_close(iq->reply);
    return err;
}

/* ---- without a node ---- */

static bool is_own(unsigned targets, const struct iq *iq)
{
    return targets & (iq->target == TO_SERVER ? TO_SERVER : TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT);
}

static void identities_write(struct iq *iq)
{
    if (iq->target == TO_SERVER)
        disco_identity_write(iq->reply, "server", "im", "Zubr");
    else
        disco_identity_write(iq->reply, "account", "registered", NULL);
    for (size_t i = 0; i < sm_feature_count; i++)
        for (const struct disco_identity *row = sm_features[i]->disco_identities; row && row->targets; row++)
            if (is_own(row->targets, iq) && feature_on(sm_features[i], iq->p->sm))
                disco_identity_write(iq->reply, row->category, row->type, row->name);
}

static void features_write(struct xml_writer *w, const struct sm *sm, bool server)
{
    disco_feature_write(w, NS_DISCO_INFO);
    disco_feature_write(w, NS_DISCO_ITEMS);
    for (size_t i = 0; i < sm_feature_count; i++) {
        const char *const *vars = server ? sm_features[i]->disco_server : sm_features[i]->disco_account;
        for (; vars && *vars && feature_on(sm_features[i], sm); vars++)
            disco_feature_write(w, *vars);
    }
}

static void forms_write(struct iq *iq)
{
    for (size_t i = 0; i < sm_feature_count; i++)
        if (sm_features[i]->disco_forms && feature_on(sm_features[i], iq->p->sm))
            sm_features[i]->disco_forms(iq);
}

void disco_info_write(struct iq *iq)
{
    identities_write(iq);
    features_write(iq->reply, iq->p->sm, iq->target == TO_SERVER);
    forms_write(iq);
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

/* XEP-0175 5: whoever asks; there is no account to keep secret, and none of its features. */
static bool is_guest(const struct iq *iq)
{
    return iq->target != TO_SERVER && iq->p->guest && session_online(iq->p->sm->sessions, iq->p->owner);
}

static int guest_info(struct iq *iq)
{
    xml_open(iq->reply, "query", NS_DISCO_INFO);
    disco_identity_write(iq->reply, "account", "anonymous", NULL);
    disco_feature_write(iq->reply, NS_DISCO_INFO);
    disco_feature_write(iq->reply, NS_DISCO_ITEMS);
    xml_close(iq->reply);
    return ZE_OK;
}

static int info(struct iq *iq)
{
    struct slice             node = element_attr(iq->payload, "node");
    const struct disco_node *row = node.len ? node_find(iq, node) : NULL;

    if (is_guest(iq) && !node.len)
        return guest_info(iq);
    if (row)
        return node_answer(iq, NS_DISCO_INFO, row, row->info);
    if (iq->target != TO_SERVER && !may_look(iq))
        return ZE_NO_SUCH;
    if (node.len)
        return ZE_NOT_FOUND;
    xml_open(iq->reply, "query", NS_DISCO_INFO);
    disco_info_write(iq);
    xml_close(iq->reply);
    return ZE_OK;
}

static void server_items(struct iq *iq)
{
    const struct settings *settings = iq->p->sm->settings;
    struct slice           none = { 0 };

    for (size_t i = 0; i < settings->rooms_count; i++)
        disco_item_write(iq->reply, slice_str(settings->rooms[i].name), none, SLICE("Rooms"));
    for (size_t i = 0; i < settings->component_count; i++)
        disco_item_write(iq->reply, slice_str(settings->component[i].name), none, none);
}

static void account_items(struct iq *iq)
{
    const struct online *account = session_online(iq->p->sm->sessions, iq->p->owner);
    struct slice         none = { 0 };

    if (!account)
        return;
    ONLINE_EACH(account, node, s)
        if (s->available)
            disco_item_write(iq->reply, session_jid(s), none, none);
}

static int more_items(struct iq *iq)
{
    int count = 0;

    for (size_t i = 0; i < sm_feature_count; i++)
        if (sm_features[i]->disco_items && feature_on(sm_features[i], iq->p->sm))
            count += sm_features[i]->disco_items(iq);
    return count;
}

/* Its resources are for who may look; nodes decide themselves. */
static int items_of_account(struct iq *iq)
{
    bool may = may_look(iq);

    if (may)
        account_items(iq);
    return more_items(iq) || may ? ZE_OK : ZE_NO_SUCH;
}

static int items(struct iq *iq)
{
    struct slice             node = element_attr(iq->payload, "node");
    const struct disco_node *row = node.len ? node_find(iq, node) : NULL;
    int                      err = ZE_OK;

    if (row)
        return node_answer(iq, NS_DISCO_ITEMS, row, row->items);
    if (node.len)
        return iq->target != TO_SERVER && !may_look(iq) ? ZE_NO_SUCH : ZE_NOT_FOUND;
    xml_open(iq->reply, "query", NS_DISCO_ITEMS);
    if (iq->target == TO_SERVER)
        server_items(iq);
    else
        err = items_of_account(iq);
    xml_close(iq->reply);
    return err;
}

static const struct iq_row disco_iqs[] = {
    { IQ_GET, NS_DISCO_INFO, "query", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT | TO_SERVER, info },
    { IQ_GET, NS_DISCO_ITEMS, "query", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT | TO_SERVER, items },
    { 0 },
};

const struct sm_feature sm_disco = {
    .name = "disco", .spec = "XEP-0030", .iqs = disco_iqs,
};
