/* common/err.c: every error has a text, a name and a stanza condition. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"

static void every_error_is_described(void **state)
{
    (void)state;
    for (int err = -1; err > ZE_LAST; err--) {
        assert_string_not_equal(err_text(err), "unknown error");
        assert_true(strlen(err_name(err)) > 2);
        assert_true(strlen(err_condition(err)) > 2);
    }
    assert_string_equal(err_name(ZE_NOT_FOUND), "not_found");
    assert_string_equal(err_condition(ZE_NOT_FOUND), "item-not-found");
    assert_string_equal(err_type(ZE_NOT_FOUND), "cancel");
}

static void strangers_are_undefined(void **state)
{
    (void)state;
    assert_string_equal(err_text(0), "ok");
    assert_string_equal(err_text(-9999), "unknown error");
    assert_string_equal(err_condition(0), "undefined-condition");
    assert_string_equal(err_type(7), "cancel");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_is_described),
        cmocka_unit_test(strangers_are_undefined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
