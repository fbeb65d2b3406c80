/* Numbers of batches that survive the process (store.h): what a writer has decided lies in the
 * environment itself, written by the transaction that decides. And the record beside the environment. */

#include "store_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cursor.h"
#include "directory.h"
#include "log.h"
#include "mem.h"

enum { NUMBERS_FORMAT = 1 };

void decided_refuse(struct decided *d, uint64_t number)
{
    if (d->count == d->room) {
        d->room = d->room ? d->room * 2 : 16;
        d->refused = xrealloc(d->refused, d->room * sizeof(*d->refused));
    }
    d->refused[d->count++] = number;
}

void decided_told(struct decided *d, uint64_t number)
{
    size_t told = 0;

    while (told < d->count && d->refused[told] <= number)
        told++;
    d->count -= told;
    if (told && d->count)
        memmove(d->refused, d->refused + told, d->count * sizeof(*d->refused));
}

void decided_free(struct decided *d)
{
    free(d->refused);
    *d = (struct decided){ 0 };
}

static struct buf row_key(const struct store *store)
{
    struct buf key = { 0 };

    buf_put(&key, "writer", sizeof("writer"));
    buf_put_str(&key, store->writer_name);
    return key;
}

static bool decode(struct slice row, struct decided *out)
{
    struct cursor c = { row, false };
    bool          good = take_u8(&c) == NUMBERS_FORMAT;

    out->last = take_u64(&c);
    while (!c.bad && c.rest.len)
        decided_refuse(out, take_u64(&c));
    return good && !c.bad;
}

int numbers_get(struct store *store, MDB_txn *txn, struct decided *out)
{
    if (!store->writer_name)
        return 0;
    struct buf key = row_key(store);
    MDB_val    k = { buf_len(&key), key.bytes }, v;
    int        rc = mdb_get(txn, store->meta, &k, &v);

    buf_free(&key);
    if (rc == MDB_NOTFOUND)
        return 0;
    return rc ? rc : decode(slice_of(v.mv_data, v.mv_size), out) ? 0 : MDB_CORRUPTED;
}

int numbers_put(struct store *store, MDB_txn *txn, const struct decided *d)
{
    if (!store->writer_name)
        return 0;
    struct buf key = row_key(store), row = { 0 };

    buf_put_u8(&row, NUMBERS_FORMAT);
    buf_put_u64(&row, d->last);
    for (size_t i = 0; i < d->count; i++)
        buf_put_u64(&row, d->refused[i]);
    MDB_val k = { buf_len(&key), key.bytes }, v = { buf_len(&row), row.bytes };
    int     rc = mdb_put(txn, store->meta, &k, &v, 0);
    buf_free(&key);
    buf_free(&row);
    return rc;
}

enum store_fate store_fate(const struct store *store, uint64_t number)
{
    if (number > store->found.last)
        return STORE_UNDECIDED;
    for (size_t i = 0; i < store->found.count; i++)
        if (store->found.refused[i] == number)
            return STORE_REFUSED;
    return STORE_COMMITTED;
}

/* ---- the record ---- */

bool record_found(const struct store *store)
{
    return store->record && access(store->record, F_OK) == 0;
}

/* Not synced: that it is missing after a power cut costs a warning that nobody needed so early. */
void record_make(struct store *store)
{
    static const char text[] = "The environment of this name has held data. Zubr refuses to start on an empty one\n"
                               "while this file is here: see that the right disk is mounted, or restore a backup.\n"
                               "To begin anew with nothing, remove this file.\n";

    store->recorded = true;
    if (!store->record)
        return;
    int  fd = directory_make_above(store->record) ? open(store->record, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    bool written = fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1;
    if (!written)
        log_warn("store_not_recorded", "peer", store->record, "err", strerror(errno), NULL);
    if (fd >= 0)
        close(fd);
}
