/* sm after kill -9: what the process before was stands again (live memory, sm/session_live.c). Each life
 * is a child process that is killed where it says so. */

#include "survival_rig.h"

#include "outcome_inner.h"
#include "outcome_live.h"
#include "roster.h"

static struct session *find(const char *full)
{
    return session_by_jid(rig.sessions, slice_str(full));
}

/* ---- sessions ---- */

static void presents_itself(void)
{
    struct session *r = rig_bind("romeo@a.org/orchard", 1), *gone = rig_bind("romeo@a.org/gone", 2);

    memset(r->secret, 7, sizeof(r->secret));
    rig_client(r, "presence", "", NULL, "<show xmlns='jabber:client'>away</show><priority xmlns='jabber:client'>-3</priority>");
    rig_client(r, "presence", "", "muse@elsewhere.org", "");
    rig_client(r, "iq", "get", NULL, "<query xmlns='jabber:iq:roster'/>");
    session_remove(rig.sessions, &gone);
    rig_wait();
    live_commit(rig.live);
    rig_client(r, "presence", "unavailable", NULL, "");      /* of a turn that never ended */
    rig_killed_here();
}

static void a_session_is_as_it_was_at_the_end_of_the_last_turn(void **state)
{
    (void)state;
    rig_live_and_die(presents_itself);
    rig_open();
    struct session *s = find("romeo@a.org/orchard");
    assert_non_null(s);
    assert_null(find("romeo@a.org/gone"));
    assert_int_equal(sessions_count(rig.sessions), 1);
    assert_ptr_equal(session_by_handle(rig.sessions, s->handle), s);
    struct address c2sd = { ROLE_C2SD, instance_key("c2sd-1"), RIG_LIFE };
    assert_true(session_bound_by(s, &c2sd, 1));
    assert_true(s->available);
    assert_true(s->interested);
    assert_int_equal(s->priority, -3);
    assert_true(slice_starts(blob_slice(s->presence), SLICE("<show")));
    assert_int_equal(s->directed_count, 1);
    assert_int_equal(s->secret[15], 7);
    /* And it goes on: an end is told to who had directed presence, and the row goes. */
    rig_forget();
    rig_client(s, "presence", "unavailable", NULL, "");
    assert_says(rig_took(), "muse@elsewhere.org");
}

static void binds_and_ends(void)
{
    for (int i = 0; i < 10; i++) {
        struct session *s = rig_bind("romeo@a.org/orchard", 1);
        if (i < 9)
            session_remove(rig.sessions, &s);
    }
    live_commit(rig.live);
    rig_killed_here();
}

static void handles_of_sessions_that_ended_before_never_match(void **state)
{
    (void)state;
    rig_live_and_die(binds_and_ends);
    rig_open();
    struct session *s = find("romeo@a.org/orchard");
    assert_non_null(s);
    uint32_t last = (uint32_t)(s->handle >> 32);
    session_remove(rig.sessions, &s);
    s = rig_bind("romeo@a.org/orchard", 1);
    struct session *other = rig_bind("romeo@a.org/balcony", 2);
    assert_true((uint32_t)(s->handle >> 32) > last);
    assert_true((uint32_t)(other->handle >> 32) > last);
}

static void stands_alone(void)
{
    rig_bind("romeo@a.org/orchard", 1);
    live_commit(rig.live);
    rig_killed_here();
}

static void another_incarnation_finds_nothing(void **state)
{
    (void)state;
    rig_live_and_die(stands_alone);
    rig_open();
    assert_int_equal(sessions_count(rig.sessions), 1);
    sm_live_check(rig.live, rig.self.incarnation);
    assert_true(live_get(rig.live, L_INSTANCE, SLICE("handles")).p != NULL);
    sm_live_check(rig.live, rig.self.incarnation + 1);
    assert_null(live_get(rig.live, L_INSTANCE, SLICE("handles")).p);
}

/* ---- both halves of a subscription ---- */

static void subscribes_and_dies(void)
{
    rig_account("anna@a.org");
    rig_account("ben@a.org");
    struct session *anna = rig_bind("anna@a.org/x", 1), *ben = rig_bind("ben@a.org/y", 2);
    rig_client(ben, "presence", "", NULL, "");
    rig_forget();
    rig_client(anna, "presence", "subscribe", "ben@a.org", "");
    live_commit(rig.live);
    until_durable(rig.store.accounts, 3);
    rig_killed_here();
}

