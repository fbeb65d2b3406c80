/* DNS messages (s2sd/dns_packet.h): questions, answers, aliases, lies. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "buf.h"
#include "dns_packet.h"

enum { ID = 0x1234 };
static const char service[] = "_xmpp-server._tcp.im.example";

/* ---- answers made by hand ---- */

static void put_16(struct buf *out, unsigned v)
{
    buf_put_u8(out, (uint8_t)(v >> 8));
    buf_put_u8(out, (uint8_t)v);
}

static void put_32(struct buf *out, uint32_t v)
{
    put_16(out, v >> 16);
    put_16(out, v & 0xffff);
}

static void put_name(struct buf *out, const char *name)
{
    while (*name) {
        size_t label = strcspn(name, ".");
        buf_put_u8(out, (uint8_t)label);
        buf_put(out, name, label);
        name += label + (name[label] == '.');
    }
    buf_put_u8(out, 0);
}

static void put_head(struct buf *out, unsigned flags, unsigned answers, unsigned authority, const char *name,
                     unsigned type)
{
    put_16(out, ID);
    put_16(out, 0x8180 | flags);
    put_16(out, 1);
    put_16(out, answers);
    put_16(out, authority);
    put_16(out, 0);
    put_name(out, name);
    put_16(out, type);
    put_16(out, 1);
}

static void put_record(struct buf *out, const char *owner, unsigned type, uint32_t ttl, struct slice data)
{
    put_name(out, owner);
    put_16(out, type);
    put_16(out, 1);
    put_32(out, ttl);
    put_16(out, (unsigned)data.len);
    buf_put_slice(out, data);
}

static void put_srv(struct buf *out, const char *owner, uint32_t ttl, unsigned priority, unsigned weight,
                    unsigned port, const char *target)
{
    struct buf data = { 0 };

    put_16(&data, priority);
    put_16(&data, weight);
    put_16(&data, port);
    put_name(&data, target);
    put_record(out, owner, DNS_SRV, ttl, buf_slice(&data));
    buf_free(&data);
}

static void put_alias(struct buf *out, const char *owner, const char *target)
{
    struct buf data = { 0 };

    put_name(&data, target);
    put_record(out, owner, 5, 60, buf_slice(&data));
    buf_free(&data);
}

static void put_soa(struct buf *out, uint32_t ttl, uint32_t minimum)
{
    struct buf data = { 0 };

    put_name(&data, "ns.example");
    put_name(&data, "root.example");
    for (int i = 0; i < 4; i++)
        put_32(&data, 1000);
    put_32(&data, minimum);
    put_record(out, "example", 6, ttl, buf_slice(&data));
    buf_free(&data);
}

/* Takes the bytes. */
static struct dns_answer *answer_to(struct buf *bytes, const char *name, unsigned type)
{
    struct dns_answer *a = dns_answer_read(buf_slice(bytes), ID, name, type);

    buf_free(bytes);
    return a;
}

/* ---- questions ---- */

static void a_question_is_read_back_as_no_answer(void **state)
{
    struct buf q = { 0 };

    (void)state;
    assert_int_equal(dns_query_write(&q, ID, service, DNS_SRV), ZE_OK);
    struct slice bytes = buf_slice(&q);
    assert_int_equal(bytes.p[0] << 8 | bytes.p[1], ID);
    assert_int_equal(bytes.p[2] & 0x81, 0x01);          /* a question, recursion desired */
    assert_non_null(memmem(bytes.p, bytes.len, "\x0c_xmpp-server\x04_tcp\x02im\x07" "example", 27));
    assert_null(dns_answer_read(bytes, ID, service, DNS_SRV));
    buf_free(&q);
}

static void names_that_are_no_host_names_are_not_asked(void **state)
{
    static const char *const bad[] = { "", ".", "a..b", "a b", ".a", "a.", "a\\.b", "\xc3\xbc.example",
        "a123456789b123456789c123456789d123456789e123456789f123456789g123.example" };
    struct buf q = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(dns_query_write(&q, ID, bad[i], DNS_A), ZE_BAD_REQUEST);
    assert_int_equal(buf_len(&q), 0);
}

