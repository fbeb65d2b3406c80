/* Stanzas through the whole of sm: what leaves for which frame that came in, and when. */

#include "sm_rig.h"

#include "roster.h"

#define BODY "<body>hi</body>"

static struct session *anna, *ben;

static void online(struct session *s, const char *content)
{
    rig_client(s, "iq", "get", NULL, "<query xmlns='jabber:iq:roster'/>");
    rig_client(s, "presence", "", NULL, content);
}

static int two_users(void **state)
{
    rig_setup(state);
    rig_account("anna@a.org");
    rig_account("ben@a.org");
    anna = rig_bind("anna@a.org/x", 1);
    ben = rig_bind("ben@a.org/y", 2);
    online(anna, "");
    online(ben, "");
    rig_forget();
    return 0;
}

/* ---- messages ---- */

static void a_chat_message_reaches_the_other_session(void **state)
{
    const char *out;

    (void)state;
    rig_client(anna, "message", "chat", "ben@a.org", BODY);
    out = rig_took();
    assert_string_equal(out, "c2 <message from='anna@a.org/x' id='i1' type='chat' to='ben@a.org'>" BODY "</message>\n");
}

static void from_is_the_session_s_whatever_the_frame_says(void **state)
{
    struct frame f = rig_stanza("message", "chat", "root@a.org", "ben@a.org", BODY);

    (void)state;
    f.origin = anna->c2sd;
    f.sender = anna->conn;
    f.handle = anna->handle;
    on_stanza(&rig, &f);
    assert_says(rig_took(), "from='anna@a.org/x'");
}

static void another_connection_cannot_use_the_session(void **state)
{
    struct frame f = rig_stanza("message", "chat", NULL, "ben@a.org", BODY);

    (void)state;
    f.origin = anna->c2sd;
    f.sender = 99;
    f.handle = anna->handle;
    on_stanza(&rig, &f);
    f.sender = anna->conn;
    f.origin.incarnation++;
    on_stanza(&rig, &f);
    assert_string_equal(rig_took(), "c99 SESSION_END\nc1 SESSION_END\n");
}

static void content_that_is_not_closed_is_refused(void **state)
{
    (void)state;
    rig_client(anna, "message", "chat", "ben@a.org", "</message><message>");
    const char *out = rig_took();
    assert_says(out, "c1 <message from='ben@a.org' id='i1' type='error' to='anna@a.org/x'>");
    assert_says(out, "bad-request");
    assert_silent_about(out, "c2 ");
}

static void a_stranger_may_not_speak_for_us(void **state)
{
    (void)state;
    rig_from("s2sd-1", "message", "chat", "anna@a.org/x", "ben@a.org", BODY);
    rig_from("muc-1", "message", "chat", "anna@a.org/x", "ben@a.org", BODY);
    assert_string_equal(rig_took(), "");
    rig_from("s2sd-1", "message", "chat", "carl@b.org/z", "ben@a.org", BODY);
    assert_says(rig_took(), "c2 <message from='carl@b.org/z'");
}

static void remote_jids_go_to_s2sd_and_rooms_to_muc(void **state)
{
    (void)state;
    rig_client(anna, "message", "chat", "carl@b.org", BODY);
    rig_client(anna, "presence", "", "room@rooms.a.org/anna", "<x xmlns='http://jabber.org/protocol/muc'/>");
    const char *out = rig_took();
    assert_says(out, "s2sd-1 <message from='anna@a.org/x' id='i1' type='chat' to='carl@b.org'");
    assert_says(out, "muc-1 <presence from='anna@a.org/x' id='i1' to='room@rooms.a.org/anna'");
}

static void a_vanished_occupant_is_told_to_our_room(void **state)
{
    (void)state;
    rig_from("muc-1", "message", "groupchat", "r@rooms.a.org/ben", "anna@a.org/gone", BODY);
    rig_from("muc-1", "presence", "", "r@rooms.a.org/ben", "anna@a.org/gone", "");
    const char *out = rig_took();
    assert_says(out, "muc-1 <message from='anna@a.org/gone' id='i1' type='error' to='r@rooms.a.org/ben'>");
    assert_says(out, "muc-1 <presence from='anna@a.org/gone' id='i1' type='error' to='r@rooms.a.org/ben'>");
    assert_says(out, "recipient-unavailable");
}

