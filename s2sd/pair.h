#pragma once

/* Stanzas of one of our domains to a remote one: sent at once, or kept until the pair may send, or
 * returned (limits.s2s_queue_bytes, limits.s2s_queue_seconds). */

#include "frame.h"
#include "remote.h"

/* A stanza to send: the frame it came in (or one made for it), and its own recipient. */
struct outbound {
    const struct frame *frame;
    struct slice        to;
    struct blob       **kept;     /* where the encoded frame is shared by the recipients of a fan-out */
    struct receipt     *receipt;  /* confirmed when the stanza is done with; NULL: nobody waits for it */
};

/* ZE_OK: sent or waiting; what cannot be sent later is returned by itself. Else the caller returns it. */
enum zerr pair_send(struct s2sd *s, const struct outbound *out);

/* It as an item of a queue, which is the caller's. */
struct queued *outbound_item(const struct outbound *out);

/* What the kernel did not take waits again, before all else. What it had taken a part of may arrive twice. */
void pairs_take_back(struct stream *st);
void pairs_stream_ready(struct remote *r);
/* A stream that was negotiated is over. What waits is kept for another one, once, or returned. */
void pairs_stream_ended(struct remote *r);
void pair_on_result(struct remote *r, const struct dialback_said *said);
/* The stream's socket takes bytes again. */
void pairs_flush(struct remote *r);
/* Returns all that waits. */
void pairs_return(struct remote *r, enum zerr why);
void pairs_forgive(struct remote *r);
bool pairs_waiting(const struct remote *r);
/* One of our domains that has something to send there; NULL. */
const char *pairs_first_domain(const struct remote *r);
void        pair_free(struct pair *p);
