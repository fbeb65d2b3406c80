/* Stored SCRAM keys: rows, plausible ones for unknown users, and derivation (credentials.h). */

#include "credentials.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

#include "cursor.h"
#include "encode.h"
#include "jid.h"
#include "list.h"
#include "log.h"
#include "mem.h"
#include "routes.h"
#include "secrets.h"

enum { CREDENTIALS_FORMAT = 1 };

static const struct hash_row {
    gnutls_mac_algorithm_t    mac;
    gnutls_digest_algorithm_t digest;
    size_t                    len;
} hashes[SCRAM_HASHES] = {
    [SCRAM_SHA_1] = { GNUTLS_MAC_SHA1, GNUTLS_DIG_SHA1, 20 },
    [SCRAM_SHA_256] = { GNUTLS_MAC_SHA256, GNUTLS_DIG_SHA256, 32 },
};

/* What new accounts get now: unknown users must not stand out by another figure. */
static uint32_t usual_iterations = 10000;

void credentials_usual_iterations(long iterations)
{
    usual_iterations = (uint32_t)iterations;
}

/* ---- rows ---- */

static void jid_key(struct buf *key, struct slice jid)
{
    store_key(key, slot_of(jid), jid);
}

static void put_short(struct buf *out, const uint8_t *bytes, size_t len)
{
    buf_put_u8(out, (uint8_t)len);
    buf_put(out, bytes, len);
}

void credentials_encode(struct buf *out, const struct scram_keys keys[SCRAM_HASHES])
{
    unsigned count = 0;

    for (unsigned i = 0; i < SCRAM_HASHES; i++)
        count += keys[i].key_len > 0;
    buf_put_u8(out, CREDENTIALS_FORMAT);
    buf_put_u8(out, (uint8_t)count);
    for (unsigned i = 0; i < SCRAM_HASHES; i++) {
        if (!keys[i].key_len)
            continue;
        buf_put_u8(out, (uint8_t)i);
        buf_put_u32(out, keys[i].iterations);
        put_short(out, keys[i].salt, keys[i].salt_len);
        put_short(out, keys[i].stored_key, keys[i].key_len);
        put_short(out, keys[i].server_key, keys[i].key_len);
    }
}

static bool keep_short(struct slice s, uint8_t *out, size_t room, size_t least)
{
    if (s.len < least || s.len > room)
        return false;
    memcpy(out, s.p, s.len);
    return true;
}

enum zerr credentials_decode(struct slice row, enum scram_hash hash, struct scram_keys *out)
{
    struct cursor c = { row, false };
    enum zerr     found = ZE_NOT_FOUND;

    if (take_u8(&c) != CREDENTIALS_FORMAT)
        return ZE_STORE;
    for (unsigned count = take_u8(&c); count > 0 && !c.bad; count--) {
        unsigned     which = take_u8(&c);
        uint32_t     iterations = take_u32(&c);
        struct slice salt = take_bytes(&c, take_u8(&c));
        struct slice stored = take_bytes(&c, take_u8(&c));
        struct slice server = take_bytes(&c, take_u8(&c));

        if (which != hash || c.bad)
            continue;
        out->iterations = iterations;
        out->salt_len = salt.len;
        out->key_len = hashes[hash].len;
        if (iterations == 0 || !keep_short(salt, out->salt, sizeof out->salt, 1) ||
            !keep_short(stored, out->stored_key, out->key_len, out->key_len) ||
            !keep_short(server, out->server_key, out->key_len, out->key_len))
            return ZE_STORE;
        found = ZE_OK;
    }
    return cursor_done(&c) ? found : ZE_STORE;
}

void credentials_put(struct store_batch *batch, struct slice jid, const struct scram_keys keys[SCRAM_HASHES])
{
    struct buf key = { 0 }, row = { 0 };

    jid_key(&key, jid);
    credentials_encode(&row, keys);
    store_put(batch, T_CREDENTIALS, buf_slice(&key), buf_slice(&row));
    buf_free(&key);
    buf_free(&row);
}

void credentials_remove(struct store_batch *batch, struct slice jid)
{
    struct buf key = { 0 };

    jid_key(&key, jid);
    store_delete(batch, T_CREDENTIALS, buf_slice(&key));
    buf_free(&key);
}

