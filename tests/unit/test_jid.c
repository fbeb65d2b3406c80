/* proto/jid.c, jid_domain.c, precis.c: RFC 7622 with 5892, 5893, 8264, 8265. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jid.h"

static void assert_becomes(const char *raw, const char *canonical)
{
    struct jid j, again;

    if (jid_parse(slice_str(raw), &j))
        fail_msg("refused: %s", raw);
    assert_string_equal(j.text, canonical);
    assert_int_equal(j.len, strlen(canonical));
    assert_int_equal(jid_parse(jid_slice(&j), &again), ZE_OK);
    assert_string_equal(again.text, canonical);
}

static void assert_kept(const char *raw)
{
    assert_becomes(raw, raw);
}

static void assert_refused(const char *raw)
{
    struct jid j = { .len = 7777 };

    if (jid_parse(slice_str(raw), &j) != ZE_BAD_JID)
        fail_msg("taken: %s as %s", raw, j.text);
    assert_int_equal(j.len, 7777);
}

/* RFC 7622 3.5 table 1. */
static void valid_examples_of_the_rfc(void **state)
{
    static const char *const kept[] = {
        "juliet@example.com", "juliet@example.com/foo", "juliet@example.com/foo bar",
        "juliet@example.com/foo@bar",
        "foo\\20bar@example.com", "fussball@example.com", "fu\u00DFball@example.com", "\u03C0@example.com",
        "\u03C3@example.com/foo", "\u03C2@example.com/foo", "king@example.com/\u265A", "example.com",
        "example.com/foobar", "a.example.com/b@example.net",
    };

    for (size_t i = 0; i < COUNT_OF(kept); i++)
        assert_kept(kept[i]);
    assert_becomes("\u03A3@example.com/foo", "\u03C3@example.com/foo");
}

