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
#include "intake.h"
#include "link.h"
#include "log.h"
#include "mem.h"

enum { QUEUE = 20000, PATIENCE_MS = 10000 };

/* What the daemon side saw. */
static struct {
    unsigned      stanzas, bounces, tables, lost, backs;
    uint64_t      confirmed;            /* tag of the last kept frame that was */
    bool          take_receipts;
    struct receipt *receipt[4];
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
    uint64_t     number;        /* of the last frame said for sm-1 */
    unsigned     syncs, voids;  /* SYNC and VOID that received() passed over */
    uint64_t     first, sent;   /* of the last SYNC */
    unsigned     confirms;      /* the same for CONFIRM */
    struct confirm confirm;     /* the last one, without its ranges */
    uint64_t     range[2];      /* its first range */
    struct routes *routes;
} t;

/* ---- the daemon's side ---- */

static void on_stanza(void *self, const struct frame *f)
{
    (void)self;
    if (seen.take_receipts)
        seen.receipt[seen.stanzas % COUNT_OF(seen.receipt)] = link_receipt(t.link, f);
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

static void on_peer_back(void *self, const struct address *peer)
{
    (void)self;
    assert_int_equal(peer->incarnation, routes_instance(t.routes, peer->instance)->incarnation);
    seen.backs++;
}

static void on_confirmed(void *self, const struct kept *k)
{
    (void)self;
    seen.confirmed = kept_tag(k);
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

/* Next frame from the link, whatever it is; false: none yet. Good until the next call. */
static bool received_any(struct frame *f)
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

static bool is_channel_talk(const struct frame *f)
{
    struct confirmed each = { .said = &t.confirm };

    if (f->kind == FRAME_SYNC) {
        t.syncs++;
        assert_true(sync_read(f->body, &t.first, &t.sent));
    } else if (f->kind == FRAME_CONFIRM) {
        t.confirms++;
        assert_true(confirm_read(f->body, &t.confirm));
        if (!confirm_next(&each, &t.range[0], &t.range[1]))
            t.range[0] = t.range[1] = 0;
        t.confirm.ranges = (struct slice){ 0 };
    }
    return f->kind == FRAME_SYNC || f->kind == FRAME_CONFIRM;
}

/* The next one that is neither SYNC nor CONFIRM. */
static bool received(struct frame *f)
{
    while (received_any(f))
        if (!is_channel_talk(f))
            return true;
    return false;
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
    f.number = ++t.number;
    return f;
}

static void say_sync(uint64_t life, uint64_t first, uint64_t sent)
{
    struct frame f = to_link(FRAME_SYNC, "");
    struct buf   body = { 0 };

    sync_write(&body, first, sent);
    f.origin.incarnation = life;
    f.number = 0;
    f.body = buf_slice(&body);
    say(&f);
    buf_free(&body);
    t.number = sent;
}

/* sm-1 confirms, `first` to `last` out of order (0: none). */
static void say_confirm(uint64_t done, uint64_t came, unsigned flags, uint64_t first, uint64_t last)
{
    struct frame f = to_link(FRAME_CONFIRM, "");
    struct buf   body = { 0 };

    buf_put_u64(&body, link_incarnation(t.link));
    buf_put_u64(&body, done);
    buf_put_u64(&body, came);
    buf_put_u8(&body, (uint8_t)flags);
    buf_put_u16(&body, first != 0);
    if (first) {
        buf_put_u64(&body, first);
        buf_put_u64(&body, last);
    }
    f.number = 0;
    t.number--;
    f.body = buf_slice(&body);
    say(&f);
    buf_free(&body);
    turns(20);
}

static void hang_up(void)
{
    if (t.fd >= 0)
        close(t.fd);
    t.fd = -1;
    t.taken = 0;
    t.syncs = t.confirms = 0;
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
        .queue_bytes = QUEUE, .away_ms = 200, .on_routes = on_routes, .on_peer_lost = on_peer_lost,
        .on_peer_back = on_peer_back, .on_confirmed = on_confirmed });
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
    say_confirm(4, 4, 0, 0, 0);
    assert_int_equal(send_text(big, TYPE_CHAT), ZE_OK);
    assert_false(link_congested(t.link, instance_key("sm-1")));
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

/* Somebody lies: what was never sent is not confirmed, unreadable bodies are refused. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINK(it_says_hello_and_is_up_with_the_table),
        WITH_LINK(frames_wait_for_a_router_that_is_away),
        WITH_LINK(what_is_not_confirmed_is_sent_again_to_a_new_router),
        WITH_LINK(what_waits_is_sent_again_when_the_receiver_joins_anew),
        WITH_LINK(a_silent_receiver_is_asked),
        WITH_LINK(a_paused_destination_is_waited_for),
        WITH_LINK(an_absent_destination_is_waited_for_within_the_limit),
        WITH_LINK(a_new_life_voids_what_was_meant_for_the_old_one),
        WITH_LINK(questions_do_not_wait_for_who_is_away),
        WITH_LINK(a_border_daemon_that_stays_away_is_lost),
        WITH_LINK(what_was_for_an_evicted_member_goes_another_way),
        WITH_LINK(nobody_is_lost_while_the_router_is_away),
        WITH_LINK(a_stale_frame_is_routed_again_once),
        WITH_LINK(seen_frames_and_gaps_are_dropped),
        WITH_LINK(a_new_life_of_the_sender_counts_anew),
        WITH_LINK(voids_count_and_do_not_arrive),
        WITH_LINK(receipts_confirm_out_of_order),
        WITH_LINK(kept_frames_are_let_go_when_confirmed),
        WITH_LINK(a_wrong_confirm_does_no_harm),
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
