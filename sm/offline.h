#pragma once

/* Messages that wait for their owner (XEP-0160), a view of the ledger (proto/ledger.h).
 *
 * Each session that becomes able to take messages gets all that wait, each copy with a delay stamp and, when
 * the message is archived, its stanza-id. What waits is forgotten when one session's client has
 * acknowledged it, never before: a session that ends with unacknowledged copies leaves them waiting.
 * A session that has asked the archive before (XEP-0313 5.1.1.1) gets only what is not in the archive; the
 * rest waits no longer: it had its chance where it will stay. */

#include "feature.h"
#include "ledger.h"
#include "link.h"

/* A message that cannot be delivered now: kept, dropped or refused by its type and hints. TAKEN, or
 * ZE_NO_SUCH when it is not of the kind that is kept, or nothing more fits (XEP-0160 3, example 3).
 * For an account that does not exist: the answer an existing one would give. */
int offline_store(struct passage *p);

/* For XEP-0013 (offline_retrieval.c): the offline view of p->owner; `view` is to be ended whatever comes. */
enum zerr offline_open(struct passage *p, struct ledger *l, struct store_view **view);
/* Content of a waiting message as it is handed out: with delay and stanza-id. The record is unpacked. */
void      offline_content(struct buf *out, const struct ledger_record *r, struct slice owner);
/* This session reads what waits by itself: neither it nor those that come while it lives are given it (0013 2.2). */
void      offline_by_hand(struct session *s);

/* A frame that went to a session has been received: by the client's acknowledgement (XEP-0198) or, without
 * stream management, by c2sd's confirm. Of copies of waiting messages (STANZA_WAITS) the record waits no
 * longer; nothing for other frames. What comes in one loop turn is written together. */
void offline_received(struct sm *sm, const struct frame *f);
/* The link's news that c2sd has confirmed a frame: received, when its session has no stream management. */
void offline_confirmed(struct sm *sm, const struct kept *k);
void offline_free(struct sm *sm);
