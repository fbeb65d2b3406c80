#pragma once

/* Thin names over GnuTLS: base64, hex, random, hashes. */

#include "buf.h"
#include "slice.h"

void base64_put(struct buf *out, struct slice bytes);
/* Strict (RFC 4648 4, no white space, padding needed). Appends; false and nothing appended when bad. */
bool base64_take(struct buf *out, struct slice text);
void hex_put(struct buf *out, struct slice bytes);

void     random_bytes(void *p, size_t len);
uint64_t random_u64(void);
enum { RANDOM_ID = 27 };
/* 26 characters [a-z2-7] of 130 random bits and a terminator. */
void random_id(char out[RANDOM_ID]);

void sha1(struct slice in, uint8_t out[20]);
void sha256(struct slice in, uint8_t out[32]);
/* A hash by its textual name (XEP-0300 2): sha-1, sha-256, sha-512, sha3-256, sha3-512. Bytes written to
 * `out`; 0: not one of these. */
enum { DIGEST_MAX = 64 };
size_t digest_named(struct slice name, struct slice in, uint8_t out[DIGEST_MAX]);
void hmac_sha1(struct slice key, struct slice in, uint8_t out[20]);
void   hmac_sha256(struct slice key, struct slice in, uint8_t out[32]);
/* Constant time. */
bool same_secret(struct slice a, struct slice b);
