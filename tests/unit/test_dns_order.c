/* What s2sd does with answers: the order of targets (RFC 2782), the cache, the list of servers. */

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dns_cache.h"
#include "dns_servers.h"
#include "srv_order.h"

/* ---- order ---- */

static struct srv_target target(const char *host, uint16_t priority, uint16_t weight)
{
    struct srv_target t = { .port = 5269, .priority = priority, .weight = weight };

    snprintf(t.host, sizeof(t.host), "%s", host);
    return t;
}

static uint32_t always_least(void *arg, uint32_t most)
{
    (void)arg;
    (void)most;
    return 0;
}

static uint32_t always_most(void *arg, uint32_t most)
{
    (void)arg;
    return most;
}

/* A linear congruential generator: the same order every time the test runs. */
static uint32_t draw(void *arg, uint32_t most)
{
    uint64_t *seed = arg;

    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*seed >> 33) % ((uint64_t)most + 1));
}

static void lower_priority_comes_first_whatever_the_weight(void **state)
{
    struct srv_target t[] = { target("c", 30, 100), target("a", 10, 0), target("b", 20, 65535) };

    (void)state;
    srv_order(t, 3, always_most, NULL);
    assert_string_equal(t[0].host, "a");
    assert_string_equal(t[1].host, "b");
    assert_string_equal(t[2].host, "c");
}

static void the_number_drawn_chooses_within_a_priority(void **state)
{
    struct srv_target t[] = { target("heavy", 0, 90), target("zero", 0, 0), target("light", 0, 10) };

    (void)state;
    srv_order(t, 3, always_least, NULL);
    assert_string_equal(t[0].host, "zero");
    struct srv_target u[] = { target("heavy", 0, 90), target("zero", 0, 0), target("light", 0, 10) };
    srv_order(u, 3, always_most, NULL);
    assert_string_equal(u[0].host, "light");
    assert_string_equal(u[1].host, "heavy");
    assert_string_equal(u[2].host, "zero");
}

static void weights_are_chances(void **state)
{
    uint64_t seed = 7;
    unsigned heavy = 0, zero = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct srv_target t[] = { target("light", 0, 20), target("heavy", 0, 60), target("zero", 0, 0),
                                  target("other", 0, 20) };
        srv_order(t, 4, draw, &seed);
        heavy += t[0].host[0] == 'h';
        zero += t[0].host[0] == 'z';
    }
    assert_in_range(heavy, 5700, 6300);
    assert_in_range(zero, 1, 300);          /* "a very small chance" */
}

static void all_weights_zero_is_no_trouble(void **state)
{
    struct srv_target t[] = { target("a", 0, 0), target("b", 0, 0) };

    (void)state;
    srv_order(t, 2, always_most, NULL);
    srv_order(t, 0, always_most, NULL);
    assert_true(t[0].host[0] != t[1].host[0]);
}

/* ---- cache ---- */

static struct dns_answer found(uint32_t ttl)
{
    return (struct dns_answer){ .outcome = DNS_FOUND, .ttl = ttl };
}

static void answers_are_kept_within_bounds(void **state)
{
    struct dns_cache *c = dns_cache_new(10);
    struct dns_answer a = found(60), brief = found(0), nothing = { .outcome = DNS_NOTHING, .ttl = 99999 };

    (void)state;
    dns_cache_put(c, "A.example", DNS_A, &a, 1000);
    dns_cache_put(c, "b.example", DNS_A, &brief, 1000);
    dns_cache_put(c, "c.example", DNS_A, &nothing, 1000);
    assert_non_null(dns_cache_get(c, "a.example", DNS_A, 60999));
    assert_null(dns_cache_get(c, "a.example", DNS_AAAA, 1000));
    assert_null(dns_cache_get(c, "a.example", DNS_A, 61000));
    assert_non_null(dns_cache_get(c, "b.example", DNS_A, 10999));
    assert_null(dns_cache_get(c, "b.example", DNS_A, 11000));
    assert_int_equal(dns_cache_get(c, "c.example", DNS_A, 300999)->outcome, DNS_NOTHING);
    assert_null(dns_cache_get(c, "c.example", DNS_A, 301000));
    dns_cache_free(&c);
}

