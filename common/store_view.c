/* Reading: an LMDB snapshot with this process's pending batches laid over it (store.h).
 *
 * Why the two fit whatever their ages: an operation leaves the overlay only on the loop's thread,
 * after its commit is durable, and never while a view is open (store_commit.c). So a snapshot may lack
 * a commit only while the overlay still holds it; and when the snapshot has it already, laying the
 * overlay over it again changes nothing, because the latest operation of a key wins in both. */

#include "store_inner.h"

#include <stdlib.h>

#include "log.h"

static struct slice from_mdb(MDB_val v)
{
    return slice_of(v.mv_data, v.mv_size);
}

static MDB_val to_mdb(struct slice s)
{
    return (MDB_val){ s.len, (void *)s.p };
}

static int snapshot(struct store_view *view)
{
    return view->txn ? mdb_txn_renew(view->txn)
                     : mdb_txn_begin(view->store->env, NULL, MDB_RDONLY, &view->txn);
}

struct store_view *store_view(struct store *store)
{
    struct store_view *view = &store->view;

    if (view->depth++ > 0)
        return view;
    pthread_mutex_lock(&store->gate);
    store->pages.touched = true;
    int rc = snapshot(view);
    while (rc == MDB_MAP_RESIZED) {
        pthread_mutex_unlock(&store->gate);
        rc = store_remap(store, 0);
        pthread_mutex_lock(&store->gate);
        if (rc == 0)
            rc = snapshot(view);
    }
    if (rc != 0)
        fatal("store_unreadable", "peer", store->path, "why", mdb_strerror(rc), NULL);
    return view;
}

void store_view_end(struct store_view **view)
{
    struct store_view *v = *view;

    *view = NULL;
    if (!v || --v->depth > 0)
        return;
    mdb_txn_reset(v->txn);
    pthread_mutex_unlock(&v->store->gate);
}

void view_close(struct store_view *view)
{
    if (view->txn)
        mdb_txn_abort(view->txn);
    view->txn = NULL;
}

static void log_row(const struct store *store, unsigned table, const char *why)
{
    log_error("store_row_unreadable", "peer", store->path, "kind", log_num(table), "why", why, NULL);
}

struct slice store_get(struct store_view *view, unsigned table, struct slice key)
{
    const struct store *store = view->store;
    struct slice        full, value, none = { NULL, 0 };
    struct folded       folded;

    if (table >= store->table_count || !fold_key(key, &folded))
        return none;
    struct slice           disk = slice_of(folded.bytes, folded.len);
    const struct store_op *op = overlay_get(store->overlay, table, disk);
    if (op)
        return op->kind == OP_PUT ? op->value : none;
    MDB_val k = to_mdb(disk), v;
    int     rc = mdb_get(view->txn, store->tables[table], &k, &v);
    if (rc == MDB_NOTFOUND)
        return none;
    if (rc == 0 && unfold(disk, from_mdb(v), &full, &value) && slice_eq(full, key))
        return value;
    log_row(store, table, rc ? mdb_strerror(rc) : "not what its key says");
    return none;
}

/* ---- ranges: the snapshot's rows and the pending ones, merged ---- */

struct range {
    struct store_view  *view;
    unsigned            table;
    struct slice        prefix;        /* whole */
    struct folded       start;         /* what the folded keys have in common */
    bool                exact, backwards;
    MDB_cursor         *cursor;
    MDB_val             key, value;    /* the snapshot's next row */
    int                 rc;            /* of the cursor: 0 while it has a row */
    struct overlay_walk pending;       /* at the overlay's next */
};

static bool in_range(const struct range *r, struct slice disk_key)
{
    return slice_starts(disk_key, slice_of(r->start.bytes, r->start.len));
}

/* The first folded key behind all that begin with the prefix. False: there is none. */
static bool range_end(const struct range *r, struct folded *end)
{
    *end = r->start;
    while (end->len > 0 && end->bytes[end->len - 1] == 0xFF)
        end->len--;
    if (end->len == 0)
        return false;
    end->bytes[end->len - 1]++;
    return true;
}

static void seek_pending(struct range *r, struct slice from)
{
    overlay_walk(&r->pending, r->view->store->overlay, r->table, slice_of(r->start.bytes, r->start.len), from,
                 r->backwards);
}

