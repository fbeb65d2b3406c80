/* The whole of sm from frame to frame: messages and IQs. */

#include "flow_rig.h"

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
        { "get", "ben@a.org", "<vCard xmlns='vcard-temp'/>", "service-unavailable" },
        { "get", "nobody@a.org", "<vCard xmlns='vcard-temp'/>", "service-unavailable" },
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
