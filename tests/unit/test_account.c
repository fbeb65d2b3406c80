/* sm/account, credentials, secrets: making, changing, disabling and removing accounts. */

#include "sm_fixture.h"

#include "account.h"
#include "credentials.h"
#include "secrets.h"

static enum zerr create(struct sm_fixture *f, const char *jid, struct slice password)
{
    struct outcome o = { 0 };

    account_create(&f->store, f->loop, slice_str(jid), password, 4096, note, &o);
    assert_int_equal(o.ran, 0);
    turn_until(f->loop, &o, 1);
    return o.last;
}

static enum zerr set_password(struct sm_fixture *f, const char *jid, const char *password)
{
    struct outcome o = { 0 };

    account_set_password(&f->store, f->loop, slice_str(jid), slice_str(password), 4096, note, &o);
    turn_until(f->loop, &o, 1);
    return o.last;
}

static enum zerr keys_of(struct sm_fixture *f, const char *jid, enum scram_hash hash, struct scram_keys *keys)
{
    struct store_view *view = store_view(f->store.accounts);

    memset(keys, 0, sizeof *keys);
    enum zerr err = credentials_get(view, slice_str(jid), hash, keys);
    store_view_end(&view);
    return err;
}

static bool opens(const struct scram_keys *stored, const char *password)
{
    struct scram_keys mine = *stored;

    memset(mine.stored_key, 0, sizeof mine.stored_key);
    scram_derive(slice_str(password), &mine);
    return memcmp(mine.stored_key, stored->stored_key, stored->key_len) == 0 &&
           memcmp(mine.server_key, stored->server_key, stored->key_len) == 0;
}

static void an_account_has_keys_of_both_hashes(void **state)
{
    struct sm_fixture  *f = *state;
    struct scram_keys   keys;
    struct account_info info;

    assert_int_equal(create(f, "juliet@example.org", SLICE("r0m30myr0m30")), ZE_OK);
    assert_int_equal(keys_of(f, "juliet@example.org", SCRAM_SHA_1, &keys), ZE_OK);
    assert_int_equal(keys.key_len, 20);
    assert_int_equal(keys.iterations, 4096);
    assert_true(opens(&keys, "r0m30myr0m30"));
    assert_false(opens(&keys, "r0m30"));
    assert_int_equal(keys_of(f, "juliet@example.org", SCRAM_SHA_256, &keys), ZE_OK);
    assert_int_equal(keys.key_len, 32);
    assert_true(opens(&keys, "r0m30myr0m30"));
    struct store_view *view = store_view(f->store.accounts);
    assert_true(account_get(view, SLICE("juliet@example.org"), &info));
    assert_false(info.disabled);
    assert_true(info.created_us > 1600000000000000);
    assert_false(account_get(view, SLICE("romeo@example.org"), &info));
    store_view_end(&view);
    memset(&info, 0, sizeof info);
    assert_true(account_look(f->store.accounts, SLICE("juliet@example.org"), &info));
    assert_true(info.created_us > 1600000000000000);
    assert_true(account_look(f->store.accounts, SLICE("juliet@example.org"), NULL));
    assert_false(account_look(f->store.accounts, SLICE("romeo@example.org"), NULL));
}

/* RFC 5802 5 and RFC 7677 3: the keys by which those examples' proofs are made. */
static void derivation_matches_the_rfc_s_example(void **state)
{
    static const uint8_t salt[] = { 0x41, 0x25, 0xc2, 0x47, 0xe4, 0x3a, 0xb1, 0xe9, 0x3c, 0x6d, 0xff, 0x76 };
    static const uint8_t stored[] = { 0xe9, 0xd9, 0x46, 0x60, 0xc3, 0x9d, 0x65, 0xc3, 0x8f, 0xba,
                                      0xd9, 0x1c, 0x35, 0x8f, 0x14, 0xda, 0x0e, 0xef, 0x2b, 0xd6 };
    struct scram_keys    keys = { .iterations = 4096, .salt_len = sizeof salt, .key_len = 20 };

    (void)state;
    memcpy(keys.salt, salt, sizeof salt);
    scram_derive(SLICE("pencil"), &keys);
    assert_memory_equal(keys.stored_key, stored, sizeof stored);
}

