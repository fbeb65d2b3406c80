/* SASL exchanges: the list of mechanisms, begin, step, end (sasl.h). What one mechanism does with a
 * message is in sasl_scram.c, sasl_plain.c, sasl_ht.c, sasl_external.c and sasl_anonymous.c. */

#include "sasl_inner.h"

#include <stdlib.h>
#include <unistr.h>

#include "log.h"
#include "mem.h"
#include "secrets.h"

/* Strongest first. */
static const struct sasl_mechanism mechanisms[] = {
    { "EXTERNAL", .certified = true, .hash = SCRAM_SHA_256, .take = external_take },
    { "SCRAM-SHA-256-PLUS", .plus = true, .guessable = true, .hash = SCRAM_SHA_256, .take = scram_take },
    { "SCRAM-SHA-1-PLUS", .plus = true, .guessable = true, .hash = SCRAM_SHA_1, .take = scram_take },
    { "SCRAM-SHA-256", .guessable = true, .hash = SCRAM_SHA_256, .take = scram_take },
    { "SCRAM-SHA-1", .guessable = true, .hash = SCRAM_SHA_1, .take = scram_take },
    { "PLAIN", .clear = true, .guessable = true, .hash = SCRAM_SHA_256, .take = plain_take },
    { "ANONYMOUS", .anonymous = true, .hash = SCRAM_SHA_256, .take = anonymous_take },
    { "HT-SHA-256-EXPR", .binary = true, .hash = SCRAM_SHA_256, .take = ht_take },
    { "HT-SHA-256-UNIQ", .binary = true, .hash = SCRAM_SHA_256, .take = ht_take },
    { "HT-SHA-256-ENDP", .binary = true, .hash = SCRAM_SHA_256, .take = ht_take },
    { "HT-SHA-256-NONE", .binary = true, .hash = SCRAM_SHA_256, .take = ht_take },
};

const char *const sasl_mechanisms[] = {
    "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", NULL,
};

struct sasl *sasl_new(struct sm_store *s, struct loop *loop)
{
    struct sasl *sasl = xcalloc(1, sizeof *sasl);
    uint8_t      secret[SECRET_BYTES];

    sasl->store = s;
    sasl->loop = loop;
    sasl->throttle = login_throttle_new();
    list_init(&sasl->exchanges);
    /* Made now, before the first login: credentials_get finds it, and of several instances that start
     * on an empty store all use the one that was committed first. */
    secret_get(s, SECRET_UNKNOWN, secret);
    secret_get(s, SECRET_TICKET, secret);
    secret_get(s, SECRET_RESOURCE, secret);
    secret_get(s, SECRET_ANONYMOUS, secret);
    wipe(secret, sizeof secret);
    return sasl;
}

void sasl_allow_clear(struct sasl *sasl, bool allow)
{
    sasl->allow_clear = allow;
}

void sasl_rules(struct sasl *sasl, const struct login_rules *rules)
{
    sasl->rules = *rules;
}

void sasl_admit(struct sasl *sasl, sasl_admit_fn *admit, void *arg)
{
    sasl->admit = admit;
    sasl->admit_arg = arg;
}

static const struct sasl_mechanism *mechanism_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(mechanisms); i++)
        if (slice_is(name, mechanisms[i].name))
            return &mechanisms[i];
    return NULL;
}

/* ---- the end of an exchange ---- */

/* From here on nothing answers any more; memory goes when the callback has run. */
static void exchange_close(struct sasl_exchange *x)
{
    x->over = true;
    list_remove(&x->link);
    x->sasl->count--;
    timer_disarm(&x->patience);
    derive_forget(&x->derivation);
    if (x->ended)
        *x->ended = true;
}

static void exchange_free(struct sasl_exchange *x)
{
    if (x->own)
        x->own_free(x->own);
    buf_free(&x->start_bytes);
    buf_free(&x->held_bytes);
    wipe(&x->keys, sizeof x->keys);
    free(x);
}

static void exchange_tell(struct sasl_exchange *x, const struct sasl_answer *answer)
{
    exchange_close(x);
    x->answer(x->arg, answer);
    exchange_free(x);
}

static void held_over(void *arg)
{
    struct sasl_exchange *x = arg;

    exchange_tell(x, &x->held);
}

static struct login_try try_of(const struct sasl_exchange *x)
{
    return (struct login_try){ x->start.address, jid_slice(&x->jid) };
}

