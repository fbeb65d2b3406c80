#pragma once

/* What archives of accounts may hold (server.archive_days, domain.archive_days, preferences.h), and the rows of accounts that are no more: one walk
 * over the slots of this instance, account by account, a bounded number of rows at a time, and never a
 * second step before the first is committed. A new process begins it anew. */

#include "sm.h"

struct retention;

/* Walks by its timer. */
struct retention *retention_new(struct sm *sm);
void              retention_free(struct retention **r);
/* One step at this time (of tests, and of the timer). False: the walk is over, the next step begins anew. */
bool retention_step(struct retention *r, uint64_t now_us);
