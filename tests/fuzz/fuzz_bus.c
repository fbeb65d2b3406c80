/* What may come from Redis: its protocol, and packets on the bus; and packets that come by routerd. The
 * first byte chooses. */

#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "bus.h"
#include "bus_packet.h"
#include "redis_wire.h"

static enum zerr take_send(void *arg, uint32_t instance, struct slice body)
{
    struct bus_packet p;

    (void)arg;
    (void)instance;
    if (bus_packet_take(body, &p))
        abort();                    /* we say nothing that we would not understand */
    return ZE_OK;
}

static enum zerr take_publish(void *arg, const char *channel, struct slice payload, uint64_t ticket)
{
    (void)arg;
    (void)channel;
    (void)ticket;
    return payload.len > BUS_SEAL ? ZE_OK : ZE_UNAVAILABLE;
}

static void take_row(void *arg, struct slice key, struct slice value)
{
    (void)arg;
    if (key.len < 5 || (value.p && !value.len))
        abort();
}

static struct receipt *no_receipt(void *arg)
{
    (void)arg;
    return NULL;
}

static void take_frame(void *arg, const struct frame *f)
{
    (void)arg;
    if (!bus_frame_fits(f) || f->origin.role != ROLE_SM)
        abort();
}

/* There is one way to write a packet. */
static void check_round_trip(struct slice body)
{
    struct bus_packet p;
    struct buf        out = { 0 };

    if (bus_packet_take(body, &p))
        return;
    bus_packet_put(&out, &p);
    if (!slice_eq(buf_slice(&out), body))
        abort();
    buf_free(&out);
}

static void feed_bus(struct slice body, bool by_router)
{
    struct bus_limits     limits = { .unconfirmed_bytes = 65536, .patience_ms = 1000 };
    struct bus_ways       ways = { take_send, take_publish, take_row, no_receipt, NULL, take_frame, NULL };
    struct bus           *b = bus_new("sm-1", &limits, &ways);
    struct route_instance at = { .name = "sm-2", .role = ROLE_SM, .key = instance_key("sm-2"), .incarnation = 1, .up = true };
    struct address        origin = { ROLE_SM, at.key, 1 };

    bus_peer(b, &at, 1);
    bus_redis(b, true, true, 1);
    for (int twice = 0; twice < 2; twice++)
        if (by_router)
            bus_on_frame(b, &origin, body, 2);
        else if (bus_on_message(b, body, 2))
            abort();                /* nobody knows the key */
    bus_tick(b, 5000);
    bus_free(&b);
}

static void on_answer(void *arg, const struct redisReply *reply)
{
    (void)arg;
    redis_says(reply, "OK");
}

static void on_message(void *arg, struct slice channel, struct slice payload)
{
    (void)arg;
    check_round_trip(payload);
    check_round_trip(channel);
}

static void feed_wire(struct slice bytes)
{
    struct redis_wire_spec spec = { .out_max = 1000, .in_max = 1000, .on_message = on_message };
    struct redis_wire     *w = redis_wire_new(&spec);
    struct slice           ping = SLICE("PING");

    for (uint64_t i = 0; i < 8; i++)
        redis_wire_ask(w, &ping, 1, on_answer, NULL, i);
    for (size_t i = 0; i < bytes.len && !redis_wire_take(w, slice_cut(bytes, i, i + 1)); i++)
        continue;
    redis_wire_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data + 1, size ? size - 1 : 0);

    if (!size)
        return 0;
    if (data[0] % 3 == 0) {
        feed_wire(rest);
        return 0;
    }
    check_round_trip(rest);
    feed_bus(rest, data[0] % 3 == 1);
    return 0;
}
