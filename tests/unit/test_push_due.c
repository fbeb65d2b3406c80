/* sm/push: each message is told of once, whatever becomes of the session; what is due outlives the process. */

#include "push_inner.h"
#include "push_rig.h"
#include "table.h"
#include "told.h"

#define COUNT_IS(n) "<field var='message-count'><value>" n "</value></field>"
#define WAIT_ERROR ERROR_IS("wait", "resource-constraint")

static int managed_setup(void **state)
{
    push_setup(state);
    manage(phone, MANAGE_ENABLE, 0);
    rig_forget();
    return 0;
}

#define MANAGED(name) cmocka_unit_test_setup_teardown(name, managed_setup, rig_teardown)

/* ---- told once ---- */

static void inactive_then_hibernating_then_gone(void **state)
{
    (void)state;
    session_set_inactive(phone, true);
    chat();
    takes_it(rig_took());
    lose(phone);
    assert_silent_about(rig_took(), "s2sd-1");
    end(phone);
    assert_silent_about(rig_took(), "s2sd-1");
    chat();
    assert_says(rig_took(), COUNT_IS("1"));
}

static void awake_then_hibernating_then_gone(void **state)
{
    (void)state;
    chat();
    chat();
    assert_silent_about(rig_took(), "s2sd-1");
    lose(phone);
    const char *out = rig_took();
    assert_says(out, COUNT_IS("2"));
    takes_it(out);
    chat();
    out = rig_took();
    assert_says(out, COUNT_IS("1"));
    takes_it(out);
    end(phone);
    assert_silent_about(rig_took(), "s2sd-1");
}

static void what_is_acknowledged_is_no_news(void **state)
{
    (void)state;
    chat();
    rig_forget();
    manage(phone, MANAGE_ACK, 1);
    lose(phone);
    assert_silent_about(rig_took(), "s2sd-1");
}

static void what_a_room_said_is_told_once(void **state)
{
    struct frame f = rig_stanza("message", "groupchat", ROOM, NULL, BODY);
    struct buf   list = { 0 };

    (void)state;
    session_set_inactive(phone, true);
    f.kind = FRAME_FANOUT;
    f.origin = (struct address){ ROLE_MUC, instance_key("muc-1"), 5 };
    fanout_put(&list, 0, SLICE("anna@a.org/phone"));
    f.list = buf_slice(&list);
    on_fanout(&rig, &f);
    arena_reset(rig.arena);
    buf_free(&list);
    takes_it(rig_took());
    lose(phone);
    assert_silent_about(rig_took(), "s2sd-1");
}

/* The desk's service has heard nothing: the message was on its way to a phone that looked awake. */
static void other_clients_are_told_when_it_goes_another_way(void **state)
{
    const char *out;

    (void)state;
    rig_client(desk, "iq", "set", NULL, ENABLE("desk.org", "d1"));
    end(desk);
    chat();
    lose(phone);
    out = rig_took();
    assert_says(out, "to='push.org'");
    assert_silent_about(out, "to='desk.org'");
    takes_it(out);
    end(phone);
    out = rig_took();
    assert_says(out, "to='desk.org'");
    assert_silent_about(out, "to='push.org'");
}

static void everybody_was_told_already(void **state)
{
    (void)state;
    rig_client(desk, "iq", "set", NULL, ENABLE("desk.org", "d1"));
    end(desk);
    rig_forget();
    lose(phone);
    chat();
    const char *out = rig_took();
    assert_says(out, "to='push.org'");
    assert_says(out, "to='desk.org'");
    end(phone);
    assert_silent_about(rig_took(), "s2sd-1");
}

static void requests_are_counted(void **state)
{
    (void)state;
    rig_from("s2sd-1", "presence", "subscribe", "eve@b.org", "anna@a.org", "");
    assert_silent_about(rig_took(), "push.org");
    session_set_inactive(phone, true);
    rig_from("s2sd-1", "presence", "subscribe", "mallory@b.org", "anna@a.org", "");
    const char *out = rig_took();
    assert_says(out, "<field var='pending-subscription-count'><value>2</value></field></x>");
    assert_silent_about(out, "message-count");
    takes_it(out);
    rig_from("s2sd-1", "presence", "subscribe", "mallory@b.org", "anna@a.org", "");
    assert_silent_about(rig_took(), "push.org");
}

/* ---- over a restart ---- */

static void sends_and_dies(void)
{
    push_begin();
    manage(phone, MANAGE_ENABLE, 0);
    session_set_inactive(phone, true);
    chat();
    rig_wait();
    for (unsigned i = 0; i < 3; i++)
        turn();
    rig_killed_here();
}

