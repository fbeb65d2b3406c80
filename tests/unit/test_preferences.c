/* sm/preferences, data_policy, archive_purge, and retention by what an account and a domain say. */

#include "archive_rig.h"

#include "archive_purge.h"
#include "preferences.h"
#include "roster.h"

/* ---- lists ---- */

static struct slice list(struct buf *b, const char *const *jids)
{
    for (; *jids; jids++)
        buf_put_sized(b, slice_str(*jids));
    return buf_slice(b);
}

static void a_full_jid_counts_before_a_bare_one_and_never_before_always(void **state)
{
    static const char *const always[] = { "a@x", "b@x/r", "c@x", "d@x/r", "e@x", NULL };
    static const char *const never[] = { "b@x", "c@x/r", "d@x/r", "e@x", "f@x", NULL };
    static const struct { const char *jid; int said; } cases[] = {
        { "a@x", 1 }, { "a@x/r", 1 }, { "b@x/r", 1 }, { "b@x/q", -1 }, { "b@x", -1 }, { "c@x/r", -1 },
        { "c@x/q", 1 }, { "d@x/r", -1 }, { "d@x", 0 }, { "e@x", -1 }, { "f@x/r", -1 }, { "g@x", 0 }, { "x", 0 },
    };
    struct buf         a = { 0 }, n = { 0 };
    struct preferences p = { .always = list(&a, always), .never = list(&n, never) };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (preferences_match(&p, slice_str(cases[i].jid)) != cases[i].said)
            fail_msg("%s", cases[i].jid);
    buf_free(&a);
    buf_free(&n);
}

/* ---- with the whole of sm ---- */

static const char *prefer(const char *content)
{
    rig_forget();
    rig_client(anna, "iq", "set", NULL, content);
    return rig_took();
}

#define PREFS(by_default, in) "<prefs xmlns='" NS_MAM "' default='" by_default "'>" in "</prefs>"

static void talk(void)
{
    rig_client(anna, "message", "chat", "ben@a.org", "<body>out</body>");
    rig_client(ben, "message", "chat", "anna@a.org/x", "<body>in</body>");
}

static void what_was_set_is_told(void **state)
{
    (void)state;
    rig_client(anna, "iq", "get", NULL, "<prefs xmlns='" NS_MAM "'/>");
    assert_says(rig_took(), PREFS("always", "<always/><never/>"));
    const char *applied = PREFS("roster", "<always><jid>ben@a.org</jid></always><never><jid>x@y/R</jid></never>");
    assert_says(prefer(PREFS("roster", "<always><jid>Ben@a.org</jid><jid>ben@A.org</jid></always>"
                                       "<never><jid>x@y/R</jid></never>")), applied);
    rig_client(anna, "iq", "get", NULL, "<prefs xmlns='" NS_MAM "'/>");
    assert_says(rig_took(), applied);
    rig_client(ben, "iq", "get", NULL, "<prefs xmlns='" NS_MAM "'/>");
    assert_says(rig_took(), PREFS("always", "<always/><never/>"));
    rig_client(ben, "iq", "get", "anna@a.org", "<prefs xmlns='" NS_MAM "'/>");
    assert_says(rig_took(), "forbidden");
}

