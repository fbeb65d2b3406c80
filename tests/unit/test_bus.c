/* The presence bus between two instances: what one sends arrives at the other in order and once, whatever Redis
 * does. */

#include "bus_rig.h"

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
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
