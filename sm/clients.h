#pragma once

/* The clients of an account (XEP-0494): which programs on which devices have access to it, since when. Known are
 * those that say a user-agent id (XEP-0388 2.3), for `limits.client_days` after they were seen last, and every
 * session.
 *
 * T_CLIENT  slot, owner NUL client id -> u8 format 1, u8 bits of enum client_proof, u64 first and u64 last seen in
 *           microseconds, sized software, sized device. */

#include "feature.h"
#include "login_inline.h"

/* By what it got in since the password was changed last. */
enum client_proof { CLIENT_PASSWORD = 1, CLIENT_CERTIFICATE = 2, CLIENT_PROOFS = 3 };

struct client_login {
    struct slice id, software, device;
    unsigned     proof;              /* bits; 0: a token (XEP-0484) */
};

/* Adds to `batch` that it logged in now. Those not seen for long go, and beyond limits.clients_per_account the one
 * that was seen longest ago. */
void clients_seen(struct sm *sm, struct store_view *view, struct store_batch *batch, struct slice owner,
                  const struct client_login *login);
/* A row of login_inline.c. */
void client_logged_in(struct login_success *l, const struct element *none);
/* The password was changed: whoever knew the old one has no access any more, and no token is good. */
void clients_locked_out(struct store_view *view, struct store_batch *batch, struct slice owner);

/* The same, once that is stored: the sessions end but for the one with this handle (0: all). Outcomes of their own. */
void clients_end_sessions(struct sm *sm, struct slice owner, uint64_t but, uint64_t trace);

/* One client as it is listed. Borrowed from a view or a session. */
struct client_info {
    const char  *ref;                /* what it is revoked by */
    uint64_t     first_us, last_us;
    unsigned     sessions;
    bool         password, token, certificate;
    struct slice software, device;
};
typedef void client_fn(void *arg, const struct client_info *info);
void clients_each(struct sm *sm, struct slice owner, client_fn *each, void *arg);

/* ZE_NOT_FOUND: no such client. *password: it has shown the password, so only another one keeps it out
 * (XEP-0494 3.2). */
enum zerr clients_find(struct sm *sm, struct slice owner, const char *ref, bool *password);
/* Adds to p->out: the sessions of that client of p->owner end, its tokens are no longer good, and if it did not show
 * the password, it is forgotten. Returns the number of sessions. */
unsigned clients_revoke(struct passage *p, const char *ref);
