#pragma once

/* Stanzas between other daemons and streams, and what cannot be delivered. */

#include "frame.h"
#include "s2sd.h"
#include "stream.h"

/* A stanza from a stream: from and to are canonical; slices are borrowed. It is passed to the owner of
 * `to`; what cannot be passed on goes back as an error. */
void deliver_inward(struct stream *st, const struct stanza *stanza);
/* Answers a stanza with this error, wherever its sender is. `to`: its recipient. Nothing for what may
 * not be answered. */
void deliver_return(struct s2sd *s, const struct stanza *stanza, struct slice to, enum zerr why,
                    uint64_t trace);
