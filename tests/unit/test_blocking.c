/* sm/blocking.c and its likes on a whole sm without its link: who is blocked by which form of a JID, what
 * becomes of each kind of stanza, and what others see (XEP-0191 3.3-6, XEP-0377). */

#include "sm_rig.h"

#include "blocked.h"
#include "table.h"

#define BLOCK(jid) "<block xmlns='urn:xmpp:blocking'><item jid='" jid "'/></block>"
#define UNBLOCK(jid) "<unblock xmlns='urn:xmpp:blocking'><item jid='" jid "'/></unblock>"
#define LIST "<blocklist xmlns='urn:xmpp:blocking'/>"

static struct session *anna, *bert;

static void command(struct session *s, const char *content)
{
    rig_client(s, "iq", "set", NULL, content);
    rig_wait();
}

static int begin(void **state)
{
    rig_setup(state);
    anna = rig_user("anna@a.org/x", 1);
    bert = rig_user("bert@a.org/y", 2);
    rig_forget();
    return 0;
}

/* Both are subscribed to each other. */
static void befriend(void)
{
    static const struct { const char *type; bool of_anna; } steps[] = {
        { "subscribe", true }, { "subscribed", false }, { "subscribe", false }, { "subscribed", true },
    };

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        rig_client(steps[i].of_anna ? anna : bert, "presence", steps[i].type,
                   steps[i].of_anna ? "bert@a.org" : "anna@a.org", "");
        rig_wait();
    }
    rig_forget();
}

/* XEP-0191 6, line by line. */
static void forms_of_jids(void **state)
{
    static const struct { const char *item, *jid; bool match; } rows[] = {
        { "u@d.org/r", "u@d.org/r", true },  { "u@d.org/r", "u@d.org/s", false }, { "u@d.org/r", "u@d.org", false },
        { "u@d.org",   "u@d.org/r", true },  { "u@d.org",   "u@d.org", true },    { "u@d.org",   "v@d.org", false },
        { "u@d.org",   "d.org", false },     { "d.org/r",   "d.org/r", true },    { "d.org/r",   "d.org", false },
        { "d.org/r",   "u@d.org/r", false }, { "d.org",     "d.org", true },      { "d.org",     "d.org/r", true },
        { "d.org",     "u@d.org", true },    { "d.org",     "u@d.org/r", true },  { "d.org",     "u@x.d.org", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct table *list = table_new();
        table_put(list, slice_str(rows[i].item), list);
        if (blocked_by(list, slice_str(rows[i].jid)) != rows[i].match)
            fail_msg("%s, %s", rows[i].item, rows[i].jid);
        table_free(&list);
    }
    assert_false(blocked_by(NULL, SLICE("u@d.org")));
}

/* For one online by the list in memory, for one offline by the rows: the same answers. */
static void online_and_offline(void **state)
{
    (void)state;
    command(anna, BLOCK("far.org"));
    for (int online = 1; online >= 0; online--) {
        assert_true(blocked(&rig, SLICE("anna@a.org"), SLICE("u@far.org/r")));
        assert_false(blocked(&rig, SLICE("anna@a.org"), SLICE("u@near.org/r")));
        assert_false(blocked(&rig, SLICE("bert@a.org"), SLICE("u@far.org/r")));
        if (online)
            session_remove(rig.sessions, &anna);
    }
}

/* 5: never among the resources of one account; and the own server answers. */
static void oneself_is_never_blocked(void **state)
{
    (void)state;
    command(anna, BLOCK("anna@a.org"));
    command(anna, BLOCK("a.org"));
    assert_false(blocked(&rig, SLICE("anna@a.org"), SLICE("anna@a.org/z")));
    assert_false(blocked(&rig, SLICE("anna@a.org"), SLICE("a.org")));
    assert_true(blocked(&rig, SLICE("anna@a.org"), SLICE("bert@a.org/y")));
}

/* 3.3: what comes from a blocked JID. */
static void incoming(void **state)
{
    static const struct { const char *name, *type, *content; bool error; } rows[] = {
        { "message", "chat", "<body>1</body>", true },      { "message", NULL, "<body>2</body>", true },
        { "message", "headline", "<body>3</body>", true },  { "message", "groupchat", "<body>4</body>", false },
        { "message", "error", "", false },                  { "iq", "get", "<q xmlns='u'/>", true },
        { "iq", "set", "<q xmlns='u'/>", true },            { "iq", "result", "", false },
        { "iq", "error", "", false },                       { "presence", NULL, "", false },
        { "presence", "unavailable", "", false },           { "presence", "subscribe", "", false },
        { "presence", "subscribed", "", false },            { "presence", "unsubscribe", "", false },
        { "presence", "unsubscribed", "", false },          { "presence", "probe", "", false },
    };
    static const char *const to[] = { "anna@a.org", "anna@a.org/x", "anna@a.org/gone" };

    (void)state;
    command(anna, BLOCK("u@far.org"));
    rig_forget();
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t t = 0; t < COUNT_OF(to); t++) {
            rig_from("s2sd-1", rows[i].name, rows[i].type, "u@far.org/r", to[t], rows[i].content);
            const char *got = rig_took();
            assert_silent_about(got, "c1 ");
            if (rows[i].error)
                assert_says(got, "service-unavailable");
            else
                assert_string_equal(got, "");
        }
}

