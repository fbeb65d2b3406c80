/* Everybody full (DESIGN.md 3): the real router and three real links in one loop. What a client sends goes to sm
 * and comes back to the client of another c2sd, and each of those has something to say too: c2sd-1 -> sm-1 ->
 * routerd -> c2sd-2 -> sm-1. Queues are a few frames long. It must come to an end, with nothing lost. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "link.h"
#include "log.h"
#include "mem.h"
#include "peer.h"

enum { LINKS = 3, STANZAS = 300, BODY = 9000, QUEUE = 30000, ROUTER_QUEUE = 30000, TURNS_MAX = 5000000 };
enum { C2SD_1, SM, C2SD_2 };

struct end {
    struct link *link;
    const char  *name;
    int          listening;
    char         path[100];
    unsigned     sent, got, refused, waiting;   /* stanzas; waiting: to be sent when there is room */
    bool         was_paused;
};

static struct loop    *loop;
static struct settings settings;
static struct daemon   daemon_of_router;
static struct router   router;
static struct end      ends[LINKS];
static char            dir[64], body[BODY];

/* ---- the daemons ---- */

static struct end *next_of(const struct end *e)
{
    return e == &ends[SM] ? &ends[C2SD_2] : &ends[SM];
}

static bool send_one(struct end *e)
{
    struct frame f = frame_make(FRAME_STANZA);

    f.stanza.name = STANZA_MESSAGE;
    f.stanza.from = SLICE("juliet@localhost/balcony");
    f.dest.instance = instance_key(next_of(e)->name);
    f.body = slice_of(body, sizeof(body));
    enum zerr err = link_send(e->link, &f);
    assert_true(err == ZE_OK || err == ZE_FULL);
    e->sent += err == ZE_OK;
    e->refused += err == ZE_FULL;
    return err == ZE_OK;
}

/* Each stanza that comes makes another; c2sd-2 answers every second one. */
static void on_stanza(void *self, const struct frame *f)
{
    struct end *e = self;

    (void)f;
    e->got++;
    if (e == &ends[SM] || (e->got % 2 == 0 && e->sent + e->waiting < 2 * STANZAS))
        e->waiting++;
}

static frame_handler *const handlers[FRAME_KIND_MAX] = { [FRAME_STANZA] = on_stanza };

/* sm has nowhere to put what it cannot send, so it tries; the others wait until they may. */
static void push_on(struct end *e)
{
    while (e->waiting && send_one(e))
        e->waiting--;
}

/* ---- the router ---- */

static void publish(void *arg)
{
    route_table_publish(arg);
}

static void accept_links(void)
{
    static const unsigned roles[LINKS] = { ROLE_C2SD, ROLE_SM, ROLE_C2SD };

    for (int i = 0; i < LINKS; i++) {
        int fd = accept4(ends[i].listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), small = 4096;
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
        peer_new(&router, fd, roles[i], getpid());
    }
}

static void start_router(void)
{
    settings.dir.run = dir;
    daemon_of_router = (struct daemon){ .loop = loop, .settings = &settings };
    router = (struct router){ .d = &daemon_of_router, .self = { ROLE_ROUTERD, instance_key("routerd"), 1 },
                              .queue_max = ROUTER_QUEUE, .publish = { .run = publish, .arg = &router } };
    list_init(&router.peers);
    router.routes = routes_new();
    for (int i = 0; i < LINKS; i++)
        routes_add_instance(router.routes, ends[i].name);
    routes_add_domain(router.routes, SLICE("localhost"), ROLE_SM, 0);
    routes_set_generation(router.routes, 1);
    routes_set_router(router.routes, 1);
}

static void start_end(struct end *e, const char *name)
{
    struct sockaddr_un address;

    *e = (struct end){ .name = name };
    snprintf(e->path, sizeof(e->path), "%s/%s", dir, name);
    assert_true(wire_address(e->path, &address));
    e->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(e->listening, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(e->listening, 5), 0);
    e->link = link_new(loop, &(struct link_spec){ .socket_path = e->path, .instance = name,
                       .handlers = handlers, .daemon = e, .queue_bytes = QUEUE });
}

static void turn(void)
{
    accept_links();
    uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    LIST_EACH(&router.peers, node) {
        const struct peer *p = LIST_OWNER(node, struct peer, link);
        for (int i = 0; i < LINKS; i++)
            ends[i].was_paused |= p->congested && p->self.instance == instance_key(ends[i].name);
    }
}

static int start(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/zubr-full-XXXXXX", 22);
    assert_non_null(mkdtemp(dir));
    memset(body, 'x', sizeof(body));
    loop = loop_new();
    start_end(&ends[C2SD_1], "c2sd-1");
    start_end(&ends[SM], "sm-1");
    start_end(&ends[C2SD_2], "c2sd-2");
    start_router();
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < LINKS; i++) {
        link_free(&ends[i].link);
        close(ends[i].listening);
        unlink(ends[i].path);
    }
    LIST_EACH(&router.peers, node)
        LIST_OWNER(node, struct peer, link)->greeted = false;
    LIST_EACH(&router.peers, node)
        peer_close(LIST_OWNER(node, struct peer, link));
    loop_undefer(&router.publish);
    routes_free(&router.routes);
    loop_free(&loop);
    rmdir(dir);
    return 0;
}

static bool all_up(void)
{
    for (int i = 0; i < LINKS; i++) {
        const struct route_instance *it = routes_instance(link_routes(ends[i].link), instance_key("c2sd-2"));
        if (!link_up(ends[i].link) || !it || !it->up)
            return false;
    }
    return true;
}

static bool finished(void)
{
    size_t queued = 0;

    for (int i = 0; i < LINKS; i++)
        queued += ends[i].waiting + link_queued(ends[i].link);
    return ends[C2SD_1].sent == STANZAS && queued == 0;
}

static void everybody_full_comes_to_an_end(void **state)
{
    (void)state;
    int turns = 0;

    for (; !all_up() && turns < TURNS_MAX; turns++)
        turn();
    ends[C2SD_1].waiting = ends[C2SD_2].waiting = STANZAS;
    for (turns = 0; !finished() && turns < TURNS_MAX; turns++) {
        for (int i = 0; i < LINKS; i++)
            push_on(&ends[i]);
        turn();
    }
    assert_true(finished());
    assert_int_equal(ends[SM].got, ends[C2SD_1].sent + ends[C2SD_2].sent);
    assert_int_equal(ends[C2SD_2].got, ends[SM].sent);
    assert_true(ends[SM].got > 2 * STANZAS);
    for (int i = 0; i < LINKS; i++)             /* it was as full as it gets */
        assert_true(ends[i].refused > 0);
    assert_true(ends[SM].was_paused && ends[C2SD_2].was_paused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everybody_full_comes_to_an_end, start, end),
    };

    log_open("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
