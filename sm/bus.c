/* The presence bus: who the others are, and what they say (bus.h). */

#include "bus.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus_inner.h"
#include "cursor.h"
#include "encode.h"
#include "log.h"
#include "mem.h"
#include "stats.h"

struct bus_counters bus_counters;

static const struct stat_row rows[] = {
    { "presences_by_redis", "presences sent to other instances by Redis", &bus_counters.presences_redis },
    { "presences_by_routerd", "presences sent to other instances by routerd", &bus_counters.presences_router },
    { "presence_packets_by_redis", "packets of presences published", &bus_counters.packets_redis },
    { "presence_packets_by_routerd", "packets of presences sent by routerd", &bus_counters.packets_router },
    { "presence_packets_returned", "packets that Redis did not carry in time and routerd did",
      &bus_counters.packets_returned },
    { "presence_received_by_redis", "packets that came by Redis", &bus_counters.received_redis },
    { "presence_received_by_routerd", "packets that came by routerd", &bus_counters.received_router },
    { "presence_late", "packets dropped: applied already, or of a stream that is over", &bus_counters.late },
    { "presence_held", "packets that came before their turn", &bus_counters.held },
    { "presence_junk", "what came by Redis and nobody of us wrote", &bus_counters.junk },
    { "presence_roads_opened", "times the road by Redis to an instance opened", &bus_counters.roads_opened },
    { "presence_roads_closed", "times it closed", &bus_counters.roads_closed },
    { 0 },
};

struct bus *bus_new(const char *instance, const struct bus_limits *limits, const struct bus_ways *ways)
{
    struct bus *b = xcalloc(1, sizeof(*b));
    char        token[RANDOM_ID];

    stats_register(rows);
    random_id(token);
    b->limits = *limits;
    b->ways = *ways;
    b->self = instance_key(instance);
    snprintf(b->channel, sizeof(b->channel), "zubr:bus:%.64s:%s", instance, token);
    return b;
}

void bus_free(struct bus **bp)
{
    struct bus *b = *bp;

    if (!b)
        return;
    for (size_t i = 0; i < b->peer_count; i++) {
        bus_out_free(b->peers[i]);
        bus_in_free(b, b->peers[i]);
        free(b->peers[i]);
    }
    free(b->peers);
    buf_free(&b->scratch);
    free(b);
    *bp = NULL;
}

void bus_set_limits(struct bus *b, const struct bus_limits *limits)
{
    b->limits = *limits;
}

const char *bus_channel(const struct bus *b)
{
    return b->channel;
}

/* ---- peers ---- */

static struct bus_peer *peer_of(const struct bus *b, uint32_t instance)
{
    for (size_t i = 0; i < b->peer_count; i++)
        if (b->peers[i]->instance == instance)
            return b->peers[i];
    return NULL;
}

static void tell_accept(struct bus *b, struct bus_peer *p)
{
    struct bus_packet accept = {
        .op = BUS_ACCEPT, .flag = b->listening, .channel = slice_str(b->channel), .key = slice_of(p->in.key, BUS_KEY),
    };
    struct buf body = { 0 };

    bus_packet_put(&body, &accept);
    b->ways.send(b->ways.arg, p->instance, buf_slice(&body));
    buf_free(&body);
}

static struct bus_peer *peer_add(struct bus *b, uint32_t instance)
{
    struct bus_peer *p = xcalloc(1, sizeof(*p));

    b->peers = xrealloc(b->peers, (b->peer_count + 1) * sizeof(*b->peers));
    b->peers[b->peer_count++] = p;
    p->instance = instance;
    bus_out_init(p);
    bus_in_init(p);
    random_bytes(p->in.key, BUS_KEY);
    return p;
}

/* Both sides ask at their start, and each answers: whoever came later is heard. */
static void introduce(struct bus *b, struct bus_peer *p, const char *name)
{
    snprintf(p->name, sizeof(p->name), "%s", name);
    bus_out_hello(b, p, true);
    bus_out_return(b, p);
    if (b->listening)
        tell_accept(b, p);
}

