/* The whole of sm from frame to frame: what waits for a session, and what ends with one, with an account or with a daemon. */

#include "flow_rig.h"
#include "jid.h"

/* ---- offline ---- */

static void messages_wait_for_a_session_that_takes_them(void **state)
{
    const char *out;

    (void)state;
    dispatch_end_session(&rig, &ben, NULL, NULL, 0);
    rig_client(anna, "message", "chat", "ben@a.org", "<body>one</body>");
    rig_client(anna, "message", "", "ben@a.org", "<body>two</body>");
    rig_client(anna, "message", "headline", "ben@a.org", "<body>news</body>");
    rig_client(anna, "message", "chat", "ben@a.org/gone", "<body>three</body>");
    rig_client(anna, "message", "chat", "nobody@a.org", "<body>who</body>");
    assert_string_equal(rig_took(), "");
    rig_client(anna, "message", "groupchat", "ben@a.org", "<body>no</body>");
    assert_says(rig_took(), "service-unavailable");
    ben = rig_bind("ben@a.org/y", 3);
    rig_client(ben, "presence", "", NULL, "<priority>-1</priority>");
    assert_silent_about(rig_took(), "<body>");
    rig_client(ben, "presence", "", NULL, "<priority>1</priority>");
    out = rig_took();
    assert_true(strstr(out, "<body>one</body>") < strstr(out, "<body>two</body>"));
    assert_says(out, "<body>three</body><delay xmlns='urn:xmpp:delay' from='a.org' stamp='2");
    assert_silent_about(out, "news");
    /* given once */
    rig_client(ben, "presence", "unavailable", NULL, "");
    rig_client(ben, "presence", "", NULL, "");
    assert_silent_about(rig_took(), "<body>");
}

static void a_full_offline_store_refuses(void **state)
{
    (void)state;
    rig_settings.limits.offline_messages_max = 1;
    dispatch_end_session(&rig, &ben, NULL, NULL, 0);
    rig_client(anna, "message", "chat", "ben@a.org", "<body>one</body>");
    assert_string_equal(rig_took(), "");
    rig_client(anna, "message", "chat", "ben@a.org", "<body>two</body>");
    assert_says(rig_took(), "service-unavailable");
    rig_settings.limits.offline_messages_max = 100;
}

/* Which of so many messages to an account come back, and why; the first space of each answer is where its name is. */
static void refused_of(const char *to, const char *const *contents, unsigned count, char *out, size_t room)
{
    size_t len = 0;

    for (unsigned i = 0; i < count; i++) {
        rig_client(anna, "message", "chat", to, contents[i]);
        rig_wait();
        const char *why = strstr(rig_took(), "<error");
        len += (size_t)snprintf(out + len, room - len, "%u: %s\n", i, why ? why : "nothing");
    }
}

/* A full store does not tell that there is one (RFC 6120 13.11): the same answers at the same message. */
static void a_full_store_and_no_account_look_alike(void **state)
{
    static const struct { long messages, bytes; } limits[] = { { 3, 1 << 20 }, { 100, 1000 }, { 100, 10 } };
    static char       word[900], one[8192], none[8192];
    const char *const contents[] = { BODY, word, "<body>x</body>", "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
                                     word, BODY, "<subject>s</subject>" };

    (void)state;
    memcpy(word, "<body>", 6);
    for (unsigned i = 6, x = 1; i < 800; i++) {            /* nothing that can be packed well */
        x = x * 1103515245 + 12345;
        word[i] = (char)('a' + (x >> 16) % 26);
    }
    memcpy(word + 800, "</body>", sizeof("</body>"));
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        char name[16], nobody[16];
        rig_settings.limits.offline_messages_max = limits[i].messages;
        rig_settings.limits.offline_bytes_max = limits[i].bytes;
        snprintf(name, sizeof(name), "here%zu@a.org", i);
        snprintf(nobody, sizeof(nobody), "gone%zu@a.org", i);
        rig_account(name);
        refused_of(name, contents, COUNT_OF(contents), one, sizeof(one));
        refused_of(nobody, contents, COUNT_OF(contents), none, sizeof(none));
        assert_string_equal(one, none);
        assert_says(one, "service-unavailable");
    }
    rig_settings.limits.offline_messages_max = 100;
    rig_settings.limits.offline_bytes_max = 1 << 20;
}

/* ---- ends ---- */

static void a_removed_account_leaves_nothing(void **state)
{
    struct session *s = anna;

    (void)state;
    befriend();
    rig_client(anna, "iq", "set", NULL, "<vCard xmlns='vcard-temp'><FN>Anna</FN></vCard>");
    rig_forget();
    rig_client(s, "iq", "set", NULL, "<query xmlns='jabber:iq:register'><remove/></query>");
    const char *out = rig_took();
    assert_true(strstr(out, "c1 <iq from='anna@a.org' id='i1' type='result' to='anna@a.org/x'/>") <
                strstr(out, "c1 SESSION_END"));
    assert_says(out, "c2 <presence from='anna@a.org' type='unsubscribe' to='ben@a.org/y'/>");
    rig_account("anna@a.org");
    anna = rig_bind("anna@a.org/x", 8);
    rig_client(anna, "iq", "get", NULL, "<query xmlns='jabber:iq:roster'/>");
    assert_says(rig_took(), "<query xmlns='jabber:iq:roster'/>");
    rig_client(anna, "iq", "get", NULL, "<vCard xmlns='vcard-temp'/>");
    assert_says(rig_took(), "<vCard xmlns='vcard-temp'/>");
}

