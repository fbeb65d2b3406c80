/* sm/handles: generations, also over a restart. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "handles.h"

static int a, b, c, d;

static void a_handle_of_something_gone_never_matches(void **state)
{
    struct handles *h = handles_new();
    uint64_t        first = handles_put(h, &a), second = handles_put(h, &b);

    (void)state;
    assert_ptr_equal(handles_get(h, first), &a);
    assert_ptr_equal(handles_remove(h, first), &a);
    assert_null(handles_get(h, first));
    uint64_t third = handles_put(h, &c);
    assert_int_equal((uint32_t)third, (uint32_t)first);      /* the same place */
    assert_null(handles_get(h, first));
    assert_ptr_equal(handles_get(h, third), &c);
    assert_ptr_equal(handles_get(h, second), &b);
    assert_int_equal(handles_count(h), 2);
    handles_free(&h);
}

static void restored_ones_are_where_they_were_and_old_ones_never_return(void **state)
{
    struct handles *h = handles_new();
    uint64_t        given[200], kept;
    size_t          count = 0;

    (void)state;
    for (int i = 0; i < 50; i++)
        given[count++] = handles_put(h, &a);
    for (int i = 0; i < 20; i++)
        handles_remove(h, given[i]);
    for (int i = 0; i < 20; i++)
        given[count++] = handles_put(h, &b);
    kept = given[count - 1];
    uint32_t floor = handles_highest(h);
    handles_free(&h);

    h = handles_new();
    handles_restore(h, kept, &c);
    handles_restored(h, floor);
    assert_ptr_equal(handles_get(h, kept), &c);
    assert_int_equal(handles_count(h), 1);
    for (int i = 0; i < 100; i++) {
        uint64_t fresh = handles_put(h, &d);
        for (size_t j = 0; j < count; j++)
            assert_int_not_equal(fresh, given[j]);
    }
    assert_ptr_equal(handles_get(h, kept), &c);
    assert_int_equal(handles_count(h), 101);
    handles_remove(h, kept);
    assert_int_not_equal(handles_put(h, &d), kept);
    handles_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_of_something_gone_never_matches),
        cmocka_unit_test(restored_ones_are_where_they_were_and_old_ones_never_return),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
