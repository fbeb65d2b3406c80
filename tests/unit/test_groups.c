/* sm/groups.c, groups_sync.c: what of a shared group is in a roster, what stays when it is gone, what is seen by
 * whom; limits and wrong arguments are in tests/e2e/test_groups.py. */

#include "sm_rig.h"

#include "roster.h"

static struct session *anna, *bert;

static int begin(void **state)
{
    rig_setup(state);
    anna = rig_user("anna@a.org/x", 1);
    bert = rig_user("bert@a.org/y", 2);
    rig_account("carl@a.org");
    rig.groups = groups_new(&rig);
    rig_forget();
    return 0;
}

typedef int verb(void *sm, int argc, char **argv, struct ctl_reply *r);

static void say(verb *run, const char *group, const char *what, const char *more)
{
    char *argv[] = { (char *)group, (char *)what, (char *)more };

    assert_int_equal(run(&rig, more ? 3 : what ? 2 : 1, argv, NULL), LATER);
    rig_wait();
}

static bool item(const char *owner, const char *contact, struct roster_item *out)
{
    struct store_view *view = store_view(rig.store.accounts);
    bool               found = roster_find(&rig, view, slice_str(owner), slice_str(contact), out);

    out->contact = out->name = out->groups = out->shared = slice_of(NULL, 0);
    store_view_end(&view);
    return found;
}

static unsigned flags_of(const char *owner, const char *contact)
{
    struct roster_item it;

    return item(owner, contact, &it) ? it.flags : 0;
}

/* Until that item is so, or for three seconds. */
static void expect_item(const char *owner, const char *contact, unsigned flags)
{
    for (uint64_t end = wall_us() + 3000000; flags_of(owner, contact) != flags && wall_us() < end;)
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    rig_wait();
    if (flags_of(owner, contact) != flags)
        fail_msg("%s, %s: %u, not %u", owner, contact, flags_of(owner, contact), flags);
}

enum { BOTH = ROSTER_TO | ROSTER_FROM, SHARED = BOTH | ROSTER_SHARED, ONLY_SHARED = SHARED | ROSTER_UNLISTED };

static void share(void)
{
    say(verb_group_set, "staff@a.org", "Staff", NULL);
    say(verb_group_add, "staff@a.org", "anna@a.org", NULL);
    say(verb_group_add, "staff@a.org", "bert@a.org", NULL);
    while (!(flags_of("anna@a.org", "bert@a.org") & ROSTER_SHARED))
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    rig_wait();
}

static void it_comes_and_goes(void **state)
{
    (void)state;
    rig_client(anna, "iq", "get", NULL, "<query xmlns='jabber:iq:roster'/>");
    rig_forget();
    share();
    expect_item("bert@a.org", "anna@a.org", ONLY_SHARED);
    const char *got = rig_took();
    assert_says(got, "<item jid='bert@a.org' subscription='both'><group>Staff</group></item>");
    assert_says(got, "c1 <presence from='bert@a.org/y'");
    assert_says(got, "c2 <presence from='anna@a.org/x'");
    say(verb_group_delete, "staff@a.org", NULL, NULL);
    expect_item("anna@a.org", "bert@a.org", 0);
    expect_item("bert@a.org", "anna@a.org", 0);
    got = rig_took();
    assert_says(got, "<item jid='bert@a.org' subscription='remove'/>");
    assert_says(got, "c1 <presence from='bert@a.org/y' type='unavailable'");
}

/* Nothing that members say to each other changes it, or asks anybody. */
static void members_cannot_leave_by_themselves(void **state)
{
    static const char *const types[] = { "subscribe", "subscribed", "unsubscribe", "unsubscribed" };

    (void)state;
    share();
    expect_item("bert@a.org", "anna@a.org", ONLY_SHARED);
    rig_forget();
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        rig_client(anna, "presence", types[i], "bert@a.org", "");
        assert_string_equal(rig_took(), "");
    }
    assert_int_equal(flags_of("anna@a.org", "bert@a.org"), ONLY_SHARED);
    rig_client(anna, "iq", "set", NULL,
               "<query xmlns='jabber:iq:roster'><item jid='bert@a.org' subscription='remove'/></query>");
    assert_says(rig_took(), "<not-allowed");
}

/* A name given to a shared contact is the owner's own: the item stays, without a subscription. */
static void a_name_of_one_s_own_outlives_the_group(void **state)
{
    (void)state;
    share();
    rig_client(anna, "iq", "set", NULL, "<query xmlns='jabber:iq:roster'><item jid='bert@a.org' name='B'/></query>");
    rig_forget();
    assert_int_equal(flags_of("anna@a.org", "bert@a.org"), SHARED);
    say(verb_group_remove, "staff@a.org", "bert@a.org", NULL);
    expect_item("anna@a.org", "bert@a.org", 0);
    struct roster_item it;
    assert_true(item("anna@a.org", "bert@a.org", &it));
}

/* What the two had before is there again; what one takes back meanwhile is not. */
static void subscriptions_of_their_own_come_back(void **state)
{
    (void)state;
    rig_client(anna, "presence", "subscribe", "bert@a.org", "");
    rig_wait();
    rig_client(bert, "presence", "subscribed", "anna@a.org", "");
    rig_wait();
    share();
    expect_item("bert@a.org", "anna@a.org", SHARED);
    say(verb_group_delete, "staff@a.org", NULL, NULL);
    expect_item("anna@a.org", "bert@a.org", ROSTER_TO);
    expect_item("bert@a.org", "anna@a.org", ROSTER_FROM);
}

static void an_account_that_is_removed_is_gone_everywhere(void **state)
{
    (void)state;
    share();
    expect_item("bert@a.org", "anna@a.org", ONLY_SHARED);
    rig_client(anna, "iq", "set", NULL, "<query xmlns='jabber:iq:register'><remove/></query>");
    rig_wait();
    expect_item("bert@a.org", "anna@a.org", 0);
    rig_account("anna@a.org");
    for (int i = 0; i < 15; i++)
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    assert_int_equal(flags_of("bert@a.org", "anna@a.org"), 0);
}

static void two_groups_and_all_accounts(void **state)
{
    (void)state;
    share();
    say(verb_group_set, "all@a.org", "All", "everybody");
    expect_item("anna@a.org", "carl@a.org", ONLY_SHARED);
    for (uint64_t end = wall_us() + 3000000; wall_us() < end && !strstr(rig_log, "<group>All</group>");) {
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
        rig_client(anna, "iq", "get", NULL, "<query xmlns='jabber:iq:roster'/>");
        rig_wait();
    }
    const char *got = rig_took();
    assert_says(got, "<group>Staff</group>");
    assert_says(got, "<group>All</group>");
    say(verb_group_delete, "all@a.org", NULL, NULL);
    expect_item("anna@a.org", "carl@a.org", 0);
    assert_int_equal(flags_of("anna@a.org", "bert@a.org"), ONLY_SHARED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, rig_teardown)
        TEST(it_comes_and_goes),
        TEST(members_cannot_leave_by_themselves),
        TEST(a_name_of_one_s_own_outlives_the_group),
        TEST(subscriptions_of_their_own_come_back),
        TEST(an_account_that_is_removed_is_gone_everywhere),
        TEST(two_groups_and_all_accounts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
