/* The clients of an account: rows, and what ends the access of one (clients.h). */

#include "clients.h"

#include "cursor.h"
#include "dispatch.h"
#include "log.h"
#include "tokens.h"

enum { FORMAT = 1, TEXT_MAX = 1023, REF_BYTES = 8, REF_MAX = 1 + 2 * REF_BYTES };
#define DAY_US (86400ULL * 1000000)

struct row {
    struct slice id, software, device;
    uint64_t     first_us, last_us;
    uint8_t      proofs;
};

static struct slice key_of(struct sm *sm, struct slice owner, struct slice id)
{
    return sm_key(sm, owner, id);
}

static bool row_decode(struct slice value, struct row *out)
{
    struct cursor c = { value, false };
    uint8_t       format = take_u8(&c);

    out->proofs = take_u8(&c);
    out->first_us = take_u64(&c);
    out->last_us = take_u64(&c);
    out->software = take_limited(&c, TEXT_MAX);
    out->device = take_limited(&c, TEXT_MAX);
    return cursor_done(&c) && format == FORMAT && !(out->proofs & ~CLIENT_PROOFS);
}

static void row_put(struct store_batch *batch, struct slice key, const struct row *row)
{
    struct buf value = { 0 };

    buf_put_u8(&value, FORMAT);
    buf_put_u8(&value, row->proofs);
    buf_put_u64(&value, row->first_us);
    buf_put_u64(&value, row->last_us);
    buf_put_sized(&value, row->software);
    buf_put_sized(&value, row->device);
    store_put(batch, T_CLIENT, key, buf_slice(&value));
    buf_free(&value);
}

static bool row_get(struct sm *sm, struct store_view *view, struct slice owner, struct slice id, struct row *out)
{
    struct slice value = store_get(view, T_CLIENT, key_of(sm, owner, id));

    *out = (struct row){ 0 };
    if (!value.p || !row_decode(value, out))
        return false;
    out->id = id;
    return true;
}

/* ---- walking the rows of an account ---- */

struct walk {
    struct slice prefix;
    void       (*each)(void *arg, struct slice key, const struct row *row);
    void        *arg;
};

static int walk_row(void *arg, struct slice key, struct slice value)
{
    struct walk *w = arg;
    struct row   row;

    row.id = sm_key_rest(key, w->prefix);
    if (row_decode(value, &row))
        w->each(w->arg, key, &row);
    else
        log_error("client_unreadable", "count", log_num((int64_t)value.len), NULL);
    return 0;
}

static void walk_rows(struct store_view *view, struct slice prefix,
                      void (*each)(void *arg, struct slice key, const struct row *row), void *arg)
{
    struct walk w = { prefix, each, arg };

    store_each(view, T_CLIENT, prefix, slice_of(NULL, 0), false, walk_row, &w);
}

/* ---- sessions ---- */

static bool is_session_of(const struct session *s, struct slice id)
{
    return s->client && slice_eq(blob_slice(s->client), id);
}

static unsigned sessions_of(struct sm *sm, struct slice owner, struct slice id)
{
    const struct online *account = session_online(sm->sessions, owner);
    unsigned             count = 0;

    if (account)
        ONLINE_EACH(account, node, s)
            count += is_session_of(s, id);
    return count;
}

/* ---- logins ---- */

struct sweep {
    struct sm          *sm;
    struct store_batch *batch;
    struct slice        owner, keep;
    uint64_t            now_us;
    struct store_view  *view;
    long                count;
    struct slice        oldest;          /* id, in the arena */
    uint64_t            oldest_us;
};

static void forget(struct sweep *w, struct slice id)
{
    store_delete(w->batch, T_CLIENT, key_of(w->sm, w->owner, id));
    tokens_remove(w->batch, w->owner, id);
}

static void sweep_row(void *arg, struct slice key, const struct row *row)
{
    struct sweep *w = arg;
    uint64_t      life_us = (uint64_t)w->sm->settings->limits.client_days * DAY_US;

    (void)key;
    if (slice_eq(row->id, w->keep) || sessions_of(w->sm, w->owner, row->id))
        return;
    if (w->now_us >= row->last_us + life_us && !tokens_good(w->view, w->owner, row->id, w->now_us)) {
        forget(w, row->id);
        return;
    }
    w->count++;
    if (!w->oldest.len || row->last_us < w->oldest_us) {
        w->oldest = arena_copy(w->sm->arena, row->id);
        w->oldest_us = row->last_us;
    }
}

