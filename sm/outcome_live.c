/* Rows of waiting outcomes and of promises (outcome_live.h).
 * WAITING, by serial: u8 format 4, then each outcome of a turn sized: u8 marks, u64 accounts, u64 archive, u64 session,
 * u32 number, then sized: owner, batch for accounts, batch for archive, frames ahead, after, request; afters.
 * Formats 2 and 3 are one outcome, not sized (2: outcome_live.h of the request).
 * PROMISE, by serial: one encoded frame. */

#include "outcome_live.h"

#include <stdlib.h>

#include "cursor.h"
#include "log.h"
#include "mem.h"
#include "sm_live.h"

enum { FORMAT = 4, FORMAT_ALONE = 3, FORMAT_OLDEST = 2 };
enum { AT_ACCOUNTS = 1, AT_ARCHIVE = 9, FIXED = 29, PARTS = 7 };
/* Beside the DOOMED_ bits: its outcome is over, others of the row are not. */
enum { OVER = 128 };
/* A row with so many bytes is full. */
enum { ROW_FULL = 16 * 1024, ROOM_KEPT = 64 * 1024 };

struct shared_row {
    struct list link;              /* of those with marks */
    uint64_t    serial;
    size_t      left;              /* places that are not over */
    struct buf  marks;             /* to be written this turn: u32 at, u8 bits */
};

struct waiting_rows {
    struct sm         *sm;
    struct live_hook   hook;
    struct shared_row *open;       /* of this turn, not put yet; NULL: none */
    struct buf         bytes;      /* of that row; in between of any other */
    struct list        marked;
};

/* ---- a turn ---- */

/* Decided before it was put: then it need not be. */
static void put_open(struct waiting_rows *rows)
{
    struct shared_row *row = rows->open;

    if (!row)
        return;
    if (row->left)
        live_append_u64(rows->sm->live, L_WAITING, row->serial, buf_slice(&rows->bytes));
    else
        free(row);
    rows->open = NULL;
    buf_reset(&rows->bytes, ROOM_KEPT);
}

static struct slice bytes_of(const struct waiting_rows *rows, const struct shared_row *row)
{
    uint8_t key[8];

    if (row == rows->open)
        return buf_slice(&rows->bytes);
    for (unsigned i = 0; i < 8; i++)
        key[i] = (uint8_t)(row->serial >> (56 - 8 * i));
    return live_get(rows->sm->live, L_WAITING, slice_of(key, 8));
}

/* No row is open. */
static void put_marks(struct waiting_rows *rows, struct shared_row *row)
{
    struct cursor c = { buf_slice(&row->marks), false };

    buf_put_slice(&rows->bytes, bytes_of(rows, row));
    while (c.rest.len) {
        uint32_t at = take_u32(&c);
        uint8_t  bits = take_u8(&c);
        if (at < buf_len(&rows->bytes))
            rows->bytes.bytes[at] |= bits;
    }
    if (buf_len(&rows->bytes))
        live_put_u64(rows->sm->live, L_WAITING, row->serial, buf_slice(&rows->bytes));
    buf_reset(&rows->bytes, ROOM_KEPT);
    buf_free(&row->marks);
    list_remove(&row->link);
}

static void before_commit(void *arg)
{
    struct waiting_rows *rows = arg;

    put_open(rows);
    LIST_EACH(&rows->marked, node)
        put_marks(rows, LIST_OWNER(node, struct shared_row, link));
}

struct waiting_rows *waiting_rows_new(struct sm *sm)
{
    struct waiting_rows *rows = xcalloc(1, sizeof(*rows));

    rows->sm = sm;
    rows->hook = (struct live_hook){ .run = before_commit, .arg = rows };
    list_init(&rows->marked);
    live_last_before_commit(sm->live, &rows->hook);
    return rows;
}

void waiting_rows_free(struct waiting_rows **rp)
{
    struct waiting_rows *rows = *rp;

    if (!rows)
        return;
    list_remove(&rows->hook.link);
    free(rows->open);
    buf_free(&rows->bytes);
    free(rows);
    *rp = NULL;
}

/* ---- an outcome's part ---- */

static struct shared_row *open_row(struct waiting_rows *rows)
{
    if (buf_len(&rows->bytes) >= ROW_FULL)
        put_open(rows);
    if (rows->open)
        return rows->open;
    rows->open = xcalloc(1, sizeof(*rows->open));
    rows->open->serial = ++rows->sm->live_serial;
    buf_put_u8(&rows->bytes, FORMAT);
    live_dirty(rows->sm->live);
    return rows->open;
}

struct waiting_place waiting_row_add(struct waiting_rows *rows, const struct waiting_row *w)
{
    const struct slice parts[PARTS] = { w->owner, w->accounts_bytes, w->archive_bytes, w->ahead, w->after, w->request,
                                        w->afters };
    struct waiting_place place = { .row = open_row(rows) };
    struct buf *out = &rows->bytes;
    size_t      len = FIXED + PARTS * sizeof(uint32_t);

