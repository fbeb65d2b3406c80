/* Stream management in sm (sm/resume.h): what h tells, what is kept, who takes a session over, and what
 * becomes of the rest. */

#include "resume_inner.h"
#include "sasl.h"
#include "sm_rig.h"

#define BODY "<body>hi</body>"
#define ROOM "r@rooms.a.org/carl"

static struct session *anna, *ben;

static struct frame manage_frame(const struct session *s, const struct manage *m, struct buf *body)
{
    struct frame f = frame_make(FRAME_MANAGE);

    manage_put(body, m);
    f.origin = s->c2sd;
    f.sender = s->conn;
    f.handle = s->handle;
    f.trace = 9;
    f.body = buf_slice(body);
    return f;
}

static void manage_stanza(const struct session *s, const struct manage *m, const struct stanza *about)
{
    struct buf   body = { 0 };
    struct frame f = manage_frame(s, m, &body);

    if (about)
        f.stanza = *about;
    on_manage(&rig, &f);
    arena_reset(rig.arena);
    buf_free(&body);
}

static void manage(const struct session *s, enum manage_op op, uint32_t h)
{
    manage_stanza(s, &(struct manage){ .op = op, .h = h, .resume = true }, NULL);
}

static void turn(void)
{
    uv_run(loop_uv(rig.loop), UV_RUN_NOWAIT);
}

static int two_users(void **state)
{
    rig_setup(state);
    rig_account("anna@a.org");
    rig_account("ben@a.org");
    rig_account("carl@a.org");
    anna = rig_bind("anna@a.org/x", 1);
    ben = rig_bind("ben@a.org/y", 2);
    rig_client(anna, "presence", "", NULL, "");
    rig_client(ben, "presence", "", NULL, "");
    manage(anna, MANAGE_ENABLE, 0);
    manage(ben, MANAGE_ENABLE, 0);
    rig_forget();
    return 0;
}

/* ---- enabling ---- */

static void enabling_is_answered_once(void **state)
{
    struct session *s = rig_bind("carl@a.org/z", 3);

    (void)state;
    manage_stanza(s, &(struct manage){ .op = MANAGE_ENABLE, .resume = true, .max = 60 }, NULL);
    assert_string_equal(rig_took(), "c3 MANAGE ENABLED resume=1 max=60 h=0 err=ok\n");
    manage(s, MANAGE_ENABLE, 0);
    assert_string_equal(rig_took(), "c3 MANAGE FAILED resume=0 max=0 h=0 err=unexpected\n");
}

static void max_is_at_most_the_setting(void **state)
{
    struct session *s = rig_bind("carl@a.org/z", 3), *t = rig_bind("carl@a.org/zz", 4);

    (void)state;
    manage_stanza(s, &(struct manage){ .op = MANAGE_ENABLE, .resume = true, .max = 100000 }, NULL);
    assert_says(rig_took(), "resume=1 max=600");
    rig_settings.limits.resume_seconds = 0;
    manage(t, MANAGE_ENABLE, 0);
    assert_says(rig_took(), "resume=0 max=0");
}

static void nobody_else_manages_the_stream(void **state)
{
    struct buf   body = { 0 };
    struct frame f = manage_frame(anna, &(struct manage){ .op = MANAGE_REQUEST }, &body);

    (void)state;
    f.sender = 99;
    on_manage(&rig, &f);
    assert_string_equal(rig_took(), "c99 SESSION_END\n");
    buf_free(&body);
}

/* ---- h to the client ---- */

static void what_depends_on_nothing_counts_at_once(void **state)
{
    (void)state;
    manage(anna, MANAGE_REQUEST, 0);
    assert_says(rig_took(), "c1 MANAGE ACK resume=0 max=0 h=0");
    rig_client(anna, "message", "chat", "ben@a.org", BODY);
    rig_client(anna, "iq", "get", "a.org", "<ping xmlns='urn:xmpp:ping'/>");
    rig_client(anna, "presence", "", "room@rooms.a.org/anna", "");
    manage(anna, MANAGE_REQUEST, 0);
    assert_says(rig_took(), "c1 MANAGE ACK resume=0 max=0 h=3");
}

