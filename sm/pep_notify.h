#pragma once

/* Events of nodes of p->owner: messages from its bare JID (XEP-0163 4.3.1), after the commit, one frame for each
 * next daemon. They go to the account's own resources and to resources of contacts that advertise node+notify, as
 * far as the access model lets them hear (XEP-0060 9), and to who has subscribed. */

#include "pep_store.h"

/* What is inside of <event/>. */
struct slice pep_event_item(struct outcome *o, const struct pep_node *node, const struct pep_item *item);
struct slice pep_event_retract(struct outcome *o, const struct pep_node *node, const struct slice *ids, size_t count);
/* <delete/>, <purge/> (7.2.2 and 8.5.2 forbid one event an item). */
struct slice pep_event_bare(struct outcome *o, const struct pep_node *node, const char *what);
/* <configuration/>, with the values if the node delivers payloads (8.2.4.3). */
struct slice pep_event_configuration(struct passage *p, const struct pep_node *node);

/* publisher: full JID for the replyto of XEP-0163 4.3.1, which only those hear who see the owner's presence; may be
 * empty. */
void pep_notify(struct passage *p, struct store_view *view, const struct pep_node *node, struct slice event,
                struct slice publisher);
/* <delete/>, to those also whose subscription is pending (8.4.2). */
void pep_notify_deleted(struct passage *p, struct store_view *view, const struct pep_node *node);
/* XEP-0060 8.6, 12.5: to one subscriber, its new state. */
void pep_notify_subscription(struct passage *p, const struct pep_node *node, const struct pep_sub *sub);
/* The last item to one JID that has just subscribed, or come (6.1.7; XEP-0163 4.3.4). */
void pep_notify_last(struct passage *p, struct store_view *view, const struct pep_node *node, struct slice to);
