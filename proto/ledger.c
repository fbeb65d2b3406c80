/* The ledger's tables (ledger.h): opening, appending, reading one record. */

#include "ledger_keys.h"

#include <gnutls/crypto.h>

#include "cursor.h"
#include "routes.h"

enum { PART_MOST = 65535 };

/* ---- opening: the owner's id and sums ---- */

static enum zerr read_owner_id(struct ledger *l)
{
    const struct ledger_known *known = ledger_known(l);
    struct cursor              c = { .bad = false };
    struct buf                 key = { 0 };

    if (known) {
        l->owner_id = known->owner_id;
        return ZE_OK;
    }
    c.rest = store_get(l->view, l->place->tables->intern, ledger_key_intern(&key, l->slot, 'J', l->owner));
    buf_free(&key);
    if (!c.rest.p)
        return ZE_OK;
    l->owner_id = take_u32(&c);
    if (!cursor_done(&c) || !l->owner_id)
        return ledger_unreadable(l, "owner id");
    ledger_know(l);
    return ZE_OK;
}

enum zerr ledger_open(struct ledger *l, struct ledger_place *place, struct store_view *view, struct slice owner)
{
    *l = (struct ledger){ .place = place, .view = view, .owner = owner, .slot = slot_of(owner) };
    return read_owner_id(l);
}

static enum zerr read_sum(struct ledger *l)
{
    struct ledger_key key = ledger_key_owner(l->slot, l->owner_id);
    struct cursor     c = { store_get(l->view, l->place->tables->offline_sum, ledger_key_slice(&key)), false };

    if (!c.rest.p)
        return ZE_OK;
    unsigned format = take_u8(&c);
    l->offline_count = take_u32(&c);
    l->offline_bytes = take_u64(&c);
    return cursor_done(&c) && format == LEDGER_ROW_FORMAT ? ZE_OK : ledger_unreadable(l, "offline sum");
}

enum zerr ledger_waiting(struct ledger *l)
{
    enum zerr err = l->sum_known || !l->owner_id ? ZE_OK : read_sum(l);

    l->sum_known = !err;
    return err;
}

/* ---- ids ---- */

static int note_id(void *arg, struct slice key, struct slice value)
{
    (void)value;
    ledger_key_id(key, arg);
    return 1;
}

struct ledger_id ledger_newest(struct ledger *l)
{
    struct ledger_key prefix = ledger_key_owner(l->slot, l->owner_id);
    struct ledger_id  id = { 0 };

    if (l->owner_id)
        store_each(l->view, l->place->tables->ledger, ledger_key_slice(&prefix), slice_of(NULL, 0), true, note_id,
                   &id);
    return id;
}

/* Where ties of a microsecond begin: in the lower half, so that there is room behind. */
static uint16_t random_tie(void)
{
    static _Thread_local uint16_t pool[256];
    static _Thread_local unsigned left;

    if (!left) {
        gnutls_rnd(GNUTLS_RND_NONCE, pool, sizeof(pool));
        left = COUNT_OF(pool);
    }
    return pool[--left] % (LEDGER_TIES / 2);
}

/* The place is behind all that the owner has: from then on its ids are. */
static void pass_newest(struct ledger *l)
{
    struct ledger_place *place = l->place;
    struct ledger_known *known = l->owner_id ? ledger_known(l) : NULL;
    struct ledger_id     newest;

    if (!l->owner_id || (known && known->passed && known->owner_id == l->owner_id))
        return;
    newest = ledger_newest(l);
    if (ledger_id_cmp(newest, (struct ledger_id){ place->last_us, place->last_tie }) > 0) {
        place->last_us = newest.time_us;
        place->last_tie = newest.tie;
    }
    if (known && newest.time_us)       /* else perhaps it could not be read */
        known->passed = known->owner_id == l->owner_id;
}

/* A clock set back reorders neither what one process writes nor what one owner has. */
struct ledger_id ledger_next_id(struct ledger *l, uint64_t wanted_us)
{
    struct ledger_place *place = l->place;

    pass_newest(l);
    if (wanted_us > place->last_us) {
        place->last_us = wanted_us;
        place->last_tie = random_tie();
    } else if (++place->last_tie >= LEDGER_TIES) {
        place->last_us++;
        place->last_tie = 0;
    }
    return (struct ledger_id){ place->last_us, place->last_tie };
}

/* ---- writing ---- */

static void sum_encode(struct buf *out, uint32_t count, uint64_t bytes)
{
    buf_put_u8(out, LEDGER_ROW_FORMAT);
    buf_put_u32(out, count);
    buf_put_u64(out, bytes);
}

/* The first change of a batch says what it found, so that two that read the same sum cannot both win. */
static void expect_sum(struct ledger *l, struct store_batch *batch, struct slice key)
{
    unsigned   table = l->place->tables->offline_sum;
    struct buf old = { 0 };

    if (l->sum_expected)
        return;
    l->sum_expected = true;
    sum_encode(&old, l->offline_count, l->offline_bytes);
    if (store_get(l->view, table, key).p)
        store_expect_value(batch, table, key, buf_slice(&old));
    else
        store_expect_absent(batch, table, key);
    buf_free(&old);
}

