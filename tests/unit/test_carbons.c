/* sm/carbons: which messages are copied, row by row (XEP-0280 6.1), and who gets a copy. */

#include "carbons.h"
#include "sm_rig.h"

#define BODY "<body>hi</body>"
#define ENABLE "<enable xmlns='urn:xmpp:carbons:2'/>"
#define WRAPPED(way, message)                                                                            \
    "<" way " xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>" message "</forwarded></" way ">"

/* s: when sent, r: when received, a: as answer, i: as invitation */
static const struct {
    const char *what;
    uint8_t     type;
    uint32_t    flags;
    const char *from, *copied;
} rows[] = {
    { "chat", TYPE_CHAT, STANZA_HAS_BODY, "b@b.org/x", "sr" },
    { "chat without body", TYPE_CHAT, 0, "b@b.org/x", "sr" },
    { "chat state", TYPE_CHAT, STANZA_CHAT_STATE, "b@b.org/x", "sr" },
    { "normal", TYPE_NORMAL, STANZA_HAS_BODY, "b@b.org/x", "sr" },
    { "normal without body", TYPE_NORMAL, 0, "b@b.org/x", "i" },
    { "normal receipt", TYPE_NORMAL, STANZA_HAS_RECEIPT, "b@b.org/x", "sr" },
    { "normal marker", TYPE_NORMAL, STANZA_HAS_MARKER, "b@b.org/x", "sr" },
    { "headline", TYPE_HEADLINE, STANZA_HAS_BODY, "b@b.org/x", "i" },
    { "headline with a state", TYPE_HEADLINE, STANZA_CHAT_STATE, "b@b.org/x", "sr" },
    { "groupchat", TYPE_GROUPCHAT, STANZA_HAS_BODY, "room@b.org/x", "" },
    { "groupchat receipt", TYPE_GROUPCHAT, STANZA_HAS_RECEIPT, "room@b.org/x", "" },
    { "error", TYPE_ERROR, STANZA_HAS_BODY, "b@b.org/x", "a" },
    { "private", TYPE_CHAT, STANZA_HAS_BODY | STANZA_PRIVATE, "b@b.org/x", "" },
    { "no-copy", TYPE_CHAT, STANZA_HAS_BODY | STANZA_NO_COPY, "b@b.org/x", "" },
    { "private error", TYPE_ERROR, STANZA_PRIVATE, "b@b.org/x", "" },
    { "to or from an occupant", TYPE_CHAT, STANZA_HAS_BODY | STANZA_MUC_USER, "room@b.org/x", "s" },
    { "invitation by a room", TYPE_NORMAL, STANZA_MUC_USER, "room@b.org", "i" },
    { "invitation by a room, with words", TYPE_NORMAL, STANZA_MUC_USER | STANZA_HAS_BODY, "room@b.org", "sr" },
    { "encrypted chat", TYPE_CHAT, STANZA_ENCRYPTED, "b@b.org/x", "sr" },
};

static void each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stanza       s = { .name = STANZA_MESSAGE, .type = rows[i].type, .flags = rows[i].flags,
                                  .from = slice_str(rows[i].from) };
        enum carbon_verdict sent = carbon_verdict(CARBON_SENT, &s), got = carbon_verdict(CARBON_RECEIVED, &s);
        char                found[5];
        snprintf(found, sizeof(found), "%s%s%s%s", sent == CARBON_YES ? "s" : "", got == CARBON_YES ? "r" : "",
                 got == CARBON_ANSWER && sent == got ? "a" : "", got == CARBON_INVITATION && sent == got ? "i" : "");
        if (strcmp(found, rows[i].copied) != 0)
            fail_msg("%s: %s, expected %s", rows[i].what, found, rows[i].copied);
    }
}

/* ---- who gets one ---- */

static struct session *phone, *desk, *old, *ben;

