#pragma once

/* Stanzas between other daemons and streams, and what cannot be delivered. */

#include "frame.h"
#include "s2sd.h"
#include "stream.h"

/* A stanza from a stream: from and to are canonical; slices are borrowed. It is passed to the owner of
 * `to`; what cannot be passed on goes back as an error. */
void deliver_inward(struct stream *st, const struct stanza *stanza);
struct returned {
    const struct stanza *stanza;
    struct slice         to;           /* its recipient */
    uint64_t             trace;
    struct receipt      *receipt;      /* of the frame it came in; NULL: from a stream */
};
/* Answers a stanza with this error, wherever its sender is; the receipt is held until somebody else is
 * responsible for the answer. Nothing for what may not be answered. */
void deliver_return(struct s2sd *s, const struct returned *r, enum zerr why);
/* An event of the link. */
void deliver_confirmed(void *self, const struct kept *k);
/* What is still held is abandoned. */
void deliver_end(struct s2sd *s);
