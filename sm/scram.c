/* SCRAM as bytes (scram.h). */

#include "scram.h"

#include <gnutls/crypto.h>

#include "encode.h"
#include "log.h"
#include "mem.h"

/* ---- reading ---- */

/* Cuts off what stands before the next comma; the comma goes. */
static struct slice until_comma(struct slice *rest)
{
    size_t       len = 0;
    struct slice part;

    while (len < rest->len && rest->p[len] != ',')
        len++;
    part = slice_cut(*rest, 0, len);
    *rest = slice_cut(*rest, len < rest->len ? len + 1 : len, rest->len);
    return part;
}

/* The value of attribute `name`; p NULL: another one. */
static struct slice value_of(struct slice attribute, char name)
{
    if (attribute.len < 2 || attribute.p[0] != (uint8_t)name || attribute.p[1] != '=')
        return slice_of(NULL, 0);
    return slice_cut(attribute, 2, attribute.len);
}

/* saslname: "=2C" and "=3D", no other '='. False: malformed. */
static bool unescape(struct slice s, char out[SCRAM_NAME_MAX + 1])
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = (char)s.p[i];

        if (c == '=') {
            struct slice code = slice_cut(s, i, i + 3 < s.len ? i + 3 : s.len);
            if (!slice_is(code, "=2C") && !slice_is(code, "=3D"))
                return false;
            c = code.p[1] == '2' ? ',' : '=';
            i += 2;
        }
        if (n == SCRAM_NAME_MAX)
            return false;
        out[n++] = c;
    }
    out[n] = 0;
    return true;
}

/* "printable": ASCII without the comma, which cannot come here. */
static bool is_nonce(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7F)
            return false;
    return s.len > 0 && s.len <= SCRAM_NONCE_MAX;
}

bool scram_first_take(struct slice bytes, struct scram_first *out)
{
    struct slice rest = bytes, authzid, name;

    out->flag = until_comma(&rest);
    authzid = until_comma(&rest);
    out->header = slice_cut(bytes, 0, bytes.len - rest.len);
    out->bare = rest;
    out->authzid[0] = 0;
    if (!rest.len || (authzid.len && (!value_of(authzid, 'a').p || !unescape(value_of(authzid, 'a'), out->authzid))))
        return false;
    /* Behind them only extensions, which may be left alone; m= is not one of these, and comes first (5.1). */
    name = value_of(until_comma(&rest), 'n');
    out->nonce = value_of(until_comma(&rest), 'r');
    return name.len && unescape(name, out->name) && is_nonce(out->nonce);
}

static bool take_base64(struct slice text, uint8_t *out, size_t room, size_t *len)
{
    struct buf bytes = { 0 };
    bool       fits = base64_take(&bytes, text) && buf_len(&bytes) <= room;

    if (fits) {
        *len = buf_len(&bytes);
        memcpy(out, buf_slice(&bytes).p, *len);
    }
    buf_free(&bytes);
    return fits;
}

bool scram_final_take(struct slice bytes, struct scram_final *out)
{
    struct slice rest = bytes, binding = value_of(until_comma(&rest), 'c'), proof;
    size_t       at = bytes.len;

    out->nonce = value_of(until_comma(&rest), 'r');
    while (at > 0 && bytes.p[at - 1] != ',')       /* p= comes last */
        at--;
    proof = value_of(slice_cut(bytes, at, bytes.len), 'p');
    if (!binding.len || !out->nonce.len || !proof.len || !base64_take(&out->binding, binding))
        return false;
    out->without_proof = slice_cut(bytes, 0, at - 1);
    return take_base64(proof, out->proof, sizeof out->proof, &out->proof_len);
}

/* ---- keys ---- */

static gnutls_mac_algorithm_t mac_of(const struct scram_keys *keys)
{
    return keys->key_len == 20 ? GNUTLS_MAC_SHA1 : GNUTLS_MAC_SHA256;
}

static gnutls_digest_algorithm_t digest_of(const struct scram_keys *keys)
{
    return keys->key_len == 20 ? GNUTLS_DIG_SHA1 : GNUTLS_DIG_SHA256;
}

static void must(int rc)
{
    if (rc < 0)
        fatal("scram_failed", "why", gnutls_strerror(rc), NULL);
}

static void put_base64(struct buf *out, const char *name, const uint8_t *bytes, size_t len)
{
    buf_put_str(out, name);
    base64_put(out, slice_of(bytes, len));
}

void scram_first_put(struct buf *out, struct slice nonce, const struct scram_keys *keys, struct slice advertised)
{
    uint8_t hash[32];

    buf_printf(out, "r=%.*s", SLICE_FMT(nonce));
    put_base64(out, ",s=", keys->salt, keys->salt_len);
    buf_printf(out, ",i=%u", keys->iterations);
    if (!advertised.len)
        return;
    must(gnutls_hash_fast(digest_of(keys), advertised.p, advertised.len, hash));
    put_base64(out, ",h=", hash, keys->key_len);
}

/* RFC 5802 3: ClientKey = ClientProof XOR ClientSignature, and its hash is the StoredKey. */
bool scram_proves(const struct scram_keys *keys, struct slice auth, const struct scram_final *final)
{
    uint8_t signature[32], hash[32];

    must(gnutls_hmac_fast(mac_of(keys), keys->stored_key, keys->key_len, auth.p, auth.len, signature));
    if (final->proof_len != keys->key_len)
        return false;
    for (size_t i = 0; i < keys->key_len; i++)
        signature[i] ^= final->proof[i];
    must(gnutls_hash_fast(digest_of(keys), signature, keys->key_len, hash));
    wipe(signature, sizeof signature);
    return same_secret(slice_of(hash, keys->key_len), slice_of(keys->stored_key, keys->key_len));
}

void scram_final_put(struct buf *out, const struct scram_keys *keys, struct slice auth)
{
    uint8_t signature[32];

    must(gnutls_hmac_fast(mac_of(keys), keys->server_key, keys->key_len, auth.p, auth.len, signature));
    put_base64(out, "v=", signature, keys->key_len);
}