static void fails_and_dies(void)
{
    push_begin();
    session_set_inactive(phone, true);
    chat();
    answer("push.org", "error", id_in(rig_took()), WAIT_ERROR);
    chat();
    rig_wait();
    for (unsigned i = 0; i < 3; i++)
        turn();
    rig_killed_here();
}

static void restart(void)
{
    rig_close();
    rig_open();
    rig_finish_walks();
}

static void told_once_more(void)
{
    const char *out = told_again();

    assert_says(out, COUNT_IS("1"));
    takes_it(out);
    rig_forget();
    restart();
    assert_silent_about(rig_took(), "push.org");
}

static void the_answer_finds_the_next_process(void **state)
{
    char id[40];

    (void)state;
    rig_live_and_die(sends_and_dies);
    snprintf(id, sizeof(id), "%s", id_in(rig_log));
    rig_log[0] = 0;
    rig_open();
    assert_silent_about(rig_took(), "push.org");
    answer("push.org", "result", id, "");
    rig_forget();
    end(session_by_jid(rig.sessions, SLICE("anna@a.org/phone")));
    assert_silent_about(rig_took(), "push.org");
    restart();
    assert_int_equal(push_found, 1);
}

static void what_failed_is_tried_again_by_the_next_process(void **state)
{
    (void)state;
    rig_live_and_die(fails_and_dies);
    rig_log[0] = 0;
    rig_open();
    told_once_more();
}

static void after_a_power_cut_it_is_told_again(void **state)
{
    static const char *const files[] = { "data.mdb", "lock.mdb", "owner.lock", "boot_id" };
    char                     path[128];

    (void)state;
    rig_live_and_die(sends_and_dies);
    rig_log[0] = 0;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof(path), "%s/live/%s", rig_dir, files[i]);
        unlink(path);
    }
    rig_open();
    told_once_more();
}

static void who_ended_it_is_not_told_later(void **state)
{
    (void)state;
    session_set_inactive(phone, true);
    chat();
    answer("push.org", "error", id_in(rig_took()), WAIT_ERROR);
    rig_client(phone, "iq", "set", NULL, "<disable xmlns='urn:xmpp:push:0' jid='push.org' node='n1'/>");
    rig_forget();
    uint64_t found = push_found;
    restart();
    assert_int_equal(push_found, found);
}

/* ---- read in steps ---- */

enum { MANY = 2 * DUE_STEP + 100 };

static void much_is_due(void)
{
    struct outcome *o = outcome_new(&rig, SLICE("anna@a.org"), 1);
    char            owner[32];

    for (unsigned i = 0; i < MANY; i++) {
        const struct registration r = { .service = SLICE("push.org"), .node = SLICE("n1") };
        snprintf(owner, sizeof(owner), "user%u@a.org", i);
        struct pushing *t = push_enter(&rig, slice_str(owner), &r);
        t->waiting = 1;
        t->due_us = wall_us() + UINT64_C(3600) * 1000000;
        due_put(o, t);
    }
    outcome_settle(&o);
    arena_reset(rig.arena);
    rig_wait();
}

static void as_many_rows_as_there_may_be_are_read_in_steps(void **state)
{
    size_t before, now = 0, turns = 0, most = 0;

    (void)state;
    much_is_due();
    rig_close();
    rig_open();
    assert_int_equal(table_count(rig.push->targets), 0);
    while (walks_count(&rig)) {
        uv_run(loop_uv(rig.loop), UV_RUN_NOWAIT);
        before = now;
        now = table_count(rig.push->targets);
        turns += now > before;
        most = now - before > most ? now - before : most;
        if (turns == 1 && now > before) {          /* another route table: from the beginning, and none twice */
            routes_set_generation(rig_routes, 2);
            push_routes(&rig);
        }
    }
    assert_int_equal(most, DUE_STEP);
    assert_int_equal(turns, 3);
    assert_int_equal(now, MANY);
}

/* It is not read yet. */
static void what_comes_meanwhile_waits_with_what_is_due(void **state)
{
    (void)state;
    rig_live_and_die(fails_and_dies);
    rig_log[0] = 0;
    rig_open();
    ben = session_by_jid(rig.sessions, SLICE("ben@a.org/y"));
    assert_int_equal(table_count(rig.push->targets), 0);
    chat();
    assert_int_equal(table_count(rig.push->targets), 1);
    assert_silent_about(rig_log, "push.org");
    assert_says(told_again(), COUNT_IS("2"));
}

