/* The lists of blocked JIDs: rows, and what is in memory of them (blocked.h). */

#include "blocked.h"

#include "jid.h"
#include "session.h"
#include "table.h"

enum { FORMAT = 1 };

/* ---- rows ---- */

void blocked_put(struct sm *sm, struct store_batch *batch, struct slice owner, struct slice jid)
{
    struct buf value = { 0 };

    buf_put_u8(&value, FORMAT);
    buf_put_u64(&value, wall_us());
    store_put(batch, T_BLOCK, sm_key(sm, owner, jid), buf_slice(&value));
    buf_free(&value);
}

void blocked_delete(struct sm *sm, struct store_batch *batch, struct slice owner, struct slice jid)
{
    store_delete(batch, T_BLOCK, sm_key(sm, owner, jid));
}

struct walk {
    struct slice prefix;
    int        (*each)(void *arg, struct slice jid);
    void        *arg;
};

static int walk_row(void *arg, struct slice key, struct slice value)
{
    struct walk *w = arg;

    return value.len && value.p[0] == FORMAT ? w->each(w->arg, sm_key_rest(key, w->prefix)) : 0;
}

int blocked_each(struct sm *sm, struct store_view *view, struct slice owner,
                 int (*each)(void *arg, struct slice jid), void *arg)
{
    struct walk w = { sm_key_prefix(sm, owner), each, arg };

    return store_each(view, T_BLOCK, w.prefix, slice_of(NULL, 0), false, walk_row, &w);
}

/* ---- matching (XEP-0191 6) ---- */

/* The forms by which a list may name `jid`: as it is, its bare JID, its domain. */
struct forms {
    struct slice form[3];
    unsigned     count;
};

static struct forms forms_of(struct slice jid)
{
    struct forms f = { { jid }, 1 };

    if (!jid_is_bare(jid))
        f.form[f.count++] = jid_bare(jid);
    if (jid_local(jid).len)
        f.form[f.count++] = jid_domain(jid);
    return f;
}

bool blocked_by(const struct table *list, struct slice jid)
{
    struct forms f = forms_of(jid);

    for (unsigned i = 0; list && i < f.count; i++)
        if (table_get(list, f.form[i]))
            return true;
    return false;
}

/* ---- in memory ---- */

static int load_one(void *arg, struct slice jid)
{
    struct online *account = arg;

    if (!account->blocked)
        account->blocked = table_new();
    table_put(account->blocked, jid, account);
    return 0;
}

static void load(const struct sm *sm, struct online *account)
{
    struct store_view *view = store_view(sm->store.accounts);

    blocked_each((struct sm *)sm, view, slice_of(account->jid, account->jid_len), load_one, account);
    store_view_end(&view);
    account->blocked_known = true;
}

static struct online *loaded(const struct sm *sm, struct slice owner)
{
    struct online *account = session_online(sm->sessions, owner);

    if (account && !account->blocked_known)
        load(sm, account);
    return account;
}

static bool blocked_in_store(const struct sm *sm, struct slice owner, struct slice jid)
{
    struct forms       f = forms_of(jid);
    struct store_view *view = store_view(sm->store.accounts);
    bool               found = false;

    for (unsigned i = 0; i < f.count && !found; i++)
        found = store_get(view, T_BLOCK, sm_key(sm, owner, f.form[i])).p != NULL;
    store_view_end(&view);
    return found;
}

/* Its own resources, its own server: never blocked. */
static bool is_own(struct slice owner, struct slice jid)
{
    return !jid.len || jid_same_bare(jid, owner) || slice_eq(jid, jid_domain(owner));
}

bool blocked_for(const struct sm *sm, struct online *account, struct slice jid)
{
    if (!account->blocked_known)
        load(sm, account);
    return account->blocked && !is_own(slice_of(account->jid, account->jid_len), jid) &&
           blocked_by(account->blocked, jid);
}

bool blocked(const struct sm *sm, struct slice owner, struct slice jid)
{
    struct online *account = session_online(sm->sessions, owner);

    if (account)
        return blocked_for(sm, account, jid);
    return !is_own(owner, jid) && blocked_in_store(sm, owner, jid);
}

void blocked_add(const struct sm *sm, struct slice owner, struct slice jid)
{
    struct online *account = loaded(sm, owner);

    if (account)
        load_one(account, jid);
}

void blocked_remove(const struct sm *sm, struct slice owner, struct slice jid)
{
    struct online *account = loaded(sm, owner);

    if (!account || !account->blocked)
        return;
    table_remove(account->blocked, jid);
    if (!table_count(account->blocked))
        table_free(&account->blocked);
}

void blocked_forget(const struct sm *sm, struct slice owner)
{
    struct online *account = session_online(sm->sessions, owner);

    if (!account)
        return;
    table_free(&account->blocked);
    account->blocked_known = false;
}

void blocked_settled(struct sm *sm, enum zerr err, struct slice owner, struct slice none)
{
    (void)none;
    if (err)
        blocked_forget(sm, owner);
}
