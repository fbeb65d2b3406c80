/* proto/xml_content.c, xml_write.c: contents are proved, and what is written is read back. */

#include "xml_rig.h"

static const char *const contents[] = {
    "", "text", "<a/>", "<body>x</body> text <b xmlns='urn:b'>&amp;<c/></b>", "<![CDATA[]]]]>",
    "<a b='&#10;c'/>",
    "]]", "<w/>", "<w></w>", "<r></r>",
};

static const char *const bad_contents[] = {
    "<a>", "</a>", "</w>", "</w><w>", "</r>", "</w></r><r><w>", "<a", "<a b='", "<![CDATA[", "<!--",
    "<!-- -->", "<?p?>",
    "&lol;", "&amp", "&", "]]>", "<p:a/>", "<a p:b=''/>", "<stream:a/>", "\xFF", "\x01", "<a></b>",
    "<a b='1' b='2'/>",
    "<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>", "<", "<a/", "<!DOCTYPE a>", "\uFFFE", "</w", "<w", "<a><",
    "&#0;",
};

static void contents_are_proved(void **state)
{
    struct arena *arena = arena_new();

    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        struct stanza s = { .content = slice_str(contents[i]) };
        if (xml_check_content(arena, &s, &limits) || !xml_parse_content(arena, s.content, NS_CLIENT, &limits))
            fail_msg("refused: %s", contents[i]);
    }
    for (size_t i = 0; i < COUNT_OF(bad_contents); i++) {
        struct stanza s = { .content = slice_str(bad_contents[i]) };
        if (xml_check_content(arena, &s, &limits) != ZE_BAD_REQUEST ||
            xml_parse_content(arena, s.content, NS_CLIENT, &limits))
            fail_msg("taken: %s", bad_contents[i]);
    }
    struct stanza nul = { .content = SLICE("a\0b") };
    assert_int_equal(xml_check_content(arena, &nul, &limits), ZE_BAD_REQUEST);
    arena_free(&arena);
}

static void contents_have_limits(void **state)
{
    struct arena *arena = arena_new();
    char         *deep = repeat("", "<a>", 65, ""), *closed = repeat(deep, "</a>", 65, "");
    char         *attributes = repeat("<a", " b=''", 129, "/>"), *name = repeat("<", "a", 1025, "/>");
    char         *text = repeat("", "abcd", 16385, "");
    const char   *all[] = { closed, attributes, name, text };

    for (size_t i = 0; i < COUNT_OF(all); i++)
        assert_null(xml_parse_content(arena, slice_str(all[i]), NS_CLIENT, &limits));
    free(deep);
    free(closed);
    free(attributes);
    free(name);
    free(text);
    arena_free(&arena);
}

static void a_content_becomes_a_tree(void **state)
{
    struct arena         *arena = arena_new();
    const struct element *root = xml_parse_content(arena,
                                                   SLICE("a<b c='d'>e&lt;<f/>g</b><h xmlns='urn:h'/>i"),
                                                   "urn:it's", &limits);

    assert_non_null(root);
    assert_int_equal(root->name.len, 0);
    assert_true(slice_is(root->ns, "urn:it's"));
    assert_true(slice_is(element_text(arena, root), "ai"));
    const struct element *b = element_child(root, NULL, "b");
    assert_non_null(b);
    assert_true(slice_is(element_attr(b, "c"), "d"));
    assert_true(slice_is(element_text(arena, b), "e<g"));
    assert_non_null(element_child(b, NULL, "f"));
    assert_non_null(element_child(root, "urn:h", "h"));
    assert_null(element_next(b, NULL, NULL));
    root = xml_parse_content(arena, SLICE("<a xmlns='urn:a'/>"), NS_CLIENT, &limits);
    assert_true(element_is(root->children, "urn:a", "a"));
    arena_free(&arena);
}

static void the_first_child_is_the_payload(void **state)
{
    struct arena *arena = arena_new();
    struct stanza s = { .content = SLICE(" <p:q xmlns:p='urn:q'/><body/>"), .payload_name = SLICE("stale") };

    assert_int_equal(xml_check_content(arena, &s, &limits), ZE_OK);
    assert_true(slice_is(s.payload_ns, "urn:q"));
    assert_true(slice_is(s.payload_name, "q"));
    s.content = SLICE("text");
    assert_int_equal(xml_check_content(arena, &s, &limits), ZE_OK);
    assert_int_equal(s.payload_name.len, 0);
    arena_free(&arena);
}

/* --- parse(write(x)) = x -------------------------------------------------------------------------- */

static uint32_t seed;

static unsigned pick(unsigned count)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 10) % count;
}

static struct slice pick_text(void)
{
    static const struct slice texts[] = {
        SLICE_INIT("x"), SLICE_INIT("<&>'\""), SLICE_INIT(" \t\n\r "),
        SLICE_INIT("\u0437\u0443\u0431\u0440 \U0001F9AC"),
        SLICE_INIT("]]>"), SLICE_INIT("&amp;#38;"), SLICE_INIT("\x7f\xC2\x85"), SLICE_INIT("<![CDATA[x]]>"),
        SLICE_INIT("a\r\nb"),
    };

    return texts[pick(COUNT_OF(texts))];
}

