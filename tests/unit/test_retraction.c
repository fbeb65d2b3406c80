/* sm/retraction, proto/retract: tombstones in both archives, and what is no retraction at all. */

#include "archive_rig.h"

#define RETRACT(id) "<retract xmlns='" NS_RETRACT "' id='" id "'/><body>retracted</body>"
#define TOMBSTONE "<retracted xmlns='" NS_RETRACT "' id='r1' stamp='"
#define NO_TRACE "<no-permanent-store xmlns='" NS_HINTS "'/>"

static void say(const struct session *s, const char *type, const char *to, const char *id, const char *content)
{
    rig_client_id(s, "message", type, to, id, content);
}

/* To anna, by that daemon. */
static void from(unsigned role, const char *instance, const char *jid, const char *type, const char *id,
                 const char *content)
{
    struct frame f = rig_stanza("message", type, jid, "anna@a.org/x", content);

    f.stanza.id = slice_str(id);
    f.origin = (struct address){ (uint8_t)role, instance_key(instance), 5 };
    on_stanza(&rig, &f);
    arena_reset(rig.arena);
}

static void from_room(const char *nick, const char *type, const char *id, const char *content)
{
    from(ROLE_MUC, "muc-1", nick, type, id, content);
}

static void from_elsewhere(const char *jid, const char *id, const char *content)
{
    from(ROLE_S2SD, "s2sd-1", jid, "chat", id, content);
}

static void it_becomes_a_tombstone_in_both_archives(void **state)
{
    const struct session *of[2];

    (void)state;
    say(anna, "chat", "ben@a.org", "m1", "<body>wrong window</body><thread>t</thread>");
    say(anna, "chat", "ben@a.org", "m2", "<body>stays</body>");
    say(anna, "chat", "ben@a.org/y", "r1", RETRACT("m1"));
    of[0] = anna;
    of[1] = ben;
    for (int i = 0; i < 2; i++) {
        const char *out = archive_of(of[i]);
        assert_silent_about(out, "wrong window");
        assert_silent_about(out, "<thread>");
        assert_says(out, "<message xmlns='jabber:client' from='anna@a.org/x' id='m1' type='chat' to='ben@a.org'>" TOMBSTONE);
        assert_says(out, "stays");
        assert_says(out, RETRACT("m1"));                   /* 5: it is stored */
    }
}

static void whoever_else_retracts_it_does_nothing(void **state)
{
    struct session *carl = rig_bind("carl@a.org/z", 3);

    (void)state;
    say(anna, "chat", "ben@a.org", "m1", "<body>said</body>");
    say(carl, "chat", "ben@a.org", "r1", RETRACT("m1"));
    say(ben, "chat", "anna@a.org", "r1", RETRACT("m1"));          /* to whom it was said */
    rig_from("s2sd-1", "message", "chat", "anna@b.org/x", "ben@a.org", RETRACT("m1"));
    const char *out = archive_of(ben);
    assert_says(out, "said");
    assert_silent_about(out, TOMBSTONE);
    assert_says(out, "from='carl@a.org/z' id='r1' type='chat' to='ben@a.org'>" RETRACT("m1"));     /* passed on */
    assert_silent_about(archive_of(anna), TOMBSTONE);
}

static void from_another_resource_and_another_server(void **state)
{
    (void)state;
    rig_from("s2sd-1", "message", "chat", "dora@b.org/one", "ben@a.org", "<body>remote</body>");     /* its id: i1 */
    struct frame f = rig_stanza("message", "chat", "dora@b.org/two", "ben@a.org/y", RETRACT("i1"));
    f.stanza.id = SLICE("r1");
    f.origin = (struct address){ ROLE_S2SD, instance_key("s2sd-1"), 5 };
    on_stanza(&rig, &f);
    const char *out = archive_of(ben);
    assert_silent_about(out, "remote");
    assert_says(out, TOMBSTONE);
}

/* They share the bare JID of the room. */
static void an_occupant_retracts_only_his_own(void **state)
{
    (void)state;
    from_room("r@rooms.a.org/carl", "chat", "m1", "<body>private</body>");
    from_room("r@rooms.a.org/dora", "chat", "r1", RETRACT("m1"));
    from_room("r@rooms.a.org/carl", "groupchat", "r1", RETRACT("m1"));
    assert_says(archive_of(anna), "private");
    from_room("r@rooms.a.org/carl", "chat", "r1", RETRACT("m1"));
    const char *out = archive_of(anna);
    assert_silent_about(out, "private");
    assert_says(out, TOMBSTONE);
}

/* Of a service that does not mark private messages (XEP-0045 7.5): the owner is in that room. */
static void an_occupant_of_a_foreign_room_is_no_contact(void **state)
{
    (void)state;
    rig_client(anna, "presence", "", "r@rooms.b.org/anna", "<x xmlns='http://jabber.org/protocol/muc'/>");
    rig_from("s2sd-1", "message", "chat", "r@rooms.b.org/carl", "anna@a.org/x", "<body>private</body>");
    from_elsewhere("r@rooms.b.org/dora", "r1", RETRACT("i1"));
    assert_says(archive_of(anna), "private");
    from_elsewhere("r@rooms.b.org/carl", "r1", RETRACT("i1"));
    const char *out = archive_of(anna);
    assert_silent_about(out, "private");
    assert_says(out, TOMBSTONE);
}

