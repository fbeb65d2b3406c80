/* common/transport.c: what goes to a crowd. Packet sockets stand for TCP ones, so that each send is seen. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem.h"
#include "transport.h"

enum { SOCKETS = 100, A_TURN = 32 };

struct crowd {
    struct loop       *loop;
    struct transports *all;
    uint64_t           in, out;
    struct transport   t[SOCKETS];
    int                far[SOCKETS];
    struct deferred    next;
    int                turns, closed;
};

static void take_all(struct transport *t, struct slice *in)
{
    (void)t;
    *in = slice_cut(*in, in->len, in->len);
}

static void ignore_count(struct transport *t, size_t bytes)
{
    (void)t;
    (void)bytes;
}

static void never(struct transport *t)
{
    (void)t;
    fail();
}

static void never_lost(struct transport *t, const char *why)
{
    (void)t;
    fail_msg("%s", why);
}

static void count_closed(struct transport *t)
{
    ++*(int *)t->tcp.loop->data;
}

static const struct transport_events events = {
    .bytes = take_all, .charged = ignore_count, .secured = never, .lost = never_lost, .closed = count_closed,
};

static int begin(void **state)
{
    struct crowd *c = xcalloc(1, sizeof(*c));

    c->loop = loop_new();
    c->all = transports_new(c->loop);
    transports_count(c->all, &c->in, &c->out);
    for (int i = 0; i < SOCKETS; i++) {
        int fd[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd), 0);
        c->far[i] = fd[1];
        assert_int_equal(transport_adopt(&c->t[i], c->all, &events, fd[0]), ZE_OK);
    }
    *state = c;
    return 0;
}

static int end(void **state)
{
    struct crowd *c = *state;
    void         *own = loop_uv(c->loop)->data;

    loop_uv(c->loop)->data = &c->closed;
    for (int i = 0; i < SOCKETS; i++) {
        transport_kill(&c->t[i]);
        close(c->far[i]);
    }
    while (c->closed < SOCKETS)
        uv_run(loop_uv(c->loop), UV_RUN_NOWAIT);
    loop_uv(c->loop)->data = own;
    transports_free(&c->all);
    loop_free(&c->loop);
    free(c);
    return 0;
}

static void say_to_all(struct crowd *c, const char *text)
{
    for (int i = 0; i < SOCKETS; i++)
        buf_put_str(transport_out_crowd(&c->t[i]), text);
}

/* What was sent with one call; "" when there is nothing. */
static const char *heard(struct crowd *c, int i)
{
    static char text[16];
    ssize_t     n = recv(c->far[i], text, sizeof(text) - 1, MSG_DONTWAIT);

    text[n > 0 ? n : 0] = 0;
    return text;
}

static bool all_left(const struct crowd *c)
{
    for (int i = 0; i < SOCKETS; i++)
        if (transport_waiting(&c->t[i]))
            return false;
    return true;
}

/* Says more in the second turn, and ends the loop when everything has left. */
static void next_turn(void *arg)
{
    struct crowd *c = arg;

    if (++c->turns == 2)
        say_to_all(c, "b");
    if (c->turns >= 2 && all_left(c))
        loop_stop(c->loop);
    else
        loop_defer_next(c->loop, &c->next);
}

static void defer(struct crowd *c, void (*run)(void *arg))
{
    c->next = (struct deferred){ .run = run, .arg = c };
    loop_defer(c->loop, &c->next);
}

static void what_comes_meanwhile_leaves_with_it(void **state)
{
    struct crowd *c = *state;

    defer(c, next_turn);
    say_to_all(c, "a");
    loop_run(c->loop);
    for (int i = 0; i < SOCKETS; i++) {
        assert_string_equal(heard(c, i), i < A_TURN ? "a" : "ab");
        assert_string_equal(heard(c, i), i < A_TURN ? "b" : "");
    }
    assert_int_equal(c->turns > SOCKETS / A_TURN, 1);
    assert_int_equal(c->out, 2 * SOCKETS);
}

static void stop_at_once(void *arg)
{
    loop_stop(((struct crowd *)arg)->loop);
}

static void a_stopping_loop_writes_all(void **state)
{
    struct crowd *c = *state;

    say_to_all(c, "a");
    defer(c, stop_at_once);
    loop_run(c->loop);
    for (int i = 0; i < SOCKETS; i++)
        assert_string_equal(heard(c, i), "a");
}

static void look_after_one_turn(void *arg)
{
    struct crowd *c = arg;

    assert_string_equal(heard(c, 90), "ax");
    assert_string_equal(heard(c, 89), "");
    loop_stop(c->loop);
}

/* A message to one does not wait for the crowd. */
static void what_is_for_one_leaves_now(void **state)
{
    struct crowd *c = *state;

    say_to_all(c, "a");
    buf_put_str(transport_out(&c->t[90]), "x");
    defer(c, look_after_one_turn);
    loop_run(c->loop);
    assert_string_equal(heard(c, 89), "a");
    assert_string_equal(heard(c, 90), "");
}

static void who_ends_or_dies_leaves_the_crowd(void **state)
{
    struct crowd *c = *state;

    say_to_all(c, "a");
    transport_kill(&c->t[50]);
    transport_end(&c->t[60]);
    loop_uv(c->loop)->data = &c->closed;
    while (!all_left(c))
        uv_run(loop_uv(c->loop), UV_RUN_NOWAIT);
    assert_string_equal(heard(c, 49), "a");
    assert_string_equal(heard(c, 50), "");
    assert_string_equal(heard(c, 60), "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_meanwhile_leaves_with_it, begin, end),
        cmocka_unit_test_setup_teardown(a_stopping_loop_writes_all, begin, end),
        cmocka_unit_test_setup_teardown(what_is_for_one_leaves_now, begin, end),
        cmocka_unit_test_setup_teardown(who_ends_or_dies_leaves_the_crowd, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
