/* sm/announce.c: what c2sd names stays, what it does not name ends, and nothing is made. */

#include "manage.h"
#include "sm_rig.h"

static struct session *s1, *s2, *s3;

static int three_sessions(void **state)
{
    rig_setup(state);
    s1 = rig_bind("anna@a.org/1", 1);
    s2 = rig_bind("anna@a.org/2", 2);
    s3 = rig_bind("anna@a.org/3", 3);
    return 0;
}

static void name(struct buf *body, const struct session *s)
{
    announce_put(body, &(struct announced){ s->conn, s->handle, slice_of(s->secret, sizeof(s->secret)) });
}

static void announce(struct buf *body, uint64_t life)
{
    struct frame f = frame_make(FRAME_ANNOUNCE);

    f.origin = (struct address){ ROLE_C2SD, instance_key("c2sd-1"), life };
    f.body = buf_slice(body);
    on_announce(&rig, &f);
    arena_reset(rig.arena);
    buf_free(body);
}

static bool here(const char *full)
{
    return session_by_jid(rig.sessions, slice_str(full)) != NULL;
}

static void the_named_stay_and_the_others_end(void **state)
{
    struct buf body = { 0 };

    (void)state;
    rig_client(s2, "presence", "", NULL, "");
    rig_forget();
    announce_begin(&body, true, true);
    name(&body, s1);
    announce(&body, RIG_LIFE);
    assert_true(here("anna@a.org/1"));
    assert_false(here("anna@a.org/2"));
    assert_false(here("anna@a.org/3"));
    assert_silent_about(rig_took(), "SESSION_END");
}

static void several_frames_are_one_announcement(void **state)
{
    struct buf body = { 0 };

    (void)state;
    announce_begin(&body, true, false);
    name(&body, s1);
    announce(&body, RIG_LIFE);
    assert_int_equal(sessions_count(rig.sessions), 3);
    rig_bind("anna@a.org/4", 4);                 /* bound meanwhile */
    announce_begin(&body, false, true);
    name(&body, s3);
    announce(&body, RIG_LIFE);
    assert_true(here("anna@a.org/1"));
    assert_false(here("anna@a.org/2"));
    assert_true(here("anna@a.org/3"));
    assert_true(here("anna@a.org/4"));
}

static void one_that_has_just_come_from_another_sm_need_not_be_named(void **state)
{
    struct buf body = { 0 };

    (void)state;
    s2->moved = s3->moved = true;
    announce_begin(&body, true, true);
    name(&body, s2);
    announce(&body, RIG_LIFE);
    assert_false(here("anna@a.org/1"));
    assert_true(here("anna@a.org/2") && here("anna@a.org/3"));
    announce_begin(&body, true, true);              /* s2 was known to be here, and now it is not */
    announce(&body, RIG_LIFE);
    assert_false(here("anna@a.org/2"));
    assert_true(here("anna@a.org/3"));
}

/* One that was given away is named to its old owner by who has not heard of it. */
static void while_slots_move_nobody_is_reset(void **state)
{
    struct announced unknown = { .conn = 9, .session = s1->handle + 1000, .secret = SLICE("0123456789abcdef") };
    struct buf       body = { 0 };

    (void)state;
    routes_set_member(rig_routes, instance_key("sm-1"), MEMBER_NOW);
    announce_begin(&body, true, true);
    announce_put(&body, &unknown);
    announce(&body, RIG_LIFE);
    assert_silent_about(rig_took(), "SESSION_END");
    routes_set_member(rig_routes, instance_key("sm-1"), MEMBER_NOW | MEMBER_BEFORE);
    announce_begin(&body, true, true);
    announce_put(&body, &unknown);
    announce(&body, RIG_LIFE);
    assert_non_null(strstr(rig_took(), "SESSION_END"));
}

static void another_life_is_not_meant(void **state)
{
    struct buf body = { 0 };

    (void)state;
    announce_begin(&body, true, true);
    announce(&body, RIG_LIFE + 1);
    assert_int_equal(sessions_count(rig.sessions), 3);
}

static void a_connection_being_bound_names_what_was_bound_for_it(void **state)
{
    struct buf body = { 0 };

    (void)state;
    announce_begin(&body, true, true);
    announce_put(&body, &(struct announced){ .conn = 2 });
    announce_put(&body, &(struct announced){ .conn = 77 });
    announce(&body, RIG_LIFE);
    assert_false(here("anna@a.org/1"));
    assert_true(here("anna@a.org/2"));
    assert_string_equal(rig_took(), "");
}

static void who_does_not_know_the_secret_is_reset_and_the_session_is_not_named(void **state)
{
    struct buf     body = { 0 };
    uint8_t        guess[SESSION_SECRET] = { 0 };

    (void)state;
    announce_begin(&body, true, true);
    announce_put(&body, &(struct announced){ 1, s1->handle, slice_of(guess, sizeof(guess)) });
    announce_put(&body, &(struct announced){ 9, s2->handle, slice_of(s2->secret, sizeof(s2->secret)) });
    announce_put(&body, &(struct announced){ 10, 12345, slice_of(guess, sizeof(guess)) });
    name(&body, s3);
    announce(&body, RIG_LIFE);
    assert_false(here("anna@a.org/1"));
    assert_false(here("anna@a.org/2"));
    assert_true(here("anna@a.org/3"));
    assert_string_equal(rig_took(), "c1 SESSION_END\nc9 SESSION_END\nc10 SESSION_END\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, three_sessions, rig_teardown)
    const struct CMUnitTest tests[] = {
        T(the_named_stay_and_the_others_end),
        T(several_frames_are_one_announcement),
        T(one_that_has_just_come_from_another_sm_need_not_be_named),
        T(while_slots_move_nobody_is_reset),
        T(another_life_is_not_meant),
        T(a_connection_being_bound_names_what_was_bound_for_it),
        T(who_does_not_know_the_secret_is_reset_and_the_session_is_not_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
