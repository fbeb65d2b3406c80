/* What follows a commit (outcome_after) and is done though sm is killed in between: each life ends when its batch is
 * durable, or handed in, and no callback has run. */

#include "survival_rig.h"

#include "blocked.h"
#include "pep_store.h"
#include "verbs.h"

#define PUBSUB "<pubsub xmlns='http://jabber.org/protocol/pubsub'>"
#define TUNE "http://jabber.org/protocol/tune"
/* XEP-0115 5.1, of nothing but that feature: "http://jabber.org/protocol/tune+notify<". */
#define SAYS_TUNE "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://n' ver='N1O9tYoweCb4CPubHbj6f7VbwQk='/>"
#define WANTS_TUNE "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='" TUNE "+notify'/></query>"

static struct session *anna, *ben;

static void live_as_two(void)
{
    rig_account("anna@a.org");
    rig_account("ben@a.org");
    anna = rig_online("anna@a.org/x", 1);
    ben = rig_online("ben@a.org/y", 2);
    rig_wait();
}

static void befriend(void)
{
    rig_client(ben, "presence", "subscribe", "anna@a.org", "");
    rig_wait();
    rig_client(anna, "presence", "subscribed", "ben@a.org", "");
    rig_wait();
}

static void publish_tune(void)
{
    rig_client(anna, "iq", "set", NULL, PUBSUB "<publish node='" TUNE "'><item id='song'><tune xmlns='" TUNE "'/></item>"
               "</publish></pubsub>");
    rig_wait();
}

/* The batches that were handed in since `before` become durable, and that is the end. */
static uint64_t commits_now(void)
{
    struct store_figures f;

    store_figures(rig.store.accounts, &f);
    return f.commits;
}

static void die_when_durable(uint64_t before)
{
    live_commit(rig.live);
    until_durable(rig.store.accounts, before + 1);
    rig_log[0] = 0;
    rig_killed_here();
}

static void begin_again(void (*life)(void))
{
    rig_live_and_die(life);
    rig_open();
}

/* ---- subscriptions to nodes (XEP-0163 7.1) ---- */

static void lets_a_subscriber_down_and_dies(void)
{
    live_as_two();
    befriend();
    publish_tune();
    rig_client(ben, "iq", "set", "anna@a.org", PUBSUB "<subscribe node='" TUNE "' jid='ben@a.org'/></pubsub>");
    rig_wait();
    uint64_t before = commits_now();
    rig_client(anna, "presence", "unsubscribed", "ben@a.org", "");
    die_when_durable(before);
}

static unsigned subscribers(void)
{
    struct store_view *view = store_view(rig.store.accounts);
    struct pep_node    node;
    bool               found = pep_node_find(&rig, view, SLICE("anna@a.org"), SLICE(TUNE), &node);

    assert_true(found);
    unsigned count = node.subscribers;
    store_view_end(&view);
    return count;
}

static void who_is_no_contact_any_more_is_no_subscriber(void **state)
{
    (void)state;
    begin_again(lets_a_subscriber_down_and_dies);
    assert_says(rig_took(), "subscription='none'");
    assert_int_equal(subscribers(), 0);
}

/* ---- last items (XEP-0163 4.3.4) ---- */

/* ben wants tunes, and sm knows it. */
static void want_tune(const char *presence)
{
    char        id[64];
    const char *asked;

    rig_forget();
    rig_client(ben, "presence", "", NULL, presence);
    asked = strstr(rig_took(), "c2 <iq ");
    assert_non_null(asked);
    asked = strstr(asked, "id='");
    snprintf(id, sizeof(id), "%.*s", (int)strcspn(asked + 4, "'"), asked + 4);
    rig_client_id(ben, "iq", "result", NULL, id, WANTS_TUNE);
    rig_wait();
}

static void lets_a_contact_in_and_dies(void)
{
    live_as_two();
    publish_tune();
    want_tune(SAYS_TUNE);
    rig_client(ben, "presence", "subscribe", "anna@a.org", "");
    rig_wait();
    uint64_t before = commits_now();
    rig_client(anna, "presence", "subscribed", "ben@a.org", "");
    die_when_durable(before);
}

static void a_new_contact_gets_the_last_item(void **state)
{
    (void)state;
    begin_again(lets_a_contact_in_and_dies);
    assert_int_equal(occurrences(rig_took(), "id='song'"), 1);
}