static void failures_are_not_kept(void **state)
{
    struct dns_cache *c = dns_cache_new(10);
    struct dns_answer failed = { .outcome = DNS_FAILED }, alias = { .outcome = DNS_ALIAS };

    (void)state;
    dns_cache_put(c, "a.example", DNS_A, &failed, 0);
    dns_cache_put(c, "a.example", DNS_A, &alias, 0);
    assert_int_equal(dns_cache_count(c), 0);
    dns_cache_free(&c);
}

static void the_cache_does_not_grow_over_its_limit(void **state)
{
    struct dns_cache *c = dns_cache_new(10);
    struct dns_answer a = found(600);
    char              name[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n%d.example", i);
        dns_cache_put(c, name, DNS_A, &a, (uint64_t)i);
        assert_true(dns_cache_count(c) <= 10);
        assert_non_null(dns_cache_get(c, name, DNS_A, (uint64_t)i));
    }
    dns_cache_free(&c);
}

/* ---- servers ---- */

static void servers_are_read(void **state)
{
    static const struct {
        const char *text;
        int         family;
        unsigned    port;
    } rows[] = {
        { "192.0.2.1", AF_INET, 53 },          { "192.0.2.1:5353", AF_INET, 5353 },
        { "2001:db8::1", AF_INET6, 53 },       { "[2001:db8::1]", AF_INET6, 53 },
        { "[2001:db8::1]:5353", AF_INET6, 5353 },
        { "", 0, 0 },                          { "dns.example", 0, 0 },
        { "192.0.2.1:", 0, 0 },                { "192.0.2.1:0", 0, 0 },
        { "192.0.2.1:65536", 0, 0 },           { "192.0.2.1:99999999999999999999", 0, 0 },
        { "[2001:db8::1", 0, 0 },              { "[2001:db8::1]x", 0, 0 },
    };
    struct sockaddr_storage at;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool good = dns_server_parse(slice_str(rows[i].text), &at);
        assert_int_equal(good, rows[i].family != 0);
        if (!good)
            continue;
        assert_int_equal(at.ss_family, rows[i].family);
        unsigned port = at.ss_family == AF_INET ? ((struct sockaddr_in *)&at)->sin_port
                                                : ((struct sockaddr_in6 *)&at)->sin6_port;
        assert_int_equal(ntohs((uint16_t)port), rows[i].port);
    }
}

static void resolv_conf_gives_its_first_two_servers(void **state)
{
    struct dns_servers s;

    (void)state;
    dns_servers_of_conf(SLICE("# nameserver 192.0.2.9\nsearch example\noptions timeout:1\n"
                              "nameserver\tfe80::1%eth0\nnameserver  192.0.2.1\r\nnameserver 2001:db8::1\n"
                              "nameserver 192.0.2.3"),
                        &s);
    assert_int_equal(s.count, 2);
    dns_servers_of_conf(SLICE("nameserver 192.0.2.1"), &s);
    assert_int_equal(s.count, 1);
    assert_int_equal(((struct sockaddr_in *)&s.server[0])->sin_addr.s_addr, htonl(0xc0000201));
    dns_servers_of_conf(SLICE("nameserver\n\nnameserver junk\nnameserver"), &s);
    assert_int_equal(s.count, 0);
}

static void without_any_server_it_is_the_local_one(void **state)
{
    struct dns_servers s;

    (void)state;
    assert_true(dns_servers_find("", "/nonexistent/resolv.conf", &s));
    assert_int_equal(((struct sockaddr_in *)&s.server[0])->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_false(dns_servers_find("nowhere", "/nonexistent/resolv.conf", &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lower_priority_comes_first_whatever_the_weight),
        cmocka_unit_test(the_number_drawn_chooses_within_a_priority),
        cmocka_unit_test(weights_are_chances),
        cmocka_unit_test(all_weights_zero_is_no_trouble),
        cmocka_unit_test(answers_are_kept_within_bounds),
        cmocka_unit_test(failures_are_not_kept),
        cmocka_unit_test(the_cache_does_not_grow_over_its_limit),
        cmocka_unit_test(servers_are_read),
        cmocka_unit_test(resolv_conf_gives_its_first_two_servers),
        cmocka_unit_test(without_any_server_it_is_the_local_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
