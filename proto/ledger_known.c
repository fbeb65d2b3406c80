/* What has been read of owners lately (ledger.h), so that a message to a busy account asks the store for neither its
 * owner id nor its newest record.
 *
 * An owner id is taken from what a view shows, never from what a batch is going to write: that may come to nothing.
 * It is believed while no row of the interned names may have changed since (store_epoch): when one is made or
 * forgotten, such a batch fails, or slots may have moved, all is read anew.
 * Ids are in order within the process, whoever they are for. So once its last one is behind the records that an owner
 * has, those to come are, and while nobody else writes there (store_epoch again) nothing has to be looked at. */

#include "ledger_keys.h"

enum { WAYS = 4, SETS = LEDGER_KNOWN / WAYS };

static struct ledger_known *set_of(const struct ledger *l)
{
    return &l->place->known[l->slot % SETS * WAYS];
}

static bool is_of(const struct ledger_known *k, struct slice owner)
{
    return slice_eq(slice_of(k->owner, k->len), owner);
}

struct ledger_known *ledger_known(const struct ledger *l)
{
    uint64_t epoch = store_epoch(l->view, l->place->tables->intern, l->slot);

    for (struct ledger_known *k = set_of(l), *end = k + WAYS; k < end; k++)
        if (k->epoch == epoch && is_of(k, l->owner))
            return k;
    return NULL;
}

/* The oldest goes: the set is in order of age. */
void ledger_know(const struct ledger *l)
{
    struct ledger_known *set = set_of(l);

    if (l->owner.len > LEDGER_KNOWN_NAME)
        return;
    memmove(set + 1, set, (WAYS - 1) * sizeof(*set));
    *set = (struct ledger_known){
        .epoch = store_epoch(l->view, l->place->tables->intern, l->slot),
        .owner_id = l->owner_id, .len = (uint8_t)l->owner.len,
    };
    memcpy(set->owner, l->owner.p, l->owner.len);
}
