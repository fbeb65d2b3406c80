#pragma once

/* The ledger: the one record of a message (DESIGN.md 2.6). Archive (XEP-0313) and offline storage
 * (XEP-0160) are views of the same records, so that there is no gap and no duplicate between them. sm keeps
 * one ledger for each account, muc one for each room; only the owner of the bare JID writes it.
 *
 * Tables (numbers in keys are big-endian, so that key order is time order):
 *   intern       slot 'J' bare JID       -> u32 owner id      (within the slot, from 1, never reused)
 *                slot 'I' u32 owner id   -> bare JID
 *                slot 'N'                -> u32 last id given out
 *                slot 'D' u32 owner id   -> empty: forgotten, its rows are yet to be removed
 *   ledger       slot u32 owner id, u64 time_us, u16 tie -> record
 *   contact      slot u32 owner id, 6 bytes of the contact's hash, u64 time_us, u16 tie -> empty:
 *                the archived records of one contact (FNV-1a 64 of the bare JID, its lower 48 bits; who
 *                reads compares the JID, so that a collision costs time and nothing else). A hash, not
 *                an interned id: a stranger's JID leaves nothing behind that somebody would have to sweep
 *   offline      the same key as ledger  -> u8 format 1, u32 bytes counted for it
 *   offline_sum  slot u32 owner id       -> u8 format 1, u32 messages, u64 bytes
 *   owner        slot u32 owner id       -> u8 format 1, u64 time_us, u16 tie: delivered up to here
 *
 * A record, little-endian:
 *   u8 format 1      u8 packing              u8 views      u8 direction
 *   u8 stanza name   u8 stanza type          u8 parts      u32 stanza flags
 *   when it is packed: u32 length of the rest unpacked, then the rest as `packing` says; the rest is
 *   u16 len, peer JID (of the other side; empty: none)
 *   the parts that the bits in `parts` announce, in this order, each u16 len and bytes:
 *     1 own JID (absent: the bare owner)   2 id   4 lang   8 stanza-id given by others (absent: the key's text)
 *     16 delay_from                        32 origin: u64 us, without a length           64 actor
 *   u32 length of the content, then the content to the end
 * The payload's namespace and name are not kept: xml_check_content() finds them again.
 * Our own stanza-id is not kept either: it is the text of the key.
 *
 * Delivery is known by three facts, and never by one alone:
 *   - a record in the offline view waits for its owner, whatever happened to sessions;
 *   - while sessions live, what they have not acknowledged is in their queues, which survive the process
 *     (live memory); when a session ends, what it left unacknowledged enters the offline view;
 *   - the mark `delivered` says: of all archived records up to here each was acknowledged by a session or
 *     has been in the offline view. It lags behind (it is written once a minute with a later batch, and when the
 *     last session ends), and is read only at the first session of an account after a power cut, when live
 *     memory is void: incoming records behind the mark then wait as if they were in the offline view. With
 *     several resources one acknowledgement is enough, and the mark is the lowest of what is open. */

#include "buf.h"
#include "mem.h"
#include "stanza.h"
#include "store.h"

enum ledger_view_bit {
    LEDGER_OFFLINE = 1 << 0,
    LEDGER_ARCHIVE = 1 << 1,
    LEDGER_RESUME  = 1 << 2,
};

enum ledger_direction { LEDGER_IN, LEDGER_OUT };   /* to the owner; from the owner */

/* Place of a record among its owner's. {0} is before all of them. Ties that are given out are below
 * LEDGER_TIES, so that an id fits into 64 bits. */
struct ledger_id {
    uint64_t time_us;
    uint16_t tie;
};

enum { LEDGER_TIES = 4096 };

static inline uint64_t ledger_id_pack(struct ledger_id id)
{
    return id.time_us * LEDGER_TIES + id.tie;
}

static inline struct ledger_id ledger_id_unpack(uint64_t packed)
{
    return (struct ledger_id){ packed / LEDGER_TIES, (uint16_t)(packed % LEDGER_TIES) };
}

static inline int ledger_id_cmp(struct ledger_id a, struct ledger_id b)
{
    int order = (a.time_us > b.time_us) - (a.time_us < b.time_us);

    return order ? order : (a.tie > b.tie) - (a.tie < b.tie);
}

/* Text of an id for stanza-id (XEP-0359) and RSM: 16 characters, ordered as the ids are; unique for
 * one owner, and not to be guessed (XEP-0359 3.1): microseconds, and a tie that begins at random. */
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
    struct slice          actor;       /* in a room: the real JID of who sent it; else empty */
    struct stanza         stanza;      /* whole but for payload_ns, payload_name */
    /* Of what was read: until ledger_unpack only id, views, direction and the stanza's name, type and flags
     * are there for sure. */
    struct slice          owner, packed;
    unsigned              packing, parts;
    size_t                size;        /* bytes unpacked, content and all */
};

