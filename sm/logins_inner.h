#pragma once

/* What logins.c and login_tasks.c share. */

#include "loop.h"
#include "logins.h"
#include "sasl.h"
#include "sm.h"

struct logins {
    struct handles *exchanges;
};

struct login {
    struct sm            *sm;
    uint64_t              handle, conn, trace;
    struct address        c2sd;
    struct sasl_exchange *exchange;      /* NULL: over */
    struct auth_start     start;         /* once it is over and succeeded: what it began with */
    struct buf            start_bytes;
    char                 *jid;           /* and whose it is, bare */
    struct upgrade       *upgrade;       /* the task under way (XEP-0388 2.6.3), or NULL */
    struct timer          patience;      /* for tasks */
    char                 *address;       /* of the client */
    enum token_verdict    token;         /* by which it got in (XEP-0484) */
    bool                  beginning;     /* sasl_begin has not returned */
    bool                  over;
};

void login_free(struct login *login);
/* AUTH_DONE; the login is still there. text may be NULL. */
void login_fail(struct login *login, const char *condition, const char *text);
void login_step_send(struct login *login, const struct auth_step *step);
/* All is proven: what the rows of login_inline.c do, then AUTH_DONE. The login is gone afterwards, or when a
 * commit is done. */
void login_finish(struct login *login, struct slice data);

/* ---- login_tasks.c ---- */

/* The exchange succeeded: the next task that is due, or the end. `data` of the mechanism is told once. */
void login_go_on(struct login *login, struct slice data, bool by_password);
/* False: not what is due, or not as it should be. */
bool login_take_step(struct login *login, const struct auth_step *step);
