#pragma once

/* The ledger: the one record of a message (DESIGN.md 2.6). Offline storage (XEP-0160) is a view of it
 * today; archive (XEP-0313), resume queue and push become views of the same records. Only the owner
 * of the bare JID writes here.
 *
 * Tables (archive environment; numbers in keys are big-endian, so that key order is time order):
 *   A_INTERN       slot 'J' bare JID       -> u32 owner id      (within the slot, from 1, never reused)
 *                  slot 'I' u32 owner id   -> bare JID
 *                  slot 'N'                -> u32 last id given out
 *   A_LEDGER       slot u32 owner id, u64 time_us, u16 tie -> record
 *   A_OFFLINE      the same key            -> u8 format 1, u32 bytes counted for it
 *   A_OFFLINE_SUM  slot u32 owner id       -> u8 format 1, u32 messages, u64 bytes
 *
 * A record, little-endian:
 *   u8 format 1      u8 compression (0 raw)      u8 views      u8 direction
 *   u8 stanza name   u8 stanza type              u8 parts      u32 stanza flags
 *   u16 len, peer JID (of the other side; empty: none)
 *   the parts that the bits in `parts` announce, in this order, each u16 len and bytes:
 *     1 own JID (absent: the bare owner)   2 id   4 lang   8 stanza-id given by others (absent: the key's text)
 *     16 delay_from                        32 origin: u64 us, without a length
 *   u32 length of the content uncompressed, then the content to the end
 * The payload's namespace and name are not kept: xml_check_content() finds them again. */

#include "buf.h"
#include "sm_store.h"
#include "stanza.h"

enum ledger_view_bit {
    LEDGER_OFFLINE = 1 << 0,
    LEDGER_ARCHIVE = 1 << 1,
    LEDGER_RESUME  = 1 << 2,
};

enum ledger_direction { LEDGER_IN, LEDGER_OUT };   /* to the owner; from the owner */

/* Place of a record among its owner's. {0} is before all of them. */
struct ledger_id {
    uint64_t time_us;
    uint16_t tie;
};

/* Text of an id for stanza-id (XEP-0359) and RSM: 16 characters, ordered as the ids are; unique for
 * one owner. */
enum { LEDGER_ID_TEXT = 17 };
void ledger_id_write(char out[LEDGER_ID_TEXT], struct ledger_id id);
/* ZE_NOT_FOUND: not one of ours. */
enum zerr ledger_id_parse(struct slice text, struct ledger_id *id);

struct ledger_record {
    struct ledger_id      id;
    unsigned              views;
    enum ledger_direction direction;
    uint64_t              origin_us;   /* when it was sent first, if that is not id.time_us; else 0 */
    struct slice          delay_from;  /* who said so (XEP-0203 from); empty: nobody */
    struct slice          stanza_id;   /* given by others (a room); empty: ledger_id_write(id) */
    struct stanza         stanza;      /* whole but for payload_ns, payload_name */
};

/* One owner within one loop turn: reads what is needed once, so that several appends may go into one
 * batch. `view` is of s->archive; view and owner must stay until the last use. */
struct ledger {
    struct sm_store   *store;
    struct store_view *view;
    struct slice       owner;          /* bare JID */
    unsigned           slot;
    uint32_t           owner_id;       /* 0: this owner has no records yet */
    bool               sum_expected;   /* the old sum was put into the batch as a precondition */
    uint32_t           offline_count;  /* messages waiting, batches handed in included */
    uint64_t           offline_bytes;
};

/* ZE_STORE: a row of this owner cannot be read (logged). Nothing to close. */
enum zerr ledger_open(struct ledger *l, struct sm_store *s, struct store_view *view, struct slice owner);

struct ledger_limits {
    long offline_messages_max, offline_bytes_max;    /* limits.* of the settings */
};

/* Adds one record to `batch` (whose owner is l->owner: all appends of one batch belong to one owner).
 * Of `in`: views, direction, origin_us, delay_from, stanza_id, stanza; id.time_us is the time wanted.
 * IN: stanza.from is the peer, stanza.to the owner, bare or full; OUT: the other way round.
 * Fills *id: times never go backwards within a process, equal ones differ in tie.
 * ZE_FULL: offline limit reached, or the disk is low; the batch is then as before.
 * ZE_BAD_REQUEST: a part is longer than 65,535 bytes. Nothing is true before the batch's callback. */
enum zerr ledger_append(struct ledger *l, struct store_batch *batch, const struct ledger_limits *limits,
                        const struct ledger_record *in, struct ledger_id *id);

/* Slices borrow from the view and from l->owner. ZE_NOT_FOUND; ZE_STORE: cannot be read (logged). */
enum zerr ledger_get(struct ledger *l, struct ledger_id id, struct ledger_record *out);

/* Calls each() for every waiting message behind `after`, oldest first; stops at its first non-zero and
 * returns that; else 0 or ZE_STORE. A record that cannot be read is logged and passed over. */
int ledger_offline_each(struct ledger *l, struct ledger_id after,
                        int (*each)(void *arg, const struct ledger_record *record), void *arg);

/* Takes the waiting messages up to and including `last` out of the offline view; records in no other
 * view are deleted. */
enum zerr ledger_offline_clear(struct ledger *l, struct store_batch *batch, struct ledger_id last);

/* Everything of this owner goes, its id included (the account is removed). */
enum zerr ledger_forget(struct ledger *l, struct store_batch *batch);

/* A stored record as bytes. Pure. ZE_STORE for anything but a whole record of a known format. */
void      ledger_encode(struct buf *out, const struct ledger_record *record, struct slice owner);
enum zerr ledger_decode(struct slice value, struct ledger_id id, struct slice owner,
                        struct ledger_record *out);
