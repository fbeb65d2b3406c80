/* The archive of a room (XEP-0313, 0359): what is in it, who may read it, what he sees, and how long it stays. */

#include "muc_archive_rig.h"

static void what_was_said_carries_its_id(void **state)
{
    char said[64], archived[64], entered[64];

    (void)state;
    stored();
    say(BOB, "<body>word</body>");
    value_after(t.line[0], "<stanza-id xmlns='" NS_SID "' by='" ROOM "' id='", said);
    assert_int_equal(strlen(said), LEDGER_ID_TEXT - 1);
    ask(DAVE, QUERY(""));
    assert_int_equal(results(), 1);
    assert_true(next(DAVE, "from='" ROOM "'", "queryid='q'", "<delay xmlns='" NS_DELAY "' stamp='",
                     "from='" ROOM "/B'", "type='groupchat'", "<body>word</body>", NULL));
    assert_null(strstr(t.line[0], " to='" ROOM));      /* 5.1.2: no `to` inside */
    value_after(t.line[0], " id='", archived);
    assert_string_equal(archived, said);
    assert_true(next(DAVE, "type='result'", "<fin xmlns='" NS_MAM "' complete='true'>", "<count>1</count>", NULL));
    enter(DAVE, "D");
    for (size_t i = 0; i < t.lines; i++)
        if (strstr(t.line[i], "<body>word</body>"))
            value_after(t.line[i], "by='" ROOM "' id='", entered);
    assert_string_equal(entered, said);
    gone(DAVE, ROOM "/D");
    rebooted();
    ask(DAVE, QUERY(""));
    value_after(t.line[0], " id='", archived);
    assert_string_equal(archived, said);
}

static void forged_ids_are_taken_out_and_others_stay(void **state)
{
    struct frame f = frame_from(BOB, ROOM);

    (void)state;
    stored();
    forget_lines();
    f.stanza.name = STANZA_MESSAGE;
    f.stanza.type = TYPE_GROUPCHAT;
    f.stanza.flags = STANZA_HAS_BODY | STANZA_HAS_ID | STANZA_MUC_USER;
    f.stanza.content = f.body = SLICE("<body>x</body><stanza-id xmlns='" NS_SID "' by='ROOM@muc.a.org' id='forged'/>"
                                      "<stanza-id xmlns='" NS_SID "' by='bob@a.org' id='other'/>"
                                      "<x xmlns='" NS_MUC_USER "'><item jid='eve@a.org'/></x>");
    muc_on_stanza(t.muc, &f);
    pump();
    assert_true(some(ALICE, "id='other'", "by='" ROOM "'", NULL));
    assert_false(some(ALICE, "forged", NULL));
    assert_false(some(ALICE, "eve@a.org", NULL));
    ask(ALICE, QUERY(""));
    assert_true(some(ALICE, "<result", "id='other'", "jid='" BOB "'", NULL));
    assert_false(some(ALICE, "eve@a.org", NULL));
    assert_false(some(ALICE, "forged", NULL));
}

static void pages(void **state)
{
    char body[64], first[64], last[64], content[512];

    (void)state;
    stored();
    for (int i = 0; i < 7; i++) {
        snprintf(body, sizeof(body), "<body>m%d</body>", i);
        say(BOB, body);
    }
    ask(DAVE, QUERY(SET("<max>3</max>")));
    assert_int_equal(results(), 3);
    assert_true(some(DAVE, "<body>m0</body>", NULL) && some(DAVE, "<body>m2</body>", NULL));
    assert_false(some(DAVE, "complete='true'", NULL));
    value_after(t.line[3], "<last>", last);
    snprintf(content, sizeof(content), QUERY(SET("<max>3</max><after>%s</after>")), last);
    ask(DAVE, content);
    assert_true(some(DAVE, "<body>m3</body>", NULL) && some(DAVE, "<body>m5</body>", NULL));
    ask(DAVE, QUERY(SET("<max>2</max><before/>")));
    assert_true(some(DAVE, "<body>m5</body>", NULL) && some(DAVE, "<body>m6</body>", NULL));
    value_after(t.line[2], "<first", first);
    value_after(t.line[2], ">", first);
    value_after(strstr(t.line[2], "<first"), ">", first);
    snprintf(content, sizeof(content), QUERY(SET("<max>9</max><before>%s</before>")), first);
    ask(DAVE, content);
    assert_int_equal(results(), 5);
    assert_true(some(DAVE, "complete='true'", NULL));
    ask(DAVE, QUERY(SET("<max>3</max><after>0000000000000000</after>")));
    assert_true(next(DAVE, "type='error'", "item-not-found", NULL));
    ask(DAVE, QUERY(FORM(WHERE("nonsense", "x"))));
    assert_true(next(DAVE, "type='error'", "feature-not-implemented", NULL));
    iq_get(DAVE, ROOM, QUERY(""));
    assert_true(next(DAVE, "type='result'", "var='with'", "var='start'", "var='end'", NULL));
}

