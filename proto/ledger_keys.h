#pragma once

/* Keys of the ledger's tables (ledger.h) and what else its files share, for those only. */

#include "ledger.h"

enum { LEDGER_ROW_FORMAT = 1, LEDGER_CONTACT = 6, LEDGER_PREFIX = 2 + 4, LEDGER_ID = 8 + 2,
       LEDGER_KEY = LEDGER_PREFIX + LEDGER_CONTACT + LEDGER_ID };

struct ledger_key {
    uint8_t bytes[LEDGER_KEY + 1];     /* room for the byte that makes the key behind it */
    size_t  len;
};

static inline struct slice ledger_key_slice(const struct ledger_key *k)
{
    return slice_of(k->bytes, k->len);
}

/* All rows of the owner; one record; all of a contact; one of a contact. */
struct ledger_key ledger_key_owner(unsigned slot, uint32_t owner_id);
struct ledger_key ledger_key_record(const struct ledger *l, struct ledger_id id);
struct ledger_key ledger_key_contact(const struct ledger *l, struct slice contact);
void              ledger_key_add_id(struct ledger_key *k, struct ledger_id id);
/* False: not a key of ours. Of a record's or a contact's key. */
bool ledger_key_id(struct slice key, struct ledger_id *id);

/* kind: 'J' with a JID, 'I' and 'D' with an owner id as four bytes, 'N' with nothing. Fills `key` anew; {0}
 * before, buf_free after. */
struct slice ledger_key_intern(struct buf *key, unsigned slot, char kind, struct slice rest);
struct slice ledger_be32(uint8_t out[4], uint32_t value);

/* What is known of l->owner (ledger_known.c), until the next ledger_know. NULL: nothing that may still be believed. */
struct ledger_known *ledger_known(const struct ledger *l);
/* l->owner_id has just been read in l->view. */
void ledger_know(const struct ledger *l);

/* Logs it; ZE_STORE. */
enum zerr ledger_unreadable(const struct ledger *l, const char *what);
int ledger_each(struct ledger *l, unsigned table, struct slice from,
                int (*each)(void *arg, struct slice key, struct slice value), void *arg);
void ledger_sum_put(struct ledger *l, struct store_batch *batch, uint32_t count, uint64_t bytes);
void ledger_offline_put(struct ledger *l, struct store_batch *batch, struct ledger_id id, size_t bytes);
/* Where a record's views are in its bytes. */
enum { LEDGER_VIEWS_AT = 2 };
/* A record's row without one of its views; gone when that was the last one. */
void ledger_leave_view(struct ledger *l, struct store_batch *batch, struct ledger_id id, unsigned view);
