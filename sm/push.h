#pragma once

/* XEP-0357 Push Notifications. What a client registers is in the store; how each registration fares (one
 * notification on its way at a time, what came meanwhile, failures in a row) and what was decided lately is
 * memory of this process: after its death the next message is told of as if nothing had waited.
 *
 * T_PUSH  slot, owner NUL service NUL node -> u8 format 1, sized resource of the client, sized publish-options
 *         (the form as XML, or empty), u64 us registered */

#include "ctl.h"
#include "deliver.h"

struct push;                   /* sm->push */

struct push *push_new(struct sm *sm);
void         push_free(struct push **p);

/* p->stanza was accepted and goes to the sessions that deliver_reaches() names. */
void push_consider(struct passage *p, enum deliver_action action, const struct session *match);
/* A session sleeps from now on: what its client has not acknowledged is told of. */
void push_sleeps(struct sm *sm, struct session *s);
/* A room message on its way to this session. */
void push_fanned(struct outcome *o, const struct session *s, const struct stanza *stanza);
/* Rows for the control verb: registrations of the account, then what was decided, oldest first. */
void push_report(struct sm *sm, struct slice owner, struct ctl_reply *r);
