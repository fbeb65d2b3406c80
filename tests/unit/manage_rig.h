#pragma once

/* What clients say of stream management and of their state (XEP-0198, 0352). */

#include "sm_rig.h"

/* MANAGE of a session's client; `body` holds what it says, and is the caller's. */
RIG struct frame manage_frame(const struct session *s, const struct manage *m, struct buf *body)
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

/* `about`: the stanza that it answers; NULL: none. */
RIG void manage_stanza(const struct session *s, const struct manage *m, const struct stanza *about)
{
    struct buf   body = { 0 };
    struct frame f = manage_frame(s, m, &body);

    if (about)
        f.stanza = *about;
    on_manage(&rig, &f);
    arena_reset(rig.arena);
    buf_free(&body);
}

RIG void manage(const struct session *s, enum manage_op op, uint32_t h)
{
    manage_stanza(s, &(struct manage){ .op = op, .h = h, .resume = true }, NULL);
}
