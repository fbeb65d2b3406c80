#pragma once

/* XEP-0060 8.6: nodes whose owner approves each subscription. */

#include "commands.h"
#include "ns.h"
#include "pep_store.h"

/* FORM_TYPE of what is asked and answered. */
#define PEP_AUTHORIZATION NS_PUBSUB "#subscribe_authorization"

/* Asks the owner, by a message to its bare JID that waits for it if need be. */
void pep_authorize_ask(struct passage *p, const struct pep_node *node, const struct pep_sub *sub);
/* The owner's answer: a message of its client to its own account. Hook of the outgoing pass. */
int pep_authorize_answer(struct passage *p);

/* 8.7 (pep_pending.c). */
extern const struct command pep_pending_commands[];