static struct slice pick_ns(void)
{
    static const struct slice all[] = {
        SLICE_INIT(NS_CLIENT), SLICE_INIT("urn:a"), SLICE_INIT("urn:b'&<"), SLICE_INIT("jabber:x:data"),
        { 0 },
    };

    return all[pick(COUNT_OF(all))];
}

static struct attribute *grow_attributes(struct arena *arena)
{
    static const char *const names[] = { "a", "b-c", "\u00E9" };
    struct attribute        *first = NULL;

    for (unsigned n = 0; n < COUNT_OF(names); n++) {
        if (pick(3))
            continue;
        struct attribute *a = arena_alloc(arena, sizeof(*a));
        *a = (struct attribute){ .next = first, .name = slice_str(names[n]), .value = pick_text() };
        a->ns = pick(3) ? (struct slice){ 0 } : pick_ns();
        first = a;
    }
    return first;
}

static struct element *grow(struct arena *arena, unsigned depth)
{
    static const char *const names[] = { "a", "body", "x-y.z", "_", "\u0437" };
    struct element          *e = arena_alloc(arena, sizeof(*e)), **child = &e->children, **node = &e->nodes;
    bool                     text_before = false;

    *e = (struct element){ .ns = pick_ns(), .name = slice_str(names[pick(COUNT_OF(names))]) };
    e->attributes = grow_attributes(arena);
    for (unsigned n = depth ? pick(5) : 0; n; n--) {
        struct element *c;
        if (pick(2) && !text_before) {
            c = arena_alloc(arena, sizeof(*c));
            *c = (struct element){ .text = pick_text() };
            text_before = true;
        } else {
            c = grow(arena, depth - 1);
            *child = c;
            child = &c->next;
            text_before = false;
        }
        *node = c;
        node = &c->next_node;
    }
    return e;
}

static void assert_same_attributes(const struct attribute *a, const struct attribute *b)
{
    for (; a && b; a = a->next, b = b->next) {
        assert_true(slice_eq(a->ns, b->ns));
        assert_true(slice_eq(a->name, b->name));
        assert_true(slice_eq(a->value, b->value));
    }
    assert_true(!a && !b);
}

static void assert_same(const struct element *a, const struct element *b)
{
    assert_true(slice_eq(a->ns, b->ns));
    assert_true(slice_eq(a->name, b->name));
    assert_true(slice_eq(a->text, b->text));
    assert_same_attributes(a->attributes, b->attributes);
    const struct element *x = a->nodes, *y = b->nodes, *child = b->children;
    for (; x && y; x = x->next_node, y = y->next_node) {
        assert_same(x, y);
        if (y->name.len) {
            assert_ptr_equal(y, child);
            child = child->next;
        }
    }
    assert_true(!x && !y && !child);
}

static void what_is_written_is_read_back(void **state)
{
    struct arena *arena = arena_new();

    seed = 20261121;
    for (int round = 0; round < 3000; round++) {
        struct element   *e = grow(arena, 5);
        struct buf        out = { 0 };
        struct xml_writer w;
        xml_begin(&w, &out, NS_CLIENT);
        xml_element(&w, e);
        const struct element *root = xml_parse_content(arena, buf_slice(&out), NS_CLIENT, &limits);
        if (!root)
            fail_msg("not read: %.*s", SLICE_FMT(buf_slice(&out)));
        assert_same(e, root->children);
        assert_null(root->children->next);
        buf_free(&out);
        arena_reset(arena);
    }
    arena_free(&arena);
}

/* A stanza written to a stream and read there is the same stanza. */
static void stanzas_survive_the_wire(void **state)
{
    struct arena *arena = arena_new();
    struct buf    wire = { 0 };
    struct stanza s = {
        .name = STANZA_IQ, .type = TYPE_SET, .from = SLICE("a@b/\"<>&'\t"), .to = SLICE("\u0437@\u0431"),
        .id = SLICE("&#38;&amp;"), .lang = SLICE("be"), .content = SLICE("<q xmlns='urn:q'>&amp;</q>"),
    };
    struct xml_stream *xs = xml_stream_new(NULL, &limits);
    struct xml_item    item;

    buf_put_str(&wire, HEADER);
    stanza_write(&wire, &s, (struct slice){ 0 });
    struct slice in = buf_slice(&wire);
    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_OPEN);
    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_STANZA);
    assert_int_equal(item.stanza.name, s.name);
    assert_int_equal(item.stanza.type, s.type);
    assert_true(slice_eq(item.stanza.from, s.from));
    assert_true(slice_eq(item.stanza.to, s.to));
    assert_true(slice_eq(item.stanza.id, s.id));
    assert_true(slice_eq(item.stanza.lang, s.lang));
    assert_true(slice_eq(item.stanza.content, s.content));
    buf_free(&wire);
    arena_free(&arena);
    xml_stream_free(&xs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_are_proved),
        cmocka_unit_test(contents_have_limits),
        cmocka_unit_test(a_content_becomes_a_tree),
        cmocka_unit_test(the_first_child_is_the_payload),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(stanzas_survive_the_wire),
    };

    return cmocka_run_group_tests(tests, NULL, free_pool);
}
