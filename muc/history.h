#pragma once

/* The last messages of a room: for who enters (XEP-0045 7.2.13), and, for a stored room, kept in the
 * store. A row is made so that an archive (XEP-0313) can be built on the same table. */

#include "keep.h"
#include "outcome.h"

/* Record: u8 format (1), u8 stanza name, u8 stanza type, u32 flags, sized nick, sized real JID, sized id,
 * sized lang, sized content. */
struct history_item {
    struct list  link;
    struct keep  keep;
    struct room *room;
    uint64_t     us;                 /* time and tie: the key */
    uint16_t     tie;
    struct slice record;             /* owned */
    struct slice nick, id, lang, content;   /* inside record */
    uint32_t     flags;
};

struct history {
    struct list items;               /* oldest first */
    size_t      count, bytes;
    uint64_t    last_us;
    uint16_t    last_tie;
};

struct history_wish {                /* 7.2.14; -1 = not said */
    long     chars, stanzas, seconds;
    uint64_t since_us;               /* 0 = not said */
};

struct room;
struct session;

void history_init(struct history *h);
void history_free(struct room *room);
/* The room became stored, or is so no longer. */
void history_changed(struct room *room);
/* Keeps a reflected message; queues its row (and the removal of those it pushes out) when the room is
 * stored. */
void history_add(struct room *room, struct outcome *o, const struct stanza *s, struct slice nick,
                 struct slice real_jid);
/* Drops what is over the room's limits now. */
void history_trim(struct room *room, struct outcome *o);
void history_send(struct room *room, struct outcome *o, const struct session *to, const struct history_wish *wish);
void history_load(struct room *room, struct store_view *view);
void history_store_all(struct room *room, struct outcome *o);
void history_key(struct buf *key, const struct room *room, uint64_t us, uint16_t tie);
/* What all history keys of the room begin with. */
void history_prefix(struct buf *key, const struct room *room);
/* False: malformed. Fills everything of *out but the key. `record` is borrowed. */
bool history_decode(struct slice record, struct history_item *out);
