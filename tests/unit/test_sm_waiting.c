/* Outcomes that wait for a commit when sm is killed: the next process ends what this one began (sm/outcome_live.h). */

#include "survival_rig.h"

#include "outcome_inner.h"
#include "outcome_live.h"

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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_prepare, rig_teardown)
    const struct CMUnitTest tests[] = {
        T(killed_after_the_commit_what_depends_on_it_leaves_once),
        T(killed_before_the_commit_it_is_made_and_the_order_stays),
        T(what_was_refused_is_told_and_nothing_is_built_on_it),
        T(of_one_turn_only_what_still_waits_comes_back),
        T(many_of_one_turn_are_decided_and_forgotten),
        T(what_the_end_of_a_turn_hands_in_is_a_row),
        T(what_the_version_before_left_waiting_is_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
