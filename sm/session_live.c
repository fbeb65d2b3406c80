/* Rows of sessions (session_live.h).
 * SESSION, by handle: u8 format 4, u32 and u64 instance and incarnation of c2sd, u64 conn, u64 since_us,
 * u16 flags, u8 priority, secret, sized JID, sized address, sized presence, sized language, sized client, u32 count and
 * as many sized JIDs of directed presence, u64 given, u32 copies_since, u64 held_serial, then what resume.h adds.
 * INSTANCE "handles": u8 format 1, u32: no generation of a handle above it has been given out. */

#include "session_live.h"

#include <stdlib.h>

#include "cursor.h"
#include "log.h"
#include "mem.h"
#include "resume.h"
#include "sm_live.h"

enum { FORMAT = 4, GENERATIONS_AHEAD = 4096 };
enum { HAS_PRESENCE = 1, HAS_LANG = 2, INTERESTED = 4, SECURE = 8, ASKED_ARCHIVE = 16, AVAILABLE = 32,
       CARBONS = 64, INACTIVE = 128, BLOCKLIST = 256, GUEST = 512, MOVED = 1024 };

struct sessions_live {
    struct live_hook hook;
    struct sm       *sm;
    uint32_t         floor;        /* as the row says */
};

/* ---- writing ---- */

static uint16_t flags_of(const struct session *s)
{
    return (uint16_t)((s->presence ? HAS_PRESENCE : 0) | (s->lang ? HAS_LANG : 0) |
                     (s->interested ? INTERESTED : 0) | (s->secure ? SECURE : 0) |
                     (s->asked_archive ? ASKED_ARCHIVE : 0) | (s->available ? AVAILABLE : 0) |
                     (s->carbons ? CARBONS : 0) | (s->inactive ? INACTIVE : 0) | (s->blocklist ? BLOCKLIST : 0) |
                     (s->guest ? GUEST : 0) | (s->moved ? MOVED : 0));
}

static struct slice blob_or_none(const struct blob *b)
{
    return b ? blob_slice(b) : slice_of(NULL, 0);
}

void session_row_put(struct buf *row, const struct session *s)
{
    buf_put_u8(row, FORMAT);
    buf_put_u32(row, s->c2sd.instance);
    buf_put_u64(row, s->c2sd.incarnation);
    buf_put_u64(row, s->conn);
    buf_put_u64(row, s->since_us);
    buf_put_u16(row, flags_of(s));
    buf_put_u8(row, (uint8_t)s->priority);
    buf_put(row, s->secret, sizeof(s->secret));
    buf_put_sized(row, session_jid(s));
    buf_put_sized(row, session_address(s));
    buf_put_sized(row, blob_or_none(s->presence));
    buf_put_sized(row, blob_or_none(s->lang));
    buf_put_sized(row, blob_or_none(s->client));
    buf_put_u32(row, s->directed_count);
    for (const struct directed *d = s->directed; d; d = d->next)
        buf_put_sized(row, slice_of(d->jid, d->len));
    buf_put_u64(row, s->given);
    buf_put_u32(row, s->copies_since);
    buf_put_u64(row, s->held_serial);
    resume_row_put(row, s);
}

static void put_row(struct live *live, const struct session *s, struct buf *row)
{
    buf_reset(row, 65536);
    session_row_put(row, s);
    live_put_u64(live, L_SESSION, s->handle, buf_slice(row));
}

/* The floor is raised before any generation above it is known to anybody else. */
static void raise_floor(struct sessions_live *sl)
{
    struct buf row = { 0 };

    if (sessions_highest(sl->sm->sessions) <= sl->floor)
        return;
    sl->floor = sessions_highest(sl->sm->sessions) + GENERATIONS_AHEAD;
    buf_put_u8(&row, FORMAT);
    buf_put_u32(&row, sl->floor);
    live_put(sl->sm->live, L_INSTANCE, SLICE("handles"), buf_slice(&row));
    buf_free(&row);
}

