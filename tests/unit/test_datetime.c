/* proto/datetime.c, delay.c: XEP-0082, XEP-0203. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "datetime.h"
#include "delay.h"

static void assert_reads(const char *text, uint64_t expected)
{
    uint64_t us = 42;

    assert_int_equal(datetime_parse(slice_str(text), &us), ZE_OK);
    assert_int_equal(us, expected);
}

static void writes_utc(void **state)
{
    char out[DATETIME_MAX];

    datetime_write(out, UINT64_C(1795230245678901));
    assert_string_equal(out, "2026-11-21T03:04:05.678901Z");
    datetime_write(out, UINT64_C(1795230245000000));
    assert_string_equal(out, "2026-11-21T03:04:05Z");
    datetime_write(out, 0);
    assert_string_equal(out, "1970-01-01T00:00:00Z");
    datetime_write(out, UINT64_MAX);
    assert_string_equal(out, "9999-12-31T23:59:59Z");
}

static void reads_every_profile(void **state)
{
    assert_reads("2026-11-21T03:04:05.678901Z", UINT64_C(1795230245678901));
    assert_reads("2026-11-21T03:04:05Z", UINT64_C(1795230245000000));
    assert_reads("2026-11-21T05:04:05.5+02:00", UINT64_C(1795230245500000));
    assert_reads("2026-11-20T21:34:05-05:30", UINT64_C(1795230245000000));
    assert_reads("2026-11-21T03:04:05.6789019999999Z", UINT64_C(1795230245678901));
    assert_reads("1970-01-01T00:00:00Z", 0);
    assert_reads("1970-01-02", UINT64_C(86400000000));
    assert_reads("2024-02-29T00:00:00Z", UINT64_C(1709164800000000));
}

static void refuses_what_is_none(void **state)
{
    static const char *const bad[] = {
        "", "2026", "2026-11-21T03:04:05", "2026-11-21 03:04:05Z", "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-21T24:00:00Z", "2026-11-21T00:60:00Z", "2026-11-21T00:00:60Z", "2026-11-21T03:04:05.Z",
        "2026-11-21T03:04:05Zx", "2026-11-21T03:04:05+15:00", "2026-11-21T03:04:05+0200",
        "1969-12-31T23:59:59Z",
        "20261121T03:04:05", "2026-1-21T03:04:05Z", "-026-11-21T03:04:05Z", "2026-00-10", "2026-01-00",
        "03:04:05Z",
    };
    uint64_t us = 42;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (datetime_parse(slice_str(bad[i]), &us) != ZE_BAD_REQUEST)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(us, 42);
}

static void what_is_written_can_be_read(void **state)
{
    char     out[DATETIME_MAX];
    uint64_t us = 1, back;

    for (int i = 0; i < 5000; i++, us = us * 6364136223846793005u + 1442695040888963407u) {
        uint64_t t = us % UINT64_C(253402300800000000);
        datetime_write(out, t);
        assert_int_equal(datetime_parse(slice_str(out), &back), ZE_OK);
        assert_int_equal(back, t);
    }
}

static void delay_is_xep_0203(void **state)
{
    struct buf b = { 0 };

    delay_write(&b, SLICE("o'hara.example"), UINT64_C(1795230245000000));
    delay_write(&b, (struct slice){ 0 }, 0);
    buf_put_u8(&b, 0);
    assert_string_equal((const char *)buf_slice(&b).p,
                        "<delay xmlns='urn:xmpp:delay' from='o&apos;hara.example' "
                        "stamp='2026-11-21T03:04:05Z'/>"
                        "<delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:00Z'/>");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_utc),
        cmocka_unit_test(reads_every_profile),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(delay_is_xep_0203),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
