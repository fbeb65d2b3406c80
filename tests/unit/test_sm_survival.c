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

/* ---- outcomes that wait for a commit ---- */

static struct stanza says(const char *content)
{
    return (struct stanza){
        .name = STANZA_MESSAGE, .type = TYPE_CHAT, .from = SLICE("anna@a.org/x"), .to = SLICE("b@b.org"),
        .id = SLICE("i1"), .content = slice_str(content),
    };
}

static struct slice vcard_key(void)
{
    return sm_key(&rig, SLICE("anna@a.org"), slice_of(NULL, 0));
}

static void store_and_say(const char *value, const char *text, const char *expected)
{
    struct outcome *o = outcome_new(&rig, SLICE("anna@a.org"), 1);
    struct stanza   asked = says("<body>asked</body>"), after = says(text);

    asked.to = SLICE("a.org");
    outcome_request(o, &asked);
    if (expected)
        store_expect_value(outcome_accounts(o), T_VCARD, vcard_key(), slice_str(expected));
    store_put(outcome_accounts(o), T_VCARD, vcard_key(), slice_str(value));
    outcome_route(o, AFTER_COMMIT, &after);
    outcome_settle(&o);
    arena_reset(rig.arena);
}

static void expect_vcard(const char *value)
{
    struct store_view *view = store_view(rig.store.accounts);
    struct slice       got = store_get(view, T_VCARD, vcard_key());

    assert_true(value ? got.p && slice_is(got, value) : !got.p);
    store_view_end(&view);
    arena_reset(rig.arena);
}

static unsigned times(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static void commits_and_dies(void)
{
    rig_bind("anna@a.org/x", 1);
    store_and_say("v1", "<body>stored</body>", NULL);
    live_commit(rig.live);
    until_durable(rig.store.accounts, 1);
    rig_killed_here();
}

static void killed_after_the_commit_what_depends_on_it_leaves_once(void **state)
{
    (void)state;
    rig_live_and_die(commits_and_dies);
    assert_silent_about(rig_log, "stored");
    rig_open();
    assert_int_equal(times(rig_took(), "<body>stored</body>"), 1);
    expect_vcard("v1");
    rig_close();
    rig_open();
    assert_string_equal(rig_took(), "");
}

static void hands_in_and_dies(void)
{
    rig_close();
    int holder = lock_holder();
    rig_open();
    rig_bind("anna@a.org/x", 1);
    lock_now(holder);
    store_and_say("v1", "<body>first</body>", NULL);
    store_and_say("v2", "<body>second</body>", "v1");
    struct outcome *o = outcome_new(&rig, SLICE("anna@a.org"), 1);
    struct stanza   behind = says("<body>behind</body>");
    outcome_route(o, AHEAD, &behind);
    outcome_settle(&o);
    live_commit(rig.live);
    store_and_say("v3", "<body>never</body>", "v2");           /* of a turn that never ended */
    rig_killed_here();
}

static void killed_before_the_commit_it_is_made_and_the_order_stays(void **state)
{
    (void)state;
    rig_live_and_die(hands_in_and_dies);
    rig_open();
    assert_int_equal(ways_waiting(rig.ways), 3);
    expect_vcard("v2");
    const char *out = rig_took();
    assert_int_equal(times(out, "<body>"), 3);
    assert_true(strstr(out, "first") < strstr(out, "second") && strstr(out, "second") < strstr(out, "behind"));
    assert_silent_about(out, "never");
    expect_vcard("v2");
}

static void is_refused_and_dies(void)
{
    rig_bind("anna@a.org/x", 1);
    store_and_say("v1", "<body>built on sand</body>", "never there");
    store_and_say("v2", "<body>built on that</body>", NULL);
    live_commit(rig.live);
    until_durable(rig.store.accounts, 1);
    usleep(20000);
    rig_killed_here();
}

static void what_was_refused_is_told_and_nothing_is_built_on_it(void **state)
{
    (void)state;
    rig_live_and_die(is_refused_and_dies);
    rig_open();
    const char *out = rig_took();
    assert_int_equal(times(out, "internal-server-error"), 2);
    assert_silent_about(out, "built on");
    expect_vcard(NULL);
}

/* ---- both halves of a subscription ---- */

/* Of the same turn as store_and_say's, in the other environment. */
static void archive_and_say(const char *owner, const char *text)
{
    struct outcome *o = outcome_new(&rig, slice_str(owner), 1);
    struct stanza   after = says(text);

    store_put(outcome_archive(o), A_OUTBOX, sm_key(&rig, slice_str(owner), SLICE("k")), SLICE("v"));
    outcome_route(o, AFTER_COMMIT, &after);
    outcome_settle(&o);
    arena_reset(rig.arena);
}

static int count_row(void *arg, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)arg;
    return 0;
}

static unsigned waiting_rows(void)
{
    unsigned count = 0;

    live_each(rig.live, L_WAITING, count_row, &count);
    return count;
}

static void wait_for(size_t left)
{
    while (ways_waiting(rig.ways) > left)
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
}

