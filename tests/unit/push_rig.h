#pragma once

/* An account with two clients, of which the phone has registered a push service, and somebody who writes to it. */

#include "resume_rig.h"

#define ENABLE(jid, node) "<enable xmlns='urn:xmpp:push:0' jid='" jid "' node='" node "'/>"
#define ERROR_IS(type, condition) \
    "<error type='" type "'><" condition " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

RIG struct session *phone, *desk;

/* In a rig that is open. */
RIG void push_begin(void)
{
    rig_account("anna@a.org");
    rig_account("ben@a.org");
    phone = rig_bind("anna@a.org/phone", 1);
    desk = rig_bind("anna@a.org/desk", 2);
    ben = rig_bind("ben@a.org/y", 3);
    rig_client(phone, "iq", "set", NULL, ENABLE("push.org", "n1"));
    rig_client(phone, "presence", "", NULL, "");
    rig_client(ben, "presence", "", NULL, "");
    rig_forget();
}

RIG int push_setup(void **state)
{
    rig_setup(state);
    push_begin();
    return 0;
}

#define PUSH(name) cmocka_unit_test_setup_teardown(name, push_setup, rig_teardown)

/* Of the notification in `out`. */
RIG char *id_in(const char *out)
{
    static char id[40];
    const char *at = strstr(out, "s2sd-1 <iq from='anna@a.org' id='");

    if (!at)
        fail_msg("no notification in:\n%s", out);
    at += strlen("s2sd-1 <iq from='anna@a.org' id='");
    snprintf(id, sizeof(id), "%.*s", (int)strcspn(at, "'"), at);
    return id;
}

RIG void answer(const char *from, const char *type, const char *id, const char *content)
{
    struct frame f = rig_stanza("iq", type, from, "anna@a.org", content);

    f.stanza.id = slice_str(id);
    f.origin = (struct address){ ROLE_S2SD, instance_key("s2sd-1"), 5 };
    on_stanza(&rig, &f);
    arena_reset(rig.arena);
}

/* The service takes the notification in `out`. */
RIG void takes_it(const char *out)
{
    answer("push.org", "result", id_in(out), "");
}

RIG void chat(void)
{
    rig_client(ben, "message", "chat", "anna@a.org", BODY);
}

/* What leaves when it is tried again. */
RIG const char *told_again(void)
{
    for (unsigned i = 0; i < 1000 && !strstr(rig_log, "s2sd-1"); i++)
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    return rig_took();
}
