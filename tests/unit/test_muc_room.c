/* Entering, talking, leaving (XEP-0045 section 7), stanza by stanza. */

#include "muc_harness.h"

static void a_new_room_is_made_locked_and_told_with_201(void **state)
{
    (void)state;
    enter(ALICE, "A");
    assert_true(next(ALICE, "from='" ROOM "/A'", "affiliation='owner'", "role='moderator'", "code='110'",
                     "code='201'", NULL));
    assert_true(next(ALICE, "<message", "<subject", NULL));
    assert_int_equal(t.lines, 2);
    enter(BOB, "B");
    assert_true(next(BOB, "type='error'", "item-not-found", NULL));
    iq_set(ALICE, ROOM, INSTANT);
    assert_true(next(ALICE, "type='result'", NULL));
    enter(BOB, "B");
    assert_true(some(BOB, "from='" ROOM "/B'", "code='110'", NULL));
}

static void entry_comes_in_the_order_of_the_document(void **state)
{
    (void)state;
    made();
    say(ALICE, "<body>one</body>");
    say(ALICE, "<body>two</body>");
    enter(CAROL, "C");
    assert_true(some(ALICE, "from='" ROOM "/C'", "jid='" CAROL "'", "role='participant'", NULL));
    assert_true(next(CAROL, "from='" ROOM "/A'", "affiliation='owner'", NULL));
    assert_true(next(CAROL, "from='" ROOM "/C'", "code='110'", NULL));
    assert_true(next(CAROL, "<body>one</body>", "<delay", "from='" ROOM "'", "from='" ROOM "/A'", NULL));
    assert_true(next(CAROL, "<body>two</body>", "<delay", NULL));
    assert_true(next(CAROL, "<subject", NULL));
    assert_int_equal(count_to(CAROL), 5);
    /* Semi-anonymous: no real JID of Alice to one who is no moderator. */
    assert_false(some(CAROL, "jid='" ALICE "'", NULL));
}

static void a_room_that_hides_nothing_says_100(void **state)
{
    (void)state;
    made();
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_whois", "anyone")));
    assert_true(some(ALICE, "<message", "code='172'", NULL));
    enter(BOB, "B");
    assert_true(some(BOB, "code='110'", "code='100'", NULL));
    assert_true(some(BOB, "from='" ROOM "/A'", "jid='" ALICE "'", NULL));
}

static void history_keeps_to_what_was_asked(void **state)
{
    static const struct { const char *wish; size_t lines; } asked[] = {
        { "maxstanzas='2'", 2 }, { "maxchars='0'", 0 }, { "maxstanzas='0'", 0 }, { "seconds='3'", 3 },
        { "since='2001-09-09T01:46:40Z'", 5 }, { "since='2101-09-09T01:46:40Z'", 0 }, { "maxchars='100000'", 5 },
        { "maxstanzas='4' seconds='3'", 3 }, { "maxchars='300'", 1 }, { "maxstanzas='x'", 5 },
    };

    (void)state;
    made();
    for (int i = 0; i < 5; i++)
        say(ALICE, "<body>word</body>");
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        char content[160];

        /* the clock moves on one second with each stanza */
        t.muc->now_us = 1000000000000000 + 7000000;
        snprintf(content, sizeof(content), "<x xmlns='" NS_MUC "'><history %s/></x>", asked[i].wish);
        presence(BOB, ROOM "/B", content);
        assert_int_equal(count_to(BOB), asked[i].lines + 3);
        gone(BOB, ROOM "/B");
    }
}

static void who_does_not_ask_by_the_protocol_is_told_he_is_not_in(void **state)
{
    (void)state;
    made();
    presence(BOB, ROOM "/B", "<show>away</show>");
    assert_true(next(BOB, "type='unavailable'", "code='110'", "code='307'", "code='333'", NULL));
    assert_int_equal(t.lines, 1);
    presence(BOB, ROOM, JOIN);
    assert_true(next(BOB, "type='error'", "jid-malformed", NULL));
}

