/* sm/scram: the messages of RFC 5802 and RFC 7677 with their examples, and h of XEP-0474. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "credentials.h"
#include "encode.h"
#include "sasl_list.h"
#include "scram.h"

struct example {
    enum scram_hash hash;
    const char     *salt, *first, *nonce, *server_first, *final, *server_final;
};

/* User "user", password "pencil", 4096 rounds. RFC 5802 5, RFC 7677 3. */
static const struct example examples[] = {
    { SCRAM_SHA_1, "QSXCR+Q6sek8bf92", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
      "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
      "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
      "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
    { SCRAM_SHA_256, "W22ZaJ0SNY7soEsUEjb6gQ==", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
      "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
      "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
};

static void keys_of(const struct example *e, struct scram_keys *keys)
{
    struct buf salt = { 0 };

    assert_true(base64_take(&salt, slice_str(e->salt)));
    *keys = (struct scram_keys){ .iterations = 4096, .key_len = e->hash == SCRAM_SHA_1 ? 20 : 32 };
    keys->salt_len = buf_len(&salt);
    memcpy(keys->salt, buf_slice(&salt).p, keys->salt_len);
    scram_derive(SLICE("pencil"), keys);
    buf_free(&salt);
}

static void the_examples_of_the_rfcs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        const struct example *e = &examples[i];
        struct scram_keys     keys;
        struct scram_first    first;
        struct scram_final    final = { 0 };
        struct buf            reply = { 0 }, auth = { 0 };

        keys_of(e, &keys);
        assert_true(scram_first_take(slice_str(e->first), &first));
        assert_true(slice_is(first.header, "n,,") && slice_is(first.flag, "n"));
        assert_string_equal(first.name, "user");
        scram_first_put(&reply, slice_str(e->nonce), &keys, slice_of(NULL, 0));
        assert_true(slice_is(buf_slice(&reply), e->server_first));
        assert_true(scram_final_take(slice_str(e->final), &final));
        assert_true(slice_is(final.nonce, e->nonce) && slice_is(buf_slice(&final.binding), "n,,"));
        buf_printf(&auth, "%.*s,%s,%.*s", SLICE_FMT(first.bare), e->server_first, SLICE_FMT(final.without_proof));
        assert_true(scram_proves(&keys, buf_slice(&auth), &final));
        buf_reset(&reply, 0);
        scram_final_put(&reply, &keys, buf_slice(&auth));
        assert_true(slice_is(buf_slice(&reply), e->server_final));
        final.proof[0] ^= 1;
        assert_false(scram_proves(&keys, buf_slice(&auth), &final));
        final.proof[0] ^= 1;
        final.proof_len--;
        assert_false(scram_proves(&keys, buf_slice(&auth), &final));
        buf_free(&final.binding);
        buf_free(&reply);
        buf_free(&auth);
    }
}

static void names_are_unescaped_and_an_authzid_is_seen(void **state)
{
    struct scram_first first;

    (void)state;
    assert_true(scram_first_take(SLICE("p=tls-exporter,a=a=2Cb=3Dc,n=x=3Dy=2C,r=abc,ext=1"), &first));
    assert_true(slice_is(first.header, "p=tls-exporter,a=a=2Cb=3Dc,") && slice_is(first.flag, "p=tls-exporter"));
    assert_string_equal(first.authzid, "a,b=c");
    assert_string_equal(first.name, "x=y,");
    assert_true(slice_is(first.nonce, "abc") && slice_is(first.bare, "n=x=3Dy=2C,r=abc,ext=1"));
}

static void malformed_first_messages_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "n", "n,", "n,,", "n,,n=,r=a", "n,,n=a", "n,,n=a,r=", "n,,r=a,n=a", "n,,m=x,n=a,r=a", "n,x,n=a,r=a",
        "n,,n=a=2,r=a", "n,,n=a=,r=a", "n,,n=a=2c,r=a", "n,,n=a,r=a b", "n,,n=a,r=\xc3\xa4", "n,a=x=1,n=a,r=a",
    };
    struct scram_first first;
    char               longest[600];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(scram_first_take(slice_str(bad[i]), &first));
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "n,,n=a,r=", 9);
    assert_false(scram_first_take(slice_of(longest, sizeof longest), &first));
    assert_true(scram_first_take(slice_of(longest, 9 + SCRAM_NONCE_MAX), &first));
}

static void malformed_final_messages_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "c=biws", "c=biws,r=a", "c=biws,r=a,p=", "c=,r=a,p=AAAA", "r=a,c=biws,p=AAAA", "c=!,r=a,p=AAAA",
        "c=biws,r=a,p=!", "c=biws,r=,p=AAAA", "p=AAAA", "c=biws,r=a,p=AAAA,x=1",
        "c=biws,r=a,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct scram_final final = { 0 };
        assert_false(scram_final_take(slice_str(bad[i]), &final));
        buf_free(&final.binding);
    }
}

/* ---- XEP-0474 ---- */

/* The example of 4.3: its lists, and the h that the server says. */
static void h_of_the_xep(void **state)
{
    struct slice      mechanisms[] = { SLICE("SCRAM-SHA-1-PLUS"), SLICE("SCRAM-SHA-1") };
    struct slice      bindings[] = { SLICE("tls-server-end-point"), SLICE("tls-exporter") };
    struct scram_keys keys;
    struct buf        text = { 0 }, reply = { 0 };

    (void)state;
    keys_of(&examples[0], &keys);
    sasl_advertised_of(&text, mechanisms, 2, bindings, 2);
    assert_true(slice_is(buf_slice(&text),
                         "SCRAM-SHA-1\x1e" "SCRAM-SHA-1-PLUS\x1f" "tls-exporter\x1e" "tls-server-end-point"));
    scram_first_put(&reply, SLICE("12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6"), &keys,
                    buf_slice(&text));
    assert_true(slice_is(buf_slice(&reply),
                         "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,"
                         "s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08="));
    buf_free(&text);
    buf_free(&reply);
}

static void without_bindings_nothing_is_said_of_them(void **state)
{
    struct sasl_stream clear = { .clear_allowed = true }, secure = { .secure = true, .binding = true };
    struct auth_binding one = { SLICE("tls-exporter"), SLICE("x") };
    struct buf         text = { 0 };

    (void)state;
    sasl_advertised(&text, clear, NULL, 0);
    assert_true(slice_is(buf_slice(&text), "PLAIN\x1e" "SCRAM-SHA-1\x1e" "SCRAM-SHA-256"));
    buf_reset(&text, 0);
    sasl_advertised(&text, secure, &one, 1);
    assert_true(slice_is(buf_slice(&text), "PLAIN\x1e" "SCRAM-SHA-1\x1e" "SCRAM-SHA-1-PLUS\x1e" "SCRAM-SHA-256\x1e"
                                           "SCRAM-SHA-256-PLUS\x1f" "tls-exporter"));
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfcs),
        cmocka_unit_test(names_are_unescaped_and_an_authzid_is_seen),
        cmocka_unit_test(malformed_first_messages_are_refused),
        cmocka_unit_test(malformed_final_messages_are_refused),
        cmocka_unit_test(h_of_the_xep),
        cmocka_unit_test(without_bindings_nothing_is_said_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
