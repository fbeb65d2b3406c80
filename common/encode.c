/* base64, hex, random and hashes (encode.h). All of it is GnuTLS's work. */

#include "encode.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "log.h"
#include "mem.h"

/* GnuTLS takes lengths as unsigned and wants a pointer also to nothing. */
static gnutls_datum_t datum(struct slice s)
{
    if (s.len > UINT32_MAX)
        fatal("crypto_too_large", "bytes", log_num((int64_t)s.len), NULL);
    return (gnutls_datum_t){ (unsigned char *)(s.len ? s.p : (const uint8_t *)""), (unsigned)s.len };
}

static void must(int err, const char *what)
{
    if (err < 0)
        fatal("crypto_failed", "kind", what, "err", gnutls_strerror(err), NULL);
}

void base64_put(struct buf *out, struct slice bytes)
{
    gnutls_datum_t in = datum(bytes), text = { 0 };

    if (!bytes.len)
        return;
    must(gnutls_base64_encode2(&in, &text), "base64");
    buf_put(out, text.data, text.size);
    gnutls_free(text.data);
}

/* GnuTLS skips white space and takes what RFC 4648 3.5 lets one refuse (stray bits before the
 * padding). Writing it again and comparing tells: one octet string has one spelling. */
static bool spelled(const gnutls_datum_t *bytes, struct slice text)
{
    struct buf again = { 0 };

    base64_put(&again, slice_of(bytes->data, bytes->size));
    bool same = slice_eq(buf_slice(&again), text);
    wipe(again.bytes, again.room);
    buf_free(&again);
    return same;
}

bool base64_take(struct buf *out, struct slice text)
{
    gnutls_datum_t bytes = { 0 };

    if (!text.len)
        return true;
    if (text.len > UINT32_MAX)
        return false;
    gnutls_datum_t in = datum(text);
    if (text.len % 4 || gnutls_base64_decode2(&in, &bytes) < 0)
        return false;
    bool good = spelled(&bytes, text);
    if (good)
        buf_put(out, bytes.data, bytes.size);
    wipe(bytes.data, bytes.size);      /* SASL PLAIN passes here */
    gnutls_free(bytes.data);
    return good;
}

void hex_put(struct buf *out, struct slice bytes)
{
    gnutls_datum_t in = datum(bytes), text = { 0 };

    if (!bytes.len)
        return;
    must(gnutls_hex_encode2(&in, &text), "hex");
    buf_put(out, text.data, text.size);
    gnutls_free(text.data);
}

void random_bytes(void *p, size_t len)
{
    must(gnutls_rnd(GNUTLS_RND_RANDOM, p, len), "random");
}

uint64_t random_u64(void)
{
    uint64_t n;

    random_bytes(&n, sizeof(n));
    return n;
}

void random_id(char out[RANDOM_ID])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t           bits[RANDOM_ID - 1];

    random_bytes(bits, sizeof(bits));
    for (size_t i = 0; i < sizeof(bits); i++)
        out[i] = letters[bits[i] & 31];
    out[RANDOM_ID - 1] = '\0';
}

static void digest(gnutls_digest_algorithm_t algorithm, struct slice in, uint8_t *out)
{
    must(gnutls_hash_fast(algorithm, datum(in).data, in.len, out), "hash");
}

void sha1(struct slice in, uint8_t out[20])
{
    digest(GNUTLS_DIG_SHA1, in, out);
}

void sha256(struct slice in, uint8_t out[32])
{
    digest(GNUTLS_DIG_SHA256, in, out);
}

size_t digest_named(struct slice name, struct slice in, uint8_t out[DIGEST_MAX])
{
    static const struct {
        const char               *name;
        gnutls_digest_algorithm_t algorithm;
    } rows[] = {
        { "sha-1", GNUTLS_DIG_SHA1 },         { "sha-256", GNUTLS_DIG_SHA256 },
        { "sha-512", GNUTLS_DIG_SHA512 },     { "sha3-256", GNUTLS_DIG_SHA3_256 },
        { "sha3-512", GNUTLS_DIG_SHA3_512 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_is(name, rows[i].name)) {
            digest(rows[i].algorithm, in, out);
            return gnutls_hash_get_len(rows[i].algorithm);
        }
    return 0;
}

void hmac_sha1(struct slice key, struct slice in, uint8_t out[20])
{
    must(gnutls_hmac_fast(GNUTLS_MAC_SHA1, datum(key).data, key.len, datum(in).data, in.len, out), "hmac");
}

void hmac_sha256(struct slice key, struct slice in, uint8_t out[32])
{
    must(gnutls_hmac_fast(GNUTLS_MAC_SHA256, datum(key).data, key.len, datum(in).data, in.len, out), "hmac");
}

bool same_secret(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || gnutls_memcmp(a.p, b.p, a.len) == 0);
}
