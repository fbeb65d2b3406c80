#pragma once

/* Long work in steps, one a loop turn, so that nobody waits for the end of it: control verbs that look at all
 * accounts or all sessions. What changes between two steps may be seen or not. */

#include "sm.h"

/* Steps of about a millisecond. */
enum { WALK_ACCOUNTS = 500, WALK_SESSIONS = 200 };

struct walk_spec {
    /* Does one step, which may use the arena. 1: there is more to do; 0: it is done; else an error. */
    int (*step)(void *arg);
    /* Once, when it is done or failed; ZE_UNAVAILABLE: the process ends. */
    void (*done)(void *arg, enum zerr err);
    void *arg;
};

/* Its first step is in the next turn. */
void   walk_begin(struct sm *sm, const struct walk_spec *spec);
size_t walks_count(const struct sm *sm);
/* The end of the process: those that are under way are done. */
void   walks_forget(struct sm *sm);

struct session;
/* The next sessions, at most WALK_SESSIONS, from *place on (0 at the start). For a step: 1 or 0. */
int walk_sessions(struct sm *sm, size_t *place, void (*each)(void *arg, struct session *s), void *arg);