void ledger_sum_put(struct ledger *l, struct store_batch *batch, uint32_t count, uint64_t bytes)
{
    struct ledger_key key = ledger_key_owner(l->slot, l->owner_id);
    struct slice      k = ledger_key_slice(&key);
    struct buf        row = { 0 };

    expect_sum(l, batch, k);
    l->offline_count = count;
    l->offline_bytes = bytes;
    sum_encode(&row, count, bytes);
    if (count)
        store_put(batch, l->place->tables->offline_sum, k, buf_slice(&row));
    else
        store_delete(batch, l->place->tables->offline_sum, k);
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
    unsigned      table = l->place->tables->intern;
    struct buf    key = { 0 }, value = { 0 };
    uint8_t       id_bytes[4];
    struct slice  last_key = ledger_key_intern(&key, l->slot, 'N', SLICE(""));
    struct cursor last = { store_get(l->view, table, last_key), false };
    bool          first = !last.rest.p;
    uint32_t      id = first ? 0 : take_u32(&last);

    if ((!first && !cursor_done(&last)) || id == UINT32_MAX) {
        buf_free(&key);
        return ledger_unreadable(l, "last id");
    }
    if (first)
        store_expect_absent(batch, table, last_key);
    else
        store_expect_value(batch, table, last_key, le32(&value, id));
    l->owner_id = id + 1;
    store_put(batch, table, last_key, le32(&value, l->owner_id));
    store_expect_absent(batch, table, ledger_key_intern(&key, l->slot, 'J', l->owner));
    store_put(batch, table, buf_slice(&key), le32(&value, l->owner_id));
    store_put(batch, table, ledger_key_intern(&key, l->slot, 'I', ledger_be32(id_bytes, l->owner_id)), l->owner);
    buf_free(&key);
    buf_free(&value);
    return ZE_OK;
}

enum zerr ledger_may_append(const struct ledger *l, const struct ledger_record *in)
{
    const struct slice parts[] = { in->stanza.from, in->stanza.to, in->stanza.id, in->stanza.lang,
                                   in->stanza_id, in->delay_from, in->actor };

    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (parts[i].len > PART_MOST)
            return ZE_BAD_REQUEST;
    if (in->stanza.content.len > UINT32_MAX)
        return ZE_BAD_REQUEST;
    return store_low(l->place->store) ? ZE_FULL : ZE_OK;
}

static bool offline_full(const struct ledger *l, const struct ledger_limits *limits, size_t bytes)
{
    return l->offline_count + UINT64_C(1) > (uint64_t)limits->offline_messages_max ||
           l->offline_bytes + bytes > (uint64_t)limits->offline_bytes_max;
}

void ledger_offline_put(struct ledger *l, struct store_batch *batch, struct ledger_id id, size_t bytes)
{
    struct ledger_key key = ledger_key_record(l, id);
    struct buf        row = { 0 };

    buf_put_u8(&row, LEDGER_ROW_FORMAT);
    buf_put_u32(&row, (uint32_t)bytes);
    store_put(batch, l->place->tables->offline, ledger_key_slice(&key), buf_slice(&row));
    buf_free(&row);
    ledger_sum_put(l, batch, l->offline_count + 1, l->offline_bytes + bytes);
}

static void write_record(struct ledger *l, struct store_batch *batch, const struct ledger_record *in,
                         struct slice value)
{
    const struct ledger_tables *t = l->place->tables;
    struct ledger_key           key = ledger_key_record(l, in->id);

    store_expect_absent(batch, t->ledger, ledger_key_slice(&key));
    store_put(batch, t->ledger, ledger_key_slice(&key), value);
    if (in->views & LEDGER_ARCHIVE) {
        key = ledger_key_contact(l, ledger_contact(in));
        ledger_key_add_id(&key, in->id);
        store_put(batch, t->contact, ledger_key_slice(&key), SLICE(""));
    }
    if (in->views & LEDGER_OFFLINE)
        ledger_offline_put(l, batch, in->id, value.len);
}

enum zerr ledger_append(struct ledger *l, struct store_batch *batch, const struct ledger_limits *limits,
                        const struct ledger_record *in)
{
    struct buf value = { 0 };
    enum zerr  err = ledger_may_append(l, in);

    if (err)
        return err;
    ledger_encode(&value, in, l->owner);
    if (in->views & LEDGER_OFFLINE)
        err = ledger_waiting(l);
    if (!err && in->views & LEDGER_OFFLINE && offline_full(l, limits, buf_len(&value)))
        err = ZE_FULL;
    if (!err && !l->owner_id)
        err = intern_new(l, batch);
    if (!err)
        write_record(l, batch, in, buf_slice(&value));
    buf_free(&value);
    return err;
}

/* ---- reading ---- */

enum zerr ledger_get(struct ledger *l, struct ledger_id id, struct ledger_record *out)
{
    struct ledger_key key = ledger_key_record(l, id);
    struct slice      value = store_get(l->view, l->place->tables->ledger, ledger_key_slice(&key));

    if (!l->owner_id || !value.p)
        return ZE_NOT_FOUND;
    return ledger_decode(value, id, l->owner, out) == ZE_OK ? ZE_OK : ledger_unreadable(l, "record");
}
