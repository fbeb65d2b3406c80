/* The channels of a link: what is kept, sent again, confirmed, dropped; who is lost and what becomes of
 * what was for it. */

#include "link_rig.h"

static void what_is_not_confirmed_is_sent_again_to_a_new_router(void **state)
{
    (void)state;
    struct frame f;

    greet();
    say_table();
    for (int i = 0; i < 4; i++)
        assert_int_equal(send_text("text", TYPE_CHAT), ZE_OK);
    for (uint64_t n = 1; n <= 4; n++)
        expect("text", n);
    say_confirm(1, 4, 0, 3, 3);     /* 3 is done before 2 */
    hang_up();
    greet();
    say_table();
    expect("text", 2);
    assert_true(t.syncs == 1 && t.first == 2 && t.sent == 1);
    UNTIL(received(&f));            /* nobody shall wait for 3 */
    struct cursor c = { f.body, false };
    assert_true(f.kind == FRAME_VOID && f.number == 3 && take_u64(&c) == 3);
    expect("text", 4);
    expect_nothing();
}

static void what_waits_is_sent_again_when_the_receiver_joins_anew(void **state)
{
    (void)state;
    greet();
    say_table();
    assert_int_equal(send_text("one", TYPE_CHAT), ZE_OK);
    expect("one", 1);
    routes_set_up(t.routes, instance_key("sm-1"), 11, false);
    say_table();
    assert_int_equal(send_text("two", TYPE_CHAT), ZE_OK);
    expect_nothing();
    routes_set_up(t.routes, instance_key("sm-1"), 11, true);
    say_table();
    expect("one", 1);
    expect("two", 2);
    assert_int_equal(t.syncs, 2);
    say_table();                    /* the same join: nothing new */
    expect_nothing();
    say_confirm(0, 1, 1, 0, 0);     /* it says itself that 2 is missing */
    expect("two", 2);
    assert_true(t.syncs == 3 && t.first == 1 && t.sent == 1);
    expect_nothing();
}

static void a_silent_receiver_is_asked(void **state)
{
    (void)state;
    greet();
    say_table();
    assert_int_equal(send_text("lost", TYPE_CHAT), ZE_OK);
    expect("lost", 1);
    struct frame f;
    UNTIL(received(&f) || t.syncs == 2);
    assert_true(t.first == 1 && t.sent == 1);
    say_confirm(0, 0, 1, 0, 0);
    expect("lost", 1);
}

static void seen_frames_and_gaps_are_dropped(void **state)
{
    (void)state;
    greet();
    say_table();
    say_sync(11, 5, 4);
    for (uint64_t n = 5; n <= 7; n++) {
        struct frame f = to_link(FRAME_STANZA, "x");
        assert_int_equal(f.number, n);
        say(&f);
    }
    UNTIL(seen.stanzas == 3);
    say_sync(11, 6, 5);             /* a new router: it has not heard that 6 and 7 are done */
    for (uint64_t n = 6; n <= 8; n++) {
        struct frame f = to_link(FRAME_STANZA, "x");
        say(&f);
    }
    UNTIL(seen.stanzas == 4);
    struct frame f;
    UNTIL(received(&f) || t.confirm.done == 8);
    assert_true(t.confirm.life == 11 && t.confirm.seen == 8 && !t.confirm.resend);
    t.number = 9;
    struct frame far = to_link(FRAME_STANZA, "10");
    say(&far);
    UNTIL(received(&f) || t.confirm.resend);
    assert_true(t.confirm.done == 8 && t.confirm.seen == 8);
    t.number = 8;
    for (uint64_t n = 9; n <= 10; n++) {
        far = to_link(FRAME_STANZA, "again");
        say(&far);
    }
    UNTIL(seen.stanzas == 6);
}

static void a_new_life_of_the_sender_counts_anew(void **state)
{
    (void)state;
    struct frame f;

    greet();
    say_table();
    for (int i = 0; i < 3; i++) {
        f = to_link(FRAME_STANZA, "x");
        say(&f);
    }
    UNTIL(seen.stanzas == 3);
    routes_set_up(t.routes, instance_key("sm-1"), 12, true);
    say_table();
    say_sync(12, 1, 0);
    f = to_link(FRAME_STANZA, "of life 12");
    f.origin.incarnation = 12;
    say(&f);
    UNTIL(seen.stanzas == 4);
    UNTIL(received(&f) || (t.confirm.life == 12 && t.confirm.done == 1));
}

static void voids_count_and_do_not_arrive(void **state)
{
    (void)state;
    struct frame f, blank;
    struct buf   body = { 0 };

    greet();
    say_table();
    blank = to_link(FRAME_VOID, "");            /* what routerd puts in the place of a refused frame */
    say(&blank);
    blank = to_link(FRAME_VOID, "");
    buf_put_u64(&body, 5);                      /* 2 to 5 were withdrawn */
    blank.body = buf_slice(&body);
    say(&blank);
    buf_free(&body);
    t.number = 5;
    f = to_link(FRAME_STANZA, "6");
    say(&f);
    UNTIL(seen.stanzas == 1);
    UNTIL(received(&f) || t.confirm.done == 6);
    assert_string_equal(seen.last_body, "6");
}

