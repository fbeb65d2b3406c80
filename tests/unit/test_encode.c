/* common/encode.c: strict base64, random ids, hashes by their published vectors. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "encode.h"

static void hex_is(struct slice bytes, const char *want)
{
    struct buf hex = { 0 };

    hex_put(&hex, bytes);
    assert_true(slice_is(buf_slice(&hex), want));
    buf_free(&hex);
}

static void base64_by_rfc_4648_section_10(void **state)
{
    static const char *const rows[][2] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foobar", "Zm9vYmFy" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf text = { 0 }, bytes = { 0 };

        base64_put(&text, slice_str(rows[i][0]));
        assert_true(slice_is(buf_slice(&text), rows[i][1]));
        assert_true(base64_take(&bytes, buf_slice(&text)));
        assert_true(slice_is(buf_slice(&bytes), rows[i][0]));
        buf_free(&text);
        buf_free(&bytes);
    }
}

static void loose_base64_is_refused_and_appends_nothing(void **state)
{
    static const char *const bad[] = { "Zg", "Zg=", "Zm9v\n", "Zm 9", "Zm9v=", "=", "====", "Zh==", "Zm9!",
                                       "Zm9vZg==Zm9v", "Zm\n=", "-_-_" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buf bytes = { 0 };

        buf_put_str(&bytes, "x");
        assert_false(base64_take(&bytes, slice_str(bad[i])));
        assert_true(slice_is(buf_slice(&bytes), "x"));
        buf_free(&bytes);
    }
}

static void every_byte_survives_base64(void **state)
{
    uint8_t    all[256];
    struct buf text = { 0 }, bytes = { 0 };

    (void)state;
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    base64_put(&text, slice_of(all, 256));
    assert_true(base64_take(&bytes, buf_slice(&text)));
    assert_true(slice_eq(buf_slice(&bytes), slice_of(all, 256)));
    buf_free(&text);
    buf_free(&bytes);
}

static void ids_are_of_their_alphabet_and_differ(void **state)
{
    char a[RANDOM_ID], b[RANDOM_ID];

    (void)state;
    random_id(a);
    random_id(b);
    assert_int_equal(strlen(a), 26);
    assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz234567"), 26);
    assert_string_not_equal(a, b);
    assert_true(random_u64() != random_u64());
}

static void hashes_by_their_vectors(void **state)
{
    uint8_t out[32];

    (void)state;
    sha1(SLICE("abc"), out);                             /* FIPS 180 */
    hex_is(slice_of(out, 20), "a9993e364706816aba3e25717850c26c9cd0d89d");
    sha256((struct slice){ 0 }, out);
    hex_is(slice_of(out, 32), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), out);     /* RFC 4231 4.3 */
    hex_is(slice_of(out, 32), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hmac_sha1(SLICE("Jefe"), SLICE("what do ya want for nothing?"), out);       /* RFC 2202 3 */
    hex_is(slice_of(out, 20), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

static void secrets_are_the_same_or_not(void **state)
{
    (void)state;
    assert_true(same_secret(SLICE("abc"), SLICE("abc")));
    assert_false(same_secret(SLICE("abc"), SLICE("abd")));
    assert_false(same_secret(SLICE("abc"), SLICE("ab")));
    assert_true(same_secret((struct slice){ 0 }, SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_by_rfc_4648_section_10),
        cmocka_unit_test(loose_base64_is_refused_and_appends_nothing),
        cmocka_unit_test(every_byte_survives_base64),
        cmocka_unit_test(ids_are_of_their_alphabet_and_differ),
        cmocka_unit_test(hashes_by_their_vectors),
        cmocka_unit_test(secrets_are_the_same_or_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
