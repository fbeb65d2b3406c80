/* proto/login.c: bodies of the login frames, round trip and cut at every byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "login.h"

static void put_certified(struct buf *out, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char jid[32];

        snprintf(jid, sizeof jid, "name%u@localhost", i);
        buf_put_sized(out, slice_str(jid));
    }
}

static void auth_start_returns(void **state)
{
    (void)state;
    struct auth_start got, sent = {
        .domain = SLICE("localhost"), .from = SLICE("a@localhost"), .mechanism = SLICE("SCRAM-SHA-256-PLUS"),
        .sasl2 = true, .binding = { { SLICE("tls-exporter"), SLICE("\1\2\3") }, { SLICE("b"), SLICE("\4") } },
        .bindings = 2, .advertised = SLICE("A\x1e" "B\x1f" "c"), .plus_offered = true, .secure = true,
        .has_initial = true, .initial = SLICE("p=..."), .address = SLICE("::1"),
        .client = { SLICE("id"), SLICE("software"), SLICE("device") }, .inlines = SLICE("<x/>"),
    };
    struct buf   b = { 0 }, certified = { 0 };
    struct slice jid;

    put_certified(&certified, 2);
    sent.certified = buf_slice(&certified);
    auth_start_put(&b, &sent);
    assert_int_equal(auth_start_take(buf_slice(&b), &got), ZE_OK);
    assert_true(slice_eq(got.domain, sent.domain) && slice_eq(got.mechanism, sent.mechanism));
    assert_true(slice_eq(got.from, sent.from) && got.sasl2 && got.bindings == 2);
    for (unsigned i = 0; i < 2; i++)
        assert_true(slice_eq(got.binding[i].name, sent.binding[i].name) &&
                    slice_eq(got.binding[i].data, sent.binding[i].data));
    assert_true(slice_eq(got.advertised, sent.advertised));
    assert_true(got.plus_offered && got.secure && got.has_initial);
    assert_true(slice_eq(got.initial, sent.initial) && slice_eq(got.address, sent.address));
    assert_true(slice_eq(got.client.id, sent.client.id) && slice_eq(got.client.software, sent.client.software));
    assert_true(slice_eq(got.client.device, sent.client.device) && slice_eq(got.inlines, sent.inlines));
    struct cursor named = { got.certified, false };
    assert_true(auth_certified_next(&named, &jid) && slice_is(jid, "name0@localhost"));
    assert_true(auth_certified_next(&named, &jid) && slice_is(jid, "name1@localhost"));
    assert_false(auth_certified_next(&named, &jid));
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(auth_start_take(slice_of(buf_slice(&b).p, n), &got), ZE_PROTOCOL);
    buf_put_u8(&b, 0);
    assert_int_equal(auth_start_take(buf_slice(&b), &got), ZE_PROTOCOL);
    buf_free(&b);
    buf_free(&certified);
}

static void certified_names_are_whole_and_not_too_many(void **state)
{
    (void)state;
    struct auth_start got, sent = { .domain = SLICE("localhost") };

    for (unsigned count = AUTH_CERTIFIED_MAX; count <= AUTH_CERTIFIED_MAX + 1; count++) {
        struct buf b = { 0 }, certified = { 0 };

        put_certified(&certified, count);
        sent.certified = buf_slice(&certified);
        auth_start_put(&b, &sent);
        assert_int_equal(auth_start_take(buf_slice(&b), &got), count > AUTH_CERTIFIED_MAX ? ZE_PROTOCOL : ZE_OK);
        buf_reset(&b, 0);
        sent.certified.len--;
        auth_start_put(&b, &sent);
        assert_int_equal(auth_start_take(buf_slice(&b), &got), ZE_PROTOCOL);
        buf_free(&b);
        buf_free(&certified);
    }
}

static void more_bindings_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    struct auth_start got, sent = { .domain = SLICE("d"), .bindings = AUTH_BINDINGS_MAX };
    struct buf b = { 0 };

    auth_start_put(&b, &sent);
    assert_int_equal(auth_start_take(buf_slice(&b), &got), ZE_OK);
    assert_int_equal(buf_slice(&b).p[14], AUTH_BINDINGS_MAX);
    b.bytes[b.start + 14]++;
    assert_int_equal(auth_start_take(buf_slice(&b), &got), ZE_PROTOCOL);
    buf_free(&b);
}

static void auth_step_returns(void **state)
{
    (void)state;
    struct auth_step got, sent = { AUTH_CONTINUE, true, SLICE("v=x"), SLICE("UPGR-X"), SLICE("<x/>") };
    struct buf b = { 0 };

    auth_step_put(&b, &sent);
    assert_int_equal(auth_step_take(buf_slice(&b), &got), ZE_OK);
    assert_true(got.kind == AUTH_CONTINUE && got.has_data && slice_is(got.data, "v=x"));
    assert_true(slice_is(got.task, "UPGR-X") && slice_is(got.content, "<x/>"));
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(auth_step_take(slice_of(buf_slice(&b).p, n), &got), ZE_PROTOCOL);
    b.bytes[b.start] = AUTH_STEP_END;
    assert_int_equal(auth_step_take(buf_slice(&b), &got), ZE_PROTOCOL);
    b.bytes[b.start] = 0;
    assert_int_equal(auth_step_take(buf_slice(&b), &got), ZE_PROTOCOL);
    buf_free(&b);
}

static void auth_done_returns(void **state)
{
    (void)state;
    struct auth_done got, sent = { true, SLICE("a@b"), SLICE("ticket"), true, SLICE("v=x"), { 0 }, { 0 }, SLICE("<t/>") };
    struct auth_done failed = { false, { 0 }, { 0 }, false, { 0 }, SLICE("not-authorized"), SLICE("no"), { 0 } };
    struct buf b = { 0 };

    auth_done_put(&b, &sent);
    assert_int_equal(auth_done_take(buf_slice(&b), &got), ZE_OK);
    assert_true(got.ok && got.has_data && slice_is(got.jid, "a@b") && slice_is(got.ticket, "ticket"));
    assert_true(slice_is(got.data, "v=x") && slice_is(got.content, "<t/>"));
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(auth_done_take(slice_of(buf_slice(&b).p, n), &got), ZE_PROTOCOL);
    b.bytes[b.start] = 2;
    assert_int_equal(auth_done_take(buf_slice(&b), &got), ZE_PROTOCOL);
    buf_reset(&b, 0);
    auth_done_put(&b, &failed);
    assert_int_equal(auth_done_take(buf_slice(&b), &got), ZE_OK);
    assert_true(!got.ok && slice_is(got.condition, "not-authorized") && slice_is(got.text, "no"));
    b.bytes[b.start] = 1;       /* success without a JID */
    assert_int_equal(auth_done_take(buf_slice(&b), &got), ZE_PROTOCOL);
    buf_free(&b);
}