static int set_up_with_stores(void **state)
{
    rig_stores = true;
    int rc = set_up(state);
    rig_stores = false;
    return rc;
}

/* Who hears a confirm tells a client that nothing can be lost any more: what the turn handed to the stores has to be
 * decided, and what was handed in since is not waited for. */
static void a_confirm_waits_for_what_was_handed_to_the_stores(void **state)
{
    struct frame f, first = to_link(FRAME_STANZA, "1");

    (void)state;
    greet();
    say_table();
    t.handed = 1;
    say(&first);
    UNTIL(seen.stanzas == 1);
    struct frame second = to_link(FRAME_STANZA, "2");
    turns(20);
    t.handed = 2;
    say(&second);
    UNTIL(seen.stanzas == 2);
    turns(20);
    while (received(&f))
        continue;
    assert_int_equal(t.confirm.done, 0);
    t.decided = 1;
    UNTIL(received(&f) || t.confirm.done == 1);
    turns(20);
    while (received(&f))
        continue;
    assert_int_equal(t.confirm.done, 1);
    t.decided = 2;
    UNTIL(received(&f) || t.confirm.done == 2);
}

static void receipts_confirm_out_of_order(void **state)
{
    (void)state;
    struct frame f;

    greet();
    say_table();
    seen.take_receipts = true;
    for (int i = 0; i < 4; i++) {
        f = to_link(FRAME_STANZA, "x");
        say(&f);
    }
    UNTIL(seen.stanzas == 4);
    struct receipt *second = receipt_ref(seen.receipt[2]);
    receipt_unref(&seen.receipt[2]);
    receipt_unref(&seen.receipt[1]);
    receipt_unref(&seen.receipt[3]);
    UNTIL(received(&f) || t.range[0] == 2);
    assert_true(t.confirm.done == 0 && t.confirm.seen == 4 && t.range[1] == 2);
    receipt_unref(&second);
    receipt_unref(&seen.receipt[0]);
    UNTIL(received(&f) || t.confirm.done == 4);
}

static void kept_frames_are_let_go_when_confirmed(void **state)
{
    (void)state;
    struct kept *k = NULL, *own;
    struct frame f = frame_make(FRAME_STANZA), got;

    greet();
    say_table();
    f.stanza.name = STANZA_MESSAGE;
    f.dest.instance = instance_key("sm-1");
    f.body = SLICE("kept");
    assert_int_equal(link_send_kept(t.link, &f, 4711, &k), ZE_OK);
    own = link_keep(t.link, &f, 4712);
    assert_true(kept_tag(k) == 4711 && kept_serial(k) == 1 && kept_serial(own) == 2);
    assert_true(!kept_confirmed(k) && kept_confirmed(own));
    expect("kept", 1);
    expect_nothing();                           /* the other one stays here */
    say_confirm(1, 1, 0, 0, 0);
    assert_int_equal(seen.confirmed, 4711);
    assert_true(kept_confirmed(k));
    assert_true(frame_decode(kept_bytes(k), &got) > 0 && slice_is(got.body, "kept"));
    kept_unref(t.link, &k);
    kept_unref(t.link, &own);
}

/* Somebody lies: what was never sent is not confirmed. */
static void a_wrong_confirm_does_no_harm(void **state)
{
    (void)state;
    greet();
    say_table();
    say_pause(FRAME_PAUSE, "sm-1");
    assert_int_equal(send_text("held", TYPE_CHAT), ZE_OK);
    say_confirm(UINT64_MAX, UINT64_MAX, 1, 1, UINT64_MAX);
    say_pause(FRAME_RESUME, "sm-1");
    expect("held", 1);
    assert_int_equal(seen.confirmed, 0);
}

static void a_new_life_voids_what_was_meant_for_the_old_one(void **state)
{
    (void)state;
    struct frame bound = frame_make(FRAME_STANZA);

    greet();
    say_table();
    say_pause(FRAME_PAUSE, "sm-1");
    bound.stanza.name = STANZA_MESSAGE;
    bound.dest = (struct address){ ROLE_SM, instance_key("sm-1"), 11 };
    bound.body = SLICE("for life 11");
    assert_int_equal(link_send(t.link, &bound), ZE_OK);
    assert_int_equal(send_text("for any", TYPE_CHAT), ZE_OK);
    bound.dest.incarnation = 10;
    assert_int_equal(link_send(t.link, &bound), ZE_NO_ROUTE);
    routes_set_up(t.routes, instance_key("sm-1"), 12, true);
    say_table();
    assert_int_equal(seen.lost, 1);
    assert_int_equal(seen.lost_life, 11);
    assert_int_equal(seen.bounces, 1);
    assert_int_equal(seen.why, ZE_NO_ROUTE);
    say_pause(FRAME_RESUME, "sm-1");
    expect("for any", 2);       /* to the new life, which begins with it */
    assert_true(t.syncs == 1 && t.first == 2 && t.sent == 1);
}

