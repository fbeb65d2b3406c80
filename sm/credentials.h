#pragma once

/* Stored keys of SCRAM (RFC 5802 3, RFC 7677): their rows, and their derivation on the thread pool.
 * Row: slot, bare JID -> u8 format 1, u8 count, then each: u8 enum scram_hash, u32 iterations,
 * u8 and salt, u8 and StoredKey, u8 and ServerKey. */

#include "account.h"

enum { SCRAM_HASHES = 2, SCRAM_SALT = 16, DERIVE_QUEUE_MAX = 64 };

void      credentials_put(struct store_batch *batch, struct slice jid,
                          const struct scram_keys keys[SCRAM_HASHES]);
void      credentials_remove(struct store_batch *batch, struct slice jid);
/* Keys with key_len 0 are left out: an account may have those of one mechanism only. */
void      credentials_encode(struct buf *out, const struct scram_keys keys[SCRAM_HASHES]);
/* ZE_NOT_FOUND: not that hash. ZE_STORE: not a whole row of a known format. */
enum zerr credentials_decode(struct slice row, enum scram_hash hash, struct scram_keys *out);

/* True: it has keys of that mechanism, or a row that cannot be read. */
bool      credentials_has(struct store_view *view, struct slice jid, enum scram_hash hash);
/* Adds to `batch`: those of one more mechanism. False: nothing to add to, or it has them. */
bool      credentials_add(struct store_view *view, struct store_batch *batch, struct slice jid, enum scram_hash hash,
                          const struct scram_keys *keys);

/* OpaqueString of RFC 8265 4.2 into a fresh buffer, for storing and for PLAIN. ZE_NOT_ACCEPTABLE. */
enum zerr password_prepare(struct slice raw, struct buf *prepared);

/* PBKDF2 with keys->salt and iterations, key_len deciding the hash; fills both keys. Slow: the pool. */
void scram_derive(struct slice password, struct scram_keys *keys);

/* The same from the SaltedPassword. */
void scram_keys_of(struct slice salted, struct scram_keys *keys);

/* One derivation on the thread pool. Runs then() on the loop, unless forgotten before; with count 0 and no keys when
 * the process ends. */
struct derivation;
typedef void derived_fn(void *arg, struct scram_keys *keys, size_t count);
/* Salt, iterations and key_len of keys[] are set by the caller; both are copied. NULL: the queue is
 * full. The password's copy is wiped. */
struct derivation *derive_start(struct loop *loop, struct slice password, const struct scram_keys *keys,
                                size_t count, derived_fn *then, void *arg);
void derive_forget(struct derivation **d);
/* The process ends: whoever waits hears so. The pool's memory is freed when the loop is (loop_free waits for it). */
void derive_end(void);
/* A fresh salt. */
void scram_keys_salt(struct scram_keys *keys, enum scram_hash hash, uint32_t iterations);
/* Fresh salts for both hashes. */
void scram_keys_fresh(struct scram_keys keys[SCRAM_HASHES], uint32_t iterations);
