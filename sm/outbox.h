#pragma once

/* Responsibility across a power cut (DESIGN.md 3): a message that a batch of the archive makes true, and so
 * lets the sender be told, but that another daemon has still to hand on, is a row of that very batch until
 * that daemon has confirmed it. When live memory is void, the rows of this instance are sent again.
 *
 * A_OUTBOX: slot of the sender, u32 instance and u64 id (big-endian) -> u8 format 1, the encoded frame.
 * There are as many rows as the link keeps frames for other daemons, within its limits. */

#include "frame.h"
#include "link.h"
#include "sm.h"

struct outbox;
struct outbox *outbox_new(struct sm *sm, bool live_was_void);
void           outbox_free(struct outbox **ob);

/* The frame is one that needs a row: gives it its tag (in f->number, where its channel number will be),
 * and puts the row. */
void outbox_put(struct sm *sm, struct store_batch *batch, struct frame *f);
bool outbox_is_tag(uint64_t tag);
/* The frame with this tag has been confirmed, or will never be sent. */
void outbox_done(struct sm *sm, uint64_t tag, struct slice from);
void outbox_confirmed(struct sm *sm, const struct kept *k);

/* After a restart: each frame that live memory still holds, kept or waiting. */
void outbox_found(struct sm *sm, uint64_t tag);
/* When there are routes: sends the rows again that live memory knows nothing of, when it was void; when it
 * was not, those were confirmed, and go. */
void outbox_begin(struct sm *sm);