static void case_is_mixed_by_the_bits(void **state)
{
    char name[] = "ab-1.cd";

    (void)state;
    dns_mix_case(name, 1u << 0 | 1u << 2 | 1u << 6);
    assert_string_equal(name, "Ab-1.cD");
}

/* ---- answers ---- */

static void services_are_read(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 0, 2, 0, service, DNS_SRV);
    put_srv(&b, service, 300, 10, 5, 5269, "One.Example");
    put_srv(&b, "_XMPP-Server._tcp.im.example", 200, 20, 0, 5270, "two.example");
    struct dns_answer *a = answer_to(&b, service, DNS_SRV);
    assert_int_equal(a->outcome, DNS_FOUND);
    assert_int_equal(a->count, 2);
    assert_int_equal(a->ttl, 200);
    assert_string_equal(a->record[0].target, "one.example");
    assert_int_equal(a->record[0].priority, 10);
    assert_int_equal(a->record[0].weight, 5);
    assert_int_equal(a->record[1].port, 5270);
    free(a);
}

static void the_root_as_target_is_an_empty_name(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 0, 1, 0, service, DNS_SRV);
    put_srv(&b, service, 300, 0, 0, 0, "");
    struct dns_answer *a = answer_to(&b, service, DNS_SRV);
    assert_int_equal(a->count, 1);
    assert_string_equal(a->record[0].target, "");
    free(a);
}

static void aliases_are_followed_within_the_answer(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 0, 3, 0, "a.example", DNS_A);
    put_alias(&b, "a.example", "b.example");
    put_alias(&b, "b.example", "c.example");
    put_record(&b, "c.example", DNS_A, 3600, SLICE("\x7f\x00\x00\x01"));
    struct dns_answer *a = answer_to(&b, "a.example", DNS_A);
    assert_int_equal(a->outcome, DNS_FOUND);
    assert_int_equal(a->ttl, 60);
    assert_memory_equal(a->record[0].address, "\x7f\x00\x00\x01", 4);
    free(a);
}

static void records_of_other_names_are_not_taken(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 0, 1, 0, "a.example", DNS_A);
    put_record(&b, "evil.example", DNS_A, 3600, SLICE("\x7f\x00\x00\x01"));
    struct dns_answer *a = answer_to(&b, "a.example", DNS_A);
    assert_int_equal(a->outcome, DNS_NOTHING);
    free(a);
}

static void an_alias_that_leads_out_has_to_be_asked(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 0, 1, 0, "a.example", DNS_A);
    put_alias(&b, "a.example", "far.example");
    struct dns_answer *a = answer_to(&b, "a.example", DNS_A);
    assert_int_equal(a->outcome, DNS_ALIAS);
    assert_string_equal(a->alias, "far.example");
    free(a);
}

static void a_loop_of_aliases_is_a_failure(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 0, 2, 0, "a.example", DNS_A);
    put_alias(&b, "a.example", "b.example");
    put_alias(&b, "b.example", "a.example");
    struct dns_answer *a = answer_to(&b, "a.example", DNS_A);
    assert_int_equal(a->outcome, DNS_FAILED);
    free(a);
}

static void nothing_lasts_as_long_as_the_zone_says(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 3, 0, 1, "a.example", DNS_A);          /* NXDOMAIN */
    put_soa(&b, 900, 120);
    struct dns_answer *a = answer_to(&b, "a.example", DNS_A);
    assert_int_equal(a->outcome, DNS_NOTHING);
    assert_int_equal(a->ttl, 120);
    free(a);
}

static void servers_that_fail_say_nothing(void **state)
{
    static const unsigned codes[] = { 1, 2, 4, 5 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct buf b = { 0 };
        put_head(&b, codes[i], 0, 0, "a.example", DNS_A);
        struct dns_answer *a = answer_to(&b, "a.example", DNS_A);
        assert_int_equal(a->outcome, DNS_FAILED);
        free(a);
    }
}

