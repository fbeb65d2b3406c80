#pragma once

/* XEP-0060 8.6: nodes whose owner approves each subscription. */

#include "pep_store.h"

/* Asks the owner, by a message to its bare JID that waits for it if need be. */
void pep_authorize_ask(struct passage *p, const struct pep_node *node, const struct pep_sub *sub);
/* The owner's answer: a message of its client to its own account. Hook of the outgoing pass. */
int pep_authorize_answer(struct passage *p);
