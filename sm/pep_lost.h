#pragma once

/* XEP-0163 7.1: who may subscribe no more is no subscriber any more, and is told so. */

#include "pep_change.h"

/* The subscribers of the node as its configuration is now; of that bare JID, or with an empty one all. True: some
 * were removed (pep_keep is the caller's). */
bool pep_cancel_lost(struct passage *p, struct store_view *view, struct pep_open *n, struct slice contact);
/* Hook contact_changed: a subscription to the owner's presence that ended, another roster group. */
void pep_contact_changed(struct sm *sm, struct slice owner, struct slice contact);
