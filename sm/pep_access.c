/* Access models (pep_access.h). */

#include "pep_access.h"

#include "blocked.h"
#include "cursor.h"
#include "jid.h"
#include "roster.h"

/* What is needed, in this order, and what is said when it is missing. The last two models are never heard without
 * a subscription (XEP-0060 9.1.2), and read by subscribers only (6.5.1). */
struct need {
    unsigned       relation;
    enum pep_error missing;
};

enum { NEEDS = 2 };

static const struct need needs[PEP_ACCESS_MODELS][PEP_ACTS][NEEDS] = {
    [PEP_PRESENCE] = {
        [PEP_ACT_SUBSCRIBE] = { { PEP_IS_CONTACT, PEP_E_PRESENCE_REQUIRED } },
        [PEP_ACT_RETRIEVE]  = { { PEP_IS_CONTACT, PEP_E_PRESENCE_REQUIRED } },
        [PEP_ACT_HEAR]      = { { PEP_IS_CONTACT, PEP_E_PRESENCE_REQUIRED } },
    },
    [PEP_ROSTER] = {
        [PEP_ACT_SUBSCRIBE] = { { PEP_IS_CONTACT, PEP_E_NOT_IN_GROUP }, { PEP_IS_IN_GROUP, PEP_E_NOT_IN_GROUP } },
        [PEP_ACT_RETRIEVE]  = { { PEP_IS_CONTACT, PEP_E_NOT_IN_GROUP }, { PEP_IS_IN_GROUP, PEP_E_NOT_IN_GROUP } },
        [PEP_ACT_HEAR]      = { { PEP_IS_CONTACT, PEP_E_NOT_IN_GROUP }, { PEP_IS_IN_GROUP, PEP_E_NOT_IN_GROUP } },
    },
    [PEP_AUTHORIZE] = {
        [PEP_ACT_RETRIEVE]  = { { PEP_IS_SUBSCRIBED, PEP_E_SUBSCRIBERS_ONLY } },
        [PEP_ACT_HEAR]      = { { PEP_IS_OWNER, PEP_E_SUBSCRIBERS_ONLY } },
    },
    [PEP_WHITELIST] = {
        [PEP_ACT_SUBSCRIBE] = { { PEP_IS_MEMBER, PEP_E_CLOSED_NODE } },
        [PEP_ACT_RETRIEVE]  = { { PEP_IS_MEMBER, PEP_E_CLOSED_NODE }, { PEP_IS_SUBSCRIBED, PEP_E_SUBSCRIBERS_ONLY } },
        [PEP_ACT_HEAR]      = { { PEP_IS_OWNER, PEP_E_CLOSED_NODE } },
    },
};

enum pep_error pep_access_rule(enum pep_access model, enum pep_act act, unsigned relation)
{
    const struct need *need = needs[model][act];

    if (relation & PEP_IS_OWNER)
        return PEP_OK;
    if (relation & PEP_IS_OUTCAST)
        return PEP_E_OUTCAST;
    for (size_t i = 0; i < NEEDS && need[i].relation; i++)
        if (!(relation & need[i].relation))
            return need[i].missing;
    return PEP_OK;
}

bool pep_access_closed(enum pep_access model)
{
    return pep_access_rule(model, PEP_ACT_SUBSCRIBE, 0) != PEP_OK;
}

/* ---- what somebody is ---- */

static bool names_one(const struct pep_config *c, struct slice groups)
{
    struct cursor cur = { groups, false };

    while (cur.rest.len && !cur.bad)
        if (pep_config_group(c, take_sized(&cur)))
            return true;
    return false;
}

/* Of the owner's own groups, or of those that the operator shares. */
static bool in_group(const struct pep_config *c, const struct roster_item *item)
{
    return names_one(c, item->groups) || names_one(c, item->shared);
}

static unsigned in_roster(struct sm *sm, struct store_view *view, struct slice owner, const struct pep_node *node,
                          struct slice bare)
{
    struct roster_item item;
    unsigned           is = 0;

    if (!roster_find(sm, view, owner, bare, &item))
        return 0;
    if (item.flags & ROSTER_FROM)
        is |= PEP_IS_CONTACT;
    if (in_group(&node->config, &item))
        is |= PEP_IS_IN_GROUP;
    return is;
}

static unsigned in_row(const struct pep_sub *sub)
{
    static const unsigned subscriptions[] = {
        [PEP_SUB_NONE] = 0, [PEP_SUB_PENDING] = PEP_IS_PENDING, [PEP_SUBSCRIBED] = PEP_IS_SUBSCRIBED,
    };
    static const unsigned affiliations[] = {
        [PEP_AFF_NONE] = 0, [PEP_MEMBER] = PEP_IS_MEMBER, [PEP_OUTCAST] = PEP_IS_OUTCAST,
    };

    return subscriptions[sub->subscription] | affiliations[sub->affiliation];
}

unsigned pep_relation_of(struct sm *sm, struct store_view *view, struct slice owner, const struct pep_node *node,
                         struct slice jid)
{
    struct slice   bare = jid_bare(jid);
    unsigned       is = slice_eq(bare, owner) ? PEP_IS_OWNER : in_roster(sm, view, owner, node, bare);
    struct pep_sub sub;

    if (blocked(sm, owner, jid))
        return PEP_IS_OUTCAST;                    /* XEP-0191 3.3: nothing goes to it */
    if (!node->subscribers)
        return is;
    sub = pep_sub_get(sm, view, owner, node->name, bare);
    is |= in_row(&sub);
    if (jid.len > bare.len) {
        sub = pep_sub_get(sm, view, owner, node->name, jid);
        is |= in_row(&sub);
    }
    return is;
}

bool pep_may_read(struct sm *sm, struct store_view *view, struct slice owner, struct slice node, struct slice jid)
{
    struct pep_node found;

    return !pep_node_find(sm, view, owner, node, &found) ||
           !pep_access_rule(found.config.access, PEP_ACT_RETRIEVE, pep_relation_of(sm, view, owner, &found, jid));
}
