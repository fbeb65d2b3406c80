/* RFC 6121 appendix A: the state machine of subscriptions as one table. */

#include "subscription.h"

struct edge {
    uint8_t next;
    bool    pass;
};

#define PASS(state) { SUB_##state, true }
#define STOP(state) { SUB_##state, false }

static const struct edge edges[SUB_DIRECTIONS][4][SUB_STATES] = {
    [SUB_OUTBOUND] = {
        [TYPE_SUBSCRIBE - TYPE_SUBSCRIBE] = {         /* A.2.1 */
            [SUB_NONE]        = PASS(NONE_OUT),
            [SUB_NONE_OUT]    = PASS(NONE_OUT),
            [SUB_NONE_IN]     = PASS(NONE_OUT_IN),
            [SUB_NONE_OUT_IN] = PASS(NONE_OUT_IN),
            [SUB_TO]          = PASS(TO),
            [SUB_TO_IN]       = PASS(TO_IN),
            [SUB_FROM]        = PASS(FROM_OUT),
            [SUB_FROM_OUT]    = PASS(FROM_OUT),
            [SUB_BOTH]        = PASS(BOTH),
        },
        [TYPE_SUBSCRIBED - TYPE_SUBSCRIBE] = {        /* A.2.3; STOP may be a pre-approval (3.4) */
            [SUB_NONE]        = STOP(NONE),
            [SUB_NONE_OUT]    = STOP(NONE_OUT),
            [SUB_NONE_IN]     = PASS(FROM),
            [SUB_NONE_OUT_IN] = PASS(FROM_OUT),
            [SUB_TO]          = STOP(TO),
            [SUB_TO_IN]       = PASS(BOTH),
            [SUB_FROM]        = STOP(FROM),
            [SUB_FROM_OUT]    = STOP(FROM_OUT),
            [SUB_BOTH]        = STOP(BOTH),
        },
        [TYPE_UNSUBSCRIBE - TYPE_SUBSCRIBE] = {       /* A.2.2 */
            [SUB_NONE]        = PASS(NONE),
            [SUB_NONE_OUT]    = PASS(NONE),
            [SUB_NONE_IN]     = PASS(NONE_IN),
            [SUB_NONE_OUT_IN] = PASS(NONE_IN),
            [SUB_TO]          = PASS(NONE),
            [SUB_TO_IN]       = PASS(NONE_IN),
            [SUB_FROM]        = PASS(FROM),
            [SUB_FROM_OUT]    = PASS(FROM),
            [SUB_BOTH]        = PASS(FROM),
        },
        [TYPE_UNSUBSCRIBED - TYPE_SUBSCRIBE] = {      /* A.2.4; STOP may cancel a pre-approval (3.4.2) */
            [SUB_NONE]        = STOP(NONE),
            [SUB_NONE_OUT]    = STOP(NONE_OUT),
            [SUB_NONE_IN]     = PASS(NONE),
            [SUB_NONE_OUT_IN] = PASS(NONE_OUT),
            [SUB_TO]          = STOP(TO),
            [SUB_TO_IN]       = PASS(TO),
            [SUB_FROM]        = PASS(NONE),
            [SUB_FROM_OUT]    = PASS(NONE_OUT),
            [SUB_BOTH]        = PASS(TO),
        },
    },
    [SUB_INBOUND] = {
        [TYPE_SUBSCRIBE - TYPE_SUBSCRIBE] = {         /* A.3.1 */
            [SUB_NONE]        = PASS(NONE_IN),
            [SUB_NONE_OUT]    = PASS(NONE_OUT_IN),
            [SUB_NONE_IN]     = STOP(NONE_IN),
            [SUB_NONE_OUT_IN] = STOP(NONE_OUT_IN),
            [SUB_TO]          = PASS(TO_IN),
            [SUB_TO_IN]       = STOP(TO_IN),
            [SUB_FROM]        = STOP(FROM),
            [SUB_FROM_OUT]    = STOP(FROM_OUT),
            [SUB_BOTH]        = STOP(BOTH),
        },
        [TYPE_SUBSCRIBED - TYPE_SUBSCRIBE] = {        /* A.3.3 */
            [SUB_NONE]        = STOP(NONE),
            [SUB_NONE_OUT]    = PASS(TO),
            [SUB_NONE_IN]     = STOP(NONE_IN),
            [SUB_NONE_OUT_IN] = PASS(TO_IN),
            [SUB_TO]          = STOP(TO),
            [SUB_TO_IN]       = STOP(TO_IN),
            [SUB_FROM]        = STOP(FROM),
            [SUB_FROM_OUT]    = PASS(BOTH),
            [SUB_BOTH]        = STOP(BOTH),
        },
        [TYPE_UNSUBSCRIBE - TYPE_SUBSCRIBE] = {       /* A.3.2 */
            [SUB_NONE]        = STOP(NONE),
            [SUB_NONE_OUT]    = STOP(NONE_OUT),
            [SUB_NONE_IN]     = PASS(NONE),
            [SUB_NONE_OUT_IN] = PASS(NONE_OUT),
            [SUB_TO]          = STOP(TO),
            [SUB_TO_IN]       = PASS(TO),
            [SUB_FROM]        = PASS(NONE),
            [SUB_FROM_OUT]    = PASS(NONE_OUT),
            [SUB_BOTH]        = PASS(TO),
        },
        [TYPE_UNSUBSCRIBED - TYPE_SUBSCRIBE] = {      /* A.3.4 */
            [SUB_NONE]        = STOP(NONE),
            [SUB_NONE_OUT]    = PASS(NONE),
            [SUB_NONE_IN]     = STOP(NONE_IN),
            [SUB_NONE_OUT_IN] = PASS(NONE_IN),
            [SUB_TO]          = PASS(NONE),
            [SUB_TO_IN]       = PASS(NONE_IN),
            [SUB_FROM]        = STOP(FROM),
            [SUB_FROM_OUT]    = PASS(FROM),
            [SUB_BOTH]        = PASS(FROM),
        },
    },
};

