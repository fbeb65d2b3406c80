#pragma once

/* The end of the whole suite, or its restart, as an operator (verb `shutdown`) or an administrator from a client
 * (frame PLAN, XEP-0133 4.29 and 4.30) wants it: users are warned at once and again, and when the time has come the daemons
 * are told to end, role by role, each when the one before is gone; routerd last. A daemon that is to be started
 * again ends with the exit status 75, which systemd and `./dev run` know; nobody here starts anything.
 *
 * PLAN     sm -> routerd: frame.sender = errand; body: u8 words, then each sized. Only the verb `shutdown`.
 * PLANNED  routerd -> sm: frame.handle = errand; body as ERRAND_DONE (sm/errand.h).
 * WARN     routerd -> sm: sized text for everybody who is connected.
 * END      routerd -> any: u8 again (1: it is to be started again), sized text for users, or empty.
 *
 * What was planned is memory of this process: when routerd dies nothing is planned any more. */

#include "peer.h"

struct shutdown;
struct shutdown *shutdown_new(struct router *r);
void             shutdown_free(struct shutdown **s);
/* A greeted connection is there; one that was told to end (peer.ending) is gone. */
void shutdown_peer_came(struct shutdown *s, struct peer *p);
void shutdown_peer_gone(struct shutdown *s);

/* Frame PLAN. */
void shutdown_on_plan(struct peer *p, const struct frame *f);
/* Control verb. */
int verb_shutdown(void *router, int argc, char **argv, struct ctl_reply *reply);
