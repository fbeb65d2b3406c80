#pragma once

/* Presence subscriptions: RFC 6121 3 and appendix A as one table.
 *
 * T_PENDING  slot, owner NUL contact -> u8 format 1, u64 time_us, sized id, sized lang, then the content
 *            of the waiting subscribe
 *
 * "Pending In" lives there and not in the roster: such a contact is no item (3.1.3). */

#include "roster.h"

/* A.1, in its order. */
enum sub_state {
    SUB_NONE, SUB_NONE_OUT, SUB_NONE_IN, SUB_NONE_OUT_IN, SUB_TO, SUB_TO_IN, SUB_FROM, SUB_FROM_OUT, SUB_BOTH,
    SUB_STATES,
};

enum sub_direction { SUB_OUTBOUND, SUB_INBOUND, SUB_DIRECTIONS };

/* What one stanza of the four types does in a state. */
struct sub_result {
    enum sub_state next;
    bool           pass;          /* outbound: routed; inbound: delivered */
    bool           reply;         /* inbound subscribe that needs no asking: answered for the owner */
    bool           approved;      /* the pre-approval mark afterwards (3.4) */
};

/* type: TYPE_SUBSCRIBE .. TYPE_UNSUBSCRIBED. approved: the mark before. */
struct sub_result sub_rule(enum sub_direction direction, unsigned type, enum sub_state state, bool approved);
enum sub_state    sub_state_of(unsigned roster_flags, bool pending_in);
/* ROSTER_TO, ROSTER_FROM, ROSTER_ASK of a state. */
unsigned          sub_flags(enum sub_state state);
bool              sub_pending_in(enum sub_state state);
bool              sub_has_from(enum sub_state state);

/* The item leaves the roster (2.5.2): unsubscribe and unsubscribed to the contact, as its state needs,
 * and the owner's resources go unavailable for it. */
void subscription_cancel(struct passage *p, const struct roster_item *item);
