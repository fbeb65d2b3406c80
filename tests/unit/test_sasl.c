/* sm/sasl: whole exchanges against GNU SASL's client side: who is let in, and what a guesser learns. */

#include "sasl_rig.h"

static void all_mechanisms_let_the_right_password_in(void **state)
{
    struct talk *t = *state;

    for (const char *const *m = sasl_mechanisms; *m; m++)
        for (int initial = 0; initial < 2; initial++) {
            struct client c = { .name = "juliet", .password = "secret", .initial = initial,
                                .binding = is_plus(*m) ? BINDING : NULL };
            converse(t, hello(*m), &c);
            assert_int_equal(t->outcome, SASL_OK);
            assert_string_equal(t->jid, "juliet@example.org");
            assert_int_equal(c.last_rc, GSASL_OK);    /* the client believes the server, too */
        }
}

static void a_wrong_password_or_name_is_refused_by_all(void **state)
{
    struct talk *t = *state;

    for (const char *const *m = sasl_mechanisms; *m; m++) {
        const char   *binding = is_plus(*m) ? BINDING : NULL;
        struct client wrong = { .name = "juliet", .password = "Secret", .binding = binding, .initial = true };
        struct client nobody = { .name = "romeo", .password = "secret", .binding = binding, .initial = true };

        converse(t, hello(*m), &wrong);
        expect_refused(t, "not-authorized");
        converse(t, hello(*m), &nobody);
        expect_refused(t, "not-authorized");
    }
}

static void names_are_prepared(void **state)
{
    struct talk  *t = *state;
    struct client c = { .name = "Juliet", .password = "secret", .initial = true };

    converse(t, hello("SCRAM-SHA-256"), &c);
    assert_string_equal(t->jid, "juliet@example.org");
    converse(t, hello("PLAIN"), &c);
    assert_string_equal(t->jid, "juliet@example.org");
}

static void a_disabled_account_is_told_so_after_the_proof(void **state)
{
    struct talk        *t = *state;
    struct store_batch *b = store_batch(SLICE("juliet@example.org"));
    struct outcome      o = { 0 };
    struct client       right = { .name = "juliet", .password = "secret", .initial = true };
    struct client       wrong = { .name = "juliet", .password = "guess", .initial = true };
    struct store_view  *view = store_view(t->f->store.accounts);

    account_set_disabled(view, b, SLICE("juliet@example.org"), true);
    store_view_end(&view);
    store_commit(t->f->store.accounts, &b, note, &o);
    turn_until(t->f->loop, &o, 1);
    converse(t, hello("SCRAM-SHA-1"), &right);
    expect_refused(t, "account-disabled");
    converse(t, hello("PLAIN"), &right);
    expect_refused(t, "account-disabled");
    converse(t, hello("SCRAM-SHA-1"), &wrong);
    expect_refused(t, "not-authorized");
}

/* ---- who speaks for whom ---- */

static void only_oneself_may_be_the_authzid(void **state)
{
    struct talk *t = *state;

    for (const char *const *m = sasl_mechanisms; *m; m++) {
        struct client c = { .name = "juliet", .password = "secret", .initial = true,
                            .binding = is_plus(*m) ? BINDING : NULL, .authzid = "Juliet@example.org" };
        converse(t, hello(*m), &c);
        assert_int_equal(t->outcome, SASL_OK);
        c.authzid = "admin@example.org";
        converse(t, hello(*m), &c);
        expect_refused(t, "invalid-authzid");
        c.authzid = "juliet@example.org/balcony";
        converse(t, hello(*m), &c);
        expect_refused(t, "invalid-authzid");
    }
}

static void server_first(struct talk *t, const char *name, char *out, size_t room)
{
    char first[64];

    snprintf(first, sizeof first, "n,,n=%s,r=abcdefghijkl", name);
    begin_with(t, hello("SCRAM-SHA-1"), slice_str(first));
    assert_int_equal(t->outcome, SASL_CONTINUE);
    buf_put_u8(&t->bytes, 0);
    snprintf(out, room, "%s", strstr((char *)t->bytes.bytes, ",s="));
    sasl_abort(&t->exchange);
}

static void an_unknown_user_looks_like_any_other(void **state)
{
    struct talk *t = *state;
    char         first[128], again[128], other[128], impossible[128];

    server_first(t, "nobody", first, sizeof first);
    server_first(t, "nobody", again, sizeof again);
    server_first(t, "another", other, sizeof other);
    server_first(t, "a@b", impossible, sizeof impossible);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_int_equal(strlen(first), strlen(impossible));
    server_first(t, "juliet", other, sizeof other);
    assert_int_equal(strcspn(first + 1, ","), strcspn(other + 1, ","));     /* salts as long */
}

/* ---- guessing (login_throttle.h) ---- */

static void the_right_password_is_told_nothing_where_too_many_were_wrong(void **state)
{
    struct talk             *t = *state;
    const struct login_rules rules = { .pair_max = 2, .refuse_ms = 60000, .refuse_max_ms = 60000 };
    struct client            wrong = { .name = "juliet", .password = "guess", .initial = true };
    struct client            right = { .name = "juliet", .password = "secret", .initial = true };
    struct auth_start        here = hello("SCRAM-SHA-1"), elsewhere = here;

    sasl_rules(t->sasl, &rules);
    here.address = SLICE("192.0.2.1");
    elsewhere.address = SLICE("192.0.2.2");
    converse(t, here, &wrong);
    converse(t, here, &wrong);
    expect_refused(t, "not-authorized");
    converse(t, here, &right);
    expect_refused(t, "temporary-auth-failure");
    assert_int_equal(buf_len(&t->bytes), 0);       /* no proof of the server's either */
    converse(t, elsewhere, &right);
    assert_int_equal(t->outcome, SASL_OK);
}

static void under_attack_both_outcomes_come_late(void **state)
{
    struct talk             *t = *state;
    const struct login_rules rules = { .account_max = 1, .refuse_max_ms = 60000, .delay_max_ms = 50 };
    struct client            wrong = { .name = "juliet", .password = "guess", .initial = true };
    struct client            right = { .name = "juliet", .password = "secret", .initial = true };
    struct auth_start        start = hello("SCRAM-SHA-1");

    sasl_rules(t->sasl, &rules);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t before = loop_now_ms(t->f->loop);

        start.address = slice_str(i < 2 ? "192.0.2.1" : "192.0.2.2");
        converse(t, start, i < 2 ? &wrong : &right);
        assert_true(loop_now_ms(t->f->loop) >= before + 50);
    }
    assert_int_equal(t->outcome, SASL_OK);
    begin_with(t, start, SLICE("n,,n=juliet,r=abcdefghijkl"));
    sasl_step(t->exchange, SLICE("c=biws,r=wrong,p=AAAA"));     /* now known there: at once */
    expect_refused(t, "not-authorized");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SASL(all_mechanisms_let_the_right_password_in),
        SASL(a_wrong_password_or_name_is_refused_by_all),
        SASL(names_are_prepared),
        SASL(a_disabled_account_is_told_so_after_the_proof),
        SASL(only_oneself_may_be_the_authzid),
        SASL(an_unknown_user_looks_like_any_other),
        SASL(the_right_password_is_told_nothing_where_too_many_were_wrong),
        SASL(under_attack_both_outcomes_come_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
