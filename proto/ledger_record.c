/* Bytes of a record and texts of ids (ledger.h). Pure. */

#include "ledger.h"

#include "cursor.h"
#include "jid.h"
#include "ledger_pack.h"
#include "log.h"

enum { RECORD_FORMAT = 1, SIZE_MOST = 64 << 20 };
enum { VIEWS_KNOWN = LEDGER_OFFLINE | LEDGER_ARCHIVE | LEDGER_RESUME };

enum record_part {
    PART_OWN        = 1,
    PART_ID         = 2,
    PART_LANG       = 4,
    PART_STANZA_ID  = 8,
    PART_DELAY_FROM = 16,
    PART_ORIGIN     = 32,
    PART_ACTOR      = 64,
    PARTS_KNOWN     = 127,
};

/* ---- texts of ids: base32hex of RFC 4648 7 (it keeps the order), 80 bits in 16 characters ---- */

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

void ledger_id_write(char out[LEDGER_ID_TEXT], struct ledger_id id)
{
    uint64_t high = id.time_us >> 24, low = (id.time_us & 0xFFFFFF) << 16 | id.tie;

    for (int i = 7; i >= 0; i--, high >>= 5, low >>= 5) {
        out[i] = digits[high & 31];
        out[8 + i] = digits[low & 31];
    }
    out[16] = '\0';
}

static bool take_digits(const uint8_t *text, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < 8; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;

        if (!digit)
            return false;
        *value = *value << 5 | (uint64_t)(digit - digits);
    }
    return true;
}

enum zerr ledger_id_parse(struct slice text, struct ledger_id *id)
{
    uint64_t high, low;

    if (text.len != LEDGER_ID_TEXT - 1 || !take_digits(text.p, &high) || !take_digits(text.p + 8, &low))
        return ZE_NOT_FOUND;
    *id = (struct ledger_id){ .time_us = high << 24 | low >> 16, .tie = (uint16_t)low };
    return ZE_OK;
}

/* ---- records ---- */

static struct slice own_side(const struct ledger_record *r)
{
    return r->direction == LEDGER_IN ? r->stanza.to : r->stanza.from;
}

static struct slice peer_side(const struct ledger_record *r)
{
    return r->direction == LEDGER_IN ? r->stanza.from : r->stanza.to;
}

static unsigned parts_of(const struct ledger_record *r, struct slice owner)
{
    struct slice own = own_side(r);

    return (own.len && !slice_eq(own, owner) ? PART_OWN : 0u) | (r->stanza.id.len ? PART_ID : 0u) |
           (r->stanza.lang.len ? PART_LANG : 0u) | (r->stanza_id.len ? PART_STANZA_ID : 0u) |
           (r->delay_from.len ? PART_DELAY_FROM : 0u) | (r->origin_us ? PART_ORIGIN : 0u) |
           (r->actor.len ? PART_ACTOR : 0u);
}

struct slice ledger_contact(const struct ledger_record *r)
{
    return jid_bare(r->actor.len ? r->actor : peer_side(r));
}

static void put_part(struct buf *out, bool wanted, struct slice s)
{
    if (!wanted)
        return;
    buf_put_u16(out, (uint16_t)s.len);
    buf_put_slice(out, s);
}

static void put_rest(struct buf *out, const struct ledger_record *r, unsigned parts)
{
    put_part(out, true, peer_side(r));
    put_part(out, parts & PART_OWN, own_side(r));
    put_part(out, parts & PART_ID, r->stanza.id);
    put_part(out, parts & PART_LANG, r->stanza.lang);
    put_part(out, parts & PART_STANZA_ID, r->stanza_id);
    put_part(out, parts & PART_DELAY_FROM, r->delay_from);
    if (parts & PART_ORIGIN)
        buf_put_u64(out, r->origin_us);
    put_part(out, parts & PART_ACTOR, r->actor);
    buf_put_u32(out, (uint32_t)r->stanza.content.len);
    buf_put_slice(out, r->stanza.content);
}

