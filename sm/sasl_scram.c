/* SCRAM (RFC 5802, RFC 7677): GNU SASL does the exchange, we look after what it cannot know or looks
 * at too late: channel-binding flags against what was offered, and that c= repeats the first message. */

#include "sasl_inner.h"

#include <stdio.h>

#include "encode.h"
#include "log.h"
#include "mem.h"

static void set_base64(Gsasl_session *session, Gsasl_property property, struct slice bytes)
{
    struct buf text = { 0 };

    base64_put(&text, bytes);
    buf_put_u8(&text, 0);
    gsasl_property_set(session, property, (const char *)buf_slice(&text).p);
    wipe(text.bytes, text.room);
    buf_free(&text);
}

static int set_user(struct sasl_exchange *x)
{
    const char *name = gsasl_property_fast(x->session, GSASL_AUTHID);
    char        iterations[16];

    exchange_user(x, slice_str(name));
    snprintf(iterations, sizeof iterations, "%u", x->keys.iterations);
    gsasl_property_set(x->session, GSASL_SCRAM_ITER, iterations);
    set_base64(x->session, GSASL_SCRAM_SALT, slice_of(x->keys.salt, x->keys.salt_len));
    set_base64(x->session, GSASL_SCRAM_SERVERKEY, slice_of(x->keys.server_key, x->keys.key_len));
    set_base64(x->session, GSASL_SCRAM_STOREDKEY, slice_of(x->keys.stored_key, x->keys.key_len));
    return GSASL_OK;
}

/* Without -PLUS the library gets no binding: it would expect one in c=. */
static int set_binding(struct sasl_exchange *x, Gsasl_property property, const char *name)
{
    if (!x->mechanism->plus || !slice_is(buf_slice(&x->binding_name), name))
        return GSASL_NO_CALLBACK;
    set_base64(x->session, property, buf_slice(&x->binding));
    return GSASL_OK;
}

/* The library asks for the iteration count first, when the name is known. */
int scram_property(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
    struct sasl_exchange *x = gsasl_session_hook_get(session);

    (void)gsasl;
    switch ((int)property) {
    case GSASL_SCRAM_ITER:
        return set_user(x);
    case GSASL_CB_TLS_EXPORTER:
        return set_binding(x, property, "tls-exporter");
    case GSASL_CB_TLS_UNIQUE:
        return set_binding(x, property, "tls-unique");
    default:
        return GSASL_NO_CALLBACK;
    }
}

/* Bytes up to and including the n-th comma; empty: there are fewer. */
static struct slice up_to_comma(struct slice s, unsigned n)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == ',' && --n == 0)
            return slice_cut(s, 0, i + 1);
    return slice_of(NULL, 0);
}

/* RFC 5802 7: gs2-cbind-flag. 'y' says "you offered no binding": a lie when we did, somebody cut the
 * -PLUS names out on the way (RFC 5802 6). */
static const char *check_flag(const struct sasl_exchange *x, struct slice flag)
{
    struct slice name = buf_slice(&x->binding_name);

    if (x->mechanism->plus)
        return flag.len == 3 + name.len && flag.p[0] == 'p' && flag.p[1] == '=' &&
                       slice_eq(slice_cut(flag, 2, flag.len - 1), name)
                   ? NULL
                   : "not-authorized";
    if (slice_is(flag, "n,"))
        return NULL;
    return slice_is(flag, "y,") && !x->plus_offered ? NULL : "not-authorized";
}

static const char *check_first(struct sasl_exchange *x, struct slice bytes)
{
    struct slice header = up_to_comma(bytes, 2);

    if (header.len == 0)
        return "malformed-request";
    buf_put_slice(&x->header, header);
    return check_flag(x, up_to_comma(bytes, 1));
}

/* c= is the GS2 header of the first message, and with -PLUS the binding (RFC 5802 5.1). */
static const char *check_final(struct sasl_exchange *x, struct slice bytes)
{
    struct slice first = up_to_comma(bytes, 1);
    struct buf   wanted = { 0 }, got = { 0 };

    if (first.len < 3 || first.p[0] != 'c' || first.p[1] != '=')
        return "malformed-request";
    buf_put_slice(&wanted, buf_slice(&x->header));
    if (x->mechanism->plus)
        buf_put_slice(&wanted, buf_slice(&x->binding));
    bool same = base64_take(&got, slice_cut(first, 2, first.len - 1)) &&
                same_secret(buf_slice(&got), buf_slice(&wanted));
    buf_free(&wanted);
    buf_free(&got);
    return same ? NULL : "not-authorized";
}

static const char *condition_of(int rc)
{
    switch (rc) {
    case GSASL_MECHANISM_PARSE_ERROR:
        return "malformed-request";
    case GSASL_MALLOC_ERROR:
    case GSASL_CRYPTO_ERROR:
        return "temporary-auth-failure";
    default:
        return "not-authorized";
    }
}

static bool authzid_refused(const struct sasl_exchange *x)
{
    return !authzid_ok(x, slice_str(gsasl_property_fast(x->session, GSASL_AUTHZID)));
}

/* A wrong authzid is told at once (RFC 6120 6.5.6), whether the user exists or not. */
static void answer_step(struct sasl_exchange *x, int rc, struct slice output)
{
    if (rc == GSASL_NEEDS_MORE && x->jid.len && authzid_refused(x))
        exchange_fail(x, "invalid-authzid");
    else if (rc == GSASL_NEEDS_MORE)
        exchange_continue(x, output);
    else if (rc == GSASL_OK && !authzid_refused(x))
        exchange_succeed(x, output);
    else
        exchange_fail(x, condition_of(rc));
}

static const char *check(struct sasl_exchange *x, struct slice bytes)
{
    if (bytes.len == 0 || memchr(bytes.p, 0, bytes.len))
        return "malformed-request";
    return buf_len(&x->header) == 0 ? check_first(x, bytes) : check_final(x, bytes);
}

void scram_take(struct sasl_exchange *x, struct slice bytes)
{
    const char *refused = check(x, bytes);
    char       *output = NULL;
    size_t      len = 0;

    if (refused) {
        exchange_fail(x, refused);
        return;
    }
    int rc = gsasl_step(x->session, (const char *)bytes.p, bytes.len, &output, &len);
    answer_step(x, rc, slice_of(output, len));
    gsasl_free(output);
}
