#pragma once

/* Responsibility across a power cut (DESIGN.md 3): a message that a batch of the archive makes true, and so
 * lets the sender be told, but that another daemon has still to hand on, is a row of that very batch until
 * that daemon has confirmed it. The same for what an account says to another one that changes rows of
 * both (a subscription): it is a row of the batch with the first half, until the batch with the second
 * half takes it away, or the daemon of the other has confirmed it. When live memory is void, the rows
 * of this instance are sent again.
 *
 * A_OUTBOX, T_HANDED: slot (of the sender; T_HANDED: of the addressee), u32 instance and u64 id (big-endian)
 *   -> u8 format 1, the encoded frame.
 * There are as many rows as the link keeps frames for other daemons, within its limits. */

#include "frame.h"
#include "link.h"
#include "sm.h"

struct outbox;
struct outbox *outbox_new(struct sm *sm, bool live_was_void);
void           outbox_free(struct outbox **ob);

/* In which environment the batch is that a row belongs to. */
enum outbox_place { OUTBOX_ARCHIVE, OUTBOX_ACCOUNTS, OUTBOX_PLACES };

/* True: the frame is one that needs a row. Gives it its tag (in f->number, where its channel number will be),
 * and puts the row. */
bool outbox_put(struct sm *sm, enum outbox_place place, struct store_batch *batch, struct frame *f);
bool outbox_is_tag(uint64_t tag);
/* The frame, with its tag in f->number, has been confirmed, or will never be sent. */
void outbox_done(struct sm *sm, const struct frame *f);
/* It was for an account of this instance: `batch`, of the accounts, has the second half. */
void outbox_taken(struct sm *sm, struct store_batch *batch, const struct frame *f);
void outbox_confirmed(struct sm *sm, const struct kept *k);

/* After a restart: each frame that live memory still holds, kept or waiting. */
void outbox_found(struct sm *sm, uint64_t tag);
/* When there are routes: sends the rows again that live memory knows nothing of, when it was void; when it
 * was not, those were confirmed, and go. */
void outbox_begin(struct sm *sm);
