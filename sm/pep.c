/* XEP-0163 Personal Eventing over XEP-0060: which request goes where. */

#include "pep_request.h"

#include "jid.h"
#include "ns.h"
#include "pep_authorize.h"
#include "pep_disco.h"
#include "pep_lost.h"
#include "pep_newcomer.h"
#include "presence.h"

enum who { ANYBODY, OWNER };
enum node_must { NODE_ANY, NODE_THERE, NODE_THERE_IF_NAMED };
/* The empty result is recorded before what follows from the request, and dropped if that fails. */
enum reply { WITH_CONTENT, EMPTY_FIRST };

struct request_row {
    unsigned     type;                 /* enum iq_type */
    const char  *ns, *action;
    enum who     who;
    enum node_must node;
    enum reply   reply;
    pep_handler *handle;
};

static const struct request_row rows[] = {
    { IQ_SET, NS_PUBSUB, "publish", OWNER, NODE_ANY, WITH_CONTENT, pep_publish_request },
    { IQ_SET, NS_PUBSUB, "retract", OWNER, NODE_THERE, EMPTY_FIRST, pep_retract_request },
    { IQ_SET, NS_PUBSUB, "create", OWNER, NODE_ANY, WITH_CONTENT, pep_create },
    { IQ_GET, NS_PUBSUB, "items", ANYBODY, NODE_THERE, WITH_CONTENT, pep_items_request },
    { IQ_SET, NS_PUBSUB, "subscribe", ANYBODY, NODE_THERE, WITH_CONTENT, pep_subscribe },
    { IQ_SET, NS_PUBSUB, "unsubscribe", ANYBODY, NODE_THERE, WITH_CONTENT, pep_unsubscribe },
    { IQ_GET, NS_PUBSUB, "subscriptions", ANYBODY, NODE_ANY, WITH_CONTENT, pep_subscriptions },
    { IQ_GET, NS_PUBSUB, "affiliations", ANYBODY, NODE_ANY, WITH_CONTENT, pep_affiliations },
    { IQ_GET, NS_PUBSUB, "options", ANYBODY, NODE_THERE, WITH_CONTENT, pep_get_options },
    { IQ_SET, NS_PUBSUB, "options", ANYBODY, NODE_THERE, EMPTY_FIRST, pep_set_options },
    { IQ_GET, NS_PUBSUB, "default", ANYBODY, NODE_THERE_IF_NAMED, WITH_CONTENT, pep_default_options },
    { IQ_GET, NS_PUBSUB_OWNER, "configure", OWNER, NODE_THERE, WITH_CONTENT, pep_configure_form },
    { IQ_SET, NS_PUBSUB_OWNER, "configure", OWNER, NODE_THERE, EMPTY_FIRST, pep_configure },
    { IQ_GET, NS_PUBSUB_OWNER, "default", OWNER, NODE_ANY, WITH_CONTENT, pep_default },
    { IQ_SET, NS_PUBSUB_OWNER, "delete", OWNER, NODE_THERE, EMPTY_FIRST, pep_delete_request },
    { IQ_SET, NS_PUBSUB_OWNER, "purge", OWNER, NODE_THERE, EMPTY_FIRST, pep_purge_request },
    { IQ_GET, NS_PUBSUB_OWNER, "subscriptions", OWNER, NODE_THERE, WITH_CONTENT, pep_owner_subscriptions },
    { IQ_SET, NS_PUBSUB_OWNER, "subscriptions", OWNER, NODE_THERE, EMPTY_FIRST, pep_owner_set_subscriptions },
    { IQ_GET, NS_PUBSUB_OWNER, "affiliations", OWNER, NODE_THERE, WITH_CONTENT, pep_owner_affiliations },
    { IQ_SET, NS_PUBSUB_OWNER, "affiliations", OWNER, NODE_THERE, EMPTY_FIRST, pep_owner_set_affiliations },
};

/* ---- what the handlers share ---- */

unsigned pep_asker(const struct pep_request *r)
{
    return pep_relation_of(r->p->sm, r->view, r->p->owner, pep_open_node(r->open), r->p->stanza->from);
}

/* 12.3 leaves it to the server to be stricter than the model. An account that is not there cannot say that a node is
 * closed; so who sees nothing of an account hears the same of each node that is not open to him, there or not. */
bool pep_hides(const struct pep_request *r)
{
    static const unsigned known = PEP_IS_CONTACT | PEP_IS_MEMBER | PEP_IS_SUBSCRIBED | PEP_IS_PENDING | PEP_IS_OUTCAST;

    if (r->iq->target != TO_OTHER_ACCOUNT)
        return false;
    return r->open ? pep_access_closed(pep_open_node(r->open)->config.access) && !(pep_asker(r) & known)
                   : !presence_may_see(r->p->sm, r->p->owner, jid_bare(r->p->stanza->from));
}

struct slice pep_attr_jid(const struct pep_request *r, const struct element *e, const char *name)
{
    struct jid   j;
    struct slice raw_jid = element_attr(e, name);

    if (!raw_jid.len || jid_parse(raw_jid, &j))
        return slice_of(NULL, 0);
    return arena_copy(r->p->sm->arena, jid_slice(&j));
}