/* What ben stores is committed when he dies, and the presence behind it has left. */
static void comes_behind_a_commit_and_dies(void)
{
    live_as_two();
    befriend();
    rig_client(anna, "presence", "subscribe", "ben@a.org", "");
    rig_wait();
    rig_client(ben, "presence", "subscribed", "anna@a.org", "");
    publish_tune();
    uint64_t before = commits_now();
    rig_client(ben, "iq", "set", NULL, "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>");
    rig_client(ben, "presence", "", NULL, SAYS_TUNE);
    die_when_durable(before);
}

static void who_came_is_asked_what_he_wants(void **state)
{
    (void)state;
    begin_again(comes_behind_a_commit_and_dies);
    const char *out = rig_took();
    assert_int_equal(occurrences(out, "disco#info"), 1);
    assert_says(out, "to='ben@a.org/y'");
}

/* ---- blocking ---- */

static void blocks_on_sand_and_dies(void)
{
    rig_close();
    int holder = lock_holder();
    rig_open();
    live_as_two();
    lock_now(holder);
    struct outcome *o = outcome_new(&rig, SLICE("anna@a.org"), 1);
    store_expect_value(outcome_accounts(o), T_VCARD, sm_key(&rig, SLICE("anna@a.org"), slice_of(NULL, 0)), SLICE("never there"));
    outcome_settle(&o);
    rig_client(anna, "iq", "set", NULL, "<block xmlns='urn:xmpp:blocking'><item jid='eve@b.org'/></block>");
    live_commit(rig.live);
    rig_log[0] = 0;
    rig_killed_here();
}

static void a_block_that_fails_is_not_remembered(void **state)
{
    (void)state;
    begin_again(blocks_on_sand_and_dies);
    blocked(&rig, SLICE("anna@a.org"), SLICE("eve@b.org"));        /* reads the list while the row waits */
    assert_says(rig_took(), "type='error'");
    assert_false(blocked(&rig, SLICE("anna@a.org"), SLICE("eve@b.org")));
}

/* ---- the message of the day (XEP-0133 4.23) ---- */

static void no_answer(void *arg, struct slice rows, enum zerr err, const char *reason)
{
    (void)arg;
    (void)rows;
    (void)err;
    (void)reason;
}

static void verb(const char *name, const char *domain, const char *text)
{
    char  words[3][64];
    char *argv[] = { words[0], words[1], words[2] };

    snprintf(words[0], sizeof(words[0]), "%s", name);
    snprintf(words[1], sizeof(words[1]), "%s", domain);
    snprintf(words[2], sizeof(words[2]), "%s", text ? text : "");
    ctl_run(sm_verbs, &rig, text ? 3 : 2, argv, no_answer, NULL);
}

static void sets_a_notice_and_dies(void)
{
    live_as_two();
    uint64_t before = commits_now();
    verb("motd", "a.org", "Be kind");
    die_when_durable(before);
}

static void who_is_online_hears_of_a_notice(void **state)
{
    (void)state;
    begin_again(sets_a_notice_and_dies);
    rig_finish_walks();
    const char *out = rig_took();
    assert_int_equal(occurrences(out, "c1 <message"), 1);
    assert_int_equal(occurrences(out, "c2 <message"), 1);
    rig_close();
    rig_open();
    rig_finish_walks();
    assert_silent_about(rig_took(), "Be kind");
}

static void is_told_of_a_notice_and_dies(void)
{
    live_as_two();
    verb("motd", "a.org", "Be kind");
    rig_wait();
    live_commit(rig.live);
    rig_log[0] = 0;
    rig_killed_here();
}

/* The walk over the sessions had not come to them. */
static void who_was_not_told_yet_hears_of_a_notice(void **state)
{
    (void)state;
    begin_again(is_told_of_a_notice_and_dies);
    rig_finish_walks();
    assert_int_equal(occurrences(rig_took(), "Be kind"), 2);
}

static void sets_a_notice_beside_another_and_dies(void)
{
    uint64_t before = commits_now();

    verb("motd", sm_owns(&rig, SLICE("a.org")) ? "a.org" : "closed.org", "Be kind");
    die_when_durable(before);
}

static void who_is_online_elsewhere_hears_of_it_too(void **state)
{
    (void)state;
    rig_second_sm = true;
    begin_again(sets_a_notice_beside_another_and_dies);
    rig_second_sm = false;
    assert_says(rig_took(), "sm-2 ERRAND");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_prepare, rig_teardown)
    const struct CMUnitTest tests[] = {
        T(who_is_no_contact_any_more_is_no_subscriber),
        T(a_new_contact_gets_the_last_item),
        T(who_came_is_asked_what_he_wants),
        T(a_block_that_fails_is_not_remembered),
        T(who_is_online_hears_of_a_notice),
        T(who_was_not_told_yet_hears_of_a_notice),
        T(who_is_online_elsewhere_hears_of_it_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
