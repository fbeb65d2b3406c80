#pragma once

/* Server Dialback: keys (XEP-0185) and elements (XEP-0220). Who asks whom is in incoming.c, pair.c
 * and remote.c. */

#include "buf.h"
#include "element.h"
#include "err.h"
#include "slice.h"

enum { DIALBACK_KEY = 64, DIALBACK_KEY_MAX = 256 };

struct dialback {
    char secret_hash[DIALBACK_KEY];        /* SHA-256 of the secret, hexadecimal */
};

void dialback_init(struct dialback *d, struct slice secret);
/* Takes the secret from <data>/s2s/dialback.secret; makes both when they are not there. All s2sd of a
 * host share it, so that each can verify what another one said, also after a restart. ZE_STORE: logged. */
enum zerr dialback_open(struct dialback *d, const char *data_dir);

/* The key that the server of `originating` says to the server of `receiving` on the stream `id`. */
void dialback_key(const struct dialback *d, struct slice receiving, struct slice originating, struct slice id,
                  char out[DIALBACK_KEY]);
/* Constant time. */
bool dialback_key_is(const struct dialback *d, struct slice receiving, struct slice originating,
                     struct slice id, struct slice key);

enum dialback_type { DIALBACK_REQUEST, DIALBACK_VALID, DIALBACK_INVALID, DIALBACK_ERROR, DIALBACK_STRANGE };

/* A <db:result/> or <db:verify/>; from and to are canonical domains. */
struct dialback_said {
    bool               verify;
    enum dialback_type type;
    struct slice       from, to, id;
    struct slice       key;            /* of a request, white space around it taken off */
    enum zerr          err;            /* of an error: its condition */
};

/* Reads one; slices live in the arena or the element. ZE_BAD_REQUEST: an attribute is missing or no
 * domain (XEP-0220 2.1). */
enum zerr dialback_read(struct arena *arena, const struct element *e, struct dialback_said *out);
/* Writes one; empty id: none. */
void dialback_write(struct buf *out, const struct dialback_said *said);