void pep_reply_open(struct pep_request *r, const char *ns, const char *action)
{
    xml_open(r->iq->reply, "pubsub", ns);
    xml_open(r->iq->reply, action, NULL);
    if (r->node.len)
        xml_attr_slice(r->iq->reply, "node", r->node);
}

/* ---- dispatch ---- */

static const struct request_row *row_find(const struct pep_request *r)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].type & r->iq->type && element_is(r->action, rows[i].ns, rows[i].action) &&
            slice_is(r->pubsub->ns, rows[i].ns))
            return &rows[i];
    return NULL;
}

static int serve(struct pep_request *r, const struct request_row *row)
{
    int err;

    if (row->who == OWNER && r->iq->target != TO_OWN_ACCOUNT)
        return ZE_FORBIDDEN;
    if (row->node == NODE_THERE && !r->node.len)
        return pep_fail(r->p, PEP_E_NODEID_REQUIRED);
    if (row->node == NODE_THERE || (row->node == NODE_THERE_IF_NAMED && r->node.len)) {
        r->open = pep_open(r->p, r->view, r->node);
        if (pep_hides(r))
            return pep_fail(r->p, PEP_E_PRESENCE_REQUIRED);
        if (!r->open)
            return ZE_NOT_FOUND;
    }
    if (row->reply == WITH_CONTENT)
        return row->handle(r);
    iq_reply_now(r->p);
    err = row->handle(r);
    return err ? err : LATER;
}

static int request(struct iq *iq)
{
    struct pep_request        r = { .iq = iq, .p = iq->p, .pubsub = iq->payload, .action = iq->payload->children };
    const struct request_row *row;
    int                       err;

    if (!r.action)
        return ZE_BAD_REQUEST;
    row = row_find(&r);
    if (!row)
        return ZE_FEATURE;
    r.node = element_attr(r.action, "node");
    r.view = store_view(r.p->sm->store.accounts);
    err = serve(&r, row);
    store_view_end(&r.view);
    return err;
}

static void pep_removed(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.accounts);

    pep_store_removed(p->sm, view, outcome_accounts(p->out), p->owner);
    store_view_end(&view);
}

static int pep_outgoing(struct passage *p)
{
    pep_newcomer_subscribed(p);
    return pep_authorize_answer(p);
}

#define FEATURE(name) NS_PUBSUB "#" name

/* 10; access-presence says that this is the default model (XEP-0163 5). */
static const char *const pep_disco[] = {
    NS_PUBSUB, FEATURE("access-authorize"), FEATURE("access-open"), FEATURE("access-presence"),
    FEATURE("access-roster"), FEATURE("access-whitelist"), FEATURE("auto-create"), FEATURE("auto-subscribe"),
    FEATURE("config-node"), FEATURE("config-node-max"), FEATURE("create-and-configure"), FEATURE("create-nodes"),
    FEATURE("delete-items"), FEATURE("delete-nodes"), FEATURE("filtered-notifications"), FEATURE("get-pending"), FEATURE("instant-nodes"),
    FEATURE("item-ids"), FEATURE("last-published"), FEATURE("leased-subscription"), FEATURE("manage-subscriptions"),
    FEATURE("member-affiliation"), FEATURE("meta-data"), FEATURE("modify-affiliations"), FEATURE("multi-items"), FEATURE("outcast-affiliation"),
    FEATURE("persistent-items"), FEATURE("presence-notifications"), FEATURE("presence-subscribe"), FEATURE("publish"),
    FEATURE("publish-node-full"), FEATURE("publish-options"), FEATURE("pubsub-on-a-jid"), FEATURE("purge-nodes"),
    FEATURE("retract-items"), FEATURE("retrieve-affiliations"), FEATURE("retrieve-default"),
    FEATURE("retrieve-default-sub"), FEATURE("retrieve-items"), FEATURE("retrieve-subscriptions"), FEATURE("rsm"),
    FEATURE("subscribe"), FEATURE("subscription-notifications"), FEATURE("subscription-options"), NULL,
};

static const struct disco_identity pep_identities[] = {
    { TO_OWN_ACCOUNT, "pubsub", "pep", NULL },               /* XEP-0163 6.1 */
    { 0 },
};

static const struct disco_node pep_disco_node_rows[] = {
    { TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, NULL, pep_disco_is, pep_disco_info, pep_disco_items },
    { 0 },
};

static const struct iq_row pep_iqs[] = {
    { IQ_GET | IQ_SET, NS_PUBSUB, "pubsub", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, request },
    { IQ_GET | IQ_SET, NS_PUBSUB_OWNER, "pubsub", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, request },
    { 0 },
};

const struct sm_feature sm_pep = {
    .name = "pep", .spec = "XEP-0163, XEP-0060", .disco_account = pep_disco, .iqs = pep_iqs,
    .commands = pep_pending_commands, .disco_identities = pep_identities, .disco_nodes = pep_disco_node_rows, .disco_items = pep_disco_nodes,
    .outgoing = pep_outgoing, .caps_known = pep_newcomer_known, .contact_changed = pep_contact_changed, .removed = pep_removed,
};
