/* The way out of the presence bus: which road a packet takes, and what becomes of it (bus.h). */

#include <stdio.h>
#include <stdlib.h>

#include "bus_inner.h"
#include "encode.h"
#include "log.h"
#include "mem.h"

enum { STEADY_MS = 60000 };      /* a road that held for so long is trusted like a new one */

void bus_out_init(struct bus_peer *p)
{
    list_init(&p->out.unconfirmed);
    p->out.stream = random_u64() | 1;
    p->out.retry_ms = BUS_RETRY_MIN_MS;
}

static void item_drop(struct bus_out *out, struct bus_item *item)
{
    out->unconfirmed_bytes -= buf_len(&item->body);
    list_remove(&item->link);
    buf_free(&item->body);
    free(item);
}

static void item_done(struct bus *b, struct bus_peer *p, struct bus_item *item)
{
    if (!item->by_router)
        bus_save(b, p, ROW_PACKET, item->number, slice_of(NULL, 0));
    item_drop(&p->out, item);
}

void bus_out_free(struct bus_peer *p)
{
    LIST_EACH(&p->out.unconfirmed, node)
        item_drop(&p->out, LIST_OWNER(node, struct bus_item, link));
    buf_free(&p->out.batch);
}

/* ---- by routerd ---- */

static void by_router(struct bus *b, struct bus_peer *p, struct slice body)
{
    bus_counters.packets_router++;
    p->out.broken |= b->ways.send(b->ways.arg, p->instance, body) != ZE_OK;
}

/* What the link cannot take (a full queue) is lost like any other frame then; but a hole in the numbers
 * would be waited for, so a new stream begins. */
static void mend(struct bus *b, struct bus_peer *p)
{
    struct bus_out *out = &p->out;

    if (!out->broken)
        return;
    LIST_EACH(&out->unconfirmed, node)
        item_done(b, p, LIST_OWNER(node, struct bus_item, link));
    out->broken = out->greeted = false;
    out->stream = random_u64() | 1;
    out->number = 0;
    bus_save_state(b, p, ROW_OUT, out->stream, out->number);
}

/* The stream begins, for its receiver, with the oldest packet it can still need. */
void bus_out_hello(struct bus *b, struct bus_peer *p, bool answer)
{
    struct bus_out   *out = &p->out;
    struct bus_packet hello = { .op = BUS_HELLO, .stream = out->stream, .number = out->number + 1, .flag = answer };
    struct buf        body = { 0 };

    if (!list_empty(&out->unconfirmed))
        hello.number = LIST_OWNER(out->unconfirmed.next, struct bus_item, link)->number;
    bus_packet_put(&body, &hello);
    out->greeted = !b->ways.send(b->ways.arg, p->instance, buf_slice(&body));
    buf_free(&body);
}

/* ---- roads ---- */

static void retry_later(struct bus_out *out, uint64_t now_ms)
{
    if (out->opened_ms && now_ms - out->opened_ms > STEADY_MS)
        out->retry_ms = BUS_RETRY_MIN_MS;
    out->opened_ms = 0;
    out->retry_at_ms = now_ms + out->retry_ms / 2 + random_u64() % (out->retry_ms / 2 + 1);
    out->retry_ms = out->retry_ms * 2 > BUS_RETRY_MAX_MS ? BUS_RETRY_MAX_MS : out->retry_ms * 2;
}

void bus_out_return(struct bus *b, struct bus_peer *p)
{
    struct bus_out *out = &p->out;

    if (!list_empty(&out->unconfirmed) && !out->greeted)
        bus_out_hello(b, p, false);
    LIST_EACH(&out->unconfirmed, node) {
        struct bus_item *item = LIST_OWNER(node, struct bus_item, link);
        if (!item->by_router) {
            bus_counters.packets_returned++;
            by_router(b, p, buf_slice(&item->body));
        }
        item_done(b, p, item);
    }
    mend(b, p);
}

