/* XEP-0198 5: sessions without a socket, and their resumption. */

#include "resume_rig.h"

/* ---- hibernation and resumption ---- */

static void a_lost_socket_leaves_the_session(void **state)
{
    (void)state;
    lose(ben);
    assert_true(resume_hibernates(ben));
    assert_string_equal(rig_took(), "");                /* nobody hears of it */
    rig_client(anna, "message", "chat", "ben@a.org", BODY);
    assert_string_equal(rig_took(), "");
    assert_int_equal(resume_queued(ben), 1);
}

static void what_waited_is_sent_again(void **state)
{
    (void)state;
    rig_client(ben, "presence", "", "eve@b.org/e", "");     /* eve may ask, RFC 6121 8.5.3.1 */
    say(ben, 2);
    lose(ben);
    rig_forget();
    rig_client(anna, "message", "chat", "ben@a.org", "<body>later</body>");
    rig_from("s2sd-1", "iq", "get", "eve@b.org/e", "ben@a.org/y", "<q xmlns='u'/>");
    room_says("<body>room</body>");
    rig_forget();
    come_back("ben@a.org", id_of(ben), 1, 7);
    const char *out = rig_took();
    assert_says(out, "c7 RESUMED h=1 has_h=0 err=ok\nc7 <message from='eve@b.org/e'");
    assert_says(out, "<body>later</body><delay xmlns='urn:xmpp:delay' from='a.org' stamp='");
    assert_says(out, "c7 <iq from='eve@b.org/e' id='i1' type='get' to='ben@a.org/y'><q xmlns='u'/></iq>");
    assert_says(out, "c7 <message from='" ROOM "' id='i1' type='groupchat' to='ben@a.org/y'><body>room</body><delay");
    assert_int_equal(resume_queued(ben), 4);
    assert_int_equal(resume_queued(anna), 1);
    assert_false(resume_hibernates(ben));
    assert_true(slice_is(session_address(ben), "192.0.2.9"));
    manage(ben, MANAGE_ACK, 5);
    assert_int_equal(resume_queued(ben), 0);
    rig_client(anna, "message", "chat", "ben@a.org", BODY);
    assert_says(rig_took(), "c7 <message");
}

static void a_stamp_is_put_on_once(void **state)
{
    (void)state;
    lose(ben);
    say(ben, 1);
    come_back("ben@a.org", id_of(ben), 0, 7);
    lose(ben);
    rig_forget();
    come_back("ben@a.org", id_of(ben), 0, 8);
    const char *out = rig_took();
    assert_says(out, "<delay");
    assert_null(strstr(strstr(out, "<delay") + 1, "<delay"));
}

static void resumed_tells_only_what_is_true(void **state)
{
    (void)state;
    rig_client(ben, "message", "chat", "carl@a.org", BODY);
    lose(ben);
    rig_log[0] = 0;
    come_back("ben@a.org", id_of(ben), 0, 7);
    assert_string_equal(rig_log, "");                   /* the commit is under way */
    rig_wait();
    turn();
    assert_says(rig_took(), "c7 RESUMED h=1 has_h=0 err=ok");
}

static void a_socket_that_looks_alive_is_replaced(void **state)
{
    (void)state;
    come_back("ben@a.org", id_of(ben), 0, 7);
    assert_string_equal(rig_took(), "c2 SESSION_END\nc7 RESUMED h=0 has_h=0 err=ok\n");
    uint64_t conn = ben->conn;
    ben->conn = 2;
    struct frame f = rig_stanza("message", "chat", NULL, "anna@a.org", BODY);
    f.origin = ben->c2sd;
    f.sender = 2;
    f.handle = ben->handle;
    ben->conn = conn;
    on_stanza(&rig, &f);
    arena_reset(rig.arena);
    assert_string_equal(rig_took(), "c2 SESSION_END\n");         /* the old one may not speak any more */
}

static void nobody_resumes_what_is_not_his(void **state)
{
    char id[RANDOM_ID];

    (void)state;
    memcpy(id, id_of(ben), sizeof(id));
    lose(ben);
    come_back("anna@a.org", id, 0, 7);
    assert_string_equal(rig_took(), "c7 RESUMED h=0 has_h=0 err=not_found\n");
    come_back("ben@a.org", "something", 0, 7);
    assert_string_equal(rig_took(), "c7 RESUMED h=0 has_h=0 err=not_found\n");
    assert_true(resume_hibernates(ben));
}

static void a_wrong_h_does_not_resume(void **state)
{
    (void)state;
    say(ben, 3);
    manage(ben, MANAGE_ACK, 2);
    lose(ben);
    rig_forget();
    come_back("ben@a.org", id_of(ben), 4, 7);
    assert_string_equal(rig_took(), "c7 MANAGE TOO_HIGH resume=0 max=3 h=4 err=ok\n");
    come_back("ben@a.org", id_of(ben), 1, 8);
    assert_string_equal(rig_took(), "c8 RESUMED h=0 has_h=1 err=not_found\n");
    assert_true(resume_hibernates(ben));
}

