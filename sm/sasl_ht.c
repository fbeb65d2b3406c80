/* HT-SHA-256-* (draft-schmaus-kitten-sasl-ht-09) with the tokens of XEP-0484: one message each way. What becomes of
 * the token after the login is fast.c's. */

#include "sasl_inner.h"

#include "fast.h"
#include "mem.h"
#include "sasl_tokens.h"
#include "tokens.h"

enum { PROOF_BYTES = 32 };

/* authcid NUL proof (3.1). */
static bool split(struct slice bytes, struct slice *name, struct slice *proof)
{
    const uint8_t *nul = bytes.len ? memchr(bytes.p, 0, bytes.len) : NULL;

    if (!nul || nul == bytes.p)
        return false;
    *name = slice_cut(bytes, 0, (size_t)(nul - bytes.p));
    *proof = slice_cut(bytes, name->len + 1, bytes.len);
    return proof->len == PROOF_BYTES;
}

/* False: the mechanism binds to something that this stream does not have. */
static bool binding_of(const struct sasl_exchange *x, struct slice *data)
{
    const struct sasl_token *t = sasl_token_find(slice_str(x->mechanism->name), x->start.binding, x->start.bindings);

    *data = slice_of("", 0);
    for (unsigned i = 0; t && t->binding && i < x->start.bindings; i++)
        if (slice_is(x->start.binding[i].name, t->binding))
            *data = x->start.binding[i].data;
    return t != NULL;
}

/* XEP-0484 4.1: it says who it is, in the stream header and by its id, and that this is a token. */
static const char *malformed(const struct sasl_exchange *x, struct slice bytes, struct fast_wish *wish,
                             struct slice *name, struct slice *proof)
{
    fast_read(x->start.inlines, wish);
    if (!wish->fast || wish->malformed || !x->start.client.id.len || !x->start.from.len || !split(bytes, name, proof))
        return "malformed-request";
    return NULL;
}

static enum token_verdict judge(struct sasl_exchange *x, const struct token_claim *claim, uint8_t answer[PROOF_BYTES])
{
    struct store_view *view = store_view(x->sasl->store->accounts);
    struct token_pair  pair;

    tokens_get(view, jid_slice(&x->jid), x->start.client.id, &pair);
    enum token_verdict verdict = token_judge(&pair, claim);
    const struct token *used = verdict == TOKEN_FRESH ? &pair.fresh : &pair.current;
    token_hmac(used->secret, "Responder", claim->binding, answer);
    if (verdict == TOKEN_NONE && !tokens_good(view, jid_slice(&x->jid), x->start.client.id, claim->now_us))
        verdict = TOKEN_EXPIRED;
    store_view_end(&view);
    return verdict;
}

/* 4.2: credentials-expired tells the client to log in by other means; so does a token that is not there (any more),
 * whether the account exists or not. */
void ht_take(struct sasl_exchange *x, struct slice bytes)
{
    struct slice       name, proof, binding;
    struct fast_wish   wish;
    uint8_t            answer[PROOF_BYTES];
    const char        *refused = malformed(x, bytes, &wish, &name, &proof);

    if (!refused && !binding_of(x, &binding))
        refused = "invalid-mechanism";
    if (!refused) {
        exchange_user(x, name);
        refused = slice_eq(x->start.from, jid_slice(&x->jid)) ? NULL : "invalid-authzid";
    }
    if (refused) {
        exchange_fail(x, refused);
        return;
    }
    struct token_claim claim = {
        .mechanism = slice_str(x->mechanism->name), .binding = binding, .proof = proof, .counted = wish.counted,
        .count = wish.count, .now_us = wall_us(),
    };
    x->token = judge(x, &claim, answer);
    if (x->token == TOKEN_CURRENT || x->token == TOKEN_FRESH)
        exchange_succeed(x, slice_of(answer, sizeof(answer)));
    else
        exchange_fail(x, x->token == TOKEN_EXPIRED ? "credentials-expired" : "not-authorized");
}