void ledger_encode(struct buf *out, const struct ledger_record *r, struct slice owner)
{
    unsigned   parts = parts_of(r, owner);
    struct buf rest = { 0 }, packed = { 0 };

    put_rest(&rest, r, parts);
    bool pays = ledger_pack(&packed, buf_slice(&rest));
    buf_put_u8(out, RECORD_FORMAT);
    buf_put_u8(out, pays ? PACKING_ZSTD_1 : PACKING_RAW);
    buf_put_u8(out, (uint8_t)r->views);
    buf_put_u8(out, (uint8_t)r->direction);
    buf_put_u8(out, r->stanza.name);
    buf_put_u8(out, r->stanza.type);
    buf_put_u8(out, (uint8_t)parts);
    buf_put_u32(out, r->stanza.flags);
    if (pays)
        buf_put_u32(out, (uint32_t)buf_len(&rest));
    buf_put_slice(out, buf_slice(pays ? &packed : &rest));
    buf_free(&rest);
    buf_free(&packed);
}

static struct slice take_part(struct cursor *c, bool there)
{
    return there ? take_bytes(c, take_u16(c)) : slice_of(NULL, 0);
}

static bool take_rest(struct ledger_record *r, struct slice rest)
{
    struct cursor c = { rest, false };
    struct slice  peer = take_part(&c, true), own = take_part(&c, r->parts & PART_OWN);

    r->stanza.id = take_part(&c, r->parts & PART_ID);
    r->stanza.lang = take_part(&c, r->parts & PART_LANG);
    r->stanza_id = take_part(&c, r->parts & PART_STANZA_ID);
    r->delay_from = take_part(&c, r->parts & PART_DELAY_FROM);
    r->origin_us = r->parts & PART_ORIGIN ? take_u64(&c) : 0;
    r->actor = take_part(&c, r->parts & PART_ACTOR);
    r->stanza.content = take_bytes(&c, take_u32(&c));
    if (!(r->parts & PART_OWN))
        own = r->owner;
    r->stanza.from = r->direction == LEDGER_IN ? peer : own;
    r->stanza.to = r->direction == LEDGER_IN ? own : peer;
    return cursor_done(&c);
}

static bool header_known(const struct ledger_record *r, unsigned format)
{
    return format == RECORD_FORMAT && r->packing < PACKING_COUNT && !(r->views & ~(unsigned)VIEWS_KNOWN) &&
           (unsigned)r->direction <= LEDGER_OUT && !(r->parts & ~(unsigned)PARTS_KNOWN) &&
           r->stanza.name != STANZA_NONE && r->stanza.name <= STANZA_IQ && r->stanza.type < TYPE_COUNT;
}

enum zerr ledger_decode(struct slice value, struct ledger_id id, struct slice owner,
                        struct ledger_record *out)
{
    struct cursor        c = { value, false };
    struct ledger_record r = { .id = id, .owner = owner };
    unsigned             format = take_u8(&c);

    r.packing = take_u8(&c);
    r.views = take_u8(&c);
    r.direction = (enum ledger_direction)take_u8(&c);
    r.stanza.name = take_u8(&c);
    r.stanza.type = take_u8(&c);
    r.parts = take_u8(&c);
    r.stanza.flags = take_u32(&c);
    r.size = r.packing ? take_u32(&c) : c.rest.len;
    r.packed = c.rest;
    if (c.bad || !header_known(&r, format) || r.size > SIZE_MOST || (!r.packing && !take_rest(&r, r.packed)))
        return ZE_STORE;
    *out = r;
    return ZE_OK;
}

enum zerr ledger_unpack(struct ledger_record *r, struct arena *arena)
{
    struct slice rest;

    if (r->packing == PACKING_RAW)
        return ZE_OK;
    rest = ledger_unpacked(r->packing, r->packed, r->size, arena);
    if (!rest.p || !take_rest(r, rest)) {
        log_error("ledger_row_unreadable", "jid", log_slice(r->owner), "kind", "packed record", NULL);
        return ZE_STORE;
    }
    r->packing = PACKING_RAW;
    return ZE_OK;
}
