/* proto/link.c: HELLO, waiting, limits, PAUSE, bounces, bindings, reconnects. */

#include "link_rig.h"

static void it_says_hello_and_is_up_with_the_table(void **state)
{
    (void)state;
    assert_int_equal(send_text("too early", TYPE_CHAT), ZE_NO_ROUTE);
    greet();
    assert_false(link_up(t.link));
    say_table();
    assert_true(link_up(t.link));
    assert_int_equal(routes_generation(link_routes(t.link)), 5);
    assert_int_equal(send_text("hi", TYPE_CHAT), ZE_OK);
    assert_int_equal(send_text("ho", TYPE_CHAT), ZE_OK);
    expect("hi", 1);
    expect("ho", 2);
    struct frame in = to_link(FRAME_STANZA, "<body/>");
    say(&in);
    UNTIL(seen.stanzas == 1);
    assert_string_equal(seen.last_body, "<body/>");
}

static void frames_wait_for_a_router_that_is_away(void **state)
{
    (void)state;
    char text[16];

    greet();
    say_table();
    assert_int_equal(send_text("0", TYPE_CHAT), ZE_OK);
    expect("0", 1);
    hang_up();
    UNTIL(!link_up(t.link));
    for (int i = 1; i <= 50; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(send_text(text, TYPE_CHAT), ZE_OK);
    }
    greet();
    expect_nothing();       /* not before the table */
    say_table();
    for (int i = 0; i <= 50; i++) {
        snprintf(text, sizeof(text), "%d", i);
        expect(text, (uint64_t)i + 1);
    }
    assert_int_equal(t.syncs, 1);
    assert_int_equal(t.first, 1);
    expect_nothing();
    say_confirm(51, 51, 0, 0, 0);
    assert_int_equal(link_queued(t.link), 0);
    hang_up();
    greet();
    say_table();
    expect_nothing();       /* all is confirmed */
}

static void a_paused_destination_is_waited_for(void **state)
{
    (void)state;
    greet();
    say_table();
    say_pause(FRAME_PAUSE, "sm-1");
    assert_true(link_congested(t.link, instance_key("sm-1")));
    assert_int_equal(send_text("held", TYPE_CHAT), ZE_OK);
    expect_nothing();
    say_pause(FRAME_RESUME, "sm-1");
    assert_false(link_congested(t.link, instance_key("sm-1")));
    expect("held", 1);
}

static void an_absent_destination_is_waited_for_within_the_limit(void **state)
{
    (void)state;
    static char big[5000];
    struct frame control = frame_make(FRAME_BIND), f;

    memset(big, 'x', sizeof(big) - 1);
    greet();
    routes_set_up(t.routes, instance_key("sm-1"), 11, false);
    say_table();
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_text(big, TYPE_CHAT), ZE_OK);
    assert_true(link_congested(t.link, instance_key("sm-1")));
    assert_int_equal(send_text(big, TYPE_CHAT), ZE_FULL);
    control.dest.instance = instance_key("sm-1");
    control.body = slice_str(big);
    assert_int_equal(link_send(t.link, &control), ZE_OK);       /* control frames have a reserve */
    routes_set_up(t.routes, instance_key("sm-1"), 11, true);
    say_table();
    for (uint64_t n = 1; n <= 4; n++) {
        UNTIL(received(&f));
        assert_int_equal(f.number, n);
    }
    assert_int_equal(f.kind, FRAME_BIND);
    assert_int_equal(send_text(big, TYPE_CHAT), ZE_FULL);       /* sent is not confirmed */
    control.stanza.id = slice_of(big, FRAME_PART_MAX + 1);
    assert_int_equal(link_send(t.link, &control), ZE_POLICY);
    say_confirm(4, 4, 0, 0, 0);
    assert_int_equal(send_text(big, TYPE_CHAT), ZE_OK);
    assert_false(link_congested(t.link, instance_key("sm-1")));
}

static void bounce_back(const struct frame *original, enum zerr why)
{
    struct frame f;
    struct buf   bytes = { 0 }, body = { 0 };

    frame_encode(&bytes, original);
    assert_true(bounce_make(original, buf_slice(&bytes), why, &body, &f));
    f.origin = (struct address){ ROLE_SM, instance_key("sm-1"), 11 };
    f.number = ++t.number;
    say(&f);
    buf_free(&bytes);
    buf_free(&body);
}

