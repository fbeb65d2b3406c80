/* sm/push: what is pushed, to whom, what errors mean, when it is tried again (XEP-0357). */

#include "ns.h"
#include "push_rig.h"
#include "push_rules.h"

static const struct {
    const char *what;
    uint8_t     type;
    uint32_t    flags;
    const char *ns;
    bool        worthy;
} contents[] = {
    { "chat", TYPE_CHAT, STANZA_HAS_BODY, NS_CLIENT, true },
    { "normal", TYPE_NORMAL, STANZA_HAS_BODY, NS_CLIENT, true },
    { "encrypted", TYPE_CHAT, STANZA_ENCRYPTED, NS_OMEMO, true },
    { "room", TYPE_GROUPCHAT, STANZA_HAS_BODY, NS_CLIENT, true },
    { "room, subject", TYPE_GROUPCHAT, STANZA_HAS_SUBJECT, NS_CLIENT, false },
    { "headline", TYPE_HEADLINE, STANZA_HAS_BODY, NS_CLIENT, false },
    { "error", TYPE_ERROR, STANZA_HAS_BODY, NS_CLIENT, false },
    { "not kept", TYPE_CHAT, STANZA_HAS_BODY | STANZA_NO_STORE, NS_CLIENT, false },
    { "handed out", TYPE_CHAT, STANZA_HAS_BODY | STANZA_WAITS, NS_CLIENT, false },
    { "state", TYPE_CHAT, STANZA_CHAT_STATE, NS_CHATSTATES, false },
    { "receipt", TYPE_CHAT, STANZA_HAS_RECEIPT, NS_RECEIPTS, false },
    { "marker", TYPE_CHAT, STANZA_HAS_MARKER, NS_MARKERS, false },
    { "call", TYPE_CHAT, STANZA_STORE | STANZA_CALL | STANZA_RINGS, NS_JINGLE_MESSAGE, true },
    { "call taken", TYPE_CHAT, STANZA_STORE | STANZA_CALL, NS_JINGLE_MESSAGE, false },
    { "call taken, in words too", TYPE_CHAT, STANZA_STORE | STANZA_CALL | STANZA_HAS_BODY, NS_CLIENT, false },
    { "invitation", TYPE_NORMAL, 0, NS_CONFERENCE, true },
    { "invitation by a room", TYPE_NORMAL, STANZA_MUC_USER, NS_MUC_USER, true },
};

static void each_content(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        struct stanza s = { .name = STANZA_MESSAGE, .type = contents[i].type, .flags = contents[i].flags,
                            .payload_ns = slice_str(contents[i].ns) };
        if (push_worthy(&s) != contents[i].worthy)
            fail_msg("%s: expected %d", contents[i].what, contents[i].worthy);
    }
    assert_false(push_worthy(&(struct stanza){ .name = STANZA_PRESENCE, .flags = STANZA_HAS_BODY }));
}

static void each_client(void **state)
{
    (void)state;
    assert_true(push_verdict(CLIENT_AWAY, false, false).push);
    assert_false(push_verdict(CLIENT_AWAY, false, true).push);
    assert_true(push_verdict(CLIENT_ASLEEP, true, false).push);
    assert_true(push_verdict(CLIENT_ASLEEP, true, true).push);
    assert_true(push_verdict(CLIENT_ASLEEP, false, false).push);
    assert_false(push_verdict(CLIENT_ASLEEP, false, true).push);
    assert_false(push_verdict(CLIENT_AWAKE, true, true).push);
    assert_false(push_verdict(CLIENT_AWAKE, false, false).push);
}

