#pragma once

/* Rosters (RFC 6121 2). They stay in the store: an online account holds no copy.
 *
 * T_ROSTER          slot, owner NUL contact -> u8 format 2, u8 flags (enum roster_flag), u64 version,
 *                   sized name, sized titles of shared groups (groups.h), each sized, then each group sized
 *                   (format 1: without the titles)
 * T_ROSTER_VERSION  slot, owner -> u8 format 2, u64 version, u32 items, u64 version of the newest removal that is
 *                   forgotten, then the removals that are not, oldest first: u64 version, sized contact
 *
 * The version counts changes of the account's roster, from the time of the first one in microseconds: what an
 * account of the same name gave out before it was removed is not taken for ours. ROSTER_REMOVALS_MAX removed
 * items are remembered; a client whose version is older than the newest forgotten one gets the whole
 * roster (2.6.3 allows it). */

#include "feature.h"

enum { ROSTER_REMOVALS_MAX = 32 };

enum roster_flag {
    ROSTER_TO       = 1 << 0,      /* the owner is subscribed to the contact */
    ROSTER_FROM     = 1 << 1,      /* the contact is subscribed to the owner */
    ROSTER_ASK      = 1 << 2,      /* Pending Out, RFC 6121 A.1 */
    ROSTER_APPROVED = 1 << 3,      /* pre-approved, 3.4 */
    ROSTER_SHARED   = 1 << 4,      /* by a shared group: both, whatever the two have said to each other */
    ROSTER_UNLISTED = 1 << 5,      /* only by a shared group: it goes with it */
};

/* Slices borrow from the store view. */
struct roster_item {
    struct slice contact;          /* canonical bare JID */
    unsigned     flags;            /* of a shared one with ROSTER_TO and ROSTER_FROM, without ROSTER_ASK */
    unsigned     own;              /* of these three, what a shared one would have of its own */
    uint64_t     version;          /* of the roster when it last changed */
    struct slice name;
    struct slice groups;           /* each sized */
    struct slice shared;           /* titles of shared groups, the same */
};

/* Calls each() in the order of the contacts; stops at its first non-zero and returns that; ZE_STORE. */
int roster_each(struct sm *sm, struct store_view *view, struct slice owner,
                int (*each)(void *arg, const struct roster_item *item), void *arg);
/* False: no such item. */
bool roster_find(const struct sm *sm, struct store_view *view, struct slice owner, struct slice contact,
                 struct roster_item *out);
/* Adds the item as it is now to the outcome's batch with the roster's next version, and the push to
 * every interested session of the owner (2.1.6). At most one change of one roster in one outcome.
 * ZE_FULL: a new item over roster_items_max. */
enum zerr roster_put(struct outcome *o, struct sm *sm, struct store_view *view, struct slice owner,
                     const struct roster_item *item);
enum zerr roster_remove(struct outcome *o, struct sm *sm, struct store_view *view, struct slice owner,
                        struct slice contact);
/* The item as item->shared says now, in the roster or not: no title and unlisted, it goes. True: the contact is
 * subscribed to the owner afterwards. */
bool roster_share(struct outcome *o, struct sm *sm, struct store_view *view, struct slice owner,
                  struct roster_item *item);
