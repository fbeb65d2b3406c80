/* The two forms of bookmarks: what is read, what is written, what counts as the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bookmarks_convert.h"
#include "ns.h"
#include "xml_stream.h"

static const struct xml_limits limits = {
    .element_max = 65536, .depth_max = 16, .attributes_max = 16, .name_max = 256,
};

#define OLD(inside) "<storage xmlns='storage:bookmarks'>" inside "</storage>"
#define NEW(attrs, inside) "<conference xmlns='urn:xmpp:bookmarks:1'" attrs ">" inside "</conference>"
#define EXTRA "<extensions><e xmlns='urn:example:e' k='v'>text</e></extensions>"

static const struct element *parsed(struct arena *arena, const char *text)
{
    const struct element *root = xml_parse_content(arena, slice_str(text), NS_CLIENT, &limits);

    assert_non_null(root);
    assert_non_null(root->children);
    return root->children;
}

/* One room in the older form and the item that it is; each is made from the other. */
static void each_form_becomes_the_other(void **state)
{
    static const struct {
        const char *room, *id, *item;
    } rows[] = {
        { "<conference jid='a@b.org'/>", "a@b.org", "<conference xmlns='urn:xmpp:bookmarks:1'/>" },
        { "<conference jid='a@b.org' name='N &amp; co' autojoin='true'><nick>Me</nick></conference>", "a@b.org",
          NEW(" name='N &amp; co' autojoin='true'", "<nick>Me</nick>") },
        { "<conference jid='a@b.org'><nick>Me</nick><password>p&lt;</password></conference>", "a@b.org",
          NEW("", "<nick>Me</nick><password>p&lt;</password>") },
        { "<conference jid='a@b.org' name=''>" EXTRA "</conference>", "a@b.org", NEW(" name=''", EXTRA) },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena    *arena = arena_new();
        struct buf       b = { 0 };
        const char      *storage = arena_printf(arena, OLD("%s"), rows[i].room);
        struct bookmark *list = bookmarks_of_storage(arena, parsed(arena, storage)), one;
        assert_non_null(list);
        assert_true(slice_is(list->jid, rows[i].id));
        bookmark_write_item(&b, list);
        if (!slice_is(buf_slice(&b), rows[i].item))
            fail_msg("row %zu: %.*s", i, SLICE_FMT(buf_slice(&b)));
        assert_true(bookmark_of_item(arena, slice_str(rows[i].id), parsed(arena, rows[i].item), &one));
        assert_true(bookmark_same(list, &one));
        buf_reset(&b, 0);
        bookmarks_write_storage(&b, arena, &one, NULL);
        if (!slice_is(buf_slice(&b), storage))
            fail_msg("row %zu: %.*s", i, SLICE_FMT(buf_slice(&b)));
        buf_free(&b);
        arena_free(&arena);
    }
}

static void what_differs(void **state)
{
    static const struct {
        const char *a, *b;
        bool        same;
    } rows[] = {
        { NEW("", ""), NEW("", ""), true },
        { NEW(" autojoin='1'", ""), NEW(" autojoin='true'", ""), true },
        { NEW(" autojoin='0'", ""), NEW("", ""), true },
        { NEW(" autojoin='1'", ""), NEW("", ""), false },
        { NEW(" name='x'", ""), NEW("", ""), false },
        { NEW("", "<nick>x</nick>"), NEW("", "<nick>y</nick>"), false },
        { NEW("", "<password>x</password>"), NEW("", ""), false },
        { NEW("", EXTRA), NEW("", ""), true },
        { NEW("", EXTRA), NEW("", "<extensions/>"), false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena   *arena = arena_new();
        struct bookmark a, b;
        assert_true(bookmark_of_item(arena, SLICE("a@b.org"), parsed(arena, rows[i].a), &a));
        assert_true(bookmark_of_item(arena, SLICE("a@b.org"), parsed(arena, rows[i].b), &b));
        if (bookmark_same(&a, &b) != rows[i].same)
            fail_msg("row %zu", i);
        arena_free(&arena);
    }
}

static void what_is_no_room_stays_where_it_is(void **state)
{
    static const char text[] = OLD("<url name='n' url='http://x/'/><conference jid='A@b.org/res'/>"
                                   "<conference jid='a@b.org' name='second'/><conference jid='b.org'/><conference/>");
    struct arena    *arena = arena_new();
    struct bookmark *list = bookmarks_of_storage(arena, parsed(arena, text)), one;
    struct buf       b = { 0 };

    (void)state;
    assert_non_null(list);
    assert_null(list->next);
    assert_true(slice_is(list->jid, "a@b.org"));
    assert_null(list->name.p);
    bookmarks_write_storage(&b, arena, list, parsed(arena, text));
    assert_true(slice_is(buf_slice(&b), OLD("<conference jid='a@b.org'/><url name='n' url='http://x/'/>"
                                            "<conference jid='b.org'/><conference/>")));
    assert_false(bookmark_of_item(arena, SLICE("b.org"), parsed(arena, NEW("", "")), &one));
    assert_false(bookmark_of_item(arena, SLICE("a@b.org"), parsed(arena, "<conference xmlns='urn:else'/>"), &one));
    buf_free(&b);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_becomes_the_other),
        cmocka_unit_test(what_differs),
        cmocka_unit_test(what_is_no_room_stays_where_it_is),
    };

    return cmocka_run_group_tests_name("bookmarks", tests, NULL, NULL);
}
