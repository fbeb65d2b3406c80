#pragma once

/* XEP-0424 Message Retraction as an archive sees it: who retracts what, and the tombstone in its place. */

#include "ledger.h"
#include "xml_stream.h"

/* The id that the content of a message retracts; empty: none. Valid as long as the arena. */
struct slice retract_target(struct arena *arena, struct slice content, const struct xml_limits *limits);
/* 4: what is left of the retracted message. retraction: the id of the message that retracts it. */
void tombstone_write(struct buf *out, struct slice retraction, uint64_t now_us);

/* What is looked for in an archive of messages with one contact. */
struct retracted {
    struct slice          peer;        /* who said it, or whom it was said to */
    bool                  exactly;     /* from or to this full JID only (occupants of a room share a bare one, 5) */
    enum ledger_direction direction;
    struct slice          id;          /* of the stanza */
    unsigned              most;        /* rows looked at, the newest ones */
};

/* The newest record that is meant, unpacked in the arena. ZE_NOT_FOUND: none, or it is a retraction or a tombstone
 * itself. */
enum zerr retract_find(struct ledger *l, const struct retracted *r, struct arena *arena, struct ledger_record *out);
/* Takes what is meant and only waits, in no archive, out of the offline view. */
void retract_waiting(struct ledger *l, struct store_batch *batch, const struct retracted *r);