void bus_out_close(struct bus *b, struct bus_peer *p, const char *why, uint64_t now_ms)
{
    struct bus_out *out = &p->out;

    if (out->road == ROAD_ROUTER)
        return;
    if (out->road == ROAD_REDIS) {
        log_info("presence_road", "instance", p->name, "state", "routerd", "why", why, NULL);
        bus_counters.roads_closed++;
    }
    out->road = ROAD_ROUTER;
    out->episode++;
    out->fault = NULL;
    retry_later(out, now_ms);
    bus_out_return(b, p);
    bus_out_flush(b, p, now_ms);
}

static uint64_t ticket_of(const struct bus_peer *p)
{
    return (uint64_t)p->instance << 32 | p->out.episode;
}

static enum zerr publish(struct bus *b, struct bus_peer *p, struct slice body)
{
    struct buf payload = { 0 };
    enum zerr  err;

    bus_seal(&payload, p->out.key, body);
    err = b->ways.publish(b->ways.arg, p->out.channel, buf_slice(&payload), ticket_of(p));
    buf_free(&payload);
    return err;
}

static void probe(struct bus *b, struct bus_peer *p, uint64_t now_ms)
{
    struct bus_out   *out = &p->out;
    struct bus_packet packet = { .op = BUS_PROBE, .origin = b->self, .number = random_u64() };
    struct buf        body = { 0 };

    out->road = ROAD_PROBED;
    out->nonce = packet.number;
    out->probed_ms = now_ms;
    bus_packet_put(&body, &packet);
    if (publish(b, p, buf_slice(&body)))
        bus_out_close(b, p, "not published", now_ms);
    buf_free(&body);
}

void bus_out_accepted(struct bus *b, struct bus_peer *p, const struct bus_packet *accept, uint64_t now_ms)
{
    struct bus_out *out = &p->out;

    bus_out_close(b, p, "the other side is away from Redis", now_ms);
    out->on = accept->flag;
    snprintf(out->channel, sizeof(out->channel), "%.*s", SLICE_FMT(accept->channel));
    memcpy(out->key, accept->key.p, BUS_KEY);
    out->retry_ms = BUS_RETRY_MIN_MS;
    out->retry_at_ms = now_ms;
    bus_out_tick(b, p, now_ms);
}

void bus_out_echoed(struct bus_peer *p, uint64_t nonce, uint64_t now_ms)
{
    if (p->out.road != ROAD_PROBED || p->out.nonce != nonce)
        return;
    p->out.road = ROAD_REDIS;
    p->out.opened_ms = now_ms;
    bus_counters.roads_opened++;
    log_info("presence_road", "instance", p->name, "state", "redis", NULL);
}

static const struct bus_item *oldest_by_redis(const struct bus_out *out)
{
    LIST_EACH(&out->unconfirmed, node) {
        const struct bus_item *item = LIST_OWNER(node, struct bus_item, link);
        if (!item->by_router)
            return item;
    }
    return NULL;
}

static bool overdue(const struct bus *b, const struct bus_out *out, uint64_t now_ms)
{
    const struct bus_item *item = out->road == ROAD_REDIS ? oldest_by_redis(out) : NULL;

    return (item && now_ms - item->since_ms > b->limits.patience_ms) ||
           (out->road == ROAD_PROBED && now_ms - out->probed_ms > b->limits.patience_ms);
}

bool bus_out_tick(struct bus *b, struct bus_peer *p, uint64_t now_ms)
{
    struct bus_out *out = &p->out;

    if (overdue(b, out, now_ms))
        bus_out_close(b, p, "no confirm in time", now_ms);
    if (out->road == ROAD_ROUTER && out->on && out->greeted && p->up && b->up && now_ms >= out->retry_at_ms)
        probe(b, p, now_ms);
    return out->road == ROAD_PROBED || !list_empty(&out->unconfirmed) || (out->on && b->up && p->up && out->road == ROAD_ROUTER);
}

/* ---- packets ---- */

/* Takes the body. */
static void remember(struct bus_out *out, uint64_t number, struct buf *body, bool by_router, uint64_t now_ms)
{
    struct bus_item *item = xcalloc(1, sizeof(*item));

    *item = (struct bus_item){ .number = number, .since_ms = now_ms, .by_router = by_router, .body = *body };
    *body = (struct buf){ 0 };
    out->unconfirmed_bytes += buf_len(&item->body);
    list_append(&out->unconfirmed, &item->link);
}

