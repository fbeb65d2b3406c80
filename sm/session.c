/* Tables of sessions (session.h). */

#include "session.h"

#include <stdlib.h>

#include "address_limits.h"
#include "encode.h"
#include "handles.h"
#include "jid.h"
#include "mem.h"
#include "resume.h"
#include "sm_live.h"
#include "table.h"

struct sessions {
    struct handles *handles;
    struct table   *accounts;      /* bare JID -> struct online */
    struct live    *live;          /* NULL: they do not survive */
    struct table   *guests;        /* client address -> how many sessions without an account, as a pointer */
    size_t          guest_count;
    struct list     changed;
};

struct sessions *sessions_new(struct live *live)
{
    struct sessions *ss = xcalloc(1, sizeof(*ss));

    ss->live = live;
    list_init(&ss->changed);
    ss->handles = handles_new();
    ss->accounts = table_new();
    ss->guests = table_new();
    return ss;
}

void sessions_free(struct sessions **ss)
{
    if (!*ss)
        return;
    size_t place = 0;
    for (struct session *s; (s = sessions_next(*ss, &place));)
        session_remove(*ss, &s);
    handles_free(&(*ss)->handles);
    table_free(&(*ss)->accounts);
    table_free(&(*ss)->guests);
    free(*ss);
    *ss = NULL;
}

static struct online *account_enter(struct sessions *ss, struct slice bare)
{
    struct online *account = table_get(ss->accounts, bare);

    if (account)
        return account;
    account = xcalloc(1, sizeof(*account) + bare.len + 1);
    list_init(&account->sessions);
    account->all = ss;
    account->jid_len = (uint16_t)bare.len;
    memcpy(account->jid, bare.p, bare.len);
    table_put(ss->accounts, bare, account);
    return account;
}

/* ---- guests ---- */

static size_t guests_from(const struct sessions *ss, struct slice key)
{
    return (size_t)(uintptr_t)table_get(ss->guests, key);
}

static void guest_count(struct sessions *ss, const struct session *s, int by)
{
    struct client_ip ip;
    struct slice     key = limits_key_of(slice_of(s->text + s->jid_len, s->address_len), &ip);
    size_t           count = guests_from(ss, key) + (size_t)by;

    ss->guest_count += (size_t)by;
    if (count)
        table_put(ss->guests, key, (void *)(uintptr_t)count);
    else
        table_remove(ss->guests, key);
}

size_t sessions_guests(const struct sessions *ss, struct slice address)
{
    struct client_ip ip;

    return address.len ? guests_from(ss, limits_key_of(address, &ip)) : ss->guest_count;
}

struct session *session_add(struct sessions *ss, const struct session_spec *spec)
{
    struct slice    bare = jid_bare(spec->jid);
    struct session *s = xcalloc(1, sizeof(*s) + spec->jid.len + spec->address.len);

    s->account = account_enter(ss, bare);
    s->account->count++;
    list_append(&s->account->sessions, &s->link);
    s->handle = spec->handle;
    if (s->handle)
        handles_restore(ss->handles, s->handle, s);
    else
        s->handle = handles_put(ss->handles, s);
    s->c2sd = spec->c2sd;
    s->conn = spec->conn;
    s->since_us = spec->now_us;
    s->secure = spec->secure;
    s->guest = spec->guest;
    s->named = true;
    s->jid_len = (uint16_t)spec->jid.len;
    s->bare_len = (uint16_t)bare.len;
    s->address_len = (uint16_t)spec->address.len;
    memcpy(s->text, spec->jid.p, spec->jid.len);
    if (spec->address.len)
        memcpy(s->text + spec->jid.len, spec->address.p, spec->address.len);
    random_bytes(s->secret, sizeof(s->secret));
    if (s->guest)
        guest_count(ss, s, 1);
    if (!spec->handle)
        session_changed(s);
    return s;
}

void sessions_restored(struct sessions *ss, uint32_t floor)
{
    handles_restored(ss->handles, floor);
}

uint32_t sessions_highest(const struct sessions *ss)
{
    return handles_highest(ss->handles);
}

void session_changed(struct session *s)
{
    struct sessions *ss = s->account->all;

    if (!ss->live || s->changed.next)
        return;
    list_append(&ss->changed, &s->changed);
    live_dirty(ss->live);
}

struct session *sessions_take_changed(struct sessions *ss)
{
    struct list *first = ss->changed.next;

    if (first == &ss->changed)
        return NULL;
    list_remove(first);
    return LIST_OWNER(first, struct session, changed);
}