/* An error would throw the account out of the room. */
static void no_errors_for_a_room_one_is_in(void **state)
{
    (void)state;
    rig_client(anna, "presence", NULL, "r@rooms.far.org/anna", "");
    command(anna, BLOCK("r@rooms.far.org/troll"));
    rig_forget();
    rig_from("s2sd-1", "message", "chat", "r@rooms.far.org/troll", "anna@a.org/x", "<body>psst</body>");
    assert_string_equal(rig_took(), "");
    rig_from("s2sd-1", "message", "groupchat", "r@rooms.far.org/other", "anna@a.org/x", "<body>hi</body>");
    assert_says(rig_took(), "c1 <message");
}

/* 3.3: nothing goes out, with the XEP's own error. */
static void outgoing(void **state)
{
    static const struct { const char *name, *type, *content; bool error; } rows[] = {
        { "message", "chat", "<body>1</body>", true },  { "iq", "get", "<q xmlns='u'/>", true },
        { "presence", NULL, "", true },                 { "presence", "subscribe", "", true },
        { "presence", "subscribed", "", true },         { "message", "error", "", false },
        { "iq", "result", "", false },
    };

    (void)state;
    command(anna, BLOCK("u@far.org"));
    rig_forget();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_client(anna, rows[i].name, rows[i].type, "u@far.org/r", rows[i].content);
        const char *got = rig_took();
        assert_silent_about(got, "s2sd-1");
        if (!rows[i].error)
            assert_string_equal(got, "");
        else {
            assert_says(got, "<not-acceptable");
            assert_says(got, "<blocked xmlns='urn:xmpp:blocking:errors'/>");
        }
    }
}

/* Fan-outs know nothing of features: neither a room's nor a broadcast's reaches the one who blocks. */
static void fan_outs(void **state)
{
    (void)state;
    befriend();
    command(anna, BLOCK("bert@a.org"));
    rig_forget();
    rig_client(bert, "presence", NULL, NULL, "<show>dnd</show>");
    assert_silent_about(rig_took(), "c1");
    rig_client(anna, "presence", NULL, NULL, "<show>away</show>");
    assert_silent_about(rig_took(), "c2");
    command(anna, BLOCK("r@rooms.a.org/troll"));
    rig_forget();
    struct buf   list = { 0 };
    struct frame f = rig_stanza("message", "groupchat", "r@rooms.a.org/troll", NULL, "<body>hi</body>");
    fanout_put(&list, 0, SLICE("anna@a.org/x"));
    fanout_put(&list, 0, SLICE("bert@a.org/y"));
    f.kind = FRAME_FANOUT;
    f.origin = (struct address){ ROLE_MUC, instance_key("muc-1"), 5 };
    f.list = buf_slice(&list);
    on_fanout(&rig, &f);
    arena_reset(rig.arena);
    buf_free(&list);
    const char *got = rig_took();
    assert_says(got, "c2 <message");
    assert_silent_about(got, "c1");
    assert_silent_about(got, "muc-1");
}