static void what_cannot_be_retracted(void **state)
{
    (void)state;
    say(anna, "chat", "ben@a.org", "m1", "<body>first</body>");
    say(anna, "chat", "ben@a.org", "", RETRACT("m1"));            /* no id: a tombstone could not name it (4) */
    say(anna, "chat", "ben@a.org", "r1", "<retract xmlns='" NS_RETRACT "'/><body>b</body>");
    say(anna, "headline", "ben@a.org", "r1", RETRACT("m1"));
    say(anna, "chat", "ben@a.org", "r1", RETRACT("m9"));
    const char *out = archive_of(ben);
    assert_says(out, "first");
    assert_silent_about(out, "<retracted");
    say(anna, "chat", "ben@a.org", "r1", RETRACT("m1"));
    say(anna, "chat", "ben@a.org", "r2", RETRACT("m1"));          /* it is a tombstone already */
    say(anna, "chat", "ben@a.org", "r3", RETRACT("r1"));          /* 5: must be stored, so it stays */
    out = archive_of(ben);
    assert_says(out, TOMBSTONE);
    assert_silent_about(out, "<retracted xmlns='" NS_RETRACT "' id='r2'");
    assert_silent_about(out, "<retracted xmlns='" NS_RETRACT "' id='r3'");
}

static void the_newest_of_that_id_is_meant_and_no_old_one(void **state)
{
    (void)state;
    say(anna, "chat", "ben@a.org", "m1", "<body>older</body>");
    say(anna, "chat", "ben@a.org", "m1", "<body>newer</body>");
    say(anna, "chat", "ben@a.org", "r1", RETRACT("m1"));
    const char *out = archive_of(ben);
    assert_says(out, "older");
    assert_silent_about(out, "newer");
    for (int i = 0; i < 10; i++)
        say(anna, "chat", "ben@a.org", "m2", "<body>talk</body>");
    say(anna, "chat", "ben@a.org", "r1", RETRACT("m1"));
    assert_says(archive_of(ben), "older");                         /* behind limits.retraction_search */
}

static void what_waits_does_not_come_any_more(void **state)
{
    (void)state;
    dispatch_end_session(&rig, &ben, NULL, NULL, 0);
    say(anna, "chat", "ben@a.org", "m1", "<body>waits</body>");
    say(anna, "chat", "ben@a.org", "m2", "<body>transient</body>" NO_TRACE);
    say(anna, "chat", "ben@a.org", "m3", "<body>remains</body>");
    say(anna, "chat", "ben@a.org", "r1", RETRACT("m1"));
    say(anna, "chat", "ben@a.org", "r2", RETRACT("m2"));
    const char *out = come_back(&ben, "ben@a.org/y");
    assert_silent_about(out, "waits");
    assert_silent_about(out, "transient");
    assert_silent_about(out, "<retracted");
    assert_says(out, "remains");
    assert_says(out, RETRACT("m1"));
    assert_says(out, RETRACT("m2"));
    out = archive_of(ben);
    assert_says(out, TOMBSTONE);
    assert_silent_about(out, "waits");
}

static unsigned waiting(void)
{
    struct store_view *view = store_view(rig.store.archive);
    struct ledger      l;

    assert_int_equal(ledger_open(&l, sm_ledger(&rig.store), view, SLICE("ben@a.org")), ZE_OK);
    assert_int_equal(ledger_waiting(&l), ZE_OK);
    store_view_end(&view);
    return l.offline_count;
}

static void the_count_of_what_waits_is_kept(void **state)
{
    (void)state;
    dispatch_end_session(&rig, &ben, NULL, NULL, 0);
    for (int i = 0; i < 3; i++) {
        say(anna, "chat", "ben@a.org", "m1", "<body>x</body>");
        say(anna, "chat", "ben@a.org", "r1", RETRACT("m1"));
    }
    rig_wait();
    assert_int_equal(waiting(), 3);
}

static void after_a_power_cut_a_tombstone_is_not_delivered(void **state)
{
    (void)state;
    say(anna, "chat", "ben@a.org", "m1", "<body>gone</body>");
    say(anna, "chat", "ben@a.org", "r1", RETRACT("m1"));
    rig_wait();
    session_remove(rig.sessions, &ben);
    archive_cold_start(&rig, wall_us());
    const char *out = come_back(&ben, "ben@a.org/z");
    assert_silent_about(out, "<retracted");
    assert_says(out, RETRACT("m1"));
}

static void a_setting_leaves_archives_alone(void **state)
{
    (void)state;
    rig_settings.limits.retraction_search = 0;
    say(anna, "chat", "ben@a.org", "m1", "<body>kept</body>");
    say(anna, "chat", "ben@a.org", "r1", RETRACT("m1"));
    const char *out = archive_of(ben);
    assert_says(out, "kept");
    assert_says(out, RETRACT("m1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(it_becomes_a_tombstone_in_both_archives),
        FLOW(whoever_else_retracts_it_does_nothing),
        FLOW(from_another_resource_and_another_server),
        FLOW(an_occupant_retracts_only_his_own),
        FLOW(an_occupant_of_a_foreign_room_is_no_contact),
        FLOW(what_cannot_be_retracted),
        FLOW(the_newest_of_that_id_is_meant_and_no_old_one),
        FLOW(what_waits_does_not_come_any_more),
        FLOW(the_count_of_what_waits_is_kept),
        FLOW(after_a_power_cut_a_tombstone_is_not_delivered),
        FLOW(a_setting_leaves_archives_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
