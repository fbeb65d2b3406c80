/* proto/stanza_id, proto/xml_cut: ids added, found again, and forged ones taken out by their bytes. */

#include "arena_fixture.h"

#include "delay.h"
#include "stanza_id.h"
#include "xml_cut.h"

#define SID "urn:xmpp:sid:0"
#define OURS "<stanza-id xmlns='" SID "' by='a@x.org' id='1'/>"

static bool is_ours(void *arg, struct slice bare)
{
    return slice_is(bare, arg);
}

static const char *strip(const char *content)
{
    struct stanza s = { .name = STANZA_MESSAGE, .flags = STANZA_HAS_ID, .content = slice_str(content) };
    static char   ours[] = "a@x.org";

    return arena_str(arena, stanza_id_strip(arena, &s, is_ours, ours, &limits));
}

static void forged_ids_go_and_everything_else_stays(void **state)
{
    static const struct { const char *content, *left; } cases[] = {
        { "", "" },
        { "<body>hi</body>", "<body>hi</body>" },
        { OURS, "" },
        { "<body>hi</body>" OURS "<x xmlns='y'/>", "<body>hi</body><x xmlns='y'/>" },
        { OURS "<body>a &gt; b</body>" OURS, "<body>a &gt; b</body>" },
        { "text " OURS " more", "text  more" },
        { "<stanza-id xmlns='" SID "' by='r@y.org' id='1'/>" OURS, "<stanza-id xmlns='" SID "' by='r@y.org' id='1'/>" },
        { "<p:stanza-id xmlns:p='" SID "' by='a@x.org' id='1'><b/>t</p:stanza-id><c/>", "<c/>" },
        { "<stanza-id xmlns='urn&#58;xmpp:sid:0' by=\"A@X.ORG/r\" id='>'/>", "" },
        { "<stanza-id xmlns='" SID "' by='a&#64;x.org' id='1'></stanza-id >z", "z" },
        { "<stanza-id xmlns='other' by='a@x.org' id='1'/>", "<stanza-id xmlns='other' by='a@x.org' id='1'/>" },
        { "<origin-id xmlns='" SID "' id='1'/>", "<origin-id xmlns='" SID "' id='1'/>" },
        { "<f xmlns='f'>" OURS "</f>", "<f xmlns='f'>" OURS "</f>" },              /* not a child of the stanza */
        { "<a t='<!' u=\"'>\"><![CDATA[</a>" OURS "]]></a>" OURS, NULL },
        { "<a t='/' u=\"'>\"><![CDATA[</a><b>]]]]></a>" OURS "<c/>", "<a t='/' u=\"'>\"><![CDATA[</a><b>]]]]></a><c/>" },
        { "<![CDATA[<a>]]><b c='d/'>" "e</b>" OURS "f", "<![CDATA[<a>]]><b c='d/'>e</b>f" },
        { "<stanza-id xmlns='" SID "' id='1'/>", "<stanza-id xmlns='" SID "' id='1'/>" },
        { "<stanza-id xmlns='" SID "' by='@' id='1'/>", "<stanza-id xmlns='" SID "' by='@' id='1'/>" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *left = strip(cases[i].content);
        /* What is not XML never comes here; should it, nothing is passed on. */
        assert_string_equal(left, cases[i].left ? cases[i].left : "");
    }
}

static void without_the_flag_nothing_is_looked_at(void **state)
{
    struct stanza s = { .name = STANZA_MESSAGE, .content = SLICE(OURS) };

    (void)state;
    assert_ptr_equal(stanza_id_strip(arena, &s, is_ours, NULL, &limits).p, s.content.p);
}

static void what_needs_no_cut_is_not_copied(void **state)
{
    struct stanza s = { .name = STANZA_MESSAGE, .flags = STANZA_HAS_ID,
                        .content = SLICE("<stanza-id xmlns='" SID "' by='r@y.org' id='1'/>") };
    static char   ours[] = "a@x.org";

    (void)state;
    assert_ptr_equal(stanza_id_strip(arena, &s, is_ours, ours, &limits).p, s.content.p);
}

static void our_own_is_found_at_the_end(void **state)
{
    struct buf content = { 0 };

    (void)state;
    buf_put_str(&content, "<f xmlns='f'>" OURS "</f><stanza-id xmlns='" SID "' by='r@y.org' id='2'/>");
    assert_null(stanza_id_own(buf_slice(&content), SLICE("a@x.org")).p);
    stanza_id_write(&content, SLICE("a@x.org"), SLICE("abc"));
    assert_true(slice_is(stanza_id_own(buf_slice(&content), SLICE("a@x.org")), "abc"));
    assert_null(stanza_id_own(buf_slice(&content), SLICE("b@x.org")).p);
    delay_write(&content, SLICE("x.org"), 1795219199000000);
    assert_true(slice_is(stanza_id_own(buf_slice(&content), SLICE("a@x.org")), "abc"));
    buf_put_str(&content, "<z/>");
    assert_null(stanza_id_own(buf_slice(&content), SLICE("a@x.org")).p);
    buf_free(&content);
    stanza_id_write(&content, SLICE("o'neil&co@x.org"), SLICE("abc"));
    assert_true(slice_is(stanza_id_own(buf_slice(&content), SLICE("o'neil&co@x.org")), "abc"));
    buf_free(&content);
    assert_null(stanza_id_own(SLICE(""), SLICE("a@x.org")).p);
    assert_null(stanza_id_own(SLICE("<f>" OURS "<delay xmlns='urn:xmpp:delay'/></f>"), SLICE("a@x.org")).p);
    assert_null(stanza_id_own(SLICE(OURS "<delay xmlns='urn:xmpp:delay'>t</delay>"), SLICE("a@x.org")).p);
    assert_null(stanza_id_own(SLICE("'/>"), SLICE("a@x.org")).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_ids_go_and_everything_else_stays),
        cmocka_unit_test(without_the_flag_nothing_is_looked_at),
        cmocka_unit_test(what_needs_no_cut_is_not_copied),
        cmocka_unit_test(our_own_is_found_at_the_end),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