static void who_ends_it_before_it_is_read_is_not_told(void **state)
{
    (void)state;
    rig_live_and_die(fails_and_dies);
    rig_open();
    rig_client(session_by_jid(rig.sessions, SLICE("anna@a.org/phone")), "iq", "set", NULL,
               "<disable xmlns='urn:xmpp:push:0' jid='push.org' node='n1'/>");
    rig_wait();
    rig_finish_walks();
    assert_int_equal(table_count(rig.push->targets), 0);
    uint64_t found = push_found;
    restart();
    assert_int_equal(push_found, found);
}

/* ---- giving up ---- */

static void who_fails_too_long_is_told_no_more(void **state)
{
    (void)state;
    rig_settings.limits.push_failing_hours = 0;
    session_set_inactive(phone, true);
    chat();
    answer("push.org", "error", id_in(rig_took()), WAIT_ERROR);
    answer("push.org", "error", id_in(told_again()), WAIT_ERROR);
    rig_forget();
    chat();
    assert_silent_about(rig_took(), "s2sd-1");
    assert_int_equal(push_dropped, 1);
}

static void one_success_begins_anew(void **state)
{
    (void)state;
    session_set_inactive(phone, true);
    chat();
    answer("push.org", "error", id_in(rig_took()), WAIT_ERROR);
    takes_it(told_again());
    rig_settings.limits.push_failing_hours = 0;
    chat();
    answer("push.org", "error", id_in(rig_took()), WAIT_ERROR);
    assert_says(told_again(), COUNT_IS("1"));
}

static void who_is_back_needs_no_other_attempt(void **state)
{
    (void)state;
    session_set_inactive(phone, true);
    chat();
    answer("push.org", "error", id_in(rig_took()), WAIT_ERROR);
    session_set_inactive(phone, false);
    const struct registration r = { .service = SLICE("push.org"), .node = SLICE("n1") };
    assert_non_null(push_find(&rig, SLICE("anna@a.org"), &r));
    while (push_find(&rig, SLICE("anna@a.org"), &r))
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    assert_silent_about(rig_took(), "s2sd-1");
}

/* ---- told.c ---- */

static void the_oldest_are_forgotten(void **state)
{
    struct told *t = NULL, *copy = NULL;
    struct buf   row = { 0 };

    (void)state;
    told_add(&t, 0, TOLD_CLIENT);
    assert_null(t);
    for (uint64_t i = 1; i <= TOLD_MAX + 1; i++)
        told_add(&t, i, TOLD_CLIENT);
    told_add(&t, 7, TOLD_EVERYBODY);
    told_add(&t, 7, TOLD_CLIENT);
    assert_int_equal(told_of(t, 1), TOLD_NOBODY);
    assert_int_equal(told_of(t, 2), TOLD_CLIENT);
    assert_int_equal(told_of(t, 7), TOLD_EVERYBODY);
    told_row_put(&row, t);
    struct cursor c = { buf_slice(&row), false };
    assert_int_equal(told_row_take(&c, &copy), ZE_OK);
    assert_int_equal(c.rest.len, 0);
    assert_int_equal(told_of(copy, 7), TOLD_EVERYBODY);
    assert_int_equal(told_of(copy, TOLD_MAX + 1), TOLD_CLIENT);
    told_free(&copy);
    c = (struct cursor){ slice_cut(buf_slice(&row), 0, buf_len(&row) - 1), false };
    assert_int_equal(told_row_take(&c, &copy), ZE_STORE);
    told_free(&copy);
    told_free(&t);
    buf_free(&row);
}

int main(void)
{
#define ALONE(name) cmocka_unit_test_setup_teardown(name, rig_prepare, rig_teardown)
    const struct CMUnitTest tests[] = {
        MANAGED(inactive_then_hibernating_then_gone), MANAGED(awake_then_hibernating_then_gone),
        MANAGED(what_is_acknowledged_is_no_news), MANAGED(what_a_room_said_is_told_once),
        MANAGED(other_clients_are_told_when_it_goes_another_way), MANAGED(everybody_was_told_already),
        PUSH(requests_are_counted), ALONE(the_answer_finds_the_next_process),
        ALONE(what_failed_is_tried_again_by_the_next_process), ALONE(after_a_power_cut_it_is_told_again),
        PUSH(who_ended_it_is_not_told_later), PUSH(who_fails_too_long_is_told_no_more),
        PUSH(as_many_rows_as_there_may_be_are_read_in_steps), ALONE(what_comes_meanwhile_waits_with_what_is_due),
        ALONE(who_ends_it_before_it_is_read_is_not_told),
        PUSH(one_success_begins_anew), PUSH(who_is_back_needs_no_other_attempt),
        cmocka_unit_test(the_oldest_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
