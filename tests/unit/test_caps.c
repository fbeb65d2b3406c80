/* Who is asked about its capabilities, who is believed, and what is remembered for how long. */

#include "caps_inner.h"
#include "sm_rig.h"

#define INFO(inside) "<query xmlns='http://jabber.org/protocol/disco#info'>" inside "</query>"
#define TUNE "http://jabber.org/protocol/tune"
/* The hash of nothing but that feature: "http://jabber.org/protocol/tune+notify<". */
#define WANTS_TUNE INFO("<feature var='" TUNE "+notify'/>")
#define WANTS_MOOD INFO("<feature var='http://jabber.org/protocol/mood+notify'/>")
#define SAYS(ver) "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://n' ver='" ver "'/>"

static struct session *anna, *ben;
static char            tune[512], told[4096];

/* <c/> for WANTS_TUNE. */
static void make_tune(void)
{
    struct buf            b = { 0 };
    struct xml_limits     limits = sm_xml_limits(&rig);
    const struct element *root = xml_parse_content(rig.arena, SLICE(WANTS_TUNE), "jabber:client", &limits);

    assert_int_equal(caps_hash(rig.arena, root->children, CAPS_1, SLICE("sha-1"), SLICE(""), &b), ZE_OK);
    snprintf(tune, sizeof(tune), "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://n' ver='%.*s'/>",
             SLICE_FMT(buf_slice(&b)));
    buf_free(&b);
}

static int two_users(void **state)
{
    rig_setup(state);
    make_tune();
    rig_account("anna@a.org");
    rig_account("ben@a.org");
    anna = rig_bind("anna@a.org/x", 1);
    ben = rig_bind("ben@a.org/y", 2);
    return 0;
}

/* The id of the question in what left; "" when there is none. */
static const char *asked(const char *left, const char *who)
{
    static char id[64];
    char        to[128];
    const char *line = strstr(left, "disco#info");

    id[0] = 0;
    snprintf(to, sizeof(to), "type='get' to='%s'", who);
    for (; line; line = strstr(line + 1, "disco#info")) {
        const char *at = line;
        while (at > left && at[-1] != '\n')
            at--;
        const char *there = strstr(at, to), *begin = strstr(at, "id='");
        if (there && there < line && begin)
            snprintf(id, sizeof(id), "%.*s", (int)strcspn(begin + 4, "'"), begin + 4);
    }
    return id;
}

static void answer(const struct session *s, const char *id, const char *type, const char *content)
{
    rig_client_id(s, "iq", type, NULL, id, content);
}

static void answer_from(const char *from, const char *to, const char *id, const char *content)
{
    struct frame f = rig_stanza("iq", "result", from, to, content);

    f.origin = (struct address){ ROLE_S2SD, instance_key("s2sd-1"), 5 };
    f.stanza.id = slice_str(id);
    on_stanza(&rig, &f);
    arena_reset(rig.arena);
}

static void a_session_is_asked_once_for_all(void **state)
{
    char id[64];

    (void)state;
    rig_client(anna, "presence", "", NULL, tune);
    snprintf(id, sizeof(id), "%s", asked(rig_took(), "anna@a.org/x"));
    assert_string_not_equal(id, "");
    assert_false(caps_wants(&rig, anna, SLICE(TUNE)));
    rig_client(anna, "presence", "", NULL, "<show>away</show>");
    rig_client(anna, "presence", "", NULL, tune);
    assert_string_equal(asked(rig_took(), "anna@a.org/x"), "");
    answer(anna, id, "result", WANTS_TUNE);
    assert_true(caps_wants(&rig, anna, SLICE(TUNE)));
    assert_false(caps_wants(&rig, anna, SLICE("urn:else")));
    rig_client(ben, "presence", "", NULL, tune);
    assert_string_equal(asked(rig_took(), "ben@a.org/y"), "");
    assert_true(caps_wants(&rig, ben, SLICE(TUNE)));
    rig_client(ben, "presence", "unavailable", NULL, "");
    assert_false(caps_wants(&rig, ben, SLICE(TUNE)));
}