void bus_peer(struct bus *b, const struct route_instance *at, uint64_t now_ms)
{
    struct bus_peer *p = peer_of(b, at->key);

    if (at->key == b->self)
        return;
    if (!p)
        p = peer_add(b, at->key);
    if (!p->name[0])
        introduce(b, p, at->name);
    if (!at->up || (p->life && at->incarnation != p->life))
        bus_out_close(b, p, "the other side is down", now_ms);
    p->up = at->up;
    p->life = at->incarnation;
}

/* ---- rows ---- */

enum { ROW_FORMAT = 1 };

void bus_save(struct bus *b, const struct bus_peer *p, enum bus_row row, uint64_t number, struct slice value)
{
    struct buf key = { 0 };

    buf_put_u8(&key, (uint8_t)row);
    buf_put_u32(&key, p->instance);
    for (int shift = 56; row == ROW_PACKET && shift >= 0; shift -= 8)       /* key order is their order */
        buf_put_u8(&key, (uint8_t)(number >> shift));
    b->ways.save(b->ways.arg, buf_slice(&key), value);
    buf_free(&key);
}

void bus_save_state(struct bus *b, const struct bus_peer *p, enum bus_row row, uint64_t stream, uint64_t number)
{
    struct buf value = { 0 };

    buf_put_u8(&value, ROW_FORMAT);
    buf_put_u64(&value, stream);
    buf_put_u64(&value, number);
    bus_save(b, p, row, 0, buf_slice(&value));
    buf_free(&value);
}

static bool restore_state(struct bus_peer *p, enum bus_row row, struct slice value)
{
    struct cursor c = { value, false };
    uint8_t       format = take_u8(&c);
    uint64_t      stream = take_u64(&c), number = take_u64(&c);

    if (!cursor_done(&c) || format != ROW_FORMAT || !stream)
        return false;
    *(row == ROW_IN ? &p->in.stream : &p->out.stream) = stream;
    *(row == ROW_IN ? &p->in.next : &p->out.number) = number;
    return true;
}

void bus_restore(struct bus *b, struct slice key, struct slice value)
{
    struct cursor    c = { key, false };
    enum bus_row     row = (enum bus_row)take_u8(&c);
    uint32_t         instance = take_u32(&c);
    struct bus_peer *p = peer_of(b, instance);
    uint64_t         number = 0;
    bool             sound = !c.bad && instance;

    while (c.rest.len)
        number = number << 8 | take_u8(&c);
    if (sound && !p)
        p = peer_add(b, instance);
    if (sound && row == ROW_PACKET)
        bus_out_restore(p, number, value);
    else if (!sound || (row != ROW_IN && row != ROW_OUT) || !restore_state(p, row, value))
        log_warn("live_row_bad", "kind", "presence bus", NULL);
}

void bus_redis(struct bus *b, bool up, bool listening, uint64_t now_ms)
{
    bool told = b->listening == listening;

    b->up = up;
    b->listening = listening;
    for (size_t i = 0; i < b->peer_count; i++) {
        if (!up)
            bus_out_close(b, b->peers[i], "Redis is away", now_ms);
        if (!told && b->peers[i]->name[0])
            tell_accept(b, b->peers[i]);
    }
}

unsigned bus_roads(const struct bus *b)
{
    unsigned open = 0;

    for (size_t i = 0; i < b->peer_count; i++)
        open += b->peers[i]->out.road == ROAD_REDIS;
    return open;
}

/* ---- out ---- */

void bus_send(struct bus *b, const struct frame *f, uint64_t now_ms)
{
    struct bus_peer *p = peer_of(b, f->dest.instance);

    if (p)
        bus_out_frame(b, p, f, now_ms);
}

