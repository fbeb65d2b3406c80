/* The offline view of the ledger with its sums (XEP-0160), and the mark of what was delivered (ledger.h). */

#include "ledger_keys.h"

#include "cursor.h"

struct walk {
    struct ledger      *l;
    struct store_batch *batch;
    struct ledger_id    last;
    uint32_t            count;
    uint64_t            bytes;
    int               (*each)(void *arg, struct ledger_record *record);
    void               *arg;
};

static int walk_offline(void *arg, struct slice key, struct slice value)
{
    struct walk         *w = arg;
    struct ledger_record record;
    struct ledger_id     id;

    (void)value;
    if (!ledger_key_id(key, &id))
        return ledger_unreadable(w->l, "offline key"), 0;
    return ledger_get(w->l, id, &record) == ZE_OK ? w->each(w->arg, &record) : 0;
}

int ledger_offline_each(struct ledger *l, struct ledger_id after,
                        int (*each)(void *arg, struct ledger_record *record), void *arg)
{
    struct walk       w = { .l = l, .each = each, .arg = arg };
    struct ledger_key from = ledger_key_record(l, after);

    if (!l->owner_id)
        return 0;
    from.bytes[from.len++] = 0;            /* the first key behind `after` itself */
    return ledger_each(l, l->place->tables->offline, ledger_key_slice(&from), walk_offline, &w);
}

/* ---- leaving a view ---- */

void ledger_leave_view(struct ledger *l, struct store_batch *batch, struct ledger_id id, unsigned view)
{
    unsigned             table = l->place->tables->ledger;
    struct ledger_key    key = ledger_key_record(l, id);
    struct slice         k = ledger_key_slice(&key), stored = store_get(l->view, table, k);
    struct ledger_record record;
    struct buf           value = { 0 };

    if (!stored.p)
        return;
    if (ledger_decode(stored, id, l->owner, &record) != ZE_OK)
        record.views = view;               /* nobody can read it: it goes */
    if (record.views & ~view) {
        buf_put_slice(&value, stored);
        value.bytes[value.start + LEDGER_VIEWS_AT] = (uint8_t)(record.views & ~view);
        store_put(batch, table, k, buf_slice(&value));
        buf_free(&value);
    } else {
        store_delete(batch, table, k);
    }
}

static int clear_row(void *arg, struct slice key, struct slice value)
{
    struct walk     *w = arg;
    struct cursor    c = { value, false };
    struct ledger_id id;

    if (ledger_key_id(key, &id)) {
        if (ledger_id_cmp(id, w->last) > 0)
            return 1;
        ledger_leave_view(w->l, w->batch, id, LEDGER_OFFLINE);
    }
    take_u8(&c);
    w->bytes += take_u32(&c);
    w->count++;
    store_delete(w->batch, w->l->place->tables->offline, key);
    return 0;
}

static void sum_without(struct ledger *l, struct store_batch *batch, uint32_t count, uint64_t bytes)
{
    uint32_t left = l->offline_count > count ? l->offline_count - count : 0;

    ledger_sum_put(l, batch, left, left && l->offline_bytes > bytes ? l->offline_bytes - bytes : 0);
}

enum zerr ledger_offline_clear(struct ledger *l, struct store_batch *batch, struct ledger_id last)
{
    struct walk w = { .l = l, .batch = batch, .last = last };

    if (!l->owner_id)
        return ZE_OK;
    int rc = ledger_waiting(l);
    if (!rc)
        rc = ledger_each(l, l->place->tables->offline, SLICE(""), clear_row, &w);
    if (rc < 0)
        return (enum zerr)rc;
    if (w.count)
        sum_without(l, batch, w.count, w.bytes);
    return ZE_OK;
}

bool ledger_offline_waits(struct ledger *l, struct ledger_id id)
{
    struct ledger_key key = ledger_key_record(l, id);

    return l->owner_id && store_get(l->view, l->place->tables->offline, ledger_key_slice(&key)).p;
}

enum zerr ledger_offline_take(struct ledger *l, struct store_batch *batch, struct ledger_id id)
{
    struct walk       w = { .l = l, .batch = batch, .last = id };
    struct ledger_key key = ledger_key_record(l, id);
    struct slice      row = store_get(l->view, l->place->tables->offline, ledger_key_slice(&key));

    if (!l->owner_id || !row.p)
        return ZE_OK;
    if (ledger_waiting(l))
        return ZE_STORE;
    clear_row(&w, ledger_key_slice(&key), row);
    sum_without(l, batch, w.count, w.bytes);
    return ZE_OK;
}

enum zerr ledger_offline_again(struct ledger *l, struct store_batch *batch, struct ledger_id id)
{
    const struct ledger_tables *t = l->place->tables;
    struct ledger_key           key = ledger_key_record(l, id);
    struct slice                k = ledger_key_slice(&key), stored = store_get(l->view, t->ledger, k);
    struct ledger_record        record;
    struct buf                  value = { 0 };

    if (!l->owner_id || !stored.p)
        return ZE_NOT_FOUND;
    if (store_get(l->view, t->offline, k).p)
        return ZE_OK;
    if (ledger_decode(stored, id, l->owner, &record) != ZE_OK)
        return ledger_unreadable(l, "record");
    if (ledger_waiting(l))
        return ZE_STORE;
    buf_put_slice(&value, stored);
    value.bytes[value.start + LEDGER_VIEWS_AT] = (uint8_t)(record.views | LEDGER_OFFLINE);
    store_put(batch, t->ledger, k, buf_slice(&value));
    ledger_offline_put(l, batch, id, stored.len);
    buf_free(&value);
    return ZE_OK;
}

void ledger_bury(struct ledger *l, struct store_batch *batch, const struct ledger_record *record,
                 struct slice tombstone)
{
    struct ledger_key    key = ledger_key_record(l, record->id);
    struct ledger_record grave = *record;
    struct buf           value = { 0 };

    ledger_offline_take(l, batch, record->id);
    grave.views &= ~(unsigned)LEDGER_OFFLINE;
    grave.stanza.content = tombstone;
    grave.stanza.flags = STANZA_TOMBSTONE;
    ledger_encode(&value, &grave, l->owner);
    store_put(batch, l->place->tables->ledger, ledger_key_slice(&key), buf_slice(&value));
    buf_free(&value);
}

/* ---- the mark ---- */

enum zerr ledger_delivered(struct ledger *l, struct ledger_id *id)
{
    struct ledger_key key = ledger_key_owner(l->slot, l->owner_id);
    struct cursor     c = { slice_of(NULL, 0), false };

    *id = (struct ledger_id){ 0 };
    if (l->owner_id)
        c.rest = store_get(l->view, l->place->tables->owner, ledger_key_slice(&key));
    if (!c.rest.p)
        return ZE_OK;
    unsigned format = take_u8(&c);
    id->time_us = take_u64(&c);
    id->tie = take_u16(&c);
    return cursor_done(&c) && format == LEDGER_ROW_FORMAT ? ZE_OK : ledger_unreadable(l, "delivered");
}

void ledger_delivered_put(struct ledger *l, struct store_batch *batch, struct ledger_id id)
{
    struct ledger_key key = ledger_key_owner(l->slot, l->owner_id);
    struct buf        row = { 0 };

    if (!l->owner_id)
        return;
    buf_put_u8(&row, LEDGER_ROW_FORMAT);
    buf_put_u64(&row, id.time_us);
    buf_put_u16(&row, id.tie);
    store_put(batch, l->place->tables->owner, ledger_key_slice(&key), buf_slice(&row));
    buf_free(&row);
}
