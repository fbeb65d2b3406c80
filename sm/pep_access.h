#pragma once

/* Who may do what with a node: access models (XEP-0060 4.5) as a table over what somebody is to the owner. */

#include "pep_error.h"
#include "pep_store.h"

enum pep_relation {
    PEP_IS_OWNER      = 1 << 0,
    PEP_IS_CONTACT    = 1 << 1,        /* subscribed to the owner's presence */
    PEP_IS_IN_GROUP   = 1 << 2,        /* in a roster group that the node names */
    PEP_IS_MEMBER     = 1 << 3,        /* on the whitelist */
    PEP_IS_OUTCAST    = 1 << 4,
    PEP_IS_SUBSCRIBED = 1 << 5,        /* with this JID or its bare one */
    PEP_IS_PENDING    = 1 << 6,
};

enum pep_act {
    PEP_ACT_SUBSCRIBE,                 /* 6.1.3 */
    PEP_ACT_RETRIEVE,                  /* 6.5.1 */
    PEP_ACT_HEAR,                      /* of what is published, without having subscribed: 9.1 */
    PEP_ACTS,
};

enum pep_error pep_access_rule(enum pep_access model, enum pep_act act, unsigned relation);

/* Whether strangers can neither read nor subscribe to such a node. */
bool pep_access_closed(enum pep_access model);

/* May that JID read the items of the node? Yes, when there is no such node: nothing is hidden. */
bool pep_may_read(struct sm *sm, struct store_view *view, struct slice owner, struct slice node, struct slice jid);

/* enum pep_relation bits of a canonical JID. */
unsigned pep_relation_of(struct sm *sm, struct store_view *view, struct slice owner, const struct pep_node *node,
                         struct slice jid);
