#pragma once

#include "feature.h"

/* The last item of each node for who has just come (XEP-0163 4.3.4). Hook caps_known: a resource wants these nodes
 * from now on. */
void pep_newcomer_known(struct sm *sm, struct slice owner, struct slice full, struct slice nodes);
/* The owner lets somebody see its presence (hook of the outgoing pass, before subscription.c): after the commit
 * his resources get them too. */
void pep_newcomer_subscribed(struct passage *p);
/* AFTER_CONTACT_LET_IN (afters.h). */
after_fn pep_newcomer_let_in;
