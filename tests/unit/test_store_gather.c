/* common/store: under load what is handed in gathers for one transaction (store_spec.gather_ms); whoever is alone, and
 * the end, wait for nothing. */

#include "store_live_rig.h"

enum { LARGE = 100, TOO_MANY = 10000, AN_HOUR = 3600 * 1000 };

static void open_gathering(unsigned gather_ms)
{
    rig.f.spec.gather_ms = gather_ms;
    rig_open();
}

static void hand_in(unsigned from, unsigned count, struct outcome *o)
{
    for (unsigned i = from; i < from + count; i++) {
        char                name[16];
        struct store_batch *b;

        snprintf(name, sizeof(name), "o%u", i);
        b = store_batch(slice_str(name));
        put(b, FIRST, name, "1");
        store_commit(rig.f.store, &b, note, o);
    }
}

/* One turn, one group. */
static void a_large_group(void)
{
    struct outcome o = { 0 };

    hand_in(0, LARGE, &o);
    turn_until(rig.f.loop, &o, LARGE);
    assert_int_equal(o.last, ZE_OK);
}

static uint64_t commits(void)
{
    struct store_figures figures;

    store_figures(rig.f.store, &figures);
    return figures.commits;
}

static void who_is_alone_waits_for_nothing(void **state)
{
    (void)state;
    open_gathering(AN_HOUR);
    for (int i = 0; i < 3; i++)
        put_now(&rig.f, "key", "value");
    assert_int_equal(commits(), 3);
}

static void behind_a_large_group_more_gathers_and_the_end_waits_for_nothing(void **state)
{
    struct outcome o = { 0 };
    uint64_t       before;

    (void)state;
    open_gathering(AN_HOUR);
    a_large_group();
    before = commits();
    for (unsigned i = 0; i < 10; i++) {
        hand_in(LARGE + i, 1, &o);
        turn();
        usleep(2000);
    }
    assert_int_equal(o.ran, 0);
    assert_int_equal(commits(), before);
    assert_true(store_finish(rig.f.store));
    assert_int_equal(o.ran, 10);
    assert_int_equal(o.last, ZE_OK);
    assert_int_equal(commits(), before + 1);
}

static void nothing_more_comes_and_it_is_written(void **state)
{
    struct outcome o = { 0 };

    (void)state;
    open_gathering(160);
    a_large_group();
    hand_in(LARGE, 1, &o);
    turn_until(rig.f.loop, &o, 1);
    assert_int_equal(o.last, ZE_OK);
    put_now(&rig.f, "key", "value");
}

static void too_much_waits_no_longer(void **state)
{
    struct outcome o = { 0 };

    (void)state;
    open_gathering(AN_HOUR);
    a_large_group();
    hand_in(LARGE, 1, &o);
    turn();
    hand_in(LARGE + 1, TOO_MANY, &o);
    turn_until(rig.f.loop, &o, 1 + TOO_MANY);
    assert_int_equal(o.last, ZE_OK);
}

static void too_many_bytes_wait_no_longer(void **state)
{
    static uint8_t      large[17 << 20];
    struct outcome      o = { 0 };
    struct store_batch *b = store_batch(SLICE("large"));

    (void)state;
    open_gathering(AN_HOUR);
    a_large_group();
    hand_in(LARGE, 1, &o);
    turn();
    store_put(b, FIRST, SLICE("large"), slice_of(large, sizeof(large)));
    store_commit(rig.f.store, &b, note, &o);
    turn_until(rig.f.loop, &o, 2);
    assert_int_equal(o.last, ZE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_alone_waits_for_nothing, rig_start, rig_end),
        cmocka_unit_test_setup_teardown(behind_a_large_group_more_gathers_and_the_end_waits_for_nothing, rig_start, rig_end),
        cmocka_unit_test_setup_teardown(nothing_more_comes_and_it_is_written, rig_start, rig_end),
        cmocka_unit_test_setup_teardown(too_much_waits_no_longer, rig_start, rig_end),
        cmocka_unit_test_setup_teardown(too_many_bytes_wait_no_longer, rig_start, rig_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
