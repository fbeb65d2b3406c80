/* sm/archive, offline, mam, retention with the whole of sm: what is stored when, what waits for what, what comes
 * back after a power cut, what goes in time. */

#include "archive_rig.h"

#define ASK "<query xmlns='" NS_MAM "'/>"

static struct store *rig_store_with_floor(long floor_mb)
{
    char              path[128];
    struct store_spec spec = { .path = path, .tables = sm_archive_tables, .schema = ARCHIVE_SCHEMA, .runs = ARCHIVE_RUNS,
                               .map_bytes = 64 << 20, .disk_floor_mb = floor_mb };

    snprintf(path, sizeof path, "%s/archive", rig_dir);
    return store_open(rig.loop, &spec);
}

static void say(const char *body)
{
    char content[128];

    snprintf(content, sizeof content, "<body>%s</body>", body);
    rig_client(anna, "message", "chat", "ben@a.org", content);
}

static void delivery_does_not_wait_for_the_commit(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        say("now");
    assert_true(ways_waiting(rig.ways) > 0);
    assert_int_equal(occurrences(rig_log, "c2 <message"), 3);        /* nothing was committed yet */
}

static void the_archive_is_answered_after_it(void **state)
{
    (void)state;
    say("now");
    rig_log[0] = 0;                    /* the message; its commit is under way */
    rig_client(ben, "iq", "set", NULL, ASK);
    assert_string_equal(rig_log, "");
    assert_int_equal(occurrences(rig_took(), "<result xmlns='urn:xmpp:mam:2'"), 1);
}

#define FOR_WORD(word)                                                                                             \
    "<query xmlns='" NS_MAM "'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>"   \
    NS_MAM "</value></field><field var='{urn:xmpp:fulltext:0}fulltext'><value>" word "</value></field></x></query>"

/* A step a turn: who asks meanwhile is answered meanwhile. */
static void a_long_search_lets_others_be_served(void **state)
{
    unsigned turns = 0;

    (void)state;
    for (int i = 0; i < 3 * LEDGER_SCAN_DEEP; i++) {
        say("common");
        rig_forget();
    }
    say("rare");
    rig_forget();
    rig_client(ben, "iq", "set", NULL, FOR_WORD("rare"));
    uv_run(loop_uv(rig.loop), UV_RUN_NOWAIT);
    rig_client(anna, "iq", "get", "a.org", "<ping xmlns='urn:xmpp:ping'/>");
    for (; !strstr(rig_log, "<fin") && turns < 1000; turns++)
        uv_run(loop_uv(rig.loop), UV_RUN_NOWAIT);
    assert_in_range(turns, 2, 10);
    assert_int_equal(occurrences(rig_log, "c1 <iq"), 1);
    assert_true(strstr(rig_log, "c1 <iq") < strstr(rig_log, "<fin"));
    assert_int_equal(occurrences(rig_took(), "<result xmlns='urn:xmpp:mam:2'"), 1);
}

static void the_copy_names_its_record(void **state)
{
    const char *out, *id;
    char        text[LEDGER_ID_TEXT] = "";

    (void)state;
    say("one");
    out = rig_took();
    id = strstr(out, "<stanza-id xmlns='urn:xmpp:sid:0' by='ben@a.org' id='");
    assert_non_null(id);
    memcpy(text, id + strlen("<stanza-id xmlns='urn:xmpp:sid:0' by='ben@a.org' id='"), 16);
    rig_client(ben, "iq", "set", NULL, ASK);
    assert_says(rig_took(), text);
    assert_int_equal(archived(anna), 1);
}

#define DELAY(from) "<delay xmlns='urn:xmpp:delay' from='" from "' stamp='2002-09-10T23:08:25Z'/>"

/* XEP-0203 5: nobody but we can know that we were late. */
static void a_delay_of_ours_is_ours_to_tell(void **state)
{
    (void)state;
    rig_client(anna, "message", "chat", "ben@a.org", "<body>one</body>" DELAY("A.ORG") DELAY("anna@a.org/x"));
    const char *out = rig_took();
    assert_says(out, "<body>one</body>" DELAY("anna@a.org/x") "<stanza-id");
    assert_silent_about(out, "A.ORG");
    rig_from("s2sd-1", "message", "chat", "eve@b.org/e", "ben@a.org", "<body>two</body>" DELAY("a.org") DELAY("b.org"));
    assert_says(rig_took(), "<body>two</body>" DELAY("b.org") "<stanza-id");
    assert_silent_about(archive_of(ben), DELAY("a.org"));
}

static void a_low_disk_refuses_what_is_stored_and_nothing_else(void **state)
{
    (void)state;
    store_close(&rig.store.archive);
    rig.store.archive = rig_store_with_floor(1L << 40);
    say("stored");
    const char *out = rig_took();
    assert_says(out, "resource-constraint");
    assert_silent_about(out, "c2 <message");
    rig_client(anna, "message", "chat", "ben@a.org", "<composing xmlns='http://jabber.org/protocol/chatstates'/>");
    assert_says(rig_took(), "c2 <message");
    rig_client(anna, "iq", "get", "a.org", "<ping xmlns='urn:xmpp:ping'/>");
    assert_says(rig_took(), "type='result'");
}