void clients_seen(struct sm *sm, struct store_view *view, struct store_batch *batch, struct slice owner,
                  const struct client_login *login)
{
    struct sweep w = { .sm = sm, .batch = batch, .owner = owner, .keep = login->id, .now_us = wall_us(), .view = view };
    struct row   row;

    walk_rows(view, sm_key_prefix(sm, owner), sweep_row, &w);
    if (w.count >= sm->settings->limits.clients_per_account)
        forget(&w, w.oldest);
    if (!row_get(sm, view, owner, login->id, &row))
        row.first_us = w.now_us;
    row.last_us = w.now_us;
    row.proofs |= (uint8_t)login->proof;
    row.software = login->software;
    row.device = login->device;
    row_put(batch, key_of(sm, owner, login->id), &row);
}

static enum client_proof proof_of(const struct login_success *l)
{
    if (l->token != TOKEN_NONE)
        return 0;
    return slice_is(l->start->mechanism, "EXTERNAL") ? CLIENT_CERTIFICATE : CLIENT_PASSWORD;
}

void client_logged_in(struct login_success *l, const struct element *none)
{
    const struct auth_client *a = &l->start->client;
    struct client_login       login = { a->id, a->software, a->device, proof_of(l) };
    struct store_view        *view;

    (void)none;
    if (!l->owned || !a->id.len)
        return;
    view = store_view(l->sm->store.accounts);
    clients_seen(l->sm, view, login_batch(l), l->jid, &login);
    store_view_end(&view);
}

static void lock_out_row(void *arg, struct slice key, const struct row *row)
{
    struct row locked = *row;

    locked.proofs &= (uint8_t)~CLIENT_PASSWORD;
    row_put(arg, key, &locked);
}

void clients_locked_out(struct store_view *view, struct store_batch *batch, struct slice owner)
{
    struct buf prefix = { 0 };

    store_key(&prefix, slot_of(owner), owner);
    buf_put_u8(&prefix, 0);
    walk_rows(view, buf_slice(&prefix), lock_out_row, batch);
    buf_free(&prefix);
    tokens_remove_all(view, batch, owner);
}

static struct session *session_but(struct sm *sm, struct slice owner, uint64_t but)
{
    struct online *account = session_online(sm->sessions, owner);

    if (account)
        ONLINE_EACH(account, node, s)
            if (s->handle != but)
                return s;
    return NULL;
}

void clients_end_sessions(struct sm *sm, struct slice owner, uint64_t but, uint64_t trace)
{
    for (struct session *s; (s = session_but(sm, owner, but));)
        dispatch_end_session(sm, &s, "reset", "Password changed", trace);        /* RFC 6120 4.9.3.16 */
}

/* Seen until now. */
static void clients_offline(struct passage *p, struct session *s)
{
    struct store_view *view;
    struct row         row;

    if (!s->client)
        return;
    view = store_view(p->sm->store.accounts);
    if (row_get(p->sm, view, p->owner, blob_slice(s->client), &row)) {
        row.last_us = wall_us();
        row_put(outcome_accounts(p->out), key_of(p->sm, p->owner, row.id), &row);
    }
    store_view_end(&view);
}

static void remove_row(void *arg, struct slice key, const struct row *row)
{
    (void)row;
    store_delete(arg, T_CLIENT, key);
}

static void clients_removed(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.accounts);

    walk_rows(view, sm_key_prefix(p->sm, p->owner), remove_row, outcome_accounts(p->out));
    tokens_remove_all(view, outcome_accounts(p->out), p->owner);
    store_view_end(&view);
}

/* ---- listing ---- */

/* Not the id itself: whoever knows that could pass for the client. kind: 'c' a client that has an id, 's' a session. */
static void ref_of(char out[REF_MAX + 1], char kind, struct slice name)
{
    struct buf hex = { 0 };
    uint8_t    digest[32];

    sha256(name, digest);
    hex_put(&hex, slice_of(digest, REF_BYTES));
    out[0] = kind;
    memcpy(out + 1, hex.bytes, REF_MAX - 1);
    out[REF_MAX] = 0;
    buf_free(&hex);
}

struct listing {
    struct sm         *sm;
    struct store_view *view;
    struct slice       owner;
    client_fn         *each;
    void              *arg;
};