/* 3.3, 3.4: unavailable to who saw the presence, and the presence again. */
static void presence_at_block_and_unblock(void **state)
{
    (void)state;
    befriend();
    rig_client(anna, "presence", NULL, "r@rooms.far.org/anna", "");
    rig_forget();
    command(anna, BLOCK("bert@a.org"));
    const char *got = rig_took();
    assert_says(got, "c2 <presence from='anna@a.org/x' type='unavailable' to='bert@a.org'");
    assert_says(got, "type='result'");
    command(anna, BLOCK("bert@a.org"));
    assert_silent_about(rig_took(), "c2");
    command(anna, BLOCK("rooms.far.org"));
    assert_says(rig_took(), "s2sd-1 <presence from='anna@a.org/x' type='unavailable' to='r@rooms.far.org/anna'");
    assert_null(anna->directed);
    command(anna, UNBLOCK("bert@a.org"));
    got = rig_took();
    assert_says(got, "c2 <presence from='anna@a.org/x' to='bert@a.org'");
    assert_says(got, "c1 <presence from='bert@a.org/y'");
    command(anna, UNBLOCK("bert@a.org"));
}

static void two_items_over_one_contact(void **state)
{
    (void)state;
    befriend();
    command(anna, BLOCK("bert@a.org"));
    command(anna, BLOCK("a.org"));
    rig_forget();
    command(anna, UNBLOCK("bert@a.org"));
    assert_silent_about(rig_took(), "c2");
    assert_true(blocked(&rig, SLICE("anna@a.org"), SLICE("bert@a.org")));
    command(anna, "<unblock xmlns='urn:xmpp:blocking'/>");
    assert_says(rig_took(), "c2 <presence from='anna@a.org/x'");
    assert_false(blocked(&rig, SLICE("anna@a.org"), SLICE("bert@a.org")));
}

/* A resource of a contact. */
static void one_resource(void **state)
{
    (void)state;
    befriend();
    command(anna, BLOCK("bert@a.org/y"));
    assert_says(rig_took(), "type='unavailable' to='bert@a.org/y'");
    rig_client(bert, "message", "chat", "anna@a.org", "<body>1</body>");
    assert_says(rig_took(), "service-unavailable");
    struct session *other = rig_bind("bert@a.org/z", 3);
    rig_client(other, "message", "chat", "anna@a.org", "<body>2</body>");
    assert_says(rig_took(), "c1 <message");
}

static void pushes_go_to_who_asked(void **state)
{
    struct session *second;

    (void)state;
    second = rig_bind("anna@a.org/z", 3);
    rig_client(anna, "iq", "get", NULL, LIST);
    assert_says(rig_took(), "<blocklist xmlns='urn:xmpp:blocking'/>");
    command(second, BLOCK("U@Far.org"));
    const char *got = rig_took();
    assert_says(got, "c1 <iq");
    assert_says(got, "<block xmlns='urn:xmpp:blocking'><item jid='u@far.org'/></block>");
    assert_silent_about(got, "c3 <iq from='anna@a.org' to='anna@a.org/z' id='i1' type='set'");
    rig_client(second, "iq", "get", NULL, LIST);
    assert_says(rig_took(), "<item jid='u@far.org'/>");
    command(anna, "<unblock xmlns='urn:xmpp:blocking'/>");
    got = rig_took();
    assert_says(got, "c1,c3 <iq");
    assert_says(got, "<unblock xmlns='urn:xmpp:blocking'/>");
}

