#pragma once

/* Delivery to an account of this instance: RFC 6121 8.5 as one table. */

#include "feature.h"
#include "spread.h"

/* X(kind of stanza). SUBSCRIPTION and probe never come here: sm/subscription.c and presence.c take them. */
enum deliver_kind {
    DELIVER_NORMAL, DELIVER_CHAT, DELIVER_GROUPCHAT, DELIVER_HEADLINE, DELIVER_MESSAGE_ERROR,
    DELIVER_PRESENCE,            /* available and error */
    DELIVER_UNAVAILABLE,
    DELIVER_IQ,                  /* get, set */
    DELIVER_IQ_REPLY,            /* result, error */
    DELIVER_KINDS,
};

enum deliver_target { TARGET_BARE, TARGET_MATCH, TARGET_NO_MATCH, DELIVER_TARGETS };

/* Who is online. RECEPTIVE: at least one available resource with priority >= 0. */
enum deliver_who { WHO_NO_USER, WHO_NOBODY, WHO_NEGATIVE, WHO_RECEPTIVE, DELIVER_WHO };

enum deliver_action {
    ACT_IMPOSSIBLE,              /* a match without a session: our own mistake */
    ACT_DROP,
    ACT_REFUSE,                  /* service-unavailable to the sender */
    ACT_STORE,                   /* offline (XEP-0160); for no user: the same answer, nothing stored */
    ACT_SESSION,                 /* the matching one */
    ACT_ASK,                     /* the same, if it shows itself to the sender; else service-unavailable */
    ACT_RECEPTIVE,               /* all with priority >= 0 */
    ACT_AVAILABLE,               /* all available ones */
    ACT_ABSENT,                  /* dropped; a room of ours is told that its occupant is gone */
};

enum deliver_action deliver_rule(enum deliver_kind kind, enum deliver_target target, enum deliver_who who);
enum deliver_kind   deliver_kind_of(const struct stanza *s);

/* With `match` the session of ACT_SESSION: is `s` among those that get it? */
bool deliver_reaches(const struct session *s, enum deliver_action action, const struct session *match);

/* p->stanza goes to where the rules say. TAKEN or a negative error. */
int deliver(struct passage *p);

/* For a fan-out: true when `jid` (bare or full, of this instance) is reached through `spread`, so that
 * nothing else is to be done; false: the stanza for it needs the whole incoming pass. */
bool deliver_spread(struct spread *spread, const struct stanza *s, struct slice jid);
