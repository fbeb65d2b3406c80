/* PLAIN (RFC 4616) against the stored SCRAM-SHA-256 keys: the derivation runs on the thread pool, for
 * unknown users as well, so that both take as long. */

#include "sasl_inner.h"

#include "encode.h"
#include "mem.h"

struct plain {
    struct slice authzid, name, password;
};

static struct slice until_nul(struct slice *rest)
{
    const uint8_t *nul = rest->len ? memchr(rest->p, 0, rest->len) : NULL;
    size_t         len = nul ? (size_t)(nul - rest->p) : rest->len;
    struct slice   part = slice_cut(*rest, 0, len);

    *rest = slice_cut(*rest, nul ? len + 1 : len, rest->len);
    return part;
}

/* [authzid] NUL authcid NUL passwd, two NULs in all. */
static bool plain_parse(struct slice bytes, struct plain *out)
{
    size_t nuls = 0;

    for (size_t i = 0; i < bytes.len; i++)
        nuls += bytes.p[i] == 0;
    if (nuls != 2)
        return false;
    out->authzid = until_nul(&bytes);
    out->name = until_nul(&bytes);
    out->password = bytes;
    return out->name.len > 0 && out->password.len > 0;
}

static void plain_derived(void *arg, struct scram_keys *keys, size_t count)
{
    struct sasl_exchange *x = arg;
    bool                  same = count && same_secret(slice_of(keys[0].stored_key, keys[0].key_len),
                                                      slice_of(x->keys.stored_key, x->keys.key_len));

    x->derivation = NULL;
    if (!count)
        exchange_fail(x, "temporary-auth-failure");
    else if (same && x->known)
        exchange_succeed(x, slice_of(NULL, 0));
    else
        exchange_fail(x, "not-authorized");
}

static const char *plain_begin(struct sasl_exchange *x, const struct plain *plain)
{
    struct buf password = { 0 };

    exchange_user(x, plain->name);
    if (x->jid.len && !authzid_ok(x, plain->authzid))
        return "invalid-authzid";
    enum zerr err = password_prepare(plain->password, &password);
    if (err == ZE_OK)
        x->derivation = derive_start(x->sasl->loop, buf_slice(&password), &x->keys, 1, plain_derived, x);
    if (password.bytes)
        wipe(password.bytes, password.room);
    buf_free(&password);
    if (err != ZE_OK)
        return "not-authorized";
    return x->derivation ? NULL : "temporary-auth-failure";
}

void plain_take(struct sasl_exchange *x, struct slice bytes)
{
    struct plain plain;
    const char  *refused = "malformed-request";

    if (!x->derivation && plain_parse(bytes, &plain))
        refused = plain_begin(x, &plain);
    if (refused)
        exchange_fail(x, refused);
}
