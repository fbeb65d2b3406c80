/* Configuration of a node (pep_node.h). */

#include "pep_node.h"

#include "mem.h"
#include "pep_form.h"

#define AT(member) offsetof(struct pep_config, member)

static const struct pep_field rows[] = {
    { 1, PEP_CHOICE, "pubsub#access_model", "Who may subscribe and retrieve items", AT(access),
      { "presence", "open", "roster", "authorize", "whitelist" }, "presence" },
    { 2, PEP_GROUPS, "pubsub#roster_groups_allowed", "Roster groups that may subscribe and retrieve items", AT(groups),
      { NULL }, NULL },
    { 3, PEP_FLAG, "pubsub#persist_items", "Items are kept", AT(persist), { NULL }, "1" },
    { 4, PEP_NUMBER, "pubsub#max_items", "How many items are kept, or max", AT(max_items), { NULL }, "1" },
    { 5, PEP_NUMBER, "pubsub#item_expire", "Seconds until an item is forgotten, or max", AT(expire), { NULL }, "max" },
    { 6, PEP_CHOICE, "pubsub#publish_node_full", "What happens when more are published", AT(node_full),
      { "retract-oldest", "discard-oldest", "reject" }, "retract-oldest" },
    { 7, PEP_NUMBER, "pubsub#max_payload_size", "Largest payload in bytes, or max", AT(max_payload), { NULL }, "max" },
    { 8, PEP_CHOICE, "pubsub#send_last_published_item", "When the last item is sent", AT(send_last),
      { "on_sub_and_presence", "on_sub", "never" }, "on_sub_and_presence" },
    { 9, PEP_FLAG, "pubsub#deliver_notifications", "Events are sent", AT(deliver), { NULL }, "1" },
    { 10, PEP_FLAG, "pubsub#deliver_payloads", "Events carry the payload", AT(payloads), { NULL }, "1" },
    { 11, PEP_FLAG, "pubsub#notify_retract", "Subscribers hear of items that are removed", AT(notify_retract), { NULL },
      "1" },
    { 12, PEP_FLAG, "pubsub#notify_delete", "Subscribers hear of the end of the node", AT(notify_delete), { NULL }, "1" },
    { 13, PEP_FLAG, "pubsub#notify_config", "Subscribers hear of a new configuration", AT(notify_config), { NULL }, "0" },
    { 14, PEP_CHOICE, "pubsub#notification_type", "Type of the messages that carry events", AT(notification),
      { "headline", "normal" }, "headline" },
    { 15, PEP_FLAG, "pubsub#subscribe", "Subscriptions are allowed", AT(subscribe), { NULL }, "1" },
    { 16, PEP_TEXT, "pubsub#title", "Name of the node", AT(title), { NULL }, NULL },
    { 17, PEP_TEXT, "pubsub#description", "What is in the node", AT(description), { NULL }, NULL },
    { 18, PEP_TEXT, "pubsub#type", "Namespace of its payloads", AT(type), { NULL }, NULL },
    { 19, PEP_TEXT, "pubsub#language", "Language of its items", AT(language), { NULL }, NULL },
    /* An account has one publisher and no collections (XEP-0163 2.2). */
    { 20, PEP_FIXED, "pubsub#node_type", "Type of the node", 0, { "leaf" }, "leaf" },
    { 21, PEP_FIXED, "pubsub#publish_model", "Who may publish", 0, { "publishers" }, "publishers" },
    { 22, PEP_CHOICE, "pubsub#itemreply", "Whether items tell who published them", AT(item_reply),
      { "none", "publisher" }, "none" },
    { 23, PEP_FIXED, "pubsub#presence_based_delivery", "Events go to available resources only", 0, { "0", "false" }, "0" },
    { 24, PEP_FIXED, "pubsub#purge_offline", "Items end with the publisher's session", 0, { "0", "false" }, "0" },
    { 25, PEP_FIXED, "pubsub#tempsub", "Subscriptions end with the subscriber's session", 0, { "0", "false" }, "0" },
    { 26, PEP_FIXED, "pubsub#notify_sub", "The owner hears of subscriptions", 0, { "0", "false" }, "0" },
};

static const struct pep_form config_form = { rows, COUNT_OF(rows) };

void pep_config_preset(struct pep_config *c)
{
    *c = (struct pep_config){ 0 };
    pep_form_preset(&config_form, c);
}

bool pep_config_group(const struct pep_config *c, struct slice group)
{
    struct cursor cur = { c->groups, false };

    while (cur.rest.len && !cur.bad)
        if (slice_eq(take_sized(&cur), group))
            return true;
    return false;
}

enum zerr pep_config_read(struct arena *arena, const struct element *form, enum pep_form_use use,
                          struct pep_config *c, struct slice *refused)
{
    const struct pep_field *row;
    enum zerr               err = pep_form_read(&config_form, arena, form, use == PEP_FORM_PRECONDITIONS, c, &row);

    *refused = row ? slice_str(row->var) : slice_of("", 0);
    return err;
}

bool pep_config_same(struct arena *arena, const struct pep_config *a, const struct pep_config *b)
{
    return pep_form_same(&config_form, arena, a, b);
}

void pep_config_write(struct xml_writer *w, struct arena *arena, const struct pep_config *c, bool options)
{
    pep_form_write(&config_form, w, arena, c, options);
}

void pep_config_put(struct buf *out, struct arena *arena, const struct pep_config *c)
{
    pep_form_put(&config_form, out, arena, c);
}

bool pep_config_take(struct cursor *cur, struct pep_config *c)
{
    *c = (struct pep_config){ 0 };
    return pep_form_take(&config_form, cur, c);
}