static void a_stored_message_counts_with_its_commit(void **state)
{
    (void)state;
    rig_client(anna, "message", "chat", "carl@a.org", BODY);        /* another owner's batch */
    rig_client(anna, "message", "chat", "ben@a.org", BODY);
    manage(anna, MANAGE_REQUEST, 0);
    assert_silent_about(rig_log, "MANAGE");
    rig_wait();
    turn();
    assert_says(rig_took(), "c1 MANAGE ACK resume=0 max=0 h=2");
}

static void a_set_of_the_roster_counts_with_its_commit(void **state)
{
    (void)state;
    rig_client(anna, "iq", "set", NULL,
               "<query xmlns='jabber:iq:roster'><item jid='carl@b.org'/></query>");
    manage(anna, MANAGE_REQUEST, 0);
    assert_silent_about(rig_log, "MANAGE");
    rig_wait();
    turn();
    assert_says(rig_took(), "c1 MANAGE ACK resume=0 max=0 h=1");
}

static void confirmed(void)
{
    struct kept *k = link_keep(rig_link, &rig_tagged, rig_tag);

    resume_on_confirmed(&rig, k);
    kept_unref(rig_link, &k);
    turn();
}

static void a_message_for_elsewhere_counts_when_it_is_confirmed(void **state)
{
    (void)state;
    rig_client(anna, "message", "chat", "carl@b.org", BODY);
    rig_client(anna, "message", "chat", "ben@a.org", BODY);
    manage(anna, MANAGE_REQUEST, 0);
    assert_silent_about(rig_took(), "MANAGE");
    assert_int_equal(anna->resume->paid, 0);
}

static void the_confirm_pays(void **state)
{
    (void)state;
    rig_client(anna, "message", "chat", "carl@b.org", BODY);
    manage(anna, MANAGE_REQUEST, 0);
    rig_forget();
    confirmed();
    assert_says(rig_took(), "c1 MANAGE ACK resume=0 max=0 h=1");
    confirmed();
    assert_int_equal(anna->resume->paid, 1);
}

static void an_answer_waits_no_longer_than_its_time(void **state)
{
    (void)state;
    rig_client(anna, "message", "chat", "carl@b.org", BODY);
    manage(anna, MANAGE_REQUEST, 0);
    rig_forget();
    while (!strstr(rig_log, "MANAGE"))
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    assert_says(rig_took(), "c1 MANAGE ACK resume=0 max=0 h=0");
}

static void what_c2sd_refuses_counts_and_is_answered_here(void **state)
{
    struct stanza asked = { .name = STANZA_IQ, .type = TYPE_GET, .id = SLICE("q"), .to = SLICE("a.org") };

    (void)state;
    manage_stanza(anna, &(struct manage){ .op = MANAGE_REFUSED, .err = ZE_BAD_REQUEST }, &asked);
    const char *out = rig_took();
    assert_says(out, "c1 <iq from='a.org' id='q' type='error' to='anna@a.org/x'>");
    assert_says(out, "bad-request");
    manage_stanza(anna, &(struct manage){ .op = MANAGE_REFUSED }, &asked);
    assert_says(rig_took(), "c1 <iq id='q' type='result' to='anna@a.org/x'/>");
    assert_int_equal(anna->resume->paid, 2);
    assert_int_equal(resume_queued(anna), 2);
}

static void h_goes_over_its_end(void **state)
{
    (void)state;
    anna->resume->paid = UINT32_MAX - 1;
    rig_client(anna, "message", "chat", "carl@a.org", BODY);
    rig_client(anna, "message", "chat", "carl@a.org", BODY);
    rig_client(anna, "message", "chat", "carl@a.org", BODY);
    manage(anna, MANAGE_REQUEST, 0);
    rig_wait();
    turn();
    assert_says(rig_took(), "c1 MANAGE ACK resume=0 max=0 h=1");
}

