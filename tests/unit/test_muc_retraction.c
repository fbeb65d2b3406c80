/* muc/retraction: XEP-0424 in rooms, by who said it and by nobody else. */

#include "muc_archive_rig.h"

#define RETRACT(id) "<retract xmlns='" NS_RETRACT "' id='" id "'/><body>retracted</body>"

/* BOB's message; the id that the room gave it. */
static const char *said(const char *body)
{
    static char id[64];

    say(BOB, body);
    value_after(t.line[0], "by='" ROOM "' id='", id);
    return id;
}

static void retract(const char *who, const char *id)
{
    char content[512];

    snprintf(content, sizeof(content), RETRACT("%s"), id);
    say(who, content);
}

/* The id that the archive gave to what Bob said; until the next word. */
static const char *word(const char *content)
{
    static char id[64];

    snprintf(id, sizeof(id), "%s", said(content));
    return id;
}

static bool buried(void)
{
    ask(DAVE, QUERY(""));
    return some(DAVE, "id='i1'", "from='" ROOM "/B'", "><retracted xmlns='" NS_RETRACT "' id='i1' stamp='", NULL) &&
           !some(DAVE, "<body>word</body>", NULL);
}

static void what_was_said_is_taken_back_by_who_said_it(void **state)
{
    const char *id;

    (void)state;
    stored();
    id = word("<body>word</body><x xmlns='u'/>");
    retract(CAROL, id);
    assert_true(some(BOB, "<retract", id, NULL));          /* passed on: 4 has clients check it */
    assert_false(buried());
    retract(BOB, "i1");                                    /* 5.1: his own id is not the room's */
    retract(BOB, "0000000000000000");
    assert_false(buried());
    presence(BOB, ROOM "/Bobby", "");                      /* 5: it is he, whatever he is called */
    retract(BOB, id);
    assert_true(some(ALICE, "from='" ROOM "/Bobby'", "<retract", id, NULL));
    assert_true(buried());
    ask(DAVE, QUERY(""));
    assert_int_equal(results(), 5);                        /* 5: each retraction is there, too */
    rebooted();
    assert_true(buried());
}

static void who_enters_is_not_shown_what_was_taken_back(void **state)
{
    const char *id;

    (void)state;
    stored();
    id = word("<body>word</body>");
    retract(BOB, id);
    enter(DAVE, "D");
    assert_false(some(DAVE, "<body>word</body>", NULL));
    assert_false(some(DAVE, "<retracted", NULL));
    assert_true(some(DAVE, "<retract ", id, NULL));
}

static void a_temporary_room_forgets_it(void **state)
{
    const char *id;

    (void)state;
    made();
    enter(BOB, "B");
    enter(CAROL, "C");
    id = word("<body>word</body>");
    retract(CAROL, id);
    retract(BOB, id);
    killed();
    linked();
    enter(DAVE, "D");
    assert_false(some(DAVE, "<body>word</body>", NULL));
    assert_true(some(DAVE, "<retract ", "from='" ROOM "/C'", NULL));
}

static void a_retraction_stays_and_so_does_a_tombstone(void **state)
{
    char id[64], retraction[64];

    (void)state;
    stored();
    snprintf(id, sizeof(id), "%s", said("<body>word</body>"));
    retract(BOB, id);
    value_after(t.line[0], "by='" ROOM "' id='", retraction);
    retract(BOB, retraction);
    retract(BOB, id);
    ask(DAVE, QUERY(""));
    assert_int_equal(results(), 4);
    assert_true(some(DAVE, "<retract ", id, "<body>retracted</body>", NULL));
    t.settings->limits.retraction_search = 0;
    snprintf(id, sizeof(id), "%s", said("<body>kept</body>"));
    retract(BOB, id);
    ask(DAVE, QUERY(""));
    assert_true(some(DAVE, "<body>kept</body>", NULL));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_was_said_is_taken_back_by_who_said_it),
        TEST(who_enters_is_not_shown_what_was_taken_back),
        TEST(a_temporary_room_forgets_it),
        TEST(a_retraction_stays_and_so_does_a_tombstone),
    };

    harness_all_used();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
