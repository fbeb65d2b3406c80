/* What the presence bus makes of packets: only presence fits, a seal holds, junk changes nothing. */

#include "bus_rig.h"

/* ---- codec ---- */

static struct slice packet_with(struct buf *out, const struct frame *f)
{
    struct bus_packet p = { .op = BUS_PACKET, .origin = 5, .stream = 1, .number = 1 };
    struct buf        frames = { 0 };

    assert_int_equal(frame_encode(&frames, f), ZE_OK);
    p.frames = buf_slice(&frames);
    buf_reset(out, 0);
    bus_packet_put(out, &p);
    buf_free(&frames);
    return buf_slice(out);
}

static void test_only_presence_fits(void **state)
{
    struct buf        list = { 0 }, out = { 0 };
    struct frame      good = presence(&ends[1], 1, false, &list), f;
    struct bus_packet p;

    (void)state;
    assert_int_equal(bus_packet_take(packet_with(&out, &good), &p), ZE_OK);
    static const uint8_t types[] = { TYPE_SUBSCRIBE, TYPE_SUBSCRIBED, TYPE_UNSUBSCRIBE, TYPE_UNSUBSCRIBED, TYPE_PROBE, TYPE_ERROR };
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        f = good;
        f.stanza.type = types[i];
        assert_int_equal(bus_packet_take(packet_with(&out, &f), &p), ZE_PROTOCOL);
    }
    f = good;
    f.stanza.name = STANZA_MESSAGE;
    f.stanza.type = TYPE_CHAT;
    assert_int_equal(bus_packet_take(packet_with(&out, &f), &p), ZE_PROTOCOL);
    f = good;
    f.list = SLICE("\1\2\3");
    assert_int_equal(bus_packet_take(packet_with(&out, &f), &p), ZE_PROTOCOL);
    f = good;
    f.kind = FRAME_BIND;
    assert_int_equal(bus_packet_take(packet_with(&out, &f), &p), ZE_PROTOCOL);
    buf_free(&list);
    buf_free(&out);
}

static void test_packets_survive_no_change_of_length(void **state)
{
    static const uint8_t key[BUS_KEY];
    const struct bus_packet all[] = {
        { .op = BUS_HELLO, .stream = 3, .number = 4, .flag = true },
        { .op = BUS_ACCEPT, .flag = true, .channel = SLICE("zubr:x"), .key = slice_of(key, BUS_KEY) },
        { .op = BUS_CONFIRM, .stream = 3, .number = 9 },
        { .op = BUS_ECHO, .number = 9 },
        { .op = BUS_PROBE, .origin = 8, .number = 9 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct buf        out = { 0 };
        struct bus_packet p;
        bus_packet_put(&out, &all[i]);
        assert_int_equal(bus_packet_take(buf_slice(&out), &p), ZE_OK);
        assert_true(p.op == all[i].op && p.stream == all[i].stream && p.number == all[i].number &&
                    p.flag == all[i].flag && p.origin == all[i].origin && slice_eq(p.channel, all[i].channel));
        for (size_t len = 0; len < buf_len(&out); len++)
            assert_int_equal(bus_packet_take(slice_of(out.bytes + out.start, len), &p), ZE_PROTOCOL);
        buf_put_u8(&out, 0);
        assert_int_equal(bus_packet_take(buf_slice(&out), &p), ZE_PROTOCOL);
        buf_free(&out);
    }
}

static void test_a_seal_holds(void **state)
{
    uint8_t      key[BUS_KEY] = { 1 }, other[BUS_KEY] = { 2 };
    struct buf   out = { 0 };
    struct slice body;

    (void)state;
    bus_seal(&out, key, SLICE("body"));
    assert_true(bus_unseal(key, buf_slice(&out), &body));
    assert_true(slice_is(body, "body"));
    assert_false(bus_unseal(other, buf_slice(&out), &body));
    for (size_t i = 0; i < buf_len(&out); i++) {
        out.bytes[out.start + i] ^= 1;
        assert_false(bus_unseal(key, buf_slice(&out), &body));
        out.bytes[out.start + i] ^= 1;
    }
    assert_false(bus_unseal(key, SLICE("short"), &body));
    buf_free(&out);
}

static void test_junk_changes_nothing(void **state)
{
    uint8_t bytes[300];

    (void)state;
    open_roads();
    say(0, false);
    for (size_t len = 0; len < sizeof(bytes); len++) {
        memset(bytes, (int)len, len);
        assert_false(bus_on_message(ends[1].bus, slice_of(bytes, len), now));
    }
    settle();
    assert_all_seen();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_only_presence_fits),
        T(test_packets_survive_no_change_of_length),
        T(test_a_seal_holds),
        T(test_junk_changes_nothing),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
