/* sm/csi: what is important, and what becomes of the rest (XEP-0352). */

#include "csi.h"
#include "manage_rig.h"
#include "ns.h"

#define BODY "<body>hi</body>"
#define STATE "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
#define RECEIPT "<received xmlns='urn:xmpp:receipts' id='1'/>"

static const struct {
    const char *what;
    uint8_t     name, type;
    uint32_t    flags;
    const char *ns;
    bool        important;
} rows[] = {
    { "question", STANZA_IQ, TYPE_GET, 0, "urn:xmpp:ping", true },
    { "answer", STANZA_IQ, TYPE_RESULT, STANZA_EMPTY, "", true },
    { "presence", STANZA_PRESENCE, TYPE_NONE, 0, "", false },
    { "gone", STANZA_PRESENCE, TYPE_UNAVAILABLE, 0, "", false },
    { "presence error", STANZA_PRESENCE, TYPE_ERROR, 0, "", false },
    { "occupant", STANZA_PRESENCE, TYPE_NONE, STANZA_MUC_USER, NS_MUC_USER, false },
    { "subscribe", STANZA_PRESENCE, TYPE_SUBSCRIBE, 0, "", true },
    { "unsubscribed", STANZA_PRESENCE, TYPE_UNSUBSCRIBED, 0, "", true },
    { "chat", STANZA_MESSAGE, TYPE_CHAT, STANZA_HAS_BODY, NS_CLIENT, true },
    { "chat and state", STANZA_MESSAGE, TYPE_CHAT, STANZA_HAS_BODY | STANZA_CHAT_STATE, NS_CLIENT, true },
    { "state", STANZA_MESSAGE, TYPE_CHAT, STANZA_CHAT_STATE, NS_CHATSTATES, false },
    { "receipt", STANZA_MESSAGE, TYPE_CHAT, STANZA_HAS_RECEIPT, NS_RECEIPTS, false },
    { "marker", STANZA_MESSAGE, TYPE_CHAT, STANZA_HAS_MARKER, NS_MARKERS, false },
    { "encrypted", STANZA_MESSAGE, TYPE_CHAT, STANZA_ENCRYPTED, NS_OMEMO, true },
    { "room", STANZA_MESSAGE, TYPE_GROUPCHAT, STANZA_HAS_BODY, NS_CLIENT, true },
    { "room, subject", STANZA_MESSAGE, TYPE_GROUPCHAT, STANZA_HAS_SUBJECT, NS_CLIENT, true },
    { "room, state", STANZA_MESSAGE, TYPE_GROUPCHAT, STANZA_CHAT_STATE, NS_CHATSTATES, false },
    { "room, status", STANZA_MESSAGE, TYPE_GROUPCHAT, STANZA_MUC_USER, NS_MUC_USER, false },
    { "invitation by a room", STANZA_MESSAGE, TYPE_NORMAL, STANZA_MUC_USER, NS_MUC_USER, true },
    { "invitation", STANZA_MESSAGE, TYPE_NORMAL, 0, NS_CONFERENCE, true },
    { "call", STANZA_MESSAGE, TYPE_CHAT, STANZA_STORE | STANZA_CALL, NS_HINTS, true },
    { "event", STANZA_MESSAGE, TYPE_HEADLINE, 0, "http://jabber.org/protocol/pubsub#event", false },
    { "announcement", STANZA_MESSAGE, TYPE_HEADLINE, STANZA_HAS_BODY, NS_CLIENT, true },
    { "error", STANZA_MESSAGE, TYPE_ERROR, 0, "", true },
    { "copy of words", STANZA_MESSAGE, TYPE_CHAT, STANZA_COPY | STANZA_HAS_BODY, NS_CARBONS, true },
    { "copy of a state", STANZA_MESSAGE, TYPE_CHAT, STANZA_COPY | STANZA_CHAT_STATE, NS_CARBONS, false },
    { "unknown", STANZA_MESSAGE, TYPE_NORMAL, 0, "urn:x", false },
};

static void each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stanza s = { .name = rows[i].name, .type = rows[i].type, .flags = rows[i].flags,
                            .payload_ns = slice_str(rows[i].ns) };
        if (csi_important(&s) != rows[i].important)
            fail_msg("%s: expected %d", rows[i].what, rows[i].important);
    }
}

