/* Roles, affiliations, configuration, destruction (XEP-0045 8 to 10), and what survives a restart. */

#include <signal.h>
#include <sys/resource.h>

#include "muc_harness.h"

static void a_kick_tells_307_to_the_kicked_first(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    enter(CAROL, "C");
    iq_set(ALICE, ROOM, ADMIN("<item nick='B' role='none'><reason>out</reason></item>"));
    assert_true(strstr(t.line[0], BOB) == t.line[0]);
    assert_true(next(BOB, "type='unavailable'", "code='110'", "code='307'", "<reason>out</reason>",
                     "<actor nick='A'/>", "role='none'", NULL));
    assert_true(next(ALICE, "<iq", "type='result'", NULL));
    assert_true(next(CAROL, "from='" ROOM "/B'", "type='unavailable'", "code='307'", NULL));
    assert_false(some(CAROL, "code='110'", NULL));
    iq_set(CAROL, ROOM, ADMIN("<item nick='A' role='none'/>"));
    assert_true(next(CAROL, "type='error'", "forbidden", NULL));
}

static void a_ban_tells_301_and_lasts(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    enter(CAROL, "C");
    iq_set(ALICE, ROOM, ADMIN("<item jid='bob@a.org' affiliation='outcast'><reason>spam</reason></item>"));
    assert_true(next(BOB, "type='unavailable'", "affiliation='outcast'", "code='301'", NULL));
    assert_true(some(CAROL, "from='" ROOM "/B'", "code='301'", NULL));
    enter(BOB, "B");
    assert_true(next(BOB, "forbidden", NULL));
    iq_get(ALICE, ROOM, ADMIN("<item affiliation='outcast'/>"));
    assert_true(next(ALICE, "jid='bob@a.org'", "<reason>spam</reason>", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item jid='alice@a.org' affiliation='outcast'/>"));
    assert_true(next(ALICE, "type='error'", "conflict", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item jid='b.org' affiliation='outcast'/>"));
    assert_true(some(CAROL, "code='301'", NULL));
    enter("zed@b.org/1", "Z");
    assert_true(next("zed@b.org/1", "forbidden", NULL));
}

static void changes_are_all_done_or_none(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    iq_set(ALICE, ROOM, ADMIN("<item jid='carol@b.org' affiliation='member'/>"
                              "<item jid='alice@a.org' affiliation='none'/>"));
    assert_true(next(ALICE, "type='error'", "conflict", NULL));
    iq_get(ALICE, ROOM, ADMIN("<item affiliation='member'/>"));
    assert_false(some(ALICE, "carol@b.org", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item nick='B' role='none' affiliation='none'/>"));
    assert_true(next(ALICE, "type='error'", "bad-request", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item nick='B' role='none'/><item nick='B' role='visitor'/>"));
    assert_true(next(ALICE, "type='error'", "bad-request", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item nick='Nobody' role='none'/>"));
    assert_true(next(ALICE, "type='error'", "item-not-found", NULL));
    iq_set(ALICE, ROOM, ADMIN(""));
    assert_true(next(ALICE, "type='error'", "bad-request", NULL));
}

static void voice_is_given_and_taken_in_a_moderated_room(void **state)
{
    (void)state;
    made();
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_moderatedroom", "1")));
    enter(BOB, "B");
    assert_true(some(BOB, "from='" ROOM "/B'", "role='visitor'", NULL));
    say(BOB, "<body>x</body>");
    assert_true(next(BOB, "type='error'", "forbidden", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item nick='B' role='participant'/>"));
    assert_true(some(BOB, "role='participant'", NULL));
    say(BOB, "<body>x</body>");
    assert_true(some(ALICE, "<body>x</body>", NULL));
    iq_get(ALICE, ROOM, ADMIN("<item role='participant'/>"));
    assert_true(next(ALICE, "nick='B'", "jid='" BOB "'", "affiliation='none'", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item nick='B' role='visitor'/>"));
    assert_true(some(ALICE, "role='visitor'", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item jid='bob@a.org' affiliation='member'/>"));
    assert_true(some(ALICE, "affiliation='member'", "role='participant'", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item jid='bob@a.org' affiliation='admin'/>"));
    assert_true(some(ALICE, "affiliation='admin'", "role='moderator'", NULL));
    iq_set(BOB, ROOM, ADMIN("<item nick='A' role='none'/>"));
    assert_true(next(BOB, "type='error'", "not-allowed", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item jid='bob@a.org' affiliation='none'/>"));
    assert_true(some(ALICE, "affiliation='none'", "role='visitor'", NULL));
}

static void members_only_removes_with_322_and_321(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    enter(CAROL, "C");
    iq_set(ALICE, ROOM, ADMIN("<item jid='carol@b.org' affiliation='member'/>"));
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_membersonly", "1")));
    assert_true(some(BOB, "type='unavailable'", "code='322'", "code='110'", NULL));
    assert_true(some(CAROL, "from='" ROOM "/B'", "code='322'", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item jid='carol@b.org' affiliation='none'/>"));
    assert_true(some(CAROL, "type='unavailable'", "code='321'", NULL));
    assert_int_equal(count_to(CAROL), 1);
    iq_set(ALICE, ROOM, ADMIN("<item jid='dave@b.org' affiliation='member'/>"));
    assert_true(some("dave@b.org", "<invite", NULL));
}

static void a_bad_configuration_changes_nothing(void **state)
{
    static const struct { const char *form, *condition; } forms[] = {
        { CONFIG(FIELD("roomconfig_membersonly", "perhaps")), "bad-request" },
        { CONFIG(FIELD("roomconfig_whois", "nobody")), "bad-request" },
        { CONFIG(FIELD("maxhistoryfetch", "501")), "bad-request" },
        { CONFIG(FIELD("maxhistoryfetch", "-1")), "bad-request" },
        { CONFIG(FIELD("roomconfig_roomname", "x") FIELD("roomconfig_passwordprotectedroom", "1")), "not-acceptable" },
        { OWNER("<x xmlns='" NS_DATA "' type='form'/>"), "bad-request" },
        { OWNER("<y xmlns='" NS_DATA "'/>"), "bad-request" },
        { OWNER(""), "bad-request" },
        { CONFIG("<field var='FORM_TYPE'><value>urn:other</value></field>"), "bad-request" },
    };

    (void)state;
    made();
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        iq_set(ALICE, ROOM, forms[i].form);
        assert_int_equal(t.lines, 1);
        assert_true(next(ALICE, "type='error'", forms[i].condition, NULL));
    }
    iq_get(ALICE, ROOM, OWNER(""));
    assert_true(next(ALICE, "type='form'", "muc#roomconfig_membersonly", "muc#maxhistoryfetch", NULL));
    assert_false(some(ALICE, "<value>x</value>", NULL));
    iq_set(BOB, ROOM, INSTANT);
    assert_true(next(BOB, "type='error'", "forbidden", NULL));
}

static void cancelling_or_leaving_a_locked_room_ends_it(void **state)
{
    (void)state;
    enter(ALICE, "A");
    iq_set(ALICE, ROOM, OWNER("<x xmlns='" NS_DATA "' type='cancel'/>"));
    assert_true(next(ALICE, "type='unavailable'", "<destroy", NULL));
    assert_true(next(ALICE, "type='result'", NULL));
    assert_int_equal(muc_census(t.muc).rooms, 0);
    enter(ALICE, "A");
    gone(ALICE, ROOM "/A");
    assert_int_equal(muc_census(t.muc).rooms, 0);
}

static void destruction_tells_everybody_once(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    iq_set(BOB, ROOM, OWNER("<destroy/>"));
    assert_true(next(BOB, "type='error'", "forbidden", NULL));
    iq_set(ALICE, ROOM, OWNER("<destroy jid='new@muc.a.org'><reason>moved</reason></destroy>"));
    assert_true(some(BOB, "type='unavailable'", "<destroy jid='new@muc.a.org'>", "<reason>moved</reason>", NULL));
    assert_int_equal(count_to(BOB), 1);
    assert_int_equal(muc_census(t.muc).rooms, 0);
    enter(BOB, "B");
    assert_true(some(BOB, "code='201'", NULL));
}

static void a_temporary_room_ends_with_its_last_occupant(void **state)
{
    (void)state;
    made();
    say(ALICE, "<body>x</body>");
    gone(ALICE, ROOM "/A");
    assert_int_equal(muc_census(t.muc).rooms, 0);
    enter(BOB, "B");
    assert_true(some(BOB, "code='201'", NULL));
}

static void admins_of_the_service_own_every_room(void **state)
{
    (void)state;
    made();
    iq_get("root@a.org/1", ROOM, OWNER(""));
    assert_true(next("root@a.org/1", "type='form'", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item jid='root@a.org' affiliation='outcast'/>"));
    assert_true(next(ALICE, "type='error'", "not-allowed", NULL));
}

static void restart(void)
{
    pump();
    rebooted();
    t.muc->now_us += 1000000000;
}

static void a_persistent_room_survives_a_restart(void **state)
{
    (void)state;
    made();
    say(ALICE, "<body>before</body>");
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_persistentroom", "1") FIELD("roomconfig_roomname", "Café")
                               FIELD("roomconfig_moderatedroom", "1") FIELD("maxhistoryfetch", "3")));
    iq_set(ALICE, ROOM, ADMIN("<item jid='bob@a.org' affiliation='admin'/>"
                              "<item jid='carol@b.org' affiliation='outcast'><reason>spam</reason></item>"));
    say(ALICE, "<subject>topic</subject>");
    for (int i = 0; i < 3; i++)
        say(ALICE, "<body>after</body>");
    restart();
    assert_int_equal(muc_census(t.muc).rooms, 0);
    iq_get(BOB, "muc.a.org", "<query xmlns='" NS_DISCO_ITEMS "'/>");
    assert_true(next(BOB, "jid='" ROOM "'", "name='Café'", NULL));
    enter(CAROL, "C");
    assert_true(next(CAROL, "forbidden", NULL));
    enter(BOB, "B");
    assert_true(next(BOB, "code='110'", "affiliation='admin'", "role='moderator'", NULL));
    for (int i = 0; i < 3; i++)                        /* the oldest went */
        assert_true(next(BOB, "<body>after</body>", "from='" ROOM "/A'", "<delay", NULL));
    assert_true(next(BOB, "<subject>topic</subject>", "from='" ROOM "/A'", NULL));
    iq_get(BOB, ROOM, ADMIN("<item affiliation='outcast'/>"));
    assert_true(next(BOB, "carol@b.org", "<reason>spam</reason>", NULL));
    gone(BOB, ROOM "/B");
    assert_int_equal(muc_census(t.muc).occupants, 0);
    enter(ALICE, "A");
    assert_true(some(ALICE, "affiliation='owner'", NULL));
    assert_false(some(ALICE, "code='201'", NULL));
}

static void a_room_made_temporary_or_destroyed_leaves_the_store(void **state)
{
    (void)state;
    made();
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_persistentroom", "1")));
    say(ALICE, "<body>x</body>");
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_persistentroom", "0")));
    restart();
    enter(BOB, "B");
    assert_true(some(BOB, "code='201'", NULL));
    assert_false(some(BOB, "<body>x</body>", NULL));
    iq_set(BOB, ROOM, CONFIG(FIELD("roomconfig_persistentroom", "1")));
    iq_set(BOB, ROOM, OWNER("<destroy/>"));
    restart();
    enter(ALICE, "A");
    assert_true(some(ALICE, "code='201'", NULL));
}

/* DESIGN.md 2.6: the reflection of a kept message tells what is already true. */
static void a_kept_message_is_reflected_after_its_commit(void **state)
{
    struct frame f = frame_from(ALICE, ROOM);

    (void)state;
    made();
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_persistentroom", "1")));
    forget_lines();
    f.stanza.name = STANZA_MESSAGE;
    f.stanza.type = TYPE_GROUPCHAT;
    f.stanza.content = f.body = SLICE("<body>kept</body>");
    muc_on_stanza(t.muc, &f);
    f.stanza.content = f.body = SLICE("<composing xmlns='" NS_CHATSTATES "'/>");     /* not kept, yet behind it */
    muc_on_stanza(t.muc, &f);
    assert_int_equal(t.lines, 0);
    pump();
    assert_true(next(ALICE, "<body>kept</body>", NULL));
    assert_true(next(ALICE, "<composing", NULL));
}

/* That no packing makes small. */
static void fill_body(char *body, size_t len)
{
    uint32_t x = 1;

    memcpy(body, "<body>", 6);
    body += 6;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        *body++ = (char)('a' + (x >> 24) % 26);
    }
    memcpy(body, "</body>", sizeof("</body>"));
}

static void what_could_not_be_kept_did_not_happen(void **state)
{
    static char   body[9000];
    struct rlimit full, before;
    int           kept = 0;

    (void)state;
    made();
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_persistentroom", "1") FIELD("maxhistoryfetch", "500")));
    fill_body(body, 8000);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    full = before;
    full.rlim_cur = 300 * 1024;
    setrlimit(RLIMIT_FSIZE, &full);
    for (say(ALICE, body); some(ALICE, "type='groupchat'", NULL) && kept < 100; say(ALICE, body))
        kept++;
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(kept > 2 && kept < 100);
    assert_int_equal(t.lines, 1);
    assert_true(next(ALICE, "type='error'", "internal-server-error", NULL));
    enter("bob@a.org/1", "B");
    assert_int_equal(count_to(BOB), kept + 3);         /* history has what was reflected, no more */
    assert_int_equal(t.muc->figures.commits_failed, 1);
    say(ALICE, "<body>again</body>");
    assert_true(some(BOB, "<body>again</body>", NULL));
}

static void there_is_a_limit_to_rooms(void **state)
{
    (void)state;
    t.settings->limits.rooms_max = 1;
    made();
    presence(BOB, "other@muc.a.org/B", JOIN);
    assert_true(next(BOB, "type='error'", "resource-constraint", NULL));
    presence("root@a.org/1", "other@muc.a.org/B", JOIN);
    assert_true(next("root@a.org/1", "code='201'", NULL));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_kick_tells_307_to_the_kicked_first),
        TEST(a_ban_tells_301_and_lasts),
        TEST(changes_are_all_done_or_none),
        TEST(voice_is_given_and_taken_in_a_moderated_room),
        TEST(members_only_removes_with_322_and_321),
        TEST(a_bad_configuration_changes_nothing),
        TEST(cancelling_or_leaving_a_locked_room_ends_it),
        TEST(destruction_tells_everybody_once),
        TEST(a_temporary_room_ends_with_its_last_occupant),
        TEST(admins_of_the_service_own_every_room),
        TEST(a_persistent_room_survives_a_restart),
        TEST(a_room_made_temporary_or_destroyed_leaves_the_store),
        TEST(a_kept_message_is_reflected_after_its_commit),
        TEST(what_could_not_be_kept_did_not_happen),
        TEST(there_is_a_limit_to_rooms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
