#pragma once

/* Fan-out: one stanza for many receivers, one frame for each next daemon (DESIGN.md 2.5). Sessions of
 * this instance are reached through their c2sd by handle; other JIDs through the instance that serves
 * them. Lives of one daemon are kept apart. */

#include "buf.h"
#include "outcome.h"

enum { SPREAD_LIST_MAX = 1 << 20 };      /* bytes of one recipient list; a longer one becomes two frames */

struct spread_group;

struct spread {
    struct sm           *sm;
    struct outcome      *out;
    enum when            when;
    const struct stanza *stanza;          /* `to` is not used */
    struct spread_group *groups;
};

void spread_begin(struct spread *sp, struct sm *sm, struct outcome *out, enum when when,
                  const struct stanza *s);
/* `to` at the receiver: the session's full JID. */
void spread_session(struct spread *sp, const struct session *s);
/* A bare JID of this instance reaches its available sessions (the rule of RFC 6121 8.5.2.1.2 for
 * presence); one of elsewhere goes to the instance that serves it. What nobody serves is left out. */
void spread_jid(struct spread *sp, struct slice jid);
/* Hands the frames to the outcome. */
void spread_end(struct spread *sp);