static void who_may_not_enter_may_not_read(void **state)
{
    (void)state;
    stored();
    say(BOB, "<body>x</body>");
    ask("eve@c.org/1", QUERY(""));                     /* an open room: anybody */
    assert_int_equal(results(), 1);
    iq_set(ALICE, ROOM, ADMIN("<item jid='c.org' affiliation='outcast'/><item jid='dave@a.org' affiliation='outcast'/>"));
    ask(DAVE, QUERY(""));
    assert_true(next(DAVE, "type='error'", "<forbidden", NULL));
    ask("eve@c.org/1", QUERY(""));
    assert_true(next("eve@c.org/1", "type='error'", "<forbidden", NULL));
    iq_set(ALICE, ROOM, ADMIN("<item jid='dave@a.org' affiliation='none'/><item jid='bob@a.org' affiliation='member'/>"));
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_membersonly", "1")));
    ask(DAVE, QUERY(""));
    assert_true(next(DAVE, "type='error'", "<forbidden", NULL));
    iq_get(DAVE, ROOM, QUERY(""));
    assert_true(next(DAVE, "type='error'", "<forbidden", NULL));
    ask(BOB, QUERY(""));
    assert_int_equal(results(), 1);
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_membersonly", "0") FIELD("roomconfig_passwordprotectedroom", "1")
                               FIELD("roomconfig_roomsecret", "s")));
    ask(DAVE, QUERY(""));
    assert_true(next(DAVE, "type='error'", "<forbidden", NULL));
    ask(BOB, QUERY(""));                               /* he is in: he knew it */
    assert_int_equal(results(), 1);
    iq_set(DAVE, "nowhere@muc.a.org", QUERY(""));
    assert_true(next(DAVE, "type='error'", "item-not-found", NULL));
}

static void real_jids_are_seen_by_whom_the_room_shows_them(void **state)
{
    (void)state;
    stored();
    say(BOB, "<body>x</body>");
    say(CAROL, "<body>y</body>");
    ask(ALICE, QUERY(""));                             /* a moderator */
    assert_true(next(ALICE, "<body>x</body>", "<x xmlns='" NS_MUC_USER "'><item jid='" BOB "'/></x>", NULL));
    ask(BOB, QUERY(""));
    assert_int_equal(results(), 2);
    assert_false(some(BOB, "item", NULL));
    ask(BOB, QUERY(FORM(WHERE("with", "carol@b.org"))));
    assert_true(next(BOB, "type='error'", "<forbidden", NULL));
    ask(ALICE, QUERY(FORM(WHERE("with", "carol@b.org"))));
    assert_int_equal(results(), 1);
    assert_true(some(ALICE, "<body>y</body>", NULL));
    ask(BOB, QUERY(FORM(WHERE("with", ROOM "/C"))));   /* by the name all know */
    assert_int_equal(results(), 1);
    assert_true(some(BOB, "<body>y</body>", NULL));
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_whois", "anyone")));
    ask(DAVE, QUERY(""));
    assert_true(next(DAVE, "<body>x</body>", "jid='" BOB "'", NULL));
}