static void list_row(void *arg, struct slice key, const struct row *row)
{
    struct listing    *l = arg;
    char               ref[REF_MAX + 1];
    struct client_info info = {
        .ref = ref, .first_us = row->first_us, .last_us = row->last_us, .software = row->software, .device = row->device,
        .password = row->proofs & CLIENT_PASSWORD, .certificate = row->proofs & CLIENT_CERTIFICATE,
        .sessions = sessions_of(l->sm, l->owner, row->id), .token = tokens_good(l->view, l->owner, row->id, wall_us()),
    };

    (void)key;
    if (!info.sessions && !info.password && !info.certificate && !info.token)
        return;                          /* it has no access */
    if (info.sessions)
        info.last_us = wall_us();
    ref_of(ref, 'c', row->id);
    l->each(l->arg, &info);
}

static bool has_row(const struct listing *l, const struct session *s)
{
    struct row row;

    return s->client && row_get(l->sm, l->view, l->owner, blob_slice(s->client), &row);
}

static void list_session(const struct listing *l, const struct session *s)
{
    char               ref[REF_MAX + 1];
    struct client_info info = {
        .ref = ref, .first_us = s->since_us, .last_us = wall_us(), .sessions = 1, .password = true,
    };

    ref_of(ref, 's', session_resource(s));
    l->each(l->arg, &info);
}

void clients_each(struct sm *sm, struct slice owner, client_fn *each, void *arg)
{
    const struct online *account = session_online(sm->sessions, owner);
    struct listing       l = { sm, store_view(sm->store.accounts), owner, each, arg };

    walk_rows(l.view, sm_key_prefix(sm, owner), list_row, &l);
    if (account)
        ONLINE_EACH(account, node, s)
            if (!has_row(&l, s))
                list_session(&l, s);
    store_view_end(&l.view);
}

/* ---- revoking ---- */

struct search {
    struct sm   *sm;
    const char  *ref;
    struct slice id;                     /* in the arena */
    bool         found;
    uint8_t      proofs;
};

static void search_row(void *arg, struct slice key, const struct row *row)
{
    struct search *s = arg;
    char           ref[REF_MAX + 1];

    (void)key;
    ref_of(ref, 'c', row->id);
    if (strcmp(ref, s->ref) != 0)
        return;
    s->found = true;
    s->proofs = row->proofs;
    s->id = arena_copy(s->sm->arena, row->id);
}

static bool is_meant(const struct search *search, const struct session *s)
{
    char ref[REF_MAX + 1];

    if (search->found)
        return is_session_of(s, search->id);
    ref_of(ref, 's', session_resource(s));
    return strcmp(ref, search->ref) == 0;
}

/* One at a time: ending one may end the account's last. */
static struct session *next_meant(struct sm *sm, struct slice owner, const struct search *search)
{
    const struct online *account = session_online(sm->sessions, owner);

    if (account)
        ONLINE_EACH(account, node, s)
            if (is_meant(search, s))
                return s;
    return NULL;
}

static struct search search_for(struct sm *sm, struct slice owner, const char *ref)
{
    struct search      search = { .sm = sm, .ref = ref };
    struct store_view *view = store_view(sm->store.accounts);

    walk_rows(view, sm_key_prefix(sm, owner), search_row, &search);
    store_view_end(&view);
    return search;
}

enum zerr clients_find(struct sm *sm, struct slice owner, const char *ref, bool *password)
{
    struct search search = search_for(sm, owner, ref);

    *password = !search.found || search.proofs & CLIENT_PASSWORD;
    return search.found || next_meant(sm, owner, &search) ? ZE_OK : ZE_NOT_FOUND;
}

unsigned clients_revoke(struct passage *p, const char *ref)
{
    struct search search = search_for(p->sm, p->owner, ref);
    unsigned      sessions = 0;

    log_info("client_revoked", "jid", log_slice(p->owner), "kind", ref, NULL);
    for (struct session *s; (s = next_meant(p->sm, p->owner, &search)); sessions++) {
        if (p->session == s)
            p->session = NULL;
        dispatch_close_session(p, &s, AFTER_COMMIT, "not-authorized", "Access revoked");
    }
    if (!search.found)
        return sessions;
    tokens_remove(outcome_accounts(p->out), p->owner, search.id);
    if (!(search.proofs & CLIENT_PASSWORD))     /* last, as the end of a session writes when it was seen */
        store_delete(outcome_accounts(p->out), T_CLIENT, key_of(p->sm, p->owner, search.id));
    return sessions;
}

const struct sm_feature sm_clients = {
    .name = "clients", .spec = "XEP-0494", .offline = clients_offline, .removed = clients_removed,
};
