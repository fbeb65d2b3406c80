/* Of what is unimportant, what the latest is enough of (csi.h). */

#include "csi.h"

#include "feature.h"
#include "jid.h"
#include "ns.h"
#include "pep_store.h"
#include "table.h"
#include "vcard4.h"

/* Presence that tells a state, and a chat state with nothing beside it. */
static bool one_of_a_sender(const struct stanza *s)
{
    const uint32_t more = STANZA_HAS_RECEIPT | STANZA_HAS_MARKER | STANZA_STORE | STANZA_COPY;

    if (s->name == STANZA_PRESENCE)
        return s->type == TYPE_NONE || s->type == TYPE_UNAVAILABLE;
    return s->name == STANZA_MESSAGE && s->flags & STANZA_CHAT_STATE && !(s->flags & more);
}

/* ---- events ---- */

/* Nodes of others that hold one state of somebody, whatever the ids of its items. */
static const char *const states[] = {
    "http://jabber.org/protocol/tune",                     /* XEP-0118 */
    "http://jabber.org/protocol/mood",                     /* XEP-0107 */
    "http://jabber.org/protocol/activity",                 /* XEP-0108 */
    "http://jabber.org/protocol/geoloc",                   /* XEP-0080 */
    "http://jabber.org/protocol/nick",                     /* XEP-0172 */
    NS_AVATAR,                                             /* XEP-0084 */
    NODE_VCARD4,                                           /* XEP-0292 */
    "eu.siacs.conversations.axolotl.devicelist",           /* XEP-0384 0.3 */
    "urn:xmpp:omemo:2:devices",                            /* XEP-0384 */
};

static bool is_state(struct sm *sm, struct slice publisher, struct slice name)
{
    struct store_view *view;
    struct pep_node    node;
    bool               is = false;

    for (size_t i = 0; i < COUNT_OF(states); i++)
        if (slice_is(name, states[i]))
            return true;
    if (!sm_serves(sm, jid_domain(publisher)))
        return false;
    view = store_view(sm->store.accounts);
    is = pep_node_find(sm, view, jid_bare(publisher), name, &node) && node.config.max_items == 1;
    store_view_end(&view);
    return is;
}

static uint64_t hash_of(struct slice text)
{
    return text.len ? hash_bytes(text) : 1;
}

/* XEP-0060 7.1.2.1, 7.2.2.1: of one item. What tells of more, or of the node, is nobody's place. */
static struct csi_place event_place(struct sm *sm, const struct stanza *s)
{
    struct xml_limits     limits = sm_xml_limits(sm);
    const struct element *root = xml_parse_content(sm->arena, s->content, NS_CLIENT, &limits);
    const struct element *event = root ? element_child(root, NS_PUBSUB_EVENT, "event") : NULL;
    const struct element *items = event ? element_child(event, NULL, "items") : NULL;
    const struct element *item = items ? items->children : NULL;
    bool                  retracts = item && slice_is(item->name, "retract");
    struct slice          node;

    if (!item || item->next || items->next || !(retracts || slice_is(item->name, "item")))
        return (struct csi_place){ 0 };
    node = element_attr(items, "node");
    return (struct csi_place){
        .key = hash_of(s->from) ^ hash_of(node) * 3, .item = hash_of(element_attr(item, "id")),
        .all = !retracts && is_state(sm, s->from, node),
    };
}

struct csi_place csi_place(struct sm *sm, const struct stanza *s)
{
    if (s->name == STANZA_MESSAGE && slice_is(s->payload_ns, NS_PUBSUB_EVENT))
        return event_place(sm, s);
    return (struct csi_place){ .key = one_of_a_sender(s) ? hash_of(s->from) ^ s->name : 0 };
}

bool csi_takes(const struct csi_place *now, const struct csi_place *before)
{
    return now->key && now->key == before->key && (now->all || now->item == before->item);
}