static void only_who_was_asked_answers(void **state)
{
    const char *id;

    (void)state;
    rig_client(anna, "presence", "", NULL, tune);
    id = asked(rig_took(), "anna@a.org/x");
    answer(ben, id, "result", WANTS_TUNE);
    answer_from("anna@b.org/x", "anna@a.org", id, WANTS_TUNE);
    assert_false(caps_wants(&rig, anna, SLICE(TUNE)));
    answer(anna, id, "result", WANTS_TUNE);
    assert_true(caps_wants(&rig, anna, SLICE(TUNE)));
}

/* XEP-0115 5.4: a liar poisons nobody else's. */
static void a_wrong_answer_counts_for_its_sender_only(void **state)
{
    const char *id;

    (void)state;
    rig_client(anna, "presence", "", NULL, tune);
    rig_client(ben, "presence", "", NULL, tune);
    id = asked(rig_took(), "anna@a.org/x");
    answer(anna, id, "result", WANTS_MOOD);
    assert_true(caps_wants(&rig, anna, SLICE("http://jabber.org/protocol/mood")));
    id = asked(rig_took(), "ben@a.org/y");
    assert_string_not_equal(id, "");
    assert_false(caps_wants(&rig, ben, SLICE("http://jabber.org/protocol/mood")));
    answer(ben, id, "result", WANTS_TUNE);
    assert_true(caps_wants(&rig, ben, SLICE(TUNE)));
}

static void an_error_passes_the_question_on(void **state)
{
    const char *id;

    (void)state;
    rig_client(anna, "presence", "", NULL, tune);
    rig_client(ben, "presence", "", NULL, tune);
    id = asked(rig_took(), "anna@a.org/x");
    answer(anna, id, "error", "");
    id = asked(rig_took(), "ben@a.org/y");
    answer(ben, id, "result", WANTS_TUNE);
    assert_true(caps_wants(&rig, ben, SLICE(TUNE)));
    assert_false(caps_wants(&rig, anna, SLICE(TUNE)));
    rig_client(anna, "presence", "", NULL, tune);
    assert_true(caps_wants(&rig, anna, SLICE(TUNE)));
}

static void what_cannot_be_verified_is_nobody_else_s(void **state)
{
    static const char old[] = "<c xmlns='http://jabber.org/protocol/caps' node='http://n' ver='0.9'/>";

    (void)state;
    rig_client(anna, "presence", "", NULL, old);
    answer(anna, asked(rig_took(), "anna@a.org/x"), "result", WANTS_TUNE);
    assert_true(caps_wants(&rig, anna, SLICE(TUNE)));
    rig_client(ben, "presence", "", NULL, old);
    assert_string_not_equal(asked(rig_took(), "ben@a.org/y"), "");
}

static void questions_have_a_limit(void **state)
{
    char who[32], presence[128];

    (void)state;
    rig_forget();
    for (unsigned i = 0; i < 6; i++) {
        snprintf(who, sizeof(who), "anna@a.org/%u", i);
        snprintf(presence, sizeof(presence), "<c xmlns='http://jabber.org/protocol/caps' node='n' ver='%u'/>", i);
        struct session *s = rig_bind(who, 10 + i);
        rig_client(s, "presence", "", NULL, presence);
        assert_int_equal(strlen(asked(rig_took(), who)) > 0, i < 4);
    }
}

/* ---- contacts elsewhere ---- */

static void befriend_carl(const struct session *s, const char *bare)
{
    rig_client(s, "presence", "subscribe", "carl@b.org", "");
    rig_wait();
    rig_from("s2sd-1", "presence", "subscribed", "carl@b.org", bare, "");
    rig_wait();
    rig_from("s2sd-1", "presence", "subscribe", "carl@b.org", bare, "");
    rig_wait();
    rig_client(s, "presence", "subscribed", "carl@b.org", "");
    rig_forget();
}

static void note_jid(void *arg, struct slice full)
{
    size_t have = strlen(told);

    (void)arg;
    snprintf(told + have, sizeof(told) - have, "%.*s ", SLICE_FMT(full));
}

static const char *contacts_of(const char *owner)
{
    told[0] = 0;
    caps_each_contact(&rig, slice_str(owner), SLICE(TUNE), note_jid, NULL);
    return told;
}

