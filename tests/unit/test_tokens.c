/* sm/tokens: rows, proofs (vectors made with Python's hmac and openssl), and the life of a pair. */

#include "sm_fixture.h"

#include "routes.h"
#include "tokens.h"

#define OWNER  SLICE("juliet@example.org")
#define CLIENT SLICE("d4565fa7-4d72-4749-b3d3-740edbf87770")
#define HOUR   (3600 * 1000000ULL)

static const struct token old = {
    SLICE_INIT("HT-SHA-256-NONE"), SLICE_INIT("WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm"), 1 * HOUR, 100 * HOUR, 7,
};
static const struct token young = {
    SLICE_INIT("HT-SHA-256-NONE"), SLICE_INIT("R3VyIHpiZmcgbnl2aXIgdmYgZ3VyIGp2eXFyZmcu"), 50 * HOUR, 150 * HOUR, 0,
};

static void expect_hmac(struct slice secret, const char *side, struct slice binding, const char *hex)
{
    struct buf text = { 0 };
    uint8_t    got[32];

    token_hmac(secret, side, binding, got);
    hex_put(&text, slice_of(got, sizeof(got)));
    assert_true(slice_is(buf_slice(&text), hex));
    buf_free(&text);
}

static void proofs_are_those_of_the_draft(void **state)
{
    uint8_t      bytes[32];
    struct slice binding = slice_of(bytes, sizeof(bytes)), none = SLICE("");

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    expect_hmac(old.secret, "Initiator", none, "9097787461a184e0fa84ec00c1381190b6c4d16a8ec4453c7b2ac5e7fcf935ed");
    expect_hmac(old.secret, "Initiator", binding, "0c5745576afeea711960549186a31a65c9f328205ee38b66825b3d4c872b395c");
    expect_hmac(old.secret, "Responder", none, "4e513409631474863b986c9f3e8c1e27ca29d1d7ab9ed4097e7afd6007bf9c62");
    expect_hmac(old.secret, "Responder", binding, "1260579b34d55aeba4e43062a412db609a0a7153abd218b0f148445c4e83529f");
}

/* ---- judging ---- */

struct proof {
    uint8_t bytes[32];
};

static struct token_claim claim_of(struct proof *proof, const struct token *t)
{
    token_hmac(t->secret, "Initiator", SLICE(""), proof->bytes);
    return (struct token_claim){ .mechanism = t->mechanism, .proof = slice_of(proof->bytes, 32), .now_us = 60 * HOUR };
}

static void either_of_a_pair_is_good(void **state)
{
    struct token_pair  pair = { old, young };
    struct proof       proof;
    struct token_claim claim = claim_of(&proof, &old);

    (void)state;
    assert_int_equal(token_judge(&pair, &claim), TOKEN_CURRENT);
    claim = claim_of(&proof, &young);
    assert_int_equal(token_judge(&pair, &claim), TOKEN_FRESH);
    pair.fresh = (struct token){ 0 };
    assert_int_equal(token_judge(&pair, &claim), TOKEN_NONE);
}

static void nothing_else_is(void **state)
{
    struct token_pair  pair = { old, young };
    static struct token_pair empty;
    struct token       nothing = { .mechanism = old.mechanism };
    struct proof       proof;
    struct token_claim claim = claim_of(&proof, &old);

    (void)state;
    proof.bytes[31] ^= 1;
    assert_int_equal(token_judge(&pair, &claim), TOKEN_NONE);
    proof.bytes[31] ^= 1;
    claim.proof.len = 31;
    assert_int_equal(token_judge(&pair, &claim), TOKEN_NONE);
    claim.proof.len = 0;
    assert_int_equal(token_judge(&pair, &claim), TOKEN_NONE);
    claim = claim_of(&proof, &nothing);                   /* HMAC under an empty key is known to all */
    assert_int_equal(token_judge(&empty, &claim), TOKEN_NONE);
    claim = claim_of(&proof, &old);
    claim.binding = SLICE("another channel");
    assert_int_equal(token_judge(&pair, &claim), TOKEN_NONE);
}

static void it_is_bound_to_mechanism_time_and_count(void **state)
{
    struct token_pair  pair = { .current = old };
    struct proof       proof;
    struct token_claim claim = claim_of(&proof, &old);

    (void)state;
    claim.mechanism = SLICE("HT-SHA-256-EXPR");
    assert_int_equal(token_judge(&pair, &claim), TOKEN_MISUSED);
    claim = claim_of(&proof, &old);
    claim.now_us = 100 * HOUR - 1;
    assert_int_equal(token_judge(&pair, &claim), TOKEN_CURRENT);
    claim.now_us = 100 * HOUR;
    assert_int_equal(token_judge(&pair, &claim), TOKEN_EXPIRED);
    claim.now_us = 60 * HOUR;
    claim.counted = true;
    claim.count = 7;
    assert_int_equal(token_judge(&pair, &claim), TOKEN_MISUSED);
    claim.count = 8;
    assert_int_equal(token_judge(&pair, &claim), TOKEN_CURRENT);
}

