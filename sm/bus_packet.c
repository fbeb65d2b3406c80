/* The codec of the presence bus (bus_packet.h). */

#include "bus_packet.h"

#include "cursor.h"
#include "encode.h"
#include "fanout.h"

enum { VERSION = 1 };

/* ---- frames in a packet ---- */

bool bus_frame_fits(const struct frame *f)
{
    const struct stanza *s = &f->stanza;

    return s->name == STANZA_PRESENCE && (s->type == TYPE_NONE || s->type == TYPE_UNAVAILABLE) && s->from.len &&
           (f->kind == FRAME_STANZA ? s->to.len && !f->list.len : f->kind == FRAME_FANOUT && f->list.len);
}

bool bus_frame_next(struct slice *frames, struct frame *f)
{
    ssize_t used = frames->len ? frame_decode(*frames, f) : 0;

    if (used <= 0)
        return false;
    *frames = slice_cut(*frames, (size_t)used, frames->len);
    return true;
}

static bool list_is_sound(struct slice list)
{
    struct cursor       c = { list, false };
    struct fanout_entry entry;

    while (fanout_next(&c, &entry))
        if (!entry.jid.len)
            return false;
    return !c.bad;
}

static bool frames_are_sound(struct slice frames)
{
    struct frame f;
    unsigned     count = 0;

    while (bus_frame_next(&frames, &f))
        if (++count > BUS_FRAMES_MAX || !bus_frame_fits(&f) || !list_is_sound(f.list))
            return false;
    return count && !frames.len;
}

/* ---- packets ---- */

static void put_origin(struct buf *out, const struct bus_packet *p)
{
    buf_put_u32(out, p->origin);
}

static void take_origin(struct cursor *c, struct bus_packet *p)
{
    p->origin = take_u32(c);
    c->bad |= !p->origin;
}

static void put_hello(struct buf *out, const struct bus_packet *p)
{
    buf_put_u64(out, p->stream);
    buf_put_u64(out, p->number);
    buf_put_u8(out, p->flag);
}

static void take_flag(struct cursor *c, struct bus_packet *p)
{
    uint8_t flag = take_u8(c);

    p->flag = flag;
    c->bad |= flag > 1;
}

static void take_stream(struct cursor *c, struct bus_packet *p)
{
    p->stream = take_u64(c);
    p->number = take_u64(c);
    c->bad |= !p->stream;
}

static void take_hello(struct cursor *c, struct bus_packet *p)
{
    take_stream(c, p);
    take_flag(c, p);
    c->bad |= !p->number;
}

static void put_accept(struct buf *out, const struct bus_packet *p)
{
    buf_put_u8(out, p->flag);
    buf_put_sized(out, p->channel);
    buf_put_slice(out, p->key);
}

static void take_accept(struct cursor *c, struct bus_packet *p)
{
    take_flag(c, p);
    p->channel = take_sized(c);
    p->key = take_bytes(c, BUS_KEY);
    c->bad |= !p->channel.len || p->channel.len > BUS_CHANNEL_MAX;
}

static void put_confirm(struct buf *out, const struct bus_packet *p)
{
    buf_put_u64(out, p->stream);
    buf_put_u64(out, p->number);
}

static void put_nonce(struct buf *out, const struct bus_packet *p)
{
    buf_put_u64(out, p->number);
}

static void take_nonce(struct cursor *c, struct bus_packet *p)
{
    p->number = take_u64(c);
}

static void put_probe(struct buf *out, const struct bus_packet *p)
{
    put_origin(out, p);
    put_nonce(out, p);
}

static void take_probe(struct cursor *c, struct bus_packet *p)
{
    take_origin(c, p);
    take_nonce(c, p);
}

static void put_packet(struct buf *out, const struct bus_packet *p)
{
    put_origin(out, p);
    put_confirm(out, p);
    buf_put_slice(out, p->frames);
}

static void take_packet(struct cursor *c, struct bus_packet *p)
{
    take_origin(c, p);
    take_stream(c, p);
    p->frames = take_bytes(c, c->rest.len);
    c->bad |= !p->number || !frames_are_sound(p->frames);
}

static const struct {
    void (*put)(struct buf *out, const struct bus_packet *p);
    void (*take)(struct cursor *c, struct bus_packet *p);
} ops[BUS_OP_END] = {
    [BUS_HELLO]   = { put_hello, take_hello },
    [BUS_ACCEPT]  = { put_accept, take_accept },
    [BUS_CONFIRM] = { put_confirm, take_stream },
    [BUS_ECHO]    = { put_nonce, take_nonce },
    [BUS_PROBE]   = { put_probe, take_probe },
    [BUS_PACKET]  = { put_packet, take_packet },
};

void bus_packet_put(struct buf *out, const struct bus_packet *p)
{
    buf_put_u8(out, VERSION);
    buf_put_u8(out, (uint8_t)p->op);
    ops[p->op].put(out, p);
}

enum zerr bus_packet_take(struct slice body, struct bus_packet *out)
{
    struct cursor     c = { body, false };
    uint8_t           version = take_u8(&c), op = take_u8(&c);
    struct bus_packet p = { 0 };

    if (c.bad || version != VERSION || op >= BUS_OP_END || !ops[op].take)
        return ZE_PROTOCOL;
    p.op = (enum bus_op)op;
    ops[op].take(&c, &p);
    if (!cursor_done(&c))
        return ZE_PROTOCOL;
    *out = p;
    return ZE_OK;
}

/* ---- seals ---- */

void bus_seal(struct buf *out, const uint8_t key[BUS_KEY], struct slice body)
{
    uint8_t mac[32];

    hmac_sha256(slice_of(key, BUS_KEY), body, mac);
    buf_put(out, mac, BUS_SEAL);
    buf_put_slice(out, body);
}

bool bus_unseal(const uint8_t key[BUS_KEY], struct slice payload, struct slice *body)
{
    uint8_t mac[32];

    if (payload.len < BUS_SEAL)
        return false;
    *body = slice_cut(payload, BUS_SEAL, payload.len);
    hmac_sha256(slice_of(key, BUS_KEY), *body, mac);
    return same_secret(slice_of(mac, BUS_SEAL), slice_cut(payload, 0, BUS_SEAL));
}

/* Behind the seal: version, op, and for what may come by Redis the origin. */
uint32_t bus_claimed_origin(struct slice payload)
{
    struct cursor c = { payload, false };

    take_bytes(&c, BUS_SEAL);
    take_u8(&c);
    take_u8(&c);
    return take_u32(&c);
}