static const struct { uint8_t flags; bool pending_in; } states[SUB_STATES] = {
    [SUB_NONE]        = { 0, false },
    [SUB_NONE_OUT]    = { ROSTER_ASK, false },
    [SUB_NONE_IN]     = { 0, true },
    [SUB_NONE_OUT_IN] = { ROSTER_ASK, true },
    [SUB_TO]          = { ROSTER_TO, false },
    [SUB_TO_IN]       = { ROSTER_TO, true },
    [SUB_FROM]        = { ROSTER_FROM, false },
    [SUB_FROM_OUT]    = { ROSTER_FROM | ROSTER_ASK, false },
    [SUB_BOTH]        = { ROSTER_TO | ROSTER_FROM, false },
};

unsigned sub_flags(enum sub_state state)
{
    return states[state].flags;
}

bool sub_pending_in(enum sub_state state)
{
    return states[state].pending_in;
}

enum sub_state sub_state_of(unsigned flags, bool pending_in)
{
    bool to = flags & ROSTER_TO, from = flags & ROSTER_FROM, ask = flags & ROSTER_ASK;

    if (to)
        return from ? SUB_BOTH : pending_in ? SUB_TO_IN : SUB_TO;
    if (from)
        return ask ? SUB_FROM_OUT : SUB_FROM;
    if (ask)
        return pending_in ? SUB_NONE_OUT_IN : SUB_NONE_OUT;
    return pending_in ? SUB_NONE_IN : SUB_NONE;
}

bool sub_has_from(enum sub_state state)
{
    return states[state].flags & ROSTER_FROM;
}

/* 3.4: the mark is set by `subscribed` that answers nothing, taken back by `unsubscribed`, and used up
 * by nothing: a contact that unsubscribes and asks again is still approved. */
static bool mark_after(enum sub_direction direction, unsigned type, enum sub_state state, bool approved)
{
    if (direction == SUB_OUTBOUND && type == TYPE_SUBSCRIBED)
        return approved || (!sub_has_from(state) && !sub_pending_in(state));
    if (direction == SUB_OUTBOUND && type == TYPE_UNSUBSCRIBED)
        return false;
    return approved;
}

struct sub_result sub_rule(enum sub_direction direction, unsigned type, enum sub_state state, bool approved)
{
    const struct edge *e = &edges[direction][type - TYPE_SUBSCRIBE][state];
    struct sub_result  r = { .next = e->next, .pass = e->pass };

    r.approved = mark_after(direction, type, state, approved);
    if (direction != SUB_INBOUND || type != TYPE_SUBSCRIBE)
        return r;
    if (sub_has_from(state))                                   /* A.3.1 note 2 */
        r.reply = true;
    else if (approved) {                                   /* A.3.1 note 1: as if approved now */
        r.next = edges[SUB_OUTBOUND][TYPE_SUBSCRIBED - TYPE_SUBSCRIBE]
                      [sub_pending_in(state) ? state : e->next].next;
        r.pass = false;
        r.reply = true;
    }
    return r;
}