bool bus_end_turn(struct bus *b, uint64_t now_ms)
{
    bool stuck = false;

    for (size_t i = 0; i < b->peer_count; i++) {
        bus_out_flush(b, b->peers[i], now_ms);
        stuck |= b->peers[i]->out.fault != NULL;
    }
    return stuck;
}

void bus_after_turn(struct bus *b, uint64_t now_ms)
{
    for (size_t i = 0; i < b->peer_count; i++)
        if (b->peers[i]->out.fault)
            bus_out_close(b, b->peers[i], b->peers[i]->out.fault, now_ms);
}

void bus_published(struct bus *b, uint64_t ticket, int64_t receivers, uint64_t now_ms)
{
    struct bus_peer *p = peer_of(b, (uint32_t)(ticket >> 32));

    if (receivers <= 0 && p && p->out.episode == (uint32_t)ticket)
        bus_out_close(b, p, receivers ? "Redis did not answer" : "nobody listened", now_ms);
}

/* ---- in ---- */

/* The process of that instance is a new one: what it had of our stream may be gone with the old. */
static void on_hello(struct bus *b, struct bus_peer *p, const struct bus_packet *hello, uint64_t now_ms)
{
    bus_in_hello(b, p, hello);
    if (!hello->flag)
        return;
    p->out.on = false;
    bus_out_hello(b, p, false);
    bus_out_close(b, p, "the other side has begun anew", now_ms);
    if (b->listening)
        tell_accept(b, p);
}

enum zerr bus_on_frame(struct bus *b, const struct address *origin, struct slice body, uint64_t now_ms)
{
    struct bus_peer  *p = peer_of(b, origin->instance);
    struct bus_packet packet;

    if (!p || bus_packet_take(body, &packet))
        return ZE_PROTOCOL;
    switch (packet.op) {
    case BUS_HELLO:
        on_hello(b, p, &packet, now_ms);
        return ZE_OK;
    case BUS_ACCEPT:
        bus_out_accepted(b, p, &packet, now_ms);
        return ZE_OK;
    case BUS_CONFIRM:
        bus_out_confirmed(b, p, &packet);
        return ZE_OK;
    case BUS_ECHO:
        bus_out_echoed(p, packet.number, now_ms);
        return ZE_OK;
    case BUS_PACKET:
        if (packet.origin != p->instance)
            return ZE_PROTOCOL;
        bus_in_packet(b, p, &packet, true, now_ms);
        return ZE_OK;
    case BUS_PROBE:
    case BUS_OP_END:
        break;
    }
    return ZE_PROTOCOL;
}

static void echo(struct bus *b, struct bus_peer *p, uint64_t nonce)
{
    struct bus_packet packet = { .op = BUS_ECHO, .number = nonce };
    struct buf        body = { 0 };

    bus_packet_put(&body, &packet);
    b->ways.send(b->ways.arg, p->instance, buf_slice(&body));
    buf_free(&body);
}

bool bus_on_message(struct bus *b, struct slice payload, uint64_t now_ms)
{
    struct bus_peer  *p = peer_of(b, bus_claimed_origin(payload));
    struct slice      body;
    struct bus_packet packet;
    bool              sound = p && bus_unseal(p->in.key, payload, &body) && !bus_packet_take(body, &packet) &&
                 (packet.op == BUS_PROBE || packet.op == BUS_PACKET);

    bus_counters.junk += !sound;
    if (sound && packet.op == BUS_PROBE)
        echo(b, p, packet.number);
    else if (sound)
        bus_in_packet(b, p, &packet, false, now_ms);
    return sound;
}

bool bus_tick(struct bus *b, uint64_t now_ms)
{
    bool again = false;

    for (size_t i = 0; i < b->peer_count; i++) {
        again |= bus_out_tick(b, b->peers[i], now_ms);
        again |= bus_in_tick(b, b->peers[i], now_ms);
    }
    return again;
}