/* sm comes back as it was, so nothing but questions that never left is given up. */
static void questions_do_not_wait_for_who_is_away(void **state)
{
    (void)state;
    struct frame f;

    greet();
    say_table();
    assert_int_equal(send_text("asked", TYPE_GET), ZE_OK);
    expect("asked", 1);
    routes_set_up(t.routes, instance_key("sm-1"), 11, false);
    say_table();
    assert_int_equal(send_text("question", TYPE_GET), ZE_OK);
    assert_int_equal(send_text("message", TYPE_CHAT), ZE_OK);
    UNTIL(seen.bounces == 1);
    assert_int_equal(seen.why, ZE_TIMEOUT);
    assert_int_equal(seen.lost, 0);
    assert_int_equal(send_text("another", TYPE_GET), ZE_TIMEOUT);
    routes_set_up(t.routes, instance_key("sm-1"), 11, true);
    say_table();
    expect("asked", 1);
    UNTIL(received(&f));
    assert_true(f.kind == FRAME_VOID && f.number == 2);
    expect("message", 3);
    assert_int_equal(send_text("now", TYPE_GET), ZE_OK);
    expect("now", 4);
}

static void a_border_daemon_that_stays_away_is_lost(void **state)
{
    (void)state;
    struct frame bound = frame_make(FRAME_STANZA);

    greet();
    routes_add_instance(t.routes, "c2sd-2");
    routes_set_up(t.routes, instance_key("c2sd-2"), 31, true);
    say_table();
    bound.stanza.name = STANZA_MESSAGE;
    bound.dest = (struct address){ ROLE_C2SD, instance_key("c2sd-2"), 31 };
    bound.body = SLICE("for life 31");
    assert_int_equal(link_send(t.link, &bound), ZE_OK);
    routes_set_up(t.routes, instance_key("c2sd-2"), 31, false);
    say_table();
    UNTIL(seen.lost == 1);
    assert_true(seen.lost_life == 31 && seen.bounces == 1 && seen.why == ZE_NO_ROUTE);
    assert_int_equal(link_send(t.link, &bound), ZE_NO_ROUTE);
}

static void what_was_for_an_evicted_member_goes_another_way(void **state)
{
    (void)state;
    struct frame bound = frame_make(FRAME_STANZA), f;

    greet();
    say_table();
    say_pause(FRAME_PAUSE, "sm-1");
    assert_int_equal(send_text("to a JID", TYPE_CHAT), ZE_OK);
    bound.stanza.name = STANZA_MESSAGE;
    bound.dest = (struct address){ ROLE_SM, instance_key("sm-1"), 11 };
    bound.body = SLICE("to a session of sm-1");
    assert_int_equal(link_send(t.link, &bound), ZE_OK);
    routes_free(&t.routes);
    t.routes = routes_new();
    routes_add_instance(t.routes, "sm-2");
    routes_add_instance(t.routes, "c2sd-1");
    routes_add_domain(t.routes, SLICE("localhost"), ROLE_SM, 0);
    routes_set_generation(t.routes, 6);
    routes_set_up(t.routes, instance_key("sm-2"), 21, true);
    say_table();
    assert_true(seen.lost == 1 && seen.bounces == 1 && seen.why == ZE_NO_ROUTE);
    UNTIL(received(&f));
    assert_true(slice_is(f.body, "to a JID") && f.number == 1 && f.generation == 6);
    assert_int_equal(f.dest.instance, instance_key("sm-2"));
    expect_nothing();
}

static void nobody_is_lost_while_the_router_is_away(void **state)
{
    (void)state;
    greet();
    say_table();
    hang_up();
    UNTIL(!link_up(t.link));
    turns(600);
    assert_int_equal(seen.lost, 0);
    routes_set_up(t.routes, instance_key("sm-1"), 0, false);    /* a new routerd has not seen it yet */
    hang_up();
    greet();
    say_table();
    routes_set_up(t.routes, instance_key("sm-1"), 11, true);
    say_table();
    assert_int_equal(seen.lost, 0);
}

#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINK(what_is_not_confirmed_is_sent_again_to_a_new_router),
        WITH_LINK(what_waits_is_sent_again_when_the_receiver_joins_anew),
        WITH_LINK(a_silent_receiver_is_asked),
        WITH_LINK(seen_frames_and_gaps_are_dropped),
        WITH_LINK(a_new_life_of_the_sender_counts_anew),
        WITH_LINK(voids_count_and_do_not_arrive),
        cmocka_unit_test_setup_teardown(a_confirm_waits_for_what_was_handed_to_the_stores, set_up_with_stores, tear_down),
        WITH_LINK(receipts_confirm_out_of_order),
        WITH_LINK(kept_frames_are_let_go_when_confirmed),
        WITH_LINK(a_wrong_confirm_does_no_harm),
        WITH_LINK(a_new_life_voids_what_was_meant_for_the_old_one),
        WITH_LINK(questions_do_not_wait_for_who_is_away),
        WITH_LINK(a_border_daemon_that_stays_away_is_lost),
        WITH_LINK(what_was_for_an_evicted_member_goes_another_way),
        WITH_LINK(nobody_is_lost_while_the_router_is_away),
    };

    log_open("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
