#pragma once

/* What follows the commit of an outcome, and is done once though this process is killed in between (outcome_after): it
 * stands in the outcome's row of live memory (outcome_live.h), with two slices that say of whom. What needs more than
 * these, or dies with the process anyway, is outcome_then's.
 *
 * The order is that of numbers in live memory: new ones come last. */

#include "err.h"
#include "slice.h"

struct buf;
struct sm;

/* err: as of the commit. Comes outside of any outcome; the slices live until the end of the dispatch. */
typedef void after_fn(struct sm *sm, enum zerr err, struct slice a, struct slice b);

/* X(NAME, function): its file, what a and b are */
#define AFTERS(X)                                                                       \
    X(CONTACT_CHANGED, features_contact_changed)  /* feature.h: owner, contact */       \
    X(CONTACT_LET_IN, pep_newcomer_let_in)        /* pep_newcomer.h: owner, contact */  \
    X(PRESENCE_SHOWN, caps_presence_shown)        /* caps.h: full JID */                \
    X(BLOCKLIST_CHANGED, blocked_settled)         /* blocked.h: owner */                \
    X(NOTICE_SET, notices_set)                    /* notices.h: domain */

enum after {
#define X(name, function) AFTER_##name,
    AFTERS(X)
#undef X
};

#define X(name, function) after_fn function;
AFTERS(X)
#undef X

/* Encoded, one behind the other. */
void afters_put(struct buf *out, enum after what, struct slice a, struct slice b);
/* Does all of them in order. */
void afters_run(struct sm *sm, struct slice afters, enum zerr err);