static int an_account_with_three(void **state)
{
    rig_setup(state);
    phone = rig_user("anna@a.org/phone", 1);
    desk = rig_online("anna@a.org/desk", 2);
    old = rig_online("anna@a.org/old", 3);      /* knows no carbons */
    ben = rig_user("ben@a.org/y", 4);
    rig_client(phone, "iq", "set", NULL, ENABLE);
    rig_client(desk, "iq", "set", NULL, ENABLE);
    rig_forget();
    return 0;
}

static void enabling_is_answered_again_and_again(void **state)
{
    (void)state;
    rig_client(old, "iq", "set", NULL, ENABLE);
    assert_string_equal(rig_took(), "c3 <iq from='anna@a.org' id='i1' type='result' to='anna@a.org/old'/>\n");
    rig_client(old, "iq", "set", "anna@a.org", ENABLE);
    assert_says(rig_took(), "type='result'");
    rig_client(old, "iq", "set", NULL, "<disable xmlns='urn:xmpp:carbons:2'/>");
    rig_client(old, "iq", "set", NULL, "<disable xmlns='urn:xmpp:carbons:2'/>");
    assert_silent_about(rig_took(), "error");
    assert_false(old->carbons);
}

static void nobody_enables_for_another_account(void **state)
{
    (void)state;
    rig_client(ben, "iq", "set", "anna@a.org", ENABLE);
    assert_says(rig_took(), "not-allowed");
}

static void what_one_gets_at_its_full_jid_the_other_sees(void **state)
{
    (void)state;
    rig_client(ben, "message", "chat", "anna@a.org/old", BODY);
    assert_string_equal(rig_took(),
        "c3 <message from='ben@a.org/y' id='i1' type='chat' to='anna@a.org/old'>" BODY "</message>\n"
        "c1,c2 <message from='anna@a.org' type='chat'>" WRAPPED("received",
        "<message xmlns='jabber:client' from='ben@a.org/y' id='i1' type='chat' to='anna@a.org/old'>" BODY "</message>")
        "</message>\n");
}

static void what_all_get_is_not_copied(void **state)
{
    (void)state;
    rig_client(ben, "message", "chat", "anna@a.org", BODY);
    assert_silent_about(rig_took(), "received");
}

static void a_negative_priority_gets_a_copy(void **state)
{
    const char *out;

    (void)state;
    rig_client(desk, "presence", "", NULL, "<priority>-1</priority>");
    rig_forget();
    rig_client(ben, "message", "chat", "anna@a.org", BODY);
    out = rig_took();
    assert_says(out, "c1,c3 <message from='ben@a.org/y'");
    assert_says(out, "c2 <message from='anna@a.org' type='chat' to='anna@a.org/desk'><received");
}

static void what_one_sends_the_others_see(void **state)
{
    (void)state;
    rig_client(old, "message", "chat", "ben@a.org", BODY);
    assert_string_equal(rig_took(),
        "c1,c2 <message from='anna@a.org' type='chat'>" WRAPPED("sent",
        "<message xmlns='jabber:client' from='anna@a.org/old' id='i1' type='chat' to='ben@a.org'>" BODY "</message>")
        "</message>\n"
        "c4 <message from='anna@a.org/old' id='i1' type='chat' to='ben@a.org'>" BODY "</message>\n");
    rig_client(phone, "message", "chat", "ben@a.org", BODY);
    assert_says(rig_took(), "c2 <message from='anna@a.org' type='chat' to='anna@a.org/desk'><sent");
}

static void to_oneself_once(void **state)
{
    const char *out;

    (void)state;
    rig_client(phone, "message", "chat", "anna@a.org/old", BODY);
    out = rig_took();
    assert_int_equal(occurrences(out, "<message from='anna@a.org' "), 1);
    assert_says(out, "c2 <message from='anna@a.org' type='chat' to='anna@a.org/desk'><received");
    rig_client(phone, "message", "chat", "anna@a.org", BODY);
    out = rig_took();
    assert_says(out, "c1,c2,c3 <message from='anna@a.org/phone'");
    assert_silent_about(out, "forwarded");
}

