/* Whose slots (store.h, DESIGN.md 6): the members that own slots are recorded in the environment, under a
 * generation. A writer that has slept through a change of members (stopped, swapped out, evicted while it
 * hung) finds the newer record in its next transaction, and what it wanted to write for slots that are
 * not its own any more is refused. */

#include "store_inner.h"

#include <stdlib.h>

#include "cursor.h"
#include "mem.h"

enum { CLAIM_FORMAT = 1 };

static const char row_key[] = "members";

static bool newer(const struct store_members *a, const struct store_members *b)
{
    return a->generation != b->generation ? a->generation > b->generation : !a->before_count && b->before_count;
}

void store_claim(struct store *store, const struct store_members *members)
{
    pthread_mutex_lock(&store->writer.mutex);
    if (newer(members, &store->claim)) {
        store->claim = *members;
        epoch_all(store);
    }
    pthread_mutex_unlock(&store->writer.mutex);
}

static size_t take_keys(struct cursor *c, uint32_t *keys)
{
    size_t count = take_u16(c);

    if (count > STORE_MEMBERS_MAX)
        c->bad = true;
    for (size_t i = 0; i < count && !c->bad; i++)
        keys[i] = take_u32(c);
    return count;
}

static bool decode(struct slice row, struct store_members *out)
{
    struct cursor c = { row, false };
    bool          good = take_u8(&c) == CLAIM_FORMAT;

    out->generation = take_u32(&c);
    out->count = take_keys(&c, out->keys);
    out->before_count = take_keys(&c, out->before);
    return good && cursor_done(&c);
}

static void put_keys(struct buf *row, const uint32_t *keys, size_t count)
{
    buf_put_u16(row, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        buf_put_u32(row, keys[i]);
}

static int record(struct store *store, MDB_txn *txn, const struct store_members *claim)
{
    struct buf row = { 0 };

    buf_put_u8(&row, CLAIM_FORMAT);
    buf_put_u32(&row, claim->generation);
    put_keys(&row, claim->keys, claim->count);
    put_keys(&row, claim->before, claim->before_count);
    MDB_val k = { sizeof(row_key), (void *)row_key }, v = { buf_len(&row), row.bytes };
    int     rc = mdb_put(txn, store->meta, &k, &v, 0);
    buf_free(&row);
    return rc;
}

int claim_read(const struct store *store, MDB_txn *txn, struct store_members *found)
{
    MDB_val k = { sizeof(row_key), (void *)row_key }, v;
    int     rc = mdb_get(txn, store->meta, &k, &v);

    memset(found, 0, sizeof(*found));
    if (rc == 0 && !decode(slice_of(v.mv_data, v.mv_size), found))
        return MDB_CORRUPTED;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int claim_check(struct store *store, MDB_txn *txn, struct claim *out)
{
    struct store_members *found = &out->members, own;
    int                   rc = claim_read(store, txn, found);

    if (rc != 0)
        return rc;
    pthread_mutex_lock(&store->writer.mutex);
    own = store->claim;
    pthread_mutex_unlock(&store->writer.mutex);
    if (!newer(&own, found))
        return 0;
    *found = own;
    return record(store, txn, &own);
}

bool claim_holds(const struct store *store, unsigned slot)
{
    const struct store_members *claim = &store->claim;

    return !store->owner_of || claim->count == 0 ||
           (!claim->before_count && store->owner_of(claim->keys, claim->count, slot) == store->instance);
}

static bool slot_ours(const struct store *store, const struct store_members *m, unsigned slot)
{
    return store->owner_of(m->keys, m->count, slot) == store->instance ||
           (m->before_count && store->owner_of(m->before, m->before_count, slot) == store->instance);
}

/* Who owns a slot costs a hash for each member, so each slot is asked for once. */
static bool slot_ours_kept(const struct store *store, struct claim *claim, unsigned slot)
{
    uint64_t bit = UINT64_C(1) << slot % 64, *asked = &claim->asked[slot / 64], *ours = &claim->ours[slot / 64];

    if (!(*asked & bit) && slot_ours(store, &claim->members, slot))
        *ours |= bit;
    *asked |= bit;
    return *ours & bit;
}

/* One batch is of one owner, hence of one slot; facts of the whole environment have no owner. */
bool claim_allows(const struct store *store, struct claim *claim, const struct store_batch *b)
{
    unsigned slot;

    if (!store->owner_of || claim->members.count == 0 || !b->owner.len || b->op_count == 0)
        return true;
    if (b->ops[0].key.len < 2)
        return false;
    slot = (unsigned)b->ops[0].key.p[0] << 8 | b->ops[0].key.p[1];
    return slot < CLAIM_SLOTS ? slot_ours_kept(store, claim, slot) : slot_ours(store, &claim->members, slot);
}
