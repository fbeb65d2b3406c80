/* Streams by address (common/address_limits.h). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "address_limits.h"

static struct client_ip v4(uint8_t last)
{
    return (struct client_ip){ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last } };
}

static struct client_ip v6(uint8_t net, uint8_t host)
{
    return (struct client_ip){ { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, net, 0, 0, 0, 0, 0, 0, 0, host } };
}

static void an_address_holds_so_many_streams_and_no_more(void **state)
{
    const struct limits_set set = { .per_address = 2, .rate = 0 };
    struct limits          *l = limits_new();
    struct client_ip        a = v4(1), b = v4(2);

    (void)state;
    assert_int_equal(limits_admit(l, &a, &set, 0), ZE_OK);
    assert_int_equal(limits_admit(l, &a, &set, 0), ZE_OK);
    assert_int_equal(limits_admit(l, &a, &set, 0), ZE_FULL);
    assert_int_equal(limits_admit(l, &b, &set, 0), ZE_OK);
    limits_release(l, &a, 0);
    assert_int_equal(limits_admit(l, &a, &set, 0), ZE_OK);
    limits_free(&l);
}

static void a_64_counts_as_one_address(void **state)
{
    const struct limits_set set = { .per_address = 1, .rate = 0 };
    struct limits          *l = limits_new();
    struct client_ip        a = v6(1, 1), same = v6(1, 9), other = v6(2, 1);

    (void)state;
    assert_int_equal(limits_admit(l, &a, &set, 0), ZE_OK);
    assert_int_equal(limits_admit(l, &same, &set, 0), ZE_FULL);
    assert_int_equal(limits_admit(l, &other, &set, 0), ZE_OK);
    limits_free(&l);
}

static void too_fast_is_refused_until_time_passes(void **state)
{
    const struct limits_set set = { .per_address = 0, .rate = 2 };
    struct limits          *l = limits_new();
    struct client_ip        a = v4(1);

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(limits_admit(l, &a, &set, 1000), ZE_OK);
    assert_int_equal(limits_admit(l, &a, &set, 1000), ZE_POLICY);
    assert_int_equal(limits_admit(l, &a, &set, 1600), ZE_OK);
    assert_int_equal(limits_admit(l, &a, &set, 1600), ZE_POLICY);
    limits_free(&l);
}

static void zero_means_no_limit(void **state)
{
    const struct limits_set set = { 0 };
    struct limits          *l = limits_new();
    struct client_ip        a = v4(1);

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(limits_admit(l, &a, &set, 0), ZE_OK);
    limits_free(&l);
}

static void addresses_without_streams_are_forgotten(void **state)
{
    const struct limits_set set = { .per_address = 10, .rate = 10 };
    struct limits          *l = limits_new();
    struct client_ip        held = v4(0);

    (void)state;
    assert_int_equal(limits_admit(l, &held, &set, 1), ZE_OK);
    for (uint8_t i = 1; i < 200; i++) {
        struct client_ip ip = v6(i, 1);
        assert_int_equal(limits_admit(l, &ip, &set, 1), ZE_OK);
        limits_release(l, &ip, 1);
    }
    assert_int_equal(limits_count(l), 200);
    struct client_ip late = v4(3);
    assert_int_equal(limits_admit(l, &late, &set, 60000), ZE_OK);
    assert_int_equal(limits_count(l), 2);
    limits_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_holds_so_many_streams_and_no_more),
        cmocka_unit_test(a_64_counts_as_one_address),
        cmocka_unit_test(too_fast_is_refused_until_time_passes),
        cmocka_unit_test(zero_means_no_limit),
        cmocka_unit_test(addresses_without_streams_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
