/* Rows of waiting outcomes and of promises (outcome_live.h).
 * WAITING, by serial: u8 format 3, u8 doomed, u64 accounts, u64 archive, u64 session, u32 number, then
 * sized: owner, batch for accounts, batch for archive, frames ahead, after, request; afters. Format 2
 * is the same (request: outcome_live.h).
 * PROMISE, by serial: one encoded frame. */

#include "outcome_live.h"

#include <stdlib.h>

#include "cursor.h"
#include "log.h"
#include "mem.h"
#include "sm_live.h"

enum { FORMAT = 3, FORMAT_BEFORE = 2, AT_DOOMED = 1, AT_ACCOUNTS = 2, AT_ARCHIVE = 10 };

static struct slice key_of(uint8_t key[8], uint64_t serial)
{
    for (unsigned i = 0; i < 8; i++)
        key[i] = (uint8_t)(serial >> (56 - 8 * i));
    return slice_of(key, 8);
}

void waiting_row_begin(struct buf *row, const struct waiting_row *w)
{
    buf_put_u8(row, FORMAT);
    buf_put_u8(row, 0);
    buf_put_u64(row, 0);
    buf_put_u64(row, 0);
    buf_put_u64(row, w->session);
    buf_put_u32(row, w->number);
    buf_put_sized(row, w->owner);
    buf_put_sized(row, w->accounts_bytes);
    buf_put_sized(row, w->archive_bytes);
    buf_put_sized(row, w->ahead);
    buf_put_sized(row, w->after);
    buf_put_sized(row, w->request);
    buf_put_sized(row, w->afters);
}

static void write_u64(uint8_t *at, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

uint64_t waiting_row_put(struct sm *sm, struct buf *row, uint64_t accounts, uint64_t archive)
{
    write_u64(row->bytes + row->start + AT_ACCOUNTS, accounts);
    write_u64(row->bytes + row->start + AT_ARCHIVE, archive);
    live_put_u64(sm->live, L_WAITING, ++sm->live_serial, buf_slice(row));
    return sm->live_serial;
}

void waiting_row_delete(struct sm *sm, uint64_t serial)
{
    live_delete_u64(sm->live, L_WAITING, serial);
}

void waiting_row_doom(struct sm *sm, uint64_t serial, uint8_t doomed)
{
    uint8_t      key[8];
    struct slice found = live_get(sm->live, L_WAITING, key_of(key, serial));
    struct buf   row = { 0 };

    if (!found.p)
        return;
    buf_put_slice(&row, found);
    row.bytes[AT_DOOMED] |= doomed;
    live_put_u64(sm->live, L_WAITING, serial, buf_slice(&row));
    buf_free(&row);
}

static bool row_take(struct slice bytes, struct waiting_row *w)
{
    struct cursor c = { bytes, false };
    uint8_t       format = take_u8(&c);

    w->doomed = take_u8(&c);
    w->accounts = take_u64(&c);
    w->archive = take_u64(&c);
    w->session = take_u64(&c);
    w->number = take_u32(&c);
    w->owner = take_sized(&c);
    w->accounts_bytes = take_sized(&c);
    w->archive_bytes = take_sized(&c);
    w->ahead = take_sized(&c);
    w->after = take_sized(&c);
    w->request = take_sized(&c);
    w->afters = take_sized(&c);
    return (format == FORMAT || format == FORMAT_BEFORE) && cursor_done(&c);
}

struct reading {
    struct sm *sm;
    void     (*each)(struct sm *sm, uint64_t serial, const struct waiting_row *w);
};

static int read_row(void *arg, struct slice key, struct slice value)
{
    struct reading    *r = arg;
    struct waiting_row w = { 0 };

    if (live_key_u64(key) > r->sm->live_serial)
        r->sm->live_serial = live_key_u64(key);
    if (row_take(value, &w))
        r->each(r->sm, live_key_u64(key), &w);
    else
        log_error("waiting_row_unreadable", "bytes", log_num((int64_t)value.len), NULL);
    return 0;
}

void waiting_rows_each(struct sm *sm, void (*each)(struct sm *sm, uint64_t serial, const struct waiting_row *w))
{
    struct reading r = { sm, each };

    live_each(sm->live, L_WAITING, read_row, &r);
}

/* ---- promises ---- */

uint64_t promise_make(struct sm *sm, const struct frame *f)
{
    struct buf row = { 0 };

    if (frame_encode(&row, f) == ZE_OK)
        live_put_u64(sm->live, L_PROMISE, ++sm->live_serial, buf_slice(&row));
    buf_free(&row);
    return sm->live_serial;
}

void promise_kept(struct sm *sm, uint64_t *serial)
{
    if (*serial)
        live_delete_u64(sm->live, L_PROMISE, *serial);
    *serial = 0;
}

struct collecting {
    struct sm  *sm;
    struct buf *frames;
};

static int collect(void *arg, struct slice key, struct slice value)
{
    struct collecting *c = arg;

    if (live_key_u64(key) > c->sm->live_serial)
        c->sm->live_serial = live_key_u64(key);
    buf_put_slice(c->frames, value);
    return 0;
}

void promises_take(struct sm *sm, struct buf *frames)
{
    struct collecting c = { sm, frames };

    live_each(sm->live, L_PROMISE, collect, &c);
    if (buf_len(frames))
        live_forget(sm->live, L_PROMISE);
}