static void a_room_s_fan_out_becomes_one_frame_for_c2sd(void **state)
{
    struct frame f = rig_stanza("message", "groupchat", "r@rooms.a.org/carl", NULL, BODY);
    struct buf   list = { 0 };

    (void)state;
    f.kind = FRAME_FANOUT;
    f.origin = (struct address){ ROLE_MUC, instance_key("muc-1"), 5 };
    fanout_put(&list, 0, SLICE("anna@a.org/x"));
    fanout_put(&list, 0, SLICE("ben@a.org/y"));
    fanout_put(&list, 0, SLICE("ben@a.org/gone"));
    f.list = buf_slice(&list);
    on_fanout(&rig, &f);
    arena_reset(rig.arena);
    buf_free(&list);
    const char *out = rig_took();
    assert_says(out, "c1,c2 <message from='r@rooms.a.org/carl' id='i1' type='groupchat'>");
    assert_says(out, "muc-1 <message from='ben@a.org/gone' id='i1' type='error' to='r@rooms.a.org/carl'>");
}

/* ---- IQ ---- */

static void every_iq_gets_one_answer(void **state)
{
    static const struct { const char *type, *to, *content, *part; } cases[] = {
        { "get", "a.org", "<ping xmlns='urn:xmpp:ping'/>", "type='result' to='anna@a.org/x'/>" },
        { "get", "a.org", "<query xmlns='jabber:iq:version'/>", "<name>Zubr</name>" },
        { "get", "a.org", "<time xmlns='urn:xmpp:time'/>", "<tzo>+00:00</tzo>" },
        { "get", "a.org", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "var='urn:xmpp:ping'" },
        { "get", "a.org", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "type='result'" },
        { "get", NULL, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "type='registered'" },
        { "get", "ben@a.org", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "service-unavailable" },
        { "get", "nobody@a.org", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "service-unavailable" },
        { "get", NULL, "<query xmlns='http://jabber.org/protocol/disco#info' node='none'/>", "item-not-found" },
        { "get", "a.org", "<query xmlns='http://jabber.org/protocol/disco#items' node='none'/>", "item-not-found" },
        { "get", "ben@a.org", "<query xmlns='http://jabber.org/protocol/disco#items' node='none'/>", "service-unavailable" },
        { "get", "ben@a.org", "<vCard xmlns='vcard-temp'/>", "item-not-found" },
        { "get", "nobody@a.org", "<vCard xmlns='vcard-temp'/>", "item-not-found" },
        { "get", NULL, "<x xmlns='no:such'/>", "service-unavailable" },
        { "get", "ben@a.org/gone", "<x xmlns='no:such'/>", "service-unavailable" },
        { "get", NULL, "", "bad-request" },
        { "set", NULL, "<a xmlns='x'/><b xmlns='x'/>", "bad-request" },
        { "get", "nowhere@closed.org/x", "<x xmlns='no:such'/>", "service-unavailable" },
        { "set", "ben@a.org", "<vCard xmlns='vcard-temp'/>", "service-unavailable" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        rig_client(anna, "iq", cases[i].type, cases[i].to, cases[i].content);
        const char *out = rig_took();
        assert_says(out, "c1 <iq ");
        assert_says(out, cases[i].part);
        assert_int_equal(strchr(out, '\n') - out + 1, strlen(out));
    }
}

static void results_are_not_answered(void **state)
{
    (void)state;
    rig_client(anna, "iq", "result", NULL, "");
    rig_client(anna, "iq", "result", "a.org", "");
    rig_client(anna, "iq", "error", "ben@a.org", "");
    rig_client(anna, "iq", "result", "ben@a.org/gone", "");
    assert_string_equal(rig_took(), "");
}

static void vcard_and_private_data_come_back(void **state)
{
    (void)state;
    rig_client(anna, "iq", "set", NULL, "<vCard xmlns='vcard-temp'><FN>Anna</FN></vCard>");
    assert_string_equal(rig_log, "");                       /* nothing before the commit */
    assert_says(rig_took(), "c1 <iq from='anna@a.org' id='i1' type='result' to='anna@a.org/x'/>");
    rig_client(ben, "iq", "get", "anna@a.org", "<vCard xmlns='vcard-temp'/>");
    assert_says(rig_took(), "<vCard xmlns='vcard-temp'><FN>Anna</FN></vCard>");
    rig_client(anna, "iq", "set", NULL, "<query xmlns='jabber:iq:private'><n xmlns='my:ns'><v>1</v></n></query>");
    rig_client(anna, "iq", "get", NULL, "<query xmlns='jabber:iq:private'><n xmlns='my:ns'/></query>");
    assert_says(rig_took(), "<query xmlns='jabber:iq:private'><n xmlns='my:ns'><v>1</v></n></query>");
    rig_client(anna, "iq", "get", NULL, "<query xmlns='jabber:iq:private'><m xmlns='my:ns'/></query>");
    assert_says(rig_took(), "<query xmlns='jabber:iq:private'><m xmlns='my:ns'/></query>");
}

/* ---- roster and subscriptions ---- */

#define ITEM(jid, more) "<query xmlns='jabber:iq:roster'><item jid='" jid "'" more "</query>"

/* The last version in it. */
static unsigned long long version_in(const char *out)
{
    const char        *at = out;
    unsigned long long v = 0;

    while ((at = strstr(at, " ver='")))
        v = strtoull(at += 6, NULL, 10);
    return v;
}

static const char *roster_since(unsigned long long version)
{
    char query[100];

    snprintf(query, sizeof(query), "<query xmlns='jabber:iq:roster' ver='%llu'/>", version);
    rig_client(anna, "iq", "get", NULL, query);
    return rig_took();
}

static void a_roster_set_is_answered_and_pushed_after_the_commit(void **state)
{
    (void)state;
    rig_client(anna, "iq", "set", NULL, ITEM("carl@b.org", " name='Carl'><group>Friends</group></item>"));
    assert_string_equal(rig_log, "");
    const char *out = rig_took();
    unsigned long long version = version_in(out);
    assert_says(out, "<item jid='carl@b.org' name='Carl' subscription='none'><group>Friends</group></item></query></iq>");
    assert_says(out, "c1 <iq from='anna@a.org' id='i1' type='result' to='anna@a.org/x'/>");
    assert_says(roster_since(version), "c1 <iq from='anna@a.org' id='i1' type='result' to='anna@a.org/x'/>");
    rig_client(anna, "iq", "get", NULL, "<query xmlns='jabber:iq:roster'/>");
    assert_says(rig_took(), "type='result' to='anna@a.org/x'><query xmlns='jabber:iq:roster'><item jid='carl@b.org'");
}

static void what_comes_behind_a_roster_set_waits_for_it(void **state)
{
    (void)state;
    rig_client(anna, "iq", "set", NULL, ITEM("carl@b.org", "/>"));
    rig_client(anna, "message", "chat", "ben@a.org", BODY);
    rig_client(ben, "message", "chat", "anna@a.org/x", "<body>other</body>");
    /* anna's own message waits, ben's does not: only the same sender's order is kept. */
    assert_silent_about(rig_log, "<body>hi</body>");
    assert_silent_about(rig_log, "type='result'");
    const char *out = rig_took();
    assert_true(strstr(out, "type='result'") < strstr(out, "<body>hi</body>"));
}

/* 2.6.3: an empty result, then what changed and what went, oldest first. */
static void versions_send_only_what_changed(void **state)
{
    unsigned long long first;

    (void)state;
    rig_client(anna, "iq", "set", NULL, ITEM("b@b.org", "/>"));
    first = version_in(rig_took());
    rig_client(anna, "iq", "set", NULL, ITEM("c@b.org", "/>"));
    rig_client(anna, "iq", "set", NULL, ITEM("b@b.org", " name='B'/>"));
    rig_forget();
    const char *out = roster_since(first);
    assert_says(out, "type='result' to='anna@a.org/x'/>");
    assert_true(strstr(out, "<item jid='c@b.org'") < strstr(out, "<item jid='b@b.org'"));
    rig_client(anna, "iq", "set", NULL, ITEM("c@b.org", " subscription='remove'/>"));
    assert_says(rig_took(), "<item jid='c@b.org' subscription='remove'/>");
    out = roster_since(first);
    assert_says(out, "type='result' to='anna@a.org/x'/>");
    assert_true(strstr(out, "<item jid='b@b.org'") < strstr(out, "<item jid='c@b.org' subscription='remove'/>"));
    rig_client(anna, "iq", "set", NULL, ITEM("c@b.org", "/>"));
    rig_forget();
    assert_silent_about(roster_since(first), "remove");
    assert_says(roster_since(first - 1), "<query xmlns='jabber:iq:roster' ver=");
}

/* So many removals are remembered; who missed more gets the whole roster. */
static void removals_are_remembered_up_to_a_number(void **state)
{
    unsigned long long at[ROSTER_REMOVALS_MAX + 2];
    char               item[200];

    (void)state;
    rig_client(anna, "iq", "set", NULL, ITEM("stays@b.org", "/>"));
    for (int i = 0; i < ROSTER_REMOVALS_MAX + 2; i++) {
        snprintf(item, sizeof(item), ITEM("c%d@b.org", "/>"), i);
        rig_client(anna, "iq", "set", NULL, item);
        at[i] = version_in(rig_took());
        snprintf(item, sizeof(item), ITEM("c%d@b.org", " subscription='remove'/>"), i);
        rig_client(anna, "iq", "set", NULL, item);
        rig_forget();
    }
    assert_says(roster_since(at[0]), "<item jid='stays@b.org'");
    assert_says(roster_since(at[1]), "<item jid='stays@b.org'");
    const char *out = roster_since(at[2]);
    assert_silent_about(out, "stays");
    assert_says(out, "<item jid='c2@b.org' subscription='remove'/>");
    assert_says(out, "<item jid='c33@b.org' subscription='remove'/>");
}

/* A version of an account of that name that is gone is none of this one's. */
static void a_new_account_does_not_know_old_versions(void **state)
{
    unsigned long long old;

    (void)state;
    rig_client(anna, "iq", "set", NULL, ITEM("b@b.org", "/>"));
    old = version_in(rig_took());
    rig_client(anna, "iq", "set", NULL, "<query xmlns='jabber:iq:register'><remove/></query>");
    rig_forget();
    rig_account("anna@a.org");
    anna = rig_bind("anna@a.org/x", 1);
    rig_client(anna, "iq", "set", NULL, ITEM("c@b.org", "/>"));
    rig_forget();
    assert_says(roster_since(old), "<item jid='c@b.org'");
}

static void bad_roster_sets_are_refused(void **state)
{
    static const struct { const char *content, *condition; } cases[] = {
        { ITEM("carl@b.org", "/><item jid='d@b.org'/>"), "bad-request" },
        { "<query xmlns='jabber:iq:roster'/>", "bad-request" },
        { "<query xmlns='jabber:iq:roster'><item/></query>", "bad-request" },
        { ITEM("@@", "/>"), "jid-malformed" },
        { ITEM("anna@a.org", "/>"), "not-allowed" },
        { ITEM("c@b.org", "><group>x</group><group>x</group></item>"), "bad-request" },
        { ITEM("c@b.org", "><group/></item>"), "not-acceptable" },
        { ITEM("c@b.org", "><group>a</group><group>b</group><group>c</group><group>d</group></item>"), "not-acceptable" },
        { ITEM("c@b.org", "><group>one with twenty-one..</group></item>"), "not-acceptable" },
        { ITEM("c@b.org", " name='one with twenty-one..'/>"), "not-acceptable" },
        { ITEM("nobody@b.org", " subscription='remove'/>"), "item-not-found" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        rig_client(anna, "iq", "set", NULL, cases[i].content);
        const char *out = rig_took();
        assert_says(out, cases[i].condition);
        assert_silent_about(out, "type='set'");
    }
    rig_from("s2sd-1", "iq", "get", "carl@b.org/z", "anna@a.org", "<query xmlns='jabber:iq:roster'/>");
    assert_says(rig_took(), "service-unavailable");
}

static void befriend(void)
{
    rig_client(anna, "presence", "subscribe", "ben@a.org", "");
    rig_wait();
    rig_client(ben, "presence", "subscribed", "anna@a.org", "");
    rig_wait();
}

static void two_local_users_subscribe(void **state)
{
    const char *out;

    (void)state;
    rig_client(anna, "presence", "subscribe", "ben@a.org/whatever", "<status>please</status>");
    out = rig_took();
    assert_says(out, "<item jid='ben@a.org' subscription='none' ask='subscribe'/>");
    assert_says(out, "c2 <presence from='anna@a.org' id='i1' type='subscribe' to='ben@a.org/y'><status>please</status>");
    rig_client(ben, "presence", "subscribed", "anna@a.org", "");
    out = rig_took();
    assert_says(out, "<item jid='anna@a.org' subscription='from'/>");
    assert_says(out, "c1 <presence from='ben@a.org' id='i1' type='subscribed' to='anna@a.org/x'/>");
    assert_says(out, "<item jid='ben@a.org' subscription='to'/>");
    assert_says(out, "c1 <presence from='ben@a.org/y' to='anna@a.org'/>");
    /* ben's state changes reach anna, anna's do not reach ben. */
    rig_client(ben, "presence", "", NULL, "<show>away</show>");
    assert_says(rig_took(), "c1,c2 <presence from='ben@a.org/y' id='i1'><show>away</show>");
    rig_client(anna, "presence", "", NULL, "<show>dnd</show>");
    assert_string_equal(rig_took(), "c1 <presence from='anna@a.org/x' id='i1' to='anna@a.org/x'><show>dnd</show></presence>\n");
    /* the end of it */
    rig_client(ben, "presence", "unsubscribed", "anna@a.org", "");
    out = rig_took();
    assert_says(out, "c1 <presence from='ben@a.org' id='i1' type='unsubscribed' to='anna@a.org/x'/>");
    assert_says(out, "c1 <presence from='ben@a.org/y' type='unavailable' to='anna@a.org'/>");
    assert_says(out, "<item jid='ben@a.org' subscription='none'/>");
}

/* Nothing waits for a commit in between: the presence is said while both halves are on their way. */
static void presence_does_not_overtake_the_subscription(void **state)
{
    const char *got, *granted, *shown;

    (void)state;
    rig_client(ben, "presence", "subscribe", "anna@a.org", "");
    rig_forget();
    rig_client(anna, "presence", "subscribed", "ben@a.org", "");
    rig_client(anna, "presence", "", NULL, "<show>dnd</show>");
    got = rig_took();
    granted = strstr(got, "type='subscribed'");
    shown = strstr(got, "c2 <presence from='anna@a.org/x' id='i1' to='ben@a.org'><show>dnd</show>");
    if (!granted || !shown || shown < granted)
        fail_msg("%s", got);
}

static void a_request_waits_for_the_login_and_until_it_is_answered(void **state)
{
    (void)state;
    dispatch_end_session(&rig, &ben, NULL, NULL, 0);
    rig_from("s2sd-1", "presence", "subscribe", "carl@b.org", "ben@a.org", "<status>it is me</status>");
    assert_string_equal(rig_took(), "");
    for (int login = 0; login < 2; login++) {
        ben = rig_bind("ben@a.org/y", 3);
        rig_client(ben, "presence", "", NULL, "");
        assert_says(rig_took(), "c3 <presence from='carl@b.org' id='i1' type='subscribe' to='ben@a.org'>"
                                "<status>it is me</status>");
        dispatch_end_session(&rig, &ben, NULL, NULL, 0);
    }
    ben = rig_bind("ben@a.org/y", 3);
    rig_client(ben, "presence", "unsubscribed", "carl@b.org", "");
    assert_says(rig_took(), "s2sd-1 <presence from='ben@a.org' id='i1' type='unsubscribed' to='carl@b.org'/>");
    rig_client(ben, "presence", "", NULL, "");
    assert_silent_about(rig_took(), "subscribe");
}

static void removal_from_the_roster_ends_both_directions(void **state)
{
    (void)state;
    befriend();
    rig_forget();
    rig_client(anna, "iq", "set", NULL, ITEM("ben@a.org", " subscription='remove'/>"));
    const char *out = rig_took();
    assert_says(out, "<item jid='ben@a.org' subscription='remove'/>");
    assert_says(out, "<item jid='anna@a.org' subscription='none'/>");
    assert_says(out, "c2 <presence from='anna@a.org' type='unsubscribe' to='ben@a.org/y'/>");
}

/* ---- presence ---- */

static void login_shows_and_asks(void **state)
{
    (void)state;
    befriend();
    rig_from("s2sd-1", "presence", "subscribe", "carl@b.org", "anna@a.org", "");
    rig_wait();
    rig_client(anna, "presence", "subscribed", "carl@b.org", "");
    rig_client(anna, "presence", "subscribe", "carl@b.org", "");
    rig_from("s2sd-1", "presence", "subscribed", "carl@b.org", "anna@a.org", "");
    rig_forget();
    struct session *second = rig_bind("anna@a.org/phone", 5);
    rig_client(second, "presence", "", NULL, "<priority>-1</priority>");
    const char *out = rig_took();
    assert_says(out, "s2sd-1 <presence from='anna@a.org/phone' id='i1' to='carl@b.org'><priority>-1</priority>");
    assert_says(out, "s2sd-1 <presence from='anna@a.org/phone' type='probe' to='carl@b.org'/>");
    assert_says(out, "c5 <presence from='anna@a.org/x' to='anna@a.org/phone'/>");       /* own other resource */
    assert_says(out, "c5 <presence from='ben@a.org/y' to='anna@a.org/phone'/>");        /* contact of this instance */
    assert_says(out, "c1,c5 <presence from='anna@a.org/phone' id='i1'>");               /* own resources, itself too */
    dispatch_end_session(&rig, &second, NULL, NULL, 0);
    out = rig_took();
    assert_says(out, "c1 <presence from='anna@a.org/phone' type='unavailable' to='anna@a.org/x'/>");
    assert_says(out, "s2sd-1 <presence from='anna@a.org/phone' type='unavailable' to='carl@b.org'/>");
}

static void priorities_outside_the_range_are_refused(void **state)
{
    static const char *const bad[] = { "128", "-129", "x", "", "1 2", "--1", "9999" };
    static const char *const good[] = { "127", "-128", " 5 ", "+3", "0" };
    char                     content[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(content, sizeof(content), "<priority>%s</priority>", bad[i]);
        rig_client(anna, "presence", "", NULL, content);
        assert_says(rig_took(), "bad-request");
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        snprintf(content, sizeof(content), "<priority>%s</priority>", good[i]);
        rig_client(anna, "presence", "", NULL, content);
        assert_silent_about(rig_took(), "error");
    }
    assert_int_equal(anna->priority, 0);
}

static void directed_presence_ends_with_the_session(void **state)
{
    (void)state;
    rig_client(anna, "presence", "", "room@rooms.a.org/anna", "");
    rig_client(anna, "presence", "", "carl@b.org", "");
    rig_client(anna, "presence", "unavailable", "carl@b.org", "");
    rig_forget();
    dispatch_end_session(&rig, &anna, NULL, NULL, 0);
    const char *out = rig_took();
    assert_says(out, "muc-1 <presence from='anna@a.org/x' type='unavailable' to='room@rooms.a.org/anna'/>");
    assert_silent_about(out, "carl@b.org");
}

static void probes_are_answered_by_subscription(void **state)
{
    (void)state;
    rig_from("s2sd-1", "presence", "probe", "carl@b.org/z", "anna@a.org", "");
    assert_says(rig_took(), "s2sd-1 <presence from='anna@a.org' id='i1' type='unsubscribed' to='carl@b.org'/>");
    rig_from("s2sd-1", "presence", "probe", "carl@b.org/z", "nobody@a.org", "");
    assert_says(rig_took(), "s2sd-1 <presence from='nobody@a.org' id='i1' type='unsubscribed' to='carl@b.org'/>");
    rig_from("s2sd-1", "presence", "subscribe", "carl@b.org", "anna@a.org", "");
    rig_wait();
    rig_client(anna, "presence", "subscribed", "carl@b.org", "");
    rig_forget();
    rig_from("s2sd-1", "presence", "probe", "carl@b.org/z", "anna@a.org", "");
    assert_says(rig_took(), "s2sd-1 <presence from='anna@a.org/x' to='carl@b.org/z'/>");
    dispatch_end_session(&rig, &anna, NULL, NULL, 0);
    rig_forget();
    rig_from("s2sd-1", "presence", "probe", "carl@b.org/z", "anna@a.org", "");
    assert_says(rig_took(), "s2sd-1 <presence from='anna@a.org' id='i1' type='unavailable' to='carl@b.org/z'/>");
}

/* ---- offline ---- */

static void messages_wait_for_a_session_that_takes_them(void **state)
{
    const char *out;

    (void)state;
    dispatch_end_session(&rig, &ben, NULL, NULL, 0);
    rig_client(anna, "message", "chat", "ben@a.org", "<body>one</body>");
    rig_client(anna, "message", "", "ben@a.org", "<body>two</body>");
    rig_client(anna, "message", "headline", "ben@a.org", "<body>news</body>");
    rig_client(anna, "message", "chat", "ben@a.org/gone", "<body>three</body>");
    rig_client(anna, "message", "chat", "nobody@a.org", "<body>who</body>");
    assert_string_equal(rig_took(), "");
    rig_client(anna, "message", "groupchat", "ben@a.org", "<body>no</body>");
    assert_says(rig_took(), "service-unavailable");
    ben = rig_bind("ben@a.org/y", 3);
    rig_client(ben, "presence", "", NULL, "<priority>-1</priority>");
    assert_silent_about(rig_took(), "<body>");
    rig_client(ben, "presence", "", NULL, "<priority>1</priority>");
    out = rig_took();
    assert_true(strstr(out, "<body>one</body>") < strstr(out, "<body>two</body>"));
    assert_says(out, "<body>three</body><delay xmlns='urn:xmpp:delay' from='a.org' stamp='2");
    assert_silent_about(out, "news");
    /* given once */
    rig_client(ben, "presence", "unavailable", NULL, "");
    rig_client(ben, "presence", "", NULL, "");
    assert_silent_about(rig_took(), "<body>");
}

static void a_full_offline_store_refuses(void **state)
{
    (void)state;
    rig_settings.limits.offline_messages_max = 1;
    dispatch_end_session(&rig, &ben, NULL, NULL, 0);
    rig_client(anna, "message", "chat", "ben@a.org", "<body>one</body>");
    assert_string_equal(rig_took(), "");
    rig_client(anna, "message", "chat", "ben@a.org", "<body>two</body>");
    assert_says(rig_took(), "service-unavailable");
    rig_settings.limits.offline_messages_max = 100;
}

/* ---- ends ---- */

static void a_removed_account_leaves_nothing(void **state)
{
    struct session *s = anna;

    (void)state;
    befriend();
    rig_client(anna, "iq", "set", NULL, "<vCard xmlns='vcard-temp'><FN>Anna</FN></vCard>");
    rig_forget();
    rig_client(s, "iq", "set", NULL, "<query xmlns='jabber:iq:register'><remove/></query>");
    const char *out = rig_took();
    assert_true(strstr(out, "c1 <iq from='anna@a.org' id='i1' type='result' to='anna@a.org/x'/>") <
                strstr(out, "c1 SESSION_END"));
    assert_says(out, "c2 <presence from='anna@a.org' type='unsubscribe' to='ben@a.org/y'/>");
    rig_account("anna@a.org");
    anna = rig_bind("anna@a.org/x", 8);
    rig_client(anna, "iq", "get", NULL, "<query xmlns='jabber:iq:roster'/>");
    assert_says(rig_took(), "<query xmlns='jabber:iq:roster'/>");
    rig_client(anna, "iq", "get", NULL, "<vCard xmlns='vcard-temp'/>");
    assert_says(rig_took(), "<vCard xmlns='vcard-temp'/>");
}

static void a_lost_c2sd_ends_its_sessions_only(void **state)
{
    struct address life = anna->c2sd;

    (void)state;
    life.incarnation++;
    login_peer_lost(&rig, &life);
    assert_int_equal(sessions_count(rig.sessions), 2);
    life.incarnation--;
    login_peer_lost(&rig, &life);
    assert_int_equal(sessions_count(rig.sessions), 0);
}

static void what_the_link_cannot_take_comes_back(void **state)
{
    (void)state;
    rig_refuses = ZE_FULL;
    rig_client(anna, "message", "chat", "carl@b.org", BODY);
    rig_refuses = ZE_OK;
    /* the error itself found a full link too: nothing loops */
    assert_string_equal(rig_took(), "");
}

static void a_bounced_message_for_a_dead_connection_is_kept(void **state)
{
    struct frame bounced = rig_stanza("message", "chat", "anna@a.org/x", "ben@a.org/y", BODY);
    struct frame f = frame_make(FRAME_BOUNCE);
    struct buf   body = { 0 };

    (void)state;
    bounced.dest = ben->c2sd;
    bounced.handle = ben->conn;
    bounced.sender = ben->handle;
    bounced.stanza.flags = STANZA_HAS_BODY;
    buf_put_u32(&body, (uint32_t)ZE_NOT_FOUND);
    assert_int_equal(frame_encode(&body, &bounced), ZE_OK);
    f.body = buf_slice(&body);
    on_bounce(&rig, &f);
    buf_free(&body);
    rig_forget();
    assert_null(session_online(rig.sessions, SLICE("ben@a.org")));
    ben = rig_bind("ben@a.org/y", 4);
    rig_client(ben, "presence", "", NULL, "");
    assert_says(rig_took(), "c4 <message from='anna@a.org/x' id='i1' type='chat' to='ben@a.org/y'>" BODY);
}

/* ---- registration ---- */

static void registers(const char *domain, const char *type, const char *content)
{
    struct frame f = rig_stanza("iq", type, NULL, domain, content);

    f.kind = FRAME_REGISTER;
    f.origin = (struct address){ ROLE_C2SD, instance_key("c2sd-1"), RIG_LIFE };
    f.sender = 7;
    f.list = SLICE("192.0.2.1");
    on_register(&rig, &f);
    arena_reset(rig.arena);
    while (!rig_log[0])
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
}

#define WISH(name) "<query xmlns='jabber:iq:register'><username>" name "</username><password>pw</password></query>"

static void registration_is_open_only_where_it_is(void **state)
{
    (void)state;
    registers("closed.org", "get", "<query xmlns='jabber:iq:register'/>");
    assert_says(rig_took(), "not-allowed");
    registers("a.org", "get", "<query xmlns='jabber:iq:register'/>");
    assert_says(rig_took(), "<instructions>");
    registers("a.org", "set", WISH("carl"));
    assert_says(rig_took(), "c7 <iq from='a.org' id='i1' type='result'/>");
    registers("a.org", "set", WISH("carl"));
    assert_says(rig_took(), "conflict");
    registers("a.org", "set", WISH(""));
    assert_says(rig_took(), "not-acceptable");
    registers("a.org", "set", WISH("dora"));
    assert_says(rig_took(), "type='result'");
    registers("a.org", "set", WISH("eva"));
    assert_says(rig_took(), "resource-constraint");
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, two_users, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(a_chat_message_reaches_the_other_session),
        FLOW(from_is_the_session_s_whatever_the_frame_says),
        FLOW(another_connection_cannot_use_the_session),
        FLOW(content_that_is_not_closed_is_refused),
        FLOW(a_stranger_may_not_speak_for_us),
        FLOW(remote_jids_go_to_s2sd_and_rooms_to_muc),
        FLOW(a_vanished_occupant_is_told_to_our_room),
        FLOW(a_room_s_fan_out_becomes_one_frame_for_c2sd),
        FLOW(every_iq_gets_one_answer),
        FLOW(results_are_not_answered),
        FLOW(vcard_and_private_data_come_back),
        FLOW(a_roster_set_is_answered_and_pushed_after_the_commit),
        FLOW(what_comes_behind_a_roster_set_waits_for_it),
        FLOW(versions_send_only_what_changed),
        FLOW(removals_are_remembered_up_to_a_number),
        FLOW(a_new_account_does_not_know_old_versions),
        FLOW(bad_roster_sets_are_refused),
        FLOW(two_local_users_subscribe),
        FLOW(presence_does_not_overtake_the_subscription),
        FLOW(a_request_waits_for_the_login_and_until_it_is_answered),
        FLOW(removal_from_the_roster_ends_both_directions),
        FLOW(login_shows_and_asks),
        FLOW(priorities_outside_the_range_are_refused),
        FLOW(directed_presence_ends_with_the_session),
        FLOW(probes_are_answered_by_subscription),
        FLOW(messages_wait_for_a_session_that_takes_them),
        FLOW(a_full_offline_store_refuses),
        FLOW(a_removed_account_leaves_nothing),
        FLOW(a_lost_c2sd_ends_its_sessions_only),
        FLOW(what_the_link_cannot_take_comes_back),
        FLOW(a_bounced_message_for_a_dead_connection_is_kept),
        FLOW(registration_is_open_only_where_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