static void what_is_wrong_changes_nothing(void **state)
{
    static const struct { const char *prefs, *error; } cases[] = {
        { "<prefs xmlns='" NS_MAM "'/>", "bad-request" },
        { PREFS("sometimes", ""), "bad-request" },
        { PREFS("never", "<always><jid>a@b@c</jid></always>"), "jid-malformed" },
        { PREFS("never", "<never><jid/></never>"), "jid-malformed" },
        { PREFS("never", "<always><jid>a@x</jid><jid>b@x</jid><jid>c@x</jid></always>"
                         "<never><jid>d@x</jid><jid>e@x</jid><jid>f@x</jid></never>"), "resource-constraint" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_says(prefer(cases[i].prefs), cases[i].error);
    rig_client(anna, "iq", "get", NULL, "<prefs xmlns='" NS_MAM "'/>");
    assert_says(rig_took(), PREFS("always", "<always/><never/>"));
}

/* Of both directions; ben's archive is his own business. */
static void never_is_never(void **state)
{
    (void)state;
    prefer(PREFS("always", "<never><jid>ben@a.org</jid></never>"));
    talk();
    const char *out = rig_took();
    assert_says(out, "c1 <message");
    assert_silent_about(out, "by='anna@a.org'");           /* no id of an archive that has no such record */
    assert_int_equal(archived(anna), 0);
    assert_int_equal(archived(ben), 2);
    prefer(PREFS("never", "<always><jid>ben@a.org/y</jid></always>"));
    talk();
    assert_int_equal(archived(anna), 1);                   /* from his full JID; to the bare one it is not */
}

static void roster_is_the_contacts(void **state)
{
    (void)state;
    prefer(PREFS("roster", ""));
    talk();
    assert_int_equal(archived(anna), 0);
    rig_client(anna, "iq", "set", NULL, "<query xmlns='jabber:iq:roster'><item jid='ben@a.org'/></query>");
    talk();
    assert_int_equal(archived(anna), 2);
}

static void a_domain_has_its_default(void **state)
{
    (void)state;
    rig_domains[0].archive_default = "never";
    talk();
    assert_int_equal(archived(anna), 0);
    prefer(PREFS("always", ""));
    talk();
    assert_int_equal(archived(anna), 2);
    assert_int_equal(archived(ben), 0);
}

static void what_is_not_archived_waits_all_the_same(void **state)
{
    (void)state;
    prefer(PREFS("never", ""));
    dispatch_end_session(&rig, &anna, NULL, NULL, 0);
    rig_client(ben, "message", "chat", "anna@a.org", "<body>later</body>");
    const char *out = come_back(&anna, "anna@a.org/x");
    assert_says(out, "<body>later</body>");
    assert_silent_about(out, "<stanza-id");
    assert_int_equal(archived(anna), 0);
}

static void a_removed_account_prefers_nothing(void **state)
{
    (void)state;
    prefer(PREFS("never", ""));
    rig_client(anna, "iq", "set", NULL, "<query xmlns='jabber:iq:register'><remove/></query>");
    rig_wait();
    rig_account("anna@a.org");
    anna = rig_bind("anna@a.org/x", 3);
    rig_forget();
    rig_client(anna, "iq", "get", NULL, "<prefs xmlns='" NS_MAM "'/>");
    assert_says(rig_took(), PREFS("always", "<always/><never/>"));
}

/* ---- how long ---- */

static void keep_days(const char *owner, long days)
{
    struct store_view *view = store_view(rig.store.accounts);
    struct outcome    *o = outcome_new(&rig, slice_str(owner), 1);
    struct preferences p;

    preferences_read(&rig, view, slice_str(owner), &p);
    p.days = days;
    preferences_put(o, &rig, slice_str(owner), &p);
    store_view_end(&view);
    outcome_settle(&o);
    arena_reset(rig.arena);
    rig_wait();
}

static void each_account_has_its_time(void **state)
{
    (void)state;
    talk();
    rig_settings.server.archive_days = 30;
    rig_domains[0].archive_days = 10;
    keep_days("anna@a.org", 20);
    walk(wall_us() + 9 * DAY_US);
    assert_int_equal(archived(ben), 2);
    walk(wall_us() + 11 * DAY_US);
    assert_int_equal(archived(ben), 0);
    assert_int_equal(archived(anna), 2);
    keep_days("anna@a.org", 0);                            /* for ever */
    walk(wall_us() + 1000 * DAY_US);
    assert_int_equal(archived(anna), 2);
    rig_domains[0].archive_days = -1;
    keep_days("anna@a.org", DAYS_OF_DOMAIN);
    walk(wall_us() + 29 * DAY_US);
    assert_int_equal(archived(anna), 2);
    walk(wall_us() + 31 * DAY_US);
    assert_int_equal(archived(anna), 0);
}

static void days_and_lists_leave_each_other_alone(void **state)
{
    (void)state;
    keep_days("anna@a.org", 7);
    prefer(PREFS("never", "<always><jid>ben@a.org</jid></always>"));
    assert_int_equal(preferences_days(&rig, SLICE("anna@a.org")), 7);
    keep_days("anna@a.org", 8);
    rig_client(anna, "iq", "get", NULL, "<prefs xmlns='" NS_MAM "'/>");
    assert_says(rig_took(), PREFS("never", "<always><jid>ben@a.org</jid></always><never/>"));
}

#define POLICY(hours) "<field var='data_retention' type='text-single'><value>" hours "</value></field>"

static void the_policy_says_how_long(void **state)
{
    (void)state;
    rig_domains[0].archive_days = 10;
    rig_client(anna, "iq", "get", "a.org", "<query xmlns='" NS_DISCO_INFO "'/>");
    assert_says(rig_took(), POLICY("240"));
    keep_days("anna@a.org", 2);
    rig_client(anna, "iq", "get", NULL, "<query xmlns='" NS_DISCO_INFO "'/>");
    assert_says(rig_took(), POLICY("48"));
    keep_days("anna@a.org", 0);
    rig_client(anna, "iq", "get", NULL, "<query xmlns='" NS_DISCO_INFO "'/>");
    assert_says(rig_took(), POLICY("infinite"));
}

/* ---- emptying ---- */

static uint64_t purge_count;
static int      purge_done;

static void purged(void *arg, enum zerr err, uint64_t count)
{
    (void)arg;
    assert_int_equal(err, ZE_OK);
    purge_count = count;
    purge_done = 1;
}

static uint64_t purge(const char *owner, uint64_t before_us)
{
    purge_done = 0;
    archive_purge(&rig, slice_str(owner), before_us, purged, NULL);
    while (!purge_done)
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    return purge_count;
}

static void a_purge_takes_all_of_one_in_several_steps(void **state)
{
    (void)state;
    for (int i = 0; i < 600; i++)
        rig_client(anna, "message", "chat", "ben@a.org", "<body>x</body>");
    rig_wait();
    uint64_t before_us = wall_us();
    talk();
    rig_wait();
    assert_int_equal(purge("anna@a.org", before_us), 600);
    assert_int_equal(archived(anna), 2);
    assert_int_equal(purge("anna@a.org", before_us), 0);
    assert_int_equal(purge("nobody@a.org", before_us), 0);
    assert_int_equal(archived(ben), 50);                   /* a page */
}

static void what_waits_survives_a_purge(void **state)
{
    (void)state;
    dispatch_end_session(&rig, &anna, NULL, NULL, 0);
    rig_client(ben, "message", "chat", "anna@a.org", "<body>waits</body>");
    rig_wait();
    assert_int_equal(purge("anna@a.org", wall_us()), 1);
    assert_says(come_back(&anna, "anna@a.org/x"), "<body>waits</body>");
    assert_int_equal(archived(anna), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_jid_counts_before_a_bare_one_and_never_before_always),
        FLOW(what_was_set_is_told),
        FLOW(what_is_wrong_changes_nothing),
        FLOW(never_is_never),
        FLOW(roster_is_the_contacts),
        FLOW(a_domain_has_its_default),
        FLOW(what_is_not_archived_waits_all_the_same),
        FLOW(a_removed_account_prefers_nothing),
        FLOW(each_account_has_its_time),
        FLOW(days_and_lists_leave_each_other_alone),
        FLOW(the_policy_says_how_long),
        FLOW(a_purge_takes_all_of_one_in_several_steps),
        FLOW(what_waits_survives_a_purge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
