/* sm/outcome.c: an answer never runs ahead of what it tells. */

#include "sm_rig.h"

#include "stanza_error.h"

static struct session *anna;

static int one_user(void **state)
{
    rig_setup(state);
    anna = rig_bind("anna@a.org/x", 1);
    return 0;
}

static struct stanza says(unsigned type, const char *to, const char *content)
{
    return (struct stanza){
        .name = STANZA_MESSAGE, .type = (uint8_t)type, .from = SLICE("anna@a.org/x"), .to = slice_str(to),
        .id = SLICE("i1"), .content = slice_str(content),
    };
}

/* An outcome of anna that asked for something stored, did it and says so; a commit that fails when `bad`. */
static void store_something(const char *value, bool bad, const struct stanza *request)
{
    struct outcome *o = outcome_new(&rig, SLICE("anna@a.org"), 1);
    struct slice    key = sm_key(&rig, SLICE("anna@a.org"), slice_of(NULL, 0));
    struct stanza   ahead = says(TYPE_CHAT, "b@b.org", "<body>ahead</body>");
    struct stanza   after = says(TYPE_CHAT, "b@b.org", value);

    outcome_request(o, request);
    if (bad)
        store_expect_value(outcome_accounts(o), T_VCARD, key, SLICE("never there"));
    store_put(outcome_accounts(o), T_VCARD, key, SLICE("v"));
    outcome_route(o, AFTER_COMMIT, &after);
    outcome_route(o, AHEAD, &ahead);
    outcome_settle(&o);
    arena_reset(rig.arena);
}

static void say_plainly(const char *owner, const char *text)
{
    struct outcome *o = outcome_new(&rig, slice_str(owner), 1);
    struct stanza   s = says(TYPE_CHAT, "b@b.org", text);

    outcome_route(o, AFTER_COMMIT, &s);
    outcome_settle(&o);
    arena_reset(rig.arena);
}

static void what_depends_on_the_batch_leaves_after_its_commit(void **state)
{
    struct stanza asked = says(TYPE_CHAT, "a.org", "");

    (void)state;
    store_something("<body>stored</body>", false, &asked);
    assert_says(rig_log, "<body>ahead</body>");
    assert_silent_about(rig_log, "<body>stored</body>");
    assert_int_equal(ways_waiting(rig.ways), 1);
    assert_says(rig_took(), "<body>stored</body>");
    assert_int_equal(ways_waiting(rig.ways), 0);
}

static void a_failed_commit_tells_who_asked_and_nobody_else(void **state)
{
    struct stanza asked = says(TYPE_CHAT, "a.org", "");
    const char   *out;

    (void)state;
    store_something("<body>stored</body>", true, &asked);
    out = rig_took();
    assert_silent_about(out, "<body>stored</body>");
    assert_says(out, "c1 <message from='a.org' id='i1' type='error' to='anna@a.org/x'>");
    assert_says(out, "internal-server-error");
}

/* RFC 6120 8.3.1: with what was asked, unless that is long. */
static void the_answer_to_a_failed_commit_holds_what_was_asked(void **state)
{
    char          text[STANZA_ERROR_PAYLOAD_MAX + 1];
    struct stanza asked = says(TYPE_CHAT, "a.org", "<body>please</body>");

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    store_something("<body>stored</body>", true, &asked);
    assert_says(rig_took(), "<body>please</body><error ");
    asked.content = slice_str(text);
    store_something("<body>stored</body>", true, &asked);
    assert_says(rig_took(), "xxx<error ");
    asked.id = SLICE("long");
    char *longer = xprintf("%s!", text);
    asked.content = slice_str(longer);
    store_something("<body>stored</body>", true, &asked);
    const char *out = rig_took();
    assert_says(out, "id='long' type='error' to='anna@a.org/x'><error ");
    assert_silent_about(out, "!");
    free(longer);
}

static void an_error_is_not_answered_when_its_commit_fails(void **state)
{
    struct stanza asked = says(TYPE_ERROR, "a.org", "<body>please</body>");

    (void)state;
    store_something("<body>stored</body>", true, &asked);
    assert_silent_about(rig_took(), "please");
}

static void the_same_owner_keeps_its_order_others_do_not_wait(void **state)
{
    const char *out;

    (void)state;
    store_something("<body>one</body>", false, NULL);
    rig_log[0] = 0;
    say_plainly("anna@a.org", "<body>two</body>");
    store_something("<body>three</body>", false, NULL);
    say_plainly("ben@a.org", "<body>ben</body>");
    assert_says(rig_log, "<body>ben</body>");
    assert_silent_about(rig_log, "<body>two</body>");
    assert_silent_about(rig_log, "ahead");            /* waits behind its own owner too */
    out = rig_took();
    assert_true(strstr(out, "<body>one</body>") < strstr(out, "<body>two</body>"));
    assert_true(strstr(out, "<body>two</body>") < strstr(out, "<body>three</body>"));
}

static void an_abandoned_outcome_stores_nothing(void **state)
{
    struct outcome    *o = outcome_new(&rig, SLICE("anna@a.org"), 1);
    struct slice       key = sm_key(&rig, SLICE("anna@a.org"), slice_of(NULL, 0));
    struct stanza      after = says(TYPE_CHAT, "b@b.org", "<body>after</body>");
    struct store_view *view;

    (void)state;
    store_put(outcome_accounts(o), T_VCARD, key, SLICE("v"));
    outcome_route(o, AFTER_COMMIT, &after);
    outcome_abandon(o);
    outcome_settle(&o);
    assert_string_equal(rig_took(), "");
    view = store_view(rig.store.accounts);
    assert_null(store_get(view, T_VCARD, key).p);
    store_view_end(&view);
    arena_reset(rig.arena);
}

static void count_then(void *arg, enum zerr err)
{
    *(int *)arg += err ? 100 : 1;
}

static void what_was_to_happen_then_happens_once(void **state)
{
    struct outcome *o = outcome_new(&rig, SLICE("anna@a.org"), 1);
    struct slice    key = sm_key(&rig, SLICE("anna@a.org"), slice_of(NULL, 0));
    int             count = 0;

    (void)state;
    outcome_then(o, count_then, &count);
    outcome_settle(&o);
    assert_int_equal(count, 1);
    o = outcome_new(&rig, SLICE("anna@a.org"), 1);
    store_expect_value(outcome_accounts(o), T_VCARD, key, SLICE("never there"));
    store_put(outcome_accounts(o), T_VCARD, key, SLICE("v"));
    outcome_then(o, count_then, &count);
    outcome_settle(&o);
    assert_int_equal(count, 1);
    rig_wait();
    assert_int_equal(count, 101);
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, one_user, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(what_depends_on_the_batch_leaves_after_its_commit),
        FLOW(a_failed_commit_tells_who_asked_and_nobody_else),
        FLOW(the_answer_to_a_failed_commit_holds_what_was_asked),
        FLOW(an_error_is_not_answered_when_its_commit_fails),
        FLOW(the_same_owner_keeps_its_order_others_do_not_wait),
        FLOW(an_abandoned_outcome_stores_nothing),
        FLOW(what_was_to_happen_then_happens_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
