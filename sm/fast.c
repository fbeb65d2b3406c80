/* XEP-0484 Fast Authentication Streamlining Tokens: issued, rotated and invalidated with a login. Which token is good
 * for what is decided in tokens.c, who gets in by one in sasl_ht.c.
 *
 * Tokens belong to a client that says an id for good (XEP-0388 2.3) and to one mechanism. A login that asks for one
 * gets one; a login by a token older than limits.token_rotate_hours gets a new one unasked. The old one is good until
 * the new one was used. */

#include "fast.h"

#include "datetime.h"
#include "log.h"
#include "ns.h"
#include "sasl_tokens.h"
#include "sm.h"
#include "tokens.h"
#include "xml_stream.h"

enum { COUNT_DIGITS_MAX = 18 };
#define HOUR_US (3600ULL * 1000000)

/* ---- reading ---- */

/* xs:boolean. */
static bool read_flag(struct slice text, bool *malformed)
{
    bool yes = slice_is(text, "true") || slice_is(text, "1");

    if (text.len && !yes && !slice_is(text, "false") && !slice_is(text, "0"))
        *malformed = true;
    return yes;
}

/* 3.4: a positive integer. */
static uint64_t read_count(struct slice text, bool *malformed)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            *malformed = true;
        value = value * 10 + (uint64_t)(text.p[i] - '0');
    }
    if (!text.len || text.len > COUNT_DIGITS_MAX || !value)
        *malformed = true;
    return value;
}

static void read_fast(const struct element *e, struct fast_wish *out)
{
    struct slice count = element_attr(e, "count");

    out->fast = true;
    out->invalidate = read_flag(element_attr(e, "invalidate"), &out->malformed);
    out->counted = count.p != NULL;
    if (out->counted)
        out->count = read_count(count, &out->malformed);
}

void fast_read(struct slice inlines, struct fast_wish *out)
{
    const struct xml_limits limits = { .element_max = inlines.len + 1024, .depth_max = 64, .attributes_max = 128, .name_max = 1024 };
    struct arena           *arena = arena_new();
    const struct element   *root = inlines.len ? xml_parse_content(arena, inlines, NS_SASL2, &limits) : NULL;
    const struct element   *fast = root ? element_child(root, NS_FAST, "fast") : NULL;

    *out = (struct fast_wish){ 0 };
    if (fast)
        read_fast(fast, out);
    out->asks = root && element_child(root, NS_FAST, "request-token");
    arena_free(&arena);
}

/* ---- after a login ---- */

/* Empty: nothing is asked for, or nothing that this stream could use. */
static struct slice mechanism_asked(const struct login_success *l, const struct element *request)
{
    const struct auth_start *a = l->start;
    struct slice             name = request ? element_attr(request, "mechanism") : slice_of(NULL, 0);

    return sasl_token_find(name, a->binding, a->bindings) ? name : slice_of(NULL, 0);
}

static bool is_due(const struct login_success *l, const struct token *used, uint64_t now_us)
{
    return now_us >= used->issued_us + (uint64_t)l->sm->settings->limits.token_rotate_hours * HOUR_US;
}

/* 3.3, 3.5. An unused one that was told before is no longer good. */
static void issue(struct login_success *l, struct token_pair *pair, struct slice mechanism, uint64_t now_us,
                  char secret[TOKEN_SECRET])
{
    uint64_t life_us = (uint64_t)l->sm->settings->limits.token_days * 24 * HOUR_US;
    char     expiry[DATETIME_MAX];

    token_secret(secret);
    pair->fresh = (struct token){
        .mechanism = mechanism, .secret = slice_of(secret, TOKEN_SECRET), .issued_us = now_us,
        .expiry_us = (now_us + life_us) / 1000000 * 1000000,
    };
    datetime_write(expiry, pair->fresh.expiry_us);
    xml_open(l->reply, "token", NS_FAST);
    xml_attr(l->reply, "expiry", expiry);
    xml_attr_slice(l->reply, "token", pair->fresh.secret);
    xml_close(l->reply);
    log_info("token_issued", "jid", log_slice(l->jid), "kind", log_slice(mechanism), NULL);
}

static void apply(struct login_success *l, struct token_pair *pair, const struct element *request)
{
    struct token_claim claim = { .now_us = wall_us() };
    struct slice       mechanism = mechanism_asked(l, request);
    struct fast_wish   wish;
    char               secret[TOKEN_SECRET];
    bool               used = l->token == TOKEN_CURRENT || l->token == TOKEN_FRESH, rotate = false;

    fast_read(l->start->inlines, &wish);
    claim.counted = wish.counted;
    claim.count = wish.count;
    if (used) {
        token_used(pair, l->token, &claim, wish.invalidate);
        rotate = !wish.invalidate && is_due(l, &pair->current, claim.now_us);
    }
    if (rotate && !mechanism.len)
        mechanism = l->start->mechanism;
    if (mechanism.len)
        issue(l, pair, mechanism, claim.now_us, secret);
    if (mechanism.len || l->token == TOKEN_FRESH || (used && (wish.counted || wish.invalidate)))
        tokens_put(login_batch(l), l->jid, l->start->client.id, pair);
    wipe(secret, sizeof(secret));
}

/* Only the owner of an account writes; a client that says who it is in its stream header is heard by him. */
void fast_succeeded(struct login_success *l, const struct element *request_token)
{
    struct store_view *view;
    struct token_pair  pair;

    if (!l->owned || !l->start->secure || !l->start->client.id.len)
        return;
    view = store_view(l->sm->store.accounts);
    tokens_get(view, l->jid, l->start->client.id, &pair);
    apply(l, &pair, request_token);
    store_view_end(&view);
}
