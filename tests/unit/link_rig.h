#pragma once

/* A link against a routerd played by the test: what leaves, what waits, what comes back. */

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

#include "remove_tree.h"
#include "cursor.h"
#include "intake.h"
#include "link.h"
#include "live.h"
#include "log.h"
#include "mem.h"

/* A tag that wants a reference after a restart. */
enum { HOLD = 1000 };

#define RIG __attribute__((unused)) static

enum { QUEUE = 20000, PATIENCE_MS = 10000 };

/* What the daemon side saw. */
RIG struct {
    unsigned      stanzas, bounces, tables, lost, backs;
    uint64_t      confirmed;            /* tag of the last kept frame that was */
    unsigned      kept;                 /* after a restart */
    uint64_t      kept_tags[8];
    struct kept  *held[8];              /* those of them whose tag says HOLD */
    bool          take_receipts;
    struct receipt *receipt[4];
    char          last_body[64];
    enum zerr     why;
    struct frame  original;
    uint64_t      lost_life;
} seen;

RIG struct {
    struct loop *loop;
    struct link *link;
    char         dir[64], path[100];
    int          listening, fd;
    struct buf   in;
    size_t       taken;         /* bytes of the frame received() gave out last */
    uint64_t     number;        /* of the last frame said for sm-1 */
    unsigned     syncs;         /* that received() passed over */
    uint64_t     first, sent;   /* of the last SYNC */
    unsigned     confirms;      /* the same for CONFIRM */
    struct confirm confirm;     /* the last one, without its ranges */
    uint64_t     range[2];      /* its first range */
    struct routes *routes;
    struct live   *live;        /* with rig_live */
    uint64_t       handed, decided;     /* with rig_stores: numbers of batches */
} t;

RIG bool rig_live;              /* the link has live memory, in t.dir/live */
RIG bool rig_stores;            /* its daemon has a store */

/* ---- the daemon's side ---- */

RIG void on_stanza(void *self, const struct frame *f)
{
    (void)self;
    if (seen.take_receipts)
        seen.receipt[seen.stanzas % COUNT_OF(seen.receipt)] = link_receipt(t.link, f);
    seen.stanzas++;
    snprintf(seen.last_body, sizeof(seen.last_body), "%.*s", SLICE_FMT(f->body));
}

RIG void on_bounce(void *self, const struct frame *f)
{
    (void)self;
    seen.bounces++;
    assert_int_equal(bounce_decode(f, &seen.why, &seen.original), ZE_OK);
}

RIG void on_routes(void *self, const struct routes *routes)
{
    (void)self;
    (void)routes;
    seen.tables++;
}

RIG void on_peer_lost(void *self, const struct address *life)
{
    (void)self;
    seen.lost++;
    seen.lost_life = life->incarnation;
}

RIG void on_peer_back(void *self, const struct address *peer)
{
    (void)self;
    assert_int_equal(peer->incarnation, routes_instance(t.routes, peer->instance)->incarnation);
    seen.backs++;
}

RIG void on_confirmed(void *self, const struct kept *k)
{
    (void)self;
    seen.confirmed = kept_tag(k);
}

RIG frame_handler *const handlers[FRAME_KIND_MAX] = {
    [FRAME_STANZA] = on_stanza,
    [FRAME_BOUNCE] = on_bounce,
};

/* ---- routerd's side ---- */

RIG void listen_again(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    memcpy(address.sun_path, t.path, strlen(t.path) + 1);
    unlink(t.path);
    t.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(t.listening, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(t.listening, 5), 0);
}

RIG void turn(void)
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

RIG void turns(int count)
{
    while (count--)
        turn();
}

RIG bool accepted(void)
{
    if (t.fd < 0)
        t.fd = accept4(t.listening, NULL, NULL, SOCK_NONBLOCK);
    return t.fd >= 0;
}

/* Next frame from the link, whatever it is; false: none yet. Good until the next call. */
RIG bool received_any(struct frame *f)
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

RIG bool is_channel_talk(const struct frame *f)
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
RIG bool received(struct frame *f)
{
    while (received_any(f))
        if (!is_channel_talk(f))
            return true;
    return false;
}

RIG void say(const struct frame *f)
{
    struct buf out = { 0 };

    assert_int_equal(frame_encode(&out, f), ZE_OK);
    assert_int_equal(send(t.fd, buf_slice(&out).p, buf_len(&out), MSG_NOSIGNAL), buf_len(&out));
    buf_free(&out);
}

RIG void say_table(void)
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

