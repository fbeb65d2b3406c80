#pragma once

/* Rooms in slots that move to another muc (proto/slots.h). An item is one room with everybody in it, as rows
 * of live memory (keep.h): u8 format, then for each u8 kind, u64 number at the giver, sized row. What is
 * stored is shared by the instances of a host and stays where it is. */

#include "link.h"
#include "muc.h"
#include "slots.h"

/* Nothing of the rooms that leave waits for a commit. */
bool      handover_quiet(struct muc *m, const struct slots *slots);
/* They leave memory without a word to anybody. */
void      handover_give(struct muc *m, struct slots *slots);
enum zerr handover_take(struct muc *m, struct slice item);
/* After a change of the members of sm: accounts may have another one now. */
void      handover_follow_homes(struct muc *m);
