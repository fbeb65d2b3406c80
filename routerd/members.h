#pragma once

/* Which instances of sm and muc own slots, and how that changes (proto/slots.h). */

#include "peer.h"

/* The table that the last routerd of this boot recorded, or NULL; the caller frees it. */
struct routes *members_recorded(const struct router *r);
void           members_record(const struct router *r);
/* Who was a member stays one; an instance that is new in the configuration is none before `join`, one
 * that is gone from it stays until it has left. */
void members_carry_over(struct routes *fresh, const struct routes *from);
/* Frame SLOT_READY. */
void members_on_ready(struct peer *p, const struct frame *f);
/* One that was greeted is gone. */
void members_on_peer_gone(struct router *r);
/* The table as daemons of that role are told it: ROUTES body. */
void members_encode_table(const struct router *r, unsigned role, struct buf *body);

/* Control verbs (struct ctl_verb). */
int verb_join(void *self, int argc, char **argv, struct ctl_reply *reply);
int verb_leave(void *self, int argc, char **argv, struct ctl_reply *reply);
int verb_evict(void *self, int argc, char **argv, struct ctl_reply *reply);
