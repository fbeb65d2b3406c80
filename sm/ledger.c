/* The ledger's tables: appending, reading, and the offline view with its sums (ledger.h). */

#include "ledger.h"

#include "cursor.h"
#include "log.h"
#include "routes.h"

enum { ROW_FORMAT = 1, PART_MOST = 65535, RECORD_KEY = 2 + 4 + 8 + 2, RECORD_PREFIX = 2 + 4 };

/* ---- keys: numbers big-endian, so that key order is time order ---- */

static void put_be(struct buf *out, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0)
        buf_put_u8(out, (uint8_t)(value >> 8 * bytes));
}

static uint64_t get_be(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | *p++;
    return value;
}

/* Fills `key` anew; {0} before, buf_free after. */
static struct slice owner_key(struct buf *key, const struct ledger *l)
{
    buf_reset(key, RECORD_KEY);
    store_key(key, l->slot, SLICE(""));
    put_be(key, l->owner_id, 4);
    return buf_slice(key);
}

static struct slice record_key(struct buf *key, const struct ledger *l, struct ledger_id id)
{
    owner_key(key, l);
    put_be(key, id.time_us, 8);
    put_be(key, id.tie, 2);
    return buf_slice(key);
}

static bool id_of_key(struct slice key, struct ledger_id *id)
{
    if (key.len != RECORD_KEY)
        return false;
    id->time_us = get_be(key.p + RECORD_PREFIX, 8);
    id->tie = (uint16_t)get_be(key.p + RECORD_PREFIX + 8, 2);
    return true;
}

static struct slice intern_key(struct buf *key, const struct ledger *l, char kind, struct slice rest)
{
    buf_reset(key, RECORD_KEY);
    store_key(key, l->slot, slice_of(&kind, 1));
    buf_put_slice(key, rest);
    return buf_slice(key);
}

/* ---- opening: the owner's id and sums ---- */

static enum zerr unreadable(const struct ledger *l, const char *what)
{
    log_error("ledger_row_unreadable", "jid", log_slice(l->owner), "kind", what, NULL);
    return ZE_STORE;
}

static enum zerr read_owner_id(struct ledger *l)
{
    struct buf    key = { 0 };
    struct cursor c = { store_get(l->view, A_INTERN, intern_key(&key, l, 'J', l->owner)), false };

    buf_free(&key);
    if (!c.rest.p)
        return ZE_OK;
    l->owner_id = take_u32(&c);
    return cursor_done(&c) && l->owner_id ? ZE_OK : unreadable(l, "owner id");
}

static enum zerr read_sum(struct ledger *l)
{
    struct buf    key = { 0 };
    struct cursor c = { store_get(l->view, A_OFFLINE_SUM, owner_key(&key, l)), false };

    buf_free(&key);
    if (!c.rest.p)
        return ZE_OK;
    unsigned format = take_u8(&c);
    l->offline_count = take_u32(&c);
    l->offline_bytes = take_u64(&c);
    return cursor_done(&c) && format == ROW_FORMAT ? ZE_OK : unreadable(l, "offline sum");
}

enum zerr ledger_open(struct ledger *l, struct sm_store *s, struct store_view *view, struct slice owner)
{
    *l = (struct ledger){ .store = s, .view = view, .owner = owner, .slot = slot_of(owner) };
    enum zerr err = read_owner_id(l);

    return err || !l->owner_id ? err : read_sum(l);
}

/* ---- writing ---- */

static void sum_encode(struct buf *out, uint32_t count, uint64_t bytes)
{
    buf_put_u8(out, ROW_FORMAT);
    buf_put_u32(out, count);
    buf_put_u64(out, bytes);
}

/* The first change of a batch says what it found, so that two that read the same sum cannot both win. */
static void expect_sum(struct ledger *l, struct store_batch *batch, struct slice key)
{
    struct buf old = { 0 };

    if (l->sum_expected)
        return;
    l->sum_expected = true;
    sum_encode(&old, l->offline_count, l->offline_bytes);
    if (store_get(l->view, A_OFFLINE_SUM, key).p)
        store_expect_value(batch, A_OFFLINE_SUM, key, buf_slice(&old));
    else
        store_expect_absent(batch, A_OFFLINE_SUM, key);
    buf_free(&old);
}

static void write_sum(struct ledger *l, struct store_batch *batch, uint32_t count, uint64_t bytes)
{
    struct buf   key = { 0 }, row = { 0 };
    struct slice k = owner_key(&key, l);

    expect_sum(l, batch, k);
    l->offline_count = count;
    l->offline_bytes = bytes;
    sum_encode(&row, count, bytes);
    if (count)
        store_put(batch, A_OFFLINE_SUM, k, buf_slice(&row));
    else
        store_delete(batch, A_OFFLINE_SUM, k);
    buf_free(&key);
    buf_free(&row);
}