static void a_stale_frame_is_routed_again_once(void **state)
{
    (void)state;
    struct frame f;

    greet();
    say_table();
    assert_int_equal(send_text("stale", TYPE_CHAT), ZE_OK);
    UNTIL(received(&f));
    routes_set_generation(t.routes, 6);
    say_table();
    bounce_back(&f, ZE_STALE);
    UNTIL(received(&f));
    assert_int_equal(f.generation, 6);
    assert_int_equal(f.flags, FRAME_REROUTED);
    assert_int_equal(f.number, 2);
    assert_int_equal(f.sender, 77);
    assert_true(slice_is(f.body, "stale"));
    assert_int_equal(seen.bounces, 0);
    bounce_back(&f, ZE_STALE);
    UNTIL(seen.bounces == 1);
    assert_int_equal(seen.why, ZE_STALE);
}

static void junk_from_the_router_is_answered_by_a_new_link(void **state)
{
    (void)state;
    static const char junk[200] = "this is not a frame";

    greet();
    say_table();
    assert_int_equal(send(t.fd, junk, sizeof(junk), MSG_NOSIGNAL), sizeof(junk));
    UNTIL(!link_up(t.link));
    hang_up();
    greet();
    struct frame early = to_link(FRAME_STANZA, "before the table");
    say(&early);
    turns(20);
    hang_up();
    greet();
    say_table();
    struct frame foreign = to_link(FRAME_STANZA, "for another");
    foreign.dest.instance = instance_key("c2sd-2");
    say(&foreign);
    UNTIL(!link_up(t.link));
    assert_int_equal(seen.stanzas, 0);
    hang_up();
    greet();
    say_table();
    assert_true(link_up(t.link));
}

static void expect_bounce(enum zerr expected)
{
    struct frame f, original;
    enum zerr    why;

    UNTIL(received(&f));
    assert_int_equal(f.kind, FRAME_BOUNCE);
    assert_int_equal(f.dest.incarnation, 11);
    assert_int_equal(bounce_decode(&f, &why, &original), ZE_OK);
    assert_int_equal(why, expected);
}

static void what_nobody_handles_goes_back(void **state)
{
    (void)state;
    struct frame unknown = to_link(FRAME_AUTH_DONE, ""), old = to_link(FRAME_STANZA, "for an old life");

    greet();
    say_table();
    say(&unknown);
    expect_bounce(ZE_NO_SUCH);
    old.dest.incarnation = 4711;
    say(&old);
    expect_bounce(ZE_NO_ROUTE);
    assert_int_equal(seen.stanzas, 0);
    old.kind = FRAME_BOUND;
    old.number = ++t.number;
    say(&old);
    expect_nothing();
}

static void domains_are_bound_again_after_a_reconnect(void **state)
{
    (void)state;
    struct frame f;

    link_bind_domain(t.link, SLICE("icq.localhost"));
    link_bind_domain(t.link, SLICE("gone.localhost"));
    link_unbind_domain(t.link, SLICE("gone.localhost"));
    for (int life = 0; life < 2; life++) {
        greet();
        UNTIL(received(&f));
        assert_int_equal(f.kind, FRAME_ROUTE_BIND);
        struct cursor c = { f.body, false };
        assert_true(slice_is(take_sized(&c), "icq.localhost"));
        say_table();
        expect_nothing();
        hang_up();
        UNTIL(!link_up(t.link));
    }
}

static void a_refused_link_tries_again(void **state)
{
    (void)state;
    struct frame f = frame_make(FRAME_REFUSED);
    struct buf   body = { 0 };

    greet();
    buf_put_sized(&body, SLICE("not you"));
    f.body = buf_slice(&body);
    say(&f);
    buf_free(&body);
    turns(20);
    hang_up();
    greet();
    say_table();
    assert_true(link_up(t.link));
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char path[200];

    memset(path, 'p', sizeof(path));
    path[108] = 0;
    assert_null(link_new(t.loop, &(struct link_spec){ .socket_path = path, .instance = "c2sd-1",
                                                      .handlers = handlers }));
}

static void traces_differ(void **state)
{
    (void)state;
    uint64_t a = trace_new(), b = trace_new();

    assert_true(a && b && a != b);
}

#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINK(it_says_hello_and_is_up_with_the_table),
        WITH_LINK(frames_wait_for_a_router_that_is_away),
        WITH_LINK(a_paused_destination_is_waited_for),
        WITH_LINK(an_absent_destination_is_waited_for_within_the_limit),
        WITH_LINK(a_stale_frame_is_routed_again_once),
        WITH_LINK(junk_from_the_router_is_answered_by_a_new_link),
        WITH_LINK(what_nobody_handles_goes_back),
        WITH_LINK(domains_are_bound_again_after_a_reconnect),
        WITH_LINK(a_refused_link_tries_again),
        WITH_LINK(a_path_that_is_too_long_is_refused),
        cmocka_unit_test(traces_differ),
    };

    log_open("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