static void what_was_owed_before_a_restart_is_owed_again(void **state)
{
    (void)state;
    anna->resume->paid = 10;
    resume_owe_again(anna, 8);
    resume_owe_again(anna, 10);
    resume_owe_again(anna, 10);
    assert_int_equal(anna->resume->paid, 7);
    resume_paid(&rig, anna->handle, 8);
    assert_int_equal(anna->resume->paid, 9);
    resume_paid(&rig, anna->handle, 10);
    assert_int_equal(anna->resume->paid, 9);
    resume_paid(&rig, anna->handle, 10);
    assert_int_equal(anna->resume->paid, 10);
    assert_int_equal(resume_took(anna), 11);
    resume_paid(&rig, anna->handle, 10);            /* not owed any more */
    resume_paid(&rig, anna->handle, 12);
    assert_int_equal(anna->resume->paid, 10);
}

/* ---- h of the client ---- */

static void h_of_the_client_wraps(void **state)
{
    const uint64_t whole = 1ull << 32;
    static const struct { uint64_t acked, sent; uint32_t h; enum h_means means; } cases[] = {
        { 0, 0, 0, H_GOOD }, { 0, 5, 5, H_GOOD }, { 0, 5, 6, H_TOO_HIGH }, { 3, 5, 2, H_OLD },
        { 3, 5, 4294967295u, H_TOO_HIGH }, { 3, 5, 2147483648u, H_TOO_HIGH }, { 10, 10, 0, H_OLD },
        { (1ull << 32) - 2, (1ull << 32) + 3, 4294967295u, H_GOOD },
        { (1ull << 32) - 2, (1ull << 32) + 3, 1, H_GOOD },
        { (1ull << 32) - 2, (1ull << 32) + 3, 10, H_TOO_HIGH },
        { (1ull << 32) - 2, (1ull << 32) + 3, 4294967200u, H_OLD },
        { (1ull << 32) + 5, (1ull << 32) + 6, 4294967290u, H_OLD },
        { (1ull << 33) + 5, (1ull << 33) + 6, 6, H_GOOD },
    };
    uint64_t total;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(resume_h(cases[i].acked, cases[i].sent, cases[i].h, &total), cases[i].means);
        if (cases[i].means == H_GOOD)
            assert_int_equal(total % whole, cases[i].h);
    }
}

static void say(const struct session *to, int count)
{
    for (int i = 0; i < count; i++)
        rig_from("s2sd-1", "message", "chat", "eve@b.org/e", to == ben ? "ben@a.org/y" : "anna@a.org/x", BODY);
}

static void what_is_acknowledged_is_forgotten(void **state)
{
    (void)state;
    say(ben, 20);
    assert_int_equal(resume_queued(ben), 20);
    manage(ben, MANAGE_ACK, 15);
    assert_int_equal(resume_queued(ben), 5);
    manage(ben, MANAGE_ACK, 3);
    assert_int_equal(resume_queued(ben), 5);
    say(ben, 3);
    manage(ben, MANAGE_ACK, 23);
    assert_int_equal(resume_queued(ben), 0);
    assert_int_equal(ben->resume->queue_bytes, 0);
    rig_forget();
}

static void who_acknowledges_too_much_is_cut(void **state)
{
    (void)state;
    say(ben, 2);
    rig_forget();
    manage(ben, MANAGE_ACK, 3);
    assert_says(rig_took(), "c2 MANAGE TOO_HIGH resume=0 max=2 h=3");
    assert_null(session_by_jid(rig.sessions, SLICE("ben@a.org/y")));
}

