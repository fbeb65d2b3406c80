/* Keys of the ledger's tables (ledger.h): numbers big-endian, so that key order is time order. */

#include "ledger_keys.h"

#include "log.h"

static void put_be(struct ledger_key *k, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0)
        k->bytes[k->len++] = (uint8_t)(value >> 8 * bytes);
}

static uint64_t get_be(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | *p++;
    return value;
}

struct ledger_key ledger_key_owner(unsigned slot, uint32_t owner_id)
{
    struct ledger_key k = { .len = 0 };

    put_be(&k, slot, 2);
    put_be(&k, owner_id, 4);
    return k;
}

void ledger_key_add_id(struct ledger_key *k, struct ledger_id id)
{
    put_be(k, id.time_us, 8);
    put_be(k, id.tie, 2);
}

struct ledger_key ledger_key_record(const struct ledger *l, struct ledger_id id)
{
    struct ledger_key k = ledger_key_owner(l->slot, l->owner_id);

    ledger_key_add_id(&k, id);
    return k;
}

/* FNV-1a 64: on-disk format. */
static uint64_t contact_hash(struct slice jid)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < jid.len; i++)
        h = (h ^ jid.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

struct ledger_key ledger_key_contact(const struct ledger *l, struct slice contact)
{
    struct ledger_key k = ledger_key_owner(l->slot, l->owner_id);

    put_be(&k, contact_hash(contact), LEDGER_CONTACT);
    return k;
}

bool ledger_key_id(struct slice key, struct ledger_id *id)
{
    if (key.len != LEDGER_PREFIX + LEDGER_ID && key.len != LEDGER_KEY)
        return false;
    id->time_us = get_be(key.p + key.len - LEDGER_ID, 8);
    id->tie = (uint16_t)get_be(key.p + key.len - 2, 2);
    return true;
}

struct slice ledger_key_intern(struct buf *key, unsigned slot, char kind, struct slice rest)
{
    buf_reset(key, 64);
    store_key(key, slot, slice_of(&kind, 1));
    buf_put_slice(key, rest);
    return buf_slice(key);
}

struct slice ledger_be32(uint8_t out[4], uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
    return slice_of(out, 4);
}

enum zerr ledger_unreadable(const struct ledger *l, const char *what)
{
    log_error("ledger_row_unreadable", "jid", log_slice(l->owner), "kind", what, NULL);
    return ZE_STORE;
}

int ledger_each(struct ledger *l, unsigned table, struct slice from,
                int (*each)(void *arg, struct slice key, struct slice value), void *arg)
{
    struct ledger_key prefix = ledger_key_owner(l->slot, l->owner_id);

    return store_each(l->view, table, ledger_key_slice(&prefix), from, false, each, arg);
}