static void the_old_one_is_good_until_the_new_one_was_used(void **state)
{
    struct token_pair  pair = { old, young };
    struct proof       proof;
    struct token_claim claim = claim_of(&proof, &old);

    (void)state;
    claim.counted = true;
    claim.count = 9;
    token_used(&pair, TOKEN_CURRENT, &claim, false);
    assert_int_equal(pair.current.count, 9);
    assert_int_equal(token_judge(&pair, &claim), TOKEN_MISUSED);      /* the same bytes a second time */
    claim = claim_of(&proof, &young);
    assert_int_equal(token_judge(&pair, &claim), TOKEN_FRESH);
    token_used(&pair, TOKEN_FRESH, &claim, false);
    assert_int_equal(token_judge(&pair, &claim), TOKEN_CURRENT);
    assert_int_equal(pair.fresh.mechanism.len, 0);
    claim = claim_of(&proof, &old);
    assert_int_equal(token_judge(&pair, &claim), TOKEN_NONE);
}

static void invalidated_is_gone(void **state)
{
    struct token_pair  pair = { old, young };
    struct proof       proof;
    struct token_claim claim = claim_of(&proof, &old);

    (void)state;
    token_used(&pair, TOKEN_CURRENT, &claim, true);
    assert_int_equal(token_judge(&pair, &claim), TOKEN_NONE);
    claim = claim_of(&proof, &young);
    assert_int_equal(token_judge(&pair, &claim), TOKEN_NONE);
}

static void secrets_are_long_and_differ(void **state)
{
    char a[TOKEN_SECRET], b[TOKEN_SECRET];

    (void)state;
    token_secret(a);
    token_secret(b);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_null(memchr(a, 0, sizeof(a)));
}

/* ---- rows ---- */

static void commit(struct sm_fixture *f, struct store_batch *b)
{
    struct outcome o = { 0 };

    store_commit(f->store.accounts, &b, note, &o);
    turn_until(f->loop, &o, 1);
    assert_int_equal(o.last, ZE_OK);
}

static bool good(struct sm_fixture *f, struct slice owner, struct slice client)
{
    struct store_view *view = store_view(f->store.accounts);
    bool               is = tokens_good(view, owner, client, 60 * HOUR);

    store_view_end(&view);
    return is;
}

static void rows_come_back_as_they_were(void **state)
{
    struct sm_fixture  *f = *state;
    struct token_pair   pair = { old, young }, got;
    struct store_batch *b = store_batch(OWNER);

    tokens_put(b, OWNER, CLIENT, &pair);
    commit(f, b);
    struct store_view *view = store_view(f->store.accounts);
    assert_true(tokens_get(view, OWNER, CLIENT, &got));
    assert_true(slice_eq(got.current.secret, old.secret) && slice_eq(got.fresh.secret, young.secret));
    assert_true(slice_eq(got.current.mechanism, old.mechanism));
    assert_int_equal(got.current.count, 7);
    assert_int_equal(got.current.issued_us, 1 * HOUR);
    assert_int_equal(got.fresh.expiry_us, 150 * HOUR);
    assert_false(tokens_get(view, OWNER, SLICE("another"), &got));
    assert_false(tokens_get(view, SLICE("romeo@example.org"), CLIENT, &got));
    store_view_end(&view);
}

static void an_empty_pair_has_no_row(void **state)
{
    struct sm_fixture  *f = *state;
    static struct token_pair none;
    struct token_pair   pair = { .current = old };
    struct store_batch *b = store_batch(OWNER);

    tokens_put(b, OWNER, CLIENT, &pair);
    commit(f, b);
    assert_true(good(f, OWNER, CLIENT));
    b = store_batch(OWNER);
    tokens_put(b, OWNER, CLIENT, &none);
    commit(f, b);
    assert_false(good(f, OWNER, CLIENT));
}

static void all_of_one_account_go_and_nobody_elses(void **state)
{
    struct sm_fixture  *f = *state;
    struct slice        longer = SLICE("juliet@example.org.uk");
    struct token_pair   pair = { .current = old };
    struct store_batch *b = store_batch(OWNER);

    tokens_put(b, OWNER, CLIENT, &pair);
    tokens_put(b, OWNER, SLICE("second"), &pair);
    commit(f, b);
    b = store_batch(longer);
    tokens_put(b, longer, CLIENT, &pair);
    commit(f, b);
    b = store_batch(OWNER);
    struct store_view *view = store_view(f->store.accounts);
    tokens_remove_all(view, b, OWNER);
    store_view_end(&view);
    commit(f, b);
    assert_false(good(f, OWNER, CLIENT) || good(f, OWNER, SLICE("second")));
    assert_true(good(f, longer, CLIENT));
}

static void an_unreadable_row_is_no_token(void **state)
{
    struct sm_fixture  *f = *state;
    struct store_batch *b = store_batch(OWNER);
    struct buf          key = { 0 };

    store_key(&key, slot_of(OWNER), OWNER);
    buf_put_u8(&key, 0);
    buf_put_slice(&key, CLIENT);
    store_put(b, T_TOKEN, buf_slice(&key), SLICE("\x01\x04\0\0\0HT"));
    commit(f, b);
    assert_false(good(f, OWNER, CLIENT));
    buf_free(&key);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sm_start, sm_end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proofs_are_those_of_the_draft),
        cmocka_unit_test(either_of_a_pair_is_good),
        cmocka_unit_test(nothing_else_is),
        cmocka_unit_test(it_is_bound_to_mechanism_time_and_count),
        cmocka_unit_test(the_old_one_is_good_until_the_new_one_was_used),
        cmocka_unit_test(invalidated_is_gone),
        cmocka_unit_test(secrets_are_long_and_differ),
        T(rows_come_back_as_they_were),
        T(an_empty_pair_has_no_row),
        T(all_of_one_account_go_and_nobody_elses),
        T(an_unreadable_row_is_no_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