/* RFC 7622 3.5 table 2. */
static void invalid_examples_of_the_rfc(void **state)
{
    static const char *const bad[] = {
        "\"juliet\"@example.com", "foo bar@example.com", "juliet@example.com/ foo", "@example.com/",
        "henry\u2163@example.com", "\u265A@example.com", "juliet@", "/foobar",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_refused(bad[i]);
}

static void parts_must_not_be_empty(void **state)
{
    assert_refused("");
    assert_refused("@");
    assert_refused("/");
    assert_refused("@example.com");
    assert_refused("a@example.com/");
    assert_refused("a@/r");
    assert_refused(".");
    assert_refused("a@.");
}

static void excluded_characters_in_a_localpart(void **state)
{
    for (const char *c = "\"&':<> \t\x7f"; *c; c++) {
        char raw[32];
        snprintf(raw, sizeof(raw), "a%cb@example.com", *c);
        assert_refused(raw);
        snprintf(raw, sizeof(raw), "\u00E9%cb@example.com", *c);
        assert_refused(raw);
    }
    assert_refused("a\uFF20b@example.com");    /* full-width @ maps to an excluded character */
    assert_refused("a\uFF0Fb@example.com");    /* full-width / */
    assert_refused("a\uFF06b@example.com");    /* full-width & */
    assert_refused("a@b@example.com");
    assert_kept("a/b@example.com");            /* domain "a", resource "b@example.com" */
}

static void localparts_are_folded(void **state)
{
    assert_becomes("JULIET@example.com", "juliet@example.com");
    assert_becomes("J\u00DCRI@example.com", "j\u00FCri@example.com");
    assert_becomes("u\u0308@example.com", "\u00FC@example.com");
    assert_becomes("\uFF4A\uFF35@example.com", "ju@example.com");
    assert_becomes("\u0391\u03A3@example.com", "\u03B1\u03C2@example.com");
    assert_becomes("\u0130@example.com", "i\u0307@example.com");
    assert_kept("\u0437\u0443\u0431\u0440@example.com");
}

static void disallowed_in_a_localpart(void **state)
{
    static const char *const bad[] = {
        "\uFB01",            /* ligature fi: compatibility equivalent */
        "a\u200Bb",          /* zero width space: default ignorable */
        "\u00ADa",           /* soft hyphen */
        "a\u00A0b",          /* space */
        "\U0001F600",        /* symbol */
        "\u0378",            /* unassigned */
        "\u1100\u1161\u11A8x\u1100", /* old Hangul jamo that does not compose */
        "\u0640",            /* Arabic tatweel (RFC 5892 2.6) */
        "\u302E", "\u3031", "\u303B", "\u07FA",
        "\uE000",            /* private use */
        "\uFDD0", "\uFFFE",  /* noncharacters */
        "\u2028", "a\u00B2", "\u01C5",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char raw[64];
        snprintf(raw, sizeof(raw), "%s@example.com", bad[i]);
        assert_refused(raw);
    }
    assert_kept("\u06FD@example.com/x");
    assert_kept("\u3007@example.com");
    assert_becomes("\u1112\u1161\u11AB@example.com", "\uD55C@example.com");
}

/* RFC 5892 appendix A.1 to A.9. */
static void context_rules(void **state)
{
    assert_kept("\u0915\u094D\u200C\u0937@example.com");           /* ZWNJ after virama */
    assert_kept("\u0628\u200C\u0628@example.com");                 /* ZWNJ between joining letters */
    assert_kept("\u0628\u064B\u200C\u064B\u0628@example.com");     /* with transparent marks */
    assert_refused("a\u200Cb@example.com");
    assert_refused("\u200C\u0628@example.com");
    assert_refused("\u0628\u200C@example.com");
    assert_kept("\u0915\u094D\u200D\u0937@example.com");           /* ZWJ after virama */
    assert_refused("\u0628\u200D\u0628@example.com");
    assert_refused("\u200D@example.com");
    assert_kept("col\u00B7laboraci\u00F3@example.com");            /* middle dot between l and l */
    assert_refused("col\u00B7a@example.com");
    assert_refused("l\u00B7@example.com");
    assert_kept("\u0375\u03B1@example.com");                       /* Greek keraia before Greek */
    assert_refused("\u0375a@example.com");
    assert_refused("\u03B1\u0375@example.com");
    assert_kept("\u05D0\u05F3@example.com");                       /* Hebrew geresh after Hebrew */
    assert_kept("\u05D0\u05F4\u05D1@example.com");
    assert_refused("\u05F3@example.com");
    assert_refused("a\u05F4@example.com");
    assert_kept("\u30AB\u30FB\u30AB@example.com");                 /* katakana middle dot */
    assert_kept("\u4E00\u30FB@example.com");
    assert_refused("a\u30FBb@example.com");
    assert_becomes("\u30AB\uFF65@example.com", "\u30AB\u30FB@example.com");
    assert_kept("\u0628\u0661\u0662@example.com");                 /* Arabic-Indic digits */
    assert_kept("\u0628\u06F1\u06F2@example.com");                 /* extended ones */
    assert_refused("\u0628\u0661\u06F1@example.com");
}

/* RFC 5893 2. */
static void bidi_rule(void **state)
{
    assert_kept("\u05D0\u05D1@example.com");
    assert_kept("\u0628\u0628\u0661@example.com");
    assert_kept("\u05D01@example.com");            /* rule 3: may end in EN */
    assert_kept("\u05D0\u05B0@example.com");       /* NSM at the end */
    assert_refused("1\u05D0@example.com");         /* rule 1 */
    assert_refused("a\u05D0@example.com");         /* rule 5 */
    assert_refused("\u05D0a@example.com");         /* rule 2 */
    assert_refused("\u05D0-@example.com");         /* rule 3 */
    assert_refused("\u0628\u06611@example.com");   /* rule 4: EN and AN */
    assert_kept("a@example.com/1\u05D0a");         /* no such rule in OpaqueString */
}

static void resourceparts(void **state)
{
    assert_kept("a@example.com/Foo");                           /* case kept */
    assert_becomes("a@example.com/x\u00A0y\u3000z", "a@example.com/x y z");
    assert_becomes("a@example.com/e\u0301", "a@example.com/\u00E9");
    assert_kept("a@example.com/\uFF21\u2163\U0001F600");        /* not width-mapped, symbols allowed */
    assert_kept("a@example.com/a/b@c/d");
    assert_kept("example.com/&<>'\"");
    assert_refused("a@example.com/a\x01" "b");
    assert_refused("a@example.com/a\nb");
    assert_refused("a@example.com/a\x7f");
    assert_refused("a@example.com/a\u200Bb");
    assert_refused("a@example.com/\u00A0a");                    /* a leading space after mapping */
    assert_refused("a@example.com/\u0378");
    assert_refused("a@example.com/\uE000");
}

static void domains(void **state)
{
    assert_becomes("EXAMPLE.COM", "example.com");
    assert_becomes("a@Example.COM.", "a@example.com");
    assert_kept("localhost");
    assert_kept("127.0.0.1");
    assert_kept("a@1.example");
    assert_becomes("xn--bcher-kva.example", "b\u00FCcher.example");
    assert_becomes("XN--BCHER-KVA.example", "b\u00FCcher.example");
    assert_becomes("B\u00DCCHER.example", "b\u00FCcher.example");
    assert_becomes("bu\u0308cher.example.", "b\u00FCcher.example");
    assert_becomes("b\u00FCcher\u3002example\u3002", "b\u00FCcher.example");
    assert_kept("fu\u00DFball.example");
    assert_becomes("\uFF45xample.com", "example.com");
    assert_kept("\u0431\u0435\u043B.\u0431\u0435\u043B");
}

/* What libidn2 lets pass or silently deletes. */
static void domains_that_are_none(void **state)
{
    static const char *const bad[] = {
        "a_b.example", "a b.example", "a..b", "example..", ".example", "-a.example", "a-.example",
        "ab--c.example",
        "xn--.example", "xn--a.example", "xn--example.com-.example", "a_b\u00FC.example", "a\u00FC b.example",
        "\u00FC..example", "\u00FC\uFF0Fb.example", "\u00FC\uFF20b.example", "\uFB01.example",
        "\u2163.example",
        "\U0001F600.example", "a\u200B\u00FC.example", "\u0301a.example", "a:5222", "[::1", "[127.0.0.1]",
        "[]",
        "[::1%lo]", "::1", "ex\xC3mple.com", "\xED\xA0\x80.example", "a\u05D0.example", "xn--bce.example",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_refused(bad[i]);
    struct jid j;
    assert_int_equal(jid_parse(slice_of("a\0b.example", 11), &j), ZE_BAD_JID);
    assert_int_equal(jid_parse(slice_of("\xC3\xBC\0b.example", 12), &j), ZE_BAD_JID);
}

static void ipv6_literals(void **state)
{
    assert_kept("[::1]");
    assert_becomes("a@[2001:DB8:0:0::1]/r", "a@[2001:db8::1]/r");
}

static void bad_utf8(void **state)
{
    assert_refused("\xFF@example.com");
    assert_refused("\xC0\x80@example.com");
    assert_refused("a\xED\xA0\x80@example.com");
    assert_refused("a@example.com/\xF5\x80\x80\x80");
    assert_refused("a@example.com/\xE2\x82");
}

static void fill(char *text, const char *piece, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        text[i] = piece[i % strlen(piece)];
    text[bytes] = 0;
}

static void parts_end_at_1023_bytes(void **state)
{
    static const char *const pieces[] = { "a", "\u03C0a\u03C0" };
    char                     part[1100], raw[1200];
    struct jid               j;

    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        fill(part, pieces[i], 1023);
        if (i == 1)
            part[1022] = part[1021] = part[1020] = 'a';
        snprintf(raw, sizeof(raw), "%s@example.com", part);
        assert_int_equal(jid_parse(slice_str(raw), &j), ZE_OK);
        assert_int_equal(j.local_len, 1023);
        snprintf(raw, sizeof(raw), "%sa@example.com", part);
        assert_refused(raw);
        snprintf(raw, sizeof(raw), "example.com/%s", part);
        assert_int_equal(jid_parse(slice_str(raw), &j), ZE_OK);
        assert_int_equal(j.resource_len, 1023);
        snprintf(raw, sizeof(raw), "example.com/%sa", part);
        assert_refused(raw);
    }
    fill(part, "abcdefghi.", 253);
    assert_int_equal(jid_parse(slice_str(part), &j), ZE_OK);
    fill(part, "abcdefghi.", 254);
    assert_refused(part);
}

static void a_jid_comes_apart(void **state)
{
    struct jid j;

    assert_int_equal(jid_parse(slice_str("Romeo@Example.net/Orchard@x/y"), &j), ZE_OK);
    assert_true(slice_is(jid_local(jid_slice(&j)), "romeo"));
    assert_true(slice_is(jid_domain(jid_slice(&j)), "example.net"));
    assert_true(slice_is(jid_resource(jid_slice(&j)), "Orchard@x/y"));
    assert_true(slice_is(jid_bare(jid_slice(&j)), "romeo@example.net"));
    assert_int_equal(j.local_len, 5);
    assert_int_equal(j.domain_len, 11);
    assert_int_equal(j.resource_len, 11);
    assert_false(jid_is_bare(jid_slice(&j)));
    assert_true(jid_is_bare(SLICE("a@b")));
    assert_true(jid_is_domain(SLICE("b")));
    assert_false(jid_is_domain(SLICE("a@b")));
    assert_false(jid_is_domain(SLICE("b/a@c")));
    assert_true(slice_is(jid_domain(SLICE("b/a@c")), "b"));
    assert_int_equal(jid_local(SLICE("b/a@c")).len, 0);
    assert_true(jid_same_bare(SLICE("a@b/c"), SLICE("a@b/d")));
    assert_false(jid_same_bare(SLICE("a@b/c"), SLICE("a@bb/c")));
    assert_int_equal(jid_bare((struct slice){ 0 }).len, 0);
}

static void a_jid_is_made_of_parts(void **state)
{
    struct jid j;

    assert_int_equal(jid_make(SLICE("A"), SLICE("B.c"), SLICE("D"), &j), ZE_OK);
    assert_string_equal(j.text, "a@b.c/D");
    assert_int_equal(jid_make((struct slice){ 0 }, SLICE("b"), (struct slice){ 0 }, &j), ZE_OK);
    assert_string_equal(j.text, "b");
    assert_int_equal(jid_make(SLICE("a@b"), SLICE("c"), (struct slice){ 0 }, &j), ZE_BAD_JID);
    assert_int_equal(jid_make(SLICE("a"), SLICE("c/d"), (struct slice){ 0 }, &j), ZE_BAD_JID);
    assert_int_equal(jid_make(SLICE("a"), (struct slice){ 0 }, SLICE("d"), &j), ZE_BAD_JID);
    assert_string_equal(j.text, "b");
}

static void a_jid_may_be_parsed_in_place(void **state)
{
    struct jid j;

    assert_int_equal(jid_parse(SLICE("A@b.c/D"), &j), ZE_OK);
    assert_int_equal(jid_parse(jid_bare(jid_slice(&j)), &j), ZE_OK);
    assert_string_equal(j.text, "a@b.c");
}

/* parse(parse(x)) = parse(x), over strings made of awkward pieces. */
static void canonical_forms_are_stable(void **state)
{
    static const char *const pieces[] = {
        "a", "B", "1", "-", ".", "@", "/", " ", "xn--", "\u00DF", "\u0130", "\u03A3", "\u03C2", "\u0308",
        "\uFF21",
        "\uFF0E", "\u3002", "\u00A0", "\u05D0", "\u0661", "\u200C", "\u094D", "\u0915", "\u1100", "\u1161",
        "\u11A8",
        "\u1E9E", "\u2126", "\u0345", "\u0391", "\u1F88", "\u01C4", "\uFF76\uFF9E", "\xC3", "bcher-kva",
        "\u0149",
    };
    uint32_t seed = 20261121;
    unsigned taken = 0;

    for (int round = 0; round < 60000; round++) {
        char       raw[128] = "";
        struct jid j, again;
        for (unsigned n = 1 + (seed >> 8) % 7; n; n--) {
            seed = seed * 1664525 + 1013904223;
            strncat(raw, pieces[(seed >> 8) % COUNT_OF(pieces)], sizeof(raw) - strlen(raw) - 1);
        }
        if (jid_parse(slice_str(raw), &j))
            continue;
        taken++;
        if (jid_parse(jid_slice(&j), &again) || !slice_eq(jid_slice(&j), jid_slice(&again)))
            fail_msg("%s became %s", raw, j.text);
        assert_int_equal(strlen(j.text), j.len);
    }
    assert_true(taken > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_examples_of_the_rfc),
        cmocka_unit_test(invalid_examples_of_the_rfc),
        cmocka_unit_test(parts_must_not_be_empty),
        cmocka_unit_test(excluded_characters_in_a_localpart),
        cmocka_unit_test(localparts_are_folded),
        cmocka_unit_test(disallowed_in_a_localpart),
        cmocka_unit_test(context_rules),
        cmocka_unit_test(bidi_rule),
        cmocka_unit_test(resourceparts),
        cmocka_unit_test(domains),
        cmocka_unit_test(domains_that_are_none),
        cmocka_unit_test(ipv6_literals),
        cmocka_unit_test(bad_utf8),
        cmocka_unit_test(parts_end_at_1023_bytes),
        cmocka_unit_test(a_jid_comes_apart),
        cmocka_unit_test(a_jid_is_made_of_parts),
        cmocka_unit_test(a_jid_may_be_parsed_in_place),
        cmocka_unit_test(canonical_forms_are_stable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
