/* Accounts: rows of T_ACCOUNT, and the changes of passwords (account.h).
 * Row: slot, bare JID -> u8 format 1, u8 flags (1: disabled), u64 created in microseconds. */

#include "account.h"

#include <stdlib.h>

#include "anonymous.h"
#include "clients.h"
#include "credentials.h"
#include "cursor.h"
#include "groups.h"
#include "log.h"
#include "mem.h"
#include "routes.h"
#include "walk.h"

enum { ACCOUNT_FORMAT = 1, ACCOUNT_DISABLED = 1 };

static void account_key(struct buf *key, struct slice jid)
{
    store_key(key, slot_of(jid), jid);
}

static void account_row(struct buf *row, const struct account_info *info)
{
    buf_put_u8(row, ACCOUNT_FORMAT);
    buf_put_u8(row, info->disabled ? ACCOUNT_DISABLED : 0);
    buf_put_u64(row, info->created_us);
}

static bool account_decode(struct slice row, struct account_info *out)
{
    struct cursor c = { row, false };
    uint8_t       format = take_u8(&c), flags = take_u8(&c);
    uint64_t      created = take_u64(&c);

    if (!cursor_done(&c) || format != ACCOUNT_FORMAT || flags & ~ACCOUNT_DISABLED)
        return false;
    *out = (struct account_info){ .created_us = created, .disabled = flags & ACCOUNT_DISABLED };
    return true;
}

static struct slice account_read(struct store_view *view, struct slice jid)
{
    struct buf key = { 0 };

    account_key(&key, jid);
    struct slice row = store_get(view, T_ACCOUNT, buf_slice(&key));
    buf_free(&key);
    return row;
}

/* A row that cannot be read is an account that may not log in, not a name that is free. */
bool account_get(struct store_view *view, struct slice jid, struct account_info *out)
{
    struct slice row = account_read(view, jid);

    if (!row.p)
        return false;
    if (account_decode(row, out))
        return true;
    log_error("account_unreadable", "jid", log_slice(jid), NULL);
    *out = (struct account_info){ .disabled = true };
    return true;
}

bool account_look(struct store *accounts, struct slice jid, struct account_info *out)
{
    struct store_view  *view = store_view(accounts);
    struct account_info info;
    bool                found = account_get(view, jid, out ? out : &info);

    store_view_end(&view);
    return found;
}

struct some {
    struct buf      *at;
    unsigned         left;
    bool             more;
    account_each_fn *each;
    void            *arg;
};

static int some_row(void *arg, struct slice key, struct slice value)
{
    struct some        *w = arg;
    struct account_info info;

    if (w->left-- == 0) {
        buf_put_slice(w->at, key);
        w->more = true;
        return 1;
    }
    if (key.len <= 2 || !account_decode(value, &info)) {
        log_error("account_unreadable", "jid", log_slice(key), NULL);
        return 0;
    }
    return w->each(w->arg, slice_cut(key, 2, key.len), &info);
}

int account_some(struct store *accounts, struct buf *at, account_each_fn *each, void *arg)
{
    struct store_view *view = store_view(accounts);
    struct buf         from = *at;
    struct some        w = { .at = at, .left = WALK_ACCOUNTS, .each = each, .arg = arg };
    int                err;

    *at = (struct buf){ 0 };
    err = store_each(view, T_ACCOUNT, SLICE(""), buf_slice(&from), false, some_row, &w);
    store_view_end(&view);
    buf_free(&from);
    return err < 0 ? err : w.more;
}

/* ---- changes ---- */

struct change {
    struct sm_store *store;
    bool             create;
    enum zerr        err;
    account_done    *done;
    void            *arg;
    struct deferred  later;
    struct slice     jid;                /* own copy behind */
};

static void change_end(struct change *change, enum zerr err)
{
    change->done(change->arg, err);
    free(change);
}

static void change_committed(void *arg, enum zerr err)
{
    struct change *change = arg;

    if (err == ZE_OK)
        log_info(change->create ? "account_created" : "password_changed", "jid", log_slice(change->jid),
                 NULL);
    change_end(change, err);
}

static void add_account(struct store_batch *batch, struct slice jid)
{
    struct account_info info = { .created_us = wall_us() };
    struct buf          key = { 0 }, row = { 0 };

    account_key(&key, jid);
    account_row(&row, &info);
    store_expect_absent(batch, T_ACCOUNT, buf_slice(&key));
    store_put(batch, T_ACCOUNT, buf_slice(&key), buf_slice(&row));
    buf_free(&key);
    buf_free(&row);
}

