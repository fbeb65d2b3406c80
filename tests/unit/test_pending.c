/* common/pending.c: a question ends once: by answer, by deadline, or silently with its asker. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pending.h"

struct asker {
    struct pending *pending;
    int             answers, timeouts;
    const void     *last;
    bool            forget_inside, ask_inside;
};

static void answered(void *owner, const void *answer, enum zerr why)
{
    struct asker *a = owner;

    if (why == ZE_OK)
        a->answers++;
    if (why == ZE_TIMEOUT)
        a->timeouts++;
    a->last = answer;
    if (a->forget_inside)
        pending_forget(a->pending, a);
    if (a->ask_inside) {
        a->ask_inside = false;
        pending_add(a->pending, a, answered, 10);
    }
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static void run_for(struct loop *loop, uint64_t ms)
{
    struct timer end = { .fire = stop, .arg = loop };

    timer_arm(loop, &end, ms);
    loop_run(loop);
}

static void an_answer_comes_once(void **state)
{
    struct loop    *loop = loop_new();
    struct pending *p = pending_new(loop);
    struct asker    a = { .pending = p };

    (void)state;
    uint64_t one = pending_add(p, &a, answered, 100), two = pending_add(p, &a, answered, 100);
    assert_true(one != two);
    assert_int_equal(pending_count(p), 2);
    assert_true(pending_answer(p, two, "yes"));
    assert_false(pending_answer(p, two, "again"));
    assert_false(pending_answer(p, 999999, "never asked"));
    assert_string_equal(a.last, "yes");
    run_for(loop, 300);
    assert_int_equal(a.answers, 1);
    assert_int_equal(a.timeouts, 1);
    assert_null(a.last);
    assert_false(pending_answer(p, one, "too late"));
    assert_int_equal(pending_count(p), 0);
    pending_free(&p);
    assert_null(p);
    loop_free(&loop);
}

static void a_dead_asker_is_not_called(void **state)
{
    struct loop    *loop = loop_new();
    struct pending *p = pending_new(loop);
    struct asker    dead = { .pending = p }, alive = { .pending = p };

    (void)state;
    uint64_t lost = pending_add(p, &dead, answered, 50);
    pending_add(p, &alive, answered, 50);
    pending_add(p, &dead, answered, 50);
    pending_forget(p, &dead);
    pending_forget(p, &dead);
    assert_false(pending_answer(p, lost, "x"));
    run_for(loop, 200);
    assert_int_equal(dead.answers + dead.timeouts, 0);
    assert_int_equal(alive.timeouts, 1);
    pending_free(&p);
    loop_free(&loop);
}

static void an_answer_may_ask_or_forget(void **state)
{
    struct loop    *loop = loop_new();
    struct pending *p = pending_new(loop);
    struct asker    a = { .pending = p, .ask_inside = true }, b = { .pending = p, .forget_inside = true };

    (void)state;
    assert_true(pending_answer(p, pending_add(p, &a, answered, 50), "x"));
    assert_int_equal(pending_count(p), 1);
    pending_add(p, &b, answered, 5000);
    assert_true(pending_answer(p, pending_add(p, &b, answered, 50), "x"));
    assert_int_equal(pending_count(p), 1);
    run_for(loop, 200);
    assert_int_equal(a.timeouts, 1);
    assert_int_equal(b.timeouts, 0);
    pending_add(p, &a, answered, 5000);        /* pending_free forgets it */
    pending_free(&p);
    loop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_once),
        cmocka_unit_test(a_dead_asker_is_not_called),
        cmocka_unit_test(an_answer_may_ask_or_forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
