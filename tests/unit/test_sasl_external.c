/* sm/sasl: EXTERNAL, by the accounts that a client's certificate names (XEP-0178). */

#include "sasl_rig.h"

static void say_certified(struct talk *t, const char *const *jids, struct slice authzid)
{
    struct auth_start start = hello("EXTERNAL");
    struct buf        certified = { 0 };

    for (; *jids; jids++)
        buf_put_sized(&certified, slice_str(*jids));
    start.certified = buf_slice(&certified);
    begin_with(t, start, authzid);
    buf_free(&certified);
}

static void a_certificate_lets_in_whom_it_names(void **state)
{
    static const char *const juliet[] = { "juliet@example.org", NULL };
    static const char *const two[] = { "nobody@example.org", "juliet@example.org", NULL };
    static const char *const nobody[] = { "nobody@example.org", NULL };
    static const char *const foreign[] = { "juliet@example.net", NULL };
    static const struct {
        const char *const *jids;
        struct slice       authzid;
        const char        *condition;      /* NULL: in */
    } rows[] = {
        { juliet, SLICE(""), NULL },
        { juliet, SLICE("juliet@example.org"), NULL },
        { juliet, SLICE("JULIET@example.org"), NULL },
        { juliet, SLICE("nobody@example.org"), "invalid-authzid" },
        { juliet, SLICE("juliet@example.org/x"), "invalid-authzid" },
        { juliet, SLICE("juliet@example.org\0"), "malformed-request" },
        { two, SLICE(""), "invalid-authzid" },
        { two, SLICE("juliet@example.org"), NULL },
        { two, SLICE("nobody@example.org"), "not-authorized" },
        { nobody, SLICE(""), "not-authorized" },
        { foreign, SLICE(""), "invalid-authzid" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say_certified(*state, rows[i].jids, rows[i].authzid);
        if (rows[i].condition)
            expect_refused(*state, rows[i].condition);
        else
            assert_string_equal(((struct talk *)*state)->jid, "juliet@example.org");
    }
}

static void without_a_certificate_or_tls_there_is_no_external(void **state)
{
    struct talk      *t = *state;
    struct auth_start start = hello("EXTERNAL");

    begin_with(t, start, SLICE("juliet@example.org"));
    expect_refused(t, "invalid-mechanism");
    start.certified = SLICE("\x12\0\0\0juliet@example.org");
    start.secure = false;
    begin_with(t, start, SLICE(""));
    expect_refused(t, "invalid-mechanism");
}

static void failures_count_and_a_good_one_still_gets_in(void **state)
{
    static const char *const juliet[] = { "juliet@example.org", NULL };
    static const char *const nobody[] = { "nobody@example.org", NULL };
    const struct login_rules rules = { .pair_max = 2, .address_max = 3, .refuse_ms = 60000, .refuse_max_ms = 60000 };
    struct talk             *t = *state;

    sasl_rules(t->sasl, &rules);
    for (unsigned i = 0; i < 2; i++) {
        say_certified(t, nobody, SLICE(""));
        expect_refused(t, "not-authorized");
    }
    say_certified(t, nobody, SLICE(""));
    expect_refused(t, "temporary-auth-failure");
    say_certified(t, juliet, SLICE(""));
    assert_string_equal(t->jid, "juliet@example.org");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SASL(a_certificate_lets_in_whom_it_names),
        SASL(without_a_certificate_or_tls_there_is_no_external),
        SASL(failures_count_and_a_good_one_still_gets_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
