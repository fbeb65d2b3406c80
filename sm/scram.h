#pragma once

/* The server's side of SCRAM as bytes (RFC 5802, RFC 7677), with the attribute h of XEP-0474. Pure: nonce and
 * keys come from the caller. (GNU SASL has no room for h nor for tls-server-end-point.) */

#include "account.h"

enum { SCRAM_NONCE_MAX = 512, SCRAM_NAME_MAX = 1023 };

/* client-first-message (RFC 5802 7). Slices borrow from it. */
struct scram_first {
    struct slice header;           /* GS2 header, both commas included: what c= repeats */
    struct slice flag;             /* "n", "y" or "p=NAME" */
    struct slice bare;             /* client-first-message-bare */
    struct slice nonce;
    char         name[SCRAM_NAME_MAX + 1], authzid[SCRAM_NAME_MAX + 1];        /* unescaped */
};
/* False: malformed. */
bool scram_first_take(struct slice bytes, struct scram_first *out);

/* server-first-message; `nonce` is the client's and ours. advertised: the string of XEP-0474 4.1 step 4,
 * empty: no h. */
void scram_first_put(struct buf *out, struct slice nonce, const struct scram_keys *keys, struct slice advertised);

/* client-final-message. */
struct scram_final {
    struct buf   binding;          /* c=, decoded: the caller frees it */
    struct slice nonce;
    struct slice without_proof;
    uint8_t      proof[32];
    size_t       proof_len;
};
bool scram_final_take(struct slice bytes, struct scram_final *out);

/* True: whoever made the proof knows the ClientKey behind keys->stored_key. auth: AuthMessage. */
bool scram_proves(const struct scram_keys *keys, struct slice auth, const struct scram_final *final);
/* server-final-message: v= and the ServerSignature. */
void scram_final_put(struct buf *out, const struct scram_keys *keys, struct slice auth);