static void an_error_follows_what_was_copied(void **state)
{
    (void)state;
    rig_client(old, "message", "chat", "x@b.org", BODY);
    rig_forget();
    rig_from("s2sd-1", "message", "error", "x@b.org", "anna@a.org/old", "<error type='cancel'/>");
    assert_says(rig_took(), "c1,c2 <message from='anna@a.org' type='error'><received");
    rig_from("s2sd-1", "message", "error", "y@b.org", "anna@a.org/old", "<error type='cancel'/>");
    assert_silent_about(rig_took(), "received");
    rig_client(old, "message", "chat", "z@b.org", BODY "<private xmlns='urn:xmpp:carbons:2'/>");
    rig_from("s2sd-1", "message", "error", "q@b.org", "anna@a.org/old", "<error type='cancel'/>");
    assert_silent_about(rig_took(), "received");
}

static void invitations_are_looked_for(void **state)
{
    (void)state;
    rig_from("s2sd-1", "message", "normal", "b@b.org/x", "anna@a.org/old",
             "<x xmlns='jabber:x:conference' jid='r@rooms.b.org'/>");
    assert_says(rig_took(), "<received");
    rig_from("s2sd-1", "message", "normal", "r@b.org", "anna@a.org/old",
             "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='b@b.org'/></x>");
    assert_says(rig_took(), "<received");
    rig_from("s2sd-1", "message", "normal", "r@b.org", "anna@a.org/old", "<x xmlns='urn:other'/>");
    assert_silent_about(rig_took(), "<received");
}

static void a_forged_copy_is_not_copied(void **state)
{
    const char *out;

    (void)state;
    rig_from("s2sd-1", "message", "chat", "b@b.org/x", "anna@a.org/old",
             BODY WRAPPED("received", "<message xmlns='jabber:client'/>"));
    out = rig_took();
    assert_says(out, "c3 <message from='b@b.org/x'");
    assert_silent_about(out, "from='anna@a.org'");
}

static void stored_messages_are_copied_only_to_who_gets_them_no_other_way(void **state)
{
    const char *out;

    (void)state;
    rig_client(phone, "presence", "unavailable", NULL, "");
    rig_client(old, "presence", "unavailable", NULL, "");
    rig_client(desk, "presence", "", NULL, "<priority>-1</priority>");
    rig_forget();
    rig_client(ben, "message", "chat", "anna@a.org", BODY);
    out = rig_took();
    assert_says(out, "c2 <message from='anna@a.org' type='chat' to='anna@a.org/desk'><received");
    assert_silent_about(out, "c1");
}

static void a_copy_carries_the_id_of_the_record(void **state)
{
    const char *out;

    (void)state;
    rig_settings.server.archive = true;
    rig_client(old, "message", "chat", "ben@a.org/y", BODY);
    out = rig_took();
    assert_says(out, BODY "<stanza-id xmlns='urn:xmpp:sid:0' by='anna@a.org' id='");
    assert_says(out, "c4 <message from='anna@a.org/old' id='i1' type='chat' to='ben@a.org/y'>" BODY
                     "<stanza-id xmlns='urn:xmpp:sid:0' by='ben@a.org' id='");
    rig_client(ben, "message", "chat", "anna@a.org/old", BODY);
    out = strstr(rig_took(), "<received");
    assert_non_null(out);
    assert_says(out, BODY "<stanza-id xmlns='urn:xmpp:sid:0' by='anna@a.org' id='");
    rig_settings.server.archive = false;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, an_account_with_three, rig_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row), T(enabling_is_answered_again_and_again), T(nobody_enables_for_another_account),
        T(what_one_gets_at_its_full_jid_the_other_sees), T(what_all_get_is_not_copied),
        T(a_negative_priority_gets_a_copy), T(what_one_sends_the_others_see), T(to_oneself_once),
        T(an_error_follows_what_was_copied), T(invitations_are_looked_for), T(a_forged_copy_is_not_copied),
        T(stored_messages_are_copied_only_to_who_gets_them_no_other_way), T(a_copy_carries_the_id_of_the_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
