/* The presence bus between two instances whose routerd and Redis are played by the test: what one sends
 * arrives at the other in order and once, whatever Redis does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus.h"
#include "bus_packet.h"
#include "cursor.h"
#include "fanout.h"
#include "log.h"
#include "mem.h"

enum { PATIENCE = 1000, QUEUE = 4096, SEEN = 20000, ROWS = 4000, OWED = 4000 };

struct letter {
    uint32_t   to;
    uint64_t   ticket;
    bool       astray;       /* to a channel that nobody listens to any more */
    struct buf body;
};

/* An ordered road. */
struct road {
    struct letter letters[QUEUE];
    size_t        first, end;
};

struct end {
    const char *name;
    uint32_t    key;
    struct bus *bus;
    char        channel[BUS_CHANNEL_MAX + 1];
    bool        subscribed;
    unsigned    sent, seen[SEEN];
    size_t      seen_count;
    struct { struct buf key, value; } rows[ROWS];      /* live memory */
    size_t      row_count;
    struct buf  owed[OWED];                            /* letters not confirmed, by receipt; empty: confirmed */
    size_t      owed_count;
};

static struct end  ends[2];
static struct road router[2], redis[2];      /* by who receives */
static struct road graveyard;                /* what Redis delivers once more, or late */
static uint64_t    now;
static struct slice in_hand;
static bool        redis_refuses, router_refuses;
static unsigned    by_redis, rose_with_packets, rose_owing;     /* what the random test came across */

static struct letter *post(struct road *r, struct slice body)
{
    struct letter *l = &r->letters[r->end++ % QUEUE];

    assert_true(r->end - r->first < QUEUE);
    buf_free(&l->body);
    *l = (struct letter){ 0 };
    buf_put_slice(&l->body, body);
    return l;
}

static struct letter *take(struct road *r)
{
    return r->first == r->end ? NULL : &r->letters[r->first++ % QUEUE];
}

static enum zerr fake_send(void *arg, uint32_t instance, struct slice body)
{
    (void)arg;
    if (router_refuses)
        return ZE_FULL;
    post(&router[instance == ends[1].key], body);
    return ZE_OK;
}

static enum zerr fake_publish(void *arg, const char *channel, struct slice payload, uint64_t ticket)
{
    struct end    *from = arg;
    struct letter *l;

    if (redis_refuses)
        return ZE_UNAVAILABLE;
    l = post(&redis[from == &ends[0]], payload);
    l->ticket = ticket;
    l->astray = strcmp(channel, ends[from == &ends[0]].channel) != 0;
    return ZE_OK;
}

/* Rows in key order. */
static void fake_save(void *arg, struct slice key, struct slice value)
{
    struct end *e = arg;
    size_t      i = 0;

    while (i < e->row_count && slice_cmp(buf_slice(&e->rows[i].key), key) < 0)
        i++;
    bool same = i < e->row_count && slice_eq(buf_slice(&e->rows[i].key), key);
    if (same && !value.p) {
        buf_free(&e->rows[i].key);
        buf_free(&e->rows[i].value);
        memmove(&e->rows[i], &e->rows[i + 1], (--e->row_count - i) * sizeof(e->rows[0]));
    }
    if (!value.p)
        return;
    if (!same) {
        assert_true(e->row_count < ROWS);
        memmove(&e->rows[i + 1], &e->rows[i], (e->row_count++ - i) * sizeof(e->rows[0]));
        memset(&e->rows[i], 0, sizeof(e->rows[0]));
        buf_put_slice(&e->rows[i].key, key);
    }
    buf_reset(&e->rows[i].value, 0);
    buf_put_slice(&e->rows[i].value, value);
}

/* The letter in hand stays unconfirmed: it comes again when this end is restarted. */
static struct receipt *fake_receipt(void *arg)
{
    struct end *e = arg;

    assert_true(e->owed_count < OWED);
    buf_put_slice(&e->owed[e->owed_count], in_hand);
    return (struct receipt *)&e->owed[e->owed_count++];
}