static void a_lost_c2sd_ends_its_sessions_only(void **state)
{
    struct address life = anna->c2sd;

    (void)state;
    life.incarnation++;
    login_peer_lost(&rig, &life);
    assert_int_equal(sessions_count(rig.sessions), 2);
    life.incarnation--;
    login_peer_lost(&rig, &life);
    assert_int_equal(sessions_count(rig.sessions), 0);
}

static void what_the_link_cannot_take_comes_back(void **state)
{
    (void)state;
    rig_refuses = ZE_FULL;
    rig_client(anna, "message", "chat", "carl@b.org", BODY);
    rig_refuses = ZE_OK;
    /* the error itself found a full link too: nothing loops */
    assert_string_equal(rig_took(), "");
}

static void comes_back(const struct frame *original, enum zerr why)
{
    struct frame f = frame_make(FRAME_BOUNCE);
    struct buf   body = { 0 };

    buf_put_u32(&body, (uint32_t)why);
    assert_int_equal(frame_encode(&body, original), ZE_OK);
    f.body = buf_slice(&body);
    on_bounce(&rig, &f);
    arena_reset(rig.arena);
    buf_free(&body);
}

static void a_bounced_message_for_a_dead_connection_is_kept(void **state)
{
    struct frame bounced = rig_stanza("message", "chat", "anna@a.org/x", "ben@a.org/y", BODY);

    (void)state;
    bounced.dest = ben->c2sd;
    bounced.handle = ben->conn;
    bounced.sender = ben->handle;
    bounced.stanza.flags = STANZA_HAS_BODY;
    comes_back(&bounced, ZE_NOT_FOUND);
    rig_forget();
    assert_null(session_online(rig.sessions, SLICE("ben@a.org")));
    ben = rig_bind("ben@a.org/y", 4);
    rig_client(ben, "presence", "", NULL, "");
    assert_says(rig_took(), "c4 <message from='anna@a.org/x' id='i1' type='chat' to='ben@a.org/y'>" BODY);
}

/* A question that came back when its asker had moved to another sm, which alone may answer him. */
static void what_came_back_follows_who_sent_it(void **state)
{
    struct frame asked = rig_stanza("iq", "get", NULL, "comp.b.org", "<q xmlns='urn:q'/>");
    char         from[32];
    unsigned     followed = 0;

    (void)state;
    routes_add_instance(rig_routes, "sm-2");
    routes_set_up(rig_routes, instance_key("sm-2"), 9, true);
    asked.dest = (struct address){ ROLE_S2SD, instance_key("s2sd-1"), 5 };
    for (unsigned i = 0; i < 20; i++) {
        snprintf(from, sizeof(from), "user%u@a.org/x", i);
        asked.stanza.from = slice_str(from);
        comes_back(&asked, ZE_NO_SUCH);
        bool elsewhere = !sm_owns(&rig, jid_bare(asked.stanza.from));
        assert_int_equal(elsewhere, !strncmp(rig_took(), "sm-2 BOUNCE", 11));
        followed += elsewhere;
    }
    assert_in_range(followed, 1, 19);
}

/* ---- registration ---- */

static void registers(const char *domain, const char *type, const char *content)
{
    struct frame f = rig_stanza("iq", type, NULL, domain, content);

    f.kind = FRAME_REGISTER;
    f.origin = (struct address){ ROLE_C2SD, instance_key("c2sd-1"), RIG_LIFE };
    f.sender = 7;
    f.list = SLICE("192.0.2.1");
    on_register(&rig, &f);
    arena_reset(rig.arena);
    while (!rig_log[0])
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
}

#define WISH(name) "<query xmlns='jabber:iq:register'><username>" name "</username><password>pw</password></query>"

static void registration_is_open_only_where_it_is(void **state)
{
    (void)state;
    registers("closed.org", "get", "<query xmlns='jabber:iq:register'/>");
    assert_says(rig_took(), "not-allowed");
    registers("a.org", "get", "<query xmlns='jabber:iq:register'/>");
    assert_says(rig_took(), "<instructions>");
    registers("a.org", "set", WISH("carl"));
    assert_says(rig_took(), "c7 <iq from='a.org' id='i1' type='result'/>");
    registers("a.org", "set", WISH("carl"));
    assert_says(rig_took(), "conflict");
    registers("a.org", "set", WISH(""));
    assert_says(rig_took(), "not-acceptable");
    registers("a.org", "set", WISH("dora"));
    assert_says(rig_took(), "type='result'");
    registers("a.org", "set", WISH("eva"));
    assert_says(rig_took(), "resource-constraint");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(messages_wait_for_a_session_that_takes_them),
        FLOW(a_full_offline_store_refuses),
        FLOW(a_full_store_and_no_account_look_alike),
        FLOW(a_removed_account_leaves_nothing),
        FLOW(a_lost_c2sd_ends_its_sessions_only),
        FLOW(what_the_link_cannot_take_comes_back),
        FLOW(a_bounced_message_for_a_dead_connection_is_kept),
        FLOW(what_came_back_follows_who_sent_it),
        FLOW(registration_is_open_only_where_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
