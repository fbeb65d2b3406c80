#pragma once

/* Presence of sessions (RFC 6121 4). */

#include "feature.h"

/* The owner's available resources show themselves to `to` (bare JID), or go unavailable for it: what a
 * subscription that begins or ends brings (3.1.5, 3.2.2). After the commit. */
void presence_show(struct passage *p, struct slice to, bool available);

/* May `who` (bare JID) see the presence of this account of ours: itself, or subscribed to it (RFC 6121 3). */
bool presence_may_see(const struct sm *sm, struct slice owner, struct slice who);
/* May `who` see this very session (8.5.3.1): by a subscription, or because the session showed itself to it (4.6), be
 * it with another resource or nick. */
bool presence_is_shown(const struct sm *sm, const struct session *s, struct slice who);
/* One session goes unavailable for `to`. After the commit. */
void presence_leave(struct passage *p, const struct session *s, struct slice to);
/* Asks whether `to` is there (4.3), for all of the owner's available resources; nothing when there is none. After the commit. */
void presence_ask(struct passage *p, struct slice to);

/* RFC 6121 4.7.2.3: the priority in a presence's content: -128..127, 0 when there is none.
 * ZE_BAD_REQUEST. `root` as from xml_parse_content. */
enum zerr presence_priority(struct arena *arena, const struct element *root, int *priority);

/* Tells the contacts and other resources of an account of ours that this full JID is unavailable, though
 * there is no such session (any more). */
void presence_gone(struct sm *sm, struct slice full);
