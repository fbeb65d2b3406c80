#pragma once

/* Two ends of the presence bus whose routerd and Redis are played by the test: letters on roads that the test
 * delays, loses and repeats. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

#define RIG __attribute__((unused)) static

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

RIG struct end  ends[2];
RIG struct road router[2], redis[2];      /* by who receives */
RIG struct road graveyard;                /* what Redis delivers once more, or late */
RIG uint64_t    now;
RIG struct slice in_hand;
RIG bool        redis_refuses, router_refuses;
RIG unsigned    by_redis, rose_with_packets, rose_owing;     /* what the random test came across */

RIG struct letter *post(struct road *r, struct slice body)
{
    struct letter *l = &r->letters[r->end++ % QUEUE];

    assert_true(r->end - r->first < QUEUE);
    buf_free(&l->body);
    *l = (struct letter){ 0 };
    buf_put_slice(&l->body, body);
    return l;
}

RIG struct letter *take(struct road *r)
{
    return r->first == r->end ? NULL : &r->letters[r->first++ % QUEUE];
}

RIG enum zerr fake_send(void *arg, uint32_t instance, struct slice body)
{
    (void)arg;
    if (router_refuses)
        return ZE_FULL;
    post(&router[instance == ends[1].key], body);
    return ZE_OK;
}

RIG enum zerr fake_publish(void *arg, const char *channel, struct slice payload, uint64_t ticket)
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
RIG void fake_save(void *arg, struct slice key, struct slice value)
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
RIG struct receipt *fake_receipt(void *arg)
{
    struct end *e = arg;

    assert_true(e->owed_count < OWED);
    buf_put_slice(&e->owed[e->owed_count], in_hand);
    return (struct receipt *)&e->owed[e->owed_count++];
}

RIG void fake_release(void *arg, struct receipt *receipt)
{
    (void)arg;
    buf_free((struct buf *)receipt);
}

RIG void fake_deliver(void *arg, const struct frame *f)
{
    struct end *e = arg;

    assert_int_equal(f->origin.role, ROLE_SM);
    assert_int_equal(f->origin.instance, ends[e == &ends[0]].key);
    assert_true(e->seen_count < SEEN);
    e->seen[e->seen_count++] = (unsigned)strtoul((const char *)f->body.p, NULL, 10);
}

RIG void make(struct end *e)
{
    struct bus_limits limits = { .unconfirmed_bytes = 1 << 20, .patience_ms = PATIENCE };
    struct bus_ways   ways = {
        fake_send, fake_publish, fake_save, fake_receipt, fake_release, fake_deliver, e,
    };

    e->bus = bus_new(e->name, &limits, &ways);
    snprintf(e->channel, sizeof(e->channel), "%s", bus_channel(e->bus));
    e->key = instance_key(e->name);
}

RIG void introduce(struct end *e, struct end *other, bool up)
{
    struct route_instance at = { .role = ROLE_SM, .key = other->key, .incarnation = 7, .up = up };

    snprintf(at.name, sizeof(at.name), "%s", other->name);
    bus_peer(e->bus, &at, now);
}

RIG void subscribe(struct end *e, bool on)
{
    e->subscribed = on;
    bus_redis(e->bus, on, on, now);
}

/* One letter of that road arrives. */
RIG bool arrive_router(int to)
{
    struct letter *l = take(&router[to]);
    struct address origin = { ROLE_SM, ends[!to].key, 7 };

    if (!l)
        return false;
    in_hand = buf_slice(&l->body);
    assert_int_equal(bus_on_frame(ends[to].bus, &origin, in_hand, now), ZE_OK);
    return true;
}

RIG bool arrive_redis(int to)
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

RIG void tick(uint64_t ms)
{
    now += ms;
    for (int i = 0; i < 2; i++) {
        if (bus_end_turn(ends[i].bus, now))
            bus_after_turn(ends[i].bus, now);
        bus_tick(ends[i].bus, now);
    }
}

RIG void settle(void)
{
    for (int round = 0; round < 1000; round++) {
        bool moved = false;
        for (int i = 0; i < 2; i++)
            moved |= arrive_router(i) | arrive_redis(i);
        tick(moved ? 0 : 100);
    }
}

RIG struct frame presence(const struct end *to, unsigned n, bool one, struct buf *list)
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

RIG void say(int from, bool one)
{
    struct buf   list = { 0 };
    struct frame f = presence(&ends[!from], ends[from].sent++, one, &list);

    bus_send(ends[from].bus, &f, now);
    buf_free(&list);
}

RIG void assert_all_seen(void)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ends[i].seen_count, ends[!i].sent);
        for (size_t n = 0; n < ends[i].seen_count; n++)
            assert_int_equal(ends[i].seen[n], n);
    }
}

RIG void forget_rows(struct end *e)
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
RIG void rise(struct end *e)
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

RIG int setup(void **state)
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

RIG void road_free(struct road *r)
{
    for (size_t i = 0; i < QUEUE; i++)
        buf_free(&r->letters[i].body);
}

RIG int teardown(void **state)
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

RIG void open_roads(void)
{
    subscribe(&ends[0], true);
    subscribe(&ends[1], true);
    settle();
    assert_int_equal(bus_roads(ends[0].bus), 1);
    assert_int_equal(bus_roads(ends[1].bus), 1);
}
