/* FAST tokens: their rows and what may be done with them (tokens.h). */

#include "tokens.h"

#include "cursor.h"
#include "log.h"
#include "mem.h"
#include "routes.h"

enum { FORMAT = 1, MECHANISM_MAX = 64, SECRET_MAX = 256 };

static void prefix_of(struct buf *key, struct slice owner)
{
    store_key(key, slot_of(owner), owner);
    buf_put_u8(key, 0);
}

static void key_of(struct buf *key, struct slice owner, struct slice client)
{
    prefix_of(key, owner);
    buf_put_slice(key, client);
}

/* ---- rows ---- */

static void token_put(struct buf *row, const struct token *t)
{
    buf_put_sized(row, t->mechanism);
    buf_put_u64(row, t->issued_us);
    buf_put_u64(row, t->expiry_us);
    buf_put_u64(row, t->count);
    buf_put_sized(row, t->secret);
}

static struct token token_take(struct cursor *c)
{
    struct token t = { .mechanism = take_limited(c, MECHANISM_MAX) };

    t.issued_us = take_u64(c);
    t.expiry_us = take_u64(c);
    t.count = take_u64(c);
    t.secret = take_limited(c, SECRET_MAX);
    return t;
}

static bool pair_decode(struct slice row, struct token_pair *out)
{
    struct cursor c = { row, false };
    uint8_t       format = take_u8(&c);

    out->current = token_take(&c);
    out->fresh = token_take(&c);
    return cursor_done(&c) && format == FORMAT;
}

bool tokens_get(struct store_view *view, struct slice owner, struct slice client, struct token_pair *out)
{
    struct buf key = { 0 };

    *out = (struct token_pair){ 0 };
    key_of(&key, owner, client);
    struct slice row = store_get(view, T_TOKEN, buf_slice(&key));
    buf_free(&key);
    if (row.p && pair_decode(row, out))
        return true;
    if (row.p)
        log_error("token_unreadable", "jid", log_slice(owner), NULL);
    *out = (struct token_pair){ 0 };
    return false;
}

void tokens_put(struct store_batch *batch, struct slice owner, struct slice client, const struct token_pair *pair)
{
    struct buf key = { 0 }, row = { 0 };

    if (!pair->current.mechanism.len && !pair->fresh.mechanism.len) {
        tokens_remove(batch, owner, client);
        return;
    }
    key_of(&key, owner, client);
    buf_put_u8(&row, FORMAT);
    token_put(&row, &pair->current);
    token_put(&row, &pair->fresh);
    store_put(batch, T_TOKEN, buf_slice(&key), buf_slice(&row));
    wipe(row.bytes, row.end);
    buf_free(&key);
    buf_free(&row);
}

void tokens_remove(struct store_batch *batch, struct slice owner, struct slice client)
{
    struct buf key = { 0 };

    key_of(&key, owner, client);
    store_delete(batch, T_TOKEN, buf_slice(&key));
    buf_free(&key);
}

static int remove_row(void *arg, struct slice key, struct slice value)
{
    (void)value;
    store_delete(arg, T_TOKEN, key);
    return 0;
}

void tokens_remove_all(struct store_view *view, struct store_batch *batch, struct slice owner)
{
    struct buf prefix = { 0 };

    prefix_of(&prefix, owner);
    store_each(view, T_TOKEN, buf_slice(&prefix), slice_of(NULL, 0), false, remove_row, batch);
    buf_free(&prefix);
}

static bool good(const struct token *t, uint64_t now_us)
{
    return t->mechanism.len && now_us < t->expiry_us;
}

bool tokens_good(struct store_view *view, struct slice owner, struct slice client, uint64_t now_us)
{
    struct token_pair pair;

    return tokens_get(view, owner, client, &pair) && (good(&pair.current, now_us) || good(&pair.fresh, now_us));
}

void token_secret(char out[TOKEN_SECRET])
{
    uint8_t    bytes[32];
    struct buf text = { 0 };

    random_bytes(bytes, sizeof(bytes));
    base64_put(&text, slice_of(bytes, sizeof(bytes)));
    memcpy(out, text.bytes, TOKEN_SECRET);
    wipe(bytes, sizeof(bytes));
    wipe(text.bytes, text.end);
    buf_free(&text);
}

/* ---- the rules ---- */

void token_hmac(struct slice secret, const char *side, struct slice binding, uint8_t out[32])
{
    struct buf text = { 0 };

    buf_put_str(&text, side);
    buf_put_slice(&text, binding);
    hmac_sha256(secret, buf_slice(&text), out);
    buf_free(&text);
}

/* Computed for an absent token as well: how long it takes tells nothing. */
static enum token_verdict judge_one(const struct token *t, const struct token_claim *claim, enum token_verdict fine)
{
    uint8_t wanted[32];

    token_hmac(t->secret, "Initiator", claim->binding, wanted);
    bool same = same_secret(slice_of(wanted, sizeof(wanted)), claim->proof);
    wipe(wanted, sizeof(wanted));
    if (!same || !t->mechanism.len)
        return TOKEN_NONE;
    if (!slice_eq(t->mechanism, claim->mechanism) || (claim->counted && claim->count <= t->count))
        return TOKEN_MISUSED;
    return good(t, claim->now_us) ? fine : TOKEN_EXPIRED;
}

enum token_verdict token_judge(const struct token_pair *pair, const struct token_claim *claim)
{
    enum token_verdict fresh = judge_one(&pair->fresh, claim, TOKEN_FRESH);
    enum token_verdict current = judge_one(&pair->current, claim, TOKEN_CURRENT);

    return fresh != TOKEN_NONE ? fresh : current;
}

void token_used(struct token_pair *pair, enum token_verdict verdict, const struct token_claim *claim, bool invalidate)
{
    if (verdict == TOKEN_FRESH) {
        pair->current = pair->fresh;
        pair->fresh = (struct token){ 0 };
    }
    if (claim->counted)
        pair->current.count = claim->count;
    if (invalidate)                  /* 3.6: and what the client may never have seen as well */
        *pair = (struct token_pair){ 0 };
}
