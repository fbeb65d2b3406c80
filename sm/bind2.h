#pragma once

/* What XEP-0386 adds to binding (bind.c). */

#include "login.h"
#include "sm.h"

enum { BIND2_RESOURCE_MAX = BIND_TAG_MAX + 1 + 16 };

/* 3.2.1: the client's tag, and what the same client of the same account always gets; a random one for a client
 * without an id. */
void bind2_resource(struct sm *sm, struct slice bare, const struct bind_request *b,
                    char out[BIND2_RESOURCE_MAX + 1]);
/* 3.2: earlier sessions of that client end. An empty id is nobody's. */
void bind2_replace(struct sm *sm, struct slice bare, struct slice client, uint64_t trace);
