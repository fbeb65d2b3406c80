#pragma once

/* FAST tokens (XEP-0484): the only reader and writer of T_TOKEN. A client (XEP-0388 user-agent id) of an account
 * has at most two: the current one, and a fresh one that it has been told and not used yet (5.1).
 *
 * T_TOKEN  slot, owner NUL client id -> u8 format 1, twice (current, fresh): sized mechanism (empty: none), u64
 *          issued and u64 expiry in microseconds, u64 count (of <fast/>, the highest so far), sized secret.
 *
 * The secret is kept as it is: both sides need it for the HMAC. It opens this one account, for one client and one
 * mechanism, until it expires; passwords are not kept so (credentials.h). */

#include "encode.h"
#include "sm_store.h"

enum { TOKEN_SECRET = 44 };          /* characters: base64 of 256 random bits */

struct token {
    struct slice mechanism;          /* "HT-SHA-256-EXPR"; empty: there is no such token */
    struct slice secret;
    uint64_t     issued_us, expiry_us, count;
};

struct token_pair {
    struct token current, fresh;
};

/* Borrowed from the view. False: neither is there (or unreadable). */
bool tokens_get(struct store_view *view, struct slice owner, struct slice client, struct token_pair *out);
/* Without any token the row goes. */
void tokens_put(struct store_batch *batch, struct slice owner, struct slice client, const struct token_pair *pair);
void tokens_remove(struct store_batch *batch, struct slice owner, struct slice client);
void tokens_remove_all(struct store_view *view, struct store_batch *batch, struct slice owner);
/* Does that client have one that is still good? */
bool tokens_good(struct store_view *view, struct slice owner, struct slice client, uint64_t now_us);

/* A random secret, not terminated. */
void token_secret(char out[TOKEN_SECRET]);

/* ---- the rules, pure ---- */

enum token_verdict {
    TOKEN_NONE,                      /* it is none of these */
    TOKEN_MISUSED,                   /* of another mechanism, or a count that was there before */
    TOKEN_EXPIRED,
    TOKEN_CURRENT, TOKEN_FRESH,      /* good */
};

struct token_claim {
    struct slice mechanism;
    struct slice binding;            /* channel binding data; empty for -NONE */
    struct slice proof;              /* what the client says is the HMAC */
    bool         counted;            /* it gave a count */
    uint64_t     count;
    uint64_t     now_us;
};
enum token_verdict token_judge(const struct token_pair *pair, const struct token_claim *claim);

/* HMAC(secret, side || binding); side is "Initiator" or "Responder" (draft-schmaus-kitten-sasl-ht-09 3). */
void token_hmac(struct slice secret, const char *side, struct slice binding, uint8_t out[32]);

/* After a login by `verdict` (good): what is left of the pair (XEP-0484 3.5, 3.6, 5.1). */
void token_used(struct token_pair *pair, enum token_verdict verdict, const struct token_claim *claim,
                bool invalidate);