static void bad_requests_and_the_limit(void **state)
{
    static const struct { const char *content, *says; } rows[] = {
        { "<block xmlns='urn:xmpp:blocking'/>", "<bad-request" },
        { "<block xmlns='urn:xmpp:blocking'><item/></block>", "<bad-request" },
        { BLOCK("@@"), "<jid-malformed" },
        { UNBLOCK("@@"), "<jid-malformed" },
        { "<block xmlns='urn:xmpp:blocking'><item jid='a.b'/><item jid='a.c'/><item jid='a.d'/><item jid='a.e'/>"
          "<item jid='a.f'/><item jid='a.g'/></block>", "<resource-constraint" },
        { "<block xmlns='urn:xmpp:blocking'><item jid='a.b'/><item jid='a.c'/><item jid='a.d'/><item jid='a.e'/>"
          "<item jid='a.f'/></block>", "type='result'" },
        { BLOCK("a.b"), "type='result'" },
        { BLOCK("a.g"), "<resource-constraint" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        command(anna, rows[i].content);
        assert_says(rig_took(), rows[i].says);
    }
    assert_false(blocked(&rig, SLICE("anna@a.org"), SLICE("a.g")));
    rig_from("s2sd-1", "iq", "get", "u@far.org/r", "anna@a.org", LIST);
    assert_says(rig_took(), "<service-unavailable");
}

/* What was waiting from before. */
static void waiting_requests_are_not_shown(void **state)
{
    (void)state;
    rig_from("s2sd-1", "presence", "subscribe", "u@far.org", "anna@a.org", "");
    rig_wait();
    command(anna, BLOCK("far.org"));
    rig_forget();
    struct session *late = rig_bind("anna@a.org/late", 3);
    rig_client(late, "presence", NULL, NULL, "");
    assert_silent_about(rig_took(), "subscribe");
}

static void all_is_gone_with_the_account(void **state)
{
    (void)state;
    command(anna, BLOCK("far.org"));
    rig_client(anna, "iq", "set", NULL, "<query xmlns='jabber:iq:register'><remove/></query>");
    rig_wait();
    assert_false(blocked(&rig, SLICE("anna@a.org"), SLICE("far.org")));
}

#define REPORT_AS(ns, reason, more) "<block xmlns='urn:xmpp:blocking'><item jid='u@far.org'>" \
    "<report xmlns='urn:xmpp:reporting:" ns "'" reason ">" more "</report></item></block>"
#define REPORT(reason, more) REPORT_AS("1", reason, more)

static void reports(void **state)
{
    static const char *admins[] = { "bert@a.org", "chief@far.org" };

    (void)state;
    rig_domains[0].admins.item = admins;
    rig_domains[0].admins.count = 2;
    command(anna, REPORT(" reason='urn:xmpp:reporting:spam'", "<text>never ends</text>"));
    const char *got = rig_took();
    assert_says(got, "c2 <message");
    assert_says(got, "anna@a.org reports u@far.org: urn:xmpp:reporting:spam\nnever ends");
    assert_says(got, "<item xmlns='urn:xmpp:blocking' jid='u@far.org'><report xmlns='urn:xmpp:reporting:1'");
    assert_says(got, "to='chief@far.org'");
    command(anna, REPORT("", ""));                      /* none; the block stands all the same */
    got = rig_took();
    assert_silent_about(got, "<message");
    assert_says(got, "type='result'");
    command(anna, REPORT(" reason='x'", ""));
    assert_says(rig_took(), "c2 <message");
    command(anna, REPORT(" reason='x'", ""));           /* reports_per_hour */
    got = rig_took();
    assert_silent_about(got, "<message");
    assert_says(got, "type='result'");
    rig_settings.server.reports = false;
    command(anna, REPORT(" reason='x'", ""));
    assert_silent_about(rig_took(), "<message");
    rig_settings.server.reports = true;
    rig_domains[0].admins.count = 0;
}

/* Version 0.1 of the XEP: reasons are elements, and need not be there. */
static void reports_of_the_elder_namespace(void **state)
{
    static const char *admins[] = { "chief@far.org" };
    static const struct { const char *block, *text; } rows[] = {
        { REPORT_AS("0", "", "<text>never ends</text><spam/>"), "urn:xmpp:reporting:spam\nnever ends</body>" },
        { REPORT_AS("0", " reason='x'", "<abuse/>"), "urn:xmpp:reporting:abuse</body>" },
        { REPORT_AS("0", "", ""), "no reason given</body>" },
    };

    (void)state;
    rig_domains[0].admins.item = admins;
    rig_domains[0].admins.count = 1;
    rig_settings.limits.reports_per_hour = 100;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        command(anna, rows[i].block);
        const char *got = rig_took();
        assert_says(got, rows[i].text);
        assert_says(got, "<report xmlns='urn:xmpp:reporting:0'");
    }
    rig_domains[0].admins.count = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_jids),
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, rig_teardown)
        TEST(online_and_offline),
        TEST(oneself_is_never_blocked),
        TEST(incoming),
        TEST(no_errors_for_a_room_one_is_in),
        TEST(outgoing),
        TEST(fan_outs),
        TEST(presence_at_block_and_unblock),
        TEST(two_items_over_one_contact),
        TEST(one_resource),
        TEST(pushes_go_to_who_asked),
        TEST(bad_requests_and_the_limit),
        TEST(waiting_requests_are_not_shown),
        TEST(all_is_gone_with_the_account),
        TEST(reports),
        TEST(reports_of_the_elder_namespace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
