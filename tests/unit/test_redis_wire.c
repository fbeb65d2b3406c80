/* RESP2 of one connection, byte by byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <hiredis/hiredis.h>

#include "redis_wire.h"

static char     heard[512];
static unsigned ended;

static void hear(const char *what, struct slice text)
{
    size_t have = strlen(heard);

    snprintf(heard + have, sizeof(heard) - have, "%s:%.*s ", what, SLICE_FMT(text));
}

static void on_answer(void *arg, const struct redisReply *reply)
{
    if (!reply)
        ended++;
    else if (reply->type == REDIS_REPLY_INTEGER)
        hear(arg, reply->integer == 3 ? SLICE("3") : SLICE("?"));
    else
        hear(arg, slice_of(reply->str, reply->str ? (size_t)reply->len : 0));
}

static void on_message(void *arg, struct slice channel, struct slice payload)
{
    (void)arg;
    hear("channel", channel);
    hear("payload", payload);
}

static struct redis_wire *wire_new(bool listens)
{
    struct redis_wire_spec spec = { .out_max = 200, .in_max = 300, .on_message = listens ? on_message : NULL };

    heard[0] = 0;
    ended = 0;
    return redis_wire_new(&spec);
}

static enum zerr ask(struct redis_wire *w, const char *word, const char *name, uint64_t now)
{
    struct slice words[] = { slice_str(word) };

    return redis_wire_ask(w, words, 1, on_answer, (void *)(uintptr_t)name, now);
}

static enum zerr take(struct redis_wire *w, const char *bytes)
{
    return redis_wire_take(w, slice_str(bytes));
}

static void test_answers_come_in_order(void **state)
{
    struct redis_wire *w = wire_new(false);
    const char        *bytes = "+PONG\r\n:3\r\n$2\r\nhi\r\n-ERR no\r\n";

    (void)state;
    ask(w, "PING", "a", 10);
    ask(w, "X", "b", 20);
    ask(w, "Y", "c", 30);
    ask(w, "Z", "d", 40);
    assert_true(slice_starts(buf_slice(redis_wire_out(w)), SLICE("*1\r\n$4\r\nPING\r\n*1\r\n$1\r\nX\r\n")));
    assert_int_equal(redis_wire_waiting_since(w), 10);
    for (const char *p = bytes; *p; p++)
        assert_int_equal(redis_wire_take(w, slice_of(p, 1)), ZE_OK);
    assert_string_equal(heard, "a:PONG b:3 c:hi d:ERR no ");
    assert_true(redis_wire_waiting_since(w) == UINT64_MAX);
    redis_wire_free(&w);
    assert_int_equal(ended, 0);
}

static void test_messages_are_nobodys_answer(void **state)
{
    struct redis_wire *w = wire_new(true);

    (void)state;
    ask(w, "SUBSCRIBE", "a", 0);
    assert_int_equal(take(w, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:3\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\n\r\nx\r\n"), ZE_OK);
    assert_string_equal(heard, "a: channel:c payload:\r\nx ");
    redis_wire_free(&w);
}

static void test_who_waits_is_told_of_the_end(void **state)
{
    struct redis_wire *w = wire_new(false);

    (void)state;
    ask(w, "A", "a", 0);
    ask(w, "B", "b", 0);
    take(w, "+OK\r\n");
    redis_wire_free(&w);
    assert_null(w);
    assert_int_equal(ended, 1);
}

static void test_the_way_out_is_bounded(void **state)
{
    struct redis_wire *w = wire_new(false);
    char               big[201];

    (void)state;
    memset(big, 'x', 200);
    big[200] = 0;
    assert_int_equal(ask(w, big, "a", 0), ZE_OK);
    assert_int_equal(ask(w, "y", "b", 0), ZE_FULL);
    buf_reset(redis_wire_out(w), 0);
    assert_int_equal(ask(w, "y", "b", 0), ZE_OK);
    redis_wire_free(&w);
    assert_int_equal(ended, 2);
}

static void test_bytes_that_are_no_answer(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n", "+nobody asked\r\n", "*1000000\r\n", "*2147483647\r\n", "$-7\r\n", "*-3\r\n",
        ":12x\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct redis_wire *w = wire_new(true);
        if (bad[i][0] != '+')
            ask(w, "A", "a", 0);
        if (take(w, bad[i]) != ZE_PROTOCOL)
            fail_msg("taken: %s", bad[i]);
        redis_wire_free(&w);
    }
}

static void test_an_answer_has_a_limit(void **state)
{
    struct redis_wire *w = wire_new(false);
    char               piece[101];
    enum zerr          err = ZE_OK;

    (void)state;
    memset(piece, 'x', 100);
    piece[100] = 0;
    ask(w, "A", "a", 0);
    assert_int_equal(take(w, "$500000000\r\n"), ZE_OK);
    for (int i = 0; i < 10 && !err; i++)
        err = take(w, piece);
    assert_int_equal(err, ZE_FULL);
    redis_wire_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_come_in_order),
        cmocka_unit_test(test_messages_are_nobodys_answer),
        cmocka_unit_test(test_who_waits_is_told_of_the_end),
        cmocka_unit_test(test_the_way_out_is_bounded),
        cmocka_unit_test(test_bytes_that_are_no_answer),
        cmocka_unit_test(test_an_answer_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