static void a_contact_elsewhere(void **state)
{
    (void)state;
    befriend_carl(ben, "ben@a.org");
    rig_from("s2sd-1", "presence", "", "carl@b.org/z", "ben@a.org", tune);
    const char *left = rig_took();
    assert_says(left, "s2sd-1 <iq from='ben@a.org'");
    assert_string_equal(contacts_of("ben@a.org"), "");
    answer_from("carl@b.org/z", "ben@a.org", asked(left, "carl@b.org/z"), WANTS_TUNE);
    assert_string_equal(contacts_of("ben@a.org"), "carl@b.org/z ");
    assert_string_equal(contacts_of("anna@a.org"), "");
    rig_from("s2sd-1", "presence", "", "carl@b.org/two", "ben@a.org", tune);
    assert_string_equal(contacts_of("ben@a.org"), "carl@b.org/z carl@b.org/two ");
    rig_from("s2sd-1", "presence", "unavailable", "carl@b.org/z", "ben@a.org", "");
    assert_string_equal(contacts_of("ben@a.org"), "carl@b.org/two ");
    rig_from("s2sd-1", "presence", "", "carl@b.org/two", "ben@a.org", "<show>away</show>");
    assert_string_equal(contacts_of("ben@a.org"), "");
}

/* By directed presence it may be gone for one and there for another. */
static void each_account_has_its_own_view(void **state)
{
    (void)state;
    befriend_carl(ben, "ben@a.org");
    befriend_carl(anna, "anna@a.org");
    rig_from("s2sd-1", "presence", "", "carl@b.org/z", "ben@a.org", tune);
    const char *left = rig_took();
    rig_from("s2sd-1", "presence", "", "carl@b.org/z", "anna@a.org", tune);
    answer_from("carl@b.org/z", "ben@a.org", asked(left, "carl@b.org/z"), WANTS_TUNE);
    assert_string_equal(contacts_of("ben@a.org"), "carl@b.org/z ");
    assert_string_equal(contacts_of("anna@a.org"), "carl@b.org/z ");
    rig_from("s2sd-1", "presence", "unavailable", "carl@b.org/z", "ben@a.org", "");
    assert_string_equal(contacts_of("ben@a.org"), "");
    assert_string_equal(contacts_of("anna@a.org"), "carl@b.org/z ");
}

static void strangers_and_rooms_are_not_remembered(void **state)
{
    (void)state;
    rig_client(ben, "presence", "", NULL, "");
    rig_forget();
    rig_from("s2sd-1", "presence", "", "eve@b.org/z", "ben@a.org", tune);
    rig_from("muc-1", "presence", "", "r@rooms.a.org/eve", "ben@a.org/y", tune);
    assert_silent_about(rig_took(), "disco#info");
    assert_int_equal(rig.caps->pairs, 0);
}

static void contacts_have_limits(void **state)
{
    char who[32];

    (void)state;
    befriend_carl(ben, "ben@a.org");
    for (unsigned i = 0; i < 5; i++) {
        snprintf(who, sizeof(who), "carl@b.org/%u", i);
        rig_from("s2sd-1", "presence", "", who, "ben@a.org", tune);
    }
    answer_from("carl@b.org/0", "ben@a.org", "x", WANTS_TUNE);
    assert_int_equal(rig.caps->pairs, 3);
    rig_settings.limits.caps_contacts = 2;
    rig_from("s2sd-1", "presence", "", "carl@b.org/new", "ben@a.org", tune);
    assert_int_equal(rig.caps->pairs, 2);
}

static void contacts_of_this_instance_are_looked_up(void **state)
{
    (void)state;
    rig_client(anna, "presence", "subscribe", "ben@a.org", "");
    rig_wait();
    rig_client(ben, "presence", "subscribed", "anna@a.org", "");
    rig_wait();
    rig_client(anna, "presence", "", NULL, tune);
    answer(anna, asked(rig_took(), "anna@a.org/x"), "result", WANTS_TUNE);
    assert_string_equal(contacts_of("ben@a.org"), "");            /* one direction is not enough */
    rig_client(ben, "presence", "subscribe", "anna@a.org", "");
    rig_wait();
    rig_client(anna, "presence", "subscribed", "ben@a.org", "");
    rig_wait();
    assert_string_equal(contacts_of("ben@a.org"), "anna@a.org/x ");
    assert_int_equal(rig.caps->pairs, 0);
}

