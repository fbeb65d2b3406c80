#pragma once

/* XEP-0359 Unique and Stable Stanza IDs. */

#include "buf.h"
#include "mem.h"
#include "stanza.h"
#include "xml_stream.h"

/* Appends <stanza-id xmlns='urn:xmpp:sid:0' by='...' id='...'/>. */
void stanza_id_write(struct buf *content, struct slice by, struct slice id);
/* 3.2: who gives ids takes out those that claim to be his, also when he adds none: the content of s without
 * stanza-ids of whom `ours` says yes to (canonical bare JID). In the arena, or s->content itself. */
struct slice stanza_id_strip(struct arena *arena, const struct stanza *s, bool (*ours)(void *arg, struct slice bare),
                             void *arg, const struct xml_limits *limits);
/* The id that stanza_id_write put at the end of a content whose forged ones were taken out, perhaps before a
 * delay (delay.h); p NULL: none. */
struct slice stanza_id_own(struct slice content, struct slice by);
