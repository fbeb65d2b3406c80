#pragma once

/* XEP-0424 in rooms: who has said something may take it back. The retraction is passed on and archived as any
 * message; what it names becomes a tombstone in the archive and no history shows it again. Who said it is known by
 * the real bare JID: a nick may be another's by now. A retraction of what somebody else said changes nothing (4:
 * clients check it, too). */

#include "request.h"

/* Of a message of r->session that is passed on; into the batch of r->out. */
void retraction_apply(struct request *r, const struct stanza *s);