    for (size_t i = 0; i < PARTS; i++)
        len += parts[i].len;
    buf_reserve(out, sizeof(uint32_t) + len);
    buf_put_u32(out, (uint32_t)len);
    place.at = (uint32_t)buf_len(out);
    buf_put_u8(out, w->doomed);
    buf_put_u64(out, w->accounts);
    buf_put_u64(out, w->archive);
    buf_put_u64(out, w->session);
    buf_put_u32(out, w->number);
    for (size_t i = 0; i < PARTS; i++)
        buf_put_sized(out, parts[i]);
    place.row->left++;
    return place;
}

static void write_u64(uint8_t *at, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

void waiting_row_number(struct waiting_rows *rows, const struct waiting_place *p, uint64_t accounts, uint64_t archive)
{
    if (p->row != rows->open)
        fatal("waiting_row_left", NULL);
    write_u64(rows->bytes.bytes + p->at + AT_ACCOUNTS, accounts);
    write_u64(rows->bytes.bytes + p->at + AT_ARCHIVE, archive);
}

static void mark(struct waiting_rows *rows, const struct waiting_place *p, uint8_t bits)
{
    if (p->row == rows->open) {
        rows->bytes.bytes[p->at] |= bits;
        return;
    }
    if (!p->row->link.next)
        list_append(&rows->marked, &p->row->link);
    buf_put_u32(&p->row->marks, p->at);
    buf_put_u8(&p->row->marks, bits);
    live_dirty(rows->sm->live);
}

/* The last place is given back. */
static void row_free(struct shared_row *row)
{
    list_remove(&row->link);
    buf_free(&row->marks);
    free(row);
}

void waiting_row_end(struct waiting_rows *rows, const struct waiting_place *p)
{
    struct shared_row *row = p->row;

    if (--row->left || row == rows->open) {
        mark(rows, p, OVER);
        return;
    }
    live_delete_u64(rows->sm->live, L_WAITING, row->serial);
    row_free(row);
}

void waiting_row_leave(struct waiting_rows *rows, const struct waiting_place *p)
{
    if (--p->row->left == 0 && p->row != rows->open)
        row_free(p->row);
}

void waiting_row_doom(struct waiting_rows *rows, const struct waiting_place *p, uint8_t doomed)
{
    mark(rows, p, doomed);
}

/* ---- reading ---- */

static void part_take(struct cursor *c, struct waiting_row *w)
{
    w->doomed = take_u8(c);
    w->accounts = take_u64(c);
    w->archive = take_u64(c);
    w->session = take_u64(c);
    w->number = take_u32(c);
    w->owner = take_sized(c);
    w->accounts_bytes = take_sized(c);
    w->archive_bytes = take_sized(c);
    w->ahead = take_sized(c);
    w->after = take_sized(c);
    w->request = take_sized(c);
    w->afters = take_sized(c);
}

struct slice waiting_row_request(struct waiting_rows *rows, const struct waiting_place *p)
{
    struct slice       bytes = bytes_of(rows, p->row);
    struct cursor      c = { slice_cut(bytes, p->at, bytes.len), false };
    struct waiting_row w = { 0 };

    part_take(&c, &w);
    return c.bad ? slice_of(NULL, 0) : w.request;
}

struct reading {
    struct waiting_rows *rows;
    struct shared_row   *row;
    struct slice         bytes;        /* of the whole row */
    void (*each)(struct sm *sm, const struct waiting_place *p, const struct waiting_row *w);
};

static bool read_part(struct reading *r, struct slice part)
{
    struct cursor        c = { part, false };
    struct waiting_row   w;
    struct waiting_place place = { r->row, (uint32_t)(part.p - r->bytes.p) };

    part_take(&c, &w);
    if (!cursor_done(&c))
        return false;
    if (w.doomed & OVER)
        return true;
    r->row->left++;
    r->each(r->rows->sm, &place, &w);
    return true;
}

static bool read_parts(struct reading *r)
{
    struct cursor c = { r->bytes, false };
    uint8_t       format = take_u8(&c);

    if (format >= FORMAT_OLDEST && format <= FORMAT_ALONE)
        return read_part(r, c.rest);
    if (format != FORMAT)
        return false;
    while (c.rest.len) {
        struct slice part = take_sized(&c);
        if (c.bad || !read_part(r, part))
            return false;
    }
    return true;
}

static int read_row(void *arg, struct slice key, struct slice value)
{
    struct reading *r = arg;

    r->row = xcalloc(1, sizeof(*r->row));
    r->row->serial = live_key_u64(key);
    r->bytes = value;
    if (r->row->serial > r->rows->sm->live_serial)
        r->rows->sm->live_serial = r->row->serial;
    if (!read_parts(r))
        log_error("waiting_row_unreadable", "bytes", log_num((int64_t)value.len), NULL);
    if (!r->row->left)
        free(r->row);
    return 0;
}

void waiting_rows_each(struct waiting_rows *rows,
                       void (*each)(struct sm *sm, const struct waiting_place *p, const struct waiting_row *w))
{
    struct reading r = { .rows = rows, .each = each };

    live_each(rows->sm->live, L_WAITING, read_row, &r);
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