void session_remove(struct sessions *ss, struct session **sp)
{
    struct session *s = *sp;
    struct online  *account = s->account;

    handles_remove(ss->handles, s->handle);
    if (s->guest)
        guest_count(ss, s, -1);
    list_remove(&s->link);
    session_absent(s);
    blob_unref(&s->client);
    session_undirect_all(s);
    list_remove(&s->changed);
    if (ss->live)
        live_delete_u64(ss->live, L_SESSION, s->handle);
    if (--account->count == 0) {
        table_remove(ss->accounts, slice_of(account->jid, account->jid_len));
        table_free(&account->blocked);
        free(account->copied);
        free(account);
    }
    free(s);
    *sp = NULL;
}

void session_rebind(struct session *s, const struct address *c2sd, uint64_t conn, bool secure)
{
    s->c2sd = *c2sd;
    s->conn = conn;
    s->secure = secure;
    session_changed(s);
    random_bytes(s->secret, sizeof(s->secret));
}

struct slice session_address(const struct session *s)
{
    struct slice moved = resume_address(s);

    return moved.len ? moved : slice_of(s->text + s->jid_len, s->address_len);
}

struct session *session_by_handle(const struct sessions *ss, uint64_t handle)
{
    return handles_get(ss->handles, handle);
}

struct session *session_by_jid(const struct sessions *ss, struct slice full)
{
    struct online *account = session_online(ss, jid_bare(full));

    if (!account)
        return NULL;
    ONLINE_EACH(account, node, s)
        if (slice_eq(session_jid(s), full))
            return s;
    return NULL;
}

struct online *session_online(const struct sessions *ss, struct slice bare)
{
    return table_get(ss->accounts, bare);
}

bool session_bound_by(const struct session *s, const struct address *life, uint64_t conn)
{
    return same_life(&s->c2sd, life) && s->conn == conn;
}

size_t sessions_count(const struct sessions *ss)
{
    return handles_count(ss->handles);
}

size_t sessions_accounts(const struct sessions *ss)
{
    return table_count(ss->accounts);
}

struct session *sessions_next(const struct sessions *ss, size_t *place)
{
    return handles_next(ss->handles, place);
}

void session_present(struct session *s, struct slice content, struct slice lang, int priority)
{
    session_absent(s);
    s->presence = blob_copy(content);
    s->lang = lang.len ? blob_copy(lang) : NULL;
    s->priority = (int8_t)priority;
    s->available = true;
    session_changed(s);
}

void session_absent(struct session *s)
{
    blob_unref(&s->wants);
    blob_unref(&s->presence);
    blob_unref(&s->lang);
    s->priority = 0;
    s->available = false;
    session_changed(s);
}

void session_set_carbons(struct session *s, bool on)
{
    s->carbons = on;
    session_changed(s);
}

void session_set_inactive(struct session *s, bool inactive)
{
    s->inactive = inactive;
    session_changed(s);
}

void session_set_client(struct session *s, struct slice client)
{
    blob_unref(&s->client);
    s->client = client.len ? blob_copy(client) : NULL;
    session_changed(s);
}

static struct directed **directed_find(struct session *s, struct slice jid)
{
    struct directed **at = &s->directed;

    while (*at && !slice_eq(slice_of((*at)->jid, (*at)->len), jid))
        at = &(*at)->next;
    return at;
}

bool session_direct(struct session *s, struct slice jid, unsigned most)
{
    struct directed **at = directed_find(s, jid);

    if (*at)
        return true;
    if (s->directed_count >= most)
        return false;
    *at = xcalloc(1, sizeof(**at) + jid.len);
    (*at)->len = (uint16_t)jid.len;
    memcpy((*at)->jid, jid.p, jid.len);
    s->directed_count++;
    session_changed(s);
    return true;
}

void session_undirect(struct session *s, struct slice jid)
{
    struct directed **at = directed_find(s, jid);
    struct directed  *gone = *at;

    if (!gone)
        return;
    *at = gone->next;
    s->directed_count--;
    free(gone);
    session_changed(s);
}

void session_undirect_all(struct session *s)
{
    if (s->directed)
        session_changed(s);
    while (s->directed) {
        struct directed *gone = s->directed;
        s->directed = gone->next;
        free(gone);
    }
    s->directed_count = 0;
}

bool online_receptive(const struct online *account)
{
    ONLINE_EACH(account, node, s)
        if (s->available && s->priority >= 0)
            return true;
    return false;
}

bool online_available(const struct online *account)
{
    ONLINE_EACH(account, node, s)
        if (s->available)
            return true;
    return false;
}