static struct slice le32(struct buf *out, uint32_t v)
{
    buf_reset(out, 4);
    buf_put_u32(out, v);
    return buf_slice(out);
}

/* Gives the owner the next id of his slot, found again both ways. */
static enum zerr intern_new(struct ledger *l, struct store_batch *batch)
{
    struct buf    key = { 0 }, value = { 0 }, rest = { 0 };
    struct slice  last_key = intern_key(&key, l, 'N', SLICE(""));
    struct cursor last = { store_get(l->view, A_INTERN, last_key), false };
    bool          first = !last.rest.p;
    uint32_t      id = first ? 0 : take_u32(&last);

    if ((!first && !cursor_done(&last)) || id == UINT32_MAX) {
        buf_free(&key);
        return unreadable(l, "last id");
    }
    if (first)
        store_expect_absent(batch, A_INTERN, last_key);
    else
        store_expect_value(batch, A_INTERN, last_key, le32(&value, id));
    l->owner_id = id + 1;
    store_put(batch, A_INTERN, last_key, le32(&value, l->owner_id));
    store_expect_absent(batch, A_INTERN, intern_key(&key, l, 'J', l->owner));
    store_put(batch, A_INTERN, buf_slice(&key), le32(&value, l->owner_id));
    put_be(&rest, l->owner_id, 4);
    store_put(batch, A_INTERN, intern_key(&key, l, 'I', buf_slice(&rest)), l->owner);
    buf_free(&key);
    buf_free(&value);
    buf_free(&rest);
    return ZE_OK;
}

/* A clock set back does not reorder what one process writes. */
static struct ledger_id next_id(struct sm_store *s, uint64_t wanted_us)
{
    if (wanted_us > s->ledger_last_us) {
        s->ledger_last_us = wanted_us;
        s->ledger_last_tie = 0;
    } else if (++s->ledger_last_tie == 0) {
        s->ledger_last_us++;
    }
    return (struct ledger_id){ s->ledger_last_us, s->ledger_last_tie };
}

static bool parts_fit(const struct ledger_record *in)
{
    const struct slice parts[] = { in->stanza.from, in->stanza.to, in->stanza.id,
                                   in->stanza.lang, in->stanza_id, in->delay_from };

    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (parts[i].len > PART_MOST)
            return false;
    return in->stanza.content.len <= UINT32_MAX;
}

static bool offline_full(const struct ledger *l, const struct ledger_limits *limits, size_t bytes)
{
    return l->offline_count + UINT64_C(1) > (uint64_t)limits->offline_messages_max ||
           l->offline_bytes + bytes > (uint64_t)limits->offline_bytes_max;
}

static void write_offline(struct ledger *l, struct store_batch *batch, struct slice key, size_t bytes)
{
    struct buf row = { 0 };

    buf_put_u8(&row, ROW_FORMAT);
    buf_put_u32(&row, (uint32_t)bytes);
    store_put(batch, A_OFFLINE, key, buf_slice(&row));
    buf_free(&row);
    write_sum(l, batch, l->offline_count + 1, l->offline_bytes + bytes);
}

enum zerr ledger_append(struct ledger *l, struct store_batch *batch, const struct ledger_limits *limits,
                        const struct ledger_record *in, struct ledger_id *id)
{
    struct buf value = { 0 }, key = { 0 };
    enum zerr  err = ZE_OK;

    if (!parts_fit(in))
        return ZE_BAD_REQUEST;
    ledger_encode(&value, in, l->owner);
    if (store_low(l->store->archive) ||
        (in->views & LEDGER_OFFLINE && offline_full(l, limits, buf_len(&value))))
        err = ZE_FULL;
    if (err == ZE_OK)
        err = l->owner_id ? ZE_OK : intern_new(l, batch);
    if (err == ZE_OK) {
        *id = next_id(l->store, in->id.time_us);
        struct slice k = record_key(&key, l, *id);
        store_expect_absent(batch, A_LEDGER, k);
        store_put(batch, A_LEDGER, k, buf_slice(&value));
        if (in->views & LEDGER_OFFLINE)
            write_offline(l, batch, k, buf_len(&value));
    }
    buf_free(&key);
    buf_free(&value);
    return err;
}

/* ---- reading ---- */

enum zerr ledger_get(struct ledger *l, struct ledger_id id, struct ledger_record *out)
{
    struct buf   key = { 0 };
    struct slice value = store_get(l->view, A_LEDGER, record_key(&key, l, id));

    buf_free(&key);
    if (!l->owner_id || !value.p)
        return ZE_NOT_FOUND;
    return ledger_decode(value, id, l->owner, out) == ZE_OK ? ZE_OK : unreadable(l, "record");
}

