#pragma once

/* Recipient list of a FANOUT frame: entries of
 *   u64 handle    at the receiver (c2sd connection); 0 = look it up by JID
 *   u16 jid_len   0 = the handle's own full JID
 *   jid           canonical
 * The list is untrusted like any other bytes. */

#include "cursor.h"
#include "buf.h"

enum { FANOUT_ENTRY = 10 };     /* bytes of an entry without a JID */

struct fanout_entry {
    uint64_t     handle;
    struct slice jid;
};

void fanout_put(struct buf *list, uint64_t handle, struct slice jid);
/* Next entry; false at the end or when the list is malformed (then c->bad is set). */
bool fanout_next(struct cursor *c, struct fanout_entry *out);