static void before_commit(void *arg)
{
    struct sessions_live *sl = arg;
    struct buf            row = { 0 };

    for (struct session *s; (s = sessions_take_changed(sl->sm->sessions));)
        put_row(sl->sm->live, s, &row);
    buf_free(&row);
    raise_floor(sl);
}

/* ---- reading ---- */

static void take_directed(struct cursor *c, struct session *s)
{
    for (uint32_t left = take_u32(c); left && !c->bad; left--)
        session_direct(s, take_sized(c), UINT_MAX);
}

static void take_presence(struct cursor *c, struct session *s, unsigned flags, int8_t priority)
{
    struct slice presence = take_sized(c), lang = take_sized(c);

    s->presence = flags & HAS_PRESENCE ? blob_copy(presence) : NULL;
    s->lang = flags & HAS_LANG ? blob_copy(lang) : NULL;
    session_set_client(s, take_sized(c));
    s->interested = flags & INTERESTED;
    s->carbons = flags & CARBONS;
    s->inactive = flags & INACTIVE;
    s->blocklist = flags & BLOCKLIST;
    s->asked_archive = flags & ASKED_ARCHIVE;
    s->moved = flags & MOVED;
    s->available = flags & AVAILABLE;
    s->priority = priority;
}

struct session *session_row_take(struct sm *sm, uint64_t handle, struct cursor *c)
{
    struct session_spec spec = { .handle = handle, .c2sd = { .role = ROLE_C2SD } };

    if (take_u8(c) != FORMAT)
        return NULL;
    spec.c2sd.instance = take_u32(c);
    spec.c2sd.incarnation = take_u64(c);
    spec.conn = take_u64(c);
    spec.now_us = take_u64(c);
    uint16_t     flags = take_u16(c);
    int8_t       priority = (int8_t)take_u8(c);
    struct slice secret = take_bytes(c, SESSION_SECRET);
    spec.secure = flags & SECURE;
    spec.guest = flags & GUEST;
    spec.jid = take_sized(c);
    spec.address = take_sized(c);
    if (c->bad || !spec.jid.len)
        return NULL;
    struct session *s = session_add(sm->sessions, &spec);
    memcpy(s->secret, secret.p, sizeof(s->secret));
    take_presence(c, s, flags, priority);
    take_directed(c, s);
    s->given = take_u64(c);
    s->copies_since = take_u32(c);
    s->held_serial = take_u64(c);
    if ((int32_t)(s->copies_since - sm->epoch) > 0)
        sm->epoch = s->copies_since;
    if (c->bad || resume_row_take(sm, c, s))
        return NULL;
    return s;
}

static int restore_row(void *arg, struct slice key, struct slice value)
{
    struct sm    *sm = arg;
    struct cursor c = { value, false };

    if (!session_row_take(sm, live_key_u64(key), &c) || !cursor_done(&c))
        log_error("session_row_unreadable", "conn", log_hex(live_key_u64(key)), "bytes",
                  log_num((int64_t)value.len), NULL);
    return 0;
}

static uint32_t floor_found(struct sm *sm)
{
    struct cursor c = { live_get(sm->live, L_INSTANCE, SLICE("handles")), false };

    return c.rest.p && take_u8(&c) == FORMAT ? take_u32(&c) : 0;
}

void sessions_live_start(struct sm *sm)
{
    struct sessions_live *sl = xcalloc(1, sizeof(*sl));

    sl->sm = sm;
    sl->hook = (struct live_hook){ .run = before_commit, .arg = sl };
    sl->floor = floor_found(sm);
    live_each(sm->live, L_SESSION, restore_row, sm);
    while (sessions_take_changed(sm->sessions))
        ;                               /* they are as their rows say */
    sessions_restored(sm->sessions, sl->floor);
    live_before_commit(sm->live, &sl->hook);
    sm->sessions_live = sl;
    if (sessions_count(sm->sessions))
        log_info("sessions_found", "instance", sm->instance, "count",
                 log_num((int64_t)sessions_count(sm->sessions)), NULL);
}

void sessions_live_stop(struct sm *sm)
{
    list_remove(&sm->sessions_live->hook.link);
    free(sm->sessions_live);
    sm->sessions_live = NULL;
}
