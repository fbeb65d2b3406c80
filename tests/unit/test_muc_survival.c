/* A muc that is killed and comes back: rooms, occupants and what was on its way are as they were. */

#include <sys/wait.h>

#include "muc_harness.h"

static size_t puts_so_far(void)
{
    struct live_figures figures;

    live_figures(t.live, &figures);
    return figures.puts;
}

static void back(void)
{
    killed();
    linked();
}

static void nobody_leaves_and_the_next_message_flows(void **state)
{
    (void)state;
    made();
    presence(BOB, ROOM "/B", "<show>away</show>" JOIN);
    enter(CAROL, "C");
    back();
    assert_int_equal(t.lines, 0);
    assert_int_equal(muc_census(t.muc).occupants, 3);
    say(BOB, "<body>on</body>");
    assert_int_equal(t.lines, 3);
    assert_true(next(CAROL, "from='" ROOM "/B'", "<body>on</body>", NULL));
    enter("dave@a.org/1", "D");
    /* In order of entry, with what each is and showed. */
    assert_true(next("dave@a.org/1", "from='" ROOM "/A'", "affiliation='owner'", "role='moderator'", NULL));
    assert_true(next("dave@a.org/1", "from='" ROOM "/B'", "<show>away</show>", "role='participant'", NULL));
    assert_true(next("dave@a.org/1", "from='" ROOM "/C'", NULL));
    assert_true(some(ALICE, "from='" ROOM "/D'", "jid='dave@a.org/1'", NULL));
}

static void who_went_stays_gone(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    enter(CAROL, "C");
    gone(BOB, ROOM "/B");
    back();
    assert_int_equal(muc_census(t.muc).occupants, 2);
    say(BOB, "<body>x</body>");
    assert_true(next(BOB, "type='error'", "not-acceptable", NULL));
    gone(ALICE, ROOM "/A");
    gone(CAROL, ROOM "/C");
    back();
    assert_int_equal(muc_census(t.muc).rooms, 0);
}

static void several_clients_under_one_nick_keep_their_order(void **state)
{
    (void)state;
    made();
    enter("bob@a.org/1", "B");
    presence("bob@a.org/2", ROOM "/B", "<show>xa</show>" JOIN);
    presence("bob@a.org/1", ROOM "/B", "<show>chat</show>");
    back();
    enter(CAROL, "C");
    assert_true(some(CAROL, "from='" ROOM "/B'", "<show>chat</show>", NULL));
    gone("bob@a.org/1", ROOM "/B");
    assert_true(some(CAROL, "from='" ROOM "/B'", "<show>xa</show>", NULL));
    back();
    say(ALICE, "<body>x</body>");
    assert_true(some("bob@a.org/2", "<body>x</body>", NULL));
    assert_false(some("bob@a.org/1", "<body>x</body>", NULL));
}