/* All that a row says; what it lacks has key_len 0. False: unreadable. */
static bool decode_all(struct slice row, struct scram_keys keys[SCRAM_HASHES])
{
    for (unsigned i = 0; i < SCRAM_HASHES; i++) {
        keys[i].key_len = 0;
        if (credentials_decode(row, i, &keys[i]) == ZE_STORE)
            return false;
    }
    return true;
}

bool credentials_has(struct store_view *view, struct slice jid, enum scram_hash hash)
{
    struct scram_keys keys[SCRAM_HASHES];
    struct buf        key = { 0 };

    jid_key(&key, jid);
    struct slice row = store_get(view, T_CREDENTIALS, buf_slice(&key));
    buf_free(&key);
    bool has = row.p && (!decode_all(row, keys) || keys[hash].key_len);
    wipe(keys, sizeof keys);
    return has;
}

bool credentials_add(struct store_view *view, struct store_batch *batch, struct slice jid, enum scram_hash hash,
                     const struct scram_keys *keys)
{
    struct scram_keys all[SCRAM_HASHES];
    struct buf        key = { 0 };

    jid_key(&key, jid);
    struct slice row = store_get(view, T_CREDENTIALS, buf_slice(&key));
    bool         good = row.p && decode_all(row, all) && !all[hash].key_len;
    if (good) {
        all[hash] = *keys;
        store_expect_value(batch, T_CREDENTIALS, buf_slice(&key), row);
        credentials_put(batch, jid, all);
    }
    wipe(all, sizeof all);
    buf_free(&key);
    return good;
}

/* ---- unknown users ---- */

static void plausible_part(const uint8_t secret[SECRET_BYTES], const char *what, enum scram_hash hash,
                           struct slice jid, uint8_t out[32])
{
    struct buf text = { 0 };

    buf_printf(&text, "%s %u ", what, (unsigned)hash);
    buf_put_slice(&text, jid);
    hmac_sha256(slice_of(secret, SECRET_BYTES), buf_slice(&text), out);
    buf_free(&text);
}

/* Before the server's secret is readable (its first second of life) one of this process serves. */
static void plausible_secret(struct store_view *view, uint8_t out[SECRET_BYTES])
{
    static uint8_t own[SECRET_BYTES];
    static bool    made;

    if (secret_read(view, SECRET_UNKNOWN, out))
        return;
    if (!made)
        random_bytes(own, sizeof own);
    made = true;
    memcpy(out, own, sizeof own);
}

static void plausible(struct store_view *view, struct slice jid, enum scram_hash hash, struct scram_keys *out)
{
    uint8_t secret[SECRET_BYTES], salt[32];

    plausible_secret(view, secret);
    plausible_part(secret, "salt", hash, jid, salt);
    plausible_part(secret, "stored", hash, jid, out->stored_key);
    plausible_part(secret, "server", hash, jid, out->server_key);
    memcpy(out->salt, salt, SCRAM_SALT);
    out->salt_len = SCRAM_SALT;
    out->key_len = hashes[hash].len;
    out->iterations = usual_iterations;
    wipe(secret, sizeof secret);
}

enum zerr credentials_get(struct store_view *view, struct slice jid, enum scram_hash hash,
                          struct scram_keys *out)
{
    struct buf key = { 0 };
    enum zerr  err = ZE_NOT_FOUND;

    jid_key(&key, jid);
    struct slice row = store_get(view, T_CREDENTIALS, buf_slice(&key));
    buf_free(&key);
    if (row.p)
        err = credentials_decode(row, hash, out);
    if (err == ZE_STORE)
        log_error("credentials_unreadable", "jid", log_slice(jid), NULL);
    if (err != ZE_OK)
        plausible(view, jid, hash, out);
    return err == ZE_OK ? ZE_OK : ZE_NOT_FOUND;
}

/* ---- derivation ---- */

enum zerr password_prepare(struct slice raw, struct buf *prepared)
{
    size_t len = JID_PART_MAX;

    if (raw.len == 0 || raw.len > JID_PART_MAX)
        return ZE_NOT_ACCEPTABLE;
    if (jid_prep_resource(raw, (char *)buf_reserve(prepared, len), &len) != ZE_OK || len == 0)
        return ZE_NOT_ACCEPTABLE;
    buf_added(prepared, len);
    return ZE_OK;
}

