/* common/pace.c: when a busy loop waits before it looks for work again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pace.h"

enum { EVERY_US = 250, TURN_US = 20 };

/* `turns` turns of `units` each, TURN_US apart but for what was waited: how long in all. */
static unsigned run(struct pace *p, uint64_t *now_us, unsigned turns, unsigned units)
{
    unsigned waited = 0;

    for (unsigned i = 0; i < turns; i++) {
        p->units = units;
        *now_us += TURN_US;
        unsigned us = pace_wait(p, *now_us);
        assert_int_equal(p->units, 0);
        *now_us += us;
        waited += us;
    }
    return waited;
}

/* Units a turn that are enough for the rate. */
static const unsigned often = PACE_RATE / (1000000 / TURN_US) + 1;

static void a_lone_pair_waits_for_nothing(void **state)
{
    struct pace p = { .every_us = EVERY_US };
    uint64_t    now_us = 1000000;

    (void)state;
    assert_int_equal(run(&p, &now_us, 10000, 1), 0);
    assert_true(often < PACE_TURN);
    assert_int_equal(run(&p, &now_us, 10000, often), 0);     /* many turns, each of little */
    for (int i = 0; i < 10000; i++) {
        now_us += 200;
        assert_int_equal(run(&p, &now_us, 1, 2 * PACE_TURN), 0);   /* more a turn, and too few turns a second */
    }
}

static void a_busy_loop_looks_at_intervals(void **state)
{
    struct pace p = { .every_us = EVERY_US };
    uint64_t    now_us = 1000000;

    (void)state;
    run(&p, &now_us, 1000, 20);
    assert_int_equal(run(&p, &now_us, 100, 20), 100 * (EVERY_US - TURN_US));
    p.units = 20;
    now_us += EVERY_US + 1;
    assert_int_equal(pace_wait(&p, now_us), 0);              /* the turn itself took longer */
    assert_int_equal(run(&p, &now_us, 1, 20), EVERY_US - TURN_US);
}

static void one_large_turn_is_no_load(void **state)
{
    struct pace p = { .every_us = EVERY_US };
    uint64_t    now_us = 1000000;

    (void)state;
    run(&p, &now_us, 1000, 1);
    assert_int_equal(run(&p, &now_us, 1, 100), 0);
    assert_int_equal(run(&p, &now_us, 1000, 1), 0);
}

static void after_the_load_it_waits_no_more(void **state)
{
    struct pace p = { .every_us = EVERY_US };
    uint64_t    now_us = 1000000;

    (void)state;
    run(&p, &now_us, 1000, UINT32_MAX);
    assert_true(run(&p, &now_us, 1, 1) > 0);
    now_us += 1000000;
    p.units = 1;
    assert_int_equal(pace_wait(&p, now_us), 0);              /* whoever comes after a silence is served at once */
    run(&p, &now_us, 1000, 20);
    run(&p, &now_us, PACE_WINDOW_US / TURN_US, 1);
    assert_int_equal(run(&p, &now_us, 1000, 1), 0);
}

static void nothing_said_never_waits(void **state)
{
    struct pace p = { 0 };
    uint64_t    now_us = 1000000;

    (void)state;
    assert_int_equal(run(&p, &now_us, 1000, 1000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_pair_waits_for_nothing), cmocka_unit_test(a_busy_loop_looks_at_intervals),
        cmocka_unit_test(one_large_turn_is_no_load),     cmocka_unit_test(after_the_load_it_waits_no_more),
        cmocka_unit_test(nothing_said_never_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