static void bad_passwords_are_refused(void **state)
{
    struct sm_fixture *f = *state;
    static char        long_one[1025];

    memset(long_one, 'x', 1024);
    assert_int_equal(create(f, "a@b.c", SLICE("")), ZE_NOT_ACCEPTABLE);
    assert_int_equal(create(f, "a@b.c", slice_str(long_one)), ZE_NOT_ACCEPTABLE);
    assert_int_equal(create(f, "a@b.c", SLICE("\xff\xfe")), ZE_NOT_ACCEPTABLE);
    assert_int_equal(create(f, "a@b.c", SLICE("tab\there")), ZE_NOT_ACCEPTABLE);
    assert_int_equal(create(f, "a@b.c", slice_of(long_one, 1023)), ZE_OK);
}

static void a_name_is_given_once(void **state)
{
    struct sm_fixture *f = *state;
    struct outcome     o[2] = { 0 };

    for (int i = 0; i < 2; i++)           /* both are derived before either is committed */
        account_create(&f->store, f->loop, SLICE("a@b.c"), SLICE("secret"), 4096, note, &o[i]);
    turn_until(f->loop, &o[0], 1);
    turn_until(f->loop, &o[1], 1);
    assert_true((o[0].last == ZE_OK) + (o[1].last == ZE_OK) == 1);
    assert_true((o[0].last == ZE_CONFLICT) + (o[1].last == ZE_CONFLICT) == 1);
    assert_int_equal(create(f, "a@b.c", SLICE("secret")), ZE_CONFLICT);
}

static void a_changed_password_replaces_the_old(void **state)
{
    struct sm_fixture *f = *state;
    struct scram_keys  keys;

    assert_int_equal(set_password(f, "a@b.c", "new"), ZE_NOT_FOUND);
    assert_int_equal(create(f, "a@b.c", SLICE("old")), ZE_OK);
    assert_int_equal(set_password(f, "a@b.c", "new"), ZE_OK);
    keys_of(f, "a@b.c", SCRAM_SHA_256, &keys);
    assert_true(opens(&keys, "new"));
    assert_false(opens(&keys, "old"));
}

static void a_password_is_compared_as_prepared(void **state)
{
    struct sm_fixture *f = *state;
    struct scram_keys  keys;
    struct buf         prepared = { 0 };

    assert_int_equal(create(f, "a@b.c", SLICE("caf\x65\xcc\x81")), ZE_OK);     /* e, combining acute */
    keys_of(f, "a@b.c", SCRAM_SHA_1, &keys);
    assert_true(opens(&keys, "caf\xc3\xa9"));
    assert_int_equal(password_prepare(SLICE("caf\x65\xcc\x81"), &prepared), ZE_OK);
    assert_true(slice_is(buf_slice(&prepared), "caf\xc3\xa9"));
    buf_free(&prepared);
}

static int list_account(void *arg, struct slice jid, const struct account_info *info)
{
    struct buf *out = arg;

    buf_printf(out, "%.*s%s ", SLICE_FMT(jid), info->disabled ? "(off)" : "");
    return 0;
}

static void accounts_are_listed_disabled_and_removed(void **state)
{
    struct sm_fixture  *f = *state;
    struct store_batch *b = store_batch(SLICE("a@b.c"));
    struct outcome      o = { 0 };
    struct buf          list = { 0 }, at = { 0 };
    struct scram_keys   keys;

    create(f, "a@b.c", SLICE("x"));
    create(f, "gone@b.c", SLICE("x"));
    struct store_view *view = store_view(f->store.accounts);
    assert_int_equal(account_set_disabled(view, b, SLICE("nobody@b.c"), true), ZE_NOT_FOUND);
    assert_int_equal(account_set_disabled(view, b, SLICE("a@b.c"), true), ZE_OK);
    account_remove(b, SLICE("gone@b.c"));
    store_commit(f->store.accounts, &b, note, &o);
    store_view_end(&view);
    assert_int_equal(account_some(f->store.accounts, &at, list_account, &list), 0);
    assert_true(slice_is(buf_slice(&list), "a@b.c(off) "));
    turn_until(f->loop, &o, 1);
    assert_int_equal(o.last, ZE_OK);
    assert_int_equal(keys_of(f, "gone@b.c", SCRAM_SHA_1, &keys), ZE_NOT_FOUND);
    buf_free(&list);
}

