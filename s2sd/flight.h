#pragma once

/* Stanzas written to a stream that the kernel has not taken yet: only then the daemon that sent them may
 * forget them. */

#include "queue.h"
#include "stream.h"

/* Writes the stanza; the item is the stream's from now on. ZE_POLICY: it is longer than the peer takes (XEP-0478 3.1),
 * and still the caller's. */
enum zerr flight_write(struct stream *st, struct queued *item);
/* The kernel has all that left the transport's buffer. */
void flight_taken(struct stream *st);
/* The stream carries nothing more: the last one still in flight, for whoever knows what to do with it.
 * NULL: none. */
struct queued *flight_take_back(struct stream *st);