static void the_second_half_of_a_subscription_is_not_lost(void **state)
{
    (void)state;
    rig_live_and_die(subscribes_and_dies);
    rig_log[0] = 0;
    rig_open();
    assert_says(rig_took(), "c2 <presence from='anna@a.org' id='i1' type='subscribe'");
    struct store_view *view = store_view(rig.store.accounts);
    assert_non_null(store_get(view, T_PENDING, sm_key(&rig, SLICE("ben@a.org"), SLICE("anna@a.org"))).p);
    assert_non_null(store_get(view, T_ROSTER, sm_key(&rig, SLICE("anna@a.org"), SLICE("ben@a.org"))).p);
    store_view_end(&view);
}

/* ---- answers of other threads ---- */

static void asks_and_dies(void)
{
    struct session *anna;

    rig_account("anna@a.org");
    anna = rig_bind("anna@a.org/x", 1);
    rig_client(anna, "iq", "set", NULL,
               "<query xmlns='jabber:iq:register'><username>anna</username><password>new</password></query>");
    live_commit(rig.live);
    rig_killed_here();
}

static void an_iq_under_way_gets_one_answer(void **state)
{
    (void)state;
    rig_live_and_die(asks_and_dies);
    assert_silent_about(rig_log, "type='result'");
    rig_open();
    const char *out = rig_took();
    assert_int_equal(times(out, "<iq "), 1);
    assert_says(out, "type='error'");
    rig_close();
    rig_open();
    assert_string_equal(rig_took(), "");
}

static void is_answered_and_dies(void)
{
    struct session *anna;

    rig_account("anna@a.org");
    anna = rig_bind("anna@a.org/x", 1);
    rig_client(anna, "iq", "set", NULL,
               "<query xmlns='jabber:iq:register'><username>anna</username><password>new</password></query>");
    while (!strstr(rig_log, "type='result'"))
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    live_commit(rig.live);             /* the end of that turn */
    rig_killed_here();
}

static void an_iq_that_was_answered_gets_no_second_answer(void **state)
{
    (void)state;
    rig_live_and_die(is_answered_and_dies);
    rig_log[0] = 0;
    rig_open();
    assert_string_equal(rig_took(), "");
}

/* ---- the outbox ---- */

static unsigned outbox_rows_now(void)
{
    struct store_view *view = store_view(rig.store.archive);
    unsigned           rows = 0;

    store_each(view, A_OUTBOX, slice_of(NULL, 0), slice_of(NULL, 0), false, count_row, &rows);
    store_view_end(&view);
    return rows;
}

static void writes_abroad_and_dies(void)
{
    struct session *anna;

    rig_account("anna@a.org");
    anna = rig_bind("anna@a.org/x", 1);
    rig_client(anna, "message", "chat", "b@b.org", "<body>abroad</body>");
    rig_client(anna, "message", "chat", "b@b.org", "<no-store xmlns='urn:xmpp:hints'/><body>not kept</body>");
    rig_forget();
    live_commit(rig.live);
    rig_killed_here();
}

static void live_memory_is_void(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/live/data.mdb", rig_dir);
    assert_int_equal(unlink(path), 0);
}

static void after_a_power_cut_what_was_stored_and_not_handed_on_goes_again(void **state)
{
    (void)state;
    rig_settings.server.archive = true;
    rig_live_and_die(writes_abroad_and_dies);
    rig_log[0] = 0;
    live_memory_is_void();
    rig_open();
    const char *out = rig_took();
    assert_int_equal(times(out, "s2sd-1 <message"), 1);
    assert_says(out, "<body>abroad</body>");
    assert_int_equal(outbox_rows_now(), 1);
    assert_true(outbox_is_tag(rig_tag));
    rig_tagged.number = rig_tag;
    rig_tagged.stanza.from = SLICE("anna@a.org/x");
    outbox_done(&rig, &rig_tagged);
    outbox_free(&rig.outbox);
    rig.outbox = outbox_new(&rig, false);
    assert_int_equal(outbox_rows_now(), 0);
}

