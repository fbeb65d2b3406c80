#pragma once

/* Two users that see the whole of sm: what they say goes in as frames, what comes out is text. */

#include "sm_rig.h"
#include "roster.h"

#define RIG __attribute__((unused)) static

#define BODY "<body>hi</body>"

RIG struct session *anna, *ben;

RIG void online(struct session *s, const char *content)
{
    rig_client(s, "iq", "get", NULL, "<query xmlns='jabber:iq:roster'/>");
    rig_client(s, "presence", "", NULL, content);
}

RIG int two_users(void **state)
{
    rig_setup(state);
    rig_account("anna@a.org");
    rig_account("ben@a.org");
    anna = rig_bind("anna@a.org/x", 1);
    ben = rig_bind("ben@a.org/y", 2);
    online(anna, "");
    online(ben, "");
    rig_forget();
    return 0;
}

RIG void befriend(void)
{
    rig_client(anna, "presence", "subscribe", "ben@a.org", "");
    rig_wait();
    rig_client(ben, "presence", "subscribed", "anna@a.org", "");
    rig_wait();
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, two_users, rig_teardown)
