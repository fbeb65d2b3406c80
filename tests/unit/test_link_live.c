/* A link with live memory: what it finds again when its process is killed at the end of a turn. */

#include "link_rig.h"

/* All that the turn put is committed; what follows is forgotten, as by a kill. */
static void killed_and_started_again(void)
{
    turns(5);
    live_freeze(t.live);
    for (unsigned i = 0; i < seen.kept; i++)
        kept_unref(t.link, &seen.held[i]);
    stop_link();
    hang_up();
    memset(&seen, 0, sizeof(seen));
    start_link();
}

static void greeted(void)
{
    greet();
    say_table();
}

static struct kept *send_kept(const char *text, uint64_t tag)
{
    struct frame f = frame_make(FRAME_STANZA);
    struct kept *k;

    f.stanza.name = STANZA_MESSAGE;
    f.dest.instance = instance_key("sm-1");
    f.body = slice_str(text);
    assert_int_equal(link_send_kept(t.link, &f, tag, &k), ZE_OK);
    return k;
}

static void say_text(const char *text)
{
    struct frame f = to_link(FRAME_STANZA, text);

    say(&f);
}

static void it_comes_back_as_it_was(void **state)
{
    (void)state;
    uint64_t before = link_incarnation(t.link);

    greeted();
    for (uint64_t tag = 1; tag <= 3; tag++) {
        struct kept *k = send_kept("text", tag);
        kept_unref(t.link, &k);
    }
    say_confirm(1, 3, 0, 0, 0);
    killed_and_started_again();
    assert_true(link_incarnation(t.link) == before);
    assert_true(seen.kept == 2 && seen.kept_tags[0] == 2 && seen.kept_tags[1] == 3);
    struct kept *k = send_kept("new", 4);           /* the table is known before routerd is found */
    assert_int_equal(kept_serial(k), 4);
    kept_unref(t.link, &k);
    greeted();
    expect("text", 2);
    assert_true(t.syncs == 1 && t.first == 2 && t.sent == 1);
    expect("text", 3);
    expect("new", 4);
    say_confirm(4, 4, 0, 0, 0);
    killed_and_started_again();
    assert_int_equal(seen.kept, 0);
    greeted();
    k = send_kept("numbers go on", 5);
    kept_unref(t.link, &k);
    expect("numbers go on", 5);
}

static void what_others_hold_stays_and_is_not_sent_again(void **state)
{
    (void)state;
    struct frame f = frame_make(FRAME_STANZA);

    greeted();
    struct kept *sent = send_kept("sent", HOLD + 1), *later = send_kept("done out of order", HOLD + 2);
    f.stanza.name = STANZA_MESSAGE;
    f.body = SLICE("for nobody yet");
    struct kept *own = link_keep(t.link, &f, HOLD + 3), *open = send_kept("not done", 4);
    kept_unref(t.link, &open);
    open = send_kept("last", 5);
    kept_unref(t.link, &open);
    say_confirm(1, 5, 0, 2, 2);
    assert_true(kept_confirmed(sent) && kept_confirmed(later));
    seen.held[0] = sent;
    seen.held[1] = later;
    seen.held[2] = own;
    seen.kept = 3;
    killed_and_started_again();
    assert_int_equal(seen.kept, 5);
    assert_true(kept_confirmed(seen.held[0]) && kept_confirmed(seen.held[1]) && kept_confirmed(seen.held[2]));
    greeted();
    expect("not done", 3);
    expect("last", 4);
    for (unsigned i = 0; i < 3; i++)
        kept_unref(t.link, &seen.held[i]);
    seen.kept = 0;
    killed_and_started_again();
    assert_int_equal(seen.kept, 2);
}

/* What ends sends, nobody would know of later: its number would be given twice. */
static void after_the_seal_nothing_leaves(void **state)
{
    (void)state;
    char rest[4096];

    greeted();
    struct kept *k = send_kept("made true", 1);
    kept_unref(t.link, &k);
    live_freeze(t.live);
    link_seal(t.link);
    k = send_kept("too late", 2);
    kept_unref(t.link, &k);
    turns(5);
    ssize_t n = recv(t.fd, rest, sizeof(rest), MSG_DONTWAIT);
    assert_true(n > 0);
    assert_non_null(memmem(rest, (size_t)n, "made true", 9));
    assert_null(memmem(rest, (size_t)n, "too late", 8));
    assert_int_equal(recv(t.fd, rest, sizeof(rest), MSG_DONTWAIT), 0);
    killed_and_started_again();
    greeted();
    expect("made true", 1);
    k = send_kept("the next life's", 3);
    kept_unref(t.link, &k);
    expect("the next life's", 2);
}

