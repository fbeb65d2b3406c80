/* sm/sasl: what is no message of the mechanism, comes at the wrong time or too often. */

#include "sasl_rig.h"

static void malformed_messages_are_refused(void **state)
{
    struct talk *t = *state;
    static char  huge[9000];
    static const struct {
        const char  *mechanism;
        struct slice bytes;
        const char  *condition;
    } rows[] = {
        { "PLAIN", SLICE_INIT(""), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0juliet"), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0juliet\0"), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0\0secret"), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0juliet\0secret\0"), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0juliet\0\xff"), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0juliet\0\x01"), "not-authorized" },
        { "PLAIN", SLICE_INIT("\0a@b\0secret"), "not-authorized" },
        { "SCRAM-SHA-1", SLICE_INIT(""), "malformed-request" },
        { "SCRAM-SHA-1", SLICE_INIT("n,"), "malformed-request" },
        { "SCRAM-SHA-1", SLICE_INIT("n,,"), "malformed-request" },
        { "SCRAM-SHA-1", SLICE_INIT("n,,n=,r=abc"), "malformed-request" },
        { "SCRAM-SHA-1", SLICE_INIT("n,,n=jul\0iet,r=abc"), "malformed-request" },
        { "SCRAM-SHA-1", SLICE_INIT("n,,n=jul\xffiet,r=abc"), "malformed-request" },
        { "DIGEST-MD5", SLICE_INIT(""), "invalid-mechanism" },
        { "", SLICE_INIT(""), "invalid-mechanism" },
        { "plain", SLICE_INIT("\0juliet\0secret"), "invalid-mechanism" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_with(t, hello(rows[i].mechanism), rows[i].bytes);
        wait_for_answer(t, 1);
        expect_refused(t, rows[i].condition);
    }
    memset(huge, 'a', sizeof huge);
    begin_with(t, hello("PLAIN"), slice_of(huge, sizeof huge));
    expect_refused(t, "malformed-request");
}

static void plain_wants_tls(void **state)
{
    struct talk      *t = *state;
    struct auth_start clear = hello("PLAIN");

    clear.secure = false;
    begin_with(t, clear, SLICE("\0juliet\0secret"));
    expect_refused(t, "encryption-required");
    sasl_allow_clear(t->sasl, true);
    begin_with(t, clear, SLICE("\0juliet\0secret"));
    wait_for_answer(t, 1);
    assert_int_equal(t->outcome, SASL_OK);
}

static void an_abandoned_exchange_never_answers(void **state)
{
    struct talk *t = *state;

    begin_with(t, hello("PLAIN"), SLICE("\0juliet\0secret"));
    assert_int_equal(t->answers, 0);
    sasl_abort(&t->exchange);
    assert_null(t->exchange);
    for (int i = 0; i < 5; i++)
        uv_run(loop_uv(t->f->loop), UV_RUN_ONCE);
    assert_int_equal(t->answers, 0);
}

static void a_second_message_during_plain_ends_it(void **state)
{
    struct talk *t = *state;

    begin_with(t, hello("PLAIN"), SLICE("\0juliet\0secret"));
    sasl_step(t->exchange, SLICE("\0juliet\0secret"));
    expect_refused(t, "malformed-request");
    for (int i = 0; i < 5; i++)
        uv_run(loop_uv(t->f->loop), UV_RUN_ONCE);
    assert_int_equal(t->answers, 1);
}

static void exchanges_are_counted(void **state)
{
    struct talk      *t = *state;
    struct auth_start start = hello("SCRAM-SHA-1");
    struct talk       many = { .sasl = t->sasl };

    for (int i = 0; i < 10000; i++)
        assert_non_null(sasl_begin(t->sasl, &start, answered, &many));
    assert_null(sasl_begin(t->sasl, &start, answered, t));
    expect_refused(t, "temporary-auth-failure");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SASL(malformed_messages_are_refused),
        SASL(plain_wants_tls),
        SASL(an_abandoned_exchange_never_answers),
        SASL(a_second_message_during_plain_ends_it),
        SASL(exchanges_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
