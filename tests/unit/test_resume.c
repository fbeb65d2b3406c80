/* XEP-0198 between c2sd and sm: enabling, what the server's h covers and when, what the client's h forgets. */

#include "resume_rig.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
