#pragma once

/* Bookmarks of rooms in the forms that clients know: one element for all of them (XEP-0048, <storage/> in
 * storage:bookmarks, its rooms with a jid), and one item for each (XEP-0402, <conference/> in
 * urn:xmpp:bookmarks:1, the room's JID being the id of the item). Pure. */

#include "buf.h"
#include "element.h"

/* One room. Slices and elements are as long-lived as what they were read from. */
struct bookmark {
    struct bookmark      *next;
    struct slice          jid;            /* canonical bare JID */
    struct slice          name, nick, password;      /* p NULL: none */
    const struct element *extensions;     /* XEP-0402 3.1: kept by who does not understand them; or NULL */
    bool                  autojoin;
};

/* The rooms of a <storage/>, in order, in the arena; of several with one JID the first. What has no room's JID,
 * and URLs, are left out. */
struct bookmark *bookmarks_of_storage(struct arena *arena, const struct element *storage);
/* One item of the other form; false: its id is no JID of a room, or it is no <conference/>. */
bool bookmark_of_item(struct arena *arena, struct slice id, const struct element *conference, struct bookmark *out);

/* The canonical bare JID of a room; empty: it is none. */
struct slice bookmark_jid(struct arena *arena, struct slice text);

const struct bookmark *bookmark_find(const struct bookmark *list, struct slice jid);
/* Would both be shown alike? Extensions count only when both have some. */
bool bookmark_same(const struct bookmark *a, const struct bookmark *b);

/* <storage/> with these rooms, and with what `rest` (NULL: nothing) has besides rooms. */
void bookmarks_write_storage(struct buf *out, struct arena *arena, const struct bookmark *list, const struct element *rest);
/* <conference/> of an item. */
void bookmark_write_item(struct buf *out, const struct bookmark *b);
