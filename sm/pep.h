#pragma once

/* Personal eventing (XEP-0163): every account is a publish-subscribe service (XEP-0060), its nodes are kept by
 * pep_store.h. What other features use: reading and publishing items of an account's nodes, and the rows of
 * pep_hooks.c, by which they hear what a client publishes. */

#include "feature.h"
#include "pep_node.h"

struct pep_item {
    struct slice node;
    struct slice id;               /* empty, when publishing: one is made */
    struct slice payload;          /* one XML element that stands alone in jabber:client; empty: none */
    struct slice publisher;        /* full JID of the session that published it; empty: not known */
    uint64_t     time_us;          /* when it was published; not read when publishing */
};

/* The item, or with an empty id the newest one of the node. False: no such (or it has expired). Slices borrow from
 * the view. No access is checked. */
bool pep_item_get(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node, struct slice id,
                  struct pep_item *item);
/* The items of a node, newest first; a node that is not there has none. Stops at the first non-zero each() returns
 * and returns that; else 0 or ZE_STORE. */
int pep_items_each(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node,
                   int (*each)(void *arg, const struct pep_item *item), void *arg);

/* How a node is made when there is none yet; what is not said here is default. */
struct pep_wanted {
    enum pep_access    access;
    uint32_t           max_items;  /* PEP_MAX: as many as the server lets */
    enum pep_send_last send_last;
};
/* Private storage (XEP-0223 3, XEP-0402 3.2). */
#define PEP_PRIVATE (&(const struct pep_wanted){ PEP_WHITELIST, PEP_MAX, PEP_LAST_NEVER })

/* Stores the item in a node of p->owner, which is made if need be (wanted NULL: with the defaults), and notifies,
 * all with p->out. Several in one outcome are fine. The rows of pep_hooks.c are not called. Slices must live until
 * the end of the dispatch. The errors of XEP-0060 7.1.3, with their application condition (outcome_detail);
 * ZE_FULL: a limit of the account. After an error the outcome must be abandoned. */
enum zerr pep_publish(struct passage *p, const struct pep_item *item, const struct pep_wanted *wanted);
/* Within the limits of account and node: pep_publish would not refuse it. For what is made of something else that is
 * good without it. */
bool pep_fits(struct passage *p, const struct pep_item *item);
/* Removes it, and tells the subscribers. ZE_NOT_FOUND. */
enum zerr pep_retract(struct passage *p, struct slice node, struct slice id);

/* What a feature does when a client changes one of these nodes of its own account, in the same outcome, after the
 * change was recorded (the view does not show it yet). An error refuses the client's request whole. Each function
 * may be NULL. */
struct pep_hook {
    const char *node;
    enum zerr (*published)(struct passage *p, const struct pep_item *item);    /* item->id is set */
    enum zerr (*retracted)(struct passage *p, struct slice id);
    enum zerr (*emptied)(struct passage *p);                                   /* purged, or the node is deleted */
};