/* While an account is under attack, both outcomes come late to who is not known to be its owner. */
static uint64_t delay_of(const struct sasl_exchange *x)
{
    struct login_try who = try_of(x);

    return x->mechanism->guessable
               ? login_delay(x->sasl->throttle, &who, &x->sasl->rules, loop_now_ms(x->sasl->loop)) : 0;
}

static void exchange_end(struct sasl_exchange *x, const struct sasl_answer *answer, uint64_t wait)
{
    if (!wait) {
        exchange_tell(x, answer);
        return;
    }
    x->held = *answer;
    x->held.jid = jid_slice(&x->jid);
    buf_put_slice(&x->held_bytes, answer->bytes);
    x->held.bytes = buf_slice(&x->held_bytes);
    timer_disarm(&x->patience);
    x->patience.fire = held_over;
    timer_arm(x->sasl->loop, &x->patience, wait);
}

/* Whether this address may learn the outcome of a try at this account. */
static bool may_try(struct sasl_exchange *x)
{
    struct login_try who = try_of(x);

    return login_allowed(x->sasl->throttle, &who, &x->sasl->rules, loop_now_ms(x->sasl->loop));
}

void exchange_fail_with(struct sasl_exchange *x, const char *condition, const char *text)
{
    struct sasl_answer answer = { .outcome = SASL_FAILED, .condition = condition, .text = text };

    log_info("login_refused", "jid", log_slice(jid_slice(&x->jid)), "kind", x->mechanism->name, "why",
             condition, NULL);
    exchange_end(x, &answer, delay_of(x));
}

static void refuse_for_now(struct sasl_exchange *x)
{
    exchange_fail_with(x, "temporary-auth-failure", "Too many failed logins; try again later");
}

/* Only a wrong proof counts. */
void exchange_fail(struct sasl_exchange *x, const char *condition)
{
    struct login_try who = try_of(x);

    if (x->mechanism->anonymous || strcmp(condition, "not-authorized") != 0) {
        exchange_fail_with(x, condition, NULL);
    } else if (!may_try(x)) {
        refuse_for_now(x);
    } else {
        login_failed(x->sasl->throttle, &who, &x->sasl->rules, loop_now_ms(x->sasl->loop));
        exchange_fail_with(x, condition, NULL);
    }
}

static void exchange_let_in(struct sasl_exchange *x, const struct sasl_answer *answer)
{
    struct login_try who = try_of(x);
    uint64_t         wait = delay_of(x);

    if (!x->mechanism->anonymous)
        login_succeeded(x->sasl->throttle, &who, loop_now_ms(x->sasl->loop));
    exchange_end(x, answer, wait);
}

void exchange_succeed(struct sasl_exchange *x, struct slice data)
{
    struct account_info info = { 0 };
    bool                there = x->mechanism->anonymous ||
                 (x->known && account_look(x->sasl->store->accounts, jid_slice(&x->jid), &info));
    struct sasl_answer  answer = { .outcome = SASL_OK, .bytes = data, .jid = jid_slice(&x->jid),
                                   .start = &x->start, .by_password = x->mechanism->guessable,
                                   .token = x->token };

    if (!there)
        exchange_fail(x, "not-authorized");
    else if (x->mechanism->guessable && !may_try(x))       /* nobody finds a token or a key by trying */
        refuse_for_now(x);
    else if (info.disabled)
        exchange_fail(x, "account-disabled");
    else
        exchange_let_in(x, &answer);
}

void exchange_own(struct sasl_exchange *x, void *own, void (*own_free)(void *own))
{
    x->own = own;
    x->own_free = own_free;
}

void exchange_continue(struct sasl_exchange *x, struct slice challenge)
{
    struct sasl_answer answer = { .outcome = SASL_CONTINUE, .bytes = challenge };

    x->answer(x->arg, &answer);
}

static void patience_over(void *arg)
{
    exchange_fail(arg, "temporary-auth-failure");
}

/* ---- who it is ---- */

/* A password can be compared with the keys of any mechanism. */
static enum zerr other_keys(struct store_view *view, struct sasl_exchange *x)
{
    struct scram_keys keys;
    enum zerr         err = credentials_get(view, jid_slice(&x->jid), SCRAM_SHA_1, &keys);

    if (!err)
        x->keys = keys;
    wipe(&keys, sizeof keys);
    return err;
}

void exchange_user(struct sasl_exchange *x, struct slice name)
{
    struct store_view *view = store_view(x->sasl->store->accounts);

    /* A name that no account can have gets plausible keys like any other unknown one. */
    if (name.len == 0 || jid_make(name, x->start.domain, SLICE(""), &x->jid) != ZE_OK)
        x->jid.len = 0;
    enum zerr err = credentials_get(view, x->jid.len ? jid_slice(&x->jid) : name, x->mechanism->hash, &x->keys);
    if (err && x->mechanism->clear && x->jid.len)
        err = other_keys(view, x);
    x->known = err == ZE_OK && x->jid.len > 0;
    store_view_end(&view);
}

