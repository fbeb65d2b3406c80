/* sm/login_throttle: who is refused, who waits, and who is let in all the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "login_throttle.h"
#include "mem.h"

static const struct login_rules rules = {
    .pair_max = 3, .address_max = 6, .account_max = 5, .refuse_ms = 1000, .refuse_max_ms = 60000,
    .delay_max_ms = 4000,
};

static struct login_try from(const char *address, const char *jid)
{
    return (struct login_try){ slice_str(address), slice_str(jid) };
}

static void failures(struct login_throttle *t, const char *address, const char *jid, unsigned times, uint64_t now)
{
    struct login_try who = from(address, jid);

    for (unsigned i = 0; i < times; i++)
        login_failed(t, &who, &rules, now);
}

static bool allowed(struct login_throttle *t, const char *address, const char *jid, uint64_t now)
{
    struct login_try who = from(address, jid);

    return login_allowed(t, &who, &rules, now);
}

static uint64_t delay(struct login_throttle *t, const char *address, const char *jid, uint64_t now)
{
    struct login_try who = from(address, jid);

    return login_delay(t, &who, &rules, now);
}

static int start(void **state)
{
    *state = login_throttle_new();
    return 0;
}

static int end(void **state)
{
    login_throttle_free((struct login_throttle **)state);
    return 0;
}

static void an_account_is_refused_where_it_failed_and_nowhere_else(void **state)
{
    failures(*state, "192.0.2.1", "juliet@a", 2, 100000);
    assert_true(allowed(*state, "192.0.2.1", "juliet@a", 100000));
    failures(*state, "192.0.2.1", "juliet@a", 1, 100000);
    assert_false(allowed(*state, "192.0.2.1", "juliet@a", 100999));
    assert_true(allowed(*state, "192.0.2.1", "juliet@a", 101000));
    assert_true(allowed(*state, "192.0.2.1", "romeo@a", 100999));
    assert_true(allowed(*state, "192.0.2.2", "juliet@a", 100999));
}

static void each_further_failure_doubles_it_up_to_the_longest(void **state)
{
    failures(*state, "192.0.2.1", "juliet@a", 5, 100000);
    assert_false(allowed(*state, "192.0.2.1", "juliet@a", 103999));
    assert_true(allowed(*state, "192.0.2.1", "juliet@a", 104000));
    failures(*state, "192.0.2.1", "juliet@a", 70, 104000);
    assert_false(allowed(*state, "192.0.2.1", "juliet@a", 163999));
    assert_true(allowed(*state, "192.0.2.1", "juliet@a", 164000));
}

static void an_address_is_refused_for_all_but_who_logged_in_from_it(void **state)
{
    struct login_try romeo = from("192.0.2.1", "romeo@a");

    login_succeeded(*state, &romeo, 100000);
    for (unsigned i = 0; i < 6; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%u@a", i);
        failures(*state, "192.0.2.1", name, 1, 100000);
    }
    assert_false(allowed(*state, "192.0.2.1", "juliet@a", 100000));
    assert_false(allowed(*state, "192.0.2.1", "", 100000));
    assert_true(allowed(*state, "192.0.2.1", "romeo@a", 100000));
    assert_true(allowed(*state, "192.0.2.9", "juliet@a", 100000));
    failures(*state, "192.0.2.1", "romeo@a", 3, 100000);
    assert_false(allowed(*state, "192.0.2.1", "romeo@a", 100000));
}

/* A stranger with many addresses: the owner waits at a new place, not at a usual one, and is let in at both. */
static void an_account_is_never_refused_everywhere(void **state)
{
    struct login_try home = from("198.51.100.7", "juliet@a");

    login_succeeded(*state, &home, 100000);
    for (unsigned i = 0; i < 200; i++) {
        char address[32];

        snprintf(address, sizeof(address), "203.0.113.%u", i);
        failures(*state, address, "juliet@a", 2, 100000);
    }
    assert_true(allowed(*state, "192.0.2.1", "juliet@a", 100000));
    assert_int_equal(delay(*state, "192.0.2.1", "juliet@a", 100000), 4000);
    assert_int_equal(delay(*state, "198.51.100.7", "juliet@a", 100000), 0);
    assert_int_equal(delay(*state, "192.0.2.1", "romeo@a", 100000), 0);
    assert_int_equal(delay(*state, "192.0.2.1", "juliet@a", 160000), 0);
}

