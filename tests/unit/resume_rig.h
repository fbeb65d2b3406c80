#pragma once

/* Two users with stream management (XEP-0198) and the whole of sm around them. */

#include "manage_rig.h"
#include "resume_inner.h"
#include "sasl.h"

#define RIG __attribute__((unused)) static

#define BODY "<body>hi</body>"
#define ROOM "r@rooms.a.org/carl"

RIG struct session *anna, *ben;

RIG void turn(void)
{
    uv_run(loop_uv(rig.loop), UV_RUN_NOWAIT);
}

RIG int two_users(void **state)
{
    rig_setup(state);
    anna = rig_user("anna@a.org/x", 1);
    ben = rig_user("ben@a.org/y", 2);
    rig_account("carl@a.org");
    manage(anna, MANAGE_ENABLE, 0);
    manage(ben, MANAGE_ENABLE, 0);
    rig_forget();
    return 0;
}

RIG void say(const struct session *to, int count)
{
    for (int i = 0; i < count; i++)
        rig_from("s2sd-1", "message", "chat", "eve@b.org/e", to == ben ? "ben@a.org/y" : "anna@a.org/x", BODY);
}

RIG void room_says(const char *content)
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

RIG void lose(const struct session *s)
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

RIG void come_back(const char *bare, const char *previd, uint32_t h, uint64_t conn)
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

RIG const char *id_of(const struct session *s)
{
    static char id[RANDOM_ID];

    memcpy(id, s->resume->id, sizeof(id));
    return id;
}

RIG void end(struct session *s)
{
    dispatch_end_session(&rig, &s, NULL, NULL, 0);
    arena_reset(rig.arena);
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, two_users, rig_teardown)
