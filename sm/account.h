#pragma once

/* Accounts and their credentials: the only reader and writer of T_ACCOUNT and T_CREDENTIALS.
 * jid is always the canonical bare JID; domains are checked by the caller. Passwords are prepared
 * with SASLprep-like OpaqueString (RFC 8265 4.2) before use. */

#include "err.h"
#include "sm_store.h"

struct account_info {
    uint64_t created_us;
    bool     disabled;
};

/* False: no such account. */
bool account_get(struct store_view *view, struct slice jid, struct account_info *out);
/* The same, as it is now: in a view of its own. `out` may be NULL. */
bool account_look(struct store *accounts, struct slice jid, struct account_info *out);
/* The next accounts of a walk in steps (walk.h): all domains in key order, at most WALK_ACCOUNTS, from *at on, a
 * buffer of the caller's that is empty at the start and then tells where it goes on. each() ends the walk by a
 * non-zero. 1: there is more; 0: that was all, or each() said so; else ZE_STORE. */
typedef int account_each_fn(void *arg, struct slice jid, const struct account_info *info);
int account_some(struct store *accounts, struct buf *at, account_each_fn *each, void *arg);

/* Runs once, on the loop, never before the call below returns. */
typedef void account_done(void *arg, enum zerr err);

/* The keys are derived on the thread pool, then one batch is committed; done runs after the commit.
 * ZE_CONFLICT: exists already (create). ZE_NOT_FOUND: does not exist (set password).
 * ZE_NOT_ACCEPTABLE: empty, over 1023 bytes or not preparable password. ZE_FULL: the pool's queue is
 * full. The password is copied and wiped. */
void account_create(struct sm_store *s, struct loop *loop, struct slice jid, struct slice password,
                    long iterations, account_done *done, void *arg);
void account_set_password(struct sm_store *s, struct loop *loop, struct slice jid, struct slice password,
                          long iterations, account_done *done, void *arg);
/* Adds to `batch` the removal of account and credentials (the features add theirs). */
void account_remove(struct store_batch *batch, struct slice jid);
/* Adds to `batch`: a disabled account keeps everything but cannot log in. ZE_NOT_FOUND, ZE_STORE. */
enum zerr account_set_disabled(struct store_view *view, struct store_batch *batch, struct slice jid,
                               bool disabled);

/* One mechanism's stored keys (RFC 5802 3). */
struct scram_keys {
    uint32_t iterations;
    uint8_t  salt[32];
    size_t   salt_len;
    uint8_t  stored_key[32], server_key[32];
    size_t   key_len;               /* 20 or 32 */
};
enum scram_hash { SCRAM_SHA_1, SCRAM_SHA_256 };
/* ZE_NOT_FOUND for an unknown account: then `out` holds plausible keys made from the server's secret,
 * the same each time (existence must not show). */
enum zerr credentials_get(struct store_view *view, struct slice jid, enum scram_hash hash,
                          struct scram_keys *out);
/* The iteration count that new accounts get (server.scram_iterations): unknown users show the same.
 * Said at start and at reload; 10,000 until then. */
void credentials_usual_iterations(long iterations);