void bus_out_restore(struct bus_peer *p, uint64_t number, struct slice body)
{
    struct buf copy = { 0 };

    buf_put_slice(&copy, body);
    remember(&p->out, number, &copy, false, 0);
}

/* Behind one that could not leave nothing leaves: bus_after_turn sends them all by routerd. */
static void by_redis(struct bus *b, struct bus_peer *p, struct buf *body, uint64_t now_ms)
{
    struct bus_out *out = &p->out;

    if (!out->fault && out->unconfirmed_bytes + buf_len(body) > b->limits.unconfirmed_bytes)
        out->fault = "too much is unconfirmed";
    if (!out->fault && publish(b, p, buf_slice(body)))
        out->fault = "not published";
    bus_counters.packets_redis += !out->fault;
    bus_save(b, p, ROW_PACKET, out->number, buf_slice(body));
    remember(out, out->number, body, false, now_ms);
}

/* While packets are under way by Redis, the ones that go by routerd are counted as well: their receiver
 * holds them until the others have come. */
static void send_packet(struct bus *b, struct bus_peer *p, struct slice frames, bool redis, uint64_t now_ms)
{
    struct bus_out   *out = &p->out;
    struct bus_packet packet = { .op = BUS_PACKET, .origin = b->self, .frames = frames };
    struct buf        body = { 0 };

    if (!out->greeted)
        bus_out_hello(b, p, false);
    packet.stream = out->stream;
    packet.number = ++out->number;
    bus_save_state(b, p, ROW_OUT, out->stream, out->number);
    bus_packet_put(&body, &packet);
    if (redis) {
        by_redis(b, p, &body, now_ms);
        return;
    }
    by_router(b, p, buf_slice(&body));
    if (!list_empty(&out->unconfirmed))
        remember(out, out->number, &body, true, now_ms);
    buf_free(&body);
    mend(b, p);
}

void bus_out_flush(struct bus *b, struct bus_peer *p, uint64_t now_ms)
{
    struct buf batch = p->out.batch;

    if (buf_len(&batch) == 0)
        return;
    p->out.batch = (struct buf){ 0 };
    p->out.batch_frames = 0;
    send_packet(b, p, buf_slice(&batch), p->out.road == ROAD_REDIS, now_ms);
    buf_free(&batch);
}

/* A frame that would fill a packet alone is not for Redis. */
void bus_out_frame(struct bus *b, struct bus_peer *p, const struct frame *f, uint64_t now_ms)
{
    struct bus_out *out = &p->out;
    bool            redis;

    if (out->fault)
        bus_out_close(b, p, out->fault, now_ms);
    buf_reset(&b->scratch, BUS_PACKET_FULL);
    if (frame_encode(&b->scratch, f))
        return;
    redis = out->road == ROAD_REDIS && f->kind == FRAME_FANOUT && buf_len(&b->scratch) < BUS_PACKET_FULL;
    *(redis ? &bus_counters.presences_redis : &bus_counters.presences_router) += 1;
    if (!redis) {
        bus_out_flush(b, p, now_ms);
        send_packet(b, p, buf_slice(&b->scratch), false, now_ms);
        return;
    }
    buf_put_slice(&out->batch, buf_slice(&b->scratch));
    if (++out->batch_frames >= BUS_FRAMES_MAX || buf_len(&out->batch) >= BUS_PACKET_FULL)
        bus_out_flush(b, p, now_ms);
}

/* What went by routerd behind the last one by Redis is not waited for. */
void bus_out_confirmed(struct bus *b, struct bus_peer *p, const struct bus_packet *confirm)
{
    struct bus_out *out = &p->out;

    if (confirm->stream != out->stream)
        return;
    LIST_EACH(&out->unconfirmed, node) {
        struct bus_item *item = LIST_OWNER(node, struct bus_item, link);
        if (item->number > confirm->number && !item->by_router)
            return;
        item_done(b, p, item);
    }
}