/* ---- one owner ---- */

/* Where the tables are in an environment. */
struct ledger_tables { uint8_t intern, ledger, contact, offline, offline_sum, owner; };

/* What has been read of an owner lately (ledger_known.c). Of LEDGER_KNOWN owners, those with a bare JID of at most
 * LEDGER_KNOWN_NAME bytes; everybody else is read each time. */
enum { LEDGER_KNOWN = 1024, LEDGER_KNOWN_NAME = 50 };

struct ledger_known {
    uint64_t epoch;                          /* of the table intern (store_epoch); 0: nobody */
    uint32_t owner_id;
    bool     passed;                         /* last_us, last_tie are not before any of its records */
    uint8_t  len;
    uint8_t  owner[LEDGER_KNOWN_NAME];
};

struct ledger_place {
    struct store               *store;
    const struct ledger_tables *tables;
    uint64_t                    last_us;     /* the id given out last in this process */
    uint16_t                    last_tie;
    struct ledger_known         known[LEDGER_KNOWN];
};

/* One owner within one loop turn: reads what is needed once, so that several appends may go into one
 * batch. `view` is of place->store; view and owner must stay until the last use. */
struct ledger {
    struct ledger_place *place;
    struct store_view   *view;
    struct slice         owner;          /* bare JID */
    unsigned             slot;
    uint32_t             owner_id;       /* 0: this owner has no records yet */
    bool                 sum_known;      /* ledger_waiting has been called */
    bool                 sum_expected;   /* the old sum was put into the batch as a precondition */
    uint32_t             offline_count;  /* of sum_known: messages waiting, batches handed in included */
    uint64_t             offline_bytes;
};

/* ZE_STORE: a row of this owner cannot be read (logged). Nothing to close. */
enum zerr ledger_open(struct ledger *l, struct ledger_place *place, struct store_view *view, struct slice owner);
/* Reads how much waits (offline_count, offline_bytes), once. What changes the offline view does so by itself. ZE_STORE. */
enum zerr ledger_waiting(struct ledger *l);

/* ---- writing: the batch's owner is l->owner ---- */

struct ledger_limits {
    long offline_messages_max, offline_bytes_max;    /* limits.* of the settings */
};

/* ZE_FULL: the disk is low. ZE_BAD_REQUEST: a part is longer than 65,535 bytes. What passes here fails
 * later only for the offline limits. */
enum zerr ledger_may_append(const struct ledger *l, const struct ledger_record *in);
/* The id for a record that is about to be appended; later than all others of this owner, whatever the
 * clock did. `wanted_us`: the time. Of who has no records only l->place is looked at. */
struct ledger_id ledger_next_id(struct ledger *l, uint64_t wanted_us);
/* Adds one record. Of `in`: all but packing. IN: stanza.from is the peer, stanza.to the owner, bare or full;
 * OUT: the other way round. in->id is from ledger_next_id.
 * ZE_FULL: offline limit reached, or the disk is low; ZE_BAD_REQUEST: as above; the batch is then as
 * before. Nothing is true before the batch's callback. */
enum zerr ledger_append(struct ledger *l, struct store_batch *batch, const struct ledger_limits *limits,
                        const struct ledger_record *in);

/* ---- reading: slices borrow from the view and from l->owner ---- */

/* ZE_NOT_FOUND; ZE_STORE: cannot be read (logged). */
enum zerr ledger_get(struct ledger *l, struct ledger_id id, struct ledger_record *out);
/* Makes the whole of it (in the arena when it was packed). ZE_STORE: damaged (logged). */
enum zerr ledger_unpack(struct ledger_record *r, struct arena *arena);

/* Archived records of a range. Bounds are ids; {0} is none. */
struct ledger_query {
    struct slice     with;             /* canonical JID; bare: all its resources; empty: everybody */
    bool             unindexed;        /* `with` is not who the record is filed under (an occupant's JID) */
    uint64_t         start_us, end_us; /* inclusive; 0: none */
    struct ledger_id set_after, set_before;    /* exclusive: of the whole set */
    struct ledger_id after, before;    /* exclusive: of the page */
    const struct ledger_id *ids;       /* only these, oldest first, each once; NULL: any */
    unsigned         ids_count;
    /* What else must be so of a record, which is unpacked for it; NULL: nothing. It is worth several rows, so that
     * fewer are looked at in one call, and nothing is counted. */
    bool           (*accepts)(const void *arg, const struct ledger_record *r, struct arena *scratch);
    const void      *accepts_arg;
    bool             backwards;        /* the last ones that match instead of the first ones */
    unsigned         max;              /* records of a page, at most LEDGER_PAGE_MOST */
    size_t           bytes_max;        /* of all of them unpacked; one record always fits */
};