/* The machine lost power: no session ended, and nobody knows whether ben has seen it. */
static void lose_power_after(const char *body)
{
    say(body);
    rig_wait();
    session_remove(rig.sessions, &ben);
    archive_cold_start(&rig, wall_us());
}

static void after_a_power_cut_it_comes_to_who_does_not_ask(void **state)
{
    struct session *later;

    (void)state;
    lose_power_after("before the cut");
    say("behind the cut");
    const char *out = come_back(&later, "ben@a.org/z");
    assert_int_equal(occurrences(out, "before the cut"), 1);
    assert_int_equal(occurrences(out, "behind the cut"), 1);
    assert_true(strstr(out, "before the cut") < strstr(out, "behind the cut"));
    dispatch_end_session(&rig, &later, NULL, NULL, 0);
    rig_forget();
}

static void who_has_asked_gets_nothing_of_it(void **state)
{
    struct session *later;

    (void)state;
    lose_power_after("before the cut");
    later = rig_bind("ben@a.org/z", 3);
    assert_int_equal(archived(later), 1);
    rig_client(later, "presence", "", NULL, "");
    assert_silent_about(rig_took(), "before the cut");
}

/* A session that ends in order leaves a mark: nothing before it is taken for lost. */
static void what_was_delivered_does_not_come_again(void **state)
{
    struct session *later;

    (void)state;
    say("delivered");
    dispatch_end_session(&rig, &ben, NULL, NULL, 0);
    rig_wait();
    archive_cold_start(&rig, wall_us());
    assert_silent_about(come_back(&later, "ben@a.org/z"), "delivered");
}

static uint64_t mark_after(uint64_t now_us)
{
    struct store_view *view = store_view(rig.store.archive);
    struct stanza      none = { 0 };
    struct passage     p = { .sm = &rig, .owner = SLICE("ben@a.org"), .stanza = &none };
    struct ledger_id   mark = { 0 };
    struct ledger      l;

    p.out = outcome_new(&rig, p.owner, 1);
    assert_int_equal(ledger_open(&l, sm_ledger(&rig.store), view, p.owner), ZE_OK);
    archive_mark(&p, &l, now_us);
    outcome_settle(&p.out);
    assert_int_equal(ledger_delivered(&l, &mark), ZE_OK);
    store_view_end(&view);
    arena_reset(rig.arena);
    rig_wait();
    return mark.time_us;
}

static void the_mark_goes_along_once_a_minute(void **state)
{
    uint64_t minute = 60 * 1000000, now;

    (void)state;
    say("one");
    rig_wait();
    now = wall_us();
    assert_int_equal(mark_after(now + 10 * minute), now + 9 * minute);
    assert_int_equal(mark_after(now + 11 * minute - 1), now + 9 * minute);
    assert_int_equal(mark_after(now + 11 * minute), now + 10 * minute);
}

/* ---- in time ---- */

static void what_is_too_old_goes(void **state)
{
    (void)state;
    say("one");
    say("two");
    assert_int_equal(archived(ben), 2);
    walk(wall_us() + 100 * DAY_US);
    assert_int_equal(archived(ben), 2);              /* for ever */
    rig_settings.server.archive_days = 30;
    walk(wall_us() + 29 * DAY_US);
    assert_int_equal(archived(ben), 2);
    walk(wall_us() + 31 * DAY_US);
    assert_int_equal(archived(ben) + archived(anna), 0);
}

static int count_row(void *arg, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)arg;
    return 0;
}

static unsigned rows_in(unsigned table)
{
    struct store_view *view = store_view(rig.store.archive);
    unsigned           rows = 0;

    store_each(view, table, SLICE(""), SLICE(""), false, count_row, &rows);
    store_view_end(&view);
    return rows;
}

static void a_removed_account_leaves_no_rows(void **state)
{
    (void)state;
    say("one");
    rig_wait();
    rig_client(ben, "iq", "set", NULL, "<query xmlns='jabber:iq:register'><remove/></query>");
    rig_wait();
    walk(wall_us());
    assert_int_equal(rows_in(A_LEDGER), 1);            /* anna's */
    assert_int_equal(rows_in(A_CONTACT), 1);
    assert_int_equal(rows_in(A_INTERN), 4);            /* hers twice, and the last number of two slots */
    assert_int_equal(archived(anna), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(delivery_does_not_wait_for_the_commit),
        FLOW(the_archive_is_answered_after_it),
        FLOW(a_long_search_lets_others_be_served),
        FLOW(the_copy_names_its_record),
        FLOW(a_delay_of_ours_is_ours_to_tell),
        FLOW(a_low_disk_refuses_what_is_stored_and_nothing_else),
        FLOW(after_a_power_cut_it_comes_to_who_does_not_ask),
        FLOW(who_has_asked_gets_nothing_of_it),
        FLOW(what_was_delivered_does_not_come_again),
        FLOW(the_mark_goes_along_once_a_minute),
        FLOW(what_is_too_old_goes),
        FLOW(a_removed_account_leaves_no_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
