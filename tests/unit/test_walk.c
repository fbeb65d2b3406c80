/* sm/walk.c and the verbs that look at all accounts or all sessions: a part a turn, while others are served. */

#include "sm_rig.h"

#include "ctl.h"
#include "verbs.h"

enum { ACCOUNTS = 4 * WALK_ACCOUNTS + 50, CLIENTS = 2 * WALK_SESSIONS + 50 };

static struct answer {
    bool      came;
    enum zerr err;
    char      rows[1 << 20];
} first, second;

static void answered(void *arg, struct slice rows, enum zerr err, const char *reason)
{
    struct answer *a = arg;

    (void)reason;
    a->came = true;
    a->err = err;
    snprintf(a->rows, sizeof(a->rows), "%.*s", (int)rows.len, (const char *)rows.p);
}

static void ask_words(struct answer *a, int argc, const char *const *words)
{
    *a = (struct answer){ 0 };
    ctl_run(sm_verbs, &rig, argc, (char *const *)words, answered, a);
}

#define ASK(a, ...)                                                                                             \
    ask_words(a, (int)COUNT_OF(((const char *const[]){ __VA_ARGS__ })), (const char *const[]){ __VA_ARGS__ })

/* How many turns it takes from now on. */
static unsigned turns_until(const struct answer *a)
{
    unsigned turns = 0;

    for (; !a->came && turns < 1000; turns++)
        uv_run(loop_uv(rig.loop), UV_RUN_NOWAIT);
    return turns;
}

/* Rows like that of one account that was made: nothing is derived for them. */
static void many_accounts(void)
{
    struct store_view  *view = store_view(rig.store.accounts);
    struct store_batch *batch = store_batch(SLICE("x0@a.org"));
    struct slice        like = store_get(view, T_ACCOUNT, sm_key(&rig, SLICE("anna@a.org"), slice_of(NULL, 0)));
    int                 done = 0;

    assert_non_null(like.p);
    for (unsigned i = 1; i < ACCOUNTS; i++) {
        char *jid = xprintf("x%u@a.org", i);

        store_put(batch, T_ACCOUNT, sm_key(&rig, slice_str(jid), slice_of(NULL, 0)), like);
        arena_reset(rig.arena);
        free(jid);
    }
    store_view_end(&view);
    store_commit(rig.store.accounts, &batch, rig_done, &done);
    while (!done)
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    assert_int_equal(done, 1);
}

static int begin(void **state)
{
    rig_setup(state);
    rig_account("anna@a.org");
    many_accounts();
    for (unsigned i = 0; i < CLIENTS; i++) {
        char *jid = xprintf("anna@a.org/%u", i);

        rig_bind(jid, i + 1);
        free(jid);
    }
    rig_forget();
    return 0;
}

static void others_are_answered_while_accounts_are_counted(void **state)
{
    char *all = xprintf("\"registered\":%d,\"disabled\":0,\"online\":1", ACCOUNTS);

    (void)state;
    ASK(&first, "counts", "a.org");
    uv_run(loop_uv(rig.loop), UV_RUN_NOWAIT);
    ASK(&second, "user", "x7@a.org");
    assert_true(second.came && !second.err && strstr(second.rows, "x7@a.org"));
    assert_false(first.came);
    assert_true(turns_until(&first) >= 4);
    assert_int_equal(first.err, ZE_OK);
    assert_non_null(strstr(first.rows, all));
    free(all);
}

static void accounts_are_listed_in_steps_and_each_once(void **state)
{
    (void)state;
    ASK(&first, "users", "a.org");
    assert_true(turns_until(&first) >= 5);
    assert_int_equal(occurrences(first.rows, "\"jid\""), ACCOUNTS);
    assert_int_equal(occurrences(first.rows, "\"x500@a.org\""), 1);
    ASK(&first, "users", "a.org", "all", "3");
    assert_int_equal(turns_until(&first), 1);
    assert_int_equal(occurrences(first.rows, "\"jid\""), 3);
    ASK(&first, "users", "b.org", "all", "soon");
    assert_true(first.came && first.err);
}

static void sessions_are_listed_and_told_in_steps(void **state)
{
    unsigned turns;

    (void)state;
    ASK(&first, "sessions");
    assert_true(turns_until(&first) >= 3);
    assert_int_equal(occurrences(first.rows, "\"resource\""), CLIENTS);
    ASK(&first, "announce", "Tea");
    turns = turns_until(&first);
    assert_true(turns >= 3);
    assert_string_equal(first.rows, "{\"sessions\":450}\n");
    rig_wait();
    assert_int_equal(occurrences(rig_took(), "<body>Tea</body>"), turns);
    ASK(&first, "announce", "Tea", "elsewhere.org");
    assert_int_equal(first.err, ZE_NOT_FOUND);
}

static void a_group_of_everybody_is_counted_in_steps(void **state)
{
    (void)state;
    rig_settings.limits.group_members_max = 2 * WALK_ACCOUNTS;
    ASK(&first, "group-set", "all@a.org", "All", "everybody");
    ASK(&second, "users", "a.org", "all", "1");
    turns_until(&second);
    assert_false(first.came);
    turns_until(&first);
    assert_int_equal(first.err, ZE_FULL);
    rig_settings.limits.group_members_max = ACCOUNTS;
    ASK(&first, "group-set", "all@a.org", "All", "everybody");
    turns_until(&first);
    assert_int_equal(first.err, ZE_OK);
}

static void what_is_under_way_at_the_end_is_told_so(void **state)
{
    (void)state;
    ASK(&first, "counts");
    uv_run(loop_uv(rig.loop), UV_RUN_NOWAIT);
    assert_int_equal(walks_count(&rig), 1);
    walks_forget(&rig);
    assert_int_equal(walks_count(&rig), 0);
    assert_true(first.came);
    assert_int_equal(first.err, ZE_UNAVAILABLE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(others_are_answered_while_accounts_are_counted),
        TEST(accounts_are_listed_in_steps_and_each_once),
        TEST(sessions_are_listed_and_told_in_steps),
        TEST(a_group_of_everybody_is_counted_in_steps),
        TEST(what_is_under_way_at_the_end_is_told_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
