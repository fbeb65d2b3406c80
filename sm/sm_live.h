#pragma once

/* Tables of sm in its live environment (common/live.h), behind those of the link. All rows carry a format
 * byte; a row that cannot be read is logged and left out. */

#include "link.h"
#include "live.h"

/* X(NAME, the file that says its rows) */
#define SM_LIVE_TABLES(X)                                                        \
    X(SESSION)     /* sm/session_live.c: handle -> a bound session */            \
    X(WAITING)     /* sm/outcome_live.c: serial -> an outcome that waits */      \
    X(ENDED)       /* sm/resume_ended.c: in order -> a session that ended */     \
    X(PROMISE)     /* sm/outcome_live.c: serial -> the answer if this process dies */ \
    X(BUS)         /* sm/bus.c: the presence bus: numbers, unconfirmed packets */ \
    X(CONTACT)     /* sm/caps_live.c: hash of a full JID -> what it wants */     \
    X(INSTANCE)    /* facts about this instance, by name */

enum sm_live_table {
    L_BEFORE_SM = LINK_LIVE_COUNT - 1,
#define X(name) L_##name,
    SM_LIVE_TABLES(X)
#undef X
    L_END,
};

/* What an earlier process left is good only for the same incarnation of this instance (the link's): handles
 * of another one mean nothing to anybody. Forgets it else, and returns false; before anything is restored. */
bool sm_live_check(struct live *live, uint64_t incarnation);

/* LINK_LIVE_TABLES, then these; NULL-ended. */
extern const char *const sm_live_tables[];
