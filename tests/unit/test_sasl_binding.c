/* sm/sasl: channel binding (RFC 5802 6), with the client's side of GNU SASL. */

#include "sasl_rig.h"

static void another_binding_is_refused(void **state)
{
    struct talk      *t = *state;
    struct client     c = { .name = "juliet", .password = "secret", .initial = true,
                            .binding = "of the man in the middle" };
    struct auth_start none = hello("SCRAM-SHA-1-PLUS");

    converse(t, hello("SCRAM-SHA-256-PLUS"), &c);
    expect_refused(t, "not-authorized");
    none.bindings = 0;
    begin(t, &none);
    expect_refused(t, "invalid-mechanism");
}

static void tls_unique_binds_as_well(void **state)
{
    struct talk      *t = *state;
    struct auth_start unique = hello("SCRAM-SHA-256-PLUS");
    struct client     c = { .name = "juliet", .password = "secret", .initial = true, .binding = BINDING };

    unique.binding[0].name = SLICE("tls-unique");
    begin_with(t, unique, SLICE("p=tls-unique,,n=juliet,r=abcdefghijkl"));
    assert_int_equal(t->outcome, SASL_CONTINUE);
    sasl_abort(&t->exchange);
    converse(t, unique, &c);              /* the client names tls-exporter */
    expect_refused(t, "malformed-request");
}

static void the_binding_flag_is_judged_at_the_first_message(void **state)
{
    struct talk *t = *state;
    static const struct {
        const char *mechanism, *first, *condition;     /* NULL: goes on */
        bool        plus_offered;
    } rows[] = {
        { "SCRAM-SHA-1", "n,,n=juliet,r=abcdefghijkl", NULL, true },
        { "SCRAM-SHA-1", "y,,n=juliet,r=abcdefghijkl", NULL, false },
        { "SCRAM-SHA-1", "y,,n=juliet,r=abcdefghijkl", "malformed-request", true },
        { "SCRAM-SHA-1", "p=tls-exporter,,n=juliet,r=abcdefghijkl", "malformed-request", true },
        { "SCRAM-SHA-1-PLUS", "p=tls-exporter,,n=juliet,r=abcdefghijkl", NULL, true },
        { "SCRAM-SHA-1-PLUS", "p=tls-unique,,n=juliet,r=abcdefghijkl", "malformed-request", true },
        { "SCRAM-SHA-1-PLUS", "n,,n=juliet,r=abcdefghijkl", "malformed-request", true },
        { "SCRAM-SHA-1-PLUS", "y,,n=juliet,r=abcdefghijkl", "malformed-request", true },
        { "SCRAM-SHA-1", "x,,n=juliet,r=abcdefghijkl", "malformed-request", true },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct auth_start first = hello(rows[i].mechanism);
        first.plus_offered = rows[i].plus_offered;
        begin_with(t, first, slice_str(rows[i].first));
        if (rows[i].condition)
            expect_refused(t, rows[i].condition);
        else
            assert_int_equal(t->outcome, SASL_CONTINUE);
        sasl_abort(&t->exchange);
    }
}

/* Another c=, the proof being made over it: only the comparison with the first message can tell. */
static void say_other_header(int step, struct buf *message)
{
    if (step == 0)
        message->bytes[message->start] = 'n';          /* what arrives; the client said y */
}

static void say_c_of_y(int step, struct buf *message)
{
    if (step == 1)
        memcpy(message->bytes + message->start, "c=eSws", 6);
}

static void c_must_repeat_the_first_message(void **state)
{
    struct talk  *t = *state;
    struct client c = { .name = "juliet", .password = "secret", .initial = true, .meddle = say_c_of_y };

    converse(t, hello("SCRAM-SHA-256"), &c);
    expect_refused(t, "not-authorized");
    c = (struct client){ .name = "juliet", .password = "secret", .initial = true, .binding = BINDING,
                         .meddle = say_other_header };
    converse(t, hello("SCRAM-SHA-256-PLUS"), &c);
    expect_refused(t, "malformed-request");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SASL(another_binding_is_refused),
        SASL(tls_unique_binds_as_well),
        SASL(the_binding_flag_is_judged_at_the_first_message),
        SASL(c_must_repeat_the_first_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