static void fake_release(void *arg, struct receipt *receipt)
{
    (void)arg;
    buf_free((struct buf *)receipt);
}

static void fake_deliver(void *arg, const struct frame *f)
{
    struct end *e = arg;

    assert_int_equal(f->origin.role, ROLE_SM);
    assert_int_equal(f->origin.instance, ends[e == &ends[0]].key);
    assert_true(e->seen_count < SEEN);
    e->seen[e->seen_count++] = (unsigned)strtoul((const char *)f->body.p, NULL, 10);
}

static void make(struct end *e)
{
    struct bus_limits limits = { .unconfirmed_bytes = 1 << 20, .patience_ms = PATIENCE };
    struct bus_ways   ways = {
        fake_send, fake_publish, fake_save, fake_receipt, fake_release, fake_deliver, e,
    };

    e->bus = bus_new(e->name, &limits, &ways);
    snprintf(e->channel, sizeof(e->channel), "%s", bus_channel(e->bus));
    e->key = instance_key(e->name);
}

static void introduce(struct end *e, struct end *other, bool up)
{
    struct route_instance at = { .role = ROLE_SM, .key = other->key, .incarnation = 7, .up = up };

    snprintf(at.name, sizeof(at.name), "%s", other->name);
    bus_peer(e->bus, &at, now);
}

static void subscribe(struct end *e, bool on)
{
    e->subscribed = on;
    bus_redis(e->bus, on, on, now);
}

/* One letter of that road arrives. */
static bool arrive_router(int to)
{
    struct letter *l = take(&router[to]);
    struct address origin = { ROLE_SM, ends[!to].key, 7 };

    if (!l)
        return false;
    in_hand = buf_slice(&l->body);
    assert_int_equal(bus_on_frame(ends[to].bus, &origin, in_hand, now), ZE_OK);
    return true;
}

static bool arrive_redis(int to)
{
    struct letter *l = take(&redis[to]);

    if (!l)
        return false;
    bus_published(ends[!to].bus, l->ticket, ends[to].subscribed && !l->astray, now);
    if (l->astray)
        return true;
    post(&graveyard, buf_slice(&l->body));
    if (graveyard.end - graveyard.first > 50)
        graveyard.first++;
    by_redis++;
    if (ends[to].subscribed)
        assert_true(bus_on_message(ends[to].bus, buf_slice(&l->body), now));
    return true;
}

static void tick(uint64_t ms)
{
    now += ms;
    for (int i = 0; i < 2; i++) {
        if (bus_end_turn(ends[i].bus, now))
            bus_after_turn(ends[i].bus, now);
        bus_tick(ends[i].bus, now);
    }
}

static void settle(void)
{
    for (int round = 0; round < 1000; round++) {
        bool moved = false;
        for (int i = 0; i < 2; i++)
            moved |= arrive_router(i) | arrive_redis(i);
        tick(moved ? 0 : 100);
    }
}

static struct frame presence(const struct end *to, unsigned n, bool one, struct buf *list)
{
    static char  content[32];
    struct frame f = frame_make(one ? FRAME_STANZA : FRAME_FANOUT);

    snprintf(content, sizeof(content), "%u", n);
    f.dest = (struct address){ .role = ROLE_SM, .instance = to->key };
    f.stanza = (struct stanza){ .name = STANZA_PRESENCE, .from = SLICE("a@a.org/r") };
    f.body = slice_of(content, strlen(content) + 1);
    if (one)
        f.stanza.to = SLICE("b@a.org");
    else
        fanout_put(list, 0, SLICE("b@a.org"));
    f.list = buf_slice(list);
    return f;
}

static void say(int from, bool one)
{
    struct buf   list = { 0 };
    struct frame f = presence(&ends[!from], ends[from].sent++, one, &list);

    bus_send(ends[from].bus, &f, now);
    buf_free(&list);
}

static void assert_all_seen(void)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ends[i].seen_count, ends[!i].sent);
        for (size_t n = 0; n < ends[i].seen_count; n++)
            assert_int_equal(ends[i].seen[n], n);
    }
}