static void what_was_done_is_not_done_again(void **state)
{
    (void)state;
    struct frame f;

    greeted();
    seen.take_receipts = true;
    for (int i = 0; i < 4; i++)
        say_text("x");
    UNTIL(seen.stanzas == 4);
    receipt_unref(&seen.receipt[0]);
    receipt_unref(&seen.receipt[2]);
    UNTIL(received(&f) || t.range[0] == 3);
    struct receipt *lost[] = { seen.receipt[1], seen.receipt[3] };
    turns(5);
    live_freeze(t.live);
    receipt_unref(&lost[0]);
    receipt_unref(&lost[1]);
    killed_and_started_again();
    greeted();
    say_sync(11, 2, 1);
    for (int i = 2; i <= 5; i++)
        say_text(i == 3 ? "twice" : "x");
    UNTIL(seen.stanzas == 3);                   /* 2, 4 and 5 */
    UNTIL(received(&f) || t.confirm.done == 5);
    assert_string_equal(seen.last_body, "x");
}

static void a_life_that_ended_meanwhile_is_lost(void **state)
{
    (void)state;
    struct frame f = frame_make(FRAME_STANZA);

    greeted();
    f.stanza.name = STANZA_MESSAGE;
    f.dest = (struct address){ ROLE_SM, instance_key("sm-1"), 11 };
    f.body = SLICE("for life 11");
    assert_int_equal(link_send(t.link, &f), ZE_OK);
    killed_and_started_again();
    routes_set_up(t.routes, instance_key("sm-1"), 12, true);
    greeted();
    assert_true(seen.lost == 1 && seen.lost_life == 11 && seen.bounces == 1 && seen.why == ZE_NO_ROUTE);
    struct kept *k = send_kept("for any", 1);
    kept_unref(t.link, &k);
    expect("for any", 2);
    assert_int_equal(t.first, 2);
    killed_and_started_again();
    assert_int_equal(seen.kept, 1);
}

static void a_question_that_left_is_not_returned(void **state)
{
    (void)state;
    greeted();
    assert_int_equal(send_text("left", TYPE_GET), ZE_OK);
    expect("left", 1);
    say_pause(FRAME_PAUSE, "sm-1");
    assert_int_equal(send_text("waits", TYPE_GET), ZE_OK);
    killed_and_started_again();
    routes_set_up(t.routes, instance_key("sm-1"), 11, false);
    greeted();
    UNTIL(seen.bounces == 1);
    turns(400);
    assert_int_equal(seen.bounces, 1);
    routes_set_up(t.routes, instance_key("sm-1"), 11, true);
    say_table();
    expect("left", 1);
}

static void another_boot_begins_anew(void **state)
{
    (void)state;
    uint64_t before = link_incarnation(t.link);

    greeted();
    struct kept *k = send_kept("gone with the machine", 1);
    kept_unref(t.link, &k);
    turns(5);
    stop_link();
    hang_up();
    remove_live();
    start_link();
    assert_true(link_incarnation(t.link) != before);
    assert_int_equal(seen.kept, 0);
    greeted();
    k = send_kept("first", 1);
    kept_unref(t.link, &k);
    expect("first", 1);
}

static int set_up_live(void **state)
{
    rig_live = true;
    return set_up(state);
}

#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, set_up_live, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINK(it_comes_back_as_it_was),
        WITH_LINK(what_others_hold_stays_and_is_not_sent_again),
        WITH_LINK(after_the_seal_nothing_leaves),
        WITH_LINK(what_was_done_is_not_done_again),
        WITH_LINK(a_life_that_ended_meanwhile_is_lost),
        WITH_LINK(a_question_that_left_is_not_returned),
        WITH_LINK(another_boot_begins_anew),
    };

    log_open("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