static void a_truncated_answer_is_asked_again(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 0x0200, 0, 0, "a.example", DNS_A);
    struct dns_answer *a = answer_to(&b, "a.example", DNS_A);
    assert_int_equal(a->outcome, DNS_TRUNCATED);
    free(a);
}

static void what_was_not_asked_is_no_answer(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 0, 1, 0, "a.example", DNS_A);
    put_record(&b, "a.example", DNS_A, 60, SLICE("\x7f\x00\x00\x01"));
    struct slice bytes = buf_slice(&b);
    assert_null(dns_answer_read(bytes, ID + 1, "a.example", DNS_A));
    assert_null(dns_answer_read(bytes, ID, "A.example", DNS_A));       /* the case counts */
    assert_null(dns_answer_read(bytes, ID, "b.example", DNS_A));
    assert_null(dns_answer_read(bytes, ID, "a.example", DNS_AAAA));
    struct dns_answer *a = dns_answer_read(bytes, ID, "a.example", DNS_A);
    assert_non_null(a);
    free(a);
    buf_free(&b);
}

static void an_address_of_the_wrong_length_is_not_taken(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 0, 1, 0, "a.example", DNS_AAAA);
    put_record(&b, "a.example", DNS_AAAA, 60, SLICE("\x7f\x00\x00\x01"));
    struct dns_answer *a = answer_to(&b, "a.example", DNS_AAAA);
    assert_true(!a || a->count == 0);
    free(a);
}

static void cut_and_changed_packets_are_survived(void **state)
{
    struct buf whole = { 0 };

    (void)state;
    put_head(&whole, 0, 2, 1, service, DNS_SRV);
    put_srv(&whole, service, 300, 10, 5, 5269, "one.example");
    put_srv(&whole, service, 300, 10, 5, 5269, "two.example");
    put_soa(&whole, 900, 120);
    struct slice bytes = buf_slice(&whole);
    for (size_t len = 0; len < bytes.len; len++)
        free(dns_answer_read(slice_of(bytes.p, len), ID, service, DNS_SRV));
    uint8_t *copy = malloc(bytes.len);
    for (size_t at = 0; at < bytes.len; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(copy, bytes.p, bytes.len);
            copy[at] ^= (uint8_t)(1u << bit);
            free(dns_answer_read(slice_of(copy, bytes.len), ID, service, DNS_SRV));
        }
    free(copy);
    buf_free(&whole);
}

static void compression_that_points_at_itself_is_refused(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_head(&b, 0, 1, 0, "a.example", DNS_A);
    size_t at = buf_len(&b);
    put_16(&b, 0xc000 | (unsigned)at);
    put_16(&b, DNS_A);
    put_16(&b, 1);
    put_32(&b, 60);
    put_16(&b, 4);
    buf_put(&b, "\x7f\x00\x00\x01", 4);
    assert_null(answer_to(&b, "a.example", DNS_A));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_read_back_as_no_answer),
        cmocka_unit_test(names_that_are_no_host_names_are_not_asked),
        cmocka_unit_test(case_is_mixed_by_the_bits),
        cmocka_unit_test(services_are_read),
        cmocka_unit_test(the_root_as_target_is_an_empty_name),
        cmocka_unit_test(aliases_are_followed_within_the_answer),
        cmocka_unit_test(records_of_other_names_are_not_taken),
        cmocka_unit_test(an_alias_that_leads_out_has_to_be_asked),
        cmocka_unit_test(a_loop_of_aliases_is_a_failure),
        cmocka_unit_test(nothing_lasts_as_long_as_the_zone_says),
        cmocka_unit_test(servers_that_fail_say_nothing),
        cmocka_unit_test(a_truncated_answer_is_asked_again),
        cmocka_unit_test(what_was_not_asked_is_no_answer),
        cmocka_unit_test(an_address_of_the_wrong_length_is_not_taken),
        cmocka_unit_test(cut_and_changed_packets_are_survived),
        cmocka_unit_test(compression_that_points_at_itself_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