struct walk {
    struct ledger *l;
    int          (*each)(void *arg, const struct ledger_record *record);
    void          *arg;
    /* Of a clear: */
    struct store_batch *batch;
    struct ledger_id    last;
    uint32_t            count;
    uint64_t            bytes;
};

static int walk_offline(void *arg, struct slice key, struct slice value)
{
    struct walk         *w = arg;
    struct ledger_record record;
    struct ledger_id     id;

    (void)value;
    if (!id_of_key(key, &id)) {
        unreadable(w->l, "offline row");
        return 0;
    }
    enum zerr err = ledger_get(w->l, id, &record);
    if (err == ZE_NOT_FOUND)
        unreadable(w->l, "offline row without record");
    return err == ZE_OK ? w->each(w->arg, &record) : 0;
}

static int each_of_owner(struct ledger *l, unsigned table, struct slice from,
                         int (*each)(void *arg, struct slice key, struct slice value), void *arg)
{
    struct buf prefix = { 0 };

    int rc = store_each(l->view, table, owner_key(&prefix, l), from, false, each, arg);
    buf_free(&prefix);
    return rc;
}

int ledger_offline_each(struct ledger *l, struct ledger_id after,
                        int (*each)(void *arg, const struct ledger_record *record), void *arg)
{
    struct walk w = { .l = l, .each = each, .arg = arg };
    struct buf  from = { 0 };

    if (!l->owner_id)
        return 0;
    record_key(&from, l, after);
    buf_put_u8(&from, 0);                  /* the first key behind `after` itself */
    int rc = each_of_owner(l, A_OFFLINE, buf_slice(&from), walk_offline, &w);
    buf_free(&from);
    return rc;
}

/* ---- clearing ---- */

static void leave_offline(struct walk *w, struct slice key, struct ledger_id id)
{
    struct ledger_record record;
    struct buf           value = { 0 };
    struct slice         stored = store_get(w->l->view, A_LEDGER, key);

    if (!stored.p)
        return;
    if (ledger_decode(stored, id, w->l->owner, &record) != ZE_OK)
        record.views = 0;                  /* nobody can read it: it goes */
    record.views &= ~(unsigned)LEDGER_OFFLINE;
    if (record.views) {
        ledger_encode(&value, &record, w->l->owner);
        store_put(w->batch, A_LEDGER, key, buf_slice(&value));
    } else {
        store_delete(w->batch, A_LEDGER, key);
    }
    buf_free(&value);
}

static int clear_row(void *arg, struct slice key, struct slice value)
{
    struct walk     *w = arg;
    struct cursor    c = { value, false };
    struct ledger_id id;

    if (id_of_key(key, &id)) {
        if (id.time_us > w->last.time_us || (id.time_us == w->last.time_us && id.tie > w->last.tie))
            return 1;
        leave_offline(w, key, id);
    }
    take_u8(&c);
    w->bytes += take_u32(&c);
    w->count++;
    store_delete(w->batch, A_OFFLINE, key);
    return 0;
}

enum zerr ledger_offline_clear(struct ledger *l, struct store_batch *batch, struct ledger_id last)
{
    struct walk w = { .l = l, .batch = batch, .last = last };

    if (!l->owner_id)
        return ZE_OK;
    int rc = each_of_owner(l, A_OFFLINE, SLICE(""), clear_row, &w);
    if (rc < 0)
        return (enum zerr)rc;
    if (w.count == 0)
        return ZE_OK;
    uint32_t count = l->offline_count > w.count ? l->offline_count - w.count : 0;
    write_sum(l, batch, count, count && l->offline_bytes > w.bytes ? l->offline_bytes - w.bytes : 0);
    return ZE_OK;
}

struct forget {
    struct store_batch *batch;
    unsigned            table;
};

static int forget_row(void *arg, struct slice key, struct slice value)
{
    const struct forget *f = arg;

    (void)value;
    store_delete(f->batch, f->table, key);
    return 0;
}

enum zerr ledger_forget(struct ledger *l, struct store_batch *batch)
{
    static const unsigned tables[] = { A_LEDGER, A_OFFLINE, A_OFFLINE_SUM };
    struct buf            key = { 0 }, id = { 0 };
    int                   rc = 0;

    if (!l->owner_id)
        return ZE_OK;
    for (size_t i = 0; i < COUNT_OF(tables) && rc == 0; i++) {
        struct forget f = { batch, tables[i] };
        rc = each_of_owner(l, tables[i], SLICE(""), forget_row, &f);
    }
    store_delete(batch, A_INTERN, intern_key(&key, l, 'J', l->owner));
    put_be(&id, l->owner_id, 4);
    store_delete(batch, A_INTERN, intern_key(&key, l, 'I', buf_slice(&id)));
    buf_free(&key);
    buf_free(&id);
    return (enum zerr)rc;
}
