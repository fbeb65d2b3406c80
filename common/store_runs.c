/* Rows that come at the end of runs (store_spec.runs): the archive of one account among those of others.
 * LMDB splits a full page in halves, but for a row that goes behind the last one of its page: then the page
 * stays full and the row begins the next one. The last page of a run ends with the first rows of the run
 * behind it, so that its new rows are never last, and each split leaves half a page empty for ever
 * (measured: 62 % full). So when such a page is full, the few foreign rows at its end are taken out, the new
 * row is put, and they come back behind it, in the same transaction (80 to 89 % full, for 0.4 us a row).
 *
 * Which rows share a page is guessed from where LMDB says that they are; a wrong guess costs some room. */

#include "store_inner.h"

#include <string.h>

enum { FOREIGN_MAX = 6, PAGE_HEADER = 16, NODE_HEADER = 8, NODE_INDEX = 2 };

struct neighbours {
    struct buf foreign;        /* sized key, sized value of each row behind, in order */
    unsigned   count;
    size_t     bytes;          /* of all rows that seem to share the page */
};

static size_t node_bytes(const MDB_val *k, const MDB_val *v)
{
    return ((NODE_HEADER + k->mv_size + v->mv_size + 1) & ~(size_t)1) + NODE_INDEX;
}

static bool share_page(const MDB_val *a, const MDB_val *b, size_t page)
{
    const char *x = a->mv_data, *y = b->mv_data;

    return x < y ? (size_t)(y - x) < page : (size_t)(x - y) < page;
}

static size_t common_prefix(const MDB_val *a, const MDB_val *b)
{
    const uint8_t *x = a->mv_data, *y = b->mv_data;
    size_t         n = 0, most = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;

    while (n < most && x[n] == y[n])
        n++;
    return n;
}

static size_t page_bytes(MDB_cursor *cursor)
{
    MDB_stat stat;

    return mdb_stat(mdb_cursor_txn(cursor), mdb_cursor_dbi(cursor), &stat) == 0 ? stat.ms_psize : 4096;
}

/* The row before, where the cursor goes, is nearer to the new key than the row behind. */
static bool ends_its_run(MDB_cursor *cursor, const MDB_val *key, const MDB_val *next)
{
    MDB_val k, v;

    return mdb_cursor_get(cursor, &k, &v, MDB_PREV) == 0 && common_prefix(&k, key) > common_prefix(key, next);
}

/* Both of these leave the cursor on the page, so that the search for the next key begins there. */
static void look_before(MDB_cursor *cursor, const MDB_val *first, size_t page, struct neighbours *n)
{
    MDB_val k, v;
    int     rc = mdb_cursor_get(cursor, &k, &v, MDB_GET_CURRENT);

    for (; rc == 0 && share_page(first, &v, page); rc = mdb_cursor_get(cursor, &k, &v, MDB_PREV))
        n->bytes += node_bytes(&k, &v);
    if (rc == 0)
        mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
}

/* False: more of them than are worth moving. */
static bool look_behind(MDB_cursor *cursor, MDB_val k, MDB_val v, size_t page, struct neighbours *n)
{
    MDB_val first = v;
    int     rc = 0;

    for (; rc == 0 && share_page(&first, &v, page); rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        if (n->count++ == FOREIGN_MAX)
            return false;
        buf_put_sized(&n->foreign, slice_of(k.mv_data, k.mv_size));
        buf_put_sized(&n->foreign, slice_of(v.mv_data, v.mv_size));
        n->bytes += node_bytes(&k, &v);
    }
    if (rc == 0)
        mdb_cursor_get(cursor, &k, &v, MDB_PREV);
    return true;
}

/* The page of the new row would be split, and some rows of another run are in the way. */
static bool must_make_way(MDB_cursor *cursor, const MDB_val *key, const MDB_val *value, bool behind,
                          struct neighbours *n)
{
    MDB_val next = *key, v, again, w;
    size_t  page;

    if (mdb_cursor_get(cursor, &next, &v, behind ? MDB_GET_CURRENT : MDB_SET_RANGE) != 0 || !ends_its_run(cursor, key, &next))
        return false;
    page = page_bytes(cursor);
    look_before(cursor, &v, page, n);
    if (n->bytes == 0)
        return false;                    /* it will be the first of that page, or the page is elsewhere */
    again = *key;
    if (mdb_cursor_get(cursor, &again, &w, MDB_SET_RANGE) != 0 || !look_behind(cursor, again, w, page, n))
        return false;
    return n->bytes + node_bytes(key, value) > page - PAGE_HEADER;
}

static int move_foreign(MDB_cursor *cursor, const struct neighbours *n, bool back)
{
    struct cursor c = { buf_slice(&n->foreign), false };
    int           rc = 0;

    while (rc == 0 && c.rest.len) {
        struct slice key = take_sized(&c), value = take_sized(&c);
        MDB_val      k = { key.len, (void *)key.p }, v = { value.len, (void *)value.p };
        if (back)
            rc = mdb_cursor_put(cursor, &k, &v, 0);
        else if ((rc = mdb_cursor_get(cursor, &k, &v, MDB_SET)) == 0)
            rc = mdb_cursor_del(cursor, 0);
    }
    return rc;
}

int store_put_run(MDB_cursor *cursor, MDB_val *key, MDB_val *value, bool behind)
{
    struct neighbours n = { 0 };
    bool              way = must_make_way(cursor, key, value, behind, &n);
    int               rc = way ? move_foreign(cursor, &n, false) : 0;

    if (rc == 0)
        rc = mdb_cursor_put(cursor, key, value, 0);
    if (rc == 0 && way)
        rc = move_foreign(cursor, &n, true);
    buf_free(&n.foreign);
    return rc;
}