/* The account must be there still when the keys are written. */
static void expect_account(struct store_batch *batch, struct slice jid, struct slice row)
{
    struct buf key = { 0 };

    account_key(&key, jid);
    store_expect_value(batch, T_ACCOUNT, buf_slice(&key), row);
    buf_free(&key);
}

static void keys_derived(void *arg, struct scram_keys *keys, size_t count)
{
    struct change *change = arg;

    if (!count || !change->store->accounts) {
        change_end(change, count ? ZE_STORE : ZE_UNAVAILABLE);
        return;
    }
    struct store_view *view = store_view(change->store->accounts);
    struct slice       row = account_read(view, change->jid);
    if (change->create == (row.p != NULL)) {
        store_view_end(&view);
        change_end(change, change->create ? ZE_CONFLICT : ZE_NOT_FOUND);
        return;
    }
    struct store_batch *batch = store_batch(change->jid);
    if (change->create)
        add_account(batch, change->jid);
    else
        expect_account(batch, change->jid, row);
    if (!change->create)
        clients_locked_out(view, batch, change->jid);
    store_view_end(&view);
    credentials_put(batch, change->jid, keys);
    if (change->create)
        groups_account_made(change->store->accounts, batch);
    store_commit(change->store->accounts, &batch, change_committed, change);
}

static void change_refused(void *arg)
{
    struct change *change = arg;

    change_end(change, change->err);
}

static enum zerr change_begin(struct change *change, struct loop *loop, struct slice password,
                              uint32_t iterations)
{
    struct store_view  *view = store_view(change->store->accounts);
    bool                there = account_read(view, change->jid).p != NULL;
    struct scram_keys   keys[SCRAM_HASHES];
    struct buf          prepared = { 0 };

    store_view_end(&view);
    if (change->create && anonymous_is(change->store, change->jid))      /* a session's name, never an account's */
        return ZE_CONFLICT;
    if (there == change->create)
        return there ? ZE_CONFLICT : ZE_NOT_FOUND;
    enum zerr err = password_prepare(password, &prepared);
    scram_keys_fresh(keys, iterations);
    if (err == ZE_OK && !derive_start(loop, buf_slice(&prepared), keys, SCRAM_HASHES, keys_derived, change))
        err = ZE_FULL;
    if (prepared.bytes)
        wipe(prepared.bytes, prepared.room);
    buf_free(&prepared);
    return err;
}

static void change_start(struct sm_store *s, struct loop *loop, bool create, struct slice jid,
                         struct slice password, long iterations, account_done *done, void *arg)
{
    struct change *change = xcalloc(1, sizeof *change + jid.len);

    memcpy(change + 1, jid.p, jid.len);
    change->jid = slice_of(change + 1, jid.len);
    change->store = s;
    change->create = create;
    change->done = done;
    change->arg = arg;
    change->err = change_begin(change, loop, password, (uint32_t)iterations);
    if (change->err == ZE_OK)
        return;
    change->later = (struct deferred){ .run = change_refused, .arg = change };
    loop_defer(loop, &change->later);
}

void account_create(struct sm_store *s, struct loop *loop, struct slice jid, struct slice password,
                    long iterations, account_done *done, void *arg)
{
    change_start(s, loop, true, jid, password, iterations, done, arg);
}

void account_set_password(struct sm_store *s, struct loop *loop, struct slice jid, struct slice password,
                          long iterations, account_done *done, void *arg)
{
    change_start(s, loop, false, jid, password, iterations, done, arg);
}

enum zerr account_set_disabled(struct store_view *view, struct store_batch *batch, struct slice jid,
                               bool disabled)
{
    struct slice        old = account_read(view, jid);
    struct account_info info;
    struct buf          key = { 0 }, row = { 0 };

    if (!old.p)
        return ZE_NOT_FOUND;
    if (!account_decode(old, &info))
        return ZE_STORE;
    info.disabled = disabled;
    account_key(&key, jid);
    account_row(&row, &info);
    store_expect_value(batch, T_ACCOUNT, buf_slice(&key), old);
    store_put(batch, T_ACCOUNT, buf_slice(&key), buf_slice(&row));
    buf_free(&key);
    buf_free(&row);
    return ZE_OK;
}

void account_remove(struct store_batch *batch, struct slice jid)
{
    struct buf key = { 0 };

    account_key(&key, jid);
    store_delete(batch, T_ACCOUNT, buf_slice(&key));
    buf_free(&key);
    credentials_remove(batch, jid);
}
