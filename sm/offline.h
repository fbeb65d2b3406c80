#pragma once

/* Messages that wait for their owner (XEP-0160), a view of the ledger. */

#include "feature.h"

/* A message that cannot be delivered now: kept, dropped or refused by its type and hints. TAKEN, or
 * ZE_NO_SUCH when it is not of the kind that is kept, or nothing more fits (XEP-0160 3, example 3).
 * For an account that does not exist: the answer an existing one would give. */
int offline_store(struct passage *p);
