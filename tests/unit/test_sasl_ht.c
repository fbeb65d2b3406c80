/* sm/sasl_ht: tokens (XEP-0484) as a mechanism. */

#include "sasl_rig.h"

#define CLIENT_ID "d4565fa7-4d72-4749-b3d3-740edbf87770"
#define SECRET    "WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm"
#define FAST      "<fast xmlns='urn:xmpp:fast:0'/>"

static void give_token(struct talk *t, const char *mechanism)
{
    struct token_pair   pair = { .current = { slice_str(mechanism), SLICE(SECRET), 1, UINT64_MAX, 0 } };
    struct store_batch *b = store_batch(SLICE("juliet@example.org"));
    struct outcome      o = { 0 };

    tokens_put(b, SLICE("juliet@example.org"), SLICE(CLIENT_ID), &pair);
    store_commit(t->f->store.accounts, &b, note, &o);
    turn_until(t->f->loop, &o, 1);
}

static struct auth_start token_start(const char *mechanism)
{
    struct auth_start start = hello(mechanism);

    start.sasl2 = true;
    start.from = SLICE("juliet@example.org");
    start.client.id = SLICE(CLIENT_ID);
    start.inlines = SLICE(FAST);
    return start;
}

static void say_proof(struct talk *t, struct auth_start start, const char *binding)
{
    struct buf message = { 0 };
    uint8_t    proof[32];

    token_hmac(SLICE(SECRET), "Initiator", slice_str(binding), proof);
    buf_put_str(&message, "juliet");
    buf_put_u8(&message, 0);
    buf_put(&message, proof, sizeof(proof));
    begin_with(t, start, buf_slice(&message));
    buf_free(&message);
}

static void a_token_lets_in_and_the_server_proves_itself(void **state)
{
    struct talk *t = *state;
    uint8_t      wanted[32];

    give_token(t, "HT-SHA-256-EXPR");
    say_proof(t, token_start("HT-SHA-256-EXPR"), BINDING);
    assert_int_equal(t->outcome, SASL_OK);
    assert_string_equal(t->jid, "juliet@example.org");
    token_hmac(SLICE(SECRET), "Responder", SLICE(BINDING), wanted);
    assert_true(slice_eq(buf_slice(&t->bytes), slice_of(wanted, sizeof(wanted))));
    say_proof(t, token_start("HT-SHA-256-EXPR"), "of the man in the middle");
    expect_refused(t, "not-authorized");
    say_proof(t, token_start("HT-SHA-256-NONE"), "");
    expect_refused(t, "not-authorized");
    say_proof(t, token_start("HT-SHA-256-UNIQ"), BINDING);      /* the stream has no such binding */
    expect_refused(t, "invalid-mechanism");
}

static void a_token_needs_sasl2_tls_and_a_client(void **state)
{
    struct talk      *t = *state;
    struct auth_start start = token_start("HT-SHA-256-NONE");

    give_token(t, "HT-SHA-256-NONE");
    start.sasl2 = false;
    say_proof(t, start, "");
    expect_refused(t, "invalid-mechanism");
    start = token_start("HT-SHA-256-NONE");
    start.secure = false;
    say_proof(t, start, "");
    expect_refused(t, "invalid-mechanism");
    start = token_start("HT-SHA-256-NONE");
    start.client.id = SLICE("");
    say_proof(t, start, "");
    expect_refused(t, "malformed-request");
    start.client.id = SLICE("another");
    say_proof(t, start, "");
    expect_refused(t, "credentials-expired");
    start = token_start("HT-SHA-256-NONE");
    start.inlines = SLICE("");
    say_proof(t, start, "");
    expect_refused(t, "malformed-request");
    say_proof(t, token_start("HT-SHA-256-NONE"), "");
    assert_int_equal(t->outcome, SASL_OK);
}

static void failures_count_and_a_good_token_still_gets_in(void **state)
{
    const struct login_rules rules = { .pair_max = 2, .refuse_ms = 60000, .refuse_max_ms = 60000 };
    struct talk             *t = *state;
    struct client            right = { .name = "juliet", .password = "secret", .initial = true };

    sasl_rules(t->sasl, &rules);
    give_token(t, "HT-SHA-256-EXPR");
    for (unsigned i = 0; i < 2; i++) {
        say_proof(t, token_start("HT-SHA-256-EXPR"), "wrong");
        expect_refused(t, "not-authorized");
    }
    say_proof(t, token_start("HT-SHA-256-EXPR"), "wrong");
    expect_refused(t, "temporary-auth-failure");
    converse(t, hello("SCRAM-SHA-1"), &right);
    expect_refused(t, "temporary-auth-failure");        /* the same count, whichever the mechanism */
    say_proof(t, token_start("HT-SHA-256-EXPR"), BINDING);
    assert_int_equal(t->outcome, SASL_OK);
    assert_false(t->by_password);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SASL(a_token_lets_in_and_the_server_proves_itself),
        SASL(a_token_needs_sasl2_tls_and_a_client),
        SASL(failures_count_and_a_good_token_still_gets_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