RIG void say_pause(enum frame_kind kind, const char *instance)
{
    struct frame f = frame_make(kind);
    struct buf   body = { 0 };

    buf_put_u32(&body, instance_key(instance));
    f.body = buf_slice(&body);
    say(&f);
    buf_free(&body);
    turns(20);
}

RIG struct frame to_link(enum frame_kind kind, const char *body)
{
    struct frame f = frame_make(kind);

    f.stanza.name = STANZA_MESSAGE;
    f.origin = (struct address){ ROLE_SM, instance_key("sm-1"), 11 };
    f.dest = (struct address){ ROLE_C2SD, instance_key("c2sd-1"), 0 };
    f.body = slice_str(body);
    f.number = ++t.number;
    return f;
}

RIG void say_sync(uint64_t life, uint64_t first, uint64_t sent)
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
RIG void say_confirm(uint64_t done, uint64_t came, unsigned flags, uint64_t first, uint64_t last)
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

RIG void hang_up(void)
{
    if (t.fd >= 0)
        close(t.fd);
    t.fd = -1;
    t.taken = 0;
    t.syncs = t.confirms = 0;
    buf_free(&t.in);
}

RIG void greet(void)
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

RIG void on_kept(void *self, struct kept *k)
{
    (void)self;
    assert_in_range(seen.kept, 0, COUNT_OF(seen.held) - 1);
    seen.kept_tags[seen.kept] = kept_tag(k);
    seen.held[seen.kept] = kept_tag(k) >= HOLD ? kept_ref(k) : NULL;
    seen.kept++;
}

/* What is beside the data file is live.c's own business. */
RIG void remove_live(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/live", t.dir);
    if (access(path, F_OK) == 0)
        assert_int_equal(remove_tree(path), 0);
}

RIG void handed_in(void *daemon, struct stored_mark *mark)
{
    (void)daemon;
    mark->last[0] = t.handed;
}

RIG bool stored(void *daemon, const struct stored_mark *mark)
{
    (void)daemon;
    return t.decided >= mark->last[0];
}

RIG void start_link(void)
{
    static const char *const tables[] = { LINK_LIVE_TABLES, NULL };
    char path[100];

    if (rig_live) {
        snprintf(path, sizeof(path), "%s/live", t.dir);
        t.live = live_open(t.loop, &(struct live_spec){ .path = path, .tables = tables, .map_bytes = 8 << 20,
                                                        .reserve_bytes = 1 << 20 });
        assert_non_null(t.live);
    }
    t.link = link_new(t.loop, &(struct link_spec){
        .socket_path = t.path, .instance = "c2sd-1", .handlers = handlers, .daemon = &t,
        .queue_bytes = QUEUE, .away_ms = 200, .live = t.live, .on_routes = on_routes,
        .on_peer_lost = on_peer_lost, .on_peer_back = on_peer_back, .on_confirmed = on_confirmed,
        .on_kept = on_kept, .handed_in = rig_stores ? handed_in : NULL, .stored = rig_stores ? stored : NULL });
    assert_non_null(t.link);
    link_restore(t.link);
}

RIG void stop_link(void)
{
    link_free(&t.link);
    live_close(&t.live);
    turn();
}

RIG int set_up(void **state)
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
    start_link();
    return 0;
}

RIG int tear_down(void **state)
{
    (void)state;
    stop_link();
    loop_free(&t.loop);
    routes_free(&t.routes);
    buf_free(&t.in);
    if (t.fd >= 0)
        close(t.fd);
    close(t.listening);
    unlink(t.path);
    remove_live();
    rmdir(t.dir);
    return 0;
}

RIG enum zerr send_text(const char *text, unsigned type)
{
    struct frame f = frame_make(FRAME_STANZA);

    f.stanza.name = type == TYPE_GET ? STANZA_IQ : STANZA_MESSAGE;
    f.stanza.type = (uint8_t)type;
    f.stanza.to = SLICE("juliet@localhost");
    f.sender = 77;
    f.body = slice_str(text);
    return link_route(t.link, &f);
}

RIG void expect(const char *text, uint64_t number)
{
    struct frame f;

    UNTIL(received(&f));
    assert_int_equal(f.kind, FRAME_STANZA);
    assert_true(slice_is(f.body, text));
    assert_int_equal(f.number, number);
    assert_int_equal(f.dest.instance, instance_key("sm-1"));
}

RIG void expect_nothing(void)
{
    struct frame f;

    turns(30);
    assert_false(received(&f));
}
