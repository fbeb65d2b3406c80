/* proto/link.c against a routerd played by the test: what leaves, what waits, what comes back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "cursor.h"
#include "link.h"
#include "log.h"
#include "mem.h"

enum { QUEUE = 20000, PATIENCE_MS = 10000 };

/* What the daemon side saw. */
static struct {
    unsigned      stanzas, bounces, tables, lost;
    char          last_body[64];
    enum zerr     why;
    struct frame  original;
    uint64_t      lost_life;
} seen;

static struct {
    struct loop *loop;
    struct link *link;
    char         dir[64], path[100];
    int          listening, fd;
    struct buf   in;
    size_t       taken;         /* bytes of the frame received() gave out last */
    struct routes *routes;
} t;

/* ---- the daemon's side ---- */

static void on_stanza(void *self, const struct frame *f)
{
    (void)self;
    seen.stanzas++;
    snprintf(seen.last_body, sizeof(seen.last_body), "%.*s", SLICE_FMT(f->body));
}

static void on_bounce(void *self, const struct frame *f)
{
    (void)self;
    seen.bounces++;
    assert_int_equal(bounce_decode(f, &seen.why, &seen.original), ZE_OK);
}

static void on_routes(void *self, const struct routes *routes)
{
    (void)self;
    (void)routes;
    seen.tables++;
}

static void on_peer_lost(void *self, const struct address *life)
{
    (void)self;
    seen.lost++;
    seen.lost_life = life->incarnation;
}

static frame_handler *const handlers[FRAME_KIND_MAX] = {
    [FRAME_STANZA] = on_stanza,
    [FRAME_BOUNCE] = on_bounce,
};

/* ---- routerd's side ---- */

static void listen_again(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    memcpy(address.sun_path, t.path, strlen(t.path) + 1);
    unlink(t.path);
    t.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(t.listening, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(t.listening, 5), 0);
}

static void turn(void)
{
    uv_run(loop_uv(t.loop), UV_RUN_NOWAIT);
    usleep(500);
}

#define UNTIL(condition)                                                    \
    do {                                                                    \
        for (int waited = 0; !(condition); waited++) {                      \
            if (waited > PATIENCE_MS)                                       \
                fail_msg("waited in vain for " #condition);                 \
            turn();                                                         \
        }                                                                   \
    } while (0)

static void turns(int count)
{
    while (count--)
        turn();
}

static bool accepted(void)
{
    if (t.fd < 0)
        t.fd = accept4(t.listening, NULL, NULL, SOCK_NONBLOCK);
    return t.fd >= 0;
}

/* Next frame from the link; false: none yet. Good until the next call. */
static bool received(struct frame *f)
{
    buf_consume(&t.in, t.taken);
    t.taken = 0;
    ssize_t n = recv(t.fd, buf_reserve(&t.in, 4096), 4096, MSG_DONTWAIT);
    if (n > 0)
        buf_added(&t.in, (size_t)n);
    n = frame_decode(buf_slice(&t.in), f);
    assert_true(n >= 0);
    t.taken = (size_t)n;
    return n > 0;
}

static void say(const struct frame *f)
{
    struct buf out = { 0 };

    assert_int_equal(frame_encode(&out, f), ZE_OK);
    assert_int_equal(send(t.fd, buf_slice(&out).p, buf_len(&out), MSG_NOSIGNAL), buf_len(&out));
    buf_free(&out);
}

static void say_table(void)
{
    struct frame f = frame_make(FRAME_ROUTES);
    struct buf   body = { 0 };
    unsigned     tables = seen.tables;

    routes_encode(t.routes, &body);
    f.body = buf_slice(&body);
    say(&f);
    buf_free(&body);
    UNTIL(seen.tables > tables);
}

static void say_pause(enum frame_kind kind, const char *instance)
{
    struct frame f = frame_make(kind);
    struct buf   body = { 0 };

    buf_put_u32(&body, instance_key(instance));
    f.body = buf_slice(&body);
    say(&f);
    buf_free(&body);
    turns(20);
}

static struct frame to_link(enum frame_kind kind, const char *body)
{
    struct frame f = frame_make(kind);

    f.stanza.name = STANZA_MESSAGE;
    f.origin = (struct address){ ROLE_SM, instance_key("sm-1"), 11 };
    f.dest = (struct address){ ROLE_C2SD, instance_key("c2sd-1"), 0 };
    f.body = slice_str(body);
    return f;
}

static void hang_up(void)
{
    if (t.fd >= 0)
        close(t.fd);
    t.fd = -1;
    t.taken = 0;
    buf_free(&t.in);
}

static void greet(void)
{
    struct frame f;

    UNTIL(accepted());
    UNTIL(received(&f));
    assert_int_equal(f.kind, FRAME_HELLO);
    assert_true(f.origin.incarnation == link_incarnation(t.link));
    assert_int_equal(f.origin.role, ROLE_C2SD);
    struct cursor c = { f.body, false };
    assert_true(slice_is(take_sized(&c), "c2sd-1"));
}

static int set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    memset(&t, 0, sizeof(t));
    t.fd = -1;
    memcpy(t.dir, "/tmp/zubr-link-XXXXXX", 22);
    assert_non_null(mkdtemp(t.dir));
    snprintf(t.path, sizeof(t.path), "%s/s", t.dir);
    listen_again();
    t.routes = routes_new();
    routes_add_instance(t.routes, "sm-1");
    routes_add_instance(t.routes, "c2sd-1");
    routes_add_domain(t.routes, SLICE("localhost"), ROLE_SM, 0);
    routes_set_generation(t.routes, 5);
    routes_set_up(t.routes, instance_key("sm-1"), 11, true);
    t.loop = loop_new();
    t.link = link_new(t.loop, &(struct link_spec){
        .socket_path = t.path, .instance = "c2sd-1", .handlers = handlers, .daemon = &t,
        .queue_bytes = QUEUE, .away_ms = 200, .on_routes = on_routes, .on_peer_lost = on_peer_lost });
    assert_non_null(t.link);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    link_free(&t.link);
    loop_free(&t.loop);
    routes_free(&t.routes);
    buf_free(&t.in);
    if (t.fd >= 0)
        close(t.fd);
    close(t.listening);
    unlink(t.path);
    rmdir(t.dir);
    return 0;
}

