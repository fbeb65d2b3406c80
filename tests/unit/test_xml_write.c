/* proto/xml_write.c, element.c: escaping, namespaces, trees, stanzas. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "element.h"
#include "ns.h"
#include "xml_write.h"

static void assert_written(struct buf *b, const char *expected)
{
    buf_put_u8(b, 0);
    assert_string_equal((const char *)buf_slice(b).p, expected);
    buf_free(b);
}

static void assert_escaped(const char *raw, size_t len, const char *expected)
{
    struct buf b = { 0 };

    xml_escape(&b, slice_of(raw, len));
    assert_written(&b, expected);
}

#define ESCAPED(raw, expected) assert_escaped(raw, sizeof(raw) - 1, expected)

static void escapes_markup(void **state)
{
    ESCAPED("", "");
    ESCAPED("plain \u00E9\u4E00\U0001F600", "plain \u00E9\u4E00\U0001F600");
    ESCAPED("<a b='c' d=\"e\">&]]>", "&lt;a b=&apos;c&apos; d=&quot;e&quot;&gt;&amp;]]&gt;");
    ESCAPED("a\tb\nc\rd", "a&#9;b&#10;c&#13;d");
}

static void drops_what_xml_forbids(void **state)
{
    ESCAPED("a\0b\x01" "c\x0B\x1Fz", "abcz");
    ESCAPED("a\uFFFE\uFFFFb", "ab");
    ESCAPED("a\xED\xA0\x80" "b\xC0\x80" "c\xFF\xF5z", "abcz");
    ESCAPED("a\xE2\x82", "a");
    ESCAPED("\x7F\xC2\x85", "\x7F\xC2\x85");
}

static void text_keeps_line_breaks(void **state)
{
    struct buf        b = { 0 };
    struct xml_writer w;

    xml_begin(&w, &b, NS_CLIENT);
    xml_simple(&w, "body", NULL, SLICE("a\n\tb\r&"));
    assert_written(&b, "<body>a\n\tb&#13;&amp;</body>");
}

static void namespaces_are_written_where_they_change(void **state)
{
    struct buf        b = { 0 };
    struct xml_writer w;

    xml_begin(&w, &b, NS_CLIENT);
    xml_open(&w, "query", NS_ROSTER);
    xml_attr(&w, "ver", "");
    xml_attr(&w, "none", NULL);
    xml_open(&w, "item", NULL);
    xml_attr(&w, "jid", "a@b/<'>");
    xml_attr_num(&w, "n", -7);
    xml_simple(&w, "group", NULL, SLICE("Friends"));
    xml_simple(&w, "body", NS_CLIENT, SLICE("x"));
    xml_close(&w);
    xml_raw(&w, SLICE("<raw/>"));
    xml_open(&w, "plain", "");
    xml_close(&w);
    xml_close(&w);
    xml_open(&w, "body", NS_CLIENT);
    xml_text(&w, (struct slice){ 0 });
    xml_close(&w);
    assert_written(&b, "<query xmlns='jabber:iq:roster' ver=''><item jid='a@b/&lt;&apos;&gt;' n='-7'>"
                       "<group>Friends</group><body xmlns='jabber:client'>x</body></item><raw/>"
                       "<plain xmlns=''/></query><body/>");
}

static void a_tree_is_written_whole(void **state)
{
    struct element text = { .text = SLICE("1<2") };
    struct element b = { .ns = SLICE("urn:b"), .name = SLICE("b") };
    struct element root = { .ns = SLICE("urn:a"), .name = SLICE("a"), .children = &b, .nodes = &text };
    struct attribute lang = { .ns = SLICE("http://www.w3.org/XML/1998/namespace"), .name = SLICE("lang"),
                              .value = SLICE("be") };
    struct attribute far = { .next = &lang, .ns = SLICE("urn:x"), .name = SLICE("k"), .value = SLICE("v\n") };
    struct buf        out = { 0 };
    struct xml_writer w;

    text.next_node = &b;
    root.attributes = &far;
    xml_begin(&w, &out, NS_CLIENT);
    xml_open(&w, "in", "urn:a");
    xml_element(&w, &root);
    xml_close(&w);
    assert_written(&out, "<in xmlns='urn:a'><a xmlns:a0='urn:x' a0:k='v&#10;' xml:lang='be'>1&lt;2"
                         "<b xmlns='urn:b'/></a></in>");
}

static void elements_are_found(void **state)
{
    struct arena    *arena = arena_new();
    struct attribute id = { .name = SLICE("id"), .value = SLICE("1") };
    struct attribute far = { .next = &id, .ns = SLICE("urn:x"), .name = SLICE("id"), .value = SLICE("2") };
    struct element   t1 = { .text = SLICE("one ") }, t2 = { .text = SLICE("two") };
    struct element   c2 = { .ns = SLICE("urn:a"), .name = SLICE("c") };
    struct element   b = { .ns = SLICE("urn:b"), .name = SLICE("b"), .next = &c2, .next_node = &t2 };
    struct element   c1 = { .ns = SLICE("urn:a"), .name = SLICE("c"), .next = &b, .next_node = &b,
                           .nodes = &t1 };
    struct element   a = { .ns = SLICE("urn:a"), .name = SLICE("a"), .children = &c1, .nodes = &t1,
                           .attributes = &far };

    t1.next_node = NULL;
    t2.next_node = &c2;
    assert_true(element_is(&a, "urn:a", "a"));
    assert_false(element_is(&a, "urn:b", "a"));
    assert_false(element_is(NULL, "urn:a", "a"));
    assert_ptr_equal(element_child(&a, NULL, "c"), &c1);
    assert_ptr_equal(element_child(&a, "urn:b", NULL), &b);
    assert_ptr_equal(element_next(&c1, NULL, "c"), &c2);
    assert_null(element_next(&c2, NULL, "c"));
    assert_null(element_child(&a, "urn:a", "b"));
    assert_true(slice_is(element_attr(&a, "id"), "1"));
    assert_true(slice_is(element_attr_ns(&a, "urn:x", "id"), "2"));
    assert_null(element_attr(&a, "none").p);
    assert_true(slice_is(element_child_text(arena, &a, "c"), "one "));
    struct element joined = { .nodes = &t1 };
    t1.next_node = &t2;
    t2.next_node = NULL;
    assert_true(slice_is(element_text(arena, &joined), "one two"));
    assert_int_equal(element_text(arena, &b).len, 0);
    arena_free(&arena);
}

static const struct stanza message = {
    .name = STANZA_MESSAGE, .type = TYPE_CHAT, .from = SLICE_INIT("a@b/c'd"), .to = SLICE_INIT("e@f"),
    .id = SLICE_INIT("<1>"), .lang = SLICE_INIT("be"), .content = SLICE_INIT("<body>x</body>"),
};

static void a_stanza_gets_its_start_tag(void **state)
{
    struct buf    b = { 0 };
    struct stanza bare = { .name = STANZA_PRESENCE };
    struct stanza normal = { .name = STANZA_MESSAGE, .type = TYPE_NORMAL, .content = SLICE("<x/>") };

    stanza_write(&b, &message, (struct slice){ 0 });
    assert_written(&b, "<message from='a@b/c&apos;d' id='&lt;1&gt;' type='chat' xml:lang='be' to='e@f'>"
                       "<body>x</body></message>");
    stanza_write(&b, &message, SLICE("g@h/i"));
    assert_written(&b, "<message from='a@b/c&apos;d' id='&lt;1&gt;' type='chat' xml:lang='be' to='g@h/i'>"
                       "<body>x</body></message>");
    stanza_write(&b, &bare, (struct slice){ 0 });
    stanza_write(&b, &normal, (struct slice){ 0 });
    assert_written(&b, "<presence/><message><x/></message>");
}

static void a_fan_out_is_split_where_to_stands(void **state)
{
    struct buf whole = { 0 }, before = { 0 }, after = { 0 };

    stanza_write(&whole, &message, SLICE("g@h/i"));
    stanza_write_split(&before, &after, &message);
    buf_put_str(&before, " to='g@h/i'");
    buf_put_slice(&before, buf_slice(&after));
    assert_true(slice_eq(buf_slice(&whole), buf_slice(&before)));
    buf_free(&whole);
    buf_free(&before);
    buf_free(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_markup),
        cmocka_unit_test(drops_what_xml_forbids),
        cmocka_unit_test(text_keeps_line_breaks),
        cmocka_unit_test(namespaces_are_written_where_they_change),
        cmocka_unit_test(a_tree_is_written_whole),
        cmocka_unit_test(elements_are_found),
        cmocka_unit_test(a_stanza_gets_its_start_tag),
        cmocka_unit_test(a_fan_out_is_split_where_to_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