/* ---- what outlives a process ---- */

static void life(void)
{
    make_tune();
    rig_account("ben@a.org");
    ben = rig_bind("ben@a.org/y", 2);
    befriend_carl(ben, "ben@a.org");
    rig_from("s2sd-1", "presence", "", "carl@b.org/z", "ben@a.org", tune);
    answer_from("carl@b.org/z", "ben@a.org", asked(rig_took(), "carl@b.org/z"), WANTS_TUNE);
    rig_client(ben, "presence", "", NULL, tune);
    store_close(&rig.store.accounts);           /* waits for what is verified to be stored */
    live_commit(rig.live);
    rig_killed_here();
}

static void what_is_known_outlives_the_process(void **state)
{
    size_t place = 0;

    (void)state;
    rig_prepare(state);
    rig_live_and_die(life);
    rig_open();
    rig_log[0] = 0;
    ben = sessions_next(rig.sessions, &place);
    assert_non_null(ben);
    assert_true(caps_wants(&rig, ben, SLICE(TUNE)));
    assert_string_equal(contacts_of("ben@a.org"), "carl@b.org/z ");
    assert_silent_about(rig_took(), "disco#info");
}

static void memory_has_a_limit_and_the_store_helps(void **state)
{
    struct caps_said said = { CAPS_1, SLICE("sha-1"), SLICE("first"), SLICE("n#first") };
    struct blob     *nodes = blob_copy(SLICE("urn:a\0"));
    struct caps_text *first = caps_text(&said, SLICE("x@y/z")), *t;
    char             ver[16];

    (void)state;
    caps_remember(&rig, first, nodes);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(ver, sizeof(ver), "v%u", i);
        said.ver = slice_str(ver);
        t = caps_text(&said, SLICE("x@y/z"));
        caps_remember(&rig, t, nodes);
        free(t);
    }
    assert_int_equal(table_count(rig.caps->remembered), 3);
    struct blob *again = caps_recall(&rig, first);
    assert_non_null(again);
    assert_true(slice_eq(blob_slice(again), blob_slice(nodes)));
    blob_unref(&again);
    blob_unref(&nodes);
    free(first);
}

static int count_row(void *arg, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)arg;
    return 0;
}

static void the_store_has_a_limit(void **state)
{
    struct caps_said   said = { CAPS_1, SLICE("sha-1"), SLICE(""), SLICE("n") };
    struct blob       *nodes = blob_copy(SLICE("urn:a\0"));
    struct store_view *view;
    unsigned           rows = 0;
    char               ver[16];

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(ver, sizeof(ver), "v%u", i);
        said.ver = slice_str(ver);
        struct caps_text *t = caps_text(&said, SLICE("x@y/z"));
        caps_remember(&rig, t, nodes);
        free(t);
        arena_reset(rig.arena);
    }
    view = store_view(rig.store.accounts);
    store_each(view, T_CAPS, slice_of("\0\0", 2), slice_of(NULL, 0), false, count_row, &rows);
    store_view_end(&view);
    blob_unref(&nodes);
    assert_in_range(rows, 400, 512);
}

int main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, two_users, rig_teardown)
    const struct CMUnitTest tests[] = {
        ONE(a_session_is_asked_once_for_all),
        ONE(only_who_was_asked_answers),
        ONE(a_wrong_answer_counts_for_its_sender_only),
        ONE(an_error_passes_the_question_on),
        ONE(what_cannot_be_verified_is_nobody_else_s),
        ONE(questions_have_a_limit),
        ONE(a_contact_elsewhere),
        ONE(each_account_has_its_own_view),
        ONE(strangers_and_rooms_are_not_remembered),
        ONE(contacts_have_limits),
        ONE(contacts_of_this_instance_are_looked_up),
        ONE(memory_has_a_limit_and_the_store_helps),
        ONE(the_store_has_a_limit),
        cmocka_unit_test_teardown(what_is_known_outlives_the_process, rig_teardown),
    };

    return cmocka_run_group_tests_name("caps", tests, NULL, NULL);
}
