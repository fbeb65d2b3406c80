#pragma once

/* What lives in slots that move to another sm (proto/slots.h): the sessions, each with its queue of stream
 * management. All that is stored is shared by the instances of a host and stays where it is. */

#include "link.h"
#include "slots.h"
#include "sm.h"

enum handover_item { ITEM_SESSION = 1, ITEM_CONTACTS = 2 };

/* Nothing of the slots that leave waits for a commit or an answer, and what was held back for their clients has been
 * sent (slots_spec.quiet). */
bool handover_quiet(struct sm *sm, const struct slots *slots);
/* The sessions leave without a word to anybody. */
void handover_give(struct sm *sm, struct slots *slots);
/* One item from another sm. The c2sd of a session is told (MOVED). */
enum zerr handover_take(struct sm *sm, struct slice item);
