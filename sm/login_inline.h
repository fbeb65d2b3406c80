#pragma once

/* What sm does with a login that succeeded, at the client's wish or its own (XEP-0388 2.6.1): rows in
 * login_inline.c. Runs once all of the login is proven, tasks included. */

#include "element.h"
#include "login.h"
#include "outcome.h"
#include "tokens.h"
#include "xml_write.h"

struct login_success {
    struct sm               *sm;
    const struct auth_start *start;    /* what the exchange began with */
    struct slice             jid;      /* bare */
    enum token_verdict       token;    /* by which it got in (XEP-0484) */
    bool                     owned;    /* by this instance: only then may it store */
    struct outcome          *out;
    bool                     stored;   /* there is a batch: AUTH_DONE leaves after its commit, and says
                                          temporary-auth-failure when that fails */
    struct xml_writer       *reply;    /* into <success/>; around it is NS_SASL2 */
};

struct login_inline_row {
    const char *ns, *element;          /* a child of <authenticate/> that c2sd/inline.c hands over */
    /* e: NULL, it was not there. */
    void      (*succeeded)(struct login_success *l, const struct element *e);
};

/* The first such element of the inlines; NULL: none. In the arena. */
const struct element *login_inline(struct sm *sm, struct slice inlines, const char *ns, const char *name);
/* The batch of accounts that AUTH_DONE waits for. Only when l->owned. */
struct store_batch *login_batch(struct login_success *l);
/* Calls all rows. */
void login_inlines_run(struct login_success *l);