static void room_says(const char *content)
{
    struct frame f = rig_stanza("message", "groupchat", ROOM, NULL, content);
    struct buf   list = { 0 };

    f.kind = FRAME_FANOUT;
    f.origin = (struct address){ ROLE_MUC, instance_key("muc-1"), 5 };
    fanout_put(&list, 0, SLICE("anna@a.org/x"));
    fanout_put(&list, 0, SLICE("ben@a.org/y"));
    f.list = buf_slice(&list);
    on_fanout(&rig, &f);
    arena_reset(rig.arena);
    buf_free(&list);
}

static void a_fan_out_is_one_row_for_all(void **state)
{
    (void)state;
    room_says(BODY);
    assert_says(rig_took(), "c1,c2 <message from='" ROOM "'");
    assert_int_equal(resume_queued(anna), 1);
    assert_int_equal(resume_queued(ben), 1);
    assert_ptr_equal(anna->resume->queue[0].kept, ben->resume->queue[0].kept);
    manage(anna, MANAGE_ACK, 1);
    assert_int_equal(resume_queued(anna), 0);
    assert_true(kept_bytes(ben->resume->queue[0].kept).len > 0);
}

static void too_much_unacknowledged_ends_the_session(void **state)
{
    (void)state;
    say(ben, 101);
    rig_forget();
    turn();
    assert_says(rig_took(), "c2 SESSION_END");
    assert_null(session_by_jid(rig.sessions, SLICE("ben@a.org/y")));
    ben = rig_bind("ben@a.org/y", 5);
    rig_client(ben, "presence", "", NULL, "");
    assert_says(rig_took(), "c5 <message from='eve@b.org/e' id='i1' type='chat' to='ben@a.org/y'>" BODY "<delay");
}

static void bytes_are_limited_too(void **state)
{
    (void)state;
    rig_settings.limits.resume_queue_bytes = 1000;
    say(ben, 20);
    turn();
    assert_says(rig_took(), "c2 SESSION_END");
}

/* ---- hibernation and resumption ---- */

static void lose(const struct session *s)
{
    struct session_end end = { .broken = true };
    struct frame       f = frame_make(FRAME_SESSION_END);
    struct buf         body = { 0 };

    session_end_put(&body, &end);
    f.origin = s->c2sd;
    f.sender = s->conn;
    f.handle = s->handle;
    f.body = buf_slice(&body);
    on_session_end(&rig, &f);
    arena_reset(rig.arena);
    buf_free(&body);
}

static void come_back(const char *bare, const char *previd, uint32_t h, uint64_t conn)
{
    struct frame         f = frame_make(FRAME_RESUME_AT);
    struct ticket_claim  claim = { slice_str(bare), instance_key("c2sd-1"), RIG_LIFE, conn };
    struct buf           ticket = { 0 }, body = { 0 };

    ticket_make(&rig.store, &claim, wall_us(), &ticket);
    struct resume_request r = { buf_slice(&ticket), slice_str(previd), h, SLICE("192.0.2.9"), true };
    resume_request_put(&body, &r);
    f.origin = (struct address){ ROLE_C2SD, instance_key("c2sd-1"), RIG_LIFE };
    f.sender = conn;
    f.stanza.to = slice_str(bare);
    f.body = buf_slice(&body);
    on_resume_at(&rig, &f);
    arena_reset(rig.arena);
    buf_free(&ticket);
    buf_free(&body);
}

static const char *id_of(const struct session *s)
{
    static char id[RANDOM_ID];

    memcpy(id, s->resume->id, sizeof(id));
    return id;
}

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
    say(ben, 2);
    lose(ben);
    rig_forget();
    rig_client(anna, "message", "chat", "ben@a.org", "<body>later</body>");
    rig_from("s2sd-1", "iq", "get", "eve@b.org/e", "ben@a.org/y", "<q xmlns='u'/>");
    room_says("<body>room</body>");
    rig_forget();
    come_back("ben@a.org", id_of(ben), 1, 7);
    const char *out = rig_took();
    assert_says(out, "c7 RESUMED h=0 has_h=0 err=ok\nc7 <message from='eve@b.org/e'");
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

