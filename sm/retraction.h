#pragma once

/* XEP-0424 in the archives of accounts: the message that a retraction names becomes a tombstone, in the archive of
 * who sent it and of whom it was sent to. Only who said it may retract it: the retraction has gone the way of the
 * message, and the two are found under the same contact. One that names nothing changes nothing; it is passed on
 * and stored as any message. */

#include "feature.h"
#include "ledger.h"

/* True: this message retracts another one, and archives are kept. */
bool retraction_is(const struct passage *p);
/* Into the batch of p->out: `l` is the archive of p->owner, open and to be used for all that is done to it in
 * this outcome. direction: of the retraction, as that of the message it names. */
void retraction_apply(struct passage *p, struct ledger *l, enum ledger_direction direction);
