#pragma once

/* XEP-0280 Message Carbons: what one client of an account sends or gets, its others see. A copy is made when
 * the message itself is on its way, in the same outcome, so that it stays in the order of what the account
 * gets; it passes no feature and enters no archive: the message inside carries the stanza-id of its record. */

#include "deliver.h"

enum carbon_way { CARBON_SENT, CARBON_RECEIVED };

/* XEP-0280 6.1 by header and flags. */
enum carbon_verdict {
    CARBON_NO,
    CARBON_YES,
    CARBON_ANSWER,               /* when what it answers was eligible (an error) */
    CARBON_INVITATION,           /* when it is an invitation (XEP-0249, 0045 7.8) */
};
enum carbon_verdict carbon_verdict(enum carbon_way way, const struct stanza *s);

/* Copies of what comes and goes from now on. */
void carbons_set(struct sm *sm, struct session *s, bool on);
/* p->stanza is on its way to the sessions that deliver_reaches() names: the others with carbons get a copy. */
void carbons_received(struct passage *p, enum deliver_action action, const struct session *match);
/* A message to a full JID, sent at that time under that epoch, to a session that ended: another one has its
 * copy, and has acknowledged what it got. */
bool carbons_took(const struct sm *sm, const struct stanza *s, uint32_t epoch, uint64_t sent_us);
