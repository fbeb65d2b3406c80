/* SCRAM (RFC 5802, RFC 7677): an exchange around the messages of scram.c, with channel-binding flags judged
 * against what was offered. */

#include <stdlib.h>

#include "encode.h"
#include "mem.h"
#include "sasl_inner.h"
#include "scram.h"

enum { NONCE_BYTES = 18 };

/* Between the two messages. */
struct scram {
    struct buf          header;      /* GS2 header, and with -PLUS the binding: what c= must say */
    struct buf          nonce;       /* the client's and ours */
    struct buf          auth;        /* AuthMessage up to the second comma */
};

static void scram_free(void *own)
{
    struct scram *s = own;

    buf_free(&s->header);
    buf_free(&s->nonce);
    buf_free(&s->auth);
    free(s);
}

/* RFC 5802 6: 'y' says "you offered no binding": a lie when we did, somebody cut the -PLUS names out on the way.
 * No password was tried yet, so a refusal is no guess: some clients ask for tls-unique on every stream, and say the
 * password to the next mechanism. *binding: the data that -PLUS binds to. */
static const char *check_flag(const struct sasl_exchange *x, struct slice flag, struct slice *binding)
{
    if (x->mechanism->plus) {
        for (unsigned i = 0; i < x->start.bindings; i++)
            if (flag.len > 2 && slice_starts(flag, SLICE("p=")) &&
                slice_eq(slice_cut(flag, 2, flag.len), x->start.binding[i].name)) {
                *binding = x->start.binding[i].data;
                return NULL;
            }
        return "malformed-request";
    }
    if (slice_is(flag, "n"))
        return NULL;
    return slice_is(flag, "y") && !x->start.plus_offered ? NULL : "malformed-request";
}

static void make_nonce(struct buf *out, struct slice theirs)
{
    uint8_t ours[NONCE_BYTES];

    random_bytes(ours, sizeof ours);
    buf_put_slice(out, theirs);
    base64_put(out, slice_of(ours, sizeof ours));
}

/* A wrong authzid is told at once (RFC 6120 6.5.6), whether the user exists or not. */
static const char *take_first(struct sasl_exchange *x, struct slice bytes)
{
    struct scram_first first;
    struct slice       binding = { 0 };
    struct buf         reply = { 0 };
    const char        *refused;

    if (!scram_first_take(bytes, &first))
        return "malformed-request";
    refused = check_flag(x, first.flag, &binding);
    if (refused)
        return refused;
    exchange_user(x, slice_str(first.name));
    if (x->jid.len && !authzid_ok(x, slice_str(first.authzid)))
        return "invalid-authzid";
    struct scram *s = xcalloc(1, sizeof *s);
    exchange_own(x, s, scram_free);
    buf_put_slice(&s->header, first.header);
    buf_put_slice(&s->header, binding);
    make_nonce(&s->nonce, first.nonce);
    scram_first_put(&reply, buf_slice(&s->nonce), &x->keys, x->start.advertised);
    buf_printf(&s->auth, "%.*s,%.*s,", SLICE_FMT(first.bare), SLICE_FMT(buf_slice(&reply)));
    exchange_continue(x, buf_slice(&reply));
    buf_free(&reply);
    return NULL;
}

/* c= is the GS2 header of the first message, and with -PLUS the binding (RFC 5802 5.1). */
static bool is_good(const struct sasl_exchange *x, struct scram *s, const struct scram_final *final)
{
    buf_put_slice(&s->auth, final->without_proof);
    return slice_eq(final->nonce, buf_slice(&s->nonce)) &&
           same_secret(buf_slice(&final->binding), buf_slice(&s->header)) &&
           scram_proves(&x->keys, buf_slice(&s->auth), final) && x->known;
}

static const char *take_final(struct sasl_exchange *x, struct slice bytes)
{
    struct scram      *s = x->own;
    struct scram_final final = { 0 };
    struct buf         reply = { 0 };
    const char        *refused = NULL;

    if (!scram_final_take(bytes, &final))
        refused = "malformed-request";
    else if (!is_good(x, s, &final))
        refused = "not-authorized";
    buf_free(&final.binding);
    if (refused)
        return refused;
    scram_final_put(&reply, &x->keys, buf_slice(&s->auth));
    exchange_succeed(x, buf_slice(&reply));
    buf_free(&reply);
    return NULL;
}

void scram_take(struct sasl_exchange *x, struct slice bytes)
{
    const char *refused = "malformed-request";

    if (bytes.len && !memchr(bytes.p, 0, bytes.len))
        refused = x->own ? take_final(x, bytes) : take_first(x, bytes);
    if (refused)
        exchange_fail(x, refused);
}