static gnutls_datum_t datum(struct slice s)
{
    return (gnutls_datum_t){ (unsigned char *)s.p, (unsigned)s.len };
}

static void must(int rc)
{
    if (rc < 0)
        fatal("scram_derivation_failed", "why", gnutls_strerror(rc), NULL);
}

/* RFC 5802 3: ClientKey, StoredKey, ServerKey. */
void scram_keys_of(struct slice salted, struct scram_keys *keys)
{
    const struct hash_row *hash = &hashes[keys->key_len == 20 ? SCRAM_SHA_1 : SCRAM_SHA_256];
    uint8_t                client_key[32];

    must(gnutls_hmac_fast(hash->mac, salted.p, salted.len, "Client Key", 10, client_key));
    must(gnutls_hash_fast(hash->digest, client_key, hash->len, keys->stored_key));
    must(gnutls_hmac_fast(hash->mac, salted.p, salted.len, "Server Key", 10, keys->server_key));
    wipe(client_key, sizeof client_key);
}

void scram_derive(struct slice password, struct scram_keys *keys)
{
    const struct hash_row *hash = &hashes[keys->key_len == 20 ? SCRAM_SHA_1 : SCRAM_SHA_256];
    gnutls_datum_t         secret = datum(password), salt = datum(slice_of(keys->salt, keys->salt_len));
    uint8_t                salted[32];

    must(gnutls_pbkdf2(hash->mac, &secret, &salt, keys->iterations, salted, hash->len));
    scram_keys_of(slice_of(salted, hash->len), keys);
    wipe(salted, sizeof salted);
}

void scram_keys_salt(struct scram_keys *keys, enum scram_hash hash, uint32_t iterations)
{
    *keys = (struct scram_keys){ .iterations = iterations, .salt_len = SCRAM_SALT, .key_len = hashes[hash].len };
    random_bytes(keys->salt, SCRAM_SALT);
}

void scram_keys_fresh(struct scram_keys keys[SCRAM_HASHES], uint32_t iterations)
{
    for (unsigned i = 0; i < SCRAM_HASHES; i++)
        scram_keys_salt(&keys[i], i, iterations);
}

struct derivation {
    struct list       link;
    uv_work_t         work;
    struct buf        password;
    struct scram_keys keys[SCRAM_HASHES];
    size_t            count;
    derived_fn       *then;              /* NULL: forgotten */
    void             *arg;
};

static struct list pending = { &pending, &pending };     /* queued or running, in this process */
static unsigned    derivations;

static void derive_on_pool(uv_work_t *work)
{
    struct derivation *d = work->data;

    for (size_t i = 0; i < d->count; i++)
        scram_derive(buf_slice(&d->password), &d->keys[i]);
}

static void derive_done(uv_work_t *work, int status)
{
    struct derivation *d = work->data;

    (void)status;
    list_remove(&d->link);
    derivations--;
    if (d->then)
        d->then(d->arg, d->keys, d->count);
    wipe(d->password.bytes, d->password.room);
    buf_free(&d->password);
    wipe(d, sizeof *d);
    free(d);
}

struct derivation *derive_start(struct loop *loop, struct slice password, const struct scram_keys *keys,
                                size_t count, derived_fn *then, void *arg)
{
    if (derivations >= DERIVE_QUEUE_MAX)
        return NULL;
    struct derivation *d = xcalloc(1, sizeof *d);
    buf_put_slice(&d->password, password);
    memcpy(d->keys, keys, count * sizeof *keys);
    d->count = count;
    d->then = then;
    d->arg = arg;
    d->work.data = d;
    if (uv_queue_work(loop_uv(loop), &d->work, derive_on_pool, derive_done) != 0)
        fatal("thread_pool_failed", NULL);
    list_append(&pending, &d->link);
    derivations++;
    return d;
}

void derive_end(void)
{
    LIST_EACH(&pending, node) {
        struct derivation *d = LIST_OWNER(node, struct derivation, link);
        derived_fn        *then = d->then;

        d->then = NULL;
        if (then)
            then(d->arg, NULL, 0);
    }
}

void derive_forget(struct derivation **d)
{
    if (*d)
        (*d)->then = NULL;
    *d = NULL;
}
