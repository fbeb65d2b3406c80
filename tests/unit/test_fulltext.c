/* proto/fulltext: words in bodies and subjects, in any case and any script. */

#include "arena_fixture.h"

#include "fulltext.h"

static bool found(const char *text, const char *content)
{
    const struct fulltext *f = fulltext_new(arena, slice_str(text));

    assert_non_null(f);
    return fulltext_matches(f, slice_str(content), arena);
}

static void every_word_is_somewhere(void **state)
{
    static const struct { const char *text, *content; bool found; } cases[] = {
        { "hello", "<body>Hello, world</body>", true },
        { "HELLO world", "<body>Hello, world</body>", true },
        { " \tworld\n hello ", "<body>Hello, world</body>", true },
        { "hello mars", "<body>Hello, world</body>", false },
        { "ell", "<body>Hello</body>", true },
        { "a&b", "<body>A&amp;B</body>", true },
        { "amp", "<body>A&amp;B</body>", false },
        { "hidden", "<body>seen</body><x xmlns='y'><body xmlns='jabber:client'>hidden</body></x>", false },
        { "topic words", "<subject>Topic</subject><body>words</body>", true },
        { "second", "<body>first</body><body xml:lang='de'>second</body>", true },
        { "one", "<body>o<![CDATA[n]]>e</body>", true },
        { "ПРИВЕТ", "<body>привет, мир</body>", true },
        { "strasse", "<body>Straße</body>", true },
        { "\xEF\xBD\x86ull", "<body>Full</body>", true },                  /* full width f */
        { "x", "<thread>x</thread>", false },
        { "x", "", false },
        { "x", "<body/>", false },
        { "x", "<body>not well-formed x", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (found(cases[i].text, cases[i].content) != cases[i].found)
            fail_msg("%s in %s", cases[i].text, cases[i].content);
}

static void what_is_no_search(void **state)
{
    (void)state;
    assert_null(fulltext_new(arena, SLICE("")));
    assert_null(fulltext_new(arena, SLICE(" \t\r\n")));
    assert_non_null(fulltext_new(arena, SLICE("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16")));
    assert_null(fulltext_new(arena, SLICE("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_is_somewhere),
        cmocka_unit_test(what_is_no_search),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
