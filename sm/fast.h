#pragma once

/* XEP-0484 FAST: what a client says about tokens with its login, and what becomes of them after it. */

#include "login_inline.h"

/* Of the children of <authenticate/>. */
struct fast_wish {
    bool         fast;               /* <fast/>: it shows a token (3.4) */
    bool         malformed;          /* an attribute is not what it must be */
    bool         counted, invalidate;
    uint64_t     count;
    bool         asks;               /* <request-token/> (3.2) */
};
void fast_read(struct slice inlines, struct fast_wish *out);

/* A row of login_inline.c. */
void fast_succeeded(struct login_success *l, const struct element *request_token);