/* ---- with sessions ---- */

static struct session *anna, *desk, *ben;

static void two_accounts(void)
{
    anna = rig_user("anna@a.org/phone", 1);
    desk = rig_online("anna@a.org/desk", 2);
    ben = rig_user("ben@a.org/y", 3);
    manage(anna, MANAGE_INACTIVE, 0);
    rig_forget();
}

static int setup(void **state)
{
    rig_setup(state);
    two_accounts();
    return 0;
}

static void shows(const char *from, const char *status)
{
    rig_from("s2sd-1", "presence", "", from, "anna@a.org/phone", status);
}

static void presence_is_held_and_collapsed(void **state)
{
    (void)state;
    shows("c@c.org/1", "<show>away</show>");
    shows("d@c.org/1", "<show>dnd</show>");
    shows("c@c.org/1", "<show>xa</show>");
    rig_from("s2sd-1", "presence", "unavailable", "c@c.org/2", "anna@a.org/phone", "");
    assert_string_equal(rig_took(), "");
    assert_int_equal(csi_held(anna), 3);
    manage(anna, MANAGE_ACTIVE, 0);
    assert_string_equal(rig_took(), "c1 <presence from='d@c.org/1' id='i1' to='anna@a.org/phone'><show>dnd</show></presence>\n"
                                    "c1 <presence from='c@c.org/1' id='i1' to='anna@a.org/phone'><show>xa</show></presence>\n"
                                    "c1 <presence from='c@c.org/2' id='i1' type='unavailable' to='anna@a.org/phone'/>\n");
    shows("c@c.org/1", "");
    assert_says(rig_took(), "c1 <presence");
}

static void it_leaves_in_order_before_anything_important(void **state)
{
    const char *out, *first, *second, *third;

    (void)state;
    shows("c@c.org/1", "");
    rig_client(ben, "message", "chat", "anna@a.org/phone", STATE);
    rig_client(ben, "message", "chat", "anna@a.org/phone", RECEIPT);
    assert_string_equal(rig_took(), "");
    rig_client(ben, "message", "chat", "anna@a.org/phone", BODY);
    out = rig_took();
    first = strstr(out, "c@c.org/1");
    second = strstr(out, STATE);
    third = strstr(out, RECEIPT);
    assert_true(first && second && third && first < second && second < third && third < strstr(out, BODY));
    assert_true(anna->inactive);
    shows("c@c.org/1", "");
    assert_string_equal(rig_took(), "");
}

static void an_answer_is_important(void **state)
{
    const char *out;

    (void)state;
    shows("c@c.org/1", "");
    rig_client(anna, "iq", "get", "a.org", "<ping xmlns='urn:xmpp:ping'/>");
    out = rig_took();
    assert_true(strstr(out, "c@c.org/1") < strstr(out, "<iq"));
}

static void chat_states_collapse_and_receipts_do_not(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        rig_client(ben, "message", "chat", "anna@a.org/phone", STATE);
        rig_client(ben, "message", "chat", "anna@a.org/phone", RECEIPT);
    }
    assert_int_equal(csi_held(anna), 4);
}

/* ---- events of nodes ---- */

#define EVENT(inside) "<event xmlns='http://jabber.org/protocol/pubsub#event'>" inside "</event>"
#define ITEM(node, id, what) EVENT("<items node='" node "'><item id='" id "'><x xmlns='x'>" what "</x></item></items>")
#define GONE(node, id) EVENT("<items node='" node "'><retract id='" id "'/></items>")
#define TUNE "http://jabber.org/protocol/tune"

