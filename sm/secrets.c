/* The server's own secrets (secrets.h). */

#include "secrets.h"

#include "encode.h"
#include "log.h"
#include "mem.h"

enum { SECRET_FORMAT = 1 };

static void secret_key(struct buf *key, const char *name)
{
    store_key(key, 0, slice_str(name));
}

bool secret_read(struct store_view *view, const char *name, uint8_t out[SECRET_BYTES])
{
    struct buf key = { 0 };

    secret_key(&key, name);
    struct slice row = store_get(view, T_SECRET, buf_slice(&key));
    buf_free(&key);
    if (!row.p)
        return false;
    if (row.len != 1 + SECRET_BYTES || row.p[0] != SECRET_FORMAT)
        fatal("secret_unreadable", "kind", name, NULL);
    memcpy(out, row.p + 1, SECRET_BYTES);
    return true;
}

/* ZE_CONFLICT: another instance made it in the same moment; the next reader finds that one. */
static void secret_made(void *arg, enum zerr err)
{
    const char *name = arg;

    if (err == ZE_OK || err == ZE_CONFLICT)
        log_info("secret_made", "kind", name, "instance", err ? "another" : "this", NULL);
    else
        log_warn("secret_not_made", "kind", name, "err", err_name(err), NULL);
}

static void secret_make(struct sm_store *s, const char *name, uint8_t out[SECRET_BYTES])
{
    struct store_batch *batch = store_batch(slice_of("", 0));      /* of the whole environment */
    struct buf          key = { 0 };
    uint8_t             row[1 + SECRET_BYTES] = { SECRET_FORMAT };

    random_bytes(out, SECRET_BYTES);
    memcpy(row + 1, out, SECRET_BYTES);
    secret_key(&key, name);
    store_expect_absent(batch, T_SECRET, buf_slice(&key));
    store_put(batch, T_SECRET, buf_slice(&key), slice_of(row, sizeof row));
    store_commit(s->accounts, &batch, secret_made, (void *)name);
    wipe(row, sizeof row);
    buf_free(&key);
}

void secret_get(struct sm_store *s, const char *name, uint8_t out[SECRET_BYTES])
{
    struct store_view *view = store_view(s->accounts);
    bool               found = secret_read(view, name, out);

    store_view_end(&view);
    if (!found)
        secret_make(s, name, out);
}
