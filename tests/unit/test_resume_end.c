/* XEP-0198: what becomes of a queue when its session ends for good, and over a restart of sm. */

#include "resume_rig.h"

#include "archive_purge.h"

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

static void purged(void *arg, enum zerr err, uint64_t count)
{
    assert_int_equal(err, ZE_OK);
    *(uint64_t *)arg = count;
}

/* Its owner empties the archive: what no client of his has had is not in it for that. */
static void what_was_purged_before_it_was_read_still_comes(void **state)
{
    uint64_t count = 0;

    (void)state;
    rig_settings.server.archive = true;
    rig_client(anna, "message", "chat", "ben@a.org", "<body>unread</body>");
    rig_wait();
    archive_purge(&rig, SLICE("ben@a.org"), wall_us(), purged, &count);
    while (!count)
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    rig_forget();
    end(ben);
    assert_silent_about(rig_took(), "error");
    again_online(5);
    const char *out = rig_took();
    rig_settings.server.archive = false;
    assert_says(out, "<body>unread</body><delay");
    assert_silent_about(out, "<stanza-id");
}

static void senders_that_wait_for_an_answer_get_one(void **state)
{
    const char *out;

    (void)state;
    rig_client(ben, "presence", "", "eve@b.org/e", "");
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
    rig_client(ben, "presence", "", "eve@b.org/e", "");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(what_was_for_him_waits_for_him),
        FLOW(what_was_purged_before_it_was_read_still_comes),
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