static void end(struct session *s)
{
    dispatch_end_session(&rig, &s, NULL, NULL, 0);
    arena_reset(rig.arena);
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

/* ---- the end ---- */

static struct session *again_online(uint64_t conn)
{
    struct session *s = rig_bind("ben@a.org/again", conn);

    manage(s, MANAGE_ENABLE, 0);
    rig_client(s, "presence", "", NULL, "");
    return s;
}

static void what_was_for_him_waits_for_him(void **state)
{
    (void)state;
    say(ben, 1);
    rig_client(anna, "message", "chat", "ben@a.org", "<body>bare</body>");
    rig_from("s2sd-1", "message", "headline", "eve@b.org/e", "ben@a.org/y", "<body>news</body>");
    end(ben);
    rig_forget();
    struct session *next = again_online(5);
    const char     *out = rig_took();
    assert_says(out, "to='ben@a.org/y'>" BODY "<delay");
    assert_says(out, "to='ben@a.org'><body>bare</body><delay");
    assert_silent_about(out, "news");
    end(next);                                          /* unacknowledged: they wait on */
    rig_wait();
    next = again_online(6);
    assert_says(rig_took(), "<body>bare</body>");
    manage(next, MANAGE_ACK, 3);
    turn();
    rig_wait();
    end(next);
    again_online(7);
    assert_silent_about(rig_took(), "<message");
}

static void senders_that_wait_for_an_answer_get_one(void **state)
{
    const char *out;

    (void)state;
    rig_from("s2sd-1", "iq", "get", "eve@b.org/e", "ben@a.org/y", "<q xmlns='u'/>");
    rig_from("s2sd-1", "iq", "result", "eve@b.org/f", "ben@a.org/y", "<q xmlns='u'/>");
    rig_from("s2sd-1", "message", "normal", "eve@b.org/e", "ben@a.org/y", BODY);
    rig_from("s2sd-1", "message", "error", "eve@b.org/g", "ben@a.org/y", BODY);
    rig_from("s2sd-1", "presence", "", "eve@b.org/h", "ben@a.org/y", "");
    rig_from("muc-1", "message", "groupchat", ROOM, "ben@a.org/y", BODY);
    rig_forget();
    end(ben);
    out = rig_took();
    assert_says(out, "s2sd-1 <iq from='ben@a.org/y' id='i1' type='error' to='eve@b.org/e'>");
    assert_says(out, "s2sd-1 <message from='ben@a.org/y' id='i1' type='error' to='eve@b.org/e'>");
    assert_says(out, "muc-1 <message from='ben@a.org/y' id='i1' type='error' to='" ROOM "'>");
    assert_silent_about(out, "eve@b.org/f");
    assert_silent_about(out, "eve@b.org/g");
    assert_silent_about(out, "eve@b.org/h");
}

static void what_he_has_answered_is_not_answered_again(void **state)
{
    (void)state;
    rig_from("s2sd-1", "iq", "get", "eve@b.org/e", "ben@a.org/y", "<q xmlns='u'/>");
    rig_client(ben, "iq", "result", "eve@b.org/e", "");
    rig_forget();
    end(ben);
    assert_silent_about(rig_took(), "type='error'");
}

static void what_another_resource_has_got_is_done(void **state)
{
    (void)state;
    struct session *other = rig_bind("ben@a.org/other", 4);
    rig_client(other, "presence", "", NULL, "");
    rig_client(anna, "message", "chat", "ben@a.org", BODY);
    rig_forget();
    end(ben);
    assert_silent_about(rig_took(), BODY);
    again_online(5);
    assert_silent_about(rig_took(), BODY);
}

static void a_resource_that_came_later_gets_it(void **state)
{
    (void)state;
    struct session *other = rig_bind("ben@a.org/other", 4);
    rig_client(other, "presence", "", NULL, "<priority>-1</priority>");
    rig_client(anna, "message", "chat", "ben@a.org", BODY);
    rig_client(other, "presence", "", NULL, "<priority>1</priority>");
    rig_forget();
    end(ben);
    assert_says(rig_took(), "c4 <message from='anna@a.org/x' id='i1' type='chat' to='ben@a.org'>" BODY "<delay");
}

static void two_that_end_leave_one_copy(void **state)
{
    (void)state;
    struct session *other = rig_bind("ben@a.org/other", 4);
    rig_client(other, "presence", "", NULL, "");
    manage(other, MANAGE_ENABLE, 0);
    rig_client(anna, "message", "chat", "ben@a.org", "<body>once</body>");
    end(ben);
    end(other);
    rig_forget();
    again_online(5);
    const char *out = rig_took();
    assert_says(out, "<body>once</body>");
    assert_null(strstr(strstr(out, "<body>once</body>") + 1, "<body>once</body>"));
}

/* ---- over a restart ---- */

static void sends_and_sleeps(void)
{
    anna = rig_bind("anna@a.org/x", 1);
    ben = rig_bind("ben@a.org/y", 2);
    manage(anna, MANAGE_ENABLE, 0);
    manage(ben, MANAGE_ENABLE, 0);
    say(ben, 3);
    manage(ben, MANAGE_ACK, 1);
    room_says("<body>room</body>");
    lose(ben);
    rig_client(anna, "message", "chat", "ben@a.org/y", "<body>meanwhile</body>");
    rig_client(anna, "message", "chat", "carl@b.org", BODY);
    live_commit(rig.live);
    say(ben, 1);                                        /* of a turn that never ended */
    rig_killed_here();
}

static void a_killed_process_left_everything(void **state)
{
    char id[RANDOM_ID];

    (void)state;
    rig_live_and_die(sends_and_sleeps);
    rig_open();
    rig_account("ben@a.org");
    anna = session_by_jid(rig.sessions, SLICE("anna@a.org/x"));
    ben = session_by_jid(rig.sessions, SLICE("ben@a.org/y"));
    assert_true(resume_hibernates(ben));
    assert_int_equal(resume_queued(ben), 4);
    assert_int_equal(resume_queued(anna), 1);
    assert_int_equal(anna->resume->paid, 2);            /* in this rig the link lets go of all */
    rig_forget();
    memcpy(id, id_of(ben), sizeof(id));
    come_back("ben@a.org", id, 2, 7);
    const char *out = rig_took();
    assert_says(out, "c7 RESUMED h=0 has_h=0 err=ok\nc7 <message from='eve@b.org/e'");
    assert_says(out, "<body>room</body><delay");
    assert_says(out, "<body>meanwhile</body><delay");
    assert_int_equal(resume_queued(ben), 3);
    manage(ben, MANAGE_ACK, 5);
    assert_int_equal(resume_queued(ben), 0);
}

static void the_queue_stands_again_from_kept_frames(void **state)
{
    struct buf     row = { 0 };
    struct kept   *rows[4];
    struct session *s = ben;

    (void)state;
    say(ben, 2);
    room_says(BODY);
    manage(ben, MANAGE_ACK, 1);
    rig_client(ben, "message", "chat", "anna@a.org", BODY);
    lose(ben);
    say(ben, 1);
    assert_int_equal(resume_queued(ben), 3);
    for (uint32_t i = 0; i < 3; i++)
        rows[i] = kept_ref(ben->resume->queue[ben->resume->queue_first + i].kept);
    char id[RANDOM_ID];
    memcpy(id, id_of(ben), sizeof(id));
    resume_row_put(&row, ben);
    resume_free(&rig, &s->resume);
    struct cursor c = { buf_slice(&row), false };
    assert_int_equal(resume_row_take(&rig, &c, ben), ZE_OK);
    assert_true(cursor_done(&c));
    for (uint32_t i = 0; i < 3; i++)
        resume_on_kept(&rig, rows[i]);
    assert_int_equal(resume_queued(ben), 3);
    assert_true(resume_hibernates(ben));
    rig_forget();
    come_back("ben@a.org", id, 1, 7);
    const char *out = rig_took();
    assert_says(out, "c7 RESUMED h=1 has_h=0 err=ok\nc7 <message from='eve@b.org/e'");
    assert_says(out, "c7 <message from='" ROOM "'");
    for (uint32_t i = 0; i < 3; i++)
        resume_on_kept(&rig, rows[i]);                      /* older than RESUMED: not his any more */
    assert_int_equal(resume_queued(ben), 3);
    for (uint32_t i = 0; i < 3; i++)
        kept_unref(rig_link, &rows[i]);
    buf_free(&row);
    turn();
}

static void what_a_frame_owes_is_owed_after_a_restart(void **state)
{
    (void)state;
    rig_client(anna, "message", "chat", "carl@b.org", BODY);
    anna->resume->paid = 1;                             /* as its row says after the restart */
    anna->resume->owed_count = 0;
    struct kept *k = link_keep(rig_link, &rig_tagged, rig_tag);
    resume_on_kept(&rig, k);
    assert_int_equal(anna->resume->paid, 0);
    resume_on_confirmed(&rig, k);
    assert_int_equal(anna->resume->paid, 1);
    kept_unref(rig_link, &k);
}

static void a_row_that_is_cut_is_refused(void **state)
{
    struct buf row = { 0 };

    (void)state;
    resume_row_put(&row, ben);
    for (size_t n = 0; n < buf_len(&row); n++) {
        struct session *s = rig_bind("carl@a.org/z", 3);
        struct cursor   c = { slice_cut(buf_slice(&row), 0, n), false };
        assert_int_equal(resume_row_take(&rig, &c, s), ZE_STORE);
        assert_null(s->resume);
        session_remove(rig.sessions, &s);
    }
    buf_free(&row);
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, two_users, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(enabling_is_answered_once),
        FLOW(max_is_at_most_the_setting),
        FLOW(nobody_else_manages_the_stream),
        FLOW(what_depends_on_nothing_counts_at_once),
        FLOW(a_stored_message_counts_with_its_commit),
        FLOW(a_set_of_the_roster_counts_with_its_commit),
        FLOW(a_message_for_elsewhere_counts_when_it_is_confirmed),
        FLOW(the_confirm_pays),
        FLOW(an_answer_waits_no_longer_than_its_time),
        FLOW(what_c2sd_refuses_counts_and_is_answered_here),
        FLOW(h_goes_over_its_end),
        FLOW(what_was_owed_before_a_restart_is_owed_again),
        FLOW(h_of_the_client_wraps),
        FLOW(what_is_acknowledged_is_forgotten),
        FLOW(who_acknowledges_too_much_is_cut),
        FLOW(a_fan_out_is_one_row_for_all),
        FLOW(too_much_unacknowledged_ends_the_session),
        FLOW(bytes_are_limited_too),
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
        FLOW(what_was_for_him_waits_for_him),
        FLOW(senders_that_wait_for_an_answer_get_one),
        FLOW(what_he_has_answered_is_not_answered_again),
        FLOW(what_another_resource_has_got_is_done),
        FLOW(a_resource_that_came_later_gets_it),
        FLOW(two_that_end_leave_one_copy),
        FLOW(the_queue_stands_again_from_kept_frames),
        FLOW(what_a_frame_owes_is_owed_after_a_restart),
        FLOW(a_row_that_is_cut_is_refused),
        cmocka_unit_test_setup_teardown(a_killed_process_left_everything, rig_prepare, rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