static enum zerr send_text(const char *text, unsigned type)
{
    struct frame f = frame_make(FRAME_STANZA);

    f.stanza.name = type == TYPE_GET ? STANZA_IQ : STANZA_MESSAGE;
    f.stanza.type = (uint8_t)type;
    f.stanza.to = SLICE("juliet@localhost");
    f.sender = 77;
    f.body = slice_str(text);
    return link_route(t.link, &f);
}

static void expect(const char *text, uint64_t number)
{
    struct frame f;

    UNTIL(received(&f));
    assert_int_equal(f.kind, FRAME_STANZA);
    assert_true(slice_is(f.body, text));
    assert_int_equal(f.number, number);
    assert_int_equal(f.dest.instance, instance_key("sm-1"));
}

static void expect_nothing(void)
{
    struct frame f;

    turns(30);
    assert_false(received(&f));
}

/* ---- what it does ---- */

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
    for (int i = 1; i <= 50; i++) {
        snprintf(text, sizeof(text), "%d", i);
        expect(text, (uint64_t)i + 1);
    }
    expect_nothing();
    assert_int_equal(link_queued(t.link), 0);
}

static void a_frame_cut_by_the_death_of_the_router_is_sent_again_whole(void **state)
{
    (void)state;
    static char big[3000];
    uint64_t sent = 0, got = 0;
    struct frame f;

    memset(big, 'x', sizeof(big) - 1);
    greet();
    say_table();
    int small = 4096;
    setsockopt(t.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    while (send_text(big, TYPE_CHAT) == ZE_OK) {
        sent++;
        turn();
    }
    assert_true(sent > 5 && link_queued(t.link) > 3000);
    while (got < 3 && received(&f))             /* the kernel holds more than we read of it */
        assert_int_equal(f.number, ++got);
    while (recv(t.fd, buf_reserve(&t.in, 4096), 4096, MSG_DONTWAIT) > 0)
        continue;                               /* lost with the router: confirms will mend that */
    hang_up();
    greet();
    say_table();
    UNTIL(received(&f));
    uint64_t first = f.number;
    assert_true(first > got && first <= sent);
    assert_int_equal(f.body.len, sizeof(big) - 1);
    for (uint64_t n = first + 1; n <= sent; n++) {
        UNTIL(received(&f));
        assert_int_equal(f.number, n);
    }
    expect_nothing();
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
    expect("for any", 2);
}

static void questions_do_not_wait_for_the_lost(void **state)
{
    (void)state;
    greet();
    say_table();
    routes_set_up(t.routes, instance_key("sm-1"), 11, false);
    say_table();
    assert_int_equal(send_text("question", TYPE_GET), ZE_OK);
    assert_int_equal(send_text("message", TYPE_CHAT), ZE_OK);
    UNTIL(seen.bounces == 1);
    assert_int_equal(seen.why, ZE_TIMEOUT);
    assert_int_equal(seen.lost, 1);
    assert_int_equal(send_text("another", TYPE_GET), ZE_TIMEOUT);
    routes_set_up(t.routes, instance_key("sm-1"), 13, true);
    say_table();
    expect("message", 2);
    assert_int_equal(send_text("now", TYPE_GET), ZE_OK);
    expect("now", 3);
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

static void bounce_back(const struct frame *original, enum zerr why)
{
    struct frame f;
    struct buf   bytes = { 0 }, body = { 0 };

    frame_encode(&bytes, original);
    assert_true(bounce_make(original, buf_slice(&bytes), why, &body, &f));
    f.origin = (struct address){ ROLE_ROUTERD, instance_key("routerd"), 1 };
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINK(it_says_hello_and_is_up_with_the_table),
        WITH_LINK(frames_wait_for_a_router_that_is_away),
        WITH_LINK(a_frame_cut_by_the_death_of_the_router_is_sent_again_whole),
        WITH_LINK(a_paused_destination_is_waited_for),
        WITH_LINK(an_absent_destination_is_waited_for_within_the_limit),
        WITH_LINK(a_new_life_voids_what_was_meant_for_the_old_one),
        WITH_LINK(questions_do_not_wait_for_the_lost),
        WITH_LINK(nobody_is_lost_while_the_router_is_away),
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