static void each_error(void **state)
{
    static const struct {
        const char    *type, *condition;
        enum push_fate fate;
    } rows[] = {
        { "cancel", "item-not-found", PUSH_DROP },      { "cancel", "not-allowed", PUSH_DROP },
        { "auth", "forbidden", PUSH_DROP },             { "auth", "not-authorized", PUSH_DROP },
        { "cancel", "gone", PUSH_DROP },                { "cancel", "feature-not-implemented", PUSH_DROP },
        { "wait", "resource-constraint", PUSH_RETRY },  { "wait", "policy-violation", PUSH_RETRY },
        { "wait", "item-not-found", PUSH_RETRY },       { "modify", "bad-request", PUSH_RETRY },
        { "cancel", "remote-server-not-found", PUSH_RETRY }, { "cancel", "service-unavailable", PUSH_RETRY },
        { "cancel", "internal-server-error", PUSH_RETRY },   { "", "error", PUSH_RETRY },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (push_fate(slice_str(rows[i].type), slice_str(rows[i].condition)) != rows[i].fate)
            fail_msg("%s %s", rows[i].type, rows[i].condition);
}

static void failures_wait_longer_and_longer(void **state)
{
    (void)state;
    assert_int_equal(push_backoff_ms(1, 30), 30000);
    assert_int_equal(push_backoff_ms(2, 30), 60000);
    assert_int_equal(push_backoff_ms(7, 30), 1920000);
    assert_int_equal(push_backoff_ms(8, 30), 3600000);
    assert_int_equal(push_backoff_ms(1000000, 30), 3600000);
    assert_int_equal(push_backoff_ms(1, 3600), 3600000);
}

/* ---- with sessions ---- */

static void who_is_awake_is_not_told(void **state)
{
    (void)state;
    chat();
    assert_silent_about(rig_took(), "s2sd-1");
}

static void an_inactive_client_is_told(void **state)
{
    const char *out;

    (void)state;
    session_set_inactive(phone, true);
    chat();
    out = rig_took();
    assert_says(out, "c1 <message");
    assert_says(out, "type='set' to='push.org'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n1'><item>"
                     "<notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data' type='result'>");
    assert_says(out, "<field var='message-count'><value>1</value></field>");
    assert_says(out, "<field var='last-message-sender'><value>ben@a.org/y</value></field>");
    assert_says(out, "<field var='last-message-body'><value>New message</value></field>");
}

static void one_at_a_time_and_the_next_tells_the_rest(void **state)
{
    char first[40];

    (void)state;
    session_set_inactive(phone, true);
    chat();
    snprintf(first, sizeof(first), "%s", id_in(rig_took()));
    chat();
    chat();
    assert_silent_about(rig_took(), "s2sd-1");
    answer("evil.org", "result", first, "");
    answer("push.org/x", "result", first, "");
    answer("push.org", "result", "guess", "");
    assert_silent_about(rig_took(), "s2sd-1");
    answer("push.org", "result", first, "");
    assert_says(rig_took(), "<field var='message-count'><value>2</value></field>");
}

static void a_final_error_drops_the_registration(void **state)
{
    (void)state;
    session_set_inactive(phone, true);
    chat();
    answer("push.org", "error", id_in(rig_took()),
           "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
    rig_forget();
    chat();
    assert_silent_about(rig_took(), "s2sd-1");
}

static void a_passing_error_waits(void **state)
{
    (void)state;
    session_set_inactive(phone, true);
    chat();
    answer("push.org", "error", id_in(rig_took()),
           "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
    chat();
    assert_silent_about(rig_took(), "s2sd-1");
    assert_says(told_again(), "<field var='message-count'><value>2</value></field>");
}

static void options_and_limits(void **state)
{
    (void)state;
    rig_client(phone, "iq", "set", NULL,
               "<enable xmlns='urn:xmpp:push:0' jid='push.org' node='n1'><x xmlns='jabber:x:data' type='submit'>"
               "<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
               "<field var='secret'><value>s3</value></field></x></enable>");
    rig_forget();
    session_set_inactive(phone, true);
    chat();
    const char *out = rig_took();
    assert_says(out, "</publish><publish-options><x xmlns='jabber:x:data' type='submit'>");
    assert_says(out, "<value>s3</value>");
    rig_client(phone, "iq", "set", NULL, ENABLE("push.org", "n2"));
    rig_client(phone, "iq", "set", NULL, ENABLE("push2.org", "n2"));
    assert_silent_about(rig_took(), "error");
    rig_client(phone, "iq", "set", NULL, ENABLE("push.org", "n3"));
    assert_says(rig_took(), "resource-constraint");
    rig_client(phone, "iq", "set", NULL, "<enable xmlns='urn:xmpp:push:0' node='n2'/>");
    assert_says(rig_took(), "bad-request");
    rig_client(phone, "iq", "set", NULL, ENABLE("@", "n2"));
    assert_says(rig_took(), "jid-malformed");
    rig_client(phone, "iq", "set", NULL, "<disable xmlns='urn:xmpp:push:0' jid='push.org'/>");
    assert_says(rig_took(), "result");
    rig_client(phone, "iq", "set", NULL, ENABLE("push.org", "n3"));
    assert_silent_about(rig_took(), "error");
}

static void the_service_may_end_it(void **state)
{
    (void)state;
    rig_from("s2sd-1", "message", "normal", "push.org", "anna@a.org",
             "<pubsub xmlns='http://jabber.org/protocol/pubsub' node='n1'>"
             "<affiliation jid='anna@a.org' affiliation='none'/></pubsub>");
    assert_string_equal(rig_took(), "");
    session_set_inactive(phone, true);
    chat();
    assert_silent_about(rig_took(), "s2sd-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_content), cmocka_unit_test(each_client), cmocka_unit_test(each_error),
        cmocka_unit_test(failures_wait_longer_and_longer), PUSH(who_is_awake_is_not_told), PUSH(an_inactive_client_is_told),
        PUSH(one_at_a_time_and_the_next_tells_the_rest), PUSH(a_final_error_drops_the_registration),
        PUSH(a_passing_error_waits), PUSH(options_and_limits), PUSH(the_service_may_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