/* Here the link's memory of it is what counts: it holds no such frame any more. */
static void after_a_kill_what_was_confirmed_does_not_go_again(void **state)
{
    (void)state;
    rig_settings.server.archive = true;
    rig_live_and_die(writes_abroad_and_dies);
    rig_log[0] = 0;
    rig_open();
    assert_string_equal(rig_took(), "");
    assert_int_equal(outbox_rows_now(), 1);
    outbox_free(&rig.outbox);
    rig.outbox = outbox_new(&rig, false);
    assert_int_equal(outbox_rows_now(), 0);
}

/* ---- the two halves of a subscription ---- */

static const char *const halves[] = { "subscribe", "subscribed", "unsubscribe", "unsubscribed" };
static unsigned          cut_at;

/* Says the steps of a friendship and its end, and dies when the other half of step `cut_at` is to come. */
static void dies_between_the_halves(void)
{
    struct session *anna, *bert;

    rig_account("anna@a.org");
    rig_account("bert@a.org");
    anna = rig_bind("anna@a.org/x", 1);
    bert = rig_bind("bert@a.org/y", 2);
    for (unsigned i = 0; i <= cut_at; i++) {
        bool of_anna = i % 2 == 0;
        rig_dies_between = i == cut_at;
        rig_client(of_anna ? anna : bert, "presence", halves[i], of_anna ? "bert@a.org" : "anna@a.org", "");
        rig_wait();
    }
}

static unsigned handed_rows(void)
{
    struct store_view *view = store_view(rig.store.accounts);
    unsigned           rows = 0;

    store_each(view, T_HANDED, slice_of(NULL, 0), slice_of(NULL, 0), false, count_row, &rows);
    store_view_end(&view);
    return rows;
}

static void expect_item(const char *owner, const char *contact, unsigned flags)
{
    struct store_view *view = store_view(rig.store.accounts);
    struct roster_item item;

    roster_find(&rig, view, slice_str(owner), slice_str(contact), &item);
    store_view_end(&view);
    if (item.flags != flags)
        fail_msg("cut at %s: %s has %s as %u, not %u", halves[cut_at], owner, contact, item.flags, flags);
}

/* Whoever said something and was told so is believed by the other after a power cut, too. */
static void after_a_power_cut_both_halves_are_there(void **state)
{
    static const struct { unsigned of_anna, of_bert; bool pending; } after[] = {
        { ROSTER_ASK, 0, true }, { ROSTER_TO, ROSTER_FROM, false }, { 0, 0, false },
    };

    (void)state;
    for (cut_at = 0; cut_at < COUNT_OF(after); cut_at++) {
        if (cut_at) {
            rig_teardown(NULL);
            rig_prepare(NULL);
        }
        rig_live_and_die(dies_between_the_halves);
        live_memory_is_void();
        rig_open();
        rig_wait();
        expect_item("anna@a.org", "bert@a.org", after[cut_at].of_anna);
        expect_item("bert@a.org", "anna@a.org", after[cut_at].of_bert);
        struct store_view *view = store_view(rig.store.accounts);
        bool pending = store_get(view, T_PENDING, sm_key(&rig, SLICE("bert@a.org"), SLICE("anna@a.org"))).p;
        store_view_end(&view);
        assert_int_equal(pending, after[cut_at].pending);
        assert_int_equal(handed_rows(), 0);
    }
}

/* The turn that the kill undid is done again from live memory, and leaves no row either. */
static void after_a_kill_both_halves_are_there(void **state)
{
    (void)state;
    cut_at = 1;
    rig_live_and_die(dies_between_the_halves);
    rig_open();
    rig_wait();
    expect_item("anna@a.org", "bert@a.org", ROSTER_TO);
    expect_item("bert@a.org", "anna@a.org", ROSTER_FROM);
    assert_int_equal(handed_rows(), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_prepare, rig_teardown)
    const struct CMUnitTest tests[] = {
        T(a_session_is_as_it_was_at_the_end_of_the_last_turn),
        T(handles_of_sessions_that_ended_before_never_match),
        T(another_incarnation_finds_nothing),
        T(the_second_half_of_a_subscription_is_not_lost),
        T(an_iq_under_way_gets_one_answer),
        T(an_iq_that_was_answered_gets_no_second_answer),
        T(after_a_power_cut_what_was_stored_and_not_handed_on_goes_again),
        T(after_a_power_cut_both_halves_are_there),
        T(after_a_kill_both_halves_are_there),
        T(after_a_kill_what_was_confirmed_does_not_go_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
