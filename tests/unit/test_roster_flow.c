/* The whole of sm from frame to frame: rosters, subscriptions, presence (RFC 6121 2 to 4). */

#include "flow_rig.h"

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
    assert_says(out, "s2sd-1 <presence from='anna@a.org' type='probe' to='carl@b.org'/>");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