static void forget_rows(struct end *e)
{
    while (e->row_count) {
        buf_free(&e->rows[--e->row_count].key);
        buf_free(&e->rows[e->row_count].value);
    }
    while (e->owed_count)
        buf_free(&e->owed[--e->owed_count]);
}

/* kill -9 at the end of a turn, and its return: rows are there, what was held comes again first, in the
 * order in which it came. */
static void rise(struct end *e)
{
    int           to = e == &ends[1];
    struct end   *other = &ends[!to];
    static struct buf again[OWED];
    size_t        count = 0;

    if (bus_end_turn(e->bus, now))
        bus_after_turn(e->bus, now);
    for (size_t i = 0; i < e->owed_count; i++)
        if (buf_len(&e->owed[i])) {
            again[count++] = e->owed[i];
            e->owed[i] = (struct buf){ 0 };
        }
    e->owed_count = 0;
    rose_owing += count > 0;
    rose_with_packets += e->row_count > 2;
    bus_free(&e->bus);
    make(e);
    for (size_t i = 0; i < e->row_count; i++)
        bus_restore(e->bus, buf_slice(&e->rows[i].key), buf_slice(&e->rows[i].value));
    redis[to].first = redis[to].end;            /* nobody listens to the old channel */
    introduce(e, other, true);
    for (size_t i = 0; i < count; i++) {
        struct address origin = { ROLE_SM, other->key, 7 };
        in_hand = buf_slice(&again[i]);
        assert_int_equal(bus_on_frame(e->bus, &origin, in_hand, now), ZE_OK);
        buf_free(&again[i]);
    }
    subscribe(e, e->subscribed);
}

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        forget_rows(&ends[i]);
    memset(ends, 0, sizeof(ends));
    for (int i = 0; i < 2; i++)
        router[i].first = router[i].end = redis[i].first = redis[i].end = 0;
    graveyard.first = graveyard.end = 0;
    redis_refuses = router_refuses = false;
    now = 1000;
    ends[0].name = "sm-1";
    ends[1].name = "sm-2";
    make(&ends[0]);
    make(&ends[1]);
    introduce(&ends[0], &ends[1], true);
    introduce(&ends[1], &ends[0], true);
    return 0;
}

static void road_free(struct road *r)
{
    for (size_t i = 0; i < QUEUE; i++)
        buf_free(&r->letters[i].body);
}

static int teardown(void **state)
{
    (void)state;
    bus_free(&ends[0].bus);
    bus_free(&ends[1].bus);
    for (int i = 0; i < 2; i++) {
        forget_rows(&ends[i]);
        road_free(&router[i]);
        road_free(&redis[i]);
    }
    road_free(&graveyard);
    return 0;
}

static void open_roads(void)
{
    subscribe(&ends[0], true);
    subscribe(&ends[1], true);
    settle();
    assert_int_equal(bus_roads(ends[0].bus), 1);
    assert_int_equal(bus_roads(ends[1].bus), 1);
}

/* ---- policy ---- */

static void test_without_redis_all_goes_by_router(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        say(0, i % 2);
    settle();
    assert_all_seen();
    assert_int_equal(redis[1].end, 0);
    assert_int_equal(bus_roads(ends[0].bus), 0);
}

static void test_a_turn_is_one_packet(void **state)
{
    size_t before;

    (void)state;
    open_roads();
    before = redis[1].end;
    for (int i = 0; i < 2 * BUS_FRAMES_MAX; i++)
        say(0, false);
    tick(0);
    assert_int_equal(redis[1].end - before, 2);
    settle();
    assert_all_seen();
}

static void test_what_is_for_one_goes_by_router_in_its_turn(void **state)
{
    (void)state;
    open_roads();
    say(0, false);
    say(0, true);
    say(0, false);
    tick(0);
    assert_true(arrive_router(1));              /* the second overtakes the first, and waits */
    assert_int_equal(ends[1].seen_count, 0);
    assert_true(arrive_redis(1));
    assert_int_equal(ends[1].seen_count, 2);
    settle();
    assert_all_seen();
}

