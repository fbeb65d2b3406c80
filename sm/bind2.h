#pragma once

/* What XEP-0386 adds to binding (bind.c). */

#include "login.h"
#include "session.h"
#include "sm.h"

enum { BIND2_RESOURCE_MAX = BIND_TAG_MAX + 1 + 16 };

/* 3.2.1: the client's tag, and what the same client of the same account always gets; a random one for a client
 * without an id. */
void bind2_resource(struct sm *sm, struct slice bare, const struct bind_request *b,
                    char out[BIND2_RESOURCE_MAX + 1]);
/* 3.2: earlier sessions of that client end. An empty id is nobody's. */
void bind2_replace(struct sm *sm, struct slice bare, struct slice client, uint64_t trace);

/* What BOUND says besides (struct bound); the caller frees both. */
struct bind2_answer {
    struct buf managed, content;
};
/* The session stands: its state at the beginning (3.2), by the rows in bind2.c. */
void bind2_apply(struct sm *sm, struct session *s, struct slice inlines, struct bind2_answer *out);
