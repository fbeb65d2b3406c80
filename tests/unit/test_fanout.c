/* proto/fanout.c: recipient lists, whole and torn. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fanout.h"

static void recipients_come_back_in_order(void **state)
{
    (void)state;
    struct buf list = { 0 };
    struct fanout_entry e;

    fanout_put(&list, 7, SLICE("a@b/c"));
    fanout_put(&list, 8, (struct slice){ 0 });
    fanout_put(&list, 0, SLICE("d@e"));
    struct cursor c = { buf_slice(&list), false };
    assert_true(fanout_next(&c, &e));
    assert_true(e.handle == 7 && slice_is(e.jid, "a@b/c"));
    assert_true(fanout_next(&c, &e));
    assert_true(e.handle == 8 && e.jid.len == 0);
    assert_true(fanout_next(&c, &e));
    assert_true(e.handle == 0 && slice_is(e.jid, "d@e"));
    assert_false(fanout_next(&c, &e));
    assert_false(c.bad);
    buf_free(&list);
}

static void a_torn_list_is_seen(void **state)
{
    (void)state;
    struct buf list = { 0 };

    fanout_put(&list, 7, SLICE("a@b/c"));
    for (size_t n = 1; n < buf_len(&list); n++) {
        struct fanout_entry e;
        struct cursor c = { slice_of(buf_slice(&list).p, n), false };
        assert_false(fanout_next(&c, &e));
        assert_true(c.bad);
        assert_false(fanout_next(&c, &e));
    }
    buf_free(&list);
}

static void nobody_is_no_recipient(void **state)
{
    (void)state;
    static const uint8_t nobody[10] = { 0 };
    uint8_t endless[10 + 5000] = { 1, 0, 0, 0, 0, 0, 0, 0, 0x88, 0x13 };
    struct fanout_entry e;

    struct cursor c = { slice_of(nobody, sizeof(nobody)), false };
    assert_false(fanout_next(&c, &e));
    assert_true(c.bad);
    c = (struct cursor){ slice_of(endless, sizeof(endless)), false };
    assert_false(fanout_next(&c, &e));      /* 5,000 bytes are no JID */
    assert_true(c.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipients_come_back_in_order),
        cmocka_unit_test(a_torn_list_is_seen),
        cmocka_unit_test(nobody_is_no_recipient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