static void which_event_takes_which_place(void **state)
{
    static const struct {
        const char *first, *second;
        bool        same;              /* sender */
        unsigned    held;
    } cases[] = {
        { ITEM("urn:n", "a", "1"), ITEM("urn:n", "a", "2"), true, 1 },
        { ITEM("urn:n", "a", "1"), ITEM("urn:n", "a", "2"), false, 2 },
        { ITEM("urn:n", "a", "1"), ITEM("urn:n", "b", "2"), true, 2 },
        { ITEM("urn:n", "a", "1"), ITEM("urn:m", "a", "2"), true, 2 },
        { ITEM("urn:n", "a", "1"), GONE("urn:n", "a"), true, 1 },
        { ITEM("urn:n", "a", "1"), GONE("urn:n", "b"), true, 2 },
        { GONE("urn:n", "a"), ITEM("urn:n", "a", "1"), true, 1 },
        { ITEM(TUNE, "a", "1"), ITEM(TUNE, "b", "2"), true, 1 },         /* a state, whatever the id */
        { GONE(TUNE, "a"), ITEM(TUNE, "b", "2"), true, 1 },
        { ITEM(TUNE, "b", "1"), GONE(TUNE, "a"), true, 2 },
        { ITEM("urn:n", "a", "1"), EVENT("<purge node='urn:n'/>"), true, 2 },
        { EVENT("<items node='urn:n'><item id='a'/><item id='b'/></items>"), ITEM("urn:n", "a", "1"), true, 2 },
        { EVENT("<items node='urn:n'/>"), EVENT("<items node='urn:n'/>"), true, 2 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        manage(anna, MANAGE_ACTIVE, 0);
        manage(anna, MANAGE_INACTIVE, 0);
        rig_from("s2sd-1", "message", "headline", "c@c.org", "anna@a.org/phone", cases[i].first);
        rig_from("s2sd-1", "message", "headline", cases[i].same ? "c@c.org" : "d@c.org", "anna@a.org/phone", cases[i].second);
        if (csi_held(anna) != cases[i].held)
            fail_msg("case %zu: %u held", i, csi_held(anna));
    }
    rig_forget();
}

#define PUBSUB(inside) "<pubsub xmlns='http://jabber.org/protocol/pubsub'>" inside "</pubsub>"
#define PUBLISH(id) PUBSUB("<publish node='urn:one'><item id='" id "'><x xmlns='x'/></item></publish>")

static void asks(const struct session *s, const char *request)
{
    rig_client(s, "iq", "set", NULL, request);
    rig_wait();
}

/* What the publisher's node keeps one item of is a state too. */
static void a_node_of_ours_with_one_item(void **state)
{
    const char *out;

    (void)state;
    asks(desk, PUBLISH("a"));
    asks(desk, PUBSUB("<subscribe node='urn:one' jid='anna@a.org/phone'/>"));
    asks(desk, PUBLISH("b"));
    asks(desk, PUBLISH("c"));
    assert_int_equal(csi_held(anna), 1);
    rig_forget();
    manage(anna, MANAGE_ACTIVE, 0);
    out = rig_took();
    assert_says(out, "id='c'");
    assert_silent_about(out, "id='b'");
}

static void of_a_fan_out_the_others_get_theirs(void **state)
{
    (void)state;
    rig_from("s2sd-1", "presence", "", "c@c.org/1", "anna@a.org", "");
    assert_string_equal(rig_took(), "c2 <presence from='c@c.org/1' id='i1'/>\n");
    rig_from("s2sd-1", "message", "chat", "c@c.org/1", "anna@a.org", BODY);
    assert_string_equal(rig_took(), "c1 <presence from='c@c.org/1' id='i1' to='anna@a.org/phone'/>\n"
                                    "c1,c2 <message from='c@c.org/1' id='i1' type='chat'>" BODY "</message>\n");
}

static void at_the_limit_all_leaves(void **state)
{
    char from[20];

    (void)state;
    for (unsigned i = 0; i < 11; i++) {
        snprintf(from, sizeof(from), "c%u@c.org/1", i);
        assert_int_equal(csi_held(anna), i);
        shows(from, "");
    }
    assert_int_equal(csi_held(anna), 0);
    assert_says(rig_took(), "from='c0@c.org/1'");
    shows("c@c.org/1", "");
    assert_int_equal(csi_held(anna), 1);
    char big[10010];
    memset(big, 'x', sizeof(big));
    memcpy(big, "<status>", 8);
    memcpy(big + sizeof(big) - 10, "</status>", 10);
    shows("d@c.org/1", big);
    assert_int_equal(csi_held(anna), 0);
    rig_settings.limits.csi_stanzas = 0;
    shows("c@c.org/1", "");
    assert_int_equal(csi_held(anna), 0);
    rig_settings.limits.csi_stanzas = 10;
}

static void what_was_held_of_a_session_that_ends_goes_another_way(void **state)
{
    (void)state;
    shows("c@c.org/1", "");
    rig_client(ben, "message", "chat", "anna@a.org/phone", RECEIPT);
    rig_client(ben, "message", "chat", "anna@a.org", RECEIPT);     /* the desk has it */
    assert_silent_about(rig_took(), "c1");
    dispatch_end_session(&rig, &anna, NULL, NULL, 0);
    arena_reset(rig.arena);
    const char *out = rig_took();
    assert_silent_about(out, "c@c.org");
    assert_says(out, "c2 <message from='ben@a.org/y' id='i1' type='chat' to='anna@a.org/phone'>" RECEIPT "<delay");
    assert_null(strstr(strstr(out, RECEIPT) + 1, RECEIPT));
}

/* ---- stream management ---- */

static void what_is_held_counts_in_no_queue(void **state)
{
    (void)state;
    manage(anna, MANAGE_ENABLE, 0);
    shows("c@c.org/1", "");
    assert_int_equal(resume_queued(anna), 0);
    manage(anna, MANAGE_ACTIVE, 0);
    assert_int_equal(resume_queued(anna), 1);
    manage(anna, MANAGE_ACK, 1);
    assert_int_equal(resume_queued(anna), 0);
}

static void before_it_hibernates_it_leaves_for_the_queue(void **state)
{
    (void)state;
    manage(anna, MANAGE_ENABLE, 0);
    rig_forget();
    shows("c@c.org/1", "");
    assert_true(resume_lost_socket(&rig, anna));
    assert_string_equal(rig_took(), "");
    assert_int_equal(resume_queued(anna), 1);
    assert_false(anna->inactive);                 /* XEP-0352 5.2 */
}

/* ---- death ---- */

static void hold_some(void)
{
    two_accounts();
    manage(desk, MANAGE_INACTIVE, 0);
    rig_from("s2sd-1", "presence", "", "old@c.org/1", "anna@a.org", "");     /* one frame for both */
    rig_from("s2sd-1", "presence", "", "c@c.org/1", "anna@a.org", "");
    csi_flush(&rig, desk);
    shows("d@c.org/1", "");
    shows("old@c.org/1", "<show>xa</show>");
    rig_forget();
    live_commit(rig.live);
    rig_killed_here();
}

static void what_is_held_outlives_the_process(void **state)
{
    (void)state;
    rig_live_and_die(hold_some);
    rig_open();
    anna = session_by_jid(rig.sessions, SLICE("anna@a.org/phone"));
    desk = session_by_jid(rig.sessions, SLICE("anna@a.org/desk"));
    assert_non_null(anna);
    assert_int_equal(csi_held(anna), 3);
    assert_int_equal(csi_held(desk), 0);
    assert_true(anna->inactive && desk->inactive);
    manage(anna, MANAGE_ACTIVE, 0);
    assert_string_equal(rig_took(), "c1 <presence from='c@c.org/1' id='i1' to='anna@a.org/phone'/>\n"
                                    "c1 <presence from='d@c.org/1' id='i1' to='anna@a.org/phone'/>\n"
                                    "c1 <presence from='old@c.org/1' id='i1' to='anna@a.org/phone'><show>xa</show></presence>\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row), T(presence_is_held_and_collapsed),
        T(it_leaves_in_order_before_anything_important), T(an_answer_is_important),
        T(chat_states_collapse_and_receipts_do_not), T(which_event_takes_which_place), T(a_node_of_ours_with_one_item),
        T(of_a_fan_out_the_others_get_theirs),
        T(at_the_limit_all_leaves), T(what_was_held_of_a_session_that_ends_goes_another_way),
        T(what_is_held_counts_in_no_queue), T(before_it_hibernates_it_leaves_for_the_queue),
        cmocka_unit_test_setup_teardown(what_is_held_outlives_the_process, rig_prepare, rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