static void in_with_flags(const char *who, unsigned flags, const char *content)
{
    struct frame f = frame_from(who, ROOM);

    f.stanza.name = STANZA_MESSAGE;
    f.stanza.type = TYPE_GROUPCHAT;
    f.stanza.flags = flags;
    f.stanza.content = f.body = slice_str(content);
    t.muc->now_us += 1000000;
    muc_on_stanza(t.muc, &f);
    pump();
}

static void what_belongs_into_it(void **state)
{
    (void)state;
    stored();
    in(BOB, ROOM "/A", STANZA_MESSAGE, TYPE_CHAT, "<body>private</body>");
    say(BOB, "<composing xmlns='http://jabber.org/protocol/chatstates'/>");
    assert_false(some(ALICE, "stanza-id", NULL));
    in_with_flags(BOB, STANZA_HAS_BODY | STANZA_NO_STORE, "<body>x</body><no-store xmlns='urn:xmpp:hints'/>");
    say("eve@a.org/1", "<body>from outside</body>");
    say(ALICE, "<subject>topic</subject>");
    ask(BOB, QUERY(""));
    assert_int_equal(results(), 1);
    assert_true(some(BOB, "<result", "<subject>topic</subject>", NULL));
    enter(DAVE, "D");
    assert_int_equal(count_to(DAVE), 5);               /* three, himself, the subject as such */
    assert_false(some(DAVE, "<subject", "<stanza-id", NULL));
}

static void a_temporary_room_has_none(void **state)
{
    char before[64], after[64];

    (void)state;
    made();
    say(ALICE, "<body>one</body>");
    value_after(t.line[0], "by='" ROOM "' id='", before);
    ask(ALICE, QUERY(""));
    assert_true(next(ALICE, "type='error'", "service-unavailable", NULL));
    iq_get(ALICE, ROOM, "<query xmlns='" NS_DISCO_INFO "'/>");
    assert_false(some(ALICE, "var='" NS_MAM "'", NULL));
    /* What is remembered of it comes along when it is stored, under the same ids. */
    iq_set(ALICE, ROOM, CONFIG(IN_STORE));
    iq_get(ALICE, ROOM, "<query xmlns='" NS_DISCO_INFO "'/>");
    assert_true(some(ALICE, "var='" NS_MAM "'", "var='" NS_SID "'", NULL));
    say(ALICE, "<body>two</body>");
    ask(ALICE, QUERY(""));
    assert_int_equal(results(), 2);
    value_after(t.line[0], " id='", after);
    assert_string_equal(before, after);
    /* And back. */
    iq_set(ALICE, ROOM, CONFIG(FIELD("roomconfig_persistentroom", "0")));
    killed();
    linked();
    enter(BOB, "B");
    assert_true(some(BOB, "<body>one</body>", before, NULL));
    assert_true(some(BOB, "<body>two</body>", NULL));
}

static void walk_to_the_end(void)
{
    for (int i = 0; i < 10000 && retention_step(t.muc); i++)
        pump();
    pump();
}

static int count_row(void *arg, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(size_t *)arg;
    return 0;
}

static size_t rows_of(unsigned table)
{
    struct store_view *view = store_view(t.muc->store);
    size_t             count = 0;

    store_each(view, table, SLICE(""), SLICE(""), false, count_row, &count);
    store_view_end(&view);
    return count;
}

static void a_destroyed_room_takes_its_archive_along(void **state)
{
    (void)state;
    stored();
    say(BOB, "<body>secret</body>");
    iq_set(ALICE, ROOM, OWNER("<destroy/>"));
    made();
    iq_set(ALICE, ROOM, CONFIG(IN_STORE));
    ask(ALICE, QUERY(""));
    assert_int_equal(results(), 0);
    assert_true(next(ALICE, "type='result'", "complete='true'", NULL));
    assert_int_equal(rows_of(R_LEDGER), 1);
    walk_to_the_end();
    assert_int_equal(rows_of(R_LEDGER), 0);
    assert_int_equal(rows_of(R_CONTACT), 0);
}

