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
void hmac_sha256(struct slice key, struct slice in, uint8_t out[32]);
/* Constant time. */
bool same_secret(struct slice a, struct slice b);
