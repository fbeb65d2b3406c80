/* sm after kill -9: what the process before was stands again (live memory, sm/session_live.c). Each life
 * is a child process that is killed where it says so. */

#include "sm_rig.h"

static struct session *find(const char *full)
{
    return session_by_jid(rig.sessions, slice_str(full));
}

/* ---- sessions ---- */

static void presents_itself(void)
{
    struct session *r = rig_bind("romeo@a.org/orchard", 1), *gone = rig_bind("romeo@a.org/gone", 2);

    memset(r->secret, 7, sizeof(r->secret));
    rig_client(r, "presence", "", NULL, "<show xmlns='jabber:client'>away</show><priority xmlns='jabber:client'>-3</priority>");
    rig_client(r, "presence", "", "muse@elsewhere.org", "");
    rig_client(r, "iq", "get", NULL, "<query xmlns='jabber:iq:roster'/>");
    session_remove(rig.sessions, &gone);
    rig_wait();
    live_commit(rig.live);
    rig_client(r, "presence", "unavailable", NULL, "");      /* of a turn that never ended */
    rig_killed_here();
}

static void a_session_is_as_it_was_at_the_end_of_the_last_turn(void **state)
{
    (void)state;
    rig_live_and_die(presents_itself);
    rig_open();
    struct session *s = find("romeo@a.org/orchard");
    assert_non_null(s);
    assert_null(find("romeo@a.org/gone"));
    assert_int_equal(sessions_count(rig.sessions), 1);
    assert_ptr_equal(session_by_handle(rig.sessions, s->handle), s);
    struct address c2sd = { ROLE_C2SD, instance_key("c2sd-1"), RIG_LIFE };
    assert_true(session_bound_by(s, &c2sd, 1));
    assert_true(s->available);
    assert_true(s->interested);
    assert_int_equal(s->priority, -3);
    assert_true(slice_starts(blob_slice(s->presence), SLICE("<show")));
    assert_int_equal(s->directed_count, 1);
    assert_int_equal(s->secret[15], 7);
    /* And it goes on: an end is told to who had directed presence, and the row goes. */
    rig_forget();
    rig_client(s, "presence", "unavailable", NULL, "");
    assert_says(rig_took(), "muse@elsewhere.org");
}

static void binds_and_ends(void)
{
    for (int i = 0; i < 10; i++) {
        struct session *s = rig_bind("romeo@a.org/orchard", 1);
        if (i < 9)
            session_remove(rig.sessions, &s);
    }
    live_commit(rig.live);
    rig_killed_here();
}

static void handles_of_sessions_that_ended_before_never_match(void **state)
{
    (void)state;
    rig_live_and_die(binds_and_ends);
    rig_open();
    struct session *s = find("romeo@a.org/orchard");
    assert_non_null(s);
    uint32_t last = (uint32_t)(s->handle >> 32);
    session_remove(rig.sessions, &s);
    s = rig_bind("romeo@a.org/orchard", 1);
    struct session *other = rig_bind("romeo@a.org/balcony", 2);
    assert_true((uint32_t)(s->handle >> 32) > last);
    assert_true((uint32_t)(other->handle >> 32) > last);
}

static void stands_alone(void)
{
    rig_bind("romeo@a.org/orchard", 1);
    live_commit(rig.live);
    rig_killed_here();
}

static void another_incarnation_finds_nothing(void **state)
{
    (void)state;
    rig_live_and_die(stands_alone);
    rig_open();
    assert_int_equal(sessions_count(rig.sessions), 1);
    sm_live_check(rig.live, rig.self.incarnation);
    assert_true(live_get(rig.live, L_INSTANCE, SLICE("handles")).p != NULL);
    sm_live_check(rig.live, rig.self.incarnation + 1);
    assert_null(live_get(rig.live, L_INSTANCE, SLICE("handles")).p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_prepare, rig_teardown)
    const struct CMUnitTest tests[] = {
        T(a_session_is_as_it_was_at_the_end_of_the_last_turn),
        T(handles_of_sessions_that_ended_before_never_match),
        T(another_incarnation_finds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