bool authzid_ok(const struct sasl_exchange *x, struct slice authzid)
{
    struct jid other;

    if (authzid.len == 0)
        return true;
    if (x->start.sasl2 && x->start.from.len && !slice_eq(x->start.from, jid_slice(&x->jid)))
        return false;
    return jid_parse(authzid, &other) == ZE_OK && x->jid.len > 0 &&
           slice_eq(jid_slice(&other), jid_slice(&x->jid));
}

/* ---- begin, step, abort ---- */

static void take(struct sasl_exchange *x, struct slice bytes)
{
    if (bytes.len > SASL_BYTES_MAX || (!x->mechanism->binary && bytes.len && u8_check(bytes.p, bytes.len)))
        exchange_fail(x, "malformed-request");
    else
        x->mechanism->take(x, bytes);
}

static struct sasl_exchange *exchange_new(struct sasl *sasl, const struct auth_start *start,
                                          const struct sasl_mechanism *mechanism, sasl_answer_fn *answer,
                                          void *arg)
{
    struct sasl_exchange *x = xcalloc(1, sizeof *x);
    struct auth_start     kept = *start;

    kept.initial = slice_of(NULL, 0);
    auth_start_put(&x->start_bytes, &kept);
    if (auth_start_take(buf_slice(&x->start_bytes), &x->start))
        fatal("sasl_failed", "why", "a start that cannot be read back", NULL);
    x->sasl = sasl;
    x->mechanism = mechanism;
    x->answer = answer;
    x->arg = arg;
    x->patience = (struct timer){ .fire = patience_over, .arg = x };
    timer_arm(sasl->loop, &x->patience, SASL_PATIENCE_MS);
    list_append(&sasl->exchanges, &x->link);
    sasl->count++;
    return x;
}

/* NULL: it may begin. */
static const char *refusal(const struct sasl *sasl, const struct auth_start *start,
                           const struct sasl_mechanism *mechanism)
{
    if (!mechanism || (mechanism->plus && !start->bindings))
        return "invalid-mechanism";
    if (mechanism->take == ht_take && (!start->sasl2 || !start->secure))
        return "invalid-mechanism";
    if (mechanism->anonymous && !sasl->admit)
        return "invalid-mechanism";
    if (mechanism->certified && (!start->secure || !start->certified.len))
        return "invalid-mechanism";
    if (mechanism->clear && !start->secure && !sasl->allow_clear)
        return "encryption-required";
    return sasl->count >= SASL_EXCHANGES_MAX ? "temporary-auth-failure" : NULL;
}

struct sasl_exchange *sasl_begin(struct sasl *sasl, const struct auth_start *start, sasl_answer_fn *answer,
                                 void *arg)
{
    const struct sasl_mechanism *mechanism = mechanism_find(start->mechanism);
    struct sasl_answer           refused = { .outcome = SASL_FAILED };
    bool                         ended = false;

    refused.condition = refusal(sasl, start, mechanism);
    if (refused.condition) {
        answer(arg, &refused);
        return NULL;
    }
    struct sasl_exchange *x = exchange_new(sasl, start, mechanism, answer, arg);
    x->ended = &ended;
    if (start->has_initial || mechanism->anonymous)      /* XEP-0175 4: nothing said is nothing to trace */
        take(x, start->initial);
    else
        exchange_continue(x, SLICE(""));       /* RFC 6120 6.4.2: the client goes first, ask for it */
    if (ended)
        return NULL;
    x->ended = NULL;
    return x;
}

void sasl_step(struct sasl_exchange *x, struct slice bytes)
{
    if (!x->over && x->held.outcome == SASL_CONTINUE)
        take(x, bytes);
}

void sasl_abort(struct sasl_exchange **x)
{
    struct sasl_exchange *gone = *x;

    *x = NULL;
    if (!gone || gone->over)
        return;
    exchange_close(gone);
    exchange_free(gone);
}

void sasl_free(struct sasl **sasl)
{
    if (!*sasl)
        return;
    LIST_EACH(&(*sasl)->exchanges, node) {
        struct sasl_exchange *x = LIST_OWNER(node, struct sasl_exchange, link);
        sasl_abort(&x);
    }
    login_throttle_free(&(*sasl)->throttle);
    free(*sasl);
    *sasl = NULL;
}