static void entry_is_refused_with_the_condition_of_the_document(void **state)
{
    (void)state;
    made();
    enter(BOB, "A");
    assert_true(next(BOB, "type='error'", "<conflict", "<x xmlns='" NS_MUC "'/>", NULL));
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_passwordprotectedroom", "1") FIELD("roomconfig_roomsecret", "x")));
    enter(BOB, "B");
    assert_true(next(BOB, "type='error'", "not-authorized", NULL));
    presence(BOB, ROOM "/B", "<x xmlns='" NS_MUC "'><password>x</password></x>");
    assert_true(some(BOB, "code='110'", NULL));
    gone(BOB, ROOM "/B");
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_membersonly", "1")));
    enter(BOB, "B");
    assert_true(next(BOB, "type='error'", "registration-required", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item jid='bob@a.org' affiliation='outcast'/>"));
    enter(BOB, "B");
    assert_true(next(BOB, "type='error'", "forbidden", NULL));
    presence(CAROL, "other@muc.a.org/C", JOIN);        /* rooms are for local accounts by default */
    assert_true(next(CAROL, "type='error'", "not-allowed", NULL));
}

static void a_full_room_still_lets_its_owner_in(void **state)
{
    (void)state;
    made();
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_maxusers", "2")));
    enter(BOB, "B");
    enter("dave@a.org/1", "D");
    assert_true(next("dave@a.org/1", "type='error'", "service-unavailable", NULL));
    enter("alice@a.org/2", "A2");
    assert_true(some("alice@a.org/2", "code='110'", NULL));
}

static void two_clients_of_one_account_share_a_nick(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    enter("bob@a.org/2", "B");
    assert_true(some("bob@a.org/2", "from='" ROOM "/B'", "code='110'", NULL));
    say("bob@a.org/2", "<body>hi</body>");
    assert_true(some(BOB, "<body>hi</body>", NULL));
    assert_true(some("bob@a.org/2", "<body>hi</body>", NULL));
    in(ALICE, ROOM "/B", STANZA_MESSAGE, TYPE_CHAT, "<body>psst</body>");
    assert_int_equal(count_to(BOB) + count_to("bob@a.org/2"), 2);
    /* One of the two goes: the others see the nick stay. */
    gone(BOB, ROOM "/B");
    assert_true(some(BOB, "type='unavailable'", "code='110'", NULL));
    assert_false(some(ALICE, "type='unavailable'", NULL));
    gone("bob@a.org/2", ROOM "/B");
    assert_true(some(ALICE, "type='unavailable'", "role='none'", NULL));
}

static void a_message_goes_to_all_from_the_occupant_with_its_id(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    enter(CAROL, "C");
    say(BOB, "<body>hello</body>");
    assert_int_equal(t.lines, 3);
    assert_int_equal(t.frames, 2);                     /* one for sm, one for s2sd */
    assert_true(some(CAROL, "from='" ROOM "/B'", "id='i1'", "type='groupchat'", "<body>hello</body>", NULL));
    assert_true(some(BOB, "<body>hello</body>", NULL));
    say("dave@a.org/1", "<body>hello</body>");
    assert_true(next("dave@a.org/1", "type='error'", "not-acceptable", NULL));
    in(BOB, ROOM "/A", STANZA_MESSAGE, TYPE_GROUPCHAT, "<body>x</body>");
    assert_true(next(BOB, "type='error'", "bad-request", NULL));
    in(BOB, "nowhere@muc.a.org", STANZA_MESSAGE, TYPE_GROUPCHAT, "<body>x</body>");
    assert_true(next(BOB, "type='error'", "item-not-found", NULL));
}

static void forged_ids_delays_and_room_words_are_taken_out(void **state)
{
    (void)state;
    made();
    say(ALICE, "<body>x</body><stanza-id xmlns='" NS_SID "' by='" ROOM "' id='9'/>"
               "<delay xmlns='" NS_DELAY "' from='" ROOM "' stamp='2001-01-01T00:00:00Z'/>"
               "<x xmlns='" NS_MUC_USER "'><status code='104'/></x><thread>t</thread>");
    assert_true(next(ALICE, "<body>x</body>", "<thread>t</thread>", NULL));
    assert_false(some(ALICE, "id='9'", NULL));
    assert_false(some(ALICE, "delay", NULL));
    assert_false(some(ALICE, "104", NULL));
    presence(ALICE, ROOM "/A", "<show>dnd</show><x xmlns='" NS_MUC_USER "'><item role='none'/></x>");
    assert_true(next(ALICE, "<show>dnd</show>", "role='moderator'", NULL));
    assert_false(some(ALICE, "role='none'", NULL));
}

static void the_subject_is_for_moderators_unless_configured(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    say(BOB, "<subject>mine</subject>");
    assert_true(next(BOB, "type='error'", "forbidden", NULL));
    say(ALICE, "<subject>ours</subject>");
    assert_true(some(BOB, "<subject>ours</subject>", "from='" ROOM "/A'", NULL));
    enter(CAROL, "C");
    assert_true(some(CAROL, "<subject>ours</subject>", "<delay", NULL));
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_changesubject", "1")));
    say(BOB, "<subject/>");
    assert_true(some(CAROL, "<subject", "from='" ROOM "/B'", NULL));
    /* With a body it is a message like any other. */
    say(BOB, "<subject>no</subject><body>x</body>");
    gone(CAROL, ROOM "/C");
    enter(CAROL, "C");
    assert_false(some(CAROL, "<subject>no</subject><delay", NULL));
}

static void private_messages_are_between_occupants(void **state)
{
    (void)state;
    made();
    enter(CAROL, "C");
    in(CAROL, ROOM "/A", STANZA_MESSAGE, TYPE_CHAT, "<body>psst</body>");
    assert_true(next(ALICE, "from='" ROOM "/C'", "type='chat'", "<body>psst</body>", "<x xmlns='" NS_MUC_USER "'/>",
                     NULL));
    assert_int_equal(t.lines, 1);
    in(CAROL, ROOM "/Z", STANZA_MESSAGE, TYPE_CHAT, "<body>psst</body>");
    assert_true(next(CAROL, "type='error'", "item-not-found", NULL));
    in(BOB, ROOM "/A", STANZA_MESSAGE, TYPE_CHAT, "<body>psst</body>");
    assert_true(next(BOB, "type='error'", "not-acceptable", NULL));
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_allowpm", "none")));
    in(CAROL, ROOM "/A", STANZA_MESSAGE, TYPE_CHAT, "<body>psst</body>");
    assert_true(next(CAROL, "type='error'", "forbidden", NULL));
}

static void a_new_nick_is_told_with_303(void **state)
{
    (void)state;
    made();
    enter(BOB, "B");
    presence(BOB, ROOM "/A", "");
    assert_true(next(BOB, "type='error'", "conflict", NULL));
    presence(BOB, ROOM "/Bee", "");
    assert_true(next(ALICE, "from='" ROOM "/B'", "type='unavailable'", "nick='Bee'", "code='303'", NULL));
    assert_true(next(ALICE, "from='" ROOM "/Bee'", "role='participant'", NULL));
    assert_true(some(BOB, "type='unavailable'", "code='303'", "code='110'", NULL));
    assert_true(some(BOB, "from='" ROOM "/Bee'", "code='110'", NULL));
    say(BOB, "<body>x</body>");
    assert_true(some(ALICE, "from='" ROOM "/Bee'", NULL));
}

static void who_cannot_be_reached_is_removed_with_333(void **state)
{
    struct frame   lost = frame_from(ROOM "/A", CAROL);
    struct address life = { ROLE_SM, 0, 7 };

    (void)state;
    made();
    enter(BOB, "B");
    enter(CAROL, "C");
    in(CAROL, ROOM "/A", STANZA_MESSAGE, TYPE_ERROR,
       "<error type='wait'><resource-constraint xmlns='" NS_STANZAS "'/></error>");
    assert_int_equal(t.lines, 0);
    lost.stanza.name = STANZA_MESSAGE;
    lost.stanza.type = TYPE_GROUPCHAT;
    muc_on_bounce(t.muc, &lost, ZE_FULL, ROLE_S2SD);
    assert_int_equal(t.lines, 0);
    muc_on_bounce(t.muc, &lost, ZE_TIMEOUT, ROLE_ROUTERD);  /* a daemon is away, which says nothing of Carol */
    assert_int_equal(t.lines, 0);
    muc_on_bounce(t.muc, &lost, ZE_REMOTE, ROLE_S2SD);
    assert_true(some(ALICE, "from='" ROOM "/C'", "type='unavailable'", "code='333'", NULL));
    in(BOB, ROOM "/A", STANZA_MESSAGE, TYPE_ERROR,
       "<error type='cancel'><recipient-unavailable xmlns='" NS_STANZAS "'/></error>");
    assert_true(some(ALICE, "from='" ROOM "/B'", "code='333'", NULL));
    enter(CAROL, "C");
    enter(BOB, "B");
    forget_lines();
    life.instance = instance_key("sm-1");
    muc_on_peer_lost(t.muc, &life);
    assert_true(some(CAROL, "from='" ROOM "/A'", "code='333'", NULL));
    assert_true(some(CAROL, "from='" ROOM "/B'", "code='333'", NULL));
    say(CAROL, "<body>alone</body>");
    assert_int_equal(t.lines, 1);
}

static void iqs_between_occupants_show_occupant_jids_only(void **state)
{
    char id[64] = "";

    (void)state;
    made();
    enter(CAROL, "C");
    iq_get(CAROL, ROOM "/C", "<ping xmlns='" NS_PING "'/>");
    assert_true(next(CAROL, "type='result'", "from='" ROOM "/C'", "id='i1'", NULL));
    iq_get(BOB, ROOM "/C", "<ping xmlns='" NS_PING "'/>");
    assert_true(next(BOB, "type='error'", "not-acceptable", NULL));
    iq_get(BOB, ROOM "/C", "<query xmlns='" NS_DISCO_INFO "'/>");
    assert_true(next(BOB, "type='error'", "bad-request", NULL));
    iq_get(CAROL, ROOM "/A", "<query xmlns='" NS_VERSION "'/>");
    assert_int_equal(t.lines, 1);
    assert_true(next(ALICE, "from='" ROOM "/C'", "type='get'", NS_VERSION, NULL));
    assert_int_equal(sscanf(strstr(t.line[0], " id='") + 5, "%60[^']", id), 1);

    struct frame f = frame_from(BOB, ROOM "/C");       /* somebody else's answer counts for nothing */
    char         number[64];

    snprintf(number, sizeof(number), "%s", id);
    f.stanza.name = STANZA_IQ;
    f.stanza.type = TYPE_RESULT;
    f.stanza.id = slice_str(number);
    forget_lines();
    muc_on_stanza(t.muc, &f);
    assert_int_equal(t.lines, 0);
    f.stanza.from = SLICE(ALICE);
    muc_on_stanza(t.muc, &f);
    assert_true(next(CAROL, "from='" ROOM "/A'", "type='result'", "id='i1'", NULL));
    muc_on_stanza(t.muc, &f);
    assert_int_equal(t.lines, 1);
    iq_get(CAROL, ROOM "/A", "<vCard xmlns='" NS_VCARD "'/>");
    assert_true(next("alice@a.org", "type='get'", NULL));
}

static void one_frame_leaves_several_rooms(void **state)
{
    struct frame f = frame_from(BOB, "");
    struct buf   list = { 0 };

    (void)state;
    made();
    enter(BOB, "B");
    forget_lines();
    fanout_put(&list, 0, SLICE("none@muc.a.org/B"));
    fanout_put(&list, 0, SLICE(ROOM "/B"));
    f.kind = FRAME_FANOUT;
    f.stanza.name = STANZA_PRESENCE;
    f.stanza.type = TYPE_UNAVAILABLE;
    f.list = buf_slice(&list);
    muc_on_fanout(t.muc, &f);
    assert_true(next(ALICE, "from='" ROOM "/B'", "type='unavailable'", NULL));
    buf_free(&list);
}

static void malformed_content_and_borrowed_names_are_refused(void **state)
{
    struct frame f = frame_from("alice@a.org/1", ROOM);

    (void)state;
    made();
    say(ALICE, "<body>x</body></message><message>");
    assert_true(next(ALICE, "type='error'", "bad-request", NULL));
    assert_int_equal(t.lines, 1);
    forget_lines();
    f.origin.role = ROLE_S2SD;                         /* another server in the name of a local account */
    f.stanza.name = STANZA_MESSAGE;
    f.stanza.type = TYPE_GROUPCHAT;
    f.stanza.content = SLICE("<body>x</body>");
    muc_on_stanza(t.muc, &f);
    assert_int_equal(t.lines, 0);
}

static void every_iq_is_answered_once(void **state)
{
    static const struct { const char *to, *content, *condition; } asked[] = {
        { ROOM, "<query xmlns='urn:nobody'/>", "service-unavailable" },
        { ROOM, "<a xmlns='urn:x'/><b xmlns='urn:x'/>", "bad-request" },
        { ROOM, "", "bad-request" },
        { "muc.a.org", "<query xmlns='urn:nobody'/>", "service-unavailable" },
        { "none@muc.a.org", "<query xmlns='" NS_DISCO_INFO "'/>", "item-not-found" },
        { "none@muc.a.org", "<query xmlns='" NS_MUC_OWNER "'/>", "item-not-found" },
        { ROOM, "<query xmlns='" NS_DISCO_INFO "' node='x-roomuser-item'/>", "feature-not-implemented" },
        { ROOM, "<query xmlns='" NS_DISCO_INFO "' node='http://jabber.org/protocol/muc#traffic'/>",
          "service-unavailable" },
        { ROOM, "<query xmlns='" NS_MUC_OWNER "'/>", "forbidden" },
        { ROOM, "<query xmlns='" NS_MUC_ADMIN "'><item affiliation='outcast'/></query>", "forbidden" },
    };

    (void)state;
    made();
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        iq_get(BOB, asked[i].to, asked[i].content);
        assert_int_equal(t.lines, 1);
        assert_true(next(BOB, "type='error'", asked[i].condition, NULL));
    }
}

static void disco_says_what_a_room_is(void **state)
{
    (void)state;
    made();
    iq_get(BOB, ROOM, "<query xmlns='" NS_DISCO_INFO "'/>");
    assert_true(next(BOB, "type='result'", "category='conference'", "muc_temporary", "muc_open", "muc_unmoderated",
                     "muc_semianonymous", "muc_unsecured", "muc_public", "muc#stable_id", NULL));
    iq_get(BOB, "muc.a.org", "<query xmlns='" NS_DISCO_ITEMS "'/>");
    assert_true(next(BOB, "jid='" ROOM "'", NULL));
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_publicroom", "0") FIELD("roomconfig_moderatedroom", "1")));
    assert_true(some(ALICE, "code='104'", NULL));
    iq_get(BOB, "muc.a.org", "<query xmlns='" NS_DISCO_ITEMS "'/>");
    assert_false(some(BOB, "jid='" ROOM "'", NULL));
    iq_get(BOB, ROOM, "<query xmlns='" NS_DISCO_INFO "'/>");
    assert_true(next(BOB, "muc_hidden", "muc_moderated", NULL));
    iq_get(BOB, ROOM, "<query xmlns='" NS_DISCO_ITEMS "'/>");
    assert_true(next(BOB, "type='result'", NULL));
    assert_false(some(BOB, "<item", NULL));
}

static void invitations_and_declines_go_through_the_room(void **state)
{
    (void)state;
    made();
    in(ALICE, ROOM, STANZA_MESSAGE, TYPE_NORMAL,
       "<x xmlns='" NS_MUC_USER "'><invite to='dave@b.org'><reason>come</reason></invite></x>");
    assert_true(next("dave@b.org", "from='" ROOM "'", "<invite from='" ROOM "/A'>", "<reason>come</reason>", NULL));
    in("eve@b.org/1", ROOM, STANZA_MESSAGE, TYPE_NORMAL,
       "<x xmlns='" NS_MUC_USER "'><decline to='" ROOM "/A'/></x>");
    assert_true(next("eve@b.org/1", "type='error'", "forbidden", NULL));
    in("dave@b.org/1", ROOM, STANZA_MESSAGE, TYPE_NORMAL,
       "<x xmlns='" NS_MUC_USER "'><decline to='" ROOM "/A'><reason>no</reason></decline></x>");
    assert_true(next(ALICE, "<decline from='dave@b.org'>", "<reason>no</reason>", NULL));
    in(BOB, ROOM, STANZA_MESSAGE, TYPE_NORMAL, "<x xmlns='" NS_MUC_USER "'><invite to='dave@b.org'/></x>");
    assert_true(next(BOB, "type='error'", "not-acceptable", NULL));
}

static void too_fast_is_a_resource_constraint(void **state)
{
    (void)state;
    made();
    t.settings->limits.room_message_rate = 1;
    for (int i = 0; i < 10; i++) {
        t.muc->now_ms -= 1000;
        say(ALICE, "<body>x</body>");
    }
    t.muc->now_ms -= 1000;
    say(ALICE, "<body>x</body>");
    assert_true(next(ALICE, "type='error'", "resource-constraint", NULL));
}

static void shutdown_is_told_with_332(void **state)
{
    (void)state;
    made();
    enter(CAROL, "C");
    forget_lines();
    muc_say_goodbye(t.muc);
    assert_true(some(CAROL, "type='unavailable'", "code='110'", "code='332'", NULL));
    assert_true(some(ALICE, "type='unavailable'", "code='332'", NULL));
    assert_int_equal(t.lines, 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_new_room_is_made_locked_and_told_with_201),
        TEST(entry_comes_in_the_order_of_the_document),
        TEST(a_room_that_hides_nothing_says_100),
        TEST(history_keeps_to_what_was_asked),
        TEST(who_does_not_ask_by_the_protocol_is_told_he_is_not_in),
        TEST(entry_is_refused_with_the_condition_of_the_document),
        TEST(a_full_room_still_lets_its_owner_in),
        TEST(two_clients_of_one_account_share_a_nick),
        TEST(a_message_goes_to_all_from_the_occupant_with_its_id),
        TEST(forged_ids_delays_and_room_words_are_taken_out),
        TEST(the_subject_is_for_moderators_unless_configured),
        TEST(private_messages_are_between_occupants),
        TEST(a_new_nick_is_told_with_303),
        TEST(who_cannot_be_reached_is_removed_with_333),
        TEST(iqs_between_occupants_show_occupant_jids_only),
        TEST(one_frame_leaves_several_rooms),
        TEST(malformed_content_and_borrowed_names_are_refused),
        TEST(every_iq_is_answered_once),
        TEST(disco_says_what_a_room_is),
        TEST(invitations_and_declines_go_through_the_room),
        TEST(too_fast_is_a_resource_constraint),
        TEST(shutdown_is_told_with_332),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