static void seek_forward(struct range *r, struct slice from)
{
    struct slice at = slice_of(r->start.bytes, r->start.len);

    if (slice_cmp(from, at) > 0)
        at = from;
    r->key = to_mdb(at);
    r->rc = mdb_cursor_get(r->cursor, &r->key, &r->value, at.len ? MDB_SET_RANGE : MDB_FIRST);
    seek_pending(r, at);
}

static void seek_backwards(struct range *r, struct slice from)
{
    struct folded end;
    struct slice  below = { NULL, 0 };

    if (range_end(r, &end))
        below = slice_of(end.bytes, end.len);
    if (from.len && (!below.p || slice_cmp(from, below) < 0))
        below = from;
    r->key = to_mdb(below);
    r->rc = below.p ? mdb_cursor_get(r->cursor, &r->key, &r->value, MDB_SET_RANGE) : MDB_NOTFOUND;
    if (r->rc == 0)
        r->rc = mdb_cursor_get(r->cursor, &r->key, &r->value, MDB_PREV);
    else if (r->rc == MDB_NOTFOUND)
        r->rc = mdb_cursor_get(r->cursor, &r->key, &r->value, MDB_LAST);
    seek_pending(r, below);
}

static void step_snapshot(struct range *r)
{
    r->rc = mdb_cursor_get(r->cursor, &r->key, &r->value, r->backwards ? MDB_PREV : MDB_NEXT);
}

struct row {
    struct slice disk_key, key, value;
};

/* Next row in order; 0 none, 1 taken, ZE_STORE. Pending deletes hide the snapshot's row. */
static int next_row(struct range *r, struct row *row)
{
    for (;;) {
        const struct store_op *op = overlay_walk_op(&r->pending);
        bool                   stored = r->rc == 0 && in_range(r, from_mdb(r->key));
        int                    order;

        if (r->rc != 0 && r->rc != MDB_NOTFOUND)
            return ZE_STORE;
        if (!stored && !op)
            return 0;
        order = !stored ? 1 : !op ? -1 : slice_cmp(from_mdb(r->key), op->disk_key);
        if (r->backwards && stored && op)
            order = -order;
        if (order < 0) {
            row->disk_key = from_mdb(r->key);
            bool whole = unfold(row->disk_key, from_mdb(r->value), &row->key, &row->value);
            step_snapshot(r);
            return whole ? 1 : ZE_STORE;
        }
        *row = (struct row){ op->disk_key, op->key, op->value };
        overlay_walk_step(&r->pending);
        if (order == 0)
            step_snapshot(r);
        if (op->kind == OP_PUT)
            return 1;
    }
}

static int walk(struct range *r, int (*each)(void *arg, struct slice key, struct slice value), void *arg)
{
    struct row row;
    int        rc;

    while ((rc = next_row(r, &row)) > 0) {
        if (!r->exact && !slice_starts(row.key, r->prefix))
            continue;
        rc = each(arg, row.key, row.value);
        if (rc != 0)
            return rc;
    }
    if (rc < 0)
        log_row(r->view->store, r->table, r->rc ? mdb_strerror(r->rc) : "not what its key says");
    return rc;
}

int store_each(struct store_view *view, unsigned table, struct slice prefix, struct slice from,
               bool backwards, int (*each)(void *arg, struct slice key, struct slice value), void *arg)
{
    struct range  r = { .view = view, .table = table, .prefix = prefix, .backwards = backwards };
    struct folded at = { 0 };

    if (table >= view->store->table_count || !fold_prefix(prefix, &r.start, &r.exact))
        return ZE_STORE;
    if (from.len && !fold_key(from, &at))
        return ZE_STORE;
    int rc = mdb_cursor_open(view->txn, view->store->tables[table], &r.cursor);
    if (rc != 0) {
        log_row(view->store, table, mdb_strerror(rc));
        return ZE_STORE;
    }
    (backwards ? seek_backwards : seek_forward)(&r, slice_of(at.bytes, at.len));
    rc = walk(&r, each, arg);
    overlay_walk_end(&r.pending);
    mdb_cursor_close(r.cursor);
    return rc;
}