static void who_comes_too_late_is_told_the_last_h(void **state)
{
    char id[RANDOM_ID];

    (void)state;
    memcpy(id, id_of(ben), sizeof(id));
    rig_client(ben, "message", "chat", "anna@a.org", BODY);
    end(ben);
    rig_forget();
    come_back("ben@a.org", id, 0, 7);
    assert_string_equal(rig_took(), "c7 RESUMED h=1 has_h=1 err=not_found\n");
    come_back("anna@a.org", id, 0, 7);
    assert_string_equal(rig_took(), "c7 RESUMED h=0 has_h=0 err=not_found\n");
}

static void only_so_many_are_remembered(void **state)
{
    struct ended *e = ended_new(rig.live);
    uint32_t      h;

    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        ended_put(e, slice_of(&"abcde"[i], 1), SLICE("anna@a.org"), i, 3);
    assert_false(ended_get(e, SLICE("b"), SLICE("anna@a.org"), &h));
    assert_true(ended_get(e, SLICE("c"), SLICE("anna@a.org"), &h));
    assert_int_equal(h, 2);
    ended_free(&e);
    e = ended_new(rig.live);
    assert_false(ended_get(e, SLICE("b"), SLICE("anna@a.org"), &h));
    assert_true(ended_get(e, SLICE("e"), SLICE("anna@a.org"), &h));
    assert_int_equal(h, 4);
    ended_put(e, SLICE("z"), SLICE("anna@a.org"), 1, 0);
    assert_false(ended_get(e, SLICE("e"), SLICE("anna@a.org"), &h));
    ended_free(&e);
}

static void an_unmanaged_session_ends_with_its_socket(void **state)
{
    struct session *s = rig_bind("carl@a.org/z", 3);

    (void)state;
    lose(s);
    assert_null(session_by_jid(rig.sessions, SLICE("carl@a.org/z")));
    s = rig_bind("carl@a.org/z", 4);
    manage_stanza(s, &(struct manage){ .op = MANAGE_ENABLE }, NULL);         /* without resume */
    lose(s);
    assert_null(session_by_jid(rig.sessions, SLICE("carl@a.org/z")));
}

static void an_unreachable_stream_is_a_lost_one(void **state)
{
    (void)state;
    rig_refuses = ZE_NO_ROUTE;
    say(ben, 1);
    rig_refuses = ZE_OK;
    assert_true(resume_hibernates(ben));
    assert_int_equal(resume_queued(ben), 1);
    assert_string_equal(rig_took(), "");
    come_back("ben@a.org", id_of(ben), 0, 7);
    assert_says(rig_took(), "c7 <message from='eve@b.org/e'");
}

static void who_sleeps_cannot_speak(void **state)
{
    (void)state;
    rig_refuses = ZE_FULL;                              /* his stream stands, and cannot be reached */
    say(ben, 1);
    rig_refuses = ZE_OK;
    rig_client(ben, "message", "chat", "anna@a.org", BODY);
    assert_string_equal(rig_took(), "c2 SESSION_END\n");
    manage(ben, MANAGE_REQUEST, 0);
    assert_string_equal(rig_took(), "c2 SESSION_END\n");
    come_back("ben@a.org", id_of(ben), 0, 7);
    assert_says(rig_took(), "c7 RESUMED h=0 has_h=0 err=ok\nc7 <message");
}

static void the_oldest_that_sleeps_makes_room(void **state)
{
    struct frame f = frame_make(FRAME_BIND);
    struct buf   ticket = { 0 }, body = { 0 };
    struct ticket_claim claim = { SLICE("ben@a.org"), instance_key("c2sd-1"), RIG_LIFE, 9 };

    (void)state;
    rig_settings.limits.sessions_per_account = 1;
    lose(ben);
    ticket_make(&rig.store, &claim, wall_us(), &ticket);
    bind_request_put(&body, &(struct bind_request){ .ticket = buf_slice(&ticket), .resource = SLICE("new") });
    f.origin = (struct address){ ROLE_C2SD, instance_key("c2sd-1"), RIG_LIFE };
    f.sender = 9;
    f.stanza.to = SLICE("ben@a.org");
    f.body = buf_slice(&body);
    on_bind(&rig, &f);
    arena_reset(rig.arena);
    assert_null(session_by_jid(rig.sessions, SLICE("ben@a.org/y")));
    assert_non_null(session_by_jid(rig.sessions, SLICE("ben@a.org/new")));
    buf_free(&ticket);
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(a_lost_socket_leaves_the_session),
        FLOW(what_waited_is_sent_again),
        FLOW(a_stamp_is_put_on_once),
        FLOW(resumed_tells_only_what_is_true),
        FLOW(a_socket_that_looks_alive_is_replaced),
        FLOW(nobody_resumes_what_is_not_his),
        FLOW(a_wrong_h_does_not_resume),
        FLOW(who_comes_too_late_is_told_the_last_h),
        FLOW(only_so_many_are_remembered),
        FLOW(an_unmanaged_session_ends_with_its_socket),
        FLOW(an_unreachable_stream_is_a_lost_one),
        FLOW(who_sleeps_cannot_speak),
        FLOW(the_oldest_that_sleeps_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