static void test_nobody_listened(void **state)
{
    (void)state;
    open_roads();
    ends[1].subscribed = false;                 /* its bus does not know yet */
    say(0, false);
    tick(0);
    assert_true(arrive_redis(1));
    assert_int_equal(bus_roads(ends[0].bus), 0);
    assert_true(arrive_router(1));
    assert_all_seen();
}

static void test_no_confirm_in_time_and_then_late(void **state)
{
    (void)state;
    open_roads();
    for (int i = 0; i < 5; i++) {
        say(0, false);
        tick(0);
    }
    tick(PATIENCE + 1);
    assert_int_equal(bus_roads(ends[0].bus), 0);
    while (arrive_router(1))
        continue;
    assert_all_seen();
    while (arrive_redis(1))                     /* now Redis comes with all of it */
        continue;
    assert_all_seen();
    settle();                                   /* a probe opens the road again */
    assert_int_equal(bus_roads(ends[0].bus), 1);
}

/* That Redis had a subscriber is not yet that the subscriber had it. */
static void test_an_answer_of_redis_is_no_confirm(void **state)
{
    struct letter *l;

    (void)state;
    open_roads();
    say(0, false);
    tick(0);
    l = take(&redis[1]);
    bus_published(ends[0].bus, l->ticket, 1, now);
    tick(PATIENCE + 1);
    assert_true(arrive_router(1));
    assert_all_seen();
}

static void test_too_much_unconfirmed_goes_by_router(void **state)
{
    struct bus_limits limits = { .unconfirmed_bytes = 2000, .patience_ms = PATIENCE };

    (void)state;
    open_roads();
    bus_set_limits(ends[0].bus, &limits);
    for (int i = 0; i < 100; i++) {
        say(0, false);
        tick(0);
    }
    assert_int_equal(bus_roads(ends[0].bus), 0);
    settle();
    assert_all_seen();
}

static void test_an_error_of_an_earlier_episode_closes_nothing(void **state)
{
    struct letter *l;

    (void)state;
    open_roads();
    say(0, false);
    tick(0);
    l = take(&redis[1]);
    tick(PATIENCE + 1);
    settle();
    assert_int_equal(bus_roads(ends[0].bus), 1);
    bus_published(ends[0].bus, l->ticket, -1, now);
    assert_int_equal(bus_roads(ends[0].bus), 1);
    assert_all_seen();
}

static void test_the_receiver_begins_anew(void **state)
{
    (void)state;
    open_roads();
    say(0, false);
    settle();
    say(0, false);
    tick(0);
    redis[1].first = redis[1].end;              /* what was under way dies with it */
    bus_free(&ends[1].bus);
    forget_rows(&ends[1]);
    introduce(&ends[0], &ends[1], false);
    make(&ends[1]);
    introduce(&ends[1], &ends[0], true);
    introduce(&ends[0], &ends[1], true);
    subscribe(&ends[1], true);
    say(0, false);
    settle();
    say(0, false);
    settle();
    assert_int_equal(bus_roads(ends[0].bus), 1);
    assert_int_equal(bus_roads(ends[1].bus), 1);
    assert_all_seen();
}

static void test_the_sender_begins_anew(void **state)
{
    (void)state;
    open_roads();
    say(0, false);
    settle();
    bus_free(&ends[0].bus);
    forget_rows(&ends[0]);
    introduce(&ends[1], &ends[0], false);
    make(&ends[0]);
    introduce(&ends[0], &ends[1], true);
    introduce(&ends[1], &ends[0], true);
    subscribe(&ends[0], true);
    settle();
    assert_int_equal(bus_roads(ends[0].bus), 1);
    say(0, false);
    settle();
    assert_all_seen();
}

/* Redis may be there before routerd is. */
static void test_redis_is_up_before_the_first_table(void **state)
{
    (void)state;
    open_roads();
    bus_free(&ends[1].bus);
    introduce(&ends[0], &ends[1], false);
    make(&ends[1]);
    subscribe(&ends[1], true);
    introduce(&ends[1], &ends[0], true);
    introduce(&ends[0], &ends[1], true);
    settle();
    assert_int_equal(bus_roads(ends[0].bus), 1);
    assert_int_equal(bus_roads(ends[1].bus), 1);
}

