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

void store_claim(struct store *store, uint32_t generation, const uint32_t *members, size_t count)
{
    pthread_mutex_lock(&store->writer.mutex);
    if (generation > store->claim.generation && count <= STORE_MEMBERS_MAX) {
        store->claim.generation = generation;
        store->claim.count = count;
        memcpy(store->claim.members, members, count * sizeof(*members));
    }
    pthread_mutex_unlock(&store->writer.mutex);
}

static bool decode(struct slice row, struct claim *out)
{
    struct cursor c = { row, false };
    bool          good = take_u8(&c) == CLAIM_FORMAT;

    out->generation = take_u32(&c);
    for (out->count = 0; !c.bad && c.rest.len && out->count < STORE_MEMBERS_MAX; out->count++)
        out->members[out->count] = take_u32(&c);
    return good && cursor_done(&c);
}

static int record(struct store *store, MDB_txn *txn, const struct claim *claim)
{
    struct buf row = { 0 };

    buf_put_u8(&row, CLAIM_FORMAT);
    buf_put_u32(&row, claim->generation);
    for (size_t i = 0; i < claim->count; i++)
        buf_put_u32(&row, claim->members[i]);
    MDB_val k = { sizeof(row_key), (void *)row_key }, v = { buf_len(&row), row.bytes };
    int     rc = mdb_put(txn, store->meta, &k, &v, 0);
    buf_free(&row);
    return rc;
}

int claim_check(struct store *store, MDB_txn *txn, struct claim *found)
{
    struct claim own;
    MDB_val      k = { sizeof(row_key), (void *)row_key }, v;
    int          rc = mdb_get(txn, store->meta, &k, &v);

    *found = (struct claim){ 0 };
    if (rc == 0 && !decode(slice_of(v.mv_data, v.mv_size), found))
        return MDB_CORRUPTED;
    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    pthread_mutex_lock(&store->writer.mutex);
    own = store->claim;
    pthread_mutex_unlock(&store->writer.mutex);
    if (own.generation <= found->generation)
        return 0;
    *found = own;
    return record(store, txn, &own);
}

/* One batch is of one owner, hence of one slot; facts of the whole environment have no owner. */
bool claim_allows(const struct store *store, const struct claim *claim, const struct store_batch *b)
{
    const struct slice *key;

    if (!store->owner_of || claim->count == 0 || !b->owner.len || b->op_count == 0)
        return true;
    key = &b->ops[0].key;
    if (key->len < 2)
        return false;
    return store->owner_of(claim->members, claim->count, (unsigned)key->p[0] << 8 | key->p[1]) == store->instance;
}