/* SCAN: rows looked at in one call (DEEP: when it `accepts`): a filter that hardly ever matches must not hold up the
 * loop. */
enum { LEDGER_PAGE_MOST = 1000, LEDGER_SCAN = 500, LEDGER_SCAN_DEEP = 100, LEDGER_COUNT_MOST = 5000 };

struct ledger_page {
    struct ledger_record *records;     /* oldest first, in the arena, not unpacked */
    unsigned              count;
    bool                  complete;    /* nothing that matches is left in the direction of reading */
    bool                  unfinished;  /* LEDGER_SCAN reached: call ledger_query_go_on in a later turn */
    struct ledger_id      reached;     /* the row looked at last, when unfinished */
};

/* ZE_STORE. Costs the same at any size of the archive. */
enum zerr ledger_query(struct ledger *l, const struct ledger_query *q, struct arena *arena,
                       struct ledger_page *page);
/* The number of records that match (max and backwards do not count), when that takes no more than
 * LEDGER_COUNT_MOST rows: true. */
bool ledger_count(struct ledger *l, const struct ledger_query *q, uint64_t *count);

/* Puts a tombstone in the place of a record's content (XEP-0424 4): id, time, addresses and views stay, but it waits
 * for nobody any more. `record` is unpacked. */
void ledger_bury(struct ledger *l, struct store_batch *batch, const struct ledger_record *record,
                 struct slice tombstone);

/* ---- the offline view ---- */

/* Calls each() for every waiting message behind `after`, oldest first; stops at its first non-zero and
 * returns that; else 0 or ZE_STORE. A record that cannot be read is logged and passed over. */
int ledger_offline_each(struct ledger *l, struct ledger_id after,
                        int (*each)(void *arg, struct ledger_record *record), void *arg);
/* Takes the waiting messages up to and including `last` out of the offline view; records in no other
 * view are deleted. */
enum zerr ledger_offline_clear(struct ledger *l, struct store_batch *batch, struct ledger_id last);
/* True: it waits. */
bool ledger_offline_waits(struct ledger *l, struct ledger_id id);
/* The same for one; nothing when it does not wait. */
enum zerr ledger_offline_take(struct ledger *l, struct store_batch *batch, struct ledger_id id);
/* A record enters the offline view (again); nothing when it waits already. The limits do not count here: it
 * has been accepted. ZE_NOT_FOUND: no such record. */
enum zerr ledger_offline_again(struct ledger *l, struct store_batch *batch, struct ledger_id id);

/* ---- the mark: delivered up to here ---- */

/* {0} when there is none. */
enum zerr ledger_delivered(struct ledger *l, struct ledger_id *id);
void      ledger_delivered_put(struct ledger *l, struct store_batch *batch, struct ledger_id id);
/* The newest record; {0}: none. */
struct ledger_id ledger_newest(struct ledger *l);

/* ---- removing, in small steps ---- */

/* The owner is no more (account or room removed): from the commit on nothing of it is found, also not by a
 * new owner of that name. Its rows go with ledger_sweep_dead. */
enum zerr ledger_forget(struct ledger *l, struct store_batch *batch);
/* Takes records older than `before_us` out of the archive, at most `most`; the number of them:
 * less than `most` means that none is left. What waits for its owner stays until it has been delivered. */
unsigned ledger_expire(struct ledger *l, struct store_batch *batch, uint64_t before_us, unsigned most);

/* The next owner of a slot behind `id` (0: the first): false when there is none. `owner` borrows from the
 * view. */
bool ledger_next_owner(struct ledger_place *place, struct store_view *view, unsigned slot, uint32_t *id,
                       struct slice *owner);
/* Removes at most `most` rows of forgotten owners of that slot; the number: 0 means that none is left. */
unsigned ledger_sweep_dead(struct ledger_place *place, struct store_view *view, struct store_batch *batch,
                           unsigned slot, unsigned most);

/* ---- a stored record as bytes; pure ---- */

void      ledger_encode(struct buf *out, const struct ledger_record *record, struct slice owner);
/* ZE_STORE for anything but a whole record of a known format. Follow with ledger_unpack. */
enum zerr ledger_decode(struct slice value, struct ledger_id id, struct slice owner,
                        struct ledger_record *out);
/* Who the (unpacked) record is filed under: the bare JID of the actor, else of the other side. */
struct slice ledger_contact(const struct ledger_record *r);