/* What the link refuses is lost, but what follows does not wait for it. */
static void test_a_full_link_leaves_no_hole(void **state)
{
    (void)state;
    open_roads();
    say(0, false);
    settle();
    subscribe(&ends[0], false);
    router_refuses = true;
    say(0, false);
    router_refuses = false;
    ends[0].sent--;
    say(0, false);
    settle();
    assert_all_seen();
}

/* ---- every kind of trouble, at random ---- */

/* splitmix64 */
static unsigned dice(uint64_t *seed, unsigned sides)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (unsigned)((z ^ z >> 31) % sides);
}

static void trouble(uint64_t *seed)
{
    int who = (int)dice(seed, 2);

    switch (dice(seed, 20)) {
    case 0: case 1: case 2: case 3:
        say(who, false);
        break;
    case 4:
        say(who, true);
        break;
    case 5: case 6: case 7:
        for (unsigned n = dice(seed, 8); n && arrive_router(who); n--)
            continue;
        break;
    case 8: case 9: case 10:
        for (unsigned n = dice(seed, 8); n && arrive_redis(who); n--)
            continue;
        break;
    case 11:
        if (dice(seed, 10))
            break;
        /* Redis loses something, with or without an answer */
        if (redis[who].first != redis[who].end) {
            struct letter *l = take(&redis[who]);
            if (!dice(seed, 4))
                bus_published(ends[!who].bus, l->ticket, (int64_t)dice(seed, 3) - 1, now);
        }
        break;
    case 12:                                    /* and repeats something old */
        if (graveyard.first != graveyard.end) {
            struct letter *l = &graveyard.letters[(graveyard.first + dice(seed, (unsigned)(graveyard.end - graveyard.first))) % QUEUE];
            for (int i = 0; i < 2; i++)
                bus_on_message(ends[i].bus, buf_slice(&l->body), now);
        }
        break;
    case 13:
        if (!ends[who].subscribed || !dice(seed, 60))
            subscribe(&ends[who], !ends[who].subscribed);
        break;
    case 14:
        redis_refuses = !dice(seed, 60);
        break;
    case 15:
        tick(bus_roads(ends[who].bus) || dice(seed, 12) ? 30 : 40000);
        break;
    case 16:
        if (!dice(seed, 25))
            rise(&ends[who]);
        break;
    default:
        tick(0);
    }
}

static void test_at_random(void **state)
{
    for (unsigned round = 1; round <= 100; round++) {
        uint64_t seed = round;
        setup(state);
        subscribe(&ends[0], true);
        subscribe(&ends[1], true);
        for (int step = 0; step < 3000; step++)
            trouble(&seed);
        redis_refuses = false;
        settle();
        assert_all_seen();
        subscribe(&ends[0], true);
        subscribe(&ends[1], true);
        settle();
        assert_int_equal(bus_roads(ends[0].bus) + bus_roads(ends[1].bus), 2);
        if (round < 100) {
            bus_free(&ends[0].bus);
            bus_free(&ends[1].bus);
        }
    }
    assert_true(by_redis > 3000 && rose_with_packets > 50 && rose_owing > 5);
}

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
        T(test_without_redis_all_goes_by_router),
        T(test_a_turn_is_one_packet),
        T(test_what_is_for_one_goes_by_router_in_its_turn),
        T(test_nobody_listened),
        T(test_no_confirm_in_time_and_then_late),
        T(test_an_answer_of_redis_is_no_confirm),
        T(test_too_much_unconfirmed_goes_by_router),
        T(test_an_error_of_an_earlier_episode_closes_nothing),
        T(test_the_receiver_begins_anew),
        T(test_the_sender_begins_anew),
        T(test_redis_is_up_before_the_first_table),
        T(test_a_full_link_leaves_no_hole),
        cmocka_unit_test_teardown(test_at_random, teardown),
        T(test_only_presence_fits),
        T(test_packets_survive_no_change_of_length),
        T(test_a_seal_holds),
        T(test_junk_changes_nothing),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