static void two_of_four_are_decided_and_it_dies(void)
{
    rig_close();
    int holder = lock_holder();
    rig_open();
    lock_now(holder);
    archive_and_say("ben@a.org", "<body>over</body>");
    store_and_say("v1", "<body>first</body>", NULL);
    archive_and_say("carl@a.org", "<body>gone</body>");
    store_and_say("v2", "<body>second</body>", "v1");
    wait_for(2);
    if (waiting_rows() != 1 || !strstr(rig_log, "over") || !strstr(rig_log, "gone"))
        _exit(7);
    live_commit(rig.live);
    rig_log[0] = 0;
    rig_killed_here();
}

/* The outcomes of a turn share a row: those that are over do not come back with the others. */
static void of_one_turn_only_what_still_waits_comes_back(void **state)
{
    (void)state;
    rig_live_and_die(two_of_four_are_decided_and_it_dies);
    rig_open();
    assert_int_equal(ways_waiting(rig.ways), 2);
    const char *out = rig_took();
    assert_int_equal(times(out, "<body>"), 2);
    assert_true(strstr(out, "first") < strstr(out, "second"));
    assert_int_equal(waiting_rows(), 0);
    expect_vcard("v2");
}

/* More than one row holds. */
static void many_of_one_turn_are_decided_and_forgotten(void **state)
{
    char text[900];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    rig_open();
    for (int i = 0; i < 100; i++)
        archive_and_say(i % 2 ? "ben@a.org" : "carl@a.org", text);
    live_commit(rig.live);
    assert_true(waiting_rows() > 1 && waiting_rows() < 50);
    assert_int_equal(times(rig_took(), text), 100);
    assert_int_equal(waiting_rows(), 0);
}

static void say_at_the_end(void *arg)
{
    struct live_hook *hook = arg;

    list_remove(&hook->link);
    archive_and_say("ben@a.org", "<body>late</body>");
}

/* What is handed in by others that the end of a turn calls is a row of this turn, whoever was there first. */
static void what_the_end_of_a_turn_hands_in_is_a_row(void **state)
{
    struct live_hook hook = { .run = say_at_the_end, .arg = &hook };

    (void)state;
    rig_open();
    live_commit(rig.live);
    live_before_commit(rig.live, &hook);
    live_dirty(rig.live);
    live_commit(rig.live);
    assert_int_equal(waiting_rows(), 1);
    wait_for(0);
    live_commit(rig.live);
    assert_int_equal(waiting_rows(), 0);
}

/* As the version before wrote it: the answer is ready. */
static void put_row_of_format_2(void)
{
    struct stanza answer = says("<error/>"), ahead = says("<body>ahead</body>");
    struct buf    row = { 0 }, frames[2] = { { 0 } };
    struct frame  f = frame_make(FRAME_STANZA);
    enum zerr     err;

    answer.type = TYPE_ERROR;
    assert_true(outcome_stanza_frame(&rig, &ahead, &f, &err));
    assert_int_equal(frame_encode(&frames[0], &f), ZE_OK);
    assert_true(outcome_stanza_frame(&rig, &answer, &f, &err));
    assert_int_equal(frame_encode(&frames[1], &f), ZE_OK);
    buf_put_u8(&row, 2);
    buf_put_u8(&row, DOOMED_ACCOUNTS);
    buf_put_u64(&row, 1000);                                /* its batch in the accounts, never decided */
    buf_put_u64(&row, 0);
    buf_put_u64(&row, 0);
    buf_put_u32(&row, 0);
    buf_put_sized(&row, SLICE("anna@a.org"));
    buf_put_sized(&row, slice_of(NULL, 0));
    buf_put_sized(&row, slice_of(NULL, 0));
    buf_put_sized(&row, buf_slice(&frames[0]));
    buf_put_sized(&row, slice_of(NULL, 0));
    buf_put_sized(&row, buf_slice(&frames[1]));
    buf_put_sized(&row, slice_of(NULL, 0));
    live_put_u64(rig.live, L_WAITING, 7, buf_slice(&row));
    live_commit(rig.live);
    buf_free(&frames[0]);
    buf_free(&frames[1]);
    buf_free(&row);
    rig_killed_here();
}

static void what_the_version_before_left_waiting_is_ended(void **state)
{
    (void)state;
    rig_live_and_die(put_row_of_format_2);
    rig_open();
    const char *out = rig_took();
    assert_int_equal(times(out, "<body>ahead</body>"), 1);
    assert_int_equal(times(out, "<error/>"), 1);
    rig_close();
    rig_open();
    assert_string_equal(rig_took(), "");
}

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
        T(killed_after_the_commit_what_depends_on_it_leaves_once),
        T(killed_before_the_commit_it_is_made_and_the_order_stays),
        T(what_was_refused_is_told_and_nothing_is_built_on_it),
        T(of_one_turn_only_what_still_waits_comes_back),
        T(many_of_one_turn_are_decided_and_forgotten),
        T(what_the_end_of_a_turn_hands_in_is_a_row),
        T(what_the_version_before_left_waiting_is_ended),
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
