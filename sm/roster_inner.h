#pragma once

/* What the files of rosters share: rows (roster_rows.c), changes (roster_change.c), requests (roster.c). */

#include "cursor.h"
#include "roster.h"

enum { ROSTER_SUBSCRIPTION = ROSTER_TO | ROSTER_FROM | ROSTER_ASK };

/* Of the whole roster. Slices borrow from the store view, or live in the arena. */
struct roster_state {
    uint64_t     version, forgotten;
    uint32_t     items;
    struct slice removals;         /* as stored */
};

struct roster_state roster_state_get(struct sm *sm, struct store_view *view, struct slice owner);
void roster_state_put(struct outcome *o, struct sm *sm, struct slice owner, const struct roster_state *st);
/* The next version. */
void roster_state_step(struct roster_state *st);
/* Of st->removals, oldest first: version and contact; false: no more. */
bool roster_next_removal(struct cursor *c, struct roster_item *gone);
/* The removals without the contact's, and with `added` (or NULL) behind; the oldest goes when they are too many. */
void roster_removals_change(struct sm *sm, struct roster_state *st, struct slice contact,
                            const struct roster_item *added);
/* The row of an item; in the arena. */
struct slice roster_item_value(struct sm *sm, const struct roster_item *item, uint64_t version);

void roster_query_open(struct xml_writer *w, bool versioned, uint64_t version);
void roster_item_write(struct xml_writer *w, const struct roster_item *item, bool removed);
/* A push without `to`: its content lives until the end of the dispatch. */
struct stanza roster_push_make(struct outcome *o, struct sm *sm, struct slice owner, const struct roster_item *item,
                               bool removed, uint64_t version);
