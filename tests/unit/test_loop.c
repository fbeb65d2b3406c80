/* common/loop.c: end-of-turn work and the timer wheel. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loop.h"
#include "mem.h"

struct probe {
    struct loop    *loop;
    struct deferred defer;
    struct timer    timer;
    uint64_t        armed_at, fired_at, delay;
    int             runs, again;
};

static void run_deferred_probe(void *arg)
{
    struct probe *p = arg;

    p->runs++;
    if (p->again-- > 0)
        loop_defer(p->loop, &p->defer);
    else
        loop_stop(p->loop);
}

static void deferred_work_runs_once_and_may_defer_again(void **state)
{
    struct loop *loop = loop_new();
    struct probe p = { .loop = loop, .defer = { .run = run_deferred_probe, .arg = &p } };

    (void)state;
    loop_defer(loop, &p.defer);
    loop_defer(loop, &p.defer);
    assert_int_equal(p.runs, 0);
    loop_run(loop);
    assert_int_equal(p.runs, 1);
    p.again = 100;                        /* more rounds than one turn allows: the loop stays awake */
    loop_defer(loop, &p.defer);
    loop_run(loop);
    assert_int_equal(p.runs, 102);
    loop_defer(loop, &p.defer);
    loop_undefer(&p.defer);
    assert_null(p.defer.link.next);
    loop_free(&loop);
    assert_null(loop);
}

static void step_once_more(void *arg)
{
    struct probe *p = arg;

    p->runs++;
    loop_defer_next(p->loop, &p->defer);
}

static void hear(uv_async_t *from_outside)
{
    struct probe *p = from_outside->data;

    if (p->again-- > 0) {
        uv_async_send(from_outside);
        return;
    }
    p->fired_at = (uint64_t)p->runs;
    loop_stop(p->loop);
}

/* Work in steps: what comes from outside is heard after each one, and it keeps no loop from its end. */
static void a_step_lets_the_others_have_their_turn(void **state)
{
    struct loop *loop = loop_new();
    struct probe p = { .loop = loop, .again = 100, .defer = { .run = step_once_more, .arg = &p } };
    uv_async_t   outside;

    (void)state;
    uv_async_init(loop_uv(loop), &outside, hear);
    outside.data = &p;
    uv_async_send(&outside);
    loop_defer_next(loop, &p.defer);
    loop_defer_next(loop, &p.defer);
    loop_defer(loop, &p.defer);
    loop_run(loop);
    assert_in_range(p.fired_at, 100, 102);
    assert_true(p.runs > 102);
    loop_undefer(&p.defer);
    uv_close((uv_handle_t *)&outside, NULL);
    loop_free(&loop);
}

static void fire_probe(void *arg)
{
    struct probe *p = arg;

    p->runs++;
    p->fired_at = loop_now_ms(p->loop);
    loop_defer(p->loop, &p->defer);       /* from a timer: runs before the loop sleeps */
}

static void a_timer_is_never_early(void **state)
{
    static const uint64_t delays[] = { 0, 1, 99, 100, 101, 250 };
    struct loop          *loop = loop_new();

    (void)state;
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        struct probe p = { .loop = loop, .defer = { .run = run_deferred_probe, .arg = &p },
                           .timer = { .fire = fire_probe, .arg = &p } };

        uv_update_time(loop_uv(loop));
        p.armed_at = loop_now_ms(loop);
        timer_arm(loop, &p.timer, delays[i]);
        assert_true(timer_armed(&p.timer));
        loop_run(loop);
        assert_int_equal(p.runs, 2);
        assert_false(timer_armed(&p.timer));
        assert_true(p.fired_at - p.armed_at >= delays[i]);
    }
    loop_free(&loop);
}

static int many_fired;

static void fire_many(void *arg)
{
    struct probe *p = arg;

    many_fired++;
    p->fired_at = loop_now_ms(p->loop);
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static void of_many_timers_the_disarmed_and_the_far_ones_do_not_fire(void **state)
{
    struct loop  *loop = loop_new();
    struct probe *many = xcalloc(30000, sizeof(*many));
    struct timer  end = { .fire = stop, .arg = loop };

    (void)state;
    uv_update_time(loop_uv(loop));
    for (int i = 0; i < 30000; i++) {
        many[i].loop = loop;
        many[i].timer = (struct timer){ .fire = fire_many, .arg = &many[i] };
        many[i].delay = i % 3 == 2 ? 102400 + (uint64_t)i % 400 : (uint64_t)i % 400;   /* a revolution later */
        many[i].armed_at = loop_now_ms(loop);
        timer_arm(loop, &many[i].timer, 5);
        timer_arm(loop, &many[i].timer, many[i].delay);       /* moves it */
        if (i % 3 == 1)
            timer_disarm(&many[i].timer);
    }
    timer_arm(loop, &end, 700);
    loop_run(loop);
    assert_int_equal(many_fired, 10000);
    for (int i = 0; i < 30000; i += 3)
        assert_true(many[i].fired_at >= many[i].armed_at + many[i].delay);
    for (int i = 0; i < 30000; i++)
        timer_disarm(&many[i].timer);
    free(many);
    loop_free(&loop);
}

static void disarm_the_other(void *arg)
{
    struct probe *p = arg;

    timer_disarm(&p[0].timer);
    timer_disarm(&p[1].timer);
    many_fired++;
}

static void one_timer_may_disarm_another_that_is_due(void **state)
{
    struct loop *loop = loop_new();
    struct probe two[2] = { 0 };
    struct timer end = { .fire = stop, .arg = loop };

    (void)state;
    many_fired = 0;
    for (int i = 0; i < 2; i++) {
        two[i].timer = (struct timer){ .fire = disarm_the_other, .arg = two };
        timer_arm(loop, &two[i].timer, 10);
    }
    timer_arm(loop, &end, 150);
    loop_run(loop);
    assert_int_equal(many_fired, 1);
    loop_free(&loop);
}

static bool work_ended;

static void take_a_while(uv_work_t *work)
{
    (void)work;
    usleep(50000);
}

static void work_done(uv_work_t *work, int status)
{
    assert_int_equal(status, 0);
    free(work);
    work_ended = true;
}

static void the_end_waits_for_the_pool(void **state)
{
    (void)state;
    struct loop *loop = loop_new();

    work_ended = false;
    assert_int_equal(uv_queue_work(loop_uv(loop), malloc(sizeof(uv_work_t)), take_a_while, work_done), 0);
    loop_free(&loop);
    assert_true(work_ended);
}

static void the_clocks_go(void **state)
{
    (void)state;
    assert_true(wall_us() > 1700000000ull * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deferred_work_runs_once_and_may_defer_again),
        cmocka_unit_test(a_step_lets_the_others_have_their_turn),
        cmocka_unit_test(a_timer_is_never_early),
        cmocka_unit_test(of_many_timers_the_disarmed_and_the_far_ones_do_not_fire),
        cmocka_unit_test(one_timer_may_disarm_another_that_is_due),
        cmocka_unit_test(the_end_waits_for_the_pool),
        cmocka_unit_test(the_clocks_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
