/* Removing in small steps: what is too old, and the rows of owners that are no more (ledger.h). */

#include "ledger_keys.h"

#include <stdlib.h>

#include "cursor.h"

/* ---- too old ---- */

struct expiry {
    struct ledger      *l;
    struct store_batch *batch;
    struct arena       *arena;
    uint64_t            before_us;
    unsigned            most, done;
};

static int expire_row(void *arg, struct slice key, struct slice value)
{
    struct expiry       *e = arg;
    struct ledger_record record;
    struct ledger_key    contact;
    struct ledger_id     id;

    if (!ledger_key_id(key, &id) || id.time_us >= e->before_us)
        return 1;
    enum zerr err = ledger_decode(value, id, e->l->owner, &record);
    if (!err && !(record.views & LEDGER_ARCHIVE))
        return 0;                      /* it only waits */
    if (e->done == e->most)
        return 1;
    e->done++;
    if (!err && ledger_unpack(&record, e->arena) == ZE_OK) {
        contact = ledger_key_contact(e->l, ledger_contact(&record));
        ledger_key_add_id(&contact, id);
        store_delete(e->batch, e->l->place->tables->contact, ledger_key_slice(&contact));
        arena_reset(e->arena);
    }
    ledger_leave_view(e->l, e->batch, id, LEDGER_ARCHIVE);
    return 0;
}

unsigned ledger_expire(struct ledger *l, struct store_batch *batch, uint64_t before_us, unsigned most)
{
    struct expiry e = { l, batch, arena_new(), before_us, most, 0 };

    if (l->owner_id)
        ledger_each(l, l->place->tables->ledger, SLICE(""), expire_row, &e);
    arena_free(&e.arena);
    return e.done;
}

/* ---- owners of a slot ---- */

struct owner_found {
    uint32_t     id;
    struct slice owner;
    bool         found;
};

static int note_owner(void *arg, struct slice key, struct slice value)
{
    struct owner_found *f = arg;

    if (key.len != 2 + 1 + 4)
        return 0;
    f->id = (uint32_t)key.p[3] << 24 | (uint32_t)key.p[4] << 16 | (uint32_t)key.p[5] << 8 | key.p[6];
    f->owner = value;
    f->found = true;
    return 1;
}

static struct owner_found find_owner(struct ledger_place *place, struct store_view *view, unsigned slot, char kind,
                                     uint32_t behind)
{
    struct owner_found f = { 0 };
    struct buf         prefix = { 0 }, from = { 0 };
    uint8_t            id[4];

    ledger_key_intern(&prefix, slot, kind, SLICE(""));
    ledger_key_intern(&from, slot, kind, ledger_be32(id, behind));
    buf_put_u8(&from, 0);
    store_each(view, place->tables->intern, buf_slice(&prefix), buf_slice(&from), false, note_owner, &f);
    buf_free(&prefix);
    buf_free(&from);
    return f;
}

bool ledger_next_owner(struct ledger_place *place, struct store_view *view, unsigned slot, uint32_t *id,
                       struct slice *owner)
{
    struct owner_found f = find_owner(place, view, slot, 'I', *id);

    *id = f.id;
    *owner = f.owner;
    return f.found;
}

/* ---- forgetting ---- */

enum zerr ledger_forget(struct ledger *l, struct store_batch *batch)
{
    unsigned   table = l->place->tables->intern;
    struct buf key = { 0 };
    uint8_t    id[4];

    if (!l->owner_id)
        return ZE_OK;
    ledger_be32(id, l->owner_id);
    store_delete(batch, table, ledger_key_intern(&key, l->slot, 'J', l->owner));
    store_delete(batch, table, ledger_key_intern(&key, l->slot, 'I', slice_of(id, sizeof(id))));
    store_put(batch, table, ledger_key_intern(&key, l->slot, 'D', slice_of(id, sizeof(id))), SLICE(""));
    buf_free(&key);
    return ZE_OK;
}

struct sweep {
    struct store_batch *batch;
    unsigned            table, left;
};

static int sweep_row(void *arg, struct slice key, struct slice value)
{
    struct sweep *s = arg;

    (void)value;
    if (!s->left)
        return 1;
    s->left--;
    store_delete(s->batch, s->table, key);
    return 0;
}

unsigned ledger_sweep_dead(struct ledger_place *place, struct store_view *view, struct store_batch *batch,
                           unsigned slot, unsigned most)
{
    const struct ledger_tables *t = place->tables;
    const unsigned              tables[] = { t->contact, t->offline, t->offline_sum, t->owner, t->ledger };
    struct owner_found          dead = find_owner(place, view, slot, 'D', 0);
    struct ledger_key           prefix = ledger_key_owner(slot, dead.id);
    struct sweep                s = { batch, 0, most };
    struct buf                  key = { 0 };
    uint8_t                     id[4];

    if (!dead.found)
        return 0;
    for (size_t i = 0; i < COUNT_OF(tables) && s.left; i++) {
        s.table = tables[i];
        store_each(view, s.table, ledger_key_slice(&prefix), SLICE(""), false, sweep_row, &s);
    }
    if (s.left) {
        s.left--;
        store_delete(batch, t->intern, ledger_key_intern(&key, slot, 'D', ledger_be32(id, dead.id)));
        buf_free(&key);
    }
    return most - s.left;
}