static void a_temporary_room_keeps_all_it_has(void **state)
{
    (void)state;
    made();
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_roomname", "Kitchen") FIELD("roomconfig_moderatedroom", "1")));
    iq_set(ALICE, ROOM, ADMIN("<item jid='bob@a.org' affiliation='admin'/>"
                              "<item jid='carol@b.org' affiliation='outcast'/>"));
    say(ALICE, "<subject>tea</subject>");
    say(ALICE, "<body>one</body>");
    say(ALICE, "<body>two</body>");
    in(ALICE, ROOM, STANZA_MESSAGE, TYPE_NORMAL, "<x xmlns='" NS_MUC_USER "'><invite to='dave@b.org'/></x>");
    back();
    enter(CAROL, "C");
    assert_true(next(CAROL, "forbidden", NULL));
    enter(BOB, "B");
    assert_true(next(BOB, "from='" ROOM "/A'", NULL));
    assert_true(next(BOB, "code='110'", "affiliation='admin'", "role='moderator'", NULL));
    assert_true(next(BOB, "<body>one</body>", "<delay", NULL));
    assert_true(next(BOB, "<body>two</body>", "<delay", NULL));
    assert_true(next(BOB, "<subject>tea</subject>", "from='" ROOM "/A'", NULL));
    iq_get(BOB, ROOM, "<query xmlns='" NS_DISCO_INFO "'/>");
    assert_true(next(BOB, "name='Kitchen'", "muc_moderated", "muc_temporary", NULL));
    in("dave@b.org/1", ROOM, STANZA_MESSAGE, TYPE_NORMAL,
       "<x xmlns='" NS_MUC_USER "'><decline to='" ROOM "/A'/></x>");
    assert_true(next(ALICE, "<decline from='dave@b.org'", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item jid='carol@b.org' affiliation='none'/>"));
    back();
    in("dave@b.org/1", ROOM, STANZA_MESSAGE, TYPE_NORMAL,
       "<x xmlns='" NS_MUC_USER "'><decline to='" ROOM "/A'/></x>");
    assert_true(next("dave@b.org/1", "forbidden", NULL));    /* once is enough */
    enter(CAROL, "C");
    assert_true(some(CAROL, "code='110'", "role='visitor'", NULL));
}

static void a_locked_room_stays_locked(void **state)
{
    (void)state;
    enter(ALICE, "A");
    back();
    enter(BOB, "B");
    assert_true(next(BOB, "item-not-found", NULL));
    iq_set(ALICE, ROOM, INSTANT);
    assert_true(next(ALICE, "type='result'", NULL));
    back();
    enter(BOB, "B");
    assert_true(some(BOB, "code='110'", NULL));
}

static void a_stored_room_is_read_from_the_store(void **state)
{
    (void)state;
    made();
    say(ALICE, "<body>before</body>");
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_persistentroom", "1") FIELD("roomconfig_roomname", "Hall")));
    iq_set(ALICE, ROOM, ADMIN("<item jid='bob@a.org' affiliation='admin'/>"));
    enter(BOB, "B");
    say(ALICE, "<body>after</body>");
    back();
    assert_int_equal(muc_census(t.muc).occupants, 2);
    iq_get(BOB, ROOM, "<query xmlns='" NS_DISCO_INFO "'/>");
    assert_true(next(BOB, "name='Hall'", "muc_persistent", NULL));
    enter(CAROL, "C");
    assert_true(some(CAROL, "<body>before</body>", "<delay", NULL));
    assert_true(some(CAROL, "<body>after</body>", "<delay", NULL));
    /* It becomes temporary: now memory is all there is. */
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_persistentroom", "0")));
    back();
    iq_get(ALICE, ROOM, ADMIN("<item affiliation='admin'/>"));
    assert_true(next(ALICE, "jid='bob@a.org'", NULL));
    say(BOB, "<body>x</body>");
    assert_int_equal(t.lines, 3);
}

static void an_answer_finds_its_asker(void **state)
{
    char *question, *id, *end;

    (void)state;
    made();
    enter(BOB, "B");
    in(ALICE, ROOM "/B", STANZA_IQ, TYPE_GET, "<query xmlns='jabber:iq:version'/>");
    assert_int_equal(t.lines, 1);
    question = strstr(t.line[0], " id='");
    assert_non_null(question);
    id = strdup(question + 5);
    end = strchr(id, '\'');
    assert_non_null(end);
    *end = '\0';
    back();

    struct frame f = frame_from(BOB, ROOM "/A");

    f.stanza.name = STANZA_IQ;
    f.stanza.type = TYPE_RESULT;
    f.stanza.id = slice_str(id);
    f.stanza.content = f.body = SLICE("<query xmlns='jabber:iq:version'><name>n</name></query>");
    muc_on_stanza(t.muc, &f);
    pump();
    assert_true(next(ALICE, "type='result'", "from='" ROOM "/B'", "id='i1'", "<name>n</name>", NULL));
    assert_int_equal(t.lines, 1);
    back();
    muc_on_stanza(t.muc, &f);          /* exactly one */
    pump();
    assert_int_equal(t.lines, 0);
    in(ALICE, ROOM "/B", STANZA_IQ, TYPE_GET, "<query xmlns='jabber:iq:version'/>");
    assert_null(strstr(t.line[0], id));                /* a number is never used again */
    free(id);
}

static void who_came_through_a_life_that_is_over_leaves(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    enter(CAROL, "C");
    killed();
    routes_set_up(t.routes, instance_key("sm-1"), 8, true);
    routes_set_up(t.routes, instance_key("s2sd-1"), 8, true);
    linked();
    assert_int_equal(muc_census(t.muc).occupants, 1);
    assert_true(some(CAROL, "from='" ROOM "/A'", "code='333'", NULL));
    assert_true(some(CAROL, "from='" ROOM "/B'", "code='333'", NULL));
    say(CAROL, "<body>alone</body>");
    assert_int_equal(count_to(CAROL), 1);
}

static void whose_account_has_another_owner_now_stays(void **state)
{
    struct address gone_life = { ROLE_SM, instance_key("sm-1"), 7 };
    unsigned       stayed = 0;

    (void)state;
    made();
    for (int i = 0; i < 20; i++) {
        char who[32], nick[32];

        snprintf(who, sizeof(who), "many%d@a.org/1", i);
        snprintf(nick, sizeof(nick), "n%d", i);
        enter(who, nick);
    }
    routes_add_instance(t.routes, "sm-2");
    routes_set_up(t.routes, instance_key("sm-2"), 9, true);
    routes_set_generation(t.routes, 2);
    forget_lines();
    muc_on_peer_lost(t.muc, &gone_life);
    stayed = (unsigned)muc_census(t.muc).occupants;
    assert_in_range(stayed, 1, 20);                    /* those whose slots are sm-2's */
    routes_set_up(t.routes, instance_key("sm-2"), 10, true);
    linked();
    assert_int_equal(muc_census(t.muc).occupants, 0);
}

static void nothing_leaves_before_the_first_table(void **state)
{
    struct frame lost;

    (void)state;
    made();
    enter(CAROL, "C");
    killed();
    lost = frame_from(ROOM "/A", CAROL);
    lost.stanza.name = STANZA_MESSAGE;
    muc_on_bounce(t.muc, &lost, ZE_REMOTE, ROLE_S2SD);
    pump();
    assert_int_equal(t.lines, 0);
    linked();
    assert_true(next(ALICE, "from='" ROOM "/C'", "code='333'", NULL));
    assert_int_equal(count_to(CAROL), 1);
}

static void what_waits_for_the_first_table_survives_as_well(void **state)
{
    struct frame lost;

    (void)state;
    made();
    enter(BOB, "B");
    enter(CAROL, "C");
    killed();
    lost = frame_from(ROOM "/A", CAROL);
    lost.stanza.name = STANZA_MESSAGE;
    muc_on_bounce(t.muc, &lost, ZE_REMOTE, ROLE_S2SD);
    pump();
    back();
    assert_true(some(ALICE, "from='" ROOM "/C'", "code='333'", NULL));
    assert_true(some(BOB, "from='" ROOM "/C'", "code='333'", NULL));
    assert_int_equal(t.lines, 3);
    assert_int_equal(muc_census(t.muc).occupants, 2);
}

static void a_message_writes_no_occupants(void **state)
{
    char   who[32], nick[32];
    size_t before;

    (void)state;
    made();
    for (int i = 0; i < 200; i++) {
        snprintf(who, sizeof(who), "many%d@a.org/1", i);
        snprintf(nick, sizeof(nick), "n%d", i);
        enter(who, nick);
    }
    before = puts_so_far();
    say(ALICE, "<body>x</body>");
    assert_int_equal(t.lines, 201);
    assert_int_equal(t.frames, 1);
    assert_in_range(puts_so_far() - before, 1, 3);     /* the history's row, not one an occupant */
}

static void a_farewell_for_good_leaves_nobody_behind(void **state)
{
    (void)state;
    made();
    enter(CAROL, "C");
    forget_lines();
    muc_say_goodbye(t.muc);
    pump();
    assert_true(some(CAROL, "code='332'", NULL));
    back();
    assert_int_equal(muc_census(t.muc).occupants, 0);
    assert_int_equal(muc_census(t.muc).rooms, 0);
}

static void a_room_whose_daemons_are_full_refuses_messages(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    t.congested = true;
    say(BOB, "<body>x</body>");
    assert_true(next(BOB, "type='error'", "resource-constraint", NULL));
    assert_int_equal(t.lines, 1);
    t.congested = false;
    say(BOB, "<body>x</body>");
    assert_int_equal(t.lines, 2);
}

/* ---- killed between a commit of live memory and one of the store ---- */

static void stored_room_of_two(void)
{
    made();
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_persistentroom", "1")));
    enter(BOB, "B");
}

static void handed_in_by(const char *who, const char *content)
{
    struct frame f = frame_from(who, ROOM);

    f.stanza.name = STANZA_MESSAGE;
    f.stanza.type = TYPE_GROUPCHAT;
    f.stanza.content = f.body = slice_str(content);
    t.muc->now_us += 1000000;
    muc_on_stanza(t.muc, &f);
    arena_reset(t.arena);
}

static void both_get_both_once(void)
{
    forget_lines();
    linked();
    for (size_t i = 0; i < 2; i++) {
        const char *to = i ? BOB : ALICE;

        assert_int_equal(count_to(to), 2);
        t.read = 0;
        assert_true(next(to, "from='" ROOM "/A'", "<body>one</body>", NULL));
        assert_true(next(to, "from='" ROOM "/B'", "<body>two</body>", NULL));
    }
    back();
    assert_int_equal(t.lines, 0);
    enter(CAROL, "C");
    assert_true(next(CAROL, "from='" ROOM "/A'", NULL));
    assert_true(some(CAROL, "<body>one</body>", "<delay", NULL));
    assert_true(some(CAROL, "<body>two</body>", "<delay", NULL));
    assert_int_equal(count_to(CAROL), 6);
}

static void what_was_committed_but_not_sent_leaves_after_the_restart(void **state)
{
    (void)state;
    stored_room_of_two();
    handed_in_by(ALICE, "<body>one</body>");
    handed_in_by(BOB, "<body>two</body>");
    live_commit(t.live);
    killed();                          /* it waits for the store's commits, and tells nobody of them */
    assert_int_equal(t.muc->outcomes_waiting, 0);
    both_get_both_once();
}

static void dies(void *arg)
{
    if (*(bool *)arg)
        _exit(0);
}

static void what_was_not_committed_is_handed_in_again(void **state)
{
    static bool now;
    int         status;
    pid_t       child;

    (void)state;
    stored_room_of_two();
    close_muc();
    now = false;
    child = fork();
    if (child == 0) {
        uv_loop_fork(loop_uv(t.loop));
        t.after = (struct live_hook){ .run = dies, .arg = &now };
        open_muc();
        linked();
        now = true;
        handed_in_by(ALICE, "<body>one</body>");
        handed_in_by(BOB, "<body>two</body>");
        pump();
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    open_muc();
    assert_int_equal(t.muc->outcomes_waiting, 2);
    both_get_both_once();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(nobody_leaves_and_the_next_message_flows),
        TEST(who_went_stays_gone),
        TEST(several_clients_under_one_nick_keep_their_order),
        TEST(a_temporary_room_keeps_all_it_has),
        TEST(a_locked_room_stays_locked),
        TEST(a_stored_room_is_read_from_the_store),
        TEST(an_answer_finds_its_asker),
        TEST(who_came_through_a_life_that_is_over_leaves),
        TEST(whose_account_has_another_owner_now_stays),
        TEST(nothing_leaves_before_the_first_table),
        TEST(what_waits_for_the_first_table_survives_as_well),
        TEST(a_message_writes_no_occupants),
        TEST(a_farewell_for_good_leaves_nobody_behind),
        TEST(a_room_whose_daemons_are_full_refuses_messages),
        TEST(what_was_committed_but_not_sent_leaves_after_the_restart),
        TEST(what_was_not_committed_is_handed_in_again),
    };

    harness_all_used();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
