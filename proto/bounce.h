#pragma once

/* BOUNCE (DESIGN.md 3): a frame that could not be passed on goes back to its origin, once, with the
 * reason. Body: i32 enum zerr, then the frame as it was; of one too large for that, the header with
 * the stanza's addresses, which is all an error stanza needs. */

#include "frame.h"

/* `bytes`: the encoded original. Fills `out` (destination, handles, trace, body), whose body borrows
 * from `body`. False: it may not be bounced (it is a bounce itself, or came from nobody). */
bool bounce_make(const struct frame *original, struct slice bytes, enum zerr why, struct buf *body,
                 struct frame *out);
/* For a received BOUNCE: the reason and the original frame (slices borrow from f). ZE_PROTOCOL. */
enum zerr bounce_decode(const struct frame *f, enum zerr *why, struct frame *original);