static void limits_of_age_and_number(void **state)
{
    struct settings_rooms *service = &t.settings->rooms[0];

    (void)state;
    stored();
    t.muc->now_us = wall_us() - UINT64_C(10) * 86400 * 1000000;
    for (int i = 0; i < 700; i++)
        in_with_flags(BOB, STANZA_HAS_BODY, "<body>old</body>");
    t.muc->now_us = wall_us();
    for (int i = 0; i < 5; i++)
        in_with_flags(BOB, STANZA_HAS_BODY, "<body>new</body>");
    forget_lines();
    walk_to_the_end();
    assert_int_equal(rows_of(R_LEDGER), 705);          /* no limit */
    service->archive_messages = 650;
    walk_to_the_end();
    assert_int_equal(rows_of(R_LEDGER), 650);
    assert_int_equal(rows_of(R_CONTACT), 650);
    walk_to_the_end();
    assert_int_equal(rows_of(R_LEDGER), 650);
    service->archive_days = 9;
    walk_to_the_end();
    assert_int_equal(rows_of(R_LEDGER), 5);
    ask(ALICE, QUERY(""));
    assert_int_equal(results(), 5);
}

static void a_long_search_goes_on_in_later_turns_and_over_a_restart(void **state)
{
    unsigned before;

    (void)state;
    stored();
    for (int i = 0; i < 3 * LEDGER_SCAN; i++) {
        forget_lines();
        in_with_flags(BOB, STANZA_HAS_BODY, "<body>x</body>");
    }
    in_with_flags(CAROL, STANZA_HAS_BODY, "<body>found</body>");
    before = t.turns;
    ask(DAVE, QUERY(FORM(WHERE("with", ROOM "/C"))));
    assert_true(t.turns >= before + 3);        /* a step a turn: others are served between */
    assert_int_equal(results(), 1);
    assert_true(next(DAVE, "<body>found</body>", NULL));
    assert_true(next(DAVE, "type='result'", "<fin", "complete='true'", NULL));
    assert_int_equal(t.lines, 2);

    struct frame f = frame_from(DAVE, ROOM);

    f.stanza.name = STANZA_IQ;
    f.stanza.type = TYPE_SET;
    f.stanza.content = f.body = SLICE(QUERY(FORM(WHERE("with", ROOM "/C"))));
    forget_lines();
    muc_on_stanza(t.muc, &f);
    muc_on_stanza(t.muc, &f);          /* one at a time */
    arena_reset(t.arena);
    assert_int_equal(t.lines, 1);
    assert_true(next(DAVE, "type='error'", "resource-constraint", NULL));
    live_commit(t.live);
    killed();
    assert_int_equal(t.muc->search_count, 1);
    linked();
    assert_int_equal(results(), 1);
    assert_true(next(DAVE, "<body>found</body>", NULL));
    assert_true(next(DAVE, "type='result'", "id='i1'", "<fin", NULL));
    assert_int_equal(t.lines, 2);
    assert_int_equal(t.muc->search_count, 0);
    killed();
    linked();
    assert_int_equal(t.lines, 0);
}

static void without_archives_memory_serves_who_enters(void **state)
{
    (void)state;
    t.settings->server.archive = false;
    stored();
    say(BOB, "<body>x</body>");
    ask(ALICE, QUERY(""));
    assert_true(next(ALICE, "type='error'", "service-unavailable", NULL));
    enter(DAVE, "D");
    assert_true(some(DAVE, "<body>x</body>", NULL));
    assert_int_equal(rows_of(R_LEDGER), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_was_said_carries_its_id),
        TEST(forged_ids_are_taken_out_and_others_stay),
        TEST(pages),
        TEST(who_may_not_enter_may_not_read),
        TEST(real_jids_are_seen_by_whom_the_room_shows_them),
        TEST(what_belongs_into_it),
        TEST(a_temporary_room_has_none),
        TEST(a_destroyed_room_takes_its_archive_along),
        TEST(limits_of_age_and_number),
        TEST(a_long_search_goes_on_in_later_turns_and_over_a_restart),
        TEST(without_archives_memory_serves_who_enters),
    };

    harness_all_used();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