static void the_delay_grows(void **state)
{
    failures(*state, "192.0.2.1", "juliet@a", 4, 100000);
    assert_int_equal(delay(*state, "192.0.2.2", "juliet@a", 100000), 0);
    failures(*state, "192.0.2.1", "juliet@a", 1, 100000);
    assert_int_equal(delay(*state, "192.0.2.2", "juliet@a", 100000), 1000);
    failures(*state, "192.0.2.1", "juliet@a", 1, 100000);
    assert_int_equal(delay(*state, "192.0.2.2", "juliet@a", 100000), 2000);
}

static void success_clears_the_account_and_not_the_address(void **state)
{
    struct login_try mine = from("192.0.2.1", "mallory@a");

    failures(*state, "192.0.2.1", "juliet@a", 2, 100000);
    failures(*state, "192.0.2.1", "mallory@a", 2, 100000);
    login_succeeded(*state, &mine, 100000);
    failures(*state, "192.0.2.1", "mallory@a", 2, 100000);
    assert_true(allowed(*state, "192.0.2.1", "mallory@a", 100000));
    assert_false(allowed(*state, "192.0.2.1", "juliet@a", 100000));
}

static void all_is_forgotten_after_a_quiet_while(void **state)
{
    failures(*state, "192.0.2.1", "juliet@a", 2, 100000);
    failures(*state, "192.0.2.1", "juliet@a", 2, 160000);
    assert_true(allowed(*state, "192.0.2.1", "juliet@a", 160000));
}

static void addresses_of_one_household_are_one(void **state)
{
    failures(*state, "2001:db8:0:1::5", "juliet@a", 3, 100000);
    assert_false(allowed(*state, "2001:db8:0:1:ffff::1", "juliet@a", 100000));
    assert_true(allowed(*state, "2001:db8:0:2::5", "juliet@a", 100000));
    failures(*state, "::ffff:192.0.2.1", "juliet@a", 3, 100000);
    assert_false(allowed(*state, "192.0.2.1", "juliet@a", 100000));
}

static void no_limit_means_none(void **state)
{
    struct login_rules none = { .refuse_ms = 1000, .refuse_max_ms = 60000, .delay_max_ms = 4000 };
    struct login_try   who = from("192.0.2.1", "juliet@a");

    for (unsigned i = 0; i < 100; i++)
        login_failed(*state, &who, &none, 100000);
    assert_true(login_allowed(*state, &who, &none, 100000));
    assert_int_equal(login_delay(*state, &who, &none, 100000), 0);
}

static void memory_is_bounded_and_the_oldest_goes_first(void **state)
{
    failures(*state, "192.0.2.1", "juliet@a", 3, 100000);
    for (unsigned i = 0; i < LOGIN_ENTRIES; i++) {
        char address[32];

        snprintf(address, sizeof(address), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        failures(*state, address, "", 1, 100000);
    }
    assert_int_equal(login_throttle_count(*state), LOGIN_ENTRIES);
    assert_true(allowed(*state, "192.0.2.1", "juliet@a", 100000));
    assert_true(allowed(*state, "10.0.117.0", "juliet@a", 100000));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        T(an_account_is_refused_where_it_failed_and_nowhere_else),
        T(each_further_failure_doubles_it_up_to_the_longest),
        T(an_address_is_refused_for_all_but_who_logged_in_from_it),
        T(an_account_is_never_refused_everywhere),
        T(the_delay_grows),
        T(success_clears_the_account_and_not_the_address),
        T(all_is_forgotten_after_a_quiet_while),
        T(addresses_of_one_household_are_one),
        T(no_limit_means_none),
        T(memory_is_bounded_and_the_oldest_goes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