static void unknown_users_have_plausible_keys(void **state)
{
    struct sm_fixture *f = *state;
    struct scram_keys  first, again, other;
    uint8_t            secret[SECRET_BYTES], same[SECRET_BYTES];

    secret_get(&f->store, SECRET_UNKNOWN, secret);
    secret_get(&f->store, SECRET_UNKNOWN, same);
    assert_memory_equal(secret, same, SECRET_BYTES);
    assert_int_equal(keys_of(f, "nobody@b.c", SCRAM_SHA_1, &first), ZE_NOT_FOUND);
    assert_int_equal(keys_of(f, "nobody@b.c", SCRAM_SHA_1, &again), ZE_NOT_FOUND);
    assert_int_equal(keys_of(f, "another@b.c", SCRAM_SHA_1, &other), ZE_NOT_FOUND);
    assert_memory_equal(&first, &again, sizeof first);
    assert_memory_not_equal(first.salt, other.salt, SCRAM_SALT);
    keys_of(f, "nobody@b.c", SCRAM_SHA_256, &other);
    assert_memory_not_equal(first.salt, other.salt, SCRAM_SALT);
    assert_int_equal(other.iterations, 10000);
}

static void the_pool_s_queue_has_an_end(void **state)
{
    struct sm_fixture *f = *state;
    struct outcome     o = { 0 };
    char               jid[32];

    for (int i = 0; i <= DERIVE_QUEUE_MAX; i++) {
        snprintf(jid, sizeof jid, "user%d@b.c", i);
        account_create(&f->store, f->loop, slice_str(jid), SLICE("x"), 4096, note, &o);
    }
    turn_until(f->loop, &o, 1);
    assert_int_equal(o.last, ZE_FULL);                /* the last one is told at once */
    turn_until(f->loop, &o, DERIVE_QUEUE_MAX + 1);
    assert_int_equal(create(f, "user64@b.c", SLICE("x")), ZE_OK);
}

static void at_the_end_who_waits_for_the_pool_hears_so(void **state)
{
    struct sm_fixture *f = *state;
    struct outcome     o = { 0 };

    account_create(&f->store, f->loop, SLICE("late@example.org"), SLICE("x"), 4096, note, &o);
    assert_int_equal(o.ran, 0);
    derive_end();
    assert_int_equal(o.ran, 1);
    assert_int_equal(o.last, ZE_UNAVAILABLE);
    derive_end();
    assert_int_equal(o.ran, 1);
    assert_int_equal(create(f, "late@example.org", SLICE("x")), ZE_OK);
    assert_int_equal(o.ran, 1);
}

static void damaged_credentials_are_never_taken(void **state)
{
    struct scram_keys keys[SCRAM_HASHES], out;
    struct buf        row = { 0 };

    (void)state;
    scram_keys_fresh(keys, 4096);
    credentials_encode(&row, keys);
    assert_int_equal(credentials_decode(buf_slice(&row), SCRAM_SHA_256, &out), ZE_OK);
    for (size_t cut = 0; cut < buf_len(&row); cut++) {
        uint8_t *copy = malloc(cut + 1);              /* its own memory: a read behind it is seen */
        memcpy(copy, row.bytes, cut);
        assert_int_equal(credentials_decode(slice_of(copy, cut), SCRAM_SHA_256, &out), ZE_STORE);
        free(copy);
    }
    buf_put_u8(&row, 0);
    assert_int_equal(credentials_decode(buf_slice(&row), SCRAM_SHA_256, &out), ZE_STORE);
    buf_free(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_account_has_keys_of_both_hashes, sm_start, sm_end),
        cmocka_unit_test(derivation_matches_the_rfc_s_example),
        cmocka_unit_test_setup_teardown(bad_passwords_are_refused, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(a_name_is_given_once, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(a_changed_password_replaces_the_old, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(a_password_is_compared_as_prepared, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(accounts_are_listed_disabled_and_removed, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(unknown_users_have_plausible_keys, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(the_pool_s_queue_has_an_end, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(at_the_end_who_waits_for_the_pool_hears_so, sm_start, sm_end),
        cmocka_unit_test(damaged_credentials_are_never_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
