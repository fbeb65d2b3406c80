#pragma once

/* The sm behind a stream (DESIGN.md 2.8, 3): which life of it is believed, what it is told when either of
 * the two came back, and what its end means for the stream. */

#include "conn.h"

/* The session in f's origin is this stream's from now on; `secret` as in BOUND, RESUMED or MOVED. */
void owner_set(struct conn *c, const struct frame *f, struct slice secret);
/* True when f comes from the life that holds the session. */
bool owner_sent(const struct conn *c, const struct frame *f);

/* Sends a stanza of the client to its session. The client is not read while limits.unconfirmed_max bytes of
 * such frames are not confirmed. Errors of link_send. */
enum zerr owner_send_stanza(struct conn *c, struct frame *f);
/* A frame of that many bytes, sent so, is back and will not be confirmed. */
void owner_stanza_returned(struct conn *c, size_t bytes);

/* MOVED: another sm holds the session now, if it knows the secret. */
void owner_on_moved(void *self, const struct frame *f);

/* Events of the link (proto/link.h). */
void owner_peer_back(void *self, const struct address *peer);
void owner_peer_lost(void *self, const struct address *life);
void owner_confirmed(void *self, const struct kept *k);
void owner_routes(void *self, const struct routes *routes);
