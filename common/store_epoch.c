/* How long what was read of a table may be kept (store_epoch in store.h).
 *
 * Of this process's own batches: what a view shows changes when one is handed in, and when one that failed leaves the
 * overlay; a commit changes nothing that was not seen before. Of other processes: they write for slots of their own,
 * which matters here once such a slot has come, and that takes a newer generation of members. This process may hear of
 * it late (it hung, and was evicted and taken in again meanwhile); but who wrote meanwhile recorded his generation
 * in that very transaction, or in an earlier one, so the snapshot that has his rows has another record. */

#include "store_inner.h"

/* One row of numbers for all stores of the process. */
static uint64_t drawn;

void epoch_all(struct store *store)
{
    store->epochs.all = ++drawn;
}

void epoch_wrote(struct store *store, const struct store_batch *b)
{
    drawn++;
    for (size_t i = 0; i < b->op_count; i++)
        if ((b->ops[i].kind == OP_PUT || b->ops[i].kind == OP_DELETE) && b->ops[i].table < store->table_count)
            store->epochs.of[b->ops[i].table] = drawn;
}

static void look_at_members(struct store_view *view)
{
    struct epochs       *e = &view->store->epochs;
    struct store_members found;

    if (e->looked_at == mdb_txn_id(view->txn))
        return;
    e->looked_at = mdb_txn_id(view->txn);
    if (claim_read(view->store, view->txn, &found) == 0 && memcmp(&found, &e->recorded, sizeof(found)) == 0)
        return;
    e->recorded = found;
    epoch_all(view->store);
}

uint64_t store_epoch(struct store_view *view, unsigned table, unsigned slot)
{
    const struct epochs *e = &view->store->epochs;

    look_at_members(view);
    if (table >= view->store->table_count || e->recorded.before_count || !claim_holds(view->store, slot))
        return ++drawn;
    return e->of[table] > e->all ? e->of[table] : e->all;
}