static void bind_request_returns(void **state)
{
    (void)state;
    struct bind_request got, sent = { SLICE("ticket"), SLICE("balcony"), SLICE("127.0.0.1"), true,
        SLICE("id"), true, SLICE("<enable/>") };
    struct buf b = { 0 };

    bind_request_put(&b, &sent);
    assert_int_equal(bind_request_take(buf_slice(&b), &got), ZE_OK);
    assert_true(slice_is(got.ticket, "ticket") && slice_is(got.resource, "balcony") && got.secure);
    assert_true(slice_is(got.address, "127.0.0.1") && slice_is(got.client, "id") && got.bind2);
    assert_true(slice_is(got.inlines, "<enable/>"));
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(bind_request_take(slice_of(buf_slice(&b).p, n), &got), ZE_PROTOCOL);
    buf_free(&b);
}

static void a_resource_of_2000_bytes_is_refused(void **state)
{
    (void)state;
    uint8_t long_one[2000] = { 'x' };
    struct bind_request got, sent = { SLICE("t"), slice_of(long_one, sizeof(long_one)), .secure = true };
    struct buf b = { 0 };

    bind_request_put(&b, &sent);
    assert_int_equal(bind_request_take(buf_slice(&b), &got), ZE_PROTOCOL);
    buf_free(&b);
}

static void bound_returns(void **state)
{
    (void)state;
    struct bound got, sent = { ZE_OK, SLICE("a@b/c"), SLICE("0123456789abcdef"), SLICE("m"), SLICE("<x/>") };
    struct buf b = { 0 };

    bound_put(&b, &sent);
    assert_int_equal(bound_take(buf_slice(&b), &got), ZE_OK);
    assert_true(got.err == ZE_OK && slice_is(got.jid, "a@b/c") && slice_is(got.secret, "0123456789abcdef"));
    assert_true(slice_is(got.managed, "m") && slice_is(got.content, "<x/>"));
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(bound_take(slice_of(buf_slice(&b).p, n), &got), ZE_PROTOCOL);
    buf_reset(&b, 0);
    bound_put(&b, &(struct bound){ .err = ZE_CONFLICT });
    assert_int_equal(bound_take(buf_slice(&b), &got), ZE_OK);
    assert_int_equal(got.err, ZE_CONFLICT);
    b.bytes[b.start] = 1;
    b.bytes[b.start + 1] = b.bytes[b.start + 2] = b.bytes[b.start + 3] = 0;
    assert_int_equal(bound_take(buf_slice(&b), &got), ZE_PROTOCOL);     /* no error has that number */
    buf_free(&b);
}

static void session_end_returns(void **state)
{
    (void)state;
    struct session_end got, sent = { true, SLICE("system-shutdown"), SLICE("back at noon") };
    struct buf b = { 0 };

    session_end_put(&b, &sent);
    assert_int_equal(session_end_take(buf_slice(&b), &got), ZE_OK);
    assert_true(got.broken && slice_is(got.condition, "system-shutdown") && slice_is(got.text, "back at noon"));
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(session_end_take(slice_of(buf_slice(&b).p, n), &got), ZE_PROTOCOL);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auth_start_returns),
        cmocka_unit_test(certified_names_are_whole_and_not_too_many),
        cmocka_unit_test(more_bindings_than_there_is_room_for_are_refused),
        cmocka_unit_test(auth_step_returns),
        cmocka_unit_test(auth_done_returns),
        cmocka_unit_test(bind_request_returns),
        cmocka_unit_test(a_resource_of_2000_bytes_is_refused),
        cmocka_unit_test(bound_returns),
        cmocka_unit_test(session_end_returns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
