#pragma once

/* XEP-0357 Push Notifications. What a client registers is in the store, and so is what is due to it: the row comes
 * in the batch of the message that it tells of, and goes when the service has accepted. One notification is on its
 * way at a time; what came meanwhile is told of by the next. What was decided lately is memory of this process.
 *
 * T_PUSH  slot, owner NUL service NUL node -> u8 format 1, sized resource of the client, sized publish-options
 *         (the form as XML, or empty), u64 us registered
 * A_PUSH_DUE  the same key -> u8 format 1, u8 flags (on its way, more came, a request came), u32 failures in
 *         a row, u32 messages waiting, u32 of them on their way, u32 subscription requests, u64 ms it has been
 *         failing, u64 us until the answer or the next attempt, id of the notification and a NUL, sized sender,
 *         sized body */

#include "ctl.h"
#include "deliver.h"

struct push;                   /* sm->push */

struct push *push_new(struct sm *sm, bool live_was_void);
void         push_free(struct push **p);
/* Each new route table: what is due to accounts of this instance is gone on with. It is read in steps (walk.h); for who
 * is concerned meanwhile, at once. */
void         push_routes(struct sm *sm);

/* p->stanza was accepted and goes to the sessions that deliver_reaches() names. */
void push_consider(struct passage *p, enum deliver_action action, const struct session *match);
/* A session sleeps from now on: what its client has not acknowledged is told of. */
void push_sleeps(struct sm *sm, struct session *s);
/* It joins the queue of a session that sleeps: it may have begun to when the message was already on its way. */
void push_slept(struct sm *sm, struct session *s, const struct frame *f);
/* A room message on its way to this session. */
void push_fanned(struct outcome *o, struct session *s, const struct stanza *stanza);
/* Somebody asks for a subscription, which waits with so many others for the user. */
void push_requested(struct passage *p, unsigned waiting);
/* Rows for the control verb: registrations of the account, then what was decided, oldest first. */
void push_report(struct sm *sm, struct slice owner, struct ctl_reply *r);
